"""``document``: docs/performance.md and its plot, of what ``all --json`` has kept."""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill
from typing import Any

from benchmarks.measuring import markdown
from benchmarks.reporting import NOT_ASKED, VERDICTS, rendered, say

HELP = "write docs/performance.md, and the plot in it, from the JSON of runs of all"

_DOCS = Path(__file__).resolve().parent.parent / "docs"
_SMALL = " messages of 4 KiB"
_OPTIMISATIONS = ("Profile-guided optimisation", "Link-time optimisation")
_TOP = """\
# Performance

This page compares the speed of pop3proto with that of its peers, and with the limit: a loop around
a bare socket. No figure on this page is written by hand: `python -m benchmarks document` writes the
page from the results of {runs}. Only the ratios carry over to other machines. To measure on yours:

```sh
python -m pip install -e '.[benchmark,test]'
python -m benchmarks all --json performance.json && python -m benchmarks document performance.json
```

To compare several Pythons, give each of them an environment of its own, and all their files to the
last command:

```sh
.venv-3.11/bin/python -m benchmarks all --json 3.11.json
.venv-3.13/bin/python -m benchmarks all --json 3.13.json
python -m benchmarks document 3.11.json 3.13.json
```

{parts}
"""
_PARTS = """\
`python -m benchmarks {first}` measures one part; the other parts are {others} and {last}.
`--quick` checks in about a minute that everything runs. Peers take part if they are installed; for
each one that is not, the command that installs it is printed.
"""
_PLOT = """\
![Messages a second, pop3proto and its peers](performance.png)
"""
_WHY = """\
[How the hot path works](hot-path.md) explains why some are not met, and how the code has changed
since it was measured."""
_METHOD = """\
## How it is measured

- Each contestant runs in a process of its own. The contestants take turns in every round, and each
  round begins with a different one. Two contestants are compared round by round: a figure or a
  ratio is the median of the rounds, followed by the least and the most.
- The server answers from memory. It is written in C and has a processor to itself. Under TLS it is
  written in Python.
- pop3proto takes part in the form that its users see: `Client` and `AsyncClient` with their
  replies, not the engine alone. The engine has a table of its own, on octets in memory.
- The table of machines says how each Python was built, as far as the arguments of its `configure`
  show it; some distributions optimise in ways that do not show there. Without profile-guided
  optimisation (`--enable-optimizations`) and link-time optimisation (`--with-lto`) Python code runs
  more slowly, while peers and limits that are written in C are as fast as ever: on a Python built
  with both, the same code has better ratios to them.
"""


@dataclass(slots=True)
class Run:
    """All that was measured with one Python on one machine."""

    machine: dict[str, str]
    results: dict[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """The sub-commands' reports, by their names."""

    @property
    def python(self) -> str:
        return self.machine["Python"]

    @property
    def goals(self) -> dict[tuple[str, str, str], Mapping[str, Any]]:
        """Every goal, by its sub-command, what it is about, and itself."""
        return {
            (name, found["what"], found["goal"]): found
            for name, result in self.results.items()
            for found in result["goals"]
        }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="the JSON of python -m benchmarks all --json FILE, or of one part; of several files of"
        " the same Python, a later one replaces the parts of an earlier one",
    )
    parser.add_argument("--to", type=Path, default=_DOCS, help="the folder (default: docs)")


def write(args: argparse.Namespace, parts: Sequence[str]) -> None:
    """Write the page, and its plot if the small messages are among what was measured.

    ``parts`` are the names of the sub-commands, in the order of the page.
    """
    runs = merged(json.loads(path.read_text("utf-8")) for path in args.files)
    measured = "one run" if len(runs) == 1 else f"{len(runs)} runs"
    names = [f"`{part}`" for part in parts]
    about = _PARTS.format(first=parts[0], others=", ".join(names[1:-1]), last=names[-1])
    page = [_TOP.format(runs=measured, parts=fill(about, 100)), _summary(runs)]
    small = [(run, found) for run in runs if (found := _small(run))]
    if not importlib.util.find_spec("matplotlib"):
        say("there is no plot without matplotlib: python -m pip install -e '.[benchmark]'")
    elif small:
        run, figures = small[0]
        page.append(_PLOT)
        plot(figures, run.python, args.to / "performance.png")
    page += [_METHOD, _machines(runs)]
    page += [
        rendered(run.results[part]) + "\n" for part in parts for run in runs if part in run.results
    ]
    (args.to / "performance.md").write_text("\n".join(page), encoding="utf-8")


def merged(files: Iterable[Mapping[str, Mapping[str, Any]]]) -> list[Run]:
    """The runs that the files are of: one for each Python on each machine, in their order."""
    runs: dict[tuple[str, ...], Run] = {}
    for results in files:
        for name, result in results.items():
            machine: dict[str, str] = result["machine"]
            key = tuple(what for name, what in machine.items() if name != "Date")
            runs.setdefault(key, Run(machine)).results[name] = result
    return list(runs.values())


def _names(runs: Sequence[Run]) -> list[str]:
    """What the runs are called: by their Pythons, and by a number where these are the same."""
    pythons = [run.python for run in runs]
    return [
        f"{python}, {pythons[: index + 1].count(python)}" if pythons.count(python) > 1 else python
        for index, python in enumerate(pythons)
    ]


def _summary(runs: Sequence[Run]) -> str:
    """Every goal, and what each run has measured."""
    names = _names(runs)
    keys = list(dict.fromkeys(key for run in runs for key in run.goals))
    rows = [[*key, *(_measured(run.goals.get(key)) for run in runs)] for key in keys]
    sentences = [f"{name}: {_count(run)}" for name, run in zip(names, runs, strict=True)]
    table = markdown(["part", "what", "goal", *names], rows)
    return "\n\n".join(["## Every goal", *sentences, _WHY, table]) + "\n"


def _measured(goal: Mapping[str, Any] | None) -> str:
    if goal is None:
        return ""
    return f"{goal['measured']}: {VERDICTS[goal['met']]}"


def _count(run: Run) -> str:
    met = [goal["met"] for goal in run.goals.values()]
    said = f"{met.count(True)} of {len(met)} goals are met"
    if None in met:
        said += f", {met.count(None)} were not judged"
    unoptimised = [name for name in _OPTIMISATIONS if run.machine[name] == NOT_ASKED]
    if unoptimised:
        without = " or ".join(unoptimised).lower()
        said += f". This Python's configure was not asked for {without}"
    return said + "."


def _machines(runs: Sequence[Run]) -> str:
    rows: list[list[str]] = []
    for name in runs[0].machine:
        cells = [run.machine[name] for run in runs]
        if name == "Date":
            cells = [
                " to ".join(dict.fromkeys((min(days), max(days)))) for days in map(_days, runs)
            ]
        rows.append([name, *cells])
    return "## Where and when\n\n" + markdown(["", *_names(runs)], rows) + "\n"


def _days(run: Run) -> list[str]:
    return [result["machine"]["Date"] for result in run.results.values()]


def _small(run: Run) -> Mapping[str, Any]:
    """The contest of small messages, if it took place."""
    contests: Mapping[str, Any] = run.results.get("clients", {}).get("data", {})
    return next((found for title, found in contests.items() if title.endswith(_SMALL)), {})


def plot(figures: Mapping[str, Any], python: str, path: Path) -> None:
    """Bars of messages a second, ours in another colour, with the least and the most."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    speeds = [
        (found["who"], found["speed"])
        for name, found in figures.items()
        if not name.startswith("raw socket")
    ]
    speeds.sort(key=lambda item: float(item[1]["median"]))
    names = [name for name, _ in speeds]
    medians = [found["median"] for _, found in speeds]
    below = [found["median"] - min(found["rounds"]) for _, found in speeds]
    above = [max(found["rounds"]) - found["median"] for _, found in speeds]
    colours = ["#1f6f8b" if name.startswith("pop3proto") else "#b8b8b8" for name in names]
    figure, axes = pyplot.subplots(figsize=(9, 0.32 * len(names) + 1.2), layout="constrained")
    axes.barh(names, medians, xerr=[below, above], color=colours, ecolor="#444444")
    axes.set_xscale("log")
    axes.set_xlabel(f"messages of 4 KiB a second, no delay, {python} (logarithmic)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
