"""Running cases one by one; no fault of what is tested ends the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Protocol, TypeVar

from ..errors import printable
from .case import Case, CaseFailedError, OutcomeError, Verdict
from .report import Conversation, Result

__all__ = ["Context", "run_case", "run_cases"]

_LONGEST = 500


class Context(Protocol):
    """What a case is given: the means to test, for this case alone."""

    def refusal(self, case: Case[object]) -> str:
        """Return why ``case`` may not be run, or an empty text."""
        ...

    def conversations(self) -> tuple[Conversation, ...]:
        """Return what was said on each connection so far, without secrets."""
        ...

    def without_secrets(self, text: str) -> str:
        """Return ``text`` without the secrets that the case knows."""
        ...

    def close(self) -> None:
        """Close what the case has left open."""
        ...


C = TypeVar("C", bound=Context)


def run_case(case: Case[C], context: C) -> Result:
    """Run ``case``, close ``context``, and return the result."""
    began = monotonic()
    verdict, reason, severity = Verdict.PASS, "", case.severity
    try:
        reason = context.refusal(case)  # type: ignore[arg-type]
        if reason:
            verdict = Verdict.NOT_TESTED
        else:
            case.run(context)
    except OutcomeError as error:
        verdict, reason = error.verdict, str(error)
        if isinstance(error, CaseFailedError) and error.severity is not None:
            severity = error.severity
    finally:
        context.close()
    text = (
        printable(context.without_secrets(reason), _LONGEST)
        .encode("ascii", "backslashreplace")
        .decode("ascii")
    )
    return Result(case, verdict, text, severity, monotonic() - began, context.conversations())


def run_cases(cases: Iterable[Case[C]], context: Callable[[], C]) -> Iterator[Result]:
    """Yield the result of each case, which has a new ``context()`` to itself."""
    for case in cases:
        yield run_case(case, context())
