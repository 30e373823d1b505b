"""SOCKS and HTTP proxies on the loopback interface, which know hosts by name only.

They have a table of names of their own: a client that resolved a name itself, or that asked for
an address, would get nowhere.
"""

from __future__ import annotations

import select
import socket
import socketserver
import struct
from base64 import b64encode
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from threading import Thread
from time import sleep
from typing import cast

NAMES = {"pop.example.org": "127.0.0.1"}
_PATIENCE = 20.0


class Refused(Exception):
    """The client is told so already."""


def _exactly(sock: socket.socket, octets: int) -> bytes:
    data = b""
    while len(data) < octets and (more := sock.recv(octets - len(data))):
        data += more
    if len(data) < octets:
        raise EOFError
    return data


def _relay(client: socket.socket, server: socket.socket) -> None:
    """Hand on what comes from either side until one of them closes."""
    other = {client: server, server: client}
    while readable := select.select(list(other), [], [], _PATIENCE)[0]:
        for sock in readable:
            data = sock.recv(65536)
            if not data:
                return
            other[sock].sendall(data)


class Proxy(socketserver.ThreadingTCPServer):
    """A proxy that is running. It asks for ``login`` (``user:password``) if there is one."""

    scheme: str

    def __init__(
        self, login: str = "", *, names: Mapping[str, str] = NAMES, silent: bool = False
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.names = names
        self.login = login
        self.silent = silent
        self.asked_for: list[tuple[str, int]] = []
        """The hosts and ports, as the clients have named them."""
        self.ports: dict[int, int] = {}
        """Where ports really are, if they are not where clients look for them."""

    def url(self, login: str = "") -> str:
        user = f"{login}@" if login else ""
        return f"{self.scheme}://{user}127.0.0.1:{self.server_address[1]}"

    def agree(self, client: socket.socket) -> tuple[str, int]:
        """Learn where the client wants to go. Raises ``Refused`` or ``EOFError``."""
        raise NotImplementedError

    def answer(self, client: socket.socket, server: socket.socket | None) -> None:
        """Say that ``server`` is connected, or that there is none."""
        raise NotImplementedError


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        proxy, client = cast(Proxy, self.server), cast(socket.socket, self.request)
        client.settimeout(_PATIENCE)
        # The client may be gone at any time; whether it was served is for the tests to see.
        with suppress(OSError, EOFError, Refused):
            if proxy.silent:
                while client.recv(65536):
                    pass
                return
            host, port = proxy.agree(client)
            proxy.asked_for.append((host, port))
            if host not in proxy.names:
                proxy.answer(client, None)
                return
            address = proxy.names[host], proxy.ports.get(port, port)
            with socket.create_connection(address, _PATIENCE) as server:
                proxy.answer(client, server)
                _relay(client, server)


class SocksProxy(Proxy):
    """SOCKS5 (RFC 1928), with user name and password (RFC 1929) if need be."""

    scheme = "socks5"

    def agree(self, client: socket.socket) -> tuple[str, int]:
        _, count = _exactly(client, 2)
        methods = _exactly(client, count)
        method = 2 if self.login else 0
        if method not in methods:
            client.sendall(b"\5\xff")
            raise Refused
        client.sendall(bytes([5, method]))
        if self.login:
            _, length = _exactly(client, 2)
            user = _exactly(client, length)
            password = _exactly(client, _exactly(client, 1)[0])
            right = user + b":" + password == self.login.encode()
            client.sendall(b"\1\0" if right else b"\1\1")
            if not right:
                raise Refused
        _, _, _, kind = _exactly(client, 4)
        if kind == 3:
            host = _exactly(client, _exactly(client, 1)[0]).decode()
        else:
            family, length = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
            host = socket.inet_ntop(family, _exactly(client, length))
        (port,) = struct.unpack("!H", _exactly(client, 2))
        return host, port

    def answer(self, client: socket.socket, server: socket.socket | None) -> None:
        status = 4 if server is None else 0  # 4: host unreachable.
        client.sendall(bytes([5, status, 0, 1]) + bytes(6))


class Socks4aProxy(Proxy):
    """SOCKS4 with names, as SOCKS4a has them. ``login`` is a user, without a password."""

    scheme = "socks4a"

    def agree(self, client: socket.socket) -> tuple[str, int]:
        version, command, port, address = struct.unpack("!BBH4s", _exactly(client, 8))
        user = self._text(client)
        host = socket.inet_ntoa(address)
        # An address 0.0.0.x says that a name follows.
        if host.startswith("0.0.0."):
            host = self._text(client)
        if (version, command, user) != (4, 1, self.login):
            client.sendall(bytes([0, 93]) + bytes(6))
            raise Refused
        return host, port

    def _text(self, client: socket.socket) -> str:
        text = b""
        while not text.endswith(b"\0"):
            text += _exactly(client, 1)
        return text[:-1].decode()

    def answer(self, client: socket.socket, server: socket.socket | None) -> None:
        client.sendall(bytes([0, 91 if server is None else 90]) + bytes(6))


class HttpProxy(Proxy):
    """HTTP CONNECT (RFC 9110 section 9.3.6)."""

    scheme = "http"
    octet_by_octet = False

    def agree(self, client: socket.socket) -> tuple[str, int]:
        header = b""
        while not header.endswith(b"\r\n\r\n"):
            header += _exactly(client, 1)
        request, *fields = header.decode().split("\r\n")
        login = f"Proxy-Authorization: Basic {b64encode(self.login.encode()).decode()}"
        if self.login and login not in fields:
            client.sendall(b"HTTP/1.1 407 Who are you?\r\nProxy-Authenticate: Basic\r\n\r\n")
            raise Refused
        method, target, _ = request.split(" ")
        assert method == "CONNECT"
        host, _, port = target.rpartition(":")
        return host, int(port)

    def answer(self, client: socket.socket, server: socket.socket | None) -> None:
        if server is None:
            client.sendall(b"HTTP/1.1 502 No such host\r\n\r\n")
            return
        answer = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy.example.org\r\n\r\n"
        if self.octet_by_octet:
            for octet in answer:
                client.sendall(bytes([octet]))
                sleep(0.0005)
            return
        # In one packet with the server's greeting, if one comes soon.
        if select.select([server], [], [], 0.1)[0]:
            answer += server.recv(65536)
        client.sendall(answer)


class SlowHttpProxy(HttpProxy):
    octet_by_octet = True


@contextmanager
def running(proxy: Proxy) -> Generator[Proxy]:
    """Let ``proxy`` run; in the end, wait until its connections are closed."""
    with proxy:
        thread = Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
