"""Batches and message streams for blocking code.

Written by tools/generate_blocking.py from the async client: change that one, and run it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from ..errors import CommandError
from .stepping import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from ..model.command import Command
    from ..model.replies import Message
    from .batch import AsyncBatch
    from .message import AsyncMessageStream, SupportsWrite

__all__ = ["Batch", "MessageStream"]

R_co = TypeVar("R_co", covariant=True)


class Batch(Generic[R_co]):
    """Runs commands one after the other and yields their results, in order.

    Nothing is sent before the first result is requested::

        with client.retr_many(range(1, 101)) as batch:
            for message in batch:
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

    Leaving the ``with`` earlier sends nothing more and skips the outstanding answers; the server
    still executes the commands that were sent ahead. If an exception leaves it while answers are
    outstanding, the connection is closed. A ``break`` out of a loop without ``with`` leaves the
    batch open: every call but ``quit()`` raises ``BusyError`` until the batch is closed or read to
    the end.
    """

    __slots__ = ("_at_hand", "_batch")

    def __init__(self, batch: AsyncBatch[R_co]) -> None:
        self._batch = batch
        self._at_hand = batch._item_at_hand  # pyright: ignore[reportPrivateUsage]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        run(self._batch.__aexit__(kind, error, traceback))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> R_co:
        """Return the next result.

        Raises the ``CommandError`` of a command that the server refused; ``BusyError`` while
        another thread waits for a result; any error that ends the connection; and after the last
        result, the error of a command that could not be sent.
        """
        # Nearly every result of small messages is at hand, and needs no coroutine.
        item = self._at_hand()
        if item is None:
            try:
                item = run(self._batch._next_item())  # pyright: ignore[reportPrivateUsage]
            except StopAsyncIteration:
                raise StopIteration from None
        if isinstance(item, CommandError):
            raise item
        return item

    def outcomes(self) -> Iterator[R_co | CommandError]:
        """Iterate over the results, with a ``CommandError`` for each command that was refused.

        ``isinstance(outcome, CommandError)`` tells them apart. Raises what the batch raises, except
        for those.
        """
        while True:
            while (item := self._at_hand()) is not None:
                yield item
            try:
                item = run(self._batch._next_item())  # pyright: ignore[reportPrivateUsage]
            except StopAsyncIteration:
                return
            yield item

    def close(self) -> None:
        """Send nothing more and skip the outstanding answers, so that the client can go on.

        They are not kept, counted or reported to ``progress``. Raises any error that ends the
        connection, and ``BusyError`` while another thread waits for a result.
        """
        run(self._batch.aclose())


class MessageStream:
    """A message, or another text that ends with a dot, as it arrives (RETR, TOP, extensions).

    Nothing is sent before the first octet is requested::

        with client.retr_stream(1) as message:
            for chunk in message:
                file.write(chunk)

    The pieces are ``bytes`` of any length above 0, with CRLF line ends and dot-stuffing undone.
    Until the last of them has arrived, the client can do nothing else. Leaving the ``with`` earlier
    skips the rest; an exception that leaves it closes the connection. A ``break`` out of a loop
    without ``with`` leaves the text open: every call but ``quit()`` raises ``BusyError`` until the
    text is skipped or read to the end.
    """

    __slots__ = ("_stream",)

    def __init__(self, stream: AsyncMessageStream) -> None:
        self._stream = stream

    @property
    def command(self) -> Command[Message]:
        """The command that asks for the text."""
        return self._stream.command

    @property
    def text(self) -> str:
        """The text of the server's status line."""
        return self._stream.text

    @property
    def octets(self) -> int:
        """The number of octets that were returned so far."""
        return self._stream.octets

    @property
    def expected(self) -> int | None:
        """The size that the server announced, in octets, or ``None``. A hint."""
        return self._stream.expected

    @property
    def complete(self) -> bool:
        """True after the end has arrived."""
        return self._stream.complete

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        run(self._stream.__aexit__(kind, error, traceback))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        """Return the next octets.

        Raises ``CommandError`` if the server answers ``-ERR``, ``LimitError`` if the text is longer
        than ``max_octets``, ``BusyError`` while another thread waits for octets, and whatever ends
        a connection.
        """
        try:
            return run(self._stream.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def read(self) -> Message:
        """Return the remaining octets, collected in memory.

        The limit is 1 GiB if the stream was opened without ``max_octets``. Raises what iterating
        raises.
        """
        return run(self._stream.read())

    def save(self, file: SupportsWrite) -> int:
        """Write the remaining octets to a file object, as they arrive.

        Returns how many octets were written. Raises what iterating raises, what ``file`` raises,
        and ``LocalProtocolError`` if it is not a binary file.
        """
        return run(self._stream.save(file))

    def skip(self) -> None:
        """Discard the rest, so that the client can go on.

        The rest is not counted or reported to ``progress``. Raises what iterating raises, except
        for ``LimitError``.
        """
        run(self._stream.skip())
