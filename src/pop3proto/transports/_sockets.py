"""What the streams on a non-blocking socket have in common: all but the waiting."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from time import monotonic

from ._stream import CHUNK, SEND_BUFFER

__all__ = ["SocketStream"]


# How many chunks are received without waiting, behind one that was full.
_EAGER = 4


class SocketStream(ABC):
    """A ``Stream`` on a connected socket, which it owns."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        if sock.family != getattr(socket, "AF_UNIX", None):
            # A command is one small write, and somebody waits for its answer.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        """The socket."""
        self._unsent = b""
        self._eager = 0

    @abstractmethod
    async def wait(self, seconds: float | None, *, read: bool, write: bool) -> bool:
        """Wait until the socket can be read or written, as wanted; whether it can be read.

        Raises ``TimeoutError`` after ``seconds``.
        """

    async def send(self, data: bytes, timeout: float | None) -> None:
        """Send ``data``, or keep what the socket does not take now for later."""
        self._unsent += data
        self._send_now()
        deadline = None if timeout is None else monotonic() + timeout
        while len(self._unsent) > SEND_BUFFER:
            await self.wait(_left(deadline), read=False, write=True)
            self._send_now()

    async def receive(self, timeout: float | None) -> bytes:
        """The next octets, while what is unsent goes on being sent."""
        deadline = None if timeout is None else monotonic() + timeout
        while True:
            if self._eager:
                # A full chunk came before, so more of it is probably there. Other tasks get their
                # turn all the same, and cancellations are seen: the next wait is not far.
                self._eager -= 1
            elif not await self.wait(_left(deadline), read=True, write=bool(self._unsent)):
                self._send_now()
                continue
            if self._unsent:
                self._send_now()
            try:
                data = self.sock.recv(CHUNK)
            except BlockingIOError:
                # Readiness is a hint: the kernel may have dropped the segment since.
                self._eager = 0
                continue
            if len(data) < CHUNK:
                self._eager = 0
            elif not self._eager:
                self._eager = _EAGER
            return data

    def _send_now(self) -> None:
        try:
            sent = self.sock.send(self._unsent)
        except BlockingIOError:
            return
        self._unsent = self._unsent[sent:]

    async def aclose(self) -> None:
        """Close the socket."""
        self.abort()

    def abort(self) -> None:
        """Close the socket."""
        self.sock.close()


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(deadline - monotonic(), 0.0)
