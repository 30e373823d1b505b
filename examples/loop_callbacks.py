"""Fetch a maildrop in a loop that calls back, as Qt's does.

POP3_PASSWORD=... python loop_callbacks.py pop.example.org 110 user@example.org FOLDER

``Download`` works on a QSslSocket and two QTimers, be they PySide6's or PyQt6's, and on whatever
else has the few signals and methods of theirs that are listed here.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pop3proto as pop3

TIMEOUT = 60.0  # Seconds that the server may be silent.
WINDOW = 100  # RETRs sent ahead of their answers, if the server can take that.


class Socket(Protocol):
    """The part of QSslSocket that is used here; its signals have a method ``connect(slot)``."""

    readyRead: Any
    bytesWritten: Any
    encrypted: Any
    errorOccurred: Any

    def connectToHost(self, host: str, port: int, /) -> object: ...
    def readAll(self) -> Any: ...
    def write(self, data: bytes, /) -> object: ...
    def startClientEncryption(self) -> object: ...
    def disconnectFromHost(self) -> object: ...
    def abort(self) -> object: ...
    def errorString(self) -> str: ...


class Timer(Protocol):
    """The part of QTimer that is used here."""

    timeout: Any

    def start(self, milliseconds: int, /) -> object: ...
    def stop(self) -> object: ...


class Download:
    """One session: STLS, the login, LIST, RETR of every message, QUIT; then ``finished()``."""

    def __init__(
        self,
        sock: Socket,
        timer: Timer,
        soon: Timer,
        user: str,
        password: str,
        finished: Callable[[], object],
    ) -> None:
        # By the best mechanism; see Login for all the others.
        self._login = pop3.Login(user, password)
        self.messages: dict[int | str, bytes] = {}
        self.refused: dict[int | str, str] = {}
        self.error: Exception | None = None
        self._login_begun = False
        self._sock, self._timer, self._soon, self._finished = sock, timer, soon, finished
        self._engine = pop3.ClientConnection()
        self._numbers: deque[int] = deque()
        self._body = bytearray()
        self._done = False
        sock.readyRead.connect(self._on_ready_read)
        sock.bytesWritten.connect(self._on_bytes_written)
        sock.encrypted.connect(self._on_encrypted)
        sock.errorOccurred.connect(self._on_error)
        timer.timeout.connect(self._on_timeout)
        soon.timeout.connect(self._on_soon)

    def start(self, host: str, port: int) -> None:
        """Connect. The socket verifies the certificate, and ``host`` in it."""
        self._sock.connectToHost(host, port)
        self._restart_timer()

    def _restart_timer(self) -> None:
        if not self._done:
            self._timer.start(round(TIMEOUT * 1000))

    def _on_ready_read(self) -> None:
        # Under TLS this is called for each part of what has arrived. The rest comes before the
        # timer: what is given to the engine after a command would answer it.
        self._restart_timer()
        self._soon.start(0)

    def _on_soon(self) -> None:
        self._soon.stop()
        self._take()
        if self._engine.secure and not self._login_begun and not self._done:
            self._login_begun = True
            try:
                self._log_in(None)
            except pop3.Pop3Error as error:
                self._end(error)

    def _take(self) -> None:
        data = bytes(self._sock.readAll())
        if data:  # Nothing to read is not the end of the stream here; to the engine it would be.
            self._feed(data)

    def _on_bytes_written(self, _: int) -> None:
        self._restart_timer()

    def _on_encrypted(self) -> None:
        self._engine.tls_established()
        self._soon.start(0)

    def _on_error(self, _: object) -> None:
        # The end of the stream is one of these errors; before QUIT is answered it is a loss.
        self._take()
        self._end(pop3.ConnectionLostError(self._sock.errorString()))

    def _on_timeout(self) -> None:
        self._end(pop3.DeadlineError(f"the server was silent for {TIMEOUT:g} s"))

    def _end(self, error: Exception | None) -> None:
        if self._done:
            return
        self._done, self.error = True, error
        self._timer.stop()
        self._soon.stop()
        if error is None:
            self._sock.disconnectFromHost()
        else:
            self._sock.abort()
        self._finished()

    def _feed(self, data: bytes) -> None:
        try:
            self._engine.receive_data(data)
            while not self._done:
                event = self._engine.next_event()
                if event is pop3.Signal.NEED_DATA:
                    break
                if event is pop3.Signal.PAUSED:
                    self._sock.startClientEncryption()
                    break
                self._handle(event)
        except pop3.Pop3Error as error:
            self._end(error)

    def _send(self, command: pop3.Command[Any]) -> None:
        # Never blocks: the socket keeps what the kernel does not take, and reads on.
        self._sock.write(self._engine.send(command))

    def _log_in(self, event: pop3.ClientEvent | None) -> None:
        """Give an event to the login, or none to begin it; send what it wants to be sent."""
        if (command := self._login.feed(event, self._engine)) is not None:
            self._send(command)
        elif self._login.done:
            self._send(pop3.Capa())  # The server may offer more than before the login.

    def _handle(self, event: pop3.ClientEvent) -> None:
        if self._engine.secure and not self._login.done:
            self._log_in(event)
            return
        match event:
            case pop3.Greeting():
                self._send(pop3.Stls())
            case pop3.Ok(pop3.Stls()):
                pass  # The engine is PAUSED next.
            case pop3.Ok(pop3.Quit()) | pop3.ConnectionClosed():
                self._end(None)
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


def main(host: str, port: str, user: str, folder: str) -> None:
    from PySide6.QtCore import QCoreApplication, QTimer
    from PySide6.QtNetwork import QSslSocket

    app, sock, timer, soon = QCoreApplication(), QSslSocket(), QTimer(), QTimer()
    download = Download(sock, timer, soon, user, os.environ["POP3_PASSWORD"], app.quit)
    download.start(host, int(port))
    app.exec()
    if download.error is not None:
        sys.exit(f"{type(download.error).__name__}: {download.error}")
    for number, content in download.messages.items():
        Path(folder, f"{number}.eml").write_bytes(content)
    for number, text in download.refused.items():
        print(f"message {number} was refused: {text}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
