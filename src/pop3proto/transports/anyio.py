"""POP3 over anyio, on asyncio or trio."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from socket import SO_ERROR, SOCK_STREAM, SOL_SOCKET, socket
from typing import TYPE_CHECKING

import anyio

from ..client.batch import Batch, Outcome
from ..client.client import AsyncClient
from ..client.message import MessageStream, Progress, SupportsWrite
from ..client.options import (
    DEFAULT_OPTIONS,
    ClientOptions,
    LoginResult,
    QuitResult,
    Security,
    Timeouts,
)
from ..client.stream import Stream, closed_meanwhile, waited_for_twice
from ..model.url import PopUrl
from .connecting import UnixPath, connecting, target, unix_connected, unix_hostname, unix_name
from .sockets import Address, SocketStream, foremost, socket_for

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = [
    "AnyioStream",
    "AsyncClient",
    "Batch",
    "ClientOptions",
    "LoginResult",
    "MessageStream",
    "Outcome",
    "Progress",
    "QuitResult",
    "Security",
    "SupportsWrite",
    "Timeouts",
    "UnixPath",
    "connect",
    "connect_unix",
]

# Seconds between the attempts at the addresses of a host (RFC 8305 section 5).
_HAPPY_EYEBALLS_DELAY = 0.25


class AnyioStream(SocketStream):
    """A ``Stream`` on a connected socket, which it owns."""

    async def wait(self, seconds: float | None, *, read: bool, write: bool) -> bool:
        """Wait until the socket can be read or written; whether it can be read."""
        if self.sock.fileno() < 0:
            raise closed_meanwhile()
        with anyio.move_on_after(seconds) as scope:
            try:
                if read and write:
                    return await self._wait_for_either()
                wait = anyio.wait_readable if read else anyio.wait_writable
                await wait(self.sock)
            except anyio.BusyResourceError:
                raise waited_for_twice() from None
            except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                raise closed_meanwhile() from None
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
            # The tasks are no business of the caller's, who waits for one thing.
            raise foremost(group) from None
        return readable

    def abort(self) -> None:
        """Close the socket."""
        if self.sock.fileno() >= 0:
            with suppress(RuntimeError):
                # Outside of an event loop there is nobody who waits for it.
                anyio.notify_closing(self.sock)
        super().abort()


async def connect(
    host: str | PopUrl,
    port: int | None = None,
    *,
    security: Security | None = None,
    ssl_context: SSLContext | None = None,
    server_hostname: str | None = None,
    source_address: tuple[str, int] | None = None,
    opener: Callable[[str, int], Awaitable[Stream]] | None = None,
    options: ClientOptions | None = None,
) -> AsyncClient:
    """Connect to the POP3 server at ``host``, and return a client that has read its greeting.

    ``host`` is a name, an address, or a POP URL (RFC 2384). The connection is secured as
    ``security`` says, or not made at all; that is implicit TLS if it is not given, and STLS for a
    ``pop://`` URL. ``port`` is 995 for implicit TLS and 110 otherwise if it is not given.
    ``ssl_context`` is ``ssl.create_default_context()`` if none is given: the certificate is
    verified and has to show ``server_hostname``, which is ``host`` if not given. Names that are
    not ASCII are turned into A-labels. ``source_address`` is the address and port, or 0, to
    connect from. ``opener`` opens the byte stream to a host and port in place of a TCP connection,
    as for a proxy; ``source_address`` is not used then.

    Raises ``LocalProtocolError`` for arguments that contradict each other, ``ConnectError``,
    ``DeadlineError``, ``TlsError``, ``TlsUnavailableError``, ``GreetingError``,
    ``RemoteProtocolError`` or ``ConnectionLostError``; the connection is closed then.
    """
    options = options or DEFAULT_OPTIONS
    to = target(host, port, security, server_hostname)

    async def tcp(host: str, port: int) -> Stream:
        return AnyioStream(await _connected(host, port, source_address))

    opening = partial(opener or tcp, to.host, to.port)
    stream = await _opened(opening, str(to), options.timeouts.connect)
    return await AsyncClient.start(
        stream,
        security=to.security,
        ssl_context=ssl_context,
        server_hostname=to.server_hostname,
        options=options,
    )


async def connect_unix(
    path: UnixPath,
    *,
    security: Security = Security.PLAINTEXT,
    ssl_context: SSLContext | None = None,
    server_hostname: str | None = None,
    options: ClientOptions | None = None,
) -> AsyncClient:
    """Connect to the POP3 server that listens at ``path``, and return a client, like ``connect()``.

    There is no TLS if ``security`` does not demand it; ``server_hostname`` is needed then, because
    a path is no name that a certificate could show.

    Raises what ``connect()`` raises, ``ConnectError`` also where there are no UNIX sockets.
    """
    options = options or DEFAULT_OPTIONS
    hostname = unix_hostname(security, server_hostname)

    async def opening() -> Stream:
        return AnyioStream(await unix_connected(path, anyio.sleep))

    stream = await _opened(opening, unix_name(path), options.timeouts.connect)
    return await AsyncClient.start(
        stream,
        security=security,
        ssl_context=ssl_context,
        server_hostname=hostname,
        options=options,
    )


async def _opened(
    opening: Callable[[], Awaitable[Stream]], where: str, seconds: float | None
) -> Stream:
    with connecting(where, seconds), anyio.fail_after(seconds):
        return await opening()


async def _connected(host: str, port: int, source: tuple[str, int] | None) -> socket:
    """A connection to whichever address of ``host`` answers first (RFC 8305).

    anyio's own ``connect_tcp()`` gives a stream that reads ahead on asyncio, and whose socket
    cannot be taken out of it.
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
                    with anyio.move_on_after(_HAPPY_EYEBALLS_DELAY):
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
    try:
        try:
            sock.connect(address[-1])
        except BlockingIOError:
            await anyio.wait_writable(sock)
            failure = sock.getsockopt(SOL_SOCKET, SO_ERROR)
            if failure:
                raise OSError(failure, os.strerror(failure)) from None
    except BaseException:
        sock.close()
        raise
    return sock
