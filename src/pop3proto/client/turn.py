"""A turn: the common life cycle of a call, a stream and a batch."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from enum import Enum, unique
from io import BytesIO
from types import TracebackType
from typing import Any, TypeAlias, cast

from .._arguments import require
from ..errors import BusyError, CommandError, LimitError, LocalProtocolError
from ..model.command import Command
from ..model.replies import ErrorReply, Message, MessageData, MessageStart
from ..model.states import Signal
from .exchange import Exchange

__all__ = [
    "MAX_COLLECTED_OCTETS",
    "Progress",
    "Stage",
    "Text",
    "Turn",
    "announced_octets",
    "check_collecting",
    "check_length",
    "check_whole",
    "collect",
    "refused",
    "skip_answer",
]

Progress: TypeAlias = Callable[[int, int | None], object]
"""Called with the octets so far and the octets expected, which are a hint or ``None``."""

MAX_COLLECTED_OCTETS = 1024 * 1024 * 1024
"""The most octets of a message that is collected in memory, unless the caller gives another
limit."""

# At most 19 digits, like all numbers that the engine reads.
_ANNOUNCED = r"(?ia)([0-9]{1,19}) octets\b"


@unique
class Stage(Enum):
    """The stage of a turn."""

    NEW = "nothing has been sent"
    OPEN = "answers are on their way, but no task waits for them"
    WORKING = "a task sends, or waits for an answer"
    ENDED = "nothing more will be sent or read"


# Looked up once: in Python 3.11 finding a member of an enumeration takes a tenth of a microsecond.
_NEW, _OPEN, _WORKING, _ENDED = Stage


class Turn:
    """One use of the exchange, exclusive from its first step to its end.

    ``with turn as exchange:`` is one step. A turn without ``skip`` ends with it. A stream or a
    batch takes many: it has ``skip``, which reads the rest of its answers, and ends with ``end()``.
    An error in a step ends a turn of either kind; then the exchange decides if the session can go
    on.
    """

    __slots__ = ("_command", "_exchange", "skip", "stage")

    def __init__(
        self,
        exchange: Exchange,
        skip: Callable[[], Awaitable[None]] | None = None,
        command: Command[Any] | None = None,
    ) -> None:
        self._exchange = exchange
        self._command = command
        self.skip: Callable[[], Awaitable[None]] | None = skip
        """Reads the rest of the answers, so that the session can go on."""
        self.stage: Stage = _NEW

    def __enter__(self) -> Exchange:
        stage = self.stage
        exchange = self._exchange
        if stage is _NEW:
            if exchange.closed or exchange.turn is not None:
                # Nothing has begun, so the caller may try again.
                raise exchange.refusal()
            exchange.turn = self
        elif stage is _WORKING:
            raise BusyError("another task waits for this answer", command=self._command)
        elif stage is _ENDED:
            # Part of a text must never look like all of it.
            raise LocalProtocolError(
                "the answer was broken off before its end", command=self._command
            )
        self.stage = _WORKING
        return exchange

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self.end(error)
        elif self.stage is not _WORKING:
            # Another task has ended it, and has done the rest.
            return
        elif self.skip is None:
            self.end()
        else:
            self.stage = _OPEN

    def end(self, error: BaseException | None = None) -> None:
        """Release the exchange, unless ``error`` has made it unusable."""
        if self.stage is _WORKING or self.stage is _OPEN:
            self._exchange.release(error)
        self.stage = _ENDED
        # ``skip`` is a method of the stream or batch, which a reference cycle would keep in memory.
        self.skip = None

    @property
    def begun(self) -> bool:
        """True if something was sent, and its answers are not all read."""
        return self.stage is _WORKING or self.stage is _OPEN


async def skip_answer(exchange: Exchange, command: Command[Any]) -> None:
    """Read the answer to ``command`` to its end and discard it."""
    while True:
        event = exchange.event_at_hand()
        if event is Signal.NEED_DATA:
            event = await exchange.next_event("reply", command, missing=True)
        if not isinstance(event, MessageStart | MessageData):
            return


async def collect(
    exchange: Exchange,
    start: MessageStart,
    max_octets: int,
    *,
    expected: int | None = None,
    progress: Progress | None = None,
) -> Message:
    """Return the text that ``start`` opened, collected in memory."""
    text = Text(max_octets, progress)
    text.begin(start, expected)
    while True:
        event = exchange.event_at_hand()
        if event is Signal.NEED_DATA:
            event = await exchange.complete("body", start.command)
        if not isinstance(event, MessageData):
            return text.message()
        text.add(event.data)


def refused(reply: ErrorReply, command: Command[Any] | None) -> CommandError:
    """Return the exception for an ``-ERR``."""
    from ..sasl.refusals import refusal_message

    return CommandError(refusal_message(reply), command=command, reply=reply)


def announced_octets(text: str) -> int | None:
    """Return the size in a text such as "120 octets", the usual answer to RETR, or ``None``."""
    match = re.match(_ANNOUNCED, text)
    return int(match[1]) if match else None


def check_collecting(max_octets: object, progress: object) -> None:
    """Raise ``LocalProtocolError`` for arguments that would fail only when the text arrives."""
    if max_octets is not None:
        require("max_octets", max_octets, int, "an int")
        if cast(int, max_octets) < 1:
            raise LocalProtocolError(f"max_octets is at least 1, not {max_octets}")
    if progress is not None and not callable(progress):
        raise LocalProtocolError(f"progress is a function, not {type(progress).__name__}")


def check_length(command: Command[Any], octets: int, limit: int | None) -> None:
    """Raise ``LimitError`` if ``octets`` are more than the caller wants."""
    if limit is not None and octets > limit:
        message = f"the message is longer than {limit} octets"
        raise LimitError(message, command=command, limit="max_octets", value=limit)


def check_whole(
    message: Message,
    max_octets: int,
    progress: Progress | None,
    expected: Callable[[Command[Any]], int | None],
) -> None:
    """Do for a message that came in one step what ``Text`` does for one that comes in pieces."""
    octets = len(message.content)
    if octets > max_octets:
        check_length(message.command, octets, max_octets)
    if octets and progress is not None:
        size = expected(message.command)
        progress(octets, announced_octets(message.text) if size is None else size)


class Text:
    """Collects a text in memory; one object serves text after text."""

    __slots__ = ("_content", "_expected", "_first", "_max_octets", "_octets", "_progress", "_start")

    def __init__(self, max_octets: int, progress: Progress | None) -> None:
        self._max_octets = max_octets
        self._progress = progress
        self._start: MessageStart | None = None

    def begin(self, start: MessageStart, expected: int | None) -> None:
        """Start on the text that ``start`` opens, which probably has that many octets."""
        self._start = start
        self._expected = expected
        self._octets = 0
        self._first = b""
        self._content: BytesIO | None = None

    def add(self, data: bytes) -> None:
        """Take the next octets; raise ``LimitError`` if there are too many."""
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
            # One that has arrived in one piece is returned without a copy.
            self._first = data

    def message(self) -> Message:
        """Return the text, now that its end has come."""
        start = cast(MessageStart, self._start)
        content = self._first
        if self._content is not None:
            # getvalue() returns the buffer itself, so a large message is in memory only once.
            content = self._content.getvalue()
        self._start = self._content = None
        return Message(start.command, content, start.text)
