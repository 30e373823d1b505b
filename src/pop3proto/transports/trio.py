"""POP3 over trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf
from socket import SOCK_STREAM, socket
from typing import TYPE_CHECKING, TypeVar

try:
    import trio
except ModuleNotFoundError as _missing:
    raise ImportError(
        "this adapter needs trio: pip install pop3proto[trio]", name="trio"
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
    try:
        await sock.connect(address[-1])
    except BaseException:
        sock.close()
        raise
    return socket(fileno=sock.detach())
