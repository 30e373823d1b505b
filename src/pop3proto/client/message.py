"""A message that is being received, piece by piece."""

from __future__ import annotations

from io import BytesIO
from types import TracebackType
from typing import Protocol, Self, cast

from ..model.command import Command
from ..model.replies import ErrorReply, Message, MessageData, MessageStart
from ..model.states import Signal
from .exchange import Exchange
from .turn import (
    MAX_COLLECTED_OCTETS,
    Progress,
    Stage,
    Turn,
    announced_octets,
    check_collecting,
    check_length,
    refused,
    skip_answer,
)

__all__ = ["AsyncMessageStream", "SupportsWrite"]

# Looked up once: see the engine.
_NEED_DATA = Signal.NEED_DATA


class SupportsWrite(Protocol):
    """Anything that accepts octets, such as a file open for binary writing."""

    def write(self, data: bytes, /) -> object:
        """Take the next octets.

        If it returns an ``int``, as files of ``io`` do, that is the number of octets accepted, and
        it is called again with the rest.
        """
        ...


class AsyncMessageStream:
    """A message, or another text that ends with a dot, as it arrives (RETR, TOP, extensions).

    Nothing is sent before the first octet is requested::

        async with client.retr_stream(1) as message:
            async for chunk in message:
                file.write(chunk)

    The pieces are ``bytes`` of any length above 0, with CRLF line ends and dot-stuffing undone.
    Until the last of them has arrived, the client can do nothing else. Leaving the ``async with``
    earlier skips the rest; an exception that leaves it closes the connection. A ``break`` out of a
    loop without ``async with`` leaves the text open: every call but ``quit()`` raises ``BusyError``
    until the text is skipped or read to the end.
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
        check_collecting(max_octets, progress)
        self.command: Command[Message] = command
        """The command that asks for the text."""
        self.text: str = ""
        """The text of the server's status line."""
        self.octets: int = 0
        """The number of octets that were returned so far."""
        self.expected: int | None = expected
        """The size that the server announced, in octets, or ``None``. A hint."""
        self.complete: bool = False
        """True after the end has arrived."""
        self._exchange = exchange
        self._max_octets = max_octets
        self._progress = progress
        self._turn = Turn(exchange, self.skip, command)

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
            self._turn.end(error)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next octets.

        Raises ``CommandError`` if the server answers ``-ERR``, ``LimitError`` if the text is
        longer than ``max_octets``, ``BusyError`` while another task waits for octets, and whatever
        ends a connection.
        """
        if self.complete:
            raise StopAsyncIteration
        first = self._turn.stage is Stage.NEW
        with self._turn as exchange:
            if first:
                await self._start(exchange)
            event = exchange.event_at_hand()
            if event is _NEED_DATA:
                event = await exchange.complete("body", self.command)
            if isinstance(event, MessageData):
                self.octets += len(event.data)
                if self._max_octets is not None:
                    check_length(self.command, self.octets, self._max_octets)
                if self._progress is not None:
                    self._progress(self.octets, self.expected)
                return event.data
        self.complete = True
        self._turn.end()
        raise StopAsyncIteration

    async def _start(self, exchange: Exchange) -> None:
        exchange.check(self.command)
        event = await exchange.ask(self.command)
        if isinstance(event, ErrorReply):
            raise refused(event, self.command)
        self.text = cast(MessageStart, event).text
        if self.expected is None:
            self.expected = announced_octets(self.text)

    async def read(self) -> Message:
        """Return the remaining octets, collected in memory.

        The limit is 1 GiB if the stream was opened without ``max_octets``. Raises what iterating
        raises.
        """
        if self._max_octets is None:
            self._max_octets = self.octets + MAX_COLLECTED_OCTETS
        content = BytesIO()
        async for chunk in self:
            content.write(chunk)
        return Message(self.command, content.getvalue(), self.text)

    async def save(self, file: SupportsWrite) -> int:
        """Write the remaining octets to a file object, as they arrive.

        Returns how many octets were written. Raises what iterating raises, what ``file`` raises,
        and ``LocalProtocolError`` if it is not a binary file.
        """
        from .files import check_file, write_all

        check_file(file)
        before = self.octets
        async for chunk in self:
            write_all(file, chunk)
        return self.octets - before

    async def skip(self) -> None:
        """Discard the rest, so that the client can go on.

        The rest is not counted or reported to ``progress``. Raises what iterating raises, except
        for ``LimitError``.
        """
        if self._turn.begun:
            with self._turn as exchange:
                await skip_answer(exchange, self.command)
        if self._turn.stage is not Stage.ENDED:
            self.complete = True
        self._turn.end()
