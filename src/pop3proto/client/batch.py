"""Many commands, sent ahead of their answers where the server can take that."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

from ..errors import BusyError, CommandError, ConnectionLostError
from ..model.commands import Command
from ..model.replies import ErrorReply, MessageData, MessageEnd, MessageStart
from ..model.states import ReplyShape, Signal
from ..model.value import slot_setter, value
from .exchange import Exchange
from .message import Progress, Text, refused, skip_answer

__all__ = ["AsyncBatch", "Outcome"]

R_co = TypeVar("R_co", covariant=True)

# Octets of commands that may be unanswered: some three thousand RETRs. It has to be many, or a
# distant server is idle most of the time (with a hundred, ten times as long), and fewer than a
# stream takes without waiting, or both ends could wait for each other to read.
WINDOW_OCTETS = 32 * 1024
# Replies that may be outstanding, for commands that are shorter than RETR with its number.
WINDOW_REPLIES = 4096
# Octets of messages that may be outstanding, as far as LIST has told their sizes: what has to be
# read to the end when a caller leaves early. Half of it, which is on its way when more is asked
# for, keeps a line of 1 Gbit/s busy over a round trip of 50 ms; mail of 4 KiB does not come to it.
WINDOW_EXPECTED = 16 * 1024 * 1024
# So that one number keeps all three, a command counts for at least this many octets, and for one
# octet for each so many of its message.
_LEAST = WINDOW_OCTETS // WINDOW_REPLIES
_MESSAGE_OCTETS = WINDOW_EXPECTED // WINDOW_OCTETS
# Looked up once: see the engine.
_NEED_DATA = Signal.NEED_DATA
_MESSAGE = ReplyShape.MESSAGE


@value
class Outcome(Generic[R_co]):
    """What became of one command of a batch: a result, or the server's refusal."""

    command: Command[R_co]
    result: R_co | None = None
    error: CommandError | None = None

    def __init__(
        self, command: Command[R_co], result: R_co | None = None, error: CommandError | None = None
    ) -> None:
        _set_command(self, command)
        _set_result(self, result)
        _set_error(self, error)

    def unwrap(self) -> R_co:
        """The result; raises the ``CommandError`` if the server refused."""
        if self.error is not None:
            raise self.error
        return cast(R_co, self.result)


_set_command = slot_setter(Outcome, "command")
_set_result = slot_setter(Outcome, "result")
_set_error = slot_setter(Outcome, "error")


class AsyncBatch(Generic[R_co]):
    """Runs commands one behind the other and gives each its own ``Outcome``, in their order.

    Nothing is sent before the first outcome is asked for::

        async with client.retr_many(range(1, 101)) as batch:
            async for outcome in batch:
                ...

    A command that the server refuses fails alone. Commands go out as far ahead as the window
    allows: 32 KiB of them and 4,096 replies; where ``list()`` or ``messages()`` has told the sizes
    of the messages, also 16 MiB of these and the one that passes that. Answers are read no faster
    than outcomes are taken, so that a slow caller holds back the server. Until the last outcome is
    taken the client can do nothing else; the iterable is read one command ahead, so that the last
    one is known to be the last.

    Leaving the ``async with`` earlier sends nothing more and skips the answers on their way; what
    was sent ahead is done all the same. Leaving it by an exception closes the connection, if there
    are such answers. A ``break`` out of a loop without ``async with`` leaves the batch open: every
    call but ``quit()`` raises ``BusyError`` until it is closed or read to the end.
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
        self._exchange = exchange
        self._commands = iter(commands)
        self._window = WINDOW_OCTETS if pipelining else 1
        self._text = Text(max_octets, progress)
        self._expected = expected
        # What is unanswered, with its share of the window and the octets that LIST has told of it.
        # The engine knows it too, but hands out a copy, which would take time in the square of the
        # window.
        self._sent: deque[tuple[Command[R_co], int, int | None]] = deque()
        self._unanswered = 0
        # Known one ahead, so that the last outcome is known to be the last.
        self._waiting: Command[R_co] | None = None
        self._error: Exception | None = None
        self._started = False
        self._ended = False
        # Whether no other task waits for an outcome, and there may be one.
        self._idle = True

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
            # Where no answer is on its way, the error is no business of the connection's.
            self._end(error if self._sent else None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome[R_co]:
        """The next outcome.

        Raises what ends a connection; behind the last outcome, also what was wrong with a command
        that could not be sent; ``BusyError`` while another task waits for an outcome.
        """
        outcome = self._outcome_at_hand()
        if outcome is not None:
            return outcome
        if self._ended:
            raise StopAsyncIteration
        first = not self._started
        self._begin_work()
        try:
            if first:
                self._waiting = self._pull()
            outcome = await self._next()
        except BaseException as error:
            self._end(error)
            raise
        finally:
            self._idle = not self._ended
        if outcome is not None:
            self._end_behind_last()
            return outcome
        self._end_behind_answers()
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration

    def _outcome_at_hand(self) -> Outcome[R_co] | None:
        """What ``__anext__()`` returns if that needs no stream, or ``None``; raises the same.

        Nearly every outcome of small messages is at hand, and nothing has to be awaited for it.
        """
        if not self._idle or not self._sent or self._wants_more():
            return None
        try:
            outcome = self._take(self._exchange.event_at_hand())
        except BaseException as error:
            self._end(error)
            raise
        if outcome is not None:
            self._end_behind_last()
        return outcome

    async def aclose(self) -> None:
        """Send nothing more and skip the answers on their way, so that the client can go on.

        Nothing of them is kept, counted or told to ``progress``. Raises what ends a connection,
        and ``BusyError`` while another task waits for an outcome.
        """
        if self._started and not self._ended:
            self._begin_work()
            self._waiting = None
            try:
                while self._sent:
                    await skip_answer(self._exchange, self._sent[0][0], begun=self._text.begun)
                    self._sent.popleft()
            except BaseException as error:
                self._end(error)
                raise
        self._end_behind_answers()

    def _begin_work(self) -> None:
        if not self._idle:
            raise BusyError("another task waits for this batch")
        if not self._started:
            # If that raises, nothing has begun, and it may be tried again.
            self._exchange.__enter__()
            self._exchange.skip_rest = self.aclose
            self._started = True
        self._idle = False

    def _end(self, error: BaseException | None) -> None:
        if self._started and not self._ended:
            self._exchange.__exit__(type(error) if error else None, error, None)
        self._ended = True
        self._idle = False

    def _end_behind_answers(self) -> None:
        # What could not be sent is the caller's mistake, unless the connection broke.
        self._end(self._error if isinstance(self._error, ConnectionLostError) else None)

    def _end_behind_last(self) -> None:
        if self._waiting is None and not self._sent and self._error is None:
            self._end(None)

    def _wants_more(self) -> bool:
        """Whether to send on: half a window or more at a time, so that few packets carry many."""
        return self._waiting is not None and 2 * self._unanswered <= self._window

    async def _next(self) -> Outcome[R_co] | None:
        if self._wants_more():
            await self._refill()
        if not self._sent:
            return None
        exchange, command = self._exchange, self._sent[0][0]
        outcome = self._take(exchange.event_at_hand())
        while outcome is None:
            phase, seconds = "reply", exchange.timeouts.reply
            if self._text.begun:
                phase, seconds = "body", exchange.timeouts.body
            outcome = self._take(await exchange.next_event(phase, seconds, command))
        return outcome

    def _take(self, event: Any) -> Outcome[R_co] | None:
        """The outcome that begins with ``event``, or goes on with it, if its end is at hand."""
        exchange, text = self._exchange, self._text
        while event is not _NEED_DATA:
            if type(event) is MessageData:
                text.add(event.data)
            elif type(event) is MessageStart:
                text.begin(event, self._sent[0][2])
                exchange.begin_body()
            else:
                command, share, _ = self._sent.popleft()
                self._unanswered -= share
                if type(event) is ErrorReply:
                    return Outcome(command, error=refused(event, command))
                result: Any = text.message() if type(event) is MessageEnd else event
                return Outcome(command, result)
            event = exchange.event_at_hand()
        return None

    async def _refill(self) -> None:
        lines: list[bytes] = []
        first = command = self._waiting
        check, send, pull = self._exchange.check, self._exchange.engine.send, self._pull
        sent, unanswered, window = self._sent, self._unanswered, self._window
        while command is not None and unanswered < window:
            try:
                check(command)
                line = send(command)
            except Exception as error:  # noqa: BLE001 - kept, and raised in its turn
                # What was sent before has its answers first; then the caller learns of it.
                self._waiting, self._error = None, error
                break
            lines.append(line)
            share = len(line)
            if share < _LEAST:
                share = _LEAST
            expected = None
            if command.shape is _MESSAGE:
                expected = self._expected(command)
                if expected is not None and expected > share * _MESSAGE_OCTETS:
                    share = expected // _MESSAGE_OCTETS
            sent.append((command, share, expected))
            unanswered += share
            self._waiting = command = pull()
        self._unanswered = unanswered
        if first is not None and lines:
            try:
                await self._exchange.send(b"".join(lines), first)
            except ConnectionLostError as error:
                # What the peer answered before it went comes first.
                self._waiting, self._error = None, error

    def _pull(self) -> Command[R_co] | None:
        """The command to be sent next, if there is one."""
        try:
            return next(self._commands, None)
        except Exception as error:  # noqa: BLE001 - kept, and raised in its turn
            self._error = error
            return None
