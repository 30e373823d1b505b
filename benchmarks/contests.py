"""Contests beside a server: rounds that take turns, ratios pair by pair, one table each."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks import peers, tools
from benchmarks.measuring import Contestant, Figure, Goal, number, run_apart, turns
from benchmarks.reporting import Report, say
from benchmarks.server import Address, Maildrop

_MIB = 1024 * 1024
_RELIED_ON = ("pop3proto", "poplib", "raw socket")
_FIGURES = {
    "MiB": "of growth",
    "of its size": "growth to its size",
    "a message": "of growth a message",
}
_AGAINST = {"speed": "to", "CPU": "of the CPU time of"}
# How much of what the server sends a program may leave out or add: carriage returns, envelopes.
_REWRITTEN = 0.07
# Growth by less than a page cannot be seen, and nothing is no divisor.
_PAGE = 4096


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
    beside: str = ""
    """An entry whose ratio is told with it, but not judged."""

    @property
    def what(self) -> str:
        if not self.against:
            return _FIGURES[self.figure]
        return f"{_AGAINST.get(self.figure, 'of the growth of')} {self.against}"


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
    note: str = ""
    """What has to be known to read the table."""
    figures: dict[str, dict[str, Figure]] = field(
        init=False, default_factory=dict[str, dict[str, Figure]]
    )

    def run(self, report: Report, address: Address, maildrop: Maildrop, rounds: int) -> None:
        """Let all of them run that are installed, and add the table."""
        say(self.title)
        present = [entry for entry in self.entries if not self._left_out(report, entry.peer)]
        samples: dict[str, list[dict[str, float]]] = {entry.label: [] for entry in present}
        for about, entry in turns(present, rounds):
            say(f"{about}: {entry.label}")
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
        if command:
            report.add(f"{peer} is not installed: {command}")
        return bool(command)

    def _failed(self, report: Report, entry: Entry, error: Exception) -> None:
        line = f"{self.title}: {entry.label} failed: {error}"
        if entry.peer.startswith(_RELIED_ON):
            report.failures.append(line)
        else:
            # Other people's programs fail for reasons of their own.
            report.add(line)

    def _sample(self, entry: Entry, address: Address, maildrop: Maildrop) -> dict[str, float]:
        count = self._share(entry)
        about = {"count": count, "session": self.session, "address": address.arguments()}
        arguments: dict[str, Any] = {"name": entry.peer, "job": entry.job, **about}
        sample = run_apart(Contestant(entry.label, "peers:run", arguments))
        got = sample.pop("got")
        expected = _expected(entry.job, count, maildrop)
        exact = entry.peer.startswith(_RELIED_ON) and entry.peer not in {"raw socket", *tools.TOOLS}
        tolerance = 0 if exact else _REWRITTEN * expected
        if abs(got - expected) > tolerance:
            raise AssertionError(f"it got {got} where {expected} was to be got")
        amount = expected / 1e6 if self.unit == "MB/s" else count
        figures = {"speed": amount / sample["seconds"], "CPU": sample["cpu"] / count * 1e6}
        if "growth" in sample:
            growth = max(sample["growth"], _PAGE)
            figures |= {"MiB": growth / _MIB, "of its size": growth / expected}
            figures["a message"] = growth / count
        return figures

    def _share(self, entry: Entry) -> int:
        return max(1, self.count // entry.share)

    def _table(self, report: Report, entries: list[Entry]) -> None:
        references = [name for name in self.references if name in self.figures]
        judged = self._judged(report)
        columns: list[tuple[str, Callable[[Entry], str]]] = [
            ("who", self._who),
            (self.unit, lambda entry: self.figures[entry.label]["speed"].spread()),
        ]
        if self.unit != "MB/s":
            one = self.unit.removesuffix("s/s")
            columns.append((f"CPU, µs a {one}", self._cell("CPU")))
        if self.memory:
            columns.append(("growth, MiB", self._cell("MiB")))
        columns += [(f"to {name}", self._to(name)) for name in references]
        if any(entry.limit in self.figures for entry in entries):
            columns.append(("of the limit", self._of_limit))
        columns.append(("goals", lambda entry: "; ".join(judged.get(entry.label, []))))
        rows = [[cell(entry) for _, cell in columns] for entry in entries]
        report.table([name for name, _ in columns], rows, self.title)
        if self.note:
            report.add(self.note)
        report.data[self.title] = {
            entry.label: self._as_json(entry, references) for entry in entries
        }

    def _as_json(self, entry: Entry, references: list[str]) -> dict[str, Any]:
        ratios = {f"to {name}": self.ratio(entry.label, name) for name in references}
        if entry.limit in self.figures:
            ratios["of the limit"] = self.ratio(entry.label, entry.limit)
        figures = {**self.figures[entry.label], **ratios}
        kept = {name: figure.as_json() for name, figure in figures.items()}
        return {"who": self._who(entry), "count": self._share(entry), **kept}

    def _who(self, entry: Entry) -> str:
        if entry.share == 1:
            return entry.label
        return f"{entry.label} ({self._share(entry):,} of them)"

    def _cell(self, name: str) -> Callable[[Entry], str]:
        def cell(entry: Entry) -> str:
            figure = self.figures[entry.label].get(name)
            return "" if figure is None else number(figure.median)

        return cell

    def ratio(self, label: str, against: str, figure: str = "speed") -> Figure:
        """One speed, or other figure, divided by that of another one, pair by pair."""
        return self.figures[label][figure] / self.figures[against][figure]

    def _to(self, reference: str) -> Callable[[Entry], str]:
        def cell(entry: Entry) -> str:
            # Beside itself, nothing spreads.
            ratio = self.ratio(entry.label, reference)
            return "1.00x" if entry.label == reference else ratio.spread("x")

        return cell

    def _of_limit(self, entry: Entry) -> str:
        if entry.limit not in self.figures:
            return ""
        return self.ratio(entry.label, entry.limit).scaled(100).spread(" %")

    def _judged(self, report: Report) -> dict[str, list[str]]:
        """What becomes of each aim, by the labels of their entries."""
        verdicts: dict[str, list[str]] = {}
        for aim in self.aims:
            what = f"{self.title}: {aim.label}, {aim.what}"
            if not {aim.label, aim.against or aim.label} <= self.figures.keys():
                report.not_measured(aim.goal, what)
                continue
            value, beside = self._aimed(aim), ""
            if aim.beside in self.figures:
                like = self._aimed(replace(aim, label=aim.beside))
                beside = f"{aim.beside}: {like.spread(aim.goal.unit)}"
            verdict = report.verdict(aim.goal, value, what, beside)
            reached = f"{number(value.median)}{aim.goal.unit} {aim.what}"
            verdicts.setdefault(aim.label, []).append(f"{reached}, {aim.goal}: {verdict}")
        return verdicts

    def _aimed(self, aim: Aim) -> Figure:
        if not aim.against:
            return self.figures[aim.label][aim.figure]
        factor = 100 if aim.goal.unit == " %" else 1
        return self.ratio(aim.label, aim.against, aim.figure).scaled(factor)


def _expected(job: str, count: int, maildrop: Maildrop) -> int:
    """What a job has to come to: octets, or commands answered."""
    if job in {"noop", "noop_many"}:
        return count
    if job in {"listings", "rows"}:
        return maildrop.count
    if job in {"retr", "retr_many"}:
        return sum(map(maildrop.octets, range(1, count + 1)))
    return maildrop.octets(1)
