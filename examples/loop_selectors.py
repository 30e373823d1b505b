"""Fetch maildrops with ``selectors``: non-blocking sockets, and TLS on ``ssl.MemoryBIO``.

POP3_PASSWORD=... python loop_selectors.py pop.example.org 110 user@example.org FOLDER [MECHANISM]
"""

from __future__ import annotations

import os
import selectors
import socket
import ssl
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pop3proto as pop3
from pop3proto.sasl import channel_bindings

TIMEOUT = 60.0  # Seconds that the server may be silent.
WINDOW = 100  # RETRs sent ahead of their answers, if the server can take that.


def login_by(
    mechanism: str | None, user: str, secret: pop3.Secret, host: str, tls: ssl.SSLObject
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


class Download:
    """One session: STLS, the login, LIST, RETR of every message, QUIT."""

    def __init__(
        self,
        sock: socket.socket,
        host: str,
        user: str,
        password: str,
        context: ssl.SSLContext,
        mechanism: str | None = None,
    ) -> None:
        secret = pop3.Secret(password)
        sock.setblocking(False)
        self.sock = sock
        self.messages: dict[int | str, bytes] = {}
        self.refused: dict[int | str, str] = {}
        self.done = False
        self.error: Exception | None = None
        self.deadline = monotonic() + TIMEOUT
        self.unsent = b""
        self._engine = pop3.ClientConnection()
        self._numbers: deque[int] = deque()
        self._body = bytearray()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._tls_begun = False
        self._how = mechanism, user, secret, host
        self._login: pop3.Login | None = None

    def advance(self, readable: bool) -> None:
        """Receive if there is something, and send what the socket takes."""
        try:
            if readable:
                self._receive(self.sock.recv(65536))
            elif monotonic() >= self.deadline:
                raise pop3.DeadlineError(f"the server was silent for {TIMEOUT:g} s")
        except BlockingIOError:
            pass  # Readiness is a hint.
        finally:
            self.unsent += self._outgoing.read()  # After an error: the alert that tells why.
            with suppress(BlockingIOError):
                self.unsent = self.unsent[self.sock.send(self.unsent) :]

    def _receive(self, data: bytes) -> None:
        self.deadline = monotonic() + TIMEOUT
        if data and self._tls_begun:
            self._incoming.write(data)
            self._continue_tls()
        else:
            self._feed(data)

    def _continue_tls(self) -> None:
        with suppress(ssl.SSLWantReadError):
            if not self._engine.secure:
                self._tls.do_handshake()  # Verifies the certificate, and the host name in it.
                self._engine.tls_established()
                self._login = login_by(*self._how, self._tls)
                self._log_in(None)
            while not self.done:
                self._feed(self._decrypted())

    def _decrypted(self) -> bytes:
        """Return all records that have arrived: what is read after a command would answer it."""
        records: list[bytes] = []
        try:
            while record := self._tls.read(65536):
                records.append(record)
        except ssl.SSLWantReadError:
            if not records:
                raise
        return b"".join(records)

    def _feed(self, data: bytes) -> None:
        """Give octets to the engine, none at all at the end of the stream; take all events."""
        self._engine.receive_data(data)
        while not self.done:
            event = self._engine.next_event()
            if event is pop3.Signal.NEED_DATA:
                break
            if event is pop3.Signal.PAUSED:
                self._tls_begun = True
                self._continue_tls()
                break
            self._handle(event)

    def _send(self, command: pop3.Command[Any]) -> None:
        data = self._engine.send(command)
        if self._engine.secure:
            self._tls.write(data)
        else:
            self.unsent += data

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
                self.done = True
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


def run(*downloads: Download) -> None:
    """Run downloads side by side to their ends or to their errors, and close their sockets."""
    with selectors.DefaultSelector() as selector:
        for download in downloads:
            selector.register(download.sock, selectors.EVENT_READ, download)
        while keys := list(selector.get_map().values()):
            first = min(key.data.deadline for key in keys)
            ready = dict(selector.select(max(first - monotonic(), 0.0)))
            for key in keys:
                download = key.data
                try:
                    download.advance(bool(ready.get(key, 0) & selectors.EVENT_READ))
                except (pop3.Pop3Error, OSError) as error:
                    download.error, download.done = error, True
                if download.done:
                    selector.unregister(download.sock)
                    download.sock.close()
                else:
                    # Always to read too, or both ends could wait for each other to read.
                    write = selectors.EVENT_WRITE if download.unsent else 0
                    selector.modify(download.sock, selectors.EVENT_READ | write, download)


def main(host: str, port: str, user: str, folder: str, mechanism: str | None = None) -> None:
    password, context = os.environ["POP3_PASSWORD"], ssl.create_default_context()
    sock = socket.create_connection((host, int(port)), TIMEOUT)
    download = Download(sock, host, user, password, context, mechanism)
    run(download)
    for number, content in download.messages.items():
        Path(folder, f"{number}.eml").write_bytes(content)
    if download.error is not None:
        sys.exit(f"{type(download.error).__name__}: {download.error}")
    for number, text in download.refused.items():
        print(f"message {number} was refused: {text}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
