"""Contests beside a server: rounds that take turns, ratios pair by pair, one table each."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks import peers
from benchmarks.measuring import Contestant, Figure, Goal, markdown, number, run_apart
from benchmarks.reporting import Report, say
from benchmarks.server import Address, Maildrop

_MIB = 1024 * 1024
_RELIED_ON = ("pop3proto", "poplib", "raw socket")
_FIGURES = {"MiB": "of growth", "of its size": "its size"}
# How much of what the server sends a program may leave out or add: carriage returns, envelopes.
_REWRITTEN = 0.07


@dataclass(frozen=True, slots=True)
class Entry:
    """One contestant at one job."""

    peer: str
    job: str = "retr"
    share: int = 1
    """For a slow one: only one in so many messages."""
    limit: str = ""
    """The label of the entry that shows what is possible."""
    about: str = ""

    @property
    def label(self) -> str:
        return f"{self.peer}, {self.about}" if self.about else self.peer


@dataclass(frozen=True, slots=True)
class Aim:
    """A goal for one entry: a ratio to another one, or one of its own figures."""

    label: str
    goal: Goal
    against: str = ""
    figure: str = "speed"

    @property
    def what(self) -> str:
        return f"to {self.against}" if self.against else _FIGURES[self.figure]


@dataclass(slots=True)
class Contest:
    """Entries that do the same work, and what is wanted of them."""

    title: str
    entries: Sequence[Entry]
    aims: Sequence[Aim]
    count: int = 1
    """Messages, or commands."""
    unit: str = "messages/s"
    """Or ``MB/s``, for one large message."""
    session: bool = False
    """Whether connecting, the login and QUIT count."""
    references: Sequence[str] = ("poplib",)
    memory: bool = False
    figures: dict[str, dict[str, Figure]] = field(
        init=False, default_factory=dict[str, dict[str, Figure]]
    )

    def run(self, report: Report, address: Address, maildrop: Maildrop, rounds: int) -> None:
        """Let all of them run that are installed, and add the table."""
        say(self.title)
        present = [entry for entry in self.entries if not self._left_out(report, entry.peer)]
        samples: dict[str, list[dict[str, float]]] = {entry.label: [] for entry in present}
        for turn in range(rounds):
            first = turn % len(present)
            for entry in (*present[first:], *present[:first]):
                say(f"round {turn + 1} of {rounds}: {entry.label}")
                try:
                    sample = self._sample(entry, address, maildrop)
                except (subprocess.CalledProcessError, AssertionError) as error:
                    self._failed(report, entry, error)
                    samples.pop(entry.label, None)
                else:
                    if entry.label in samples:
                        samples[entry.label].append(sample)
        self.figures = {
            label: {name: Figure(tuple(s[name] for s in found)) for name in found[0]}
            for label, found in samples.items()
        }
        self._table(report, [entry for entry in present if entry.label in samples])

    def _left_out(self, report: Report, peer: str) -> bool:
        command = peers.missing(peer)
        line = f"{peer} is not installed: {command}"
        if command and line not in report.parts:
            report.add(line)
        return bool(command)

    def _failed(self, report: Report, entry: Entry, error: Exception) -> None:
        line = f"{self.title}: {entry.label} failed: {error}"
        if entry.peer.startswith(_RELIED_ON):
            report.failures.append(line)
        else:
            # Other people's programs fail for reasons of their own.
            report.add(line)

    def _sample(self, entry: Entry, address: Address, maildrop: Maildrop) -> dict[str, float]:
        count = max(1, self.count // entry.share)
        about = {"count": count, "session": self.session, "address": address.arguments()}
        arguments: dict[str, Any] = {"name": entry.peer, "job": entry.job, **about}
        sample = run_apart(Contestant(entry.label, "peers:run", arguments))
        got = sample.pop("got")
        expected = _expected(entry.job, count, maildrop)
        exact = entry.peer.startswith(_RELIED_ON) and entry.peer != "raw socket"
        tolerance = 0 if exact else _REWRITTEN * expected
        if abs(got - expected) > tolerance:
            raise AssertionError(f"it got {got} where {expected} was to be got")
        amount = expected / 1e6 if self.unit == "MB/s" else count
        return {
            "speed": amount / sample["seconds"],
            "CPU": sample["cpu"] / count * 1e6,
            "MiB": sample["growth"] / _MIB,
            "of its size": sample["growth"] / expected,
        }

    def _table(self, report: Report, entries: list[Entry]) -> None:
        references = [name for name in self.references if name in self.figures]
        columns: list[tuple[str, Callable[[Entry], str]]] = [
            ("who", lambda entry: entry.label),
            (self.unit, lambda entry: self.figures[entry.label]["speed"].spread()),
        ]
        if self.unit != "MB/s":
            one = self.unit.removesuffix("s/s")
            columns.append((f"CPU, µs a {one}", self._cell("CPU")))
        if self.memory:
            columns.append(("growth, MiB", self._cell("MiB")))
        columns += [(f"to {name}", self._to(name)) for name in references]
        columns += [("of the limit", self._of_limit), ("goals", lambda e: self._goals(report, e))]
        rows = [[cell(entry) for _, cell in columns] for entry in entries]
        report.add(f"### {self.title}\n\n" + markdown([name for name, _ in columns], rows))
        report.data[self.title] = {
            label: {name: figure.as_json() for name, figure in found.items()}
            for label, found in self.figures.items()
        }

    def _cell(self, name: str) -> Callable[[Entry], str]:
        return lambda entry: number(self.figures[entry.label][name].median)

    def ratio(self, label: str, against: str) -> Figure:
        """One speed divided by another one, pair by pair."""
        return self.figures[label]["speed"] / self.figures[against]["speed"]

    def _to(self, reference: str) -> Callable[[Entry], str]:
        return lambda entry: f"{number(self.ratio(entry.label, reference).median)}x"

    def _of_limit(self, entry: Entry) -> str:
        if entry.limit not in self.figures:
            return ""
        return f"{number(self.ratio(entry.label, entry.limit).median * 100)} %"

    def _goals(self, report: Report, entry: Entry) -> str:
        verdicts: list[str] = []
        for aim in self.aims:
            if aim.label != entry.label or aim.against not in {"", *self.figures}:
                continue
            if aim.against:
                value = self.ratio(aim.label, aim.against).median
                value *= 100 if aim.goal.unit == " %" else 1
            else:
                value = self.figures[aim.label][aim.figure].median
            verdict = report.verdict(aim.goal, value, f"{self.title}: {aim.label}, {aim.what}")
            reached = f"{number(value)}{aim.goal.unit} {aim.what}"
            verdicts.append(f"{reached}, {aim.goal}: {verdict}")
        return "; ".join(verdicts)


def _expected(job: str, count: int, maildrop: Maildrop) -> int:
    """What a job has to come to: octets, or commands answered."""
    if job in {"noop", "noop_many"}:
        return count
    if job == "listings":
        return maildrop.count
    if job in {"retr", "retr_many"}:
        return sum(map(maildrop.octets, range(1, count + 1)))
    return maildrop.octets(1)
