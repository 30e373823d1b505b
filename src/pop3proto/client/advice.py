"""Hints that depend on what the session was doing, which the error itself cannot know."""

from __future__ import annotations

from ..errors import (
    ConnectionLostError,
    DeadlineError,
    LimitError,
    Pop3Error,
    RemoteProtocolError,
    StlsInjectionError,
)
from .options import Security

__all__ = [
    "PORTS",
    "about_capabilities",
    "about_deletions",
    "about_greeting",
    "about_sending_ahead",
    "about_stls",
]

# A server that cannot cope hangs up, falls silent, or sends any answer.
_BROKEN = (ConnectionLostError, DeadlineError, RemoteProtocolError)
PORTS = "security=TLS is usual on port 995, and security=STLS on port 110"
"""The two modes that a server may expect."""


def about_greeting(error: BaseException, security: Security) -> None:
    """Add a hint to an ``error`` that came in place of the greeting."""
    if not isinstance(error, _BROKEN) or isinstance(error, LimitError):
        return
    if isinstance(error, RemoteProtocolError):
        error.hint = f"check host and port; {PORTS}"
    elif security is Security.TLS:
        # TLS is established, so this is the right mode. Nothing is known about the cause.
        error.hint = "try again later"
    else:
        # A server that speaks TLS from the start waits for the client's first octets, and gives up.
        error.hint = f"the server may expect TLS from the start: {PORTS}; or try again later"


def about_capabilities(error: BaseException) -> None:
    """Add a hint to an ``error`` that ended the session at a CAPA of the client's own."""
    _advise(
        error,
        "some servers cannot cope with CAPA; capabilities=False in the ClientOptions does not"
        " send it",
    )


def about_stls(error: BaseException) -> None:
    """Add a hint to an ``error`` that ended the session at STLS."""
    if isinstance(error, StlsInjectionError):
        # The server has accepted STLS.
        return
    _advise(error, f"the server may not know STLS; {PORTS}")


def about_sending_ahead(error: BaseException | None) -> None:
    """Add a hint to an ``error`` that ended the session after commands were sent ahead."""
    _advise(
        error,
        "commands were sent ahead of the answers, which some servers announce but cannot do;"
        " pipelining=False in the ClientOptions sends one at a time",
    )


def about_deletions(error: BaseException | None, fate: str) -> None:
    """Add what is known of the deletions to the hint of an ``error`` that ended the session.

    ``fate`` is the engine's ``fate_of_deletions``, which the message may have already.
    """
    if isinstance(error, Pop3Error) and fate not in f"{error} {error.hint}":
        error.hint += fate if error.hint else fate.removeprefix("; ")


def _advise(error: BaseException | None, advice: str) -> None:
    if isinstance(error, _BROKEN) and advice not in error.hint:
        error.hint = f"{advice}; {error.hint}"
