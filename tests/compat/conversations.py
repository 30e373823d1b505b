"""Scripted servers, and clients of either module to talk to them."""

import io
import itertools
import poplib as standard
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from pop3proto.compat import poplib as dropin

# Typed as what both are: poplib. Only the drop-in has types of its own.
STANDARD: Any = standard
DROPIN: Any = dropin
BOTH = [STANDARD, DROPIN]
NAMES = ["standard", "dropin"]


class Script:
    """Answers each line it gets with the next of its replies, then ends the stream, or not."""

    def __init__(
        self, sock: socket.socket, replies: tuple[bytes, ...], *, end: bool = True
    ) -> None:
        self.received: list[bytes] = []
        self._sock = sock
        self._replies = replies
        self._end = end

    def run(self) -> None:
        with self._sock, suppress(OSError), self._sock.makefile("rb") as file:
            greeting, *answers = self._replies
            self._sock.sendall(greeting)
            for answer in answers:
                self._take(file.readline())
                self._sock.sendall(answer)
            if not self._end:
                return
            self._sock.shutdown(socket.SHUT_WR)
            while line := file.readline():
                self._take(line)

    def _take(self, line: bytes) -> None:
        if line:
            self.received.append(line)


@contextmanager
def script(*replies: bytes) -> Iterator[tuple[socket.socket, Script]]:
    """A socket whose other end says ``replies``: a greeting, then one for each line it gets."""
    near, far = socket.socketpair()
    near.settimeout(30)
    server = Script(far, replies)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield near, server
    finally:
        # To close it is not enough while somebody holds a file of it.
        with suppress(OSError):
            near.shutdown(socket.SHUT_RDWR)
        near.close()
        thread.join(30)
        assert not thread.is_alive()


class Counting(io.BufferedReader):
    """Counts how often somebody looks at what it holds, and is nobody's to read past."""

    looks = 0

    def peek(self, size: int = 0, /) -> bytes:
        self.looks += 1
        return super().peek(size)


class Fragments:
    """In place of a socket, without a network: what it says comes in pieces of these ``sizes``.

    It says ``replies``: a greeting, then one for each line that it gets, then nothing more.
    """

    file: type[io.BufferedReader] = io.BufferedReader
    """What it is read by."""

    def __init__(
        self, replies: Iterable[bytes], sizes: Iterable[int] = (2**30,), buffering: int = 8192
    ) -> None:
        self.sent = b""
        self.closed = False
        self._replies = iter(replies)
        self._waiting = bytearray(next(self._replies))
        self._sizes = itertools.cycle(sizes)
        self._buffering = buffering

    def makefile(self, mode: str) -> io.BufferedReader:
        assert mode == "rb"
        sock: Any = self
        return self.file(socket.SocketIO(sock, "r"), self._buffering)

    def sendall(self, data: bytes) -> None:
        self.sent += data
        for _ in range(data.count(b"\n")):
            self._waiting += next(self._replies, b"")

    def recv_into(self, buffer: memoryview) -> int:
        count = min(next(self._sizes), len(buffer), len(self._waiting))
        buffer[:count] = self._waiting[:count]
        del self._waiting[:count]
        return count

    def shutdown(self, how: int) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def _decref_socketios(self) -> None:
        # What the standard library's own file of a socket asks for when it is closed.
        pass


def on(module: Any, sock: Any) -> Any:
    """A client of ``module`` on ``sock``, made as programs with a proxy make one."""

    class Client(module.POP3):  # type: ignore[misc]
        def _create_socket(self, timeout: float | None) -> Any:
            return sock

    return Client("pop.example.org")


def looking(module: Any, sock: Fragments) -> Any:
    """A client of ``module`` that never reads past its file."""
    sock.file = Counting
    return on(module, sock)


@contextmanager
def talk(module: Any, *replies: bytes) -> Iterator[tuple[Any, Script]]:
    """A client of ``module``, and the script that it talks to."""
    with script(*replies) as (sock, server), closing(on(module, sock)) as client:
        yield client, server


@contextmanager
def listening(
    session: Callable[[socket.socket], None], context: ssl.SSLContext | None = None
) -> Iterator[int]:
    """The port of a listener on 127.0.0.1 that runs ``session`` for one connection."""

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                if context is None:
                    session(connection)
                else:
                    with context.wrap_socket(connection, server_side=True) as tls:
                        session(tls)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(30)
        assert not thread.is_alive()


def replying(*replies: bytes, end: bool = True) -> Callable[[socket.socket], None]:
    """A session for ``listening()`` that says ``replies``, and ends the stream, or not."""

    def session(sock: socket.socket) -> None:
        Script(sock.dup() if type(sock) is socket.socket else sock, replies, end=end).run()

    return session


def outcome(call: Callable[[], Any]) -> tuple[str, Any]:
    """What a call returns or raises, in a form that can be compared."""
    try:
        return "returned", call()
    except standard.error_proto as error:
        return "error_proto", error.args
    except Exception as error:  # noqa: BLE001 - whatever it is, the other module has to raise it
        return type(error).__name__, error.args
