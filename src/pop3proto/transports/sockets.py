"""The common part of the streams on a non-blocking socket: everything but the waiting."""

from __future__ import annotations

import os
import select
import socket
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from ..client.stream import CHUNK, SEND_BUFFER, stream_closed, time_left
from ..errors import ConnectError, LocalProtocolError

if TYPE_CHECKING:

    class Closable(Protocol):
        """A socket of any runtime."""

        def close(self) -> None:
            """Close it."""
            ...


__all__ = [
    "HAPPY_EYEBALLS_DELAY",
    "Address",
    "SocketStream",
    "UnixPath",
    "closed_on_error",
    "foremost",
    "readability",
    "socket_for",
    "unix_socket",
]

Address: TypeAlias = tuple[Any, Any, int, str, Any]
"""A row of ``getaddrinfo()``: family, kind, protocol, canonical name, address."""

UnixPath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
"""The path of a UNIX socket."""

HAPPY_EYEBALLS_DELAY = 0.25
"""Seconds between the attempts at the addresses of a host (RFC 8305 section 5)."""

# How many chunks are received without waiting, after one that was full: each wait costs a system
# call.
_EAGER = 4
# Seconds between attempts at a UNIX socket whose queue is full: short, but long enough not to keep
# the processor busy.
_RETRY = 0.01


def readability(sock: socket.socket) -> Callable[[float | None], object]:
    """Return a function that waits until there is something to read, a number of milliseconds.

    That is octets, the end of the stream, or an error; nothing true is returned if there is none.
    The function may raise ``ValueError`` if the socket is closed.
    """
    # select() cannot wait for a descriptor of 1,024 or more; poll() can, if it exists.
    if not hasattr(select, "poll"):

        def within(milliseconds: float | None) -> object:
            seconds = None if milliseconds is None else milliseconds / 1000
            return select.select([sock], [], [], seconds)[0]

        return within
    # One object for the life of the socket, and its own method: a new object each time, or a
    # function around it, would take longer than the look. It rounds up to whole milliseconds.
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return poll.poll


class SocketStream:
    """A ``Stream`` on a connected socket, which it owns."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        if sock.family != getattr(socket, "AF_UNIX", None):
            # A command is one small write, and must not wait for more data to send with it.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        """The socket."""
        self.readable: Callable[[float | None], object] = readability(sock)
        """Tells whether the socket can be read: see ``readability()``."""
        self._unsent = b""
        self._eager = 0
        self._aborted = False

    @abstractmethod
    async def wait(self, seconds: float | None, *, read: bool, write: bool) -> bool:
        """Wait until the socket can be read or written, as wanted; return True if it can be read.

        Raises ``TimeoutError`` after ``seconds``.
        """

    async def send(self, data: bytes, timeout: float | None) -> None:
        """Send ``data``; keep the part that the socket does not accept now for later."""
        self._unsent += data
        self._send_now()
        if len(self._unsent) <= SEND_BUFFER:
            return
        deadline = None if timeout is None else monotonic() + timeout
        while len(self._unsent) > SEND_BUFFER:
            await self.wait(time_left(deadline), read=False, write=True)
            self._send_now()

    async def receive(self, timeout: float | None) -> bytes:
        """Return the next octets; continue to send unsent ones while waiting."""
        deadline = None if timeout is None else monotonic() + timeout
        while True:
            if self._eager:
                # A full chunk came before, so more of it is probably there. Other tasks still get
                # their turn, and cancellations are noticed, because the next wait comes soon.
                self._eager -= 1
            elif not await self.wait(timeout, read=True, write=bool(self._unsent)):
                self._send_if_possible()
                timeout = time_left(deadline)
                continue
            if self._unsent:
                self._send_if_possible()
            data = self._received()
            if data is None:
                # Readiness is a hint: the kernel may have dropped the segment since.
                timeout = time_left(deadline)
                continue
            return data

    def is_quiet(self) -> bool:
        """Return True if nothing has arrived."""
        return not (self._aborted or self.readable(0))

    async def receive_at_hand(self) -> bytes | None:
        """Return octets that have arrived, or ``None`` if there are none; do not wait."""
        return None if self.is_quiet() else self._received()

    def _received(self) -> bytes | None:
        """Return the octets that the socket has, or ``None`` if there are none."""
        try:
            data = self.sock.recv(CHUNK)
        except BlockingIOError:
            self._eager = 0
            return None
        except OSError as error:
            raise self._meant(error) from None
        if len(data) < CHUNK:
            self._eager = 0
            if not data and self._aborted:
                # It was another thread that ended the stream, not the peer.
                raise stream_closed()
        elif not self._eager:
            self._eager = _EAGER
        return data

    def _send_now(self) -> None:
        try:
            sent = self.sock.send(self._unsent)
        except BlockingIOError:
            return
        except OSError as error:
            # Not again: next, the octets that the peer sent before are received.
            self._unsent = b""
            raise self._meant(error) from None
        self._unsent = self._unsent[sent:]

    def _send_if_possible(self) -> None:
        with suppress(OSError):
            # If the peer is gone, receiving shows this after the octets that the peer sent before.
            self._send_now()

    def _meant(self, error: OSError) -> OSError:
        """Return the system's error, or one that says that the stream was closed."""
        return stream_closed() if self._aborted else error

    async def aclose(self) -> None:
        """Close the socket."""
        self.abort()

    def abort(self) -> None:
        """Close the socket."""
        self._aborted = True
        self.sock.close()


def socket_for(address: Address, source: tuple[str, int] | None) -> socket.socket:
    """Return a non-blocking socket that can be connected to ``address``, bound to ``source``.

    Raises ``OSError``, and ``LocalProtocolError`` for a port out of range.
    """
    family, kind, protocol, _, _ = address
    sock = socket.socket(family, kind, protocol)
    with closed_on_error(sock):
        sock.setblocking(False)
        try:
            if source is not None:
                sock.bind(source)
        except OverflowError as error:
            raise LocalProtocolError("the port of source_address is 0 to 65535") from error
    return sock


async def unix_socket(path: UnixPath, sleep: Callable[[float], Awaitable[None]]) -> socket.socket:
    """Return a non-blocking socket that is connected to ``path``.

    Raises ``OSError``, and ``ConnectError`` where there are no UNIX sockets.
    """
    family = getattr(socket, "AF_UNIX", None)
    if family is None:
        raise ConnectError("this platform has no UNIX sockets", hint="connect over TCP")
    sock = socket.socket(family, socket.SOCK_STREAM)
    with closed_on_error(sock):
        sock.setblocking(False)
        while True:
            try:
                sock.connect(os.fspath(path))
                break
            except BlockingIOError:
                # The queue is full (on Linux). The attempt does not go on by itself, and waiting
                # for it does not help: it can be written to, which elsewhere means connected.
                await sleep(_RETRY)
    return sock


@contextmanager
def closed_on_error(sock: Closable) -> Generator[None]:
    """Close a socket if the ``with`` block raises anything, a cancellation included."""
    try:
        yield
    except BaseException:
        sock.close()
        raise


def foremost(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that ``group`` stands for, if its tasks all waited for one thing.

    That is the one that ends the program, if there is one, or else the first. The others follow
    from it, and are mostly cancellations.
    """
    group = group.subgroup((KeyboardInterrupt, SystemExit)) or group
    first = group.exceptions[0]
    if isinstance(first, BaseExceptionGroup):
        return foremost(cast("BaseExceptionGroup[BaseException]", first))
    return first
