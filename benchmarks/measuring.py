"""Measuring side by side: fresh processes for each contestant, in rounds that take turns.

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from benchmarks import instructions

Item = TypeVar("Item")
ROOT = Path(__file__).resolve().parent.parent
_CHILD = "import sys; from benchmarks.measuring import child; child(*sys.argv[1:])"
_MIB = 1024 * 1024
# How many messages are counted: enough that the start, which varies a little, does not show.
_FEW, _MANY = 100, 500
# Growth by less than a page cannot be seen.
_PAGE = 4096


@dataclass(frozen=True, slots=True)
class Entry:
    """One contestant: a function, and what it is called with besides the contest's arguments."""

    who: str
    target: str
    """``module:function`` of this package. It is called with ``count`` too, and returns any of
    ``seconds``, ``cpu``, ``growth`` and ``waits``; and ``units``, if it did not do ``count`` of
    them."""
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    share: int = 1
    """For one that takes long: it does one in so many."""
    command: Sequence[str] = ()
    """What is a unit by itself, so that its instructions can be counted at once."""
    missing: Callable[[], str] = lambda: ""
    """The command that installs what it needs; empty if it is there."""

    @property
    def ours(self) -> bool:
        return self.who.startswith("pop3proto")

    def count(self, of: int) -> int:
        return max(1, of // self.share)


@dataclass(frozen=True, slots=True)
class Contest:
    """Contestants that do the same work."""

    name: str
    title: str
    entries: Sequence[Entry]
    unit: str = "message"
    count: int = 10_000
    """How many of them."""
    quick: int = 50
    """How many in a hurry."""
    scene: Callable[[int], AbstractContextManager[dict[str, Any]]] = lambda count: nullcontext({})
    """What runs at the same time; hands out the arguments that all entries have."""
    memory: bool = False
    """Whether the growth of memory says something."""
    references: Sequence[str] = ("poplib",)
    """Those that the others are compared with."""
    counted: Sequence[str] = ()
    """Those whose instructions are counted, which takes long."""
    rounds: int = 5
    """How often at most."""
    seconds: float = 1.0
    """About how long a round takes, so that a run can say so beforehand."""
    note: str = ""
    """What has to be known to read the table."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity over all rounds."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.rounds)

    def __truediv__(self, other: Figure) -> Figure:
        """The ratios, pair by pair."""
        pairs = zip(self.rounds, other.rounds, strict=True)
        return Figure(tuple(a / b if b else float("inf") for a, b in pairs))

    def __sub__(self, other: Figure) -> Figure:
        """The differences, pair by pair."""
        pairs = zip(self.rounds, other.rounds, strict=True)
        return Figure(tuple(a - b for a, b in pairs))


@dataclass(slots=True)
class Outcome:
    """What became of a contest."""

    contest: Contest
    count: int
    figures: dict[str, dict[str, Figure]] = field(default_factory=dict[str, dict[str, Figure]])
    """By the entries' names and the names of the figures: ``wall`` and ``cpu`` in microseconds a
    unit, ``waits`` and ``instructions`` a unit, ``growth`` in MiB, and ``held`` in octets a
    unit."""
    notes: list[str] = field(default_factory=list[str])
    """Who is absent, and whose program failed."""
    failures: list[str] = field(default_factory=list[str])
    """What must not happen: one of ours, or of what comes with Python, failed."""


def measure(contest: Contest, rounds: int, quick: bool = False) -> Outcome:
    """Let all of them run that are there."""
    count = contest.quick if quick else contest.count
    outcome = Outcome(contest, count)
    present: list[Entry] = []
    for entry in contest.entries:
        if command := entry.missing():
            outcome.notes.append(f"{entry.who} is absent: {command}")
        else:
            present.append(entry)
    samples: dict[str, list[dict[str, float]]] = {entry.who: [] for entry in present}
    with contest.scene(count) as arguments:
        for about, entry in turns(present, min(rounds, contest.rounds)):
            if entry.who not in samples:
                continue
            say(f"{contest.name}, {about}: {entry.who}")
            try:
                samples[entry.who].append(_sample(contest, entry, count, arguments))
            except subprocess.CalledProcessError as error:
                del samples[entry.who]
                line = f"{entry.who} failed: {_last_line(error.stderr)}"
                (outcome.failures if _relied_on(entry) else outcome.notes).append(line)
        if contest.counted and not quick:
            _count_instructions(contest, present, arguments, outcome)
    for who, found in samples.items():
        figures = {name: Figure(tuple(one[name] for one in found)) for name in found[0]}
        outcome.figures[who] = figures | outcome.figures.get(who, {})
    return outcome


def _sample(
    contest: Contest, entry: Entry, of: int, arguments: Mapping[str, Any]
) -> dict[str, float]:
    count = entry.count(of)
    found = run_apart(entry.target, {**arguments, **entry.arguments, "count": count})
    units = found.get("units", count)
    figures: dict[str, float] = {}
    for name, quantity in (("wall", "seconds"), ("cpu", "cpu")):
        if quantity in found:
            figures[name] = found[quantity] / units * 1e6
    if "waits" in found:
        figures["waits"] = found["waits"] / units
    if contest.memory:
        growth = max(found["growth"], _PAGE)
        figures |= {"growth": growth / _MIB, "held": growth / units}
    return figures


def _relied_on(entry: Entry) -> bool:
    # Other people's programs fail for reasons of their own.
    return entry.ours or entry.who.startswith(("poplib", "raw", "bare"))


def _last_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _count_instructions(
    contest: Contest, present: Sequence[Entry], arguments: Mapping[str, Any], outcome: Outcome
) -> None:
    """Count each entry's instructions once, which do not depend on what else runs."""
    if not instructions.counter():
        return

    def counted(entry: Entry) -> tuple[str, float | None]:
        say(f"{contest.name}, instructions: {entry.who}")
        if entry.command:
            return entry.who, instructions.count(entry.command, environment())
        few, many = (
            instructions.count(*_apart(entry.target, {**arguments, **entry.arguments, "count": n}))
            for n in (_FEW, _MANY)
        )
        # What happens once is in both.
        if few is None or many is None:
            return entry.who, None
        return entry.who, (many - few) / (_MANY - _FEW)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for who, found in pool.map(counted, [one for one in present if one.who in contest.counted]):
            if found is not None:
                outcome.figures[who] = {"instructions": Figure((found,))}


def turns(items: Sequence[Item], rounds: int) -> Iterator[tuple[str, Item]]:
    """Every item once a round, and the round as it is told; each begins with another one."""
    for turn in range(rounds):
        first = turn % len(items) if items else 0
        for item in (*items[first:], *items[:first]):
            yield f"round {turn + 1} of {rounds}", item


def environment() -> dict[str, str]:
    """That of a process which finds this package, the pop3proto beside it, and their bytecode."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)}
    # Whoever installs a package has its modules compiled; so the first process here may keep them.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    return env


def _apart(target: str, arguments: Mapping[str, Any]) -> tuple[list[str], dict[str, str]]:
    return [sys.executable, "-c", _CHILD, target, json.dumps(arguments)], environment()


def run_apart(target: str, arguments: Mapping[str, Any]) -> Any:
    """What the function returns, called in a process of its own."""
    command, env = _apart(target, arguments)
    done = subprocess.run(command, capture_output=True, check=True, env=env)
    return json.loads(done.stdout)


def child(target: str, arguments: str) -> None:
    """The other end of ``run_apart()``."""
    module, _, name = target.partition(":")
    function = getattr(importlib.import_module(f"benchmarks.{module}"), name)
    print(json.dumps(function(**json.loads(arguments))))


def say(text: str) -> None:
    """Progress, beside the result."""
    print(text, file=sys.stderr)
