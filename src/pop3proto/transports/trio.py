"""POP3 over trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from socket import socket
from typing import TYPE_CHECKING

import trio

from ._batch import Outcome
from ._client import AsyncClient
from ._connect import connecting
from ._options import DEFAULT_OPTIONS, ClientOptions, QuitResult, Security, Timeouts
from ._sockets import SocketStream
from ._stream import Stream

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = [
    "AsyncClient",
    "ClientOptions",
    "Outcome",
    "QuitResult",
    "Security",
    "Timeouts",
    "TrioStream",
    "connect",
]


class TrioStream(SocketStream):
    """A ``Stream`` on a connected socket, which it owns."""

    async def wait(self, seconds: float | None, *, read: bool, write: bool) -> bool:
        """Wait until the socket can be read or written; whether it can be read."""
        with trio.move_on_after(inf if seconds is None else seconds) as scope:
            if not (read and write):
                wait = trio.lowlevel.wait_readable if read else trio.lowlevel.wait_writable
                await wait(self.sock)
                return read
            return await self._wait_for_either()
        assert scope.cancelled_caught  # noqa: S101 - there is no other way here
        raise TimeoutError

    async def _wait_for_either(self) -> bool:
        readable = False

        async def reading() -> None:
            nonlocal readable
            await trio.lowlevel.wait_readable(self.sock)
            readable = True
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(reading)
            await trio.lowlevel.wait_writable(self.sock)
            nursery.cancel_scope.cancel()
        return readable

    def abort(self) -> None:
        """Close the socket."""
        if self.sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self.sock)
        super().abort()


async def connect(
    host: str,
    port: int | None = None,
    *,
    security: Security = Security.TLS,
    ssl_context: SSLContext | None = None,
    server_hostname: str | None = None,
    source_address: tuple[str, int] | None = None,
    opener: Callable[[str, int], Awaitable[Stream]] | None = None,
    options: ClientOptions | None = None,
) -> AsyncClient:
    """Connect to the POP3 server at ``host``, and return a client that has read its greeting.

    ``port`` is 995 for implicit TLS and 110 otherwise if it is not given. The connection is
    secured as ``security`` says, or not made at all. ``ssl_context`` is
    ``ssl.create_default_context()`` if none is given: the certificate is verified and has to show
    ``server_hostname``, which is ``host`` if not given. ``opener`` opens the byte stream to a host
    and port in place of a TCP connection, as for a proxy; ``source_address`` is not used then.

    Raises ``ConnectFailed``, ``DeadlineExceeded``, ``TlsError``, ``TlsUnavailable``,
    ``GreetingRefused``, ``RemoteProtocolError`` or ``ConnectionLost``; the connection is closed
    then.
    """
    options = options or DEFAULT_OPTIONS
    number = security.default_port if port is None else port
    seconds = options.timeouts.connect

    async def tcp(host: str, port: int) -> Stream:
        local = source_address[0] if source_address else None
        stream = await trio.open_tcp_stream(host, port, local_address=local)
        return TrioStream(socket(fileno=stream.socket.detach()))

    with connecting(f"{host} port {number}", seconds):
        stream: Stream | None = None
        with trio.move_on_after(inf if seconds is None else seconds):
            stream = await (opener or tcp)(host, number)
        if stream is None:
            raise TimeoutError
    return await AsyncClient.start(
        stream,
        security=security,
        ssl_context=ssl_context,
        server_hostname=server_hostname or host,
        options=options,
    )
