"""A maildrop in TRANSACTION: the messages marked as deleted, and the answers to commands."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from ..model.command import Command
from ..model.commands import Dele, Last, List, Noop, Retr, Rset, Stat, Top, Uidl
from ..model.listings import Listings
from ..model.replies import (
    ErrorReply,
    LastReply,
    ListReply,
    Ok,
    ServerReply,
    StatReply,
    UidlReply,
)
from .maildrop import Maildrop, StoredMessage, first_lines

__all__ = ["Body", "OpenedMaildrop", "no_such_message"]


class Body:
    """A message, or its beginning, on its way to the client."""

    def __init__(
        self, command: Retr | Top, text: str, content: Iterator[bytes], shown: Iterator[bytes]
    ) -> None:
        self.command = command
        self.text = text
        """The text of the status line."""
        self._content = content
        self._shown = shown
        # Read before the status line is sent, because a message that cannot be opened can be
        # refused only until then.
        try:
            self._first: bytes | None = next(shown, b"")
        except BaseException:
            self.close()
            raise

    def next_chunk(self) -> bytes | None:
        """Return the next octets, or ``None`` at the end; raise what reading the message raises."""
        first, self._first = self._first, None
        return next(self._shown, None) if first is None else first

    def close(self) -> None:
        """Stop reading the message, wherever it is."""
        for chunks in (self._shown, self._content):
            if isinstance(chunks, Generator):
                chunks.close()


class OpenedMaildrop:
    """The messages of a maildrop, less those that are marked as deleted (RFC 1939 section 5)."""

    def __init__(self, maildrop: Maildrop) -> None:
        self.maildrop = maildrop
        self.marked: set[int] = set()
        """The numbers of the messages that are marked as deleted."""
        self._messages = maildrop.messages
        self._reset()

    def _reset(self) -> None:
        self.marked.clear()
        self._count = len(self._messages)
        self._octets = sum(message.octets for message in self._messages)
        # RFC 1460 section 5: the highest message number accessed, for LAST.
        self._last = 0

    @property
    def summary(self) -> str:
        """How many messages and octets there are, in words."""
        return f"{self._count} messages ({self._octets} octets)"

    def answer(self, command: Command[Any]) -> ServerReply | None:
        """Return the answer to a command about messages, or ``None`` for other commands."""
        match command:
            case Stat():
                return StatReply(command, self._count, self._octets)
            case List(message=None):
                rows = ((number, message.octets) for number, message in self._left())
                return ListReply(command, Listings(rows), self.summary)
            case Uidl(message=None):
                ids = ((number, None, message.unique_id) for number, message in self._left())
                return UidlReply(command, Listings(ids), self.summary)
            case Last():
                return LastReply(command, self._last)
            case Noop():
                return Ok(command)
            case Rset():
                self._reset()
                return Ok(command, self.summary)
            case List() | Uidl() | Dele():
                return self._answer_about_one(command)
            case _:
                return None

    def _answer_about_one(self, command: List | Uidl | Dele) -> ServerReply:
        number, message = self._find(command.message)
        if message is None:
            return no_such_message(command)
        if isinstance(command, List):
            return ListReply(command, Listings([(number, message.octets)]))
        if isinstance(command, Uidl):
            return UidlReply(command, Listings([(number, None, message.unique_id)]))
        self.marked.add(number)
        self._count -= 1
        self._octets -= message.octets
        self._last = max(self._last, number)
        return Ok(command, f"message {number} is deleted")

    def read(self, command: Retr | Top) -> Body | None:
        """Return the message that the command asks for, or ``None`` if there is none.

        Raises what ``Maildrop.open()`` raises, at the latest when the first octet is read.
        """
        number, message = self._find(command.message)
        if message is None:
            return None
        content = self.maildrop.open(number)
        if isinstance(command, Top):
            return Body(command, "", content, first_lines(content, command.lines))
        body = Body(command, f"{message.octets} octets", content, content)
        self._last = max(self._last, number)
        return body

    def _find(self, message: int | str | None) -> tuple[int, StoredMessage | None]:
        # This server does not name messages by text, so there is no such message.
        if not isinstance(message, int) or message in self.marked:
            return 0, None
        return message, self._messages[message - 1] if message <= len(self._messages) else None

    def _left(self) -> Iterator[tuple[int, StoredMessage]]:
        numbered = enumerate(self._messages, 1)
        return ((number, message) for number, message in numbered if number not in self.marked)


def no_such_message(command: Command[Any]) -> ErrorReply:
    """Return the answer to a number that no message has, or only one marked as deleted."""
    return ErrorReply(command, "no such message")
