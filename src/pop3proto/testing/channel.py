"""A server's socket, with deadlines."""

from __future__ import annotations

import socket
from contextlib import suppress
from time import monotonic

from ..server.maildrop import CHUNK

__all__ = ["Channel"]

# How long, in seconds, and for how many octets an orderly close goes on reading: closing a socket
# with unread octets resets the connection, and the last answer may then be lost.
_LINGER_SECONDS = 1.0
_LINGER_OCTETS = 1024 * 1024


class Channel:
    """A connected socket whose client may be silent for at most ``idle_timeout`` seconds.

    Every method except ``close()`` raises ``OSError``, including ``TimeoutError``.
    """

    def __init__(self, sock: socket.socket, idle_timeout: float) -> None:
        self._socket = sock
        self._idle_timeout = idle_timeout
        self._deadline = monotonic() + idle_timeout
        # Setting the timeout is a system call. A command that comes in one piece, as nearly all do,
        # has all of it; only what is received without an answer in between has less.
        sock.settimeout(idle_timeout)
        self._waited = self._shortened = False

    def receive(self) -> bytes:
        """Return the next octets, or ``b""`` at the end of the stream."""
        # The deadline is for a whole command, counted from the last answer: with a timeout for each
        # receive, a client could go on forever by sending an octet now and then.
        if self._waited:
            remaining = self._deadline - monotonic()
            if remaining <= 0:
                raise TimeoutError("the client was too slow")
            self._socket.settimeout(remaining)
            self._shortened = True
        self._waited = True
        return self._socket.recv(CHUNK)

    def send(self, data: bytes) -> None:
        """Send ``data``; the client has to read it within ``idle_timeout`` seconds."""
        if self._shortened:
            self._socket.settimeout(self._idle_timeout)
        self._socket.sendall(data)
        self._deadline = monotonic() + self._idle_timeout
        self._waited = self._shortened = False

    def close(self) -> None:
        """Shut down the sending side, and wait a moment for the client to close.

        It never fails, because the session is over by then.
        """
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            self._deadline = monotonic() + min(_LINGER_SECONDS, self._idle_timeout)
            self._waited = True
            octets = 0
            while octets < _LINGER_OCTETS and (data := self.receive()):
                octets += len(data)
