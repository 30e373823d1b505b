"""An action of servers for tests, besides those of every session."""

from __future__ import annotations

from .._value import value
from ..server.actions import Send

__all__ = ["Packet"]


@value
class Packet(Send):
    """Send these octets by themselves, in a packet and a TLS record of their own.

    Code that treats it as a ``Send`` sends the same octets, perhaps together with others.
    """
