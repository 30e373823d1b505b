"""POP3 over anyio, on asyncio or trio."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from socket import SO_ERROR, SOCK_STREAM, SOL_SOCKET, socket
from typing import Final, TypeVar

try:
    import anyio
except ModuleNotFoundError as _missing:
    raise ImportError(
        "this adapter needs anyio: pip install pop3proto[anyio]", name="anyio"
    ) from _missing

from ..client.client import AsyncClient
from ..client.stream import Stream, stream_closed, stream_in_use
from .connecting import Dialer
from .sockets import (
    HAPPY_EYEBALLS_DELAY,
    Address,
    SocketStream,
    closed_on_error,
    foremost,
    socket_for,
)

__all__ = ["AsyncClient", "connect", "connect_unix"]

T = TypeVar("T")


class AnyioStream(SocketStream):
    """A ``Stream`` on a connected socket, which it owns."""

    async def wait(self, seconds: float | None, *, read: bool, write: bool) -> bool:
        """Wait until the socket can be read or written; return True if it can be read."""
        if self.sock.fileno() < 0:
            raise stream_closed()
        with anyio.move_on_after(seconds) as scope:
            try:
                if read and write:
                    return await self._wait_for_either()
                wait = anyio.wait_readable if read else anyio.wait_writable
                await wait(self.sock)
            except anyio.BusyResourceError:
                raise stream_in_use() from None
            except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                raise stream_closed() from None
            return read
        assert scope.cancelled_caught  # noqa: S101 - there is no other way here
        raise TimeoutError

    async def _wait_for_either(self) -> bool:
        readable = False

        async def reading() -> None:
            nonlocal readable
            await anyio.wait_readable(self.sock)
            readable = True
            tasks.cancel_scope.cancel()

        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(reading)
                await anyio.wait_writable(self.sock)
                tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            # The caller waits for one thing, and need not know of these tasks.
            raise foremost(group) from None
        return readable

    def abort(self) -> None:
        """Close the socket."""
        if self.sock.fileno() >= 0:
            with suppress(RuntimeError):
                # Outside of an event loop no task waits for it.
                anyio.notify_closing(self.sock)
        super().abort()


class _Dialer(Dialer):
    async def within(self, seconds: float | None, opening: Callable[[], Awaitable[T]]) -> T:
        with anyio.fail_after(seconds):
            return await opening()

    async def tcp(self, host: str, port: int, source: tuple[str, int] | None) -> socket:
        return await _connected(host, port, source)

    async def wrap(self, sock: socket) -> Stream:
        return AnyioStream(sock)

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


_dialer = _Dialer()
connect: Final = _dialer.connect
connect_unix: Final = _dialer.connect_unix


async def _connected(host: str, port: int, source: tuple[str, int] | None) -> socket:
    """Return a connection to the address of ``host`` that answers first (RFC 8305).

    anyio's own ``connect_tcp()`` returns a stream that reads ahead on asyncio, and does not release
    its socket.
    """
    addresses = await anyio.getaddrinfo(host, port, type=SOCK_STREAM)
    connected: list[socket] = []
    failures: list[OSError] = []

    async def attempt(address: Address, failed: anyio.Event) -> None:
        try:
            connected.append(await _connected_to(address, source))
            tasks.cancel_scope.cancel()
        except OSError as error:
            failures.append(error)
            failed.set()

    try:
        try:
            async with anyio.create_task_group() as tasks:
                for address in addresses:
                    failed = anyio.Event()
                    tasks.start_soon(attempt, address, failed)
                    with anyio.move_on_after(HAPPY_EYEBALLS_DELAY):
                        await failed.wait()
        except BaseExceptionGroup as group:
            raise foremost(group) from None
    except BaseException:
        for sock in connected:
            sock.close()
        raise
    if not connected:
        raise failures[0]
    for late in connected[1:]:
        late.close()
    return connected[0]


async def _connected_to(address: Address, source: tuple[str, int] | None) -> socket:
    sock = socket_for(address, source)
    with closed_on_error(sock):
        try:
            sock.connect(address[-1])
        except BlockingIOError:
            await anyio.wait_writable(sock)
            failure = sock.getsockopt(SOL_SOCKET, SO_ERROR)
            if failure:
                raise OSError(failure, os.strerror(failure)) from None
    return sock
