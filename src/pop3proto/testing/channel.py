"""A server's end of a connection, in the clear or under TLS, with deadlines."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from time import monotonic

from ..server.maildrop import CHUNK

__all__ = ["Channel"]

# How long, and for how many octets, an orderly close listens on: closing a socket with octets
# unread in it resets the connection, and the last answer may be lost with it.
_LINGER_SECONDS = 1.0
_LINGER_OCTETS = 1024 * 1024


class Channel:
    """A connected socket on which a client may be silent for ``idle_timeout`` seconds at most.

    Every method raises ``OSError``: ``TimeoutError`` and ``ssl.SSLError`` among others.
    """

    def __init__(self, sock: socket.socket, idle_timeout: float) -> None:
        self._socket = sock
        self._idle_timeout = idle_timeout
        self._deadline = monotonic() + idle_timeout
        self._waiting: list[bytes] = []
        self._waiting_octets = 0
        self._tls: ssl.SSLObject | None = None
        # TLS goes through memory, so that another thread can shut the socket down at any time.
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()

    def _receive_octets(self) -> bytes:
        # The deadline is that of a whole command, counted from the last answer: a timeout for
        # each receive would let a client go on for ever with an octet now and then.
        remaining = self._deadline - monotonic()
        if remaining <= 0:
            raise TimeoutError("the client has been too slow")
        self._socket.settimeout(remaining)
        return self._socket.recv(CHUNK)

    def _send_octets(self, data: bytes) -> None:
        # A client that does not read has as long for each piece.
        self._socket.settimeout(self._idle_timeout)
        self._socket.sendall(data)
        self._deadline = monotonic() + self._idle_timeout

    def _flush_tls(self) -> None:
        if self._outgoing.pending:
            self._send_octets(self._outgoing.read())

    def _feed_tls(self) -> None:
        self._flush_tls()
        data = self._receive_octets()
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def start_tls(self, context: ssl.SSLContext) -> ssl.SSLObject:
        """Shake hands, behind what waits to be sent. Only what arrives now belongs to TLS."""
        self.flush()
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        try:
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    self._feed_tls()
        finally:
            # The last flight, or the alert that tells the client why there is none.
            self._flush_tls()
        self._tls = tls
        return tls

    def receive(self) -> bytes:
        """Send what waits; then the next octets, none at all at the end of the stream."""
        self.flush()
        if self._tls is None:
            return self._receive_octets()
        while True:
            try:
                return self._tls.read(CHUNK)
            except ssl.SSLWantReadError:
                self._feed_tls()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    def send(self, data: bytes, *, apart: bool = False) -> None:
        """Take ``data`` for sending. Small pieces wait until they are 64 KiB, or for more to do.

        ``apart`` sends it at once, with nothing before or behind it.
        """
        if apart:
            self.flush()
        self._waiting.append(data)
        self._waiting_octets += len(data)
        if apart or self._waiting_octets >= CHUNK:
            self.flush()

    def flush(self) -> None:
        """Send what waits to be sent."""
        if not self._waiting:
            return
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_octets = 0
        if self._tls is None:
            self._send_octets(data)
        else:
            self._tls.write(data)
            self._flush_tls()

    def close(self) -> None:
        """Send what waits, say that nothing follows, and wait a moment for the client to close.

        Never fails: the session is over by then.
        """
        with suppress(OSError):
            self.flush()
            if self._tls is not None:
                with suppress(ssl.SSLError):
                    # Writes our close_notify, then complains that the client's is not there yet.
                    self._tls.unwrap()
                self._flush_tls()
            self._socket.shutdown(socket.SHUT_WR)
            self._deadline = monotonic() + min(_LINGER_SECONDS, self._idle_timeout)
            octets = 0
            while octets < _LINGER_OCTETS and (data := self._receive_octets()):
                octets += len(data)
