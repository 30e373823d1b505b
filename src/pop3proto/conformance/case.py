"""A case of a conformance run: what a standard demands, and the function that looks for it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Generic, TypeVar

from ..errors import LocalProtocolError

__all__ = [
    "Case",
    "CaseFailedError",
    "Cases",
    "NotOfferedError",
    "NotTestedError",
    "OutcomeError",
    "Severity",
    "Verdict",
    "demand",
]

C = TypeVar("C")
C_contra = TypeVar("C_contra", contravariant=True)


class Verdict(Enum):
    """The result of a case."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    NOT_OFFERED = "not offered"
    NOT_TESTED = "not tested"


class Severity(Enum):
    """How a standard puts a demand."""

    ERROR = "error"
    """A MUST, a rule of the grammar, or a definition."""
    WARNING = "warning"
    """A SHOULD, or advice: there can be good reasons to do otherwise."""


class OutcomeError(Exception):
    """The end of a case that has not passed; its text says why."""

    verdict: Verdict
    """The verdict."""


class CaseFailedError(OutcomeError):
    """What is tested does not do what the case demands."""

    verdict = Verdict.FAIL

    def __init__(self, reason: str, severity: Severity | None = None) -> None:
        super().__init__(reason)
        self.severity = severity
        """The severity, if it is not that of the case."""


class NotOfferedError(OutcomeError):
    """The demand is about something optional, which is not there."""

    verdict = Verdict.NOT_OFFERED


class NotTestedError(OutcomeError):
    """Something is missing that the case needs."""

    verdict = Verdict.NOT_TESTED


def demand(condition: object, reason: str, severity: Severity | None = None) -> None:
    """Raise ``CaseFailedError`` with ``reason`` unless ``condition`` is true."""
    if not condition:
        raise CaseFailedError(reason, severity)


class Case(Generic[C_contra]):
    """One demand. Its number is stable: it is never given to another case."""

    def __init__(
        self,
        number: str,
        clause: str,
        title: str,
        *,
        run: Callable[[C_contra], None],
        severity: Severity = Severity.ERROR,
        destructive: bool = False,
        slow: bool = False,
    ) -> None:
        self.number = number
        """The number, such as ``S101``."""
        self.clause = clause
        """Where the demand is, such as ``RFC 1939 section 5``."""
        self.title = title
        """The demand in a sentence."""
        self.run = run
        """Tests it: returns if it passes, and otherwise raises an ``OutcomeError``."""
        self.severity = severity
        """How the clause puts it."""
        self.destructive = destructive
        """True if mail can be deleted, as intended or because of a fault."""
        self.slow = slow
        """True if it takes minutes."""

    def __repr__(self) -> str:
        return f"<Case {self.number}: {self.title}>"


class Cases(Generic[C]):
    """The cases of one role, in order; the modules that have them add them with ``case()``."""

    def __init__(self) -> None:
        self.all: list[Case[C]] = []
        """All cases."""

    def case(
        self,
        number: str,
        clause: str,
        title: str,
        *,
        severity: Severity = Severity.ERROR,
        destructive: bool = False,
        slow: bool = False,
    ) -> Callable[[Callable[[C], None]], Callable[[C], None]]:
        """Return a decorator that adds a function as a case."""

        def add(run: Callable[[C], None]) -> Callable[[C], None]:
            self.all.append(
                Case(
                    number,
                    clause,
                    title,
                    run=run,
                    severity=severity,
                    destructive=destructive,
                    slow=slow,
                )
            )
            return run

        return add

    def chosen(self, only: list[str], skip: list[str]) -> list[Case[C]]:
        """Return the cases whose numbers begin with a text of ``only``, and with none of ``skip``.

        Without ``only``, these are all others. Raises ``LocalProtocolError`` for a text that no
        number begins with.
        """
        for prefix in (*only, *skip):
            if not prefix or not any(each.number.startswith(prefix) for each in self.all):
                raise LocalProtocolError(f"no case has a number that begins with {prefix!r}")
        some = [
            each
            for each in self.all
            if (not only or each.number.startswith(tuple(only)))
            and not each.number.startswith(tuple(skip))
        ]
        return sorted(some, key=lambda each: each.number)
