"""The exit codes, and the errors of a command line that cannot be used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import LocalProtocolError

__all__ = ["FAILED", "FOR_NOW", "INTERRUPTED", "UNUSABLE", "UsageError", "code_for", "code_of"]

FAILED, UNUSABLE, INTERRUPTED = 1, 2, 130
FOR_NOW = 75
"""EX_TEMPFAIL of sysexits.h, which mail programs use: the same command may succeed later."""


class UsageError(LocalProtocolError):
    """Options that contradict each other, or that would be passed over. It names them."""


def code_of(error: BaseException) -> int:
    """Return the exit code for an error that has ended a command."""
    if isinstance(error, UsageError):
        return UNUSABLE
    return FOR_NOW if getattr(error, "transient", False) else FAILED


def code_for(problems: Iterable[dict[str, Any]]) -> int:
    """Return the exit code for problems of a report; if one will come again, it decides."""
    return FOR_NOW if all(problem["transient"] for problem in problems) else FAILED
