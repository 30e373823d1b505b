"""POP3 over blocking sockets."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import suppress
from math import ceil
from time import monotonic, sleep
from typing import TYPE_CHECKING

from ..client._blocking import Client, ClientBatch, ClientMessageStream
from ..client.batch import Outcome
from ..client.message import Progress, SupportsWrite
from ..client.options import (
    DEFAULT_OPTIONS,
    ClientOptions,
    LoginResult,
    QuitResult,
    Security,
    Timeouts,
)
from ..client.stepping import run
from ..client.stream import closed_meanwhile
from ..model.url import PopUrl
from .connecting import UnixPath, connecting, target, unix_connected, unix_hostname, unix_name
from .sockets import Address, SocketStream, socket_for

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = [
    "BlockingStream",
    "Client",
    "ClientBatch",
    "ClientMessageStream",
    "ClientOptions",
    "LoginResult",
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


class BlockingStream(SocketStream):
    """A ``Stream`` on a connected socket whose coroutines block instead of suspending."""

    async def wait(self, seconds: float | None, *, read: bool, write: bool) -> bool:
        """Block until the socket can be read or written; whether it can be read."""
        try:
            readable, writable = _wait_for(self.sock, seconds, read, write)
        except ValueError:
            # A socket that was closed has no descriptor.
            raise closed_meanwhile() from None
        if not (readable or writable):
            raise TimeoutError
        return readable

    def abort(self) -> None:
        """Close the socket; another thread that waits for it learns of that."""
        self._aborted = True
        with suppress(OSError):
            # To close the descriptor alone would wake nobody.
            self.sock.shutdown(socket.SHUT_RDWR)
        super().abort()


def _select(
    sock: socket.socket, seconds: float | None, read: bool, write: bool
) -> tuple[bool, bool]:
    readers, writers = [sock] if read else [], [sock] if write else []
    readable, writable, _ = select.select(readers, writers, [], seconds)
    return bool(readable), bool(writable)


def _poll(sock: socket.socket, seconds: float | None, read: bool, write: bool) -> tuple[bool, bool]:
    poll = select.poll()
    poll.register(sock, (select.POLLIN if read else 0) | (select.POLLOUT if write else 0))
    ready = poll.poll(None if seconds is None else ceil(seconds * 1000))
    events = ready[0][1] if ready else 0
    # Whatever is not POLLOUT (data, the end, an error) shows by reading, if that is wanted.
    return read and bool(events & ~select.POLLOUT), bool(events)


# select() cannot wait for a descriptor from 1,024 on; poll() can, where there is one.
_wait_for = _poll if hasattr(select, "poll") else _select


def connect(
    host: str | PopUrl,
    port: int | None = None,
    *,
    security: Security | None = None,
    ssl_context: SSLContext | None = None,
    server_hostname: str | None = None,
    source_address: tuple[str, int] | None = None,
    opener: Callable[[str, int], socket.socket] | None = None,
    options: ClientOptions | None = None,
) -> Client:
    """Connect to the POP3 server at ``host``, and return a client that has read its greeting.

    ``host`` is a name, an address, or a POP URL (RFC 2384). The connection is secured as
    ``security`` says, or not made at all; that is implicit TLS if it is not given, and STLS for a
    ``pop://`` URL. ``port`` is 995 for implicit TLS and 110 otherwise if it is not given.
    ``ssl_context`` is ``ssl.create_default_context()`` if none is given: the certificate is
    verified and has to show ``server_hostname``, which is ``host`` if not given. Names that are
    not ASCII are turned into A-labels. ``source_address`` is the address and port, or 0, to
    connect from. ``opener`` makes the connected socket to a host and port in place of a TCP
    connection, as for a proxy; ``source_address`` is not used then. The addresses of a host are
    tried one after the other; each gets its share of what is left of the connect timeout, so that
    one that does not answer leaves time for the next.

    Raises ``LocalProtocolError`` for arguments that contradict each other, ``ConnectError``,
    ``DeadlineError``, ``TlsError``, ``TlsUnavailableError``, ``GreetingError``,
    ``RemoteProtocolError`` or ``ConnectionLostError``; the socket is closed then.

    >>> with connect("pop.example.org") as client:  # doctest: +SKIP
    ...     client.login("user", "password")
    ...     message = client.retr(1)
    """
    options = options or DEFAULT_OPTIONS
    to = target(host, port, security, server_hostname)
    seconds = options.timeouts.connect
    with connecting(str(to), seconds):
        if opener is not None:
            sock = opener(to.host, to.port)
        else:
            sock = _connected(to.host, to.port, seconds, source_address)
    return Client.start(
        BlockingStream(sock),
        security=to.security,
        ssl_context=ssl_context,
        server_hostname=to.server_hostname,
        options=options,
    )


def _connected(
    host: str, port: int, seconds: float | None, source: tuple[str, int] | None
) -> socket.socket:
    deadline = None if seconds is None else monotonic() + seconds
    failure = OSError("the host has no address")
    addresses: list[Address] = [*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    while addresses:
        left = None if deadline is None else deadline - monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        share = None if left is None else left / len(addresses)
        try:
            return _connected_to(addresses.pop(0), share, source)
        except OSError as error:
            failure = error
    raise failure


def _connected_to(
    address: Address, seconds: float | None, source: tuple[str, int] | None
) -> socket.socket:
    sock = socket_for(address, source)
    try:
        sock.settimeout(seconds)
        sock.connect(address[-1])
    except BaseException:
        sock.close()
        raise
    return sock


def connect_unix(
    path: UnixPath,
    *,
    security: Security = Security.PLAINTEXT,
    ssl_context: SSLContext | None = None,
    server_hostname: str | None = None,
    options: ClientOptions | None = None,
) -> Client:
    """Connect to the POP3 server that listens at ``path``, and return a client, like ``connect()``.

    There is no TLS if ``security`` does not demand it; ``server_hostname`` is needed then, because
    a path is no name that a certificate could show.

    Raises what ``connect()`` raises, ``ConnectError`` also where there are no UNIX sockets.
    """
    options = options or DEFAULT_OPTIONS
    hostname = unix_hostname(security, server_hostname)
    seconds = options.timeouts.connect
    deadline = None if seconds is None else monotonic() + seconds

    async def pause(duration: float) -> None:
        if deadline is not None and monotonic() >= deadline:
            raise TimeoutError
        sleep(duration)  # noqa: ASYNC251 - there is no event loop to hold up

    with connecting(unix_name(path), seconds):
        sock = run(unix_connected(path, pause))
    return Client.start(
        BlockingStream(sock),
        security=security,
        ssl_context=ssl_context,
        server_hostname=hostname,
        options=options,
    )
