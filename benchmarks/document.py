"""``document``: the pages about performance in ``docs``, from the JSON of a run."""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.measuring import ROOT, Figure, say
from benchmarks.reporting import VERDICTS, goals_table, markdown, table

HELP = "write docs/performance.md, its plot and docs/performance-full.md from the JSON of a run"

_PAGE = """\
# Performance

How fast pop3proto is beside others that do the same work, on {date}, with {python} on a
machine with {processors} ({system}), at commit
`{commit}`.

| what | beside | pop3proto is | goal | met |
|---|---|---|---|---|
{rows}{plot}

A "7x" is a seventh of the time of the other one, "≤ 0.5x" allows half of it. By the clock, times
depend on how soon two processes wake each other: so most rows compare processor time. The row with
a delay and that of the disk are by the clock. Programs count from their start to their end, with
all that they load. {why}

[All figures and all goals](performance-full.md) are on a page of their own: commands one at a time,
asyncio and trio, parsing, memory, servers, and what each program does to keep mail safe on a disk.
{count}

No figure is written by hand. Only the ratios carry over to other machines; to measure on yours:

```sh
python -m pip install -e '.[benchmark,test]'
python -m benchmarks all --json result.json
python -m benchmarks document result.json --to docs
```
"""
_WHY = "[The hot path](hot-path.md#goals-that-are-not-met) shows why a goal is not met."
_FULL = """\
# Performance, in full

These are all the figures behind the [page about performance](performance.md), from one run.

- Each contestant runs in fresh processes, in rounds that take turns, each of which begins with
  another one. A figure is the median of the rounds. Two contestants are compared round by round: a
  ratio is the median, with the least and the most after it.
- "Times" another one is how many times as fast: by processor time, and by the clock.
- The server answers from memory, on a processor of its own. It is written in C, and under TLS in
  Python.
- Instructions were {instructions}. Each number is of one message or command, in user mode,
  without what happens once.
- Python keeps its bytecode, as it does for whoever installs a package. Who is absent is named below
  the table.

{about}

## Every goal

{count} {why}

{goals}

{contests}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="what --json has kept")
    parser.add_argument("--to", type=Path, default=ROOT / "docs", help="the folder (default: docs)")


def run(args: argparse.Namespace) -> int:
    """Write the pages, and the plot if there is something to plot, and something to plot with."""
    result = json.loads(args.file.read_text("utf-8"))
    plotted = plot(result, args.to / "performance.png")
    (args.to / "performance.md").write_text(page(result, plotted), encoding="utf-8")
    (args.to / "performance-full.md").write_text(full(result), encoding="utf-8")
    return 0


def page(result: Mapping[str, Any], plotted: bool) -> str:
    """The page that is read in two minutes."""
    about = result["about"]
    rows = [
        f"| {goal['page']} | {_beside(result, goal)} | {goal['median'] or 'not measured'} |"
        f" {goal['goal']} | {VERDICTS[goal['met']]} |"
        for goal in result["goals"]
        if goal["page"]
    ]
    image = "\n\n![Processor time of programs that fetch mail](performance.png)"
    return _PAGE.format(
        date=about["Date"],
        python=about["Python"],
        processors=f"{about['Processors'].partition(',')[0]} processors",
        system=about["System"].partition(" ")[0],
        commit=about["Commit"],
        rows="\n".join(rows),
        plot=image if plotted else "",
        why=_WHY,
        count=_count(result),
    )


def _beside(result: Mapping[str, Any], goal: Mapping[str, Any]) -> str:
    """The other one, if there is one, and how much of what each took."""
    if not goal["against"] or not goal["terms"]:
        return str(goal["against"])
    ours, theirs = goal["terms"]
    unit = result["contests"][goal["contest"]]["unit"]
    return f"{goal['against']} {theirs}, here {ours} µs a {unit}"


def _count(result: Mapping[str, Any]) -> str:
    met = [goal["met"] for goal in result["goals"]]
    said = f"{met.count(True)} of {len(met)} goals are met"
    return f"{said}; {met.count(None)} were not judged." if None in met else f"{said}."


def full(result: Mapping[str, Any]) -> str:
    """Everything that was measured."""
    about = result["about"]
    return _FULL.format(
        instructions=about["Instructions"],
        about=markdown(["", ""], [list(item) for item in about.items()]),
        goals=goals_table(result),
        count=_count(result),
        why=_WHY,
        contests="\n\n".join(table(contest) for contest in result["contests"].values()),
    )


def plot(result: Mapping[str, Any], path: Path) -> bool:
    """Bars of the processor time of programs, ours in another colour; whether it was drawn."""
    panels = [result["contests"][name] for name in ("small", "real") if name in result["contests"]]
    if not panels:
        return False
    if not importlib.util.find_spec("matplotlib"):
        say("there is no plot without matplotlib: python -m pip install -e '.[benchmark]'")
        return False
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(5 * len(panels), 3.4), layout="constrained", squeeze=False
    )
    for ax, contest in zip(axes[0], panels, strict=True):
        taken = [
            (Figure(tuple(entry["figures"]["cpu"])).median * entry["count"] / 1e6, who)
            for who, entry in contest["entries"].items()
        ]
        taken.sort(reverse=True)
        colours = ["#1f6f8b" if who.startswith("pop3proto") else "#b8b8b8" for _, who in taken]
        bars = ax.barh([who for _, who in taken], [seconds for seconds, _ in taken], color=colours)
        ax.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
        ax.set_title(contest["title"], fontsize=9)
        ax.set_xlabel("seconds of processor time, with the start", fontsize=8)
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
        ax.margins(x=0.12)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)
    return True
