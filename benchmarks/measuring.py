"""Measuring side by side: a fresh process for each contestant, in rounds that take turns.

A figure without its peer in the same run says nothing, least of all on a machine that others use
too. So each round runs every contestant once, the next round begins with another one, and two
contestants are compared round by round: the median of these ratios, and how far they spread.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

Item = TypeVar("Item")
_ROOT = Path(__file__).resolve().parent.parent
_CHILD = "import sys; from benchmarks.measuring import child; child(*sys.argv[1:])"


@dataclass(frozen=True, slots=True)
class Contestant:
    """A function that returns one figure, and what it is called with."""

    name: str
    target: str
    """``module:function``, within this package."""
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Goal:
    """What a median has to reach."""

    value: float
    at_most: bool = False
    unit: str = ""

    def met_by(self, value: float) -> bool:
        return value <= self.value if self.at_most else value >= self.value

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {number(self.value)}{self.unit}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity over all rounds."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)

    def __truediv__(self, other: Figure) -> Figure:
        """The ratios, pair by pair."""
        return Figure(tuple(a / b for a, b in zip(self.values, other.values, strict=True)))

    def scaled(self, factor: float) -> Figure:
        return Figure(tuple(value * factor for value in self.values))

    def spread(self, unit: str = "") -> str:
        """The median and, where there is more than one round, the extremes."""
        middle = f"{number(self.median)}{unit}"
        if len(self.values) == 1:
            return middle
        return f"{middle} ({number(min(self.values))} to {number(max(self.values))})"

    def as_json(self) -> dict[str, Any]:
        return {"median": self.median, "rounds": list(self.values)}


def turns(items: Sequence[Item], rounds: int) -> Iterator[tuple[str, Item]]:
    """Every item once a round, and the round as it is told; each begins with another one."""
    for turn in range(rounds):
        first = turn % len(items) if items else 0
        for item in (*items[first:], *items[:first]):
            yield f"round {turn + 1} of {rounds}", item


def measure(
    contestants: Sequence[Contestant], rounds: int, say: Callable[[str], None]
) -> dict[str, Figure]:
    """Every contestant's figure, by its name."""
    figures: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    for about, contestant in turns(contestants, rounds):
        say(f"{about}: {contestant.name}")
        figures[contestant.name].append(run_apart(contestant))
    return {name: Figure(tuple(values)) for name, values in figures.items()}


def environment() -> dict[str, str]:
    """That of a process which finds this package, and the pop3proto that is beside it."""
    path = os.pathsep.join([str(_ROOT / "src"), str(_ROOT), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)}


def run_apart(contestant: Contestant) -> Any:
    """What the contestant's function returns, called in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, contestant.target, json.dumps(contestant.arguments)],
        stdout=subprocess.PIPE,
        check=True,
        env=environment(),
    )
    return json.loads(done.stdout)


def child(target: str, arguments: str) -> None:
    """The other end of ``run_apart()``."""
    module, _, name = target.partition(":")
    function = getattr(importlib.import_module(f"benchmarks.{module}"), name)
    print(json.dumps(function(**json.loads(arguments))))


def number(value: float) -> str:
    """Three digits that count, and never an exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, with its columns in line so that it can be read as it is."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    ruler = ["-" * width for width in widths]
    return "\n".join(
        "| " + " | ".join(map(str.ljust, cells, widths)) + " |" for cells in (header, ruler, *rows)
    )
