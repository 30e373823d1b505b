"""The exceptions of the drop-in. Each is the standard library's ``error_proto``."""

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

# Callers catch ``error_proto``, which is the standard library's own class. So modules that import
# it from here work together with modules that import it from there.
standard_error = standard.error_proto


class ServerError(standard_error, Pop3Error):
    """``error_proto`` as poplib would raise it, ``args`` included, and a ``Pop3Error`` too."""

    def __init__(self, message: str | bytes) -> None:
        # The argument is the server's status line, unchanged.
        super().__init__(cast(str, message))

    def __reduce__(self) -> tuple[type[Exception], tuple[object, ...]]:
        # The displayed name cannot be looked up, so poplib's own class is pickled.
        return standard_error, self.args


class BrokenConnectionError(ServerError):
    """``error_proto`` after which the connection must not be used again."""

    session_usable = False
    hint = "open a new connection, and see which messages are still there: only QUIT deletes"


class LostConnectionError(BrokenConnectionError, OSError):
    """``BrokenConnectionError`` after an ``OSError``: poplib's callers catch that in this case."""

    transient = True


class InvalidArgumentError(ServerError, ValueError):
    """An argument that may not go to the server; nothing was sent.

    Newer versions of the standard library raise ``ValueError`` for control characters
    (CVE-2025-15367), older ones send them; ``except error_proto`` and ``except ValueError`` both
    catch this.
    """

    hint = "nothing was sent; the call itself has to be corrected"


class InjectedDataError(BrokenConnectionError, StlsInjectionError):
    """Octets came in the clear after the answer to STLS (RFC 2595 section 4)."""

    hint: str = StlsInjectionError.hint


for _class in (
    ServerError,
    BrokenConnectionError,
    LostConnectionError,
    InvalidArgumentError,
    InjectedDataError,
):
    # Tracebacks and logs show the name that people know.
    _class.__name__ = _class.__qualname__ = standard_error.__name__
    _class.__module__ = standard_error.__module__
