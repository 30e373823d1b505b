"""The results of a conformance run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from types import NoneType
from typing import Any

from .._arguments import listed, require
from .._value import value
from .baseline import Baseline
from .case import Case, Severity, Verdict

__all__ = ["FORMAT", "OUTCOMES", "Conversation", "Report", "Result"]

FORMAT = 1
"""The version of the JSON form."""
OUTCOMES = ("pass", "fail", "known", "warning", "not offered", "not tested")
"""The words for outcomes: those of ``Verdict``, and two for some of the failures."""


@value
class Conversation:
    """What one connection said, without secrets."""

    title: str
    """What it was for."""
    lines: tuple[str, ...]
    """Lines as in the text form of a transcript, from ``C:`` and ``S:``."""


@value
class Result:
    """The result of one case."""

    case: Case[Any]
    """The case."""
    verdict: Verdict
    """Its verdict."""
    reason: str = ""
    """Why it is not a pass, in printable ASCII."""
    severity: Severity = Severity.ERROR
    """How much a failure counts."""
    seconds: float = 0.0
    """The time that it took."""
    conversations: tuple[Conversation, ...] = ()
    """What was sent, and what came."""

    @property
    def clause(self) -> str:
        """The clause of the case, and whether it is only a SHOULD."""
        advice = ", a SHOULD" if self.severity is Severity.WARNING else ""
        return self.case.clause + advice

    @property
    def failed(self) -> bool:
        """True if a MUST was broken."""
        return self.verdict is Verdict.FAIL and self.severity is Severity.ERROR

    @property
    def warned(self) -> bool:
        """True if a SHOULD was broken."""
        return self.verdict is Verdict.FAIL and self.severity is Severity.WARNING


class Report:
    """All results of a run, in order, next to what was known before."""

    def __init__(
        self,
        role: str,
        target: str,
        results: Iterable[Result],
        *,
        time: str,
        version: str,
        facts: Sequence[tuple[str, str]] = (),
        baseline: Baseline | None = None,
        strict: bool = False,
    ) -> None:
        for name, text in (
            ("role", role),
            ("target", target),
            ("time", time),
            ("version", version),
        ):
            require(name, text, str, "a str")
        require("strict", strict, bool, "True or False")
        require("baseline", baseline, (Baseline, NoneType), "a Baseline")
        self.role = role
        """``server`` or ``client``: what was tested."""
        self.target = target
        """The URL or the command that was tested."""
        self.results: tuple[Result, ...] = tuple(
            listed("results are a list of Result", results, Result)
        )
        """The results."""
        self.time = time
        """When it began, in UTC."""
        self.version = version
        """The version of pop3proto."""
        self.facts: tuple[tuple[str, str], ...] = tuple(
            listed("facts are a list of names and texts", facts, tuple)
        )
        """What else is known of the target: names and texts."""
        self.strict = strict
        """True if warnings count as failures."""
        self._known = Baseline() if baseline is None else baseline

    def outcome(self, result: Result) -> str:
        """Return one of ``OUTCOMES``."""
        if result.verdict is not Verdict.FAIL:
            return str(result.verdict.value)
        if result.case.number in self._known:
            return "known"
        return "fail" if result.failed else "warning"

    @property
    def new(self) -> list[Result]:
        """The failures, and if ``strict`` the warnings, that the baseline does not know."""
        wanted = ("fail", "warning") if self.strict else ("fail",)
        return [result for result in self.results if self.outcome(result) in wanted]

    @property
    def mended(self) -> list[str]:
        """The numbers of cases that pass now, although the baseline says that they fail."""
        return [
            r.case.number
            for r in self.results
            if r.verdict is Verdict.PASS and r.case.number in self._known
        ]

    @property
    def counts(self) -> dict[str, int]:
        """The number of results with each outcome, also of those that did not occur."""
        found = Counter(map(self.outcome, self.results))
        return {outcome: found[outcome] for outcome in OUTCOMES}

    @property
    def ok(self) -> bool:
        """True if nothing failed that the baseline does not know."""
        return not self.new

    def baseline(self) -> Baseline:
        """Return the baseline that knows all failures and warnings of this run."""
        return Baseline(
            {r.case.number: r.reason for r in self.results if r.verdict is Verdict.FAIL}
        )
