"""POP3 over blocking sockets."""

from __future__ import annotations

import select
import socket
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from math import ceil
from time import monotonic, sleep
from typing import TYPE_CHECKING, TypeVar

from ..client._blocking import Client
from ..client.options import ClientOptions, Security, SecurityName, Timeouts
from ..client.stepping import run
from ..client.stream import Stream, stream_closed, time_left
from .connecting import Dialer
from .sockets import Address, SocketStream, UnixPath, closed_on_error, socket_for

if TYPE_CHECKING:
    from ssl import SSLContext

    from ..model.url import PopUrl

__all__ = ["Client", "connect", "connect_unix"]

T = TypeVar("T")

# What is shown the sockets of a thread, by the thread's number.
_WATCHERS: dict[int, Callable[[socket.socket], object]] = {}


class BlockingStream(SocketStream):
    """A ``Stream`` on a connected socket whose coroutines block instead of suspending."""

    async def receive(self, timeout: float | None) -> bytes:
        """Return the next octets; continue to send unsent ones while waiting."""
        deadline = None if timeout is None else monotonic() + timeout
        if not self._unsent:
            # Nearly always: without coroutines for the wait and the other cases, a NOOP takes a
            # tenth fewer instructions.
            if self._eager:
                self._eager -= 1
            else:
                self._wait(timeout, read=True, write=False)
            if (data := self._received()) is not None:
                return data
        return await super().receive(time_left(deadline))

    async def wait(self, seconds: float | None, *, read: bool, write: bool) -> bool:
        """Block until the socket can be read or written; return True if it can be read."""
        return self._wait(seconds, read, write)

    def _wait(self, seconds: float | None, read: bool, write: bool) -> bool:
        if self._aborted:
            # Its descriptor may belong to another file by now.
            raise stream_closed()
        try:
            if write:
                readable, writable = _wait_for(self.sock, seconds, read, write)
            else:
                milliseconds = None if seconds is None else seconds * 1000
                readable = writable = bool(self.readable(milliseconds))
        except ValueError:
            # A socket that was closed has no descriptor.
            raise stream_closed() from None
        if not (readable or writable):
            raise TimeoutError
        return readable

    def abort(self) -> None:
        """Close the socket, and wake another thread that waits for it."""
        self._aborted = True
        with suppress(OSError):
            # Closing the descriptor alone would not wake it.
            self.sock.shutdown(socket.SHUT_RDWR)
        super().abort()


def _select(
    sock: socket.socket, seconds: float | None, read: bool, write: bool
) -> tuple[bool, bool]:
    readers, writers = [sock] if read else [], [sock] if write else []
    readable, writable, _ = select.select(readers, writers, [], seconds)
    return bool(readable), bool(writable)


def _poll(sock: socket.socket, seconds: float | None, read: bool, write: bool) -> tuple[bool, bool]:
    poll = select.poll()
    poll.register(sock, (select.POLLIN if read else 0) | (select.POLLOUT if write else 0))
    ready = poll.poll(None if seconds is None else ceil(seconds * 1000))
    events = ready[0][1] if ready else 0
    # Everything other than POLLOUT (data, the end, an error) shows when reading, if reading is
    # wanted.
    return read and bool(events & ~select.POLLOUT), bool(events)


# select() cannot wait for a descriptor of 1,024 or more; poll() can, if it exists.
_wait_for = _poll if hasattr(select, "poll") else _select


def connect(
    host: str | PopUrl,
    port: int | None = None,
    *,
    security: Security | SecurityName | None = None,
    timeout: float | Timeouts | None = None,
    ssl_context: SSLContext | None = None,
    server_hostname: str | None = None,
    source_address: tuple[str, int] | None = None,
    opener: Callable[[str, int], socket.socket | Stream] | None = None,
    options: ClientOptions | None = None,
) -> Client:
    """Connect to the POP3 server at ``host``, and return a client that has read its greeting.

    ``host`` is a name, an address, or a POP URL (RFC 2384). ``security`` is a ``Security`` or its
    name; the default is implicit TLS, or STLS for a ``pop://`` URL. There is no fallback to another
    mode. ``port`` is by default 995 for implicit TLS and 110 for the other modes. ``timeout`` is
    the number of seconds that each phase may take, or a ``Timeouts``; it replaces
    ``options.timeouts``. ``ssl_context`` is ``ssl.create_default_context()`` if none is given: the
    certificate is verified and has to be valid for ``server_hostname``, by default ``host``. Names
    that are not ASCII are converted to A-labels (``xn--...``). ``source_address`` is a tuple of the
    address and the port to connect from; port 0 stands for any. ``opener`` is for proxies: it takes
    a host and a port, and returns a connected socket or a ``Stream`` to use instead of a TCP
    connection; ``source_address`` is then ignored. The addresses of a host are tried one after the
    other; each gets its share of the connect timeout that is left, so that one that does not answer
    leaves time for the next.

    Raises ``LocalProtocolError`` for a wrong argument, or one that contradicts another one,
    ``ConnectError``, ``DeadlineError``, ``TlsError``, ``TlsUnavailableError``, ``GreetingError``,
    ``RemoteProtocolError`` or ``ConnectionLostError``; the connection is closed then.

    >>> with connect("pop.example.org", timeout=30) as client:  # doctest: +SKIP
    ...     client.login("user", "password")
    ...     message = client.retr(1)
    """
    return Client(
        run(
            _Dialer().connect(
                host,
                port,
                security=security,
                timeout=timeout,
                ssl_context=ssl_context,
                server_hostname=server_hostname,
                source_address=source_address,
                opener=opener,
                options=options,
            )
        )
    )


def connect_unix(
    path: UnixPath,
    *,
    security: Security | SecurityName = Security.PLAINTEXT,
    timeout: float | Timeouts | None = None,
    ssl_context: SSLContext | None = None,
    server_hostname: str | None = None,
    options: ClientOptions | None = None,
) -> Client:
    """Connect to the POP3 server that listens at ``path``; like ``connect()``.

    There is no TLS unless ``security`` demands it; then ``server_hostname`` is needed, because a
    certificate cannot name a path.

    Raises what ``connect()`` raises, and ``ConnectError`` if there are no UNIX sockets.
    """
    return Client(
        run(
            _Dialer().connect_unix(
                path,
                security=security,
                timeout=timeout,
                ssl_context=ssl_context,
                server_hostname=server_hostname,
                options=options,
            )
        )
    )


class _Dialer(Dialer):
    def __init__(self) -> None:
        self._deadline: float | None = None

    async def within(self, seconds: float | None, opening: Callable[[], Awaitable[T]]) -> T:
        self._deadline = None if seconds is None else monotonic() + seconds
        return await opening()

    async def tcp(self, host: str, port: int, source: tuple[str, int] | None) -> socket.socket:
        failure = OSError("the host has no address")
        # For a str, Python loads IDNA's codec, even for ASCII: a fiftieth of a program's start.
        name = host.encode("ascii")
        addresses: list[Address] = [*socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)]
        while addresses:
            left = None if self._deadline is None else self._deadline - monotonic()
            if left is not None and left <= 0:
                raise TimeoutError
            share = None if left is None else left / len(addresses)
            try:
                return _connected_to(addresses.pop(0), share, source)
            except OSError as error:
                failure = error
        raise failure

    async def wrap(self, sock: socket.socket) -> Stream:
        show_socket(sock)
        return BlockingStream(sock)

    async def sleep(self, seconds: float) -> None:
        if self._deadline is not None and monotonic() >= self._deadline:
            raise TimeoutError
        sleep(seconds)  # noqa: ASYNC251 - there is no event loop to hold up


def _connected_to(
    address: Address, seconds: float | None, source: tuple[str, int] | None
) -> socket.socket:
    sock = socket_for(address, source)
    with closed_on_error(sock):
        show_socket(sock)
        sock.settimeout(seconds)
        sock.connect(address[-1])
    return sock


@contextmanager
def watched(watcher: Callable[[socket.socket], object]) -> Generator[None]:
    """Show ``watcher`` each socket of this thread, before it is connected, and all block long.

    So another thread can shut it down, which ends whatever this one waits for. If ``watcher``
    raises an ``OSError``, the socket is not connected.
    """
    from threading import get_ident

    thread = get_ident()
    before = _WATCHERS.get(thread)
    _WATCHERS[thread] = watcher
    try:
        yield
    finally:
        if before is None:
            del _WATCHERS[thread]
        else:
            _WATCHERS[thread] = before


def show_socket(sock: socket.socket) -> None:
    """Show a socket to what has ``watched()`` this thread; it may have been shown before."""
    # Nearly always, nobody watches, and nothing has to be loaded.
    if _WATCHERS:
        from threading import get_ident

        if (watcher := _WATCHERS.get(get_ident())) is not None:
            watcher(sock)


def open_socket(host: str, port: int, seconds: float) -> socket.socket:
    """Return a socket that is connected to ``host``, within ``seconds`` for all its addresses.

    Raises ``OSError``.
    """
    dialer = _Dialer()
    return run(dialer.within(seconds, lambda: dialer.tcp(host, port, None)))
