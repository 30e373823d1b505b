"""The actions that a server's session asks for: small values, made for ``match``."""

from __future__ import annotations

from typing import TypeAlias

from .._value import field, value

__all__ = ["Action", "Close", "Delay", "NeedData", "Send", "StartTls"]


@value
class Send:
    """Send these octets: at least one, and 64 KiB at most."""

    data: bytes = field(repr=False)


@value
class NeedData:
    """Wait for octets and hand them to ``receive_data()``; ``b""`` if the stream ended."""


@value
class StartTls:
    """Perform the TLS handshake: the next octets to arrive belong to it.

    Then call ``tls_established()``. Nothing that arrived before may be handed to TLS.
    """


@value
class Delay:
    """Do nothing for this many seconds, then ask for the next action."""

    seconds: float


@value
class Close:
    """The session is over: close the connection."""


Action: TypeAlias = Send | NeedData | StartTls | Delay | Close
"""The kinds of action."""
