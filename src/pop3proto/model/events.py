"""The events that ``next_event()`` returns in each role: flat unions, made for ``match``."""

from __future__ import annotations

from typing import Any, TypeAlias

from .._value import value
from .command import Command
from .commands import KNOWN_VERBS
from .leniency import Deviation
from .replies import ServerReply


@value
class ConnectionClosed:
    """The peer closed the stream where that is allowed; returned by every later call, too."""


@value
class InvalidCommand:
    """A line that is not a command, in the server's role: answer it with one ``-ERR``."""

    line: bytes
    """The line without its end; empty if it was too long to be kept. It can hold a secret."""
    reason: str
    """Why it is not a command, in words that can be sent to the client."""

    def __repr__(self) -> str:
        # A line that is not a command can be a password that was sent out of turn.
        verb = self.line.split(b" ", 1)[0].upper()
        shown = f"{verb.decode('ascii')} ..." if verb in KNOWN_VERBS else "..."
        return f"InvalidCommand(<{shown}>, reason={self.reason!r})"


ClientEvent: TypeAlias = ServerReply | Deviation | ConnectionClosed
"""The events that a client's engine returns."""

ServerEvent: TypeAlias = Command[Any] | InvalidCommand | Deviation | ConnectionClosed
"""The events that a server's engine returns."""
