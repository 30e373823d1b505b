"""A message that is being received."""

from __future__ import annotations

import re
from collections.abc import Callable
from errno import EAGAIN
from io import BytesIO, RawIOBase
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias, cast

from ..errors import (
    BusyError,
    CommandError,
    LimitError,
    LocalProtocolError,
    refusal_message,
)
from ..model.commands import Command
from ..model.events import ClientEvent
from ..model.replies import ErrorReply, Message, MessageData, MessageStart
from ..model.states import Signal
from .exchange import Exchange

__all__ = [
    "MAX_COLLECTED_OCTETS",
    "AsyncMessageStream",
    "Progress",
    "SupportsWrite",
    "Text",
    "collect",
    "opened",
    "refused",
    "skip_answer",
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
        """Take the next octets.

        An ``int`` that is returned says how many were taken, as with the files of ``io``: it is
        called again with the rest.
        """
        ...


class AsyncMessageStream:
    """A dot-terminated text, octets as they come (RETR, TOP, and extensions of that shape).

    Nothing is sent before the first octet is asked for::

        async with client.retr_stream(1) as message:
            async for chunk in message:
                file.write(chunk)

    The pieces are ``bytes`` of any length but none, with CRLF line ends and dot-stuffing undone.
    Until the last of them has come the client can do nothing else. Leaving the ``async with``
    earlier skips the rest; leaving it by an exception closes the connection. A ``break`` out of a
    loop without ``async with`` leaves the text open: every call but ``quit()`` raises
    ``BusyError`` until it is skipped or read to the end.
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
        self.text: str = ""
        """What the server wrote behind ``+OK``."""
        self.octets: int = 0
        """How many octets have been handed out."""
        self.expected = expected
        """How many octets the server said there would be, or ``None``. A hint."""
        self.complete: bool = False
        """Whether the end has come."""
        self._exchange = exchange
        self._max_octets = max_octets
        self._progress = progress
        self._started = False
        # Whether the server has begun with the text, and there is more of it.
        self._open = False
        self._ended = False
        # Whether a task waits for more.
        self._working = False

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
        else:
            self._end(error)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next octets.

        Raises ``CommandError`` if the server answers ``-ERR``, ``LimitError`` if the text is
        longer than ``max_octets``, ``BusyError`` while another task waits for octets, and what
        ends a connection.
        """
        if self.complete:
            raise StopAsyncIteration
        self._begin_work()
        try:
            if not self._open:
                await self._start()
            event = await self._exchange.next_event(
                "body", self._exchange.timeouts.body, self.command
            )
            if isinstance(event, MessageData):
                self.octets += len(event.data)
                self._check()
                return event.data
            self._open = False
        except BaseException as error:
            self._end(error)
            raise
        finally:
            self._working = False
        self.complete = True
        self._end(None)
        raise StopAsyncIteration

    async def read(self) -> Message:
        """All that has not been handed out yet, collected in memory.

        That is 1 GiB at most, if the stream was opened without ``max_octets``. Raises what taking
        the next octets raises.
        """
        if self._max_octets is None:
            self._max_octets = self.octets + MAX_COLLECTED_OCTETS
        content = BytesIO()
        async for chunk in self:
            content.write(chunk)
        return Message(self.command, content.getvalue(), self.text)

    async def save(self, file: SupportsWrite) -> int:
        """Write all that has not been handed out yet to a file object, as it comes.

        Returns how many octets that were. Raises what taking the next octets raises, and what
        ``file`` raises.
        """
        before = self.octets
        async for chunk in self:
            write_all(file, chunk)
        return self.octets - before

    async def skip(self) -> None:
        """Read on to the end, keeping nothing, so that the client can go on.

        Nothing of it is counted or told to ``progress``. Raises what taking the next octets
        raises, but not ``LimitError``.
        """
        if self._working or self._open:
            self._begin_work()
            try:
                await skip_answer(self._exchange, self.command, begun=True)
                self._open = False
            except BaseException as error:
                self._end(error)
                raise
            finally:
                self._working = False
        if not self._ended:
            self.complete = True
        self._end(None)

    def _begin_work(self) -> None:
        if self._working:
            raise BusyError("another task waits for this text", command=self.command)
        if self._ended:
            # Part of a text must never look like all of it.
            raise LocalProtocolError("the text has not come to its end", command=self.command)
        if not self._started:
            # If that raises, nothing has begun, and it may be tried again.
            self._exchange.__enter__()
            self._exchange.skip_rest = self.skip
            self._started = True
        self._working = True

    def _check(self) -> None:
        check_length(self.command, self.octets, self._max_octets)
        if self._progress is not None:
            self._progress(self.octets, self.expected)

    async def _start(self) -> None:
        exchange = self._exchange
        exchange.check(self.command)
        line = exchange.engine.send(self.command)
        await exchange.send(line, self.command)
        event = await exchange.next_event("reply", exchange.timeouts.reply, self.command)
        self.text = opened(event, self.command).text
        self._open = True
        if self.expected is None:
            self.expected = announced_octets(self.text)

    def _end(self, error: BaseException | None) -> None:
        if self._started and not self._ended:
            self._exchange.__exit__(type(error) if error else None, error, None)
        self._open = False
        self._ended = True


async def skip_answer(exchange: Exchange, command: Command[Any], *, begun: bool) -> None:
    """Read the answer to ``command`` to its end and keep nothing of it.

    ``begun`` says whether it is a text of which the status line has come already.
    """
    while True:
        event = exchange.event_at_hand()
        if event is Signal.NEED_DATA:
            phase, seconds = "reply", exchange.timeouts.reply
            if begun:
                phase, seconds = "body", exchange.timeouts.body
            event = await exchange.next_event(phase, seconds, command)
        if isinstance(event, MessageStart):
            begun = True
            exchange.begin_body()
        elif not isinstance(event, MessageData):
            return


def write_all(file: SupportsWrite, data: bytes) -> None:
    """Write ``data`` to a file that may take it piece by piece, as files without a buffer do."""
    while data:
        taken = file.write(data)
        if taken is None and isinstance(file, RawIOBase):
            raise BlockingIOError(EAGAIN, "the file takes nothing without waiting")
        # Not everything that can be written to says how much it has taken.
        if type(taken) is not int or taken >= len(data):
            return
        if taken <= 0:
            raise OSError("the file takes no more octets")
        data = data[taken:]


def opened(event: ClientEvent, command: Command[Any]) -> MessageStart:
    """``event`` as the start of a text; raises ``CommandError`` if it is an ``-ERR``."""
    if isinstance(event, ErrorReply):
        raise refused(event, command)
    return cast(MessageStart, event)


def refused(reply: ErrorReply, command: Command[Any] | None) -> CommandError:
    """The exception for an ``-ERR``."""
    return CommandError(refusal_message(reply), command=command, reply=reply)


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
        """Take the next octets; raises ``LimitError``."""
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
    """Raise ``LimitError`` if ``octets`` are more than the caller wants."""
    if limit is not None and octets > limit:
        message = f"the message is longer than {limit} octets"
        raise LimitError(message, command=command, limit="max_octets", value=limit)
