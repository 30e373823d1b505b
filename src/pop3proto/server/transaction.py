"""A maildrop in TRANSACTION: the messages marked as deleted, and the answers to commands."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, ClassVar

from ..model.command import Command
from ..model.commands import Dele, Last, List, Noop, Retr, Rset, Stat, Top, Uidl
from ..model.listings import Listings
from ..model.replies import (
    ErrorReply,
    LastReply,
    ListReply,
    Message,
    Ok,
    ServerReply,
    StatReply,
    UidlReply,
)
from .maildrop import Maildrop, ReadyContent, StoredMessage, first_lines
from .outbox import TOGETHER

_OF_MEMORY = type(iter(()))

__all__ = ["Body", "OpenedMaildrop", "no_such_message"]


class _ReadyMessage(Message):
    """A message that is sent as it is: to look for dots in it again takes a third of the time."""

    __slots__ = ()

    def to_bytes(self) -> bytes:
        """Return the wire form: the status line, the text and its terminator."""
        return b"+OK %b\r\n%b.\r\n" % (self.text.encode("ascii"), self.content)


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
        self.whole: bytes | None = None
        """All of it, if it is short and came in one piece."""
        # Read before the status line is sent, because a message that cannot be opened can be
        # refused only until then.
        try:
            first = next(shown, b"")
            self._pending = [first]
            if len(first) < TOGETHER:
                self._look_for_more(first)
        except BaseException:
            self.close()
            raise

    def _look_for_more(self, first: bytes) -> None:
        second = next(self._shown, None)
        if second is None:
            self.whole = first
            self.close()
        else:
            self._pending.append(second)

    def next_chunk(self) -> bytes | None:
        """Return the next octets, or ``None`` at the end; raise what reading the message raises."""
        return self._pending.pop(0) if self._pending else next(self._shown, None)

    def close(self) -> None:
        """Stop reading the message, wherever it is."""
        for chunks in (self._shown, self._content):
            # The types of nearly all of them. An abstract class takes longer to look through than a
            # small message.
            if type(chunks) is not _OF_MEMORY and isinstance(chunks, Generator):
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
        answer = self._methods.get(type(command))
        return None if answer is None else answer(self, command)

    def _stat(self, command: Stat) -> StatReply:
        return StatReply(command, self._count, self._octets)

    def _last_accessed(self, command: Last) -> LastReply:
        return LastReply(command, self._last)

    def _noop(self, command: Noop) -> Ok:
        return Ok(command)

    def _rset(self, command: Rset) -> Ok:
        self._reset()
        return Ok(command, self.summary)

    def _list(self, command: List) -> ListReply | ErrorReply:
        if command.message is None:
            rows = ((number, message.octets) for number, message in self._left())
            return ListReply(command, Listings(rows), self.summary)
        number, message = self._find(command.message)
        if message is None:
            return no_such_message(command)
        return ListReply(command, Listings([(number, message.octets)]))

    def _uidl(self, command: Uidl) -> UidlReply | ErrorReply:
        if command.message is None:
            rows = ((number, None, message.unique_id) for number, message in self._left())
            return UidlReply(command, Listings(rows), self.summary)
        number, message = self._find(command.message)
        if message is None:
            return no_such_message(command)
        return UidlReply(command, Listings([(number, None, message.unique_id)]))

    def _dele(self, command: Dele) -> Ok | ErrorReply:
        number, message = self._find(command.message)
        if message is None:
            return no_such_message(command)
        self.marked.add(number)
        self._count -= 1
        self._octets -= message.octets
        self._last = max(self._last, number)
        return Ok(command, f"message {number} is deleted")

    def whole(self, command: Retr | Top) -> Message | Body | None:
        """Return the whole answer if it is short, and otherwise what ``read()`` does."""
        number, message = self._find(command.message)
        if message is None:
            return None
        content = self.maildrop.open(number)
        if (
            type(content) is ReadyContent
            and isinstance(command, Retr)
            and message.octets == len(content.content) < TOGETHER
        ):
            self._last = max(self._last, number)
            return _ReadyMessage(command, content.content, f"{message.octets} octets")
        body = self._body(command, number, message, content)
        return body if body.whole is None else Message(command, body.whole, body.text)

    def read(self, command: Retr | Top) -> Body | None:
        """Return the message that the command asks for, or ``None`` if there is none.

        Raises what ``Maildrop.open()`` raises, at the latest when the first octet is read.
        """
        number, message = self._find(command.message)
        if message is None:
            return None
        return self._body(command, number, message, self.maildrop.open(number))

    def _body(
        self, command: Retr | Top, number: int, message: StoredMessage, content: Iterator[bytes]
    ) -> Body:
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

    # One step finds the method, however many commands there are.
    _methods: ClassVar[dict[type[Command[Any]], Callable[[OpenedMaildrop, Any], ServerReply]]] = {
        Stat: _stat,
        List: _list,
        Uidl: _uidl,
        Dele: _dele,
        Noop: _noop,
        Rset: _rset,
        Last: _last_accessed,
    }


def no_such_message(command: Command[Any]) -> ErrorReply:
    """Return the answer to a number that no message has, or only one marked as deleted."""
    return ErrorReply(command, "no such message")
