"""A message that is being received."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias, cast

from ..commands import Command
from ..errors import CommandFailed, LimitExceeded, printable
from ..events import ClientEvent
from ..replies import ErrorReply, Message, MessageData, MessageStart
from ..states import Signal
from ._exchange import Exchange

__all__ = [
    "MAX_COLLECTED_OCTETS",
    "MessageStream",
    "Progress",
    "SupportsWrite",
    "Text",
    "collect",
    "opened",
    "refused",
]

Progress: TypeAlias = Callable[[int, int | None], object]
"""Called with the octets so far and the octets expected, which are a hint or ``None``."""

# At most 19 digits: see the numbers of the core.
_ANNOUNCED = re.compile(r"([0-9]{1,19}) octets\b", re.IGNORECASE | re.ASCII)

MAX_COLLECTED_OCTETS = 1024 * 1024 * 1024
"""How many octets a message may have that is collected in memory, unless the caller says more."""


class SupportsWrite(Protocol):
    """Anything that takes octets, such as a file open for binary writing."""

    def write(self, data: bytes, /) -> object:
        """Take the next octets."""
        ...


class MessageStream:
    """A dot-terminated text, octets as they come (RETR, TOP, and extensions of that shape).

    Nothing is sent before the first octet is asked for::

        async with client.retr_stream(1) as message:
            async for chunk in message:
                file.write(chunk)

    The pieces are ``bytes`` of any length but none, with CRLF line ends and dot-stuffing undone.
    Until the last of them has come the client can do nothing else. Leaving the ``async with``
    earlier skips the rest; leaving it by an exception closes the connection.
    """

    def __init__(
        self,
        exchange: Exchange,
        command: Command[Message],
        *,
        expected: int | None = None,
        max_octets: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.command = command
        """The command that asks for the text."""
        self.text = ""
        """What the server wrote behind ``+OK``."""
        self.octets = 0
        """How many octets have been handed out."""
        self.expected = expected
        """How many the server said there would be, or ``None``. A hint."""
        self.complete = False
        """Whether the end has come."""
        self._exchange = exchange
        self._max_octets = max_octets
        self._progress = progress
        self._started = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None and not self._exchange.closed:
            await self.skip()
        elif self._started and not self.complete:
            self._end(error)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next octets.

        Raises ``CommandFailed`` if the server answers ``-ERR``, ``LimitExceeded`` if the text is
        longer than ``max_octets``, and what ends a connection.
        """
        if self.complete:
            raise StopAsyncIteration
        try:
            if not self._started:
                await self._start()
            event = await self._exchange.next_event(
                "body", self._exchange.timeouts.body, self.command
            )
            if isinstance(event, MessageData):
                self.octets += len(event.data)
                self._check()
                return event.data
        except BaseException as error:
            self._end(error)
            raise
        self._end(None)
        raise StopAsyncIteration

    async def read(self) -> Message:
        """All that has not been handed out yet, collected in memory; raises as ``__anext__``."""
        content = BytesIO()
        async for chunk in self:
            content.write(chunk)
        return Message(self.command, content.getvalue(), self.text)

    async def save(self, file: SupportsWrite) -> int:
        """Write all that has not been handed out yet to a file object, as it comes.

        Returns how many octets that were; raises as ``__anext__``, and what ``file`` raises.
        """
        before = self.octets
        async for chunk in self:
            file.write(chunk)
        return self.octets - before

    async def skip(self) -> None:
        """Read on to the end, keeping nothing, so that the client can go on.

        Raises as ``__anext__``, but not ``LimitExceeded``.
        """
        if self._started:
            self._max_octets = None
            async for _ in self:
                pass
        self.complete = True

    def _check(self) -> None:
        check_length(self.command, self.octets, self._max_octets)
        if self._progress is not None:
            self._progress(self.octets, self.expected)

    async def _start(self) -> None:
        exchange = self._exchange
        exchange.__enter__()
        self._started = True
        line = exchange.engine.send(self.command)
        await exchange.send(line, self.command)
        event = await exchange.next_event("reply", exchange.timeouts.reply, self.command)
        self.text = opened(event, self.command).text
        if self.expected is None:
            self.expected = announced_octets(self.text)

    def _end(self, error: BaseException | None) -> None:
        self.complete = True
        if self._started:
            self._exchange.__exit__(type(error) if error else None, error, None)


def opened(event: ClientEvent, command: Command[Any]) -> MessageStart:
    """``event`` as the start of a text; raises ``CommandFailed`` if it is an ``-ERR``."""
    if isinstance(event, ErrorReply):
        raise refused(event, command)
    return cast(MessageStart, event)


def refused(reply: ErrorReply, command: Command[Any] | None) -> CommandFailed:
    """The exception for an ``-ERR``."""
    code = f"[{reply.code}] " if reply.code else ""
    said = f"{code}{printable(reply.text)}".strip() or "no reason was given"
    return CommandFailed(f"the server refused: {said}", command=command, reply=reply)


def announced_octets(text: str) -> int | None:
    """The size in a text such as "120 octets", as most servers answer RETR, or ``None``."""
    match = _ANNOUNCED.match(text)
    return int(match[1]) if match else None


class Text:
    """Collects a text in memory; one object serves text after text."""

    __slots__ = ("_content", "_expected", "_first", "_max_octets", "_octets", "_progress", "_start")

    def __init__(self, max_octets: int, progress: Progress | None) -> None:
        self._max_octets = max_octets
        self._progress = progress
        self._start: MessageStart | None = None

    @property
    def begun(self) -> bool:
        """Whether there is a text whose end has not come."""
        return self._start is not None

    def begin(self, start: MessageStart, expected: int | None) -> None:
        """Start on the text that ``start`` opens, of probably that many octets."""
        self._start = start
        self._expected = expected
        self._octets = 0
        self._first = b""
        self._content: BytesIO | None = None

    def add(self, data: bytes) -> None:
        """Take the next octets; raises ``LimitExceeded``."""
        start = cast(MessageStart, self._start)
        self._octets = octets = self._octets + len(data)
        if octets > self._max_octets:
            check_length(start.command, octets, self._max_octets)
        if self._progress is not None:
            expected = self._expected
            self._progress(octets, announced_octets(start.text) if expected is None else expected)
        if self._content is not None:
            self._content.write(data)
        elif self._first:
            self._content = BytesIO()
            self._content.write(self._first)
            self._content.write(data)
            self._first = b""
        else:
            # Most messages come in one piece, which is handed on as it is.
            self._first = data

    def message(self) -> Message:
        """The text, now that its end has come."""
        start = cast(MessageStart, self._start)
        content = self._first
        if self._content is not None:
            # getvalue() hands out the buffer itself: a large message is in memory once.
            content = self._content.getvalue()
        self._start = self._content = None
        return Message(start.command, content, start.text)


async def collect(
    exchange: Exchange,
    start: MessageStart,
    max_octets: int,
    *,
    expected: int | None = None,
    progress: Progress | None = None,
) -> Message:
    """The text that ``start`` opened, collected in memory."""
    text = Text(max_octets, progress)
    text.begin(start, expected)
    exchange.begin_body()
    while True:
        event = exchange.event_at_hand()
        if event is Signal.NEED_DATA:
            event = await exchange.next_event("body", exchange.timeouts.body, start.command)
        if not isinstance(event, MessageData):
            return text.message()
        text.add(event.data)


def check_length(command: Command[Any], octets: int, limit: int | None) -> None:
    """Raise ``LimitExceeded`` if ``octets`` are more than the caller wants."""
    if limit is not None and octets > limit:
        message = f"the message is longer than {limit} octets"
        raise LimitExceeded(message, command=command, limit="max_octets", value=limit)
