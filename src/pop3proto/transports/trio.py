"""POP3 over trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from math import inf
from socket import SOCK_STREAM, socket
from typing import TYPE_CHECKING

import trio

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
    "TrioStream",
    "UnixPath",
    "connect",
    "connect_unix",
]


class TrioStream(SocketStream):
    """A ``Stream`` on a connected socket, which it owns."""

    async def wait(self, seconds: float | None, *, read: bool, write: bool) -> bool:
        """Wait until the socket can be read or written; whether it can be read."""
        if self.sock.fileno() < 0:
            raise closed_meanwhile()
        with trio.move_on_after(inf if seconds is None else seconds) as scope:
            try:
                if read and write:
                    return await self._wait_for_either()
                wait = trio.lowlevel.wait_readable if read else trio.lowlevel.wait_writable
                await wait(self.sock)
            except trio.BusyResourceError:
                raise waited_for_twice() from None
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                raise closed_meanwhile() from None
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
            # The nursery is no business of the caller's, who waits for one thing.
            raise foremost(group) from None
        return readable

    def abort(self) -> None:
        """Close the socket."""
        if self.sock.fileno() >= 0:
            with suppress(RuntimeError):
                # Outside of trio there is nobody who waits for it.
                trio.lowlevel.notify_closing(self.sock)
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
        if source_address is not None and source_address[1]:
            # trio binds to an address, not to a port. A port is good for one attempt at a time.
            return TrioStream(await _connected_from(source_address, host, port))
        local = source_address[0] if source_address else None
        try:
            stream = await trio.open_tcp_stream(host, port, local_address=local)
        except BaseExceptionGroup as group:
            # trio's own nursery wraps what comes out of it, cancellations too.
            raise foremost(group) from None
        return TrioStream(socket(fileno=stream.socket.detach()))

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
        return TrioStream(await unix_connected(path, trio.sleep))

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
    with connecting(where, seconds):
        with trio.move_on_after(inf if seconds is None else seconds):
            return await opening()
        raise TimeoutError


async def _connected_from(source: tuple[str, int], host: str, port: int) -> socket:
    failure = OSError("the host has no address")
    addresses = await trio.socket.getaddrinfo(host, port, type=SOCK_STREAM)
    while addresses:
        # Each gets its share of the time: one that does not answer leaves some for the next.
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
    try:
        await sock.connect(address[-1])
    except BaseException:
        sock.close()
        raise
    return socket(fileno=sock.detach())
