"""Many commands, sent ahead of their answers if the server supports it."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from .._arguments import require
from ..errors import CommandError, ConnectionLostError, Pop3Error
from ..model.command import Command
from ..model.replies import ErrorReply, Message, MessageData, MessageEnd, MessageStart
from ..model.states import Signal
from .advice import about_sending_ahead
from .exchange import Exchange
from .turn import (
    Progress,
    Stage,
    Text,
    Turn,
    check_collecting,
    check_whole,
    refused,
    skip_answer,
)

__all__ = ["AsyncBatch"]

R_co = TypeVar("R_co", covariant=True)

# Octets of commands that may be unanswered: about four thousand RETRs. If only a hundred were
# allowed, a distant server would be idle most of the time, and fetching a maildrop would take ten
# times as long. The number has to be below the octets that a stream accepts without waiting, or
# both ends could wait for each other to read.
WINDOW_OCTETS = 44 * 1024
# Replies that may be outstanding, for commands that are shorter than RETR with its number.
WINDOW_REPLIES = 4096
# Octets of messages that may be outstanding, as far as LIST has given their sizes: a caller who
# leaves early has to read them to the end. The part of it that is under way when more is requested
# keeps a line of 1 Gbit/s busy over a round trip of 50 ms; mail of 4 KiB hardly reaches the limit.
WINDOW_EXPECTED = 16 * 1024 * 1024
# One number enforces all three limits: a command counts as at least _LEAST octets, and as one octet
# for every _MESSAGE_OCTETS octets of its message.
_LEAST = WINDOW_OCTETS // WINDOW_REPLIES
_MESSAGE_OCTETS = WINDOW_EXPECTED // WINDOW_OCTETS
# The share of the window that is sent at once: 5.5 KiB are a few full packets. While the answers to
# this share are taken, nothing is asked for, so with a half, 10,000 small messages over a round
# trip of 50 ms take a tenth longer.
_SHARE = 8
# Looked up once: see the engine.
_NEED_DATA = Signal.NEED_DATA
_OPEN = Stage.OPEN


class AsyncBatch(Generic[R_co]):
    """Runs commands one after the other and yields their results, in order.

    Nothing is sent before the first result is requested::

        async with client.retr_many(range(1, 101)) as batch:
            async for message in batch:
                ...

    If the server refuses a command, only that command fails: its ``CommandError`` is raised in
    place of its result, and the next step of the loop gets the next result. ``outcomes()`` returns
    such errors among the results instead.

    Commands are sent ahead of the answers until 44 KiB of commands, or 4,096 of them, are
    unanswered. If ``list()`` or ``messages()`` has told the sizes of the messages, sending also
    stops when more than 16 MiB of messages are on their way. Answers are read no faster than
    results are taken, so that a slow caller holds back the server. Until the last result has been
    taken, the client can do nothing else. The iterable is read one command ahead, so that the batch
    knows which command is the last.

    Leaving the ``async with`` earlier sends nothing more and skips the outstanding answers; the
    server still executes the commands that were sent ahead. If an exception leaves it while answers
    are outstanding, the connection is closed. A ``break`` out of a loop without ``async with``
    leaves the batch open: every call but ``quit()`` raises ``BusyError`` until the batch is closed
    or read to the end.
    """

    def __init__(
        self,
        exchange: Exchange,
        commands: Iterable[Command[R_co]],
        *,
        pipelining: bool,
        max_octets: int,
        expected: Callable[[Command[Any]], int | None],
        progress: Progress | None,
    ) -> None:
        check_collecting(max_octets, progress)
        require("commands", commands, Iterable, "an iterable of commands")
        self._exchange = exchange
        self._turn = _BatchTurn(exchange, self.aclose)
        self._commands = iter(commands)
        self._window = WINDOW_OCTETS if pipelining else 1
        self._text = Text(max_octets, progress)
        self._max_octets = max_octets
        self._progress = progress
        self._expected = expected
        # The unanswered commands, each with its share of the window and its octets according to
        # LIST. The engine knows the commands too, but returns a copy, which would take time in the
        # square of the window.
        self._sent: deque[tuple[Command[R_co], int, int | None]] = deque()
        self._unanswered = 0
        # The next command is read one ahead, so that the last result is known to be the last.
        self._waiting: Command[R_co] | None = None
        # Raised after the answers to the commands before it.
        self._error: Exception | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None and not self._exchange.closed:
            await self.aclose()
        else:
            # If no answer is outstanding, the error does not affect the connection.
            self._turn.end(error if self._sent else None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> R_co:
        """Return the next result.

        Raises the ``CommandError`` of a command that the server refused; ``BusyError`` while
        another task waits for a result; any error that ends the connection; and after the last
        result, the error of a command that could not be sent.
        """
        item = self._item_at_hand()
        if item is None:
            item = await self._next_item()
        if isinstance(item, CommandError):
            raise item
        return item

    def outcomes(self) -> AsyncIterator[R_co | CommandError]:
        """Iterate over the results, with a ``CommandError`` for each command that was refused.

        ``isinstance(outcome, CommandError)`` tells them apart. Raises what the batch raises, except
        for those.
        """
        return _Outcomes(self._next_item)

    async def _next_item(self) -> R_co | CommandError:
        """Return the next result, or the error of a command that was refused."""
        if (item := self._item_at_hand()) is not None:
            return item
        turn = self._turn
        if turn.stage is Stage.ENDED:
            raise turn.death or StopAsyncIteration()
        first = turn.stage is Stage.NEW
        with turn:
            if first:
                self._waiting = self._pull()
            item = await self._next()
        if item is not None:
            self._end_after_last()
            return item
        self._end_after_answers()
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration

    def _item_at_hand(self) -> R_co | CommandError | None:
        """Do what ``_next_item()`` does if that needs no stream; otherwise return ``None``.

        Nearly all results of small messages have already arrived, and need no awaiting.
        """
        sent = self._sent
        if self._turn.stage is not _OPEN or not sent or self._wants_more():
            return None
        try:
            item = self._take(self._exchange.event_at_hand(whole=True))
        except BaseException as error:
            self._turn.end(error)
            raise
        if item is not None and not sent:
            self._end_after_last()
        return item

    async def aclose(self) -> None:
        """Send nothing more and skip the outstanding answers, so that the client can go on.

        They are not kept, counted or reported to ``progress``. Raises any error that ends the
        connection, and ``BusyError`` while another task waits for a result.
        """
        begun = self._turn.begun
        if begun:
            with self._turn as exchange:
                self._waiting = None
                while self._sent:
                    await skip_answer(exchange, self._sent[0][0])
                    self._sent.popleft()
        self._end_after_answers()
        # A batch that was closed ends like one that was read to its end.
        self._turn.death = None
        if begun and self._broke is not None:
            # All that was sent is answered, but the connection takes nothing more.
            raise self._broke

    @property
    def _broke(self) -> Pop3Error | None:
        """The error by which the connection ended while commands were sent."""
        error = self._error
        return error if isinstance(error, Pop3Error) and not error.session_usable else None

    def _end_after_answers(self) -> None:
        # A command that could not be sent is the caller's mistake, unless the connection broke.
        self._turn.end(self._broke)

    def _end_after_last(self) -> None:
        if self._waiting is None and not self._sent and self._error is None:
            self._turn.end()

    def _wants_more(self) -> bool:
        """Return True if it is time to send."""
        left = self._window - self._unanswered
        return self._waiting is not None and _SHARE * left >= self._window

    async def _next(self) -> R_co | CommandError | None:
        if self._wants_more():
            if not self._sent and self._waiting is not None:
                await self._exchange.look(self._waiting)
            await self._refill()
        if not self._sent:
            return None
        exchange, command = self._exchange, self._sent[0][0]
        item = self._take(exchange.event_at_hand(whole=True))
        while item is None:
            item = self._take(await exchange.next_event("reply", command, missing=True, whole=True))
        return item

    def _take(self, event: Any) -> R_co | CommandError | None:
        """Return the result that begins or goes on with ``event``, if it has arrived completely."""
        exchange, text = self._exchange, self._text
        while event is not _NEED_DATA:
            kind: type[Any] = event.__class__
            if kind is MessageData:
                text.add(event.data)
            elif kind is MessageStart:
                text.begin(event, self._sent[0][2])
            else:
                if kind is Message:
                    check_whole(event, self._max_octets, self._progress, self._expected)
                elif kind is MessageEnd:
                    event = text.message()
                command, share, _ = self._sent.popleft()
                self._unanswered -= share
                result: R_co | CommandError = event
                return refused(event, command) if kind is ErrorReply else result
            event = exchange.event_at_hand()
        return None

    async def _refill(self) -> None:
        first = command = self._waiting
        check, put, pull = self._exchange.check, self._exchange.put, self._pull
        sent, unanswered, window = self._sent, self._unanswered, self._window
        before = unanswered
        while command is not None and unanswered < window:
            try:
                check(command)
                share = put(command)
            except Exception as error:  # noqa: BLE001 - kept, and raised in its turn
                # The answers to earlier commands come first; then it is raised.
                self._waiting, self._error = None, error
                break
            if share < _LEAST:
                share = _LEAST
            expected = None
            if command.answer is Message:
                expected = self._expected(command)
                if expected is not None and expected > share * _MESSAGE_OCTETS:
                    share = expected // _MESSAGE_OCTETS
            sent.append((command, share, expected))
            unanswered += share
            self._waiting = command = pull()
        self._unanswered = unanswered
        if len(sent) > 1:
            self._turn.sent_ahead = True
        if first is not None and unanswered > before:
            try:
                await self._exchange.flush(first)
            except ConnectionLostError as error:
                # The answers that the peer sent before it went away come first.
                self._waiting, self._error = None, error

    def _pull(self) -> Command[R_co] | None:
        """Return the command to be sent next, if there is one."""
        try:
            return next(self._commands, None)
        except Exception as error:  # noqa: BLE001 - kept, and raised in its turn
            self._error = error
            return None


class _BatchTurn(Turn):
    """The turn of a batch, whose end may be due to commands that were sent ahead."""

    __slots__ = ("death", "sent_ahead")

    def __init__(self, exchange: Exchange, skip: Callable[[], Awaitable[None]]) -> None:
        super().__init__(exchange, skip)
        self.sent_ahead = False
        self.death: Exception | None = None
        """The error that ended the batch and the connection before the last result."""

    def end(self, error: BaseException | None = None) -> None:
        """Release the exchange, unless ``error``, which gets a hint, has made it unusable."""
        if self.sent_ahead:
            about_sending_ahead(error)
        ended = self.stage is Stage.ENDED
        super().end(error)
        if error is not None and not ended and self._exchange.closed:
            # A cancellation is not raised twice.
            self.death = error if isinstance(error, Exception) else self._exchange.refusal()


class _Outcomes(Generic[R_co]):
    """The results of a batch, and the errors of refused commands among them."""

    __slots__ = ("_next_item",)

    def __init__(self, next_item: Callable[[], Awaitable[R_co | CommandError]]) -> None:
        self._next_item = next_item

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> R_co | CommandError:
        return await self._next_item()
