"""POP3 over blocking sockets."""

from __future__ import annotations

import select
import socket
from math import ceil
from time import monotonic
from typing import TYPE_CHECKING

from ..errors import ConnectFailed, DeadlineExceeded, printable
from ._batch import Outcome
from ._facade import Client, ClientBatch, ClientMessageStream
from ._options import Security, Timeouts
from ._session import ClientOptions, QuitResult
from ._stream import CHUNK, SEND_BUFFER

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = [
    "Client",
    "ClientBatch",
    "ClientMessageStream",
    "ClientOptions",
    "Outcome",
    "QuitResult",
    "Security",
    "SocketStream",
    "Timeouts",
    "connect",
]


class SocketStream:
    """A ``Stream`` on a connected socket, which it owns. Its coroutines never suspend."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._unsent = b""

    async def send(self, data: bytes, timeout: float | None) -> None:
        """Send ``data``, or keep what the socket does not take now for later."""
        self._unsent += data
        self._send_now()
        deadline = None if timeout is None else monotonic() + timeout
        while len(self._unsent) > SEND_BUFFER:
            self._wait(deadline, read=False)
            self._send_now()

    async def receive(self, timeout: float | None) -> bytes:
        """The next octets, while what is unsent goes on being sent."""
        deadline = None if timeout is None else monotonic() + timeout
        while True:
            readable = self._wait(deadline, read=True)
            if self._unsent:
                self._send_now()
            if readable:
                try:
                    return self.sock.recv(CHUNK)
                except BlockingIOError:
                    # Readiness is a hint: the kernel may have dropped the segment since.
                    continue

    def _send_now(self) -> None:
        try:
            sent = self.sock.send(self._unsent)
        except BlockingIOError:
            return
        self._unsent = self._unsent[sent:]

    def _wait(self, deadline: float | None, *, read: bool) -> bool:
        """Wait until something can be done; whether it is reading."""
        seconds = None if deadline is None else max(deadline - monotonic(), 0.0)
        readable, writable = _wait_for(self.sock, seconds, read, bool(self._unsent))
        if not (readable or writable):
            raise TimeoutError
        return readable

    async def aclose(self) -> None:
        """Close the socket."""
        self.sock.close()

    def abort(self) -> None:
        """Close the socket."""
        self.sock.close()


def _wait_with_select(
    sock: socket.socket, seconds: float | None, read: bool, write: bool
) -> tuple[bool, bool]:
    readers, writers, _ = select.select(
        [sock] if read else [], [sock] if write else [], [], seconds
    )
    return bool(readers), bool(writers)


def _wait_with_poll(
    sock: socket.socket, seconds: float | None, read: bool, write: bool
) -> tuple[bool, bool]:
    poll = select.poll()
    poll.register(sock, (select.POLLIN if read else 0) | (select.POLLOUT if write else 0))
    ready = poll.poll(None if seconds is None else ceil(seconds * 1000))
    events = ready[0][1] if ready else 0
    # An error or a hang-up shows by reading, or by writing if nothing is to be read.
    readable = read and bool(events & ~select.POLLOUT)
    return readable, bool(events) and not (readable and not events & select.POLLOUT)


# select() cannot wait for a descriptor from 1,024 on; poll() can, where there is one.
_wait_for = _wait_with_poll if hasattr(select, "poll") else _wait_with_select


def connect(
    host: str,
    port: int | None = None,
    *,
    security: Security = Security.TLS,
    ssl_context: SSLContext | None = None,
    server_hostname: str | None = None,
    source_address: tuple[str, int] | None = None,
    options: ClientOptions | None = None,
) -> Client:
    """Connect to the POP3 server at ``host``, and return a client that has read its greeting.

    ``port`` is 995 for implicit TLS and 110 otherwise if it is not given. The connection is
    secured as ``security`` says, or not made at all. ``ssl_context`` is
    ``ssl.create_default_context()`` if none is given: the certificate is verified and has to show
    ``server_hostname``, which is ``host`` if not given.

    Raises ``ConnectFailed``, ``DeadlineExceeded``, ``TlsError``, ``TlsUnavailable``,
    ``GreetingRefused``, ``RemoteProtocolError`` or ``ConnectionLost``; the socket is closed then.

    >>> with connect("pop.example.org") as client:  # doctest: +SKIP
    ...     client.login("user", "password")
    ...     message = client.retr(1)
    """
    options = options or ClientOptions()
    number = security.default_port if port is None else port
    sock = _connected(host, number, options.timeouts.connect, source_address)
    return Client.start(
        SocketStream(sock),
        security=security,
        ssl_context=ssl_context,
        server_hostname=server_hostname or host,
        options=options,
    )


def _connected(
    host: str, port: int, seconds: float | None, source: tuple[str, int] | None
) -> socket.socket:
    deadline = None if seconds is None else monotonic() + seconds
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConnectFailed(f"{printable(host)} has no address: {error}") from error
    errors: list[OSError] = []
    for family, kind, protocol, _, address in addresses:
        left = None if deadline is None else deadline - monotonic()
        if left is not None and left <= 0:
            break
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(left)
            if source is not None:
                sock.bind(source)
            sock.connect(address)
            # A command is one small write that waits for its answer.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            errors.append(error)
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    where = f"{printable(host)} port {port}"
    if not errors or isinstance(errors[-1], TimeoutError):
        message = f"no connection to {where} within {seconds:g} s"
        raise DeadlineExceeded(message, phase="connect", seconds=seconds or 0.0)
    raise ConnectFailed(f"no connection to {where}: {errors[-1]}") from errors[-1]
