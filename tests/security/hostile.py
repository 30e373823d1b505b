"""A server on loopback that says whatever a test wants it to say, whoever is listening."""

from __future__ import annotations

import functools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import trustme

from pop3proto._value import field_names
from pop3proto.transports import ClientOptions, Security, Timeouts

HOST = "127.0.0.1"
PATIENCE = 30.0
PATIENT = Timeouts(**dict.fromkeys(field_names(Timeouts), PATIENCE))
GREETING = b"+OK ready\r\n"
CAPABILITIES = b"+OK\r\nTOP\r\nUIDL\r\nUSER\r\nPIPELINING\r\nSTLS\r\nSASL PLAIN\r\n.\r\n"
_WORTH_CHECKING = 64 * 1024 * 1024


@functools.cache
def authority() -> trustme.CA:
    """Who issues the certificates of these tests."""
    return trustme.CA()


@functools.cache
def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert("localhost", HOST).configure_cert(context)
    return context


def client_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self.socket = sock
        self._context = context
        self._received = b""
        self.asked = b""
        """The line that is being answered."""

    @property
    def secure(self) -> bool:
        return isinstance(self.socket, ssl.SSLSocket)

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self) -> bytes:
        """What the client says next, without CRLF; ``b""`` at the end."""
        while b"\r\n" not in self._received:
            data = self.socket.recv(65536)
            if not data:
                return b""
            self._received += data
        line, _, self._received = self._received.partition(b"\r\n")
        return line

    def everything(self) -> bytes:
        """What the client says until it closes."""
        with suppress(ConnectionError):
            while data := self.socket.recv(65536):
                self._received += data
        return self._received

    def flood(self, data: bytes) -> int:
        """Say ``data`` again and again, until the client has enough; how many octets it took."""
        octets = 0
        with suppress(OSError):
            while octets < _WORTH_CHECKING:
                self.socket.sendall(data)
                octets += len(data)
        return octets

    def start_tls(self) -> None:
        self.socket = self._context.wrap_socket(self.socket, server_side=True)


Answer: TypeAlias = bytes | Callable[[Peer], None] | None
"""Octets, or what is to be done, or ``None`` for closing the connection."""


def _stls(peer: Peer) -> None:
    peer.say(b"+OK begin\r\n")
    peer.start_tls()


USUAL: Mapping[bytes, Answer] = {
    b"CAPA": CAPABILITIES,
    b"STLS": _stls,
    b"AUTH": b"+OK\r\n",
    b"USER": b"+OK\r\n",
    b"PASS": b"+OK\r\n",
    b"STAT": b"+OK 2 20\r\n",
    b"NOOP": b"+OK\r\n",
    b"DELE": b"+OK\r\n",
    b"QUIT": b"+OK\r\n",
}


@dataclass
class Hostile:
    """A running server."""

    port: int
    how: dict[str, Any]
    """What ``connect()`` has to be told to come in."""
    clear: list[bytes] = field(default_factory=list[bytes])
    """The lines that came in the clear, of all connections."""
    secret: list[bytes] = field(default_factory=list[bytes])
    """The lines that came under TLS."""
    rest: bytes = b""
    """What came behind a reply of a test's own, if that waits for it."""


def options(mode: Security, **more: Any) -> ClientOptions:
    more.setdefault("timeouts", PATIENT)
    more.setdefault("allow_plaintext_auth", mode is Security.PLAINTEXT)
    return ClientOptions(**more)


@contextmanager
def hostile(
    mode: Security,
    answers: Mapping[bytes, Answer] | None = None,
    *,
    greeting: Answer = GREETING,
    context: ssl.SSLContext | None = None,
    **client_options: Any,
) -> Iterator[Hostile]:
    """Serve one connection after the other; ``answers`` go before the usual ones."""
    given = {**USUAL, **(answers or {})}
    listener = socket.create_server((HOST, 0))
    server = Hostile(
        listener.getsockname()[1],
        {
            "security": mode,
            "options": options(mode, **client_options),
            "ssl_context": None if mode is Security.PLAINTEXT else client_context(),
        },
    )
    over = threading.Event()
    connections: list[Peer] = []

    def answer(peer: Peer, what: Answer) -> bool:
        if callable(what):
            what(peer)
        elif what is not None:
            peer.say(what)
        return what is not None

    def talk(peer: Peer) -> None:
        if mode is Security.TLS:
            peer.start_tls()
        going = answer(peer, greeting)
        while going and (line := peer.line()):
            (server.secret if peer.secure else server.clear).append(line)
            peer.asked = line
            going = answer(peer, given.get(line.split(b" ")[0].upper(), b"-ERR what?\r\n"))

    def run() -> None:
        while True:
            sock, _ = listener.accept()
            sock.settimeout(PATIENCE)
            # Else what is said in two parts waits for the client's kernel, 40 ms each time.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = Peer(sock, context or server_context())
            if over.is_set():
                sock.close()
                return
            connections.append(peer)
            try:
                # A client that goes away in the middle is what most of these tests are about.
                with suppress(OSError):
                    talk(peer)
            finally:
                peer.socket.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield server
    finally:
        over.set()
        with suppress(OSError):
            # What a failing test has left behind.
            for peer in connections[-1:]:
                peer.socket.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            socket.create_connection((HOST, server.port), 5).close()
        thread.join(PATIENCE)
        listener.close()
        assert not thread.is_alive()
