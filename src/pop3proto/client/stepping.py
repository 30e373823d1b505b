"""A client's streams and batches for blocking code, and what runs their coroutines."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from ..model.commands import Command
from ..model.replies import Message
from .batch import AsyncBatch, Outcome
from .message import AsyncMessageStream, SupportsWrite

__all__ = ["Batch", "MessageStream", "run"]

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """The value of a coroutine over a stream that never suspends."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    raise AssertionError("a blocking stream suspended")


class MessageStream:
    """``AsyncMessageStream`` for blocking code: ``for chunk in client.retr_stream(1): ...``."""

    def __init__(self, stream: AsyncMessageStream) -> None:
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        run(self._stream.__aexit__(kind, error, traceback))

    @property
    def command(self) -> Command[Message]:
        """The command that asks for the text."""
        return self._stream.command

    @property
    def text(self) -> str:
        """What the server wrote behind ``+OK``."""
        return self._stream.text

    @property
    def octets(self) -> int:
        """How many octets have been handed out."""
        return self._stream.octets

    @property
    def expected(self) -> int | None:
        """How many octets the server said there would be, or ``None``. A hint."""
        return self._stream.expected

    @property
    def complete(self) -> bool:
        """Whether the end has come."""
        return self._stream.complete

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        """The next octets; raises as ``AsyncMessageStream.__anext__``."""
        try:
            return run(self._stream.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def read(self) -> Message:
        """All that has not been handed out yet, collected in memory.

        That is 1 GiB at most, if the stream was opened without ``max_octets``. Raises what taking
        the next octets raises.
        """
        return run(self._stream.read())

    def save(self, file: SupportsWrite) -> int:
        """Write all that has not been handed out yet to a file object, as it comes.

        Returns how many octets that were. Raises what taking the next octets raises, and what
        ``file`` raises.
        """
        return run(self._stream.save(file))

    def skip(self) -> None:
        """Read on to the end, keeping nothing, so that the client can go on.

        Nothing of it is counted or told to ``progress``. Raises what taking the next octets
        raises, but not ``LimitError``.
        """
        run(self._stream.skip())


class Batch(Generic[R_co]):
    """``AsyncBatch`` for blocking code: ``for outcome in client.retr_many(...): ...``."""

    def __init__(self, batch: AsyncBatch[R_co]) -> None:
        self._batch = batch

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        run(self._batch.__aexit__(kind, error, traceback))

    def __iter__(self) -> Iterator[Outcome[R_co]]:
        # Private, because to a caller it would say nothing that the next outcome does not.
        at_hand = self._batch._outcome_at_hand  # pyright: ignore[reportPrivateUsage]
        while True:
            while (outcome := at_hand()) is not None:
                yield outcome
            try:
                outcome = run(self._batch.__anext__())
            except StopAsyncIteration:
                return
            yield outcome

    def __next__(self) -> Outcome[R_co]:
        """The next outcome; raises as ``AsyncBatch.__anext__``."""
        try:
            return run(self._batch.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        """Send nothing more and skip the answers on their way, so that the client can go on.

        Nothing of them is kept, counted or told to ``progress``. Raises what ends a connection,
        and ``BusyError`` while another task waits for an outcome.
        """
        run(self._batch.aclose())
