"""``document``: docs/performance.md and its plot, of what ``all --json`` has kept."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HELP = "write docs/performance.md, and the plot in it, from the JSON of a run of all"

_DOCS = Path(__file__).resolve().parent.parent / "docs"
_SMALL = " messages of 4 KiB"
_TOP = """\
# Performance

How fast pop3proto is beside its peers, and beside the limit, which is a loop around the bare
socket. Every figure on this page comes from one run on one machine, and nobody has touched it:
the page is written by `python -m benchmarks document`. Only the ratios carry over to other
machines; to see yours:

```sh
python -m pip install -e '.[benchmark,test]'
python -m benchmarks all --json performance.json
python -m benchmarks document performance.json
```

`python -m benchmarks clients`, or another of `engine`, `latency`, `tls`, `memory`, `sessions` and
`servers`, measures one part, and `--quick` shows in seconds whether it runs. Peers take part if
they are installed; for those that are not, the command that installs them is printed.

![Messages a second, pop3proto and its peers](performance.png)

## How it is measured

- Each contestant runs in a process of its own. The rounds take turns, each begins with another
  contestant, and two of them are compared round by round: a figure is the median, with the least
  and the most behind it.
- The server answers from memory. It is written in C and has a processor to itself; under TLS it
  is Python's.
- pop3proto takes part as its users have it: `Client` and `AsyncClient` with their replies, not
  the engine alone. The engine has a table of its own, on octets in memory.
- What is printed as "no" is a goal that this run has not met.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the JSON of python -m benchmarks all --json FILE")
    parser.add_argument("--to", type=Path, default=_DOCS, help="the folder (default: docs)")


def write(args: argparse.Namespace) -> None:
    """Write the page and its plot."""
    results: Mapping[str, Any] = json.loads(args.file.read_text("utf-8"))
    page = [_TOP, _machine(results)]
    for result in results.values():
        page.append(f"## {result['title']}\n")
        page += [part + "\n" for part in result["parts"]]
        if result["missed"]:
            page.append("Not met:\n")
            page.append("".join(f"- {line}\n" for line in result["missed"]))
    (args.to / "performance.md").write_text("\n".join(page), encoding="utf-8")
    contests = results["clients"]["data"]
    small = next(title for title in contests if title.endswith(_SMALL))
    plot(contests[small], args.to / "performance.png")


def _machine(results: Mapping[str, Any]) -> str:
    about = next(iter(results.values()))["machine"]
    return "## Where and when\n\n" + "".join(f"- {name}: {what}\n" for name, what in about.items())


def plot(figures: Mapping[str, Any], path: Path) -> None:
    """Bars of messages a second, ours in another colour, with the least and the most."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    speeds = {
        name: found["speed"] for name, found in figures.items() if not name.startswith("raw socket")
    }
    ordered = sorted(speeds.items(), key=lambda item: float(item[1]["median"]))
    names = [name for name, _ in ordered]
    medians = [found["median"] for _, found in ordered]
    below = [found["median"] - min(found["rounds"]) for _, found in ordered]
    above = [max(found["rounds"]) - found["median"] for _, found in ordered]
    colours = ["#1f6f8b" if name.startswith("pop3proto") else "#b8b8b8" for name in names]
    figure, axes = pyplot.subplots(figsize=(9, 0.32 * len(names) + 1.2), layout="constrained")
    axes.barh(names, medians, xerr=[below, above], color=colours, ecolor="#444444")
    axes.set_xscale("log")
    axes.set_xlabel("messages of 4 KiB a second, no delay (logarithmic)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
