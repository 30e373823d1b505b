"""What the drop-in raises. All of it is the standard library's ``error_proto``."""

from __future__ import annotations

import poplib as standard
from typing import cast

from ..errors import Pop3Error, StlsInjectionError

__all__ = [
    "BrokenConnectionError",
    "InjectedDataError",
    "InvalidArgumentError",
    "LostConnectionError",
    "ServerError",
    "standard",
    "standard_error",
]

# The one name that callers catch stays the standard library's own class, so that every mix of
# modules that know this class and modules that know that one goes on working: there is but one.
standard_error = standard.error_proto


class ServerError(standard_error, Pop3Error):
    """``error_proto`` as poplib would raise it, ``args`` included, and a ``Pop3Error`` too."""

    def __init__(self, message: str | bytes) -> None:
        # A status line of the server's is the argument as it came.
        super().__init__(cast(str, message))

    def __reduce__(self) -> tuple[type[Exception], tuple[object, ...]]:
        # The name that is shown cannot be looked up: what travels is poplib's own class.
        return standard_error, self.args


class BrokenConnectionError(ServerError):
    """``error_proto`` after which the connection must not be used again."""

    session_usable = False
    hint = "close the connection and open a new one; deletions of this one were not made"


class LostConnectionError(BrokenConnectionError, OSError):
    """``BrokenConnectionError`` after an ``OSError``: what poplib's callers catch then."""


class InvalidArgumentError(ServerError, ValueError):
    """An argument that may not go to the server; nothing was sent.

    Newer versions of the standard library raise ``ValueError`` for control characters
    (CVE-2025-15367), older ones send them; ``except error_proto`` and ``except ValueError`` both
    catch this.
    """

    hint = "nothing was sent; the call itself has to be corrected"


class InjectedDataError(BrokenConnectionError, StlsInjectionError):
    """Octets came behind STLS in the clear (RFC 2595 section 4)."""

    hint = StlsInjectionError.hint


for _class in (
    ServerError,
    BrokenConnectionError,
    LostConnectionError,
    InvalidArgumentError,
    InjectedDataError,
):
    # What a traceback or a log shows is what programs and people know.
    _class.__name__ = _class.__qualname__ = standard_error.__name__
    _class.__module__ = standard_error.__module__
