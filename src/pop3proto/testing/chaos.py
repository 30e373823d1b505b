"""A network that behaves badly, the same way every time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat
from math import inf
from random import Random
from types import NoneType
from typing import TypedDict, TypeVar, cast

from .._arguments import require, require_count
from ..client.stream import receive_at_hand
from ..errors import LocalProtocolError
from ..transports import Stream
from .clock import VirtualClock

__all__ = ["ChaosStream", "Disturbances"]

N = TypeVar("N", int, float)


class Disturbances(TypedDict, total=False):
    """Arguments of ``ChaosStream``."""

    chunks: Iterable[int] | int
    delays: Iterable[float] | float
    drop_after: int | None
    reset_after: int | None


class ChaosStream:
    """A ``Stream`` around ``stream`` that delays, cuts and ends what is received.

    ``chunks`` are numbers of octets: each ``receive()`` returns at most as many as the next of them
    says, and after the last one nothing is cut any more. A single number is for all chunks.
    Instead, ``rng`` can choose the sizes, mostly small ones: the same seed gives the same sizes.
    ``delays`` are the seconds that pass on ``clock`` before each chunk; a single one is for all
    chunks, and ``math.inf`` is a server that falls silent. No real time passes. If a delay is
    longer than the deadline, ``TimeoutError`` is raised when the deadline has passed. ``clock`` is
    the clock of ``stream``, if it has one, so that the delays of a server in memory count as well.

    After ``drop_after`` received octets the stream ends as if the server had closed it; after
    ``reset_after`` it raises ``ConnectionResetError``. Data that is sent after that is lost, or
    raises the same error.

    Raises ``LocalProtocolError`` for a wrong argument; for one of ``chunks`` or ``delays``, when it
    is used.

    >>> from pop3proto.server import MemoryMaildrops
    >>> from pop3proto.testing import memory_stream
    >>> stream = memory_stream(MemoryMaildrops(), users={})
    >>> broken = ChaosStream(stream, chunks=1, delays=0.5, reset_after=100)
    """

    def __init__(
        self,
        stream: Stream,
        *,
        rng: Random | None = None,
        chunks: Iterable[int] | int | None = None,
        delays: Iterable[float] | float = (),
        drop_after: int | None = None,
        reset_after: int | None = None,
        clock: VirtualClock | None = None,
    ) -> None:
        if rng is not None and chunks is not None:
            raise LocalProtocolError("the size of chunks is given by rng or by chunks, not by both")
        require("rng", rng, (Random, NoneType), "a random.Random")
        require("clock", clock, (VirtualClock, NoneType), "a VirtualClock")
        for name, position in (("drop_after", drop_after), ("reset_after", reset_after)):
            if position is not None:
                require_count(name, position, least=0)
        own: object = getattr(stream, "clock", None)
        if clock is None:
            clock = own if isinstance(own, VirtualClock) else VirtualClock()
        self.clock: VirtualClock = clock
        """The clock on which the delays pass."""
        self.octets: int = 0
        """The number of octets that were returned."""
        self._stream = stream
        sizes = _each("chunks", () if chunks is None else chunks, int)
        self._chunks = sizes if rng is None else _chosen(rng)
        self._delays = _each("delays", delays, (int, float))
        self._drop_after = drop_after
        self._reset_after = reset_after
        self._waiting = b""

    def now(self) -> float:
        """Return the time on ``clock``, against which deadlines are measured."""
        return self.clock.now()

    async def send(self, data: bytes, timeout: float | None) -> None:
        """Send, unless the connection is gone."""
        if self._at(self._reset_after):
            raise ConnectionResetError("the connection was reset")
        if not self._at(self._drop_after):
            await self._stream.send(data, timeout)

    async def receive(self, timeout: float | None) -> bytes:
        """Return the next chunk, after its delay."""
        if self._at(self._reset_after):
            raise ConnectionResetError("the connection was reset")
        if self._at(self._drop_after):
            return b""
        began = self.clock.now()
        if not self._waiting:
            self._waiting = await self._stream.receive(timeout)
        passed = self.clock.now() - began
        self._pass(next(self._delays, 0.0), None if timeout is None else timeout - passed)
        size = next(self._chunks, len(self._waiting))
        if size < 1:
            raise LocalProtocolError(f"a chunk has at least one octet, not {size!r}")
        return self._take(size)

    async def receive_at_hand(self) -> bytes | None:
        """Return what has arrived, without waiting and without a delay; see ``Stream``."""
        if self._waiting or self._at(self._reset_after) or self._at(self._drop_after):
            return await self.receive(None)
        arrived = await receive_at_hand(self._stream)
        if not arrived:
            return arrived
        self._waiting = arrived
        return self._take(len(arrived))

    def _at(self, position: int | None) -> bool:
        return position is not None and self.octets >= position

    def _pass(self, delay: float, timeout: float | None) -> None:
        if timeout is None and delay == inf:
            raise TimeoutError("the server is silent, and the client would wait forever")
        if timeout is not None and delay > timeout:
            self.clock.advance(timeout)
            raise TimeoutError
        self.clock.advance(delay)

    def _take(self, size: int) -> bytes:
        for position in (self._drop_after, self._reset_after):
            if position is not None:
                size = min(size, position - self.octets)
        data, self._waiting = self._waiting[:size], self._waiting[size:]
        self.octets += len(data)
        return data

    async def aclose(self) -> None:
        """Close."""
        await self._stream.aclose()

    def abort(self) -> None:
        """Close at once."""
        self._stream.abort()


def _each(name: str, numbers: Iterable[N] | N, kind: type | tuple[type, ...]) -> Iterator[N]:
    """Yield the numbers; a single one without end. Raise ``LocalProtocolError`` otherwise."""
    if isinstance(numbers, Iterable) and not isinstance(numbers, str | bytes):
        return _checked(name, numbers, kind)
    require(name, numbers, kind, "a number, or a list of numbers")
    return repeat(cast(N, numbers))


def _checked(name: str, numbers: Iterable[N], kind: type | tuple[type, ...]) -> Iterator[N]:
    for number in numbers:
        require(f"each of {name}", number, kind, "a number")
        yield number


def _chosen(rng: Random) -> Iterator[int]:
    while True:
        yield rng.choice((1, 1, 2, 3, rng.randint(4, 64), rng.randint(65, 4096)))
