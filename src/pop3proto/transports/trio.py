"""POP3 over trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf
from socket import SOCK_STREAM, socket
from typing import Final, TypeVar

try:
    import trio
except ModuleNotFoundError as _missing:
    raise ImportError(
        "this adapter needs trio: pip install pop3proto[trio]", name="trio"
    ) from _missing

from ..client.client import AsyncClient
from ..client.stream import Stream, stream_closed, stream_in_use
from .connecting import Dialer
from .sockets import Address, SocketStream, closed_on_error, foremost, socket_for

__all__ = ["AsyncClient", "connect", "connect_unix"]

T = TypeVar("T")


class TrioStream(SocketStream):
    """A ``Stream`` on a connected socket, which it owns."""

    async def wait(self, seconds: float | None, *, read: bool, write: bool) -> bool:
        """Wait until the socket can be read or written; return True if it can be read."""
        if self.sock.fileno() < 0:
            raise stream_closed()
        with trio.move_on_after(inf if seconds is None else seconds) as scope:
            try:
                if read and write:
                    return await self._wait_for_either()
                wait = trio.lowlevel.wait_readable if read else trio.lowlevel.wait_writable
                await wait(self.sock)
            except trio.BusyResourceError:
                raise stream_in_use() from None
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                raise stream_closed() from None
            return read
        assert scope.cancelled_caught  # noqa: S101 - there is no other way here
        raise TimeoutError

    async def _wait_for_either(self) -> bool:
        readable = False

        async def reading() -> None:
            nonlocal readable
            await trio.lowlevel.wait_readable(self.sock)
            readable = True
            nursery.cancel_scope.cancel()

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(reading)
                await trio.lowlevel.wait_writable(self.sock)
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            # The caller waits for one thing, and need not know of the nursery.
            raise foremost(group) from None
        return readable

    def abort(self) -> None:
        """Close the socket."""
        if self.sock.fileno() >= 0:
            with suppress(RuntimeError):
                # Outside of trio no task waits for it.
                trio.lowlevel.notify_closing(self.sock)
        super().abort()


class _Dialer(Dialer):
    async def within(self, seconds: float | None, opening: Callable[[], Awaitable[T]]) -> T:
        with trio.move_on_after(inf if seconds is None else seconds):
            return await opening()
        raise TimeoutError

    async def tcp(self, host: str, port: int, source: tuple[str, int] | None) -> socket:
        if source is not None and source[1]:
            # trio binds to an address, not to a port. A port is good for one attempt at a time.
            return await _connected_from(source, host, port)
        local = source[0] if source else None
        try:
            stream = await trio.open_tcp_stream(host, port, local_address=local)
        except BaseExceptionGroup as group:
            # trio runs a nursery here, which puts every error into a group, even a cancellation.
            raise foremost(group) from None
        return socket(fileno=stream.socket.detach())

    async def wrap(self, sock: socket) -> Stream:
        return TrioStream(sock)

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


_dialer = _Dialer()
connect: Final = _dialer.connect
connect_unix: Final = _dialer.connect_unix


async def _connected_from(source: tuple[str, int], host: str, port: int) -> socket:
    failure = OSError("the host has no address")
    addresses = await trio.socket.getaddrinfo(host, port, type=SOCK_STREAM)
    while addresses:
        # Each gets its share of the time, so that one that does not answer leaves some for the
        # next.
        left = trio.current_effective_deadline() - trio.current_time()
        share = max(left / len(addresses), 0.0)
        address = addresses.pop(0)
        try:
            with trio.move_on_after(share):
                return await _connected_to(address, source)
            failure = TimeoutError()
        except OSError as error:
            failure = error
    raise failure


async def _connected_to(address: Address, source: tuple[str, int]) -> socket:
    sock = trio.socket.from_stdlib_socket(socket_for(address, source))
    with closed_on_error(sock):
        await sock.connect(address[-1])
    return socket(fileno=sock.detach())
