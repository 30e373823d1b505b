"""A relay that adds a round-trip time, keeps the order, and takes nothing off the throughput."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

from benchmarks.server import HOST, Address, started

# So many octets are on their way at most; then the sender has to wait.
_MOST = 64 * 1024 * 1024


class Direction(asyncio.Protocol):
    """Hands on what comes in at one end to the other end, ``delay`` seconds later."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._loop = asyncio.get_running_loop()
        self._on_their_way: deque[bytes] = deque()
        self._octets = 0
        self.source: asyncio.Transport | None = None
        self.sink: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.source = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._on_their_way.append(data)
        self._octets += len(data)
        if self._octets > _MOST and self.source is not None:
            self.source.pause_reading()
        # Timers of one moment may fire in any order. So a timer says when, and the queue what.
        self._loop.call_later(self._delay, self._hand_on)

    def connection_lost(self, exc: Exception | None) -> None:
        self._loop.call_later(self._delay, self._close)

    def _hand_on(self) -> None:
        data = self._on_their_way.popleft()
        self._octets -= len(data)
        if self.sink is not None:
            self.sink.write(data)
        if self._octets <= _MOST // 2 and self.source is not None:
            self.source.resume_reading()

    def _close(self) -> None:
        if self.sink is not None:
            self.sink.close()


class Entrance(Direction):
    """The client's end, which connects to the server when the client has come."""

    def __init__(self, delay: float, port: int) -> None:
        super().__init__(delay)
        self._port = port
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self.source is not None:
            self.source.pause_reading()
        self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        back = Direction(self._delay)
        back.sink = self.source
        self.sink, _ = await self._loop.create_connection(lambda: back, HOST, self._port)
        if self.source is not None:
            self.source.resume_reading()


@contextmanager
def delayed(server: Address, milliseconds: float) -> Generator[Address]:
    """The same server, so many milliseconds of round trip away."""
    command = [sys.executable, "-m", "benchmarks.relay", str(server.port), str(milliseconds)]
    with started(command) as far:
        yield replace(far, ca=server.ca)


async def _relay(port: int, milliseconds: float) -> None:
    loop = asyncio.get_running_loop()
    make: Callable[[], Entrance] = lambda: Entrance(milliseconds / 2000, port)  # noqa: E731
    server = await loop.create_server(make, HOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_relay(int(sys.argv[1]), float(sys.argv[2])))
