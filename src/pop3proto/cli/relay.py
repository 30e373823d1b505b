"""A relay between a POP3 client and a server, which shows what passes to a ``Recorder``."""

from __future__ import annotations

import selectors
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from time import monotonic

from .._value import value
from ..errors import ConnectionLostError, DeadlineError, RemoteProtocolError
from ..transcript import Recorder
from ..transports import Security
from .access import wrong_fingerprint

__all__ = ["Relay", "Route"]

_PIECE = 64 * 1024
# Octets that wait for one side before no more are read from the other, and of a line in the clear.
_MOST_WAITING = 256 * 1024
_LONGEST_LINE = 64 * 1024
# Seconds for a TLS handshake, and for the answers that the relay itself waits for.
_PATIENCE = 30.0


@value
class Route:
    """How the two sides of a relay are secured.

    ``through`` is for TLS that the two ends make with each other: nobody can look into it.
    """

    client: Security
    server: Security
    to_client: ssl.SSLContext | None = None
    """The context of a server, for the client."""
    to_server: ssl.SSLContext | None = None
    """The context of a client, for the server."""
    server_name: str = ""
    through: bool = False
    fingerprint: str | None = None
    """The SHA-256 that the server's certificate has to have, in hexadecimal, or ``None``."""

    @property
    def in_step(self) -> bool:
        """True if the server is asked for STLS when the client asks for it."""
        return self.client is Security.STLS and self.server is Security.STLS


class _Side:
    """One end of the relay: a socket that never blocks, and what waits to be sent to it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.waiting = bytearray()
        self.ended = False
        # True when the other side has ended, and this one was told so.
        self.told = False
        sock.setblocking(False)

    def secure(self, context: ssl.SSLContext, name: str | None) -> None:
        """Make the TLS handshake: as a server without ``name``. Raises ``OSError``."""
        self.sock.settimeout(_PATIENCE)
        if name is None:
            self.sock = context.wrap_socket(self.sock, server_side=True)
        else:
            self.sock = context.wrap_socket(self.sock, server_hostname=name)
        self.sock.setblocking(False)

    def receive(self) -> bytes | None:
        """Return what has arrived, ``b""`` at the end, ``None`` if there is nothing now."""
        try:
            return self.sock.recv(_PIECE)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return None

    def flush(self) -> None:
        """Send what can be sent now."""
        while self.waiting:
            try:
                sent = self.sock.send(self.waiting[:_PIECE])
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                return
            except OSError:
                if not self.ended:
                    raise
                # It has not only said all that it had to say, but has gone.
                self.waiting.clear()
                return
            del self.waiting[:sent]

    def end_sending(self) -> None:
        """Say that nothing more will come, once all that waits was sent; it can still answer."""
        if self.told or self.waiting:
            return
        self.told = True
        # The ssl module cannot say goodbye and go on to read: it would lose what is on its way.
        if not isinstance(self.sock, ssl.SSLSocket):
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)

    @property
    def pending(self) -> bool:
        """True if TLS holds octets that have been received already."""
        return isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0


class Relay:
    """One session between a client and a server.

    ``run()`` raises ``OSError`` and ``Pop3Error`` if the session does not end by itself. ``stop()``
    ends it from another thread. ``idle`` is how many seconds nothing may happen.
    """

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        route: Route,
        recorder: Recorder,
        idle: float,
    ) -> None:
        self._client, self._server = _Side(client), _Side(server)
        self._route, self._recorder, self._idle = route, recorder, idle
        # The beginning of the client's line in the clear, and what the server's next line answers.
        self._line = bytearray()
        self._asked: bytes | None = None
        # The beginning of that line, until the end of it comes.
        self._answer = bytearray()
        # True while the client's lines are looked at, for STLS.
        self._looking = route.client is Security.STLS or route.through
        # True when only octets of TLS pass, which nobody can read.
        self._blind = False
        self.sent: int = 0
        """Octets of the client."""
        self.received: int = 0
        """Octets of the server."""

    def run(self) -> None:
        """Relay until one end closes, or nothing happens for too long."""
        try:
            self._begin()
            self._pump()
        finally:
            self._recorder.closed()

    def stop(self) -> None:
        """Make ``run()`` end, from any thread. Who called ``run()`` has to close."""
        for side in (self._client, self._server):
            # The other thread may be waiting for it, and would not see that it is closed.
            with suppress(OSError):
                side.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close both connections."""
        self._client.sock.close()
        self._server.sock.close()

    def _begin(self) -> None:
        route, greeting = self._route, b""
        if route.server is Security.TLS:
            self._secure_server()
        elif route.server is Security.STLS and not (route.in_step or route.through):
            greeting = self._answer_of_server()
            self._server.sock.sendall(b"STLS\r\n")
            answer = self._answer_of_server()
            if not answer.upper().startswith(b"+OK"):
                raise RemoteProtocolError("the server refuses STLS")
            self._secure_server()
        if route.client is Security.TLS:
            self._secure_client()
        if greeting:
            self._from_server(greeting)

    def _secure_server(self) -> None:
        if self._route.to_server is not None:
            self._server.secure(self._route.to_server, self._route.server_name)
            self._check_fingerprint()

    def _check_fingerprint(self) -> None:
        """Raise ``TlsError`` if the server's certificate is another one."""
        if self._route.fingerprint is None or not isinstance(self._server.sock, ssl.SSLSocket):
            return
        certificate = self._server.sock.getpeercert(binary_form=True) or b""
        found = sha256(certificate).hexdigest()
        if found != self._route.fingerprint:
            raise wrong_fingerprint(found, self._route.fingerprint)

    def _secure_client(self) -> None:
        if self._route.to_client is not None:
            self._client.secure(self._route.to_client, None)
        self._recorder.tls_established()

    def _answer_of_server(self) -> bytes:
        """Return the server's next line, before anything is relayed."""
        sock, line = self._server.sock, bytearray()
        sock.settimeout(_PATIENCE)
        while not line.endswith(b"\n"):
            octet = sock.recv(1)
            if not octet or len(line) > _LONGEST_LINE:
                raise ConnectionLostError("the server ends where it should answer")
            line += octet
        return bytes(line)

    def _pump(self) -> None:
        client, server = self._client, self._server
        deadline = monotonic() + self._idle
        while True:
            for side, other in self._pairs():
                if other.ended:
                    side.end_sending()
            if (server.ended and client.told) or (client.ended and server.ended):
                # A client that the server has left has nobody to talk to.
                return
            ready = self._ready(deadline)
            if not ready and client.ended:
                return
            if not ready:
                raise DeadlineError(f"nothing happened for {self._idle:g} s")
            client.flush()
            server.flush()
            for side, take in ((server, self._from_server), (client, self._from_client)):
                if side in ready:
                    self._receive(side, take)
            # Under TLS, the server does not know that the client has said all.
            deadline = monotonic() + (min(self._idle, _PATIENCE) if client.ended else self._idle)

    def _ready(self, deadline: float) -> list[_Side]:
        """Return the sides of which something can be read or sent now."""
        found: list[_Side] = []
        with selectors.DefaultSelector() as selector:
            for side, other in self._pairs():
                events = selectors.EVENT_WRITE if side.waiting else 0
                if not side.ended and len(other.waiting) < _MOST_WAITING:
                    events |= selectors.EVENT_READ
                    if side.pending:
                        found.append(side)
                if events:
                    selector.register(side.sock, events, side)
            wait = 0 if found else max(deadline - monotonic(), 0.0)
            found += [key.data for key, _ in selector.select(wait) if key.data not in found]
        return found

    def _pairs(self) -> tuple[tuple[_Side, _Side], ...]:
        return (self._client, self._server), (self._server, self._client)

    def _receive(self, side: _Side, take: Callable[[bytes], None]) -> None:
        try:
            data = side.receive()
        except ssl.SSLEOFError:
            # Without the goodbye of TLS, as many do.
            data = b""
        if data == b"":
            side.ended = True
            if side is self._server and self._answer:
                self._to_client(bytes(self._answer))
            if not self._blind:
                if side is self._server:
                    self._recorder.received(b"")
                else:
                    self._recorder.closed()
        elif data is not None:
            take(data)

    def _from_client(self, data: bytes) -> None:
        self.sent += len(data)
        if not self._looking:
            self._to_server(data)
            return
        self._line += data
        while (end := self._line.find(b"\n") + 1) > 0:
            line = bytes(self._line[:end])
            del self._line[:end]
            self._asked = line.strip().upper()
            if self._asked != b"STLS":
                self._to_server(line)
            elif self._line:
                raise RemoteProtocolError("the client sent something after STLS, before TLS")
            elif self._route.in_step or self._route.through:
                self._to_server(line)
            else:
                self._recorder.sent(line)
                self._answer_stls()
                return
        if len(self._line) > _LONGEST_LINE:
            raise RemoteProtocolError("the client sent a line that is too long")

    def _answer_stls(self) -> None:
        """Begin TLS with the client alone."""
        self._to_client(b"+OK begin TLS\r\n")
        self._begin_tls()

    def _begin_tls(self) -> None:
        """Make the handshakes that were agreed on; what was said before has to arrive first."""
        self._looking = False
        if self._route.through:
            self._recorder.tls_established()
            self._blind = True
            return
        client = self._client
        client.sock.settimeout(_PATIENCE)
        client.sock.sendall(client.waiting)
        client.waiting.clear()
        if self._route.in_step:
            self._secure_server()
        self._secure_client()

    def _from_server(self, data: bytes) -> None:
        self.received += len(data)
        if self._looking and self._asked in (b"STLS", b"CAPA"):
            # The network can cut a line anywhere.
            self._answer += data
            if b"\n" not in self._answer and len(self._answer) <= _LONGEST_LINE:
                return
            data = bytes(self._answer)
            self._answer.clear()
        asked, self._asked = self._asked, None
        accepted = data[:3].upper() == b"+OK" and b"\n" in data
        if not self._looking or not accepted or asked not in (b"STLS", b"CAPA"):
            self._to_client(data)
        elif asked == b"STLS":
            self._to_client(data)
            self._begin_tls()
        elif self._route.in_step or self._route.through:
            self._to_client(data)
        else:
            # Clients ask for STLS only if it is offered, and the relay offers it.
            first, end, rest = data.partition(b"\n")
            self._to_client(first + end + b"STLS\r\n" + rest)

    def _to_server(self, data: bytes) -> None:
        if not self._blind:
            self._recorder.sent(data)
        self._server.waiting += data
        self._server.flush()

    def _to_client(self, data: bytes) -> None:
        if not self._blind:
            self._recorder.received(data)
        self._client.waiting += data
        self._client.flush()
