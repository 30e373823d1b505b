"""What servers for tests ask for beyond what every server's session does."""

from __future__ import annotations

from ..model.value import value
from ..server.actions import Send

__all__ = ["Packet"]


@value
class Packet(Send):
    """Send these octets by themselves, in a packet of their own, and a record of TLS.

    Whoever takes it for a ``Send`` sends the same octets, if perhaps with others.
    """
