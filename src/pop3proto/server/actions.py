"""What a server's session asks for: small values, made for ``match``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["Action", "Close", "Delay", "NeedData", "Send", "StartTls"]


@dataclass(frozen=True, slots=True)
class Send:
    """Send these octets: at least one, and 64 KiB at most."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NeedData:
    """Wait for octets and hand them to ``receive_data()``; none at all if the stream ended."""


@dataclass(frozen=True, slots=True)
class StartTls:
    """Shake hands, with what arrives next as the first octets of TLS; ``tls_established()`` then.

    Nothing that arrived before may be handed to TLS.
    """


@dataclass(frozen=True, slots=True)
class Delay:
    """Do nothing for so long, then ask for the next action."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Close:
    """The session is over: close the connection."""


Action: TypeAlias = Send | NeedData | StartTls | Delay | Close
"""What is to be done next."""
