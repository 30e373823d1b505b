"""Who takes part beside a server: each job of each contestant, in a process of its own.

A job is given a ``Meter``. A whole session is timed from connecting to the end of QUIT; everything
else from behind the login to the last answer.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import tools
from benchmarks.meter import Meter
from benchmarks.server import HOST, Address, on_cpus_of

_CHUNK = 64 * 1024
_MEMORY = "/dev/shm"
_LARGE = 8 * 1024 * 1024 * 1024


def _folder() -> TemporaryDirectory[str]:
    # Not on a disk, where some programs wait until each message is safe.
    return TemporaryDirectory(dir=_MEMORY if os.path.isdir(_MEMORY) else None)


class Raw:
    """The limit: the socket itself, and no more than a look at the end of each answer."""

    def __init__(self, meter: Meter) -> None:
        self._folder = meter.folder
        self._sock: socket.socket = socket.create_connection((HOST, meter.address.port))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if meter.context is not None:
            self._sock = meter.context.wrap_socket(self._sock, server_hostname=HOST)
        self._sock.recv(_CHUNK)
        for command in (b"USER user\r\n", b"PASS secret\r\n"):
            self._sock.sendall(command)
            self._sock.recv(_CHUNK)

    def _text(self, take: Callable[[bytes], int] = len) -> int:
        """The octets of one answer, when no other can be behind it."""
        octets, end, recv = 0, b"", self._sock.recv
        while end != b"\r\n.\r\n":
            data = recv(_CHUNK)
            octets += take(data)
            end = data[-5:] if len(data) >= 5 else (end + data)[-5:]
        return octets

    def retr(self, count: int) -> int:
        octets = 0
        for number in range(1, count + 1):
            self._sock.sendall(b"RETR %d\r\n" % number)
            octets += self._text()
        return octets

    def retr_many(self, count: int) -> int:
        commands = b"".join(b"RETR %d\r\n" % number for number in range(1, count + 1))
        sender = threading.Thread(target=self._sock.sendall, args=(commands + b"QUIT\r\n",))
        sender.start()
        octets = 0
        while data := self._sock.recv(_CHUNK):
            octets += len(data)
        sender.join()
        return octets

    def noop(self, count: int) -> int:
        for _ in range(count):
            self._sock.sendall(b"NOOP\r\n")
            self._sock.recv(_CHUNK)
        return count

    def stream(self, count: int) -> int:
        return self.retr(1)

    def file(self, count: int) -> int:
        with (self._folder / "message").open("wb", buffering=0) as file:
            self._sock.sendall(b"RETR 1\r\n")
            return self._text(file.write)

    def quit(self) -> None:
        self._sock.close()


class Poplib:
    """The standard library, or what is called like it."""

    module = "poplib"

    def __init__(self, meter: Meter) -> None:
        library: Any = importlib.import_module(self.module)
        self._folder = meter.folder
        if meter.context is not None:
            self._pop = library.POP3_SSL(HOST, meter.address.port, context=meter.context)
        else:
            self._pop = library.POP3(HOST, meter.address.port)
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

    def file(self, count: int) -> int:
        path = self._folder / "message"
        with path.open("wb") as file:
            file.writelines(line + b"\r\n" for line in self._pop.retr(1)[1])
        return path.stat().st_size

    def listings(self, count: int) -> int:
        self._pop.stat()
        self.kept: Any = (self._pop.list(), self._pop.uidl())
        return len(self.kept[1][1])

    def rows(self, count: int) -> int:
        """The same, with the lines taken apart, as whoever wants to use them has to."""
        self._pop.stat()
        sizes = [(int(n), int(size)) for n, size in map(bytes.split, self._pop.list()[1])]
        names = [(int(n), name) for n, name in map(bytes.split, self._pop.uidl()[1])]
        self.kept = (sizes, names)
        return len(names)

    def quit(self) -> None:
        self._pop.quit()


class Compat(Poplib):
    module = "pop3proto.compat.poplib"


class Blocking:
    """The blocking client."""

    def __init__(self, meter: Meter) -> None:
        from pop3proto.transports.blocking import connect

        self._folder = meter.folder
        self._client = connect(HOST, meter.address.port, **_arguments(meter))
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

    def noop_many(self, count: int) -> int:
        from pop3proto import Noop

        octets = 0
        for reply in self._client.batch([Noop()] * count):
            octets += reply.text == ""
        return octets

    def stream(self, count: int) -> int:
        return sum(map(len, self._client.retr_stream(1)))

    def whole(self, count: int) -> int:
        return len(self._client.retr(1, max_octets=_LARGE).content)

    def file(self, count: int) -> int:
        path = self._folder / "message"
        self._client.save(1, path)
        return path.stat().st_size

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

    async def whole(self, count: int) -> int:
        return len((await self._client.retr(1, max_octets=_LARGE)).content)


def _arguments(meter: Meter) -> dict[str, Any]:
    from pop3proto.transports import ClientOptions, Security

    if meter.context is not None:
        return {"security": Security.TLS, "ssl_context": meter.context}
    options = ClientOptions(allow_plaintext_auth=True)
    return {"security": Security.PLAINTEXT, "options": options}


def _run_blocking(make: Callable[[Meter], Any], job: str, meter: Meter) -> int:
    with ExitStack() as stack:
        if job == "file":
            # What is saved goes away when the clocks have stopped.
            meter.folder = Path(stack.enter_context(_folder()))
        peer = make(meter)
        with meter.logged_in():
            octets: int = getattr(peer, job)(meter.count)
        peer.quit()
    return octets


async def _session(connect: Callable[..., Awaitable[Any]], job: str, meter: Meter) -> int:
    async with await connect(HOST, meter.address.port, **_arguments(meter)) as client:
        await client.login("user", "secret")
        with meter.logged_in():
            octets: int = await getattr(Async(client), job)(meter.count)
    return octets


def _prepare_asyncio(loop: str) -> Callable[[str, Meter], int]:
    from pop3proto.transports.asyncio import connect

    run: Any = importlib.import_module(loop).run
    return lambda job, meter: run(_session(connect, job, meter))


def _prepare_trio() -> Callable[[str, Meter], int]:
    import trio

    from pop3proto.transports.trio import connect

    return lambda job, meter: trio.run(_session, connect, job, meter)


def _prepare_blocking(make: Callable[[Meter], Any]) -> Callable[[str, Meter], int]:
    # What has to be loaded first is no part of what a session costs.
    if make is not Raw:
        importlib.import_module(getattr(make, "module", "pop3proto.transports.blocking"))
    return lambda job, meter: _run_blocking(make, job, meter)


def _prepare_twisted() -> Callable[[str, Meter], int]:
    from benchmarks.twisted_peer import run

    return run


def _prepare_pycurl() -> Callable[[str, Meter], int]:
    pycurl: Any = importlib.import_module("pycurl")

    def run(job: str, meter: Meter) -> int:
        octets = 0

        def write(data: bytes) -> None:
            nonlocal octets
            octets += len(data)

        curl = pycurl.Curl()
        curl.setopt(pycurl.USERPWD, "user:secret")
        curl.setopt(pycurl.WRITEFUNCTION, write)
        scheme = "pop3s" if meter.address.ca else "pop3"
        if meter.address.ca:
            curl.setopt(pycurl.CAINFO, meter.address.ca)
        for number in range(1, meter.count + 1):
            curl.setopt(pycurl.URL, f"{scheme}://{HOST}:{meter.address.port}/{number}")
            curl.perform()
        curl.close()
        return octets

    return run


def _prepare_tool(name: str) -> Callable[[str, Meter], int]:
    def run(job: str, meter: Meter) -> int:
        with _folder() as folder:
            env = tools.prepare(name, Path(folder))
            meter.begin()
            done = tools.fetch(name, meter.address, meter.count, Path(folder), env)
            meter.end()
            # It is this process's own, not the program's.
            meter.results.pop("growth")
            return done()

    return run


@dataclass(frozen=True, slots=True)
class Peer:
    """How to run a contestant, and what it needs."""

    prepare: Callable[[], Callable[[str, Meter], int]]
    module: str = ""
    """What has to be importable."""
    package: str = ""
    """What has to be installed for it."""


PEERS = {
    "raw socket": Peer(lambda: _prepare_blocking(Raw)),
    "poplib": Peer(lambda: _prepare_blocking(Poplib)),
    "pop3proto.compat.poplib": Peer(lambda: _prepare_blocking(Compat)),
    "pop3proto, blocking": Peer(lambda: _prepare_blocking(Blocking)),
    "pop3proto, asyncio": Peer(lambda: _prepare_asyncio("asyncio")),
    "pop3proto, uvloop": Peer(lambda: _prepare_asyncio("uvloop"), "uvloop", "uvloop"),
    "pop3proto, trio": Peer(_prepare_trio, "trio", "trio"),
    "Twisted": Peer(_prepare_twisted, "twisted", "twisted[tls]"),
    "pycurl": Peer(_prepare_pycurl, "pycurl", "pycurl"),
}


def missing(name: str) -> str:
    """The command that installs what ``name`` needs; empty if it is there."""
    if name not in PEERS:
        return tools.missing(name)
    peer = PEERS[name]
    if not peer.module or importlib.util.find_spec(peer.module):
        return ""
    return f"python -m pip install '{peer.package}'"


def run(name: str, job: str, address: dict[str, Any], **about: Any) -> dict[str, float]:
    """What a contestant's job came to: octets or commands, seconds, CPU, growth of memory.

    How much memory a program takes is not known.
    """
    runner = PEERS[name].prepare() if name in PEERS else _prepare_tool(name)
    with on_cpus_of(server=False):
        meter = Meter(Address(**address), **about)
        got = runner(job, meter)
    if not meter.results:
        meter.end()
    return {**meter.results, "got": got}
