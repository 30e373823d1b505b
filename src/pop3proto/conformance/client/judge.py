"""What every round of every case has to keep to."""

from __future__ import annotations

from collections.abc import Iterable

from ..case import Severity, demand
from .mail import MAIL, token_of
from .run import Round

__all__ = ["complete", "failed", "survived"]


def survived(result: Round) -> None:
    """Demand that the program ended by itself, and that all it stored is right.

    Mail that is lost is an error, however the case's own demand is put.
    """
    demand(result.code is not None, "the program did not end")
    code = result.code or 0
    demand(code >= 0, f"the program was ended by signal {-code}")
    broken = ", ".join(sorted(result.stored.broken))
    demand(not broken, f"stored, but not as the server sent it: {broken}", Severity.ERROR)
    lost = sorted(result.had - result.left - {*result.stored.whole})
    demand(not lost, f"deleted, but not stored: {', '.join(lost)}", Severity.ERROR)


def complete(result: Round, mail: Iterable[bytes] = MAIL) -> None:
    """Demand that it survived, and stored each message, once."""
    survived(result)
    missing = [token_of(each) for each in mail if not result.stored.whole.get(token_of(each))]
    demand(not missing, f"not stored: {', '.join(missing)}")
    twice = sorted(token for token, count in result.stored.whole.items() if count > 1)
    demand(not twice, f"stored more than once: {', '.join(twice)}")


def failed(result: Round, what: str) -> None:
    """Demand that it survived, and that its exit code tells that ``what`` went wrong."""
    survived(result)
    demand(result.code != 0, f"exit code 0, although {what}", Severity.WARNING)
