"""Fetch a maildrop with Twisted: a ``Protocol``, and ``transport.startTLS()``.

POP3_PASSWORD=... python loop_twisted.py pop.example.org 110 user@example.org FOLDER [MECHANISM]
"""

from __future__ import annotations

import os
import sys
from collections import deque
from pathlib import Path
from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.task import react
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure
from zope.interface import implementer

import pop3proto as pop3
from pop3proto.sasl import ChannelBinding
from pop3proto.sasl.server import end_point

TIMEOUT = 60.0  # Seconds that the server may be silent.
WINDOW = 100  # RETRs sent ahead of their answers, if the server can take that.


def channel_bindings(tls: SSL.Connection) -> list[ChannelBinding]:
    """Return what ties a login to this connection (RFC 9266, RFC 5929), the best first."""
    exported = tls.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
    found = [ChannelBinding("tls-exporter", exported)]
    certificate = tls.get_peer_certificate()
    if certificate is not None:
        binding = end_point(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate))
        found += [] if binding is None else [binding]
    return found


def login_by(
    mechanism: str | None, user: str, secret: pop3.Secret, host: str, tls: SSL.Connection
) -> pop3.Login:
    """Return the login by ``mechanism``, or by the best one that the server offers.

    A token of OAuth is the ``secret`` of XOAUTH2 and OAUTHBEARER.
    """
    if mechanism in ("XOAUTH2", "OAUTHBEARER"):
        return pop3.Login.oauth(user, secret, mechanism=mechanism, host=host)
    return pop3.Login(
        user,
        secret,
        mechanisms=None if mechanism is None else [mechanism],
        channel_binding=channel_bindings(tls),
        host=host,
    )


@implementer(IHandshakeListener)
class Download(Protocol, TimeoutMixin):
    """One session: STLS, the login, LIST, RETR of every message, QUIT."""

    transport: Any

    def __init__(self, host: str, user: str, password: str, mechanism: str | None = None) -> None:
        secret = pop3.Secret(password)
        self.messages: dict[int | str, bytes] = {}
        self.refused: dict[int | str, str] = {}
        self.finished: Deferred[None] = Deferred()  # Fires when the connection is closed.
        self._tls_options = optionsForClientTLS(host)  # Verifies certificate and host name.
        self._engine = pop3.ClientConnection()
        self._how = mechanism, user, secret, host
        self._login: pop3.Login | None = None
        self._received: list[bytes] = []
        self._numbers: deque[int] = deque()
        self._body = bytearray()
        self._done = False
        self._error: BaseException | None = None

    def connectionMade(self) -> None:
        self.setTimeout(TIMEOUT)

    def dataReceived(self, data: bytes) -> None:
        # Under TLS this is called for each record. The others that have arrived come first: what
        # is given to the engine after a command would answer it.
        self.resetTimeout()
        if not self._received:
            self.callLater(0, self._take)
        self._received.append(data)

    def handshakeCompleted(self) -> None:
        self._engine.tls_established()
        self._login = login_by(*self._how, self.transport.getHandle())
        self.callLater(0, self._begin)  # After the records that came with the handshake.

    def timeoutConnection(self) -> None:
        self._fail(pop3.DeadlineError(f"the server was silent for {TIMEOUT:g} s"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.setTimeout(None)
        self._take()
        if reason.check(ConnectionDone):
            self._feed(b"")  # The engine decides if the stream may end here.
        else:
            self._fail(reason.value)  # A reset, or what was wrong with TLS.
        if self._error is None:
            self.finished.callback(None)
        else:
            self.finished.errback(Failure(self._error))

    def _fail(self, error: BaseException | None) -> None:
        # The first error counts, and after QUIT none does.
        if self._error is None and not self._done:
            self._error = error
        self.transport.abortConnection()

    def _begin(self) -> None:
        self._take()
        try:
            if self._error is None:
                self._log_in(None)
        except pop3.Pop3Error as error:
            self._fail(error)

    def _take(self) -> None:
        data = b"".join(self._received)
        self._received.clear()
        if data:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        """Give octets to the engine, none at all at the end of the stream; take all events."""
        try:
            self._engine.receive_data(data)
            while not self._done:
                event = self._engine.next_event()
                if event is pop3.Signal.NEED_DATA:
                    break
                if event is pop3.Signal.PAUSED:
                    self.transport.startTLS(self._tls_options)
                    break
                self._handle(event)
        except pop3.Pop3Error as error:
            self._fail(error)

    def _send(self, command: pop3.Command[Any]) -> None:
        # Never blocks: the transport keeps what the socket does not take, and reads on.
        self.transport.write(self._engine.send(command))

    def _log_in(self, event: pop3.ClientEvent | None) -> None:
        """Give an event to the login, or none to begin it; send what it wants to be sent."""
        assert self._login is not None
        if (command := self._login.feed(event, self._engine)) is not None:
            self._send(command)
        elif self._login.done:
            self._send(pop3.Capa())  # The server may offer more than before the login.

    def _handle(self, event: pop3.ClientEvent) -> None:
        if self._login is not None and not self._login.done:
            self._log_in(event)
            return
        match event:
            case pop3.Greeting():
                self._send(pop3.Stls())
            case pop3.Ok(pop3.Stls()):
                pass  # The engine is PAUSED next.
            case pop3.Ok(pop3.Quit()) | pop3.ConnectionClosed():
                self._done = True
                self.transport.loseConnection()
            case pop3.CapaReply() | pop3.ErrorReply(pop3.Capa()):
                self._send(pop3.List())
            case pop3.ListReply():
                self._numbers.extend(event.listings.numbers)
                self._fetch()
            case pop3.MessageStart():
                self._body = bytearray()
            case pop3.MessageData():
                self._body += event.data
            case pop3.MessageEnd(pop3.Retr(number)):
                self.messages[number] = bytes(self._body)
                self._fetch()
            case pop3.ErrorReply(pop3.Retr(number)):
                self.refused[number] = pop3.errors.printable(event.text)
                self._fetch()
            case pop3.ErrorReply(command, text):
                message = f"the server refused: {pop3.errors.printable(text)}"
                raise pop3.CommandError(message, command=command, reply=event)

    def _fetch(self) -> None:
        capabilities = self._engine.capabilities
        window = WINDOW if capabilities is not None and capabilities.pipelining else 1
        while self._numbers and len(self._engine.in_flight) < window:
            self._send(pop3.Retr(self._numbers.popleft()))
        if not self._engine.in_flight:
            self._send(pop3.Quit())


def save(download: Download, folder: str) -> None:
    for number, content in download.messages.items():
        Path(folder, f"{number}.eml").write_bytes(content)
    for number, text in download.refused.items():
        print(f"message {number} was refused: {text}", file=sys.stderr)


async def main(
    reactor: Any, host: str, port: str, user: str, folder: str, mechanism: str | None = None
) -> None:
    download = Download(host, user, os.environ["POP3_PASSWORD"], mechanism)
    try:
        await connectProtocol(HostnameEndpoint(reactor, host, int(port), TIMEOUT), download)
        await download.finished
    except Exception as error:  # noqa: BLE001 - each layer, TLS included, has errors of its own
        sys.exit(f"{type(error).__name__}: {error}")
    save(download, folder)


if __name__ == "__main__":
    react(main, sys.argv[1:])
