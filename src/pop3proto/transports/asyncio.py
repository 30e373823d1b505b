"""POP3 over asyncio, on a protocol of its own; works on uvloop too."""

from __future__ import annotations

import asyncio
import socket as socket_module
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from socket import SOCK_STREAM, socket
from typing import Any, Final, TypeVar, cast

from ..client.client import AsyncClient
from ..client.stream import CHUNK, SEND_BUFFER, Stream, stream_closed, stream_in_use
from .connecting import Dialer
from .sockets import HAPPY_EYEBALLS_DELAY, Address, closed_on_error, readability, socket_for

__all__ = ["AsyncClient", "connect", "connect_unix"]

T = TypeVar("T")

# The event loops of Windows that do not wait until a socket can be read, but read ahead.
_PROACTORS: Any = getattr(asyncio, "ProactorEventLoop", ())
# Seconds that an event loop may take to read what a socket has received.
_READING = 1.0
# Seconds that closing waits for unsent data.
_CLOSING = 1.0


class _Scratch(threading.local):
    """The buffer into which octets are received before they are copied to their stream.

    An event loop receives for one stream at a time, so all streams of a thread can share one: this
    is faster than a new buffer for each receive, and a waiting session holds no memory for it.
    """

    def __init__(self) -> None:
        self.view = memoryview(bytearray(CHUNK))


_scratch = _Scratch()


class AsyncioStream(asyncio.BufferedProtocol):
    """A ``Stream`` that is its own asyncio protocol: pass the class to ``create_connection()``.

    Reading is paused while more than a chunk waits for the client, so that a slow client holds
    back the server.
    """

    __slots__ = (
        "_closed",
        "_deadline",
        "_ended",
        "_error",
        "_loop",
        "_lost",
        "_readable",
        "_reading_paused",
        "_received",
        "_timer",
        "_timer_at",
        "_transport",
        "_waiting",
        "_wakeup",
        "_writing_paused",
    )

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._readable: Callable[[float | None], object] | None = None
        # One timer for wait after wait, the time at which it ends, and the deadline of this wait.
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._deadline: float | None = None
        self._received: list[bytes] = []
        self._waiting = 0
        self._reading_paused = False
        self._writing_paused = False
        self._ended = False
        self._closed = False
        self._lost = False
        self._error: Exception | None = None
        # The future that receive(), send() or aclose() waits for; a stream serves one task at a
        # time.
        self._wakeup: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport (called by asyncio)."""
        # uvloop's transports are not subclasses of asyncio's, but behave like them.
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        # A proactor has taken what has arrived out of the socket.
        if sock is not None and not isinstance(self._loop, _PROACTORS):
            self._readable = readability(sock)
        self._transport.set_write_buffer_limits(high=SEND_BUFFER)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return a buffer for the next octets (called by asyncio)."""
        return _scratch.view

    def buffer_updated(self, nbytes: int) -> None:
        """Take octets that have arrived (called by asyncio)."""
        self._received.append(bytes(_scratch.view[:nbytes]))
        self._waiting += nbytes
        if self._waiting > CHUNK and not self._reading_paused and self._transport is not None:
            self._transport.pause_reading()
            self._reading_paused = True
        self._wake()

    def eof_received(self) -> bool:
        """Note that the peer sends no more (called by asyncio)."""
        self._ended = True
        self._wake()
        # The client closes the connection, because it may still have to send QUIT.
        return True

    def pause_writing(self) -> None:
        """Note that the peer is slow to read (called by asyncio)."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """Note that the peer has read (called by asyncio)."""
        self._writing_paused = False
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is gone (called by asyncio)."""
        self._ended = self._lost = True
        self._error = exc
        self._wake()
        self._cancel_timer()

    def _wake(self) -> None:
        wakeup, self._wakeup = self._wakeup, None
        if wakeup is not None and not wakeup.done():
            wakeup.set_result(None)

    async def _sleep(self, deadline: float | None) -> None:
        """Wait until asyncio has called one of the methods above, at most until ``deadline``."""
        if self._wakeup is not None:
            raise stream_in_use()
        wakeup = self._wakeup = self._loop.create_future()
        self._deadline = deadline
        if deadline is not None and (self._timer is None or self._timer_at > deadline):
            self._set_timer(deadline)
        try:
            await wakeup
        finally:
            # If aclose() has woken this task, the future belongs to another one.
            if self._wakeup is wakeup:
                self._wakeup = None

    def _set_timer(self, at: float) -> None:
        self._cancel_timer()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._expire)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        # The timer of an earlier wait is left to run, because making one for each wait takes as
        # long as the rest of it. So it may find a later deadline, or nobody who waits.
        self._timer = None
        wakeup, deadline = self._wakeup, self._deadline
        if wakeup is None or wakeup.done() or deadline is None:
            return
        if self._loop.time() < deadline:
            self._set_timer(deadline)
        else:
            wakeup.set_exception(TimeoutError())

    async def send(self, data: bytes, timeout: float | None) -> None:
        """Pass ``data`` to the transport, and wait only while its buffer is too full."""
        if self._transport is None or self._transport.is_closing():
            if self._closed:
                raise stream_closed()
            raise self._error or ConnectionResetError("the connection is lost")
        self._transport.write(data)
        deadline = None if timeout is None else self._loop.time() + timeout
        while self._writing_paused and not self._lost:
            if self._closed:
                raise stream_closed()
            await self._sleep(deadline)

    async def receive(self, timeout: float | None) -> bytes:
        """Return the next octets."""
        deadline = None if timeout is None else self._loop.time() + timeout
        while not self._received:
            if self._error is not None:
                raise self._error
            if self._closed:
                raise stream_closed()
            if self._ended:
                return b""
            await self._sleep(deadline)
        data = self._received[0] if len(self._received) == 1 else b"".join(self._received)
        self._received.clear()
        self._waiting = 0
        if self._reading_paused and self._transport is not None:
            self._transport.resume_reading()
            self._reading_paused = False
        return data

    def is_quiet(self) -> bool:
        """Return True if nothing has arrived; False if that is uncertain."""
        look = self._readable
        return look is not None and not (self._settled or look(0))

    async def receive_at_hand(self) -> bytes | None:
        """Return octets that have arrived, or ``None`` if there are none; do not wait for the peer.

        If the event loop has not read yet what the socket holds, it gets the time to do so.
        """
        if not self._settled:
            if self._readable is None:
                # After one pass this task would go on before the loop hands over what it has read.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            elif self._readable(0):
                with suppress(TimeoutError):
                    await self._sleep(self._loop.time() + _READING)
        return await self.receive(None) if self._settled else None

    @property
    def _settled(self) -> bool:
        """True if ``receive()`` does not have to wait."""
        return bool(self._received or self._ended or self._closed)

    async def aclose(self) -> None:
        """Close when everything is sent, or after a second, and let asyncio clean up."""
        if self._transport is None or self._closed:
            return
        self._closed = True
        self._wake()
        self._transport.close()
        deadline = self._loop.time() + _CLOSING
        try:
            while not self._lost:
                await self._sleep(deadline)
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        self._closed = True
        if self._transport is None:
            return
        with suppress(RuntimeError):
            # A closed loop accepts nothing more.
            self._wake()
            self._transport.abort()
        if not self._loop.is_running():
            # Otherwise nobody would close the socket. uvloop hides it, and closes it with the loop.
            sock = getattr(self._transport.get_extra_info("socket"), "_sock", None)
            if sock is not None:
                sock.close()


class _Dialer(Dialer):
    async def within(self, seconds: float | None, opening: Callable[[], Awaitable[T]]) -> T:
        async with asyncio.timeout(seconds):
            return await opening()

    async def tcp(self, host: str, port: int, source: tuple[str, int] | None) -> socket:
        return await _connected(host, port, source)

    async def wrap(self, sock: socket) -> Stream:
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        # uvloop distinguishes the two families.
        connection: Callable[..., Awaitable[tuple[object, Stream]]] = loop.create_connection
        if sock.family == getattr(socket_module, "AF_UNIX", None):
            connection = loop.create_unix_connection
        return (await connection(AsyncioStream, sock=sock))[1]

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


_dialer = _Dialer()
connect: Final = _dialer.connect
connect_unix: Final = _dialer.connect_unix


async def _connected(host: str, port: int, source: tuple[str, int] | None) -> socket:
    """Return a connection to the address of ``host`` that answers first (RFC 8305).

    asyncio's own implementation loses a socket that connects while it is cancelled, and uvloop has
    no implementation.
    """
    loop = asyncio.get_running_loop()
    waiting: set[asyncio.Task[socket]] = set()
    failure = OSError("the host has no address")
    found: list[Address] = [*await loop.getaddrinfo(host, port, type=SOCK_STREAM)]
    addresses = _interleaved(found)
    try:
        while addresses or waiting:
            if addresses:
                waiting.add(loop.create_task(_connected_to(addresses.pop(0), source)))
            done, _ = await asyncio.wait(
                waiting,
                timeout=HAPPY_EYEBALLS_DELAY if addresses else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for attempt in done:
                waiting.remove(attempt)
                error = attempt.exception()
                if error is None:
                    return attempt.result()
                if not isinstance(error, OSError):
                    raise error
                failure = error
    finally:
        for attempt in waiting:
            attempt.cancel()
            attempt.add_done_callback(_close_late)
    raise failure


def _interleaved(addresses: list[Address]) -> list[Address]:
    """Return the first address of each family, then the second, and so on (RFC 8305 section 4)."""
    seen: Counter[int] = Counter()
    ranks: list[int] = []
    for family, *_ in addresses:
        ranks.append(seen[family])
        seen[family] += 1
    return [address for _, address in sorted(zip(ranks, addresses, strict=True), key=_rank)]


def _rank(ranked: tuple[int, Address]) -> int:
    return ranked[0]


def _close_late(attempt: asyncio.Task[socket]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


async def _connected_to(address: Address, source: tuple[str, int] | None) -> socket:
    sock = socket_for(address, source)
    with closed_on_error(sock):
        await asyncio.get_running_loop().sock_connect(sock, address[-1])
    return sock
