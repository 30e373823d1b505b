"""A loop that calls back, and a socket with the manners of a QSslSocket, over real sockets."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable, Collection
from contextlib import suppress
from math import inf
from time import monotonic

Slot = Callable[..., object]


class Signal:
    def __init__(self) -> None:
        self._slots: list[Slot] = []

    def connect(self, slot: Slot, /) -> None:
        self._slots.append(slot)

    def emit(self, *arguments: object) -> None:
        for slot in self._slots:
            slot(*arguments)


class Timer:
    def __init__(self) -> None:
        self.timeout = Signal()
        self.due: float | None = None

    def start(self, milliseconds: int, /) -> None:
        self.due = monotonic() + milliseconds / 1000

    def stop(self) -> None:
        self.due = None


class SocketWithSignals:
    """Its signals are emitted from ``turn()``, never from within a call of the user's."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.readyRead = Signal()
        self.bytesWritten = Signal()
        self.encrypted = Signal()
        self.errorOccurred = Signal()
        self._context = context
        self._address = ("", 0)
        self._sock: socket.socket | None = None
        self._received = b""
        self._unsent = b""
        self._error = ""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._shaken_hands = False

    def connectToHost(self, host: str, port: int, /) -> None:
        self._address = (host, port)

    def readAll(self) -> bytes:
        received, self._received = self._received, b""
        return received

    def write(self, data: bytes, /) -> int:
        if self._tls is None:
            self._unsent += data
        else:
            self._tls.write(data)
        return len(data)

    def startClientEncryption(self) -> None:
        host, _ = self._address
        self._tls = self._context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    def disconnectFromHost(self) -> None:
        self.abort()

    def abort(self) -> None:
        if self._sock is not None:
            self._sock.close()
        self._sock = None

    def errorString(self) -> str:
        return self._error

    def turn(self, seconds: float) -> None:
        """Connect if that is still to be done; wait for ``seconds`` at most; emit what follows."""
        try:
            if self._sock is None:
                self._sock = socket.create_connection(self._address, seconds)
                self._sock.setblocking(False)
            self._exchange(self._sock, seconds)
        except OSError as error:
            with suppress(OSError):
                self._write()
            self._error = str(error)
            self.errorOccurred.emit(type(error))

    def _exchange(self, sock: socket.socket, seconds: float) -> None:
        self._continue_tls()
        self._write()
        writers = [sock] if self._unsent else []
        readable, _, _ = select.select([sock], writers, [], seconds)
        if readable:
            data = sock.recv(65536)
            if not data:
                raise ConnectionResetError("the remote host closed the connection")
            if self._tls is None:
                self._received += data
            else:
                self._incoming.write(data)
                self._continue_tls()
            self._write()
        if self._received:
            self.readyRead.emit()

    def _continue_tls(self) -> None:
        if self._tls is None:
            return
        with suppress(ssl.SSLWantReadError):
            if not self._shaken_hands:
                self._tls.do_handshake()
                self._shaken_hands = True
                self.encrypted.emit()
            while data := self._tls.read(65536):
                # Qt emits the signal for each part that it has decrypted.
                self._received += data
                self.readyRead.emit()

    def _write(self) -> None:
        self._unsent += self._outgoing.read()
        if self._unsent and self._sock is not None:
            with suppress(BlockingIOError):
                sent = self._sock.send(self._unsent)
                self._unsent = self._unsent[sent:]
                self.bytesWritten.emit(sent)


def run(sock: SocketWithSignals, timers: Collection[Timer], over: Callable[[], bool]) -> None:
    """Run the loop, turn by turn, until it is ``over()``."""
    while not over():
        due = min((timer.due for timer in timers if timer.due is not None), default=inf)
        sock.turn(min(max(due - monotonic(), 0.0), 20.0))
        for timer in timers:
            if timer.due is not None and monotonic() >= timer.due:
                timer.stop()
                timer.timeout.emit()
