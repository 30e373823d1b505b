"""POP3 through an HTTP proxy, with CONNECT: an ``opener=`` for every adapter, and no library.

POP3_PASSWORD=... python proxy_http.py http://proxy.example.org:3128 pop.example.org user

The proxy is given the server's name and resolves it itself. TLS and STLS run through the tunnel to
the server: the proxy sees neither login nor mail.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, cast
from urllib.parse import unquote, urlsplit

import pop3proto
from pop3proto.transports import Stream
from pop3proto.transports.asyncio import AsyncioStream
from pop3proto.transports.blocking import connect

HEADER = 64 * 1024  # Octets of a proxy's answer, at most.


class Proxy(NamedTuple):
    """The contents of a proxy's URL."""

    host: str
    port: int
    login: bytes

    @classmethod
    def at(cls, url: str) -> Proxy:
        """Raises ``ValueError`` for anything but ``http://[user:password@]host:port``."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or not parts.port:
            raise ValueError("this takes http://[user:password@]host:port")
        login = (
            f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
        )
        return cls(parts.hostname, parts.port, login.encode())

    def request(self, host: str, port: int) -> bytes:
        """Return the request for the proxy (RFC 9110 section 9.3.6)."""
        if not host or not host.isascii() or not host.isprintable() or " " in host:
            raise ValueError(f"no host: {host!r}")
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if self.login:
            lines.append(f"Proxy-Authorization: Basic {b64encode(self.login).decode()}")
        return "\r\n".join([*lines, "", ""]).encode()


def check(header: bytes) -> None:
    """Raise ``ConnectError`` if the proxy refuses."""
    status_line = header.split(b"\r\n", 1)[0]
    version, _, status = status_line.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not status.startswith(b"2"):
        raise pop3proto.errors.ConnectError(
            f"the proxy says: {pop3proto.errors.printable(status_line)}"
        )


class Tunnel:
    """A ``Stream`` through a proxy. Octets after the proxy's answer come from the server."""

    def __init__(self, stream: Stream, received: bytes) -> None:
        self._stream = stream
        self._received = received

    @classmethod
    async def dig(cls, stream: Stream, proxy: Proxy, host: str, port: int) -> Tunnel:
        """Ask the proxy at the other end of ``stream`` for a connection to ``host``."""
        try:
            await stream.send(proxy.request(host, port), None)
            received = b""
            while b"\r\n\r\n" not in received:
                data = await stream.receive(None)  # connect() keeps the deadline.
                received += data
                if not data or len(received) > HEADER:
                    raise pop3proto.errors.ConnectError("the proxy gave no answer")
            header, _, rest = received.partition(b"\r\n\r\n")
            check(header)
        except BaseException:
            stream.abort()
            raise
        return cls(stream, rest)

    async def send(self, data: bytes, timeout: float | None) -> None:
        await self._stream.send(data, timeout)

    async def receive(self, timeout: float | None) -> bytes:
        if self._received:
            received, self._received = self._received, b""
            return received
        return await self._stream.receive(timeout)

    async def receive_at_hand(self) -> bytes | None:
        if self._received:
            return await self.receive(None)
        adapters: Any = self._stream  # One of pop3proto's own, which has this method.
        return cast("bytes | None", await adapters.receive_at_hand())

    async def aclose(self) -> None:
        await self._stream.aclose()

    def abort(self) -> None:
        self._stream.abort()


def asyncio_opener(url: str) -> Callable[[str, int], Awaitable[Stream]]:
    """Return an ``opener`` for ``connect()`` of asyncio, and of anyio on asyncio."""
    proxy = Proxy.at(url)

    async def opener(host: str, port: int) -> Tunnel:
        loop = asyncio.get_running_loop()
        _, stream = await loop.create_connection(AsyncioStream, proxy.host, proxy.port)
        return await Tunnel.dig(stream, proxy, host, port)

    return opener


def trio_opener(url: str) -> Callable[[str, int], Awaitable[Stream]]:
    """Return an ``opener`` for ``connect()`` of trio, and of anyio on trio."""
    import trio

    from pop3proto.transports.trio import TrioStream

    proxy = Proxy.at(url)

    async def opener(host: str, port: int) -> Tunnel:
        tcp = await trio.open_tcp_stream(proxy.host, proxy.port)
        stream = TrioStream(socket.socket(fileno=tcp.socket.detach()))
        return await Tunnel.dig(stream, proxy, host, port)

    return opener


def blocking_opener(url: str, timeout: float = 30.0) -> Callable[[str, int], socket.socket]:
    """Return an ``opener`` for the blocking ``connect()``."""
    proxy = Proxy.at(url)

    def opener(host: str, port: int) -> socket.socket:
        sock = socket.create_connection((proxy.host, proxy.port), timeout)
        try:
            sock.sendall(proxy.request(host, port))
            header = b""
            while not header.endswith(b"\r\n\r\n"):
                octet = sock.recv(1)  # One at a time: the octets after the answer are not for us.
                header += octet
                if not octet or len(header) > HEADER:
                    raise pop3proto.errors.ConnectError("the proxy gave no answer")
            check(header)
        except BaseException:
            sock.close()
            raise
        return sock

    return opener


def main(url: str, host: str, user: str) -> None:
    with connect(host, opener=blocking_opener(url)) as client:
        client.login(user, os.environ["POP3_PASSWORD"])
        for number, octets, unique_id in client.messages():
            print(number, octets, unique_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
