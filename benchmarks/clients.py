"""Clients within a process: each job of each of them, from the login to the last answer.

They call what a user would call, and add up the lengths of what they get.
"""

from __future__ import annotations

import importlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.meter import Meter
from benchmarks.server import HOST, Address, Maildrop, on_cpus_of

_CHUNK = 64 * 1024
_LARGE = 8 * 1024 * 1024 * 1024
_ROOM = 256 * 1024
ROUGHLY = 0.07
"""How much of what a server sends may be left out or added: status lines, carriage returns."""


class Raw:
    """The limit: the socket itself, and no more than a look at the end of each answer."""

    def __init__(self, address: Address, context: ssl.SSLContext | None) -> None:
        self._sock: socket.socket = socket.create_connection((HOST, address.port))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # All the commands of retr_many(), so that it need not receive while it sends.
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM)
        if context is not None:
            self._sock = context.wrap_socket(self._sock, server_hostname=HOST)
        self._sock.recv(_CHUNK)
        for command in (b"USER user\r\n", b"PASS secret\r\n"):
            self._sock.sendall(command)
            self._sock.recv(_CHUNK)

    def retr(self, count: int) -> int:
        octets, recv, sendall = 0, self._sock.recv, self._sock.sendall
        for number in range(1, count + 1):
            sendall(b"RETR %d\r\n" % number)
            end = b""
            # No other answer can come after this one.
            while end != b"\r\n.\r\n":
                data = recv(_CHUNK)
                octets += len(data)
                end = data[-5:] if len(data) >= 5 else (end + data)[-5:]
        return octets

    def retr_many(self, count: int) -> int:
        commands = b"".join(b"RETR %d\r\n" % number for number in range(1, count + 1))
        self._sock.sendall(commands + b"QUIT\r\n")
        octets, recv = 0, self._sock.recv
        while data := recv(_CHUNK):
            octets += len(data)
        return octets

    def noop(self, count: int) -> int:
        for _ in range(count):
            self._sock.sendall(b"NOOP\r\n")
            self._sock.recv(_CHUNK)
        return count

    def stream(self, count: int) -> int:
        return self.retr(1)

    def quit(self) -> None:
        self._sock.close()


class Poplib:
    """The standard library, or what is called like it."""

    module = "poplib"

    def __init__(self, address: Address, context: ssl.SSLContext | None) -> None:
        library: Any = importlib.import_module(self.module)
        if context is not None:
            self._pop = library.POP3_SSL(HOST, address.port, context=context)
        else:
            self._pop = library.POP3(HOST, address.port)
        self._pop.user("user")
        self._pop.pass_("secret")

    def retr(self, count: int) -> int:
        return sum(self._pop.retr(number)[2] for number in range(1, count + 1))

    def noop(self, count: int) -> int:
        for _ in range(count):
            self._pop.noop()
        return count

    def whole(self, count: int) -> int:
        return sum(len(line) + 2 for line in self._pop.retr(1)[1])

    def listings(self, count: int) -> int:
        """Return what the others return: the lines have to be taken apart."""
        self._pop.stat()
        sizes = [(int(n), int(size)) for n, size in map(bytes.split, self._pop.list()[1])]
        names = [(int(n), name) for n, name in map(bytes.split, self._pop.uidl()[1])]
        self.kept = (sizes, names)
        return len(names)

    def quit(self) -> None:
        self._pop.quit()


class DropIn(Poplib):
    module = "pop3proto.compat.poplib"


class Blocking:
    """The blocking client."""

    module = "pop3proto.transports.blocking"

    def __init__(self, address: Address, context: ssl.SSLContext | None) -> None:
        library: Any = importlib.import_module(self.module)
        self._client = library.connect(HOST, address.port, **_arguments(context))
        self._client.login("user", "secret")

    def retr(self, count: int) -> int:
        retr = self._client.retr
        return sum(len(retr(number).content) for number in range(1, count + 1))

    def retr_many(self, count: int) -> int:
        messages = self._client.retr_many(range(1, count + 1))
        return sum(len(message.content) for message in messages)

    def noop(self, count: int) -> int:
        noop = self._client.noop
        for _ in range(count):
            noop()
        return count

    def stream(self, count: int) -> int:
        return sum(map(len, self._client.retr_stream(1)))

    def whole(self, count: int) -> int:
        return len(self._client.retr(1, max_octets=_LARGE).content)

    def listings(self, count: int) -> int:
        self._client.stat()
        self.kept = (self._client.list(), self._client.uidl())
        return len(self.kept[1])

    def quit(self) -> None:
        self._client.quit()


class Async:
    """The asynchronous client; its jobs are coroutines."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def retr(self, count: int) -> int:
        octets = 0
        for number in range(1, count + 1):
            octets += len((await self._client.retr(number)).content)
        return octets

    async def retr_many(self, count: int) -> int:
        octets = 0
        async for message in self._client.retr_many(range(1, count + 1)):
            octets += len(message.content)
        return octets

    async def noop(self, count: int) -> int:
        for _ in range(count):
            await self._client.noop()
        return count

    async def stream(self, count: int) -> int:
        octets = 0
        async for data in self._client.retr_stream(1):
            octets += len(data)
        return octets


def _arguments(context: ssl.SSLContext | None) -> dict[str, Any]:
    from pop3proto.transports import ClientOptions

    if context is not None:
        return {"security": "tls", "ssl_context": context}
    return {"security": "plaintext", "options": ClientOptions(allow_plaintext_auth=True)}


Job = tuple[str, int, Address, "ssl.SSLContext | None", Meter]


def _blocking(make: Callable[..., Any]) -> Callable[[Job], int]:
    # What has to be loaded is no part of what a job costs.
    if make is not Raw:
        importlib.import_module(make.module)  # type: ignore[attr-defined]

    def run(job: Job) -> int:
        name, count, address, context, meter = job
        peer = make(address, context)
        meter.begin()
        got: int = getattr(peer, name)(count)
        meter.end()
        peer.quit()
        return got

    return run


async def _session(connect: Callable[..., Awaitable[Any]], job: Job) -> int:
    name, count, address, context, meter = job
    async with await connect(HOST, address.port, **_arguments(context)) as client:
        await client.login("user", "secret")
        meter.begin()
        got: int = await getattr(Async(client), name)(count)
        meter.end()
    return got


def _asyncio(loop: str) -> Callable[[Job], int]:
    from pop3proto.transports.asyncio import connect

    run: Any = importlib.import_module(loop).run
    return lambda job: run(_session(connect, job))


def _trio() -> Callable[[Job], int]:
    import trio

    from pop3proto.transports.trio import connect

    return lambda job: trio.run(_session, connect, job)


CLIENTS: dict[str, Callable[[], Callable[[Job], int]]] = {
    "raw loop": lambda: _blocking(Raw),
    "poplib": lambda: _blocking(Poplib),
    "pop3proto.compat.poplib": lambda: _blocking(DropIn),
    "pop3proto, blocking": lambda: _blocking(Blocking),
    "pop3proto, asyncio": lambda: _asyncio("asyncio"),
    "pop3proto, uvloop": lambda: _asyncio("uvloop"),
    "pop3proto, trio": _trio,
}


def run(
    name: str, job: str, count: int, address: dict[str, Any], maildrop: dict[str, Any]
) -> dict[str, float]:
    """What a client's job takes; raises ``AssertionError`` if it got something else."""
    where = Address(**address)
    context = ssl.create_default_context(cafile=where.ca) if where.ca else None
    run = CLIENTS[name]()
    with on_cpus_of(server=False):
        meter = Meter()
        got = run((job, count, where, context, meter))
    wanted = expected(job, count, Maildrop(**maildrop))
    if abs(got - wanted) > (ROUGHLY * wanted if name == "raw loop" else 0):
        raise AssertionError(f"{name} got {got} where {wanted} was to be got")
    return meter.results


def expected(job: str, count: int, maildrop: Maildrop) -> int:
    """What a job has to come to: octets, or commands answered."""
    if job in {"noop", "listings"}:
        return count
    if job in {"retr", "retr_many"}:
        return sum(map(maildrop.octets, range(1, count + 1)))
    return maildrop.octets(1)
