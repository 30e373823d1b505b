"""POP3 over anyio, on asyncio or trio."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from socket import SO_ERROR, SOCK_STREAM, SOL_SOCKET, socket
from typing import TYPE_CHECKING, TypeVar

try:
    import anyio
except ModuleNotFoundError as _missing:
    raise ImportError(
        "this adapter needs anyio: pip install pop3proto[anyio]", name="anyio"
    ) from _missing

from ..client.client import AsyncClient
from ..client.options import ClientOptions, Security, SecurityName, Timeouts
from ..client.stream import Stream, stream_closed, stream_in_use
from ..model.url import PopUrl
from .connecting import Connecting, Dialer, UnixPath, dial, dial_unix
from .sockets import Address, SocketStream, foremost, socket_for

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["AsyncClient", "connect", "connect_unix"]

T = TypeVar("T")

# Seconds between the attempts at the addresses of a host (RFC 8305 section 5).
_HAPPY_EYEBALLS_DELAY = 0.25


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


def connect(
    host: str | PopUrl,
    port: int | None = None,
    *,
    security: Security | SecurityName | None = None,
    timeout: float | Timeouts | None = None,
    ssl_context: SSLContext | None = None,
    server_hostname: str | None = None,
    source_address: tuple[str, int] | None = None,
    opener: Callable[[str, int], Awaitable[socket | Stream]] | None = None,
    options: ClientOptions | None = None,
) -> Connecting:
    """Connect to the POP3 server at ``host``; the client has read its greeting.

    ``async with connect(...) as client:`` ends with QUIT; ``await connect(...)`` does not.

    ``host`` is a name, an address, or a POP URL (RFC 2384). ``security`` is a ``Security`` or its
    name; the default is implicit TLS, or STLS for a ``pop://`` URL. There is no fallback to another
    mode. ``port`` is by default 995 for implicit TLS and 110 for the other modes. ``timeout`` is
    the number of seconds that each phase may take, or a ``Timeouts``; it replaces
    ``options.timeouts``. ``ssl_context`` is ``ssl.create_default_context()`` if none is given: the
    certificate is verified and has to be valid for ``server_hostname``, by default ``host``. Names
    that are not ASCII are converted to A-labels (``xn--...``). ``source_address`` is a tuple of the
    address and the port to connect from; port 0 stands for any. ``opener`` is for proxies: it takes
    a host and a port, and returns a connected socket or a ``Stream`` to use instead of a TCP
    connection; ``source_address`` is then ignored.

    Raises ``LocalProtocolError`` for a wrong argument, or one that contradicts another one,
    ``ConnectError``, ``DeadlineError``, ``TlsError``, ``TlsUnavailableError``, ``GreetingError``,
    ``RemoteProtocolError`` or ``ConnectionLostError``; the connection is closed then.
    """
    return Connecting(
        host,
        dial(
            _Dialer(),
            host,
            port,
            security=security,
            timeout=timeout,
            ssl_context=ssl_context,
            server_hostname=server_hostname,
            source_address=source_address,
            opener=opener,
            options=options,
        ),
    )


def connect_unix(
    path: UnixPath,
    *,
    security: Security | SecurityName = Security.PLAINTEXT,
    timeout: float | Timeouts | None = None,
    ssl_context: SSLContext | None = None,
    server_hostname: str | None = None,
    options: ClientOptions | None = None,
) -> Connecting:
    """Connect to the POP3 server that listens at ``path``; like ``connect()``.

    There is no TLS unless ``security`` demands it; then ``server_hostname`` is needed, because a
    certificate cannot name a path.

    Raises what ``connect()`` raises, and ``ConnectError`` if there are no UNIX sockets.
    """
    return Connecting(
        path,
        dial_unix(
            _Dialer(),
            path,
            security=security,
            timeout=timeout,
            ssl_context=ssl_context,
            server_hostname=server_hostname,
            options=options,
        ),
        unix=True,
    )


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
