"""What the server of a case does in its own way: it closes, keeps silent, or says more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...model.command import Command
from ...model.commands import Dele, Quit, Retr, Stls
from ...model.events import InvalidCommand
from ...model.replies import ErrorReply, MessageData, MessageEnd, MessageStart, Ok, ServerReply
from ...server import Close, Hooks, Send, ServerSession
from ...server.actions import Action

__all__ = ["CutOff", "Endless", "Injects", "LosesQuit", "RefusesStls", "Silent", "Stray"]


class CutOff(Hooks):
    """Closes at the ``nth`` message that is sent: before it, within it, or before its last line."""

    def __init__(self, where: str, nth: int) -> None:
        self._where = where
        self._left = nth

    def sending(self, session: ServerSession, reply: ServerReply, data: bytes) -> Iterable[Action]:
        """Return a part of the answer, and the end."""
        if isinstance(reply, MessageStart) and isinstance(reply.command, Retr):
            self._left -= 1
            if self._left == 0 and self._where == "before":
                return (Close(),)
        elif self._left == 0:
            if isinstance(reply, MessageData) and self._where == "within":
                return (Send(data[: len(data) // 2]), Close())
            if isinstance(reply, MessageEnd) and self._where == "end":
                return (Close(),)
        return (Send(data),)


class LosesQuit(Hooks):
    """Deletes nothing at QUIT, and closes without an answer."""

    def received(
        self, session: ServerSession, event: Command[Any] | InvalidCommand
    ) -> ErrorReply | Close | None:
        """Close at QUIT."""
        return Close() if isinstance(event, Quit) else None


class Stray(Hooks):
    """Says once more "+OK" after its answer to DELE, and then refuses every further DELE."""

    def __init__(self) -> None:
        self._said = False

    def received(
        self, session: ServerSession, event: Command[Any] | InvalidCommand
    ) -> ErrorReply | Close | None:
        """Refuse."""
        if isinstance(event, Dele) and self._said:
            return ErrorReply(event, "the message is kept")
        return None

    def sending(self, session: ServerSession, reply: ServerReply, data: bytes) -> Iterable[Action]:
        """Add a line."""
        if isinstance(reply, Ok) and isinstance(reply.command, Dele) and not self._said:
            self._said = True
            data += b"+OK\r\n"
        return (Send(data),)


class RefusesStls(Hooks):
    """Offers STLS, and refuses it."""

    def received(
        self, session: ServerSession, event: Command[Any] | InvalidCommand
    ) -> ErrorReply | Close | None:
        """Refuse STLS."""
        return ErrorReply(event, "not now") if isinstance(event, Stls) else None


class Injects(Hooks):
    """Sends a refusal in the clear with the answer to STLS; under TLS it answers nothing.

    ``believed`` becomes true if more than one command comes then, QUIT perhaps: the client took the
    injected line for the answer to the first one.
    """

    def __init__(self) -> None:
        self.secured: int = 0
        self.believed: bool = False

    def received(
        self, session: ServerSession, event: Command[Any] | InvalidCommand
    ) -> ErrorReply | Close | None:
        """Count the commands under TLS."""
        if session.secure:
            self.secured += 1
            self.believed = self.secured > 1
        return None

    def sending(self, session: ServerSession, reply: ServerReply, data: bytes) -> Iterable[Action]:
        """Add a line to the answer to STLS; send nothing afterwards."""
        if isinstance(reply, Ok) and isinstance(reply.command, Stls):
            return (Send(data + b"-ERR not now\r\n"),)
        return () if session.secure else (Send(data),)


class Silent(Hooks):
    """Answers nothing after the login, for ever."""

    def __init__(self) -> None:
        self._logged_in = False

    def login(
        self, session: ServerSession, command: Command[Any], user: str | None
    ) -> ErrorReply | None:
        """Note that somebody has logged in."""
        self._logged_in = user is not None
        return None

    def sending(self, session: ServerSession, reply: ServerReply, data: bytes) -> Iterable[Action]:
        """Keep silent."""
        after_login = self._logged_in and isinstance(getattr(reply, "command", None), Retr)
        return () if after_login else (Send(data),)


class Endless(Hooks):
    """Sends a line that never ends in place of the answer to its first STAT, LIST or UIDL."""

    def sending(self, session: ServerSession, reply: ServerReply, data: bytes) -> Iterable[Action]:
        """Send for as long as the client reads."""
        verb = getattr(getattr(reply, "command", None), "verb", "")
        if verb in ("STAT", "LIST", "UIDL"):
            return _for_ever()
        return (Send(data),)


def _for_ever() -> Iterable[Action]:
    yield Send(b"+OK ")
    piece = b"x" * 65536
    for _ in range(16_384):
        yield Send(piece)
    yield Close()
