"""The methods between the session and a runtime."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..transcript.recorder import Recorder


__all__ = [
    "CHUNK",
    "SEND_BUFFER",
    "RecordingStream",
    "Stream",
    "receive_at_hand",
    "stream_closed",
    "stream_in_use",
    "time_left",
]

CHUNK = 64 * 1024
"""How many octets are received at once. From 128 KiB on, each receive gets new memory from the
kernel, which takes as long as receiving the data."""
SEND_BUFFER = 64 * 1024
"""How many octets a stream accepts for sending before it may wait for the peer."""


class Stream(Protocol):
    """A byte stream in both directions. Anything with these four methods will do.

    Errors are ``OSError``; a deadline that passes is ``TimeoutError``. A stream is used by one
    task at a time, and not again after an error, a timeout or a cancellation; but after an error of
    ``send()``, ``receive()`` still returns the octets that have arrived. Any task may close it: a
    task that waits for it then gets an ``OSError``.

    A stream should have a fifth method, ``async def receive_at_hand(self) -> bytes | None``. It
    returns the octets that have arrived, without waiting for the peer: ``b""`` at the end of the
    stream, ``None`` if there are no octets. The session calls it before it sends a command, to find
    octets that cannot be the answer because they came too early. Without this method it finds them
    only if they came together with the previous answer.
    """

    async def send(self, data: bytes, timeout: float | None) -> None:
        """Accept ``data`` for sending, within ``timeout`` seconds.

        At least ``SEND_BUFFER`` octets have to be accepted without waiting for the peer to read
        them; ``receive()`` continues to send them while it waits. Otherwise both ends of a
        pipelined session could wait for each other.
        """
        ...

    async def receive(self, timeout: float | None) -> bytes:
        """Return the next octets, about ``CHUNK`` at most, within ``timeout`` seconds in all.

        No octets (``b""``) mean the end of the stream.
        """
        ...

    async def aclose(self) -> None:
        """Close in an orderly way, without waiting for the peer. Closing twice is allowed."""
        ...

    def abort(self) -> None:
        """Close at once; octets that were not sent yet are lost.

        It never fails, never waits, and needs no running event loop.
        """
        ...


async def receive_at_hand(stream: Stream) -> bytes | None:
    """Return what ``stream`` has received, without waiting; ``None`` if it cannot tell."""
    look: Callable[[], Awaitable[bytes | None]] | None = getattr(stream, "receive_at_hand", None)
    return None if look is None else await look()


class RecordingStream:
    """A stream that shows everything that passes to a ``Recorder``."""

    def __init__(self, stream: Stream, recorder: Recorder) -> None:
        self._stream = stream
        self._recorder = recorder

    async def send(self, data: bytes, timeout: float | None) -> None:
        """Send, recorded."""
        self._recorder.sent(data)
        await self._stream.send(data, timeout)

    async def receive(self, timeout: float | None) -> bytes:
        """Receive, recorded."""
        data = await self._stream.receive(timeout)
        self._recorder.received(data)
        return data

    async def receive_at_hand(self) -> bytes | None:
        """Receive what is there, recorded."""
        data = await receive_at_hand(self._stream)
        if data is not None:
            self._recorder.received(data)
        return data

    async def aclose(self) -> None:
        """Close."""
        self._recorder.closed()
        await self._stream.aclose()

    def abort(self) -> None:
        """Close at once."""
        self._recorder.closed()
        self._stream.abort()


def time_left(deadline: float | None) -> float | None:
    """Return the seconds until ``deadline``, a time of ``monotonic()``; 0 if it has passed."""
    return None if deadline is None else max(deadline - monotonic(), 0.0)


def stream_closed() -> OSError:
    """Return the error for a task whose stream is closed, by another task or before."""
    return ConnectionAbortedError("the stream was closed")


def stream_in_use() -> OSError:
    """Return the error for the second of two tasks that wait for one stream."""
    return OSError("another task waits for the stream")
