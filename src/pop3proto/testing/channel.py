"""A server's socket, with deadlines."""

from __future__ import annotations

import socket
from contextlib import suppress
from time import monotonic

from ..server.maildrop import CHUNK

__all__ = ["Channel"]

# For how long, and for how many octets, an orderly close goes on reading: closing a socket with
# unread octets resets the connection, and the last answer may be lost with it.
_LINGER_SECONDS = 1.0
_LINGER_OCTETS = 1024 * 1024


class Channel:
    """A connected socket whose client may be silent for at most ``idle_timeout`` seconds.

    Every method but ``close()`` raises ``OSError``, ``TimeoutError`` among it.
    """

    def __init__(self, sock: socket.socket, idle_timeout: float) -> None:
        self._socket = sock
        self._idle_timeout = idle_timeout
        self._deadline = monotonic() + idle_timeout
        self._waiting: list[bytes] = []
        self._waiting_octets = 0

    def receive(self) -> bytes:
        """Flush; return the next octets, or ``b""`` at the end of the stream."""
        self.flush()
        # The deadline is for a whole command, counted from the last answer: with a timeout for each
        # receive, a client could go on forever by sending an octet now and then.
        remaining = self._deadline - monotonic()
        if remaining <= 0:
            raise TimeoutError("the client has been too slow")
        self._socket.settimeout(remaining)
        return self._socket.recv(CHUNK)

    def send(self, data: bytes, *, apart: bool = False) -> None:
        """Send ``data``. Small pieces are held back until they reach 64 KiB, or for ``flush()``.

        ``apart`` sends it at once, in a packet of its own.
        """
        if apart:
            self.flush()
        self._waiting.append(data)
        self._waiting_octets += len(data)
        if apart or self._waiting_octets >= CHUNK:
            self.flush()

    def flush(self) -> None:
        """Send the data that was held back."""
        if not self._waiting:
            return
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_octets = 0
        # A client that does not read has as long for each piece.
        self._socket.settimeout(self._idle_timeout)
        self._socket.sendall(data)
        self._deadline = monotonic() + self._idle_timeout

    def close(self) -> None:
        """Flush, shut down the sending side, and wait a moment for the client to close.

        Never fails: the session is over by then.
        """
        with suppress(OSError):
            self.flush()
            self._socket.shutdown(socket.SHUT_WR)
            self._deadline = monotonic() + min(_LINGER_SECONDS, self._idle_timeout)
            octets = 0
            while octets < _LINGER_OCTETS and (data := self.receive()):
                octets += len(data)
