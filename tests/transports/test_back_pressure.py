"""A slow consumer holds back the server, and two full ends never wait for each other."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from pop3proto import Noop, Retr
from pop3proto.server import MemoryMaildrops, StoredMessage
from pop3proto.transports import ClientOptions, Security, Timeouts
from pop3proto.transports.anyio import AnyioStream
from pop3proto.transports.asyncio import AsyncioStream
from pop3proto.transports.trio import TrioStream
from tests.runtimes import RUNTIMES, moment, serving

PIECE = b"x" * 1022 + b"\r\n"
PIECES = 64 * 1024
# What the kernel and both ends may hold between them; the message has 64 MiB.
HELD = 16 * 1024 * 1024


class LargeMaildrops:
    """One message that is made while it is read, and how much of it was."""

    def __init__(self) -> None:
        self.read = 0

    def open(self, user: str) -> LargeMaildrops.Maildrop:
        return self.Maildrop(self)

    class Maildrop:
        def __init__(self, maildrops: LargeMaildrops) -> None:
            self.messages = [StoredMessage(len(PIECE) * PIECES, b"large")]
            self._maildrops = maildrops

        def open(self, number: int) -> Iterator[bytes]:
            for _ in range(PIECES):
                self._maildrops.read += len(PIECE)
                yield PIECE

        def commit(self, deleted: Any) -> None:
            assert not deleted

        def close(self) -> None:
            pass


async def standstill(name: str, maildrops: LargeMaildrops) -> int:
    """How much was read from the maildrop when it did not get more for a while."""
    before, quiet = -1, 0
    while quiet < 10:
        quiet = quiet + 1 if maildrops.read == before else 0
        before = maildrops.read
        await moment(name, 0.02)
    return before


@pytest.mark.thinned
@pytest.mark.parametrize("name", RUNTIMES)
@pytest.mark.parametrize("mode", [Security.PLAINTEXT, Security.TLS], ids=["plain", "tls"])
@pytest.mark.parametrize("how", ["stream", "batch"])
def test_a_consumer_that_stops_reading_stops_the_server(
    name: str, mode: Security, how: str
) -> None:
    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        client = await connect(server.host, server.port, **arguments)
        await client.login("user", "secret")
        if how == "stream":
            await anext(client.retr_stream(1))
        else:
            await anext(client.batch([Noop(), Retr(1)]))
        assert 0 < await standstill(name, maildrops) < HELD
        client.abort()

    maildrops = LargeMaildrops()
    with serving(mode, maildrops) as (server, _, arguments):
        RUNTIMES[name](flow)
        server.wait_until_idle()
    assert maildrops.read < HELD


def tiny(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)


def connected(host: str, port: int) -> socket.socket:
    sock = socket.socket()
    tiny(sock)
    sock.connect((host, port))
    return sock


async def on_trio(host: str, port: int) -> TrioStream:
    return TrioStream(connected(host, port))


async def on_anyio(host: str, port: int) -> AnyioStream:
    return AnyioStream(connected(host, port))


async def on_asyncio(host: str, port: int) -> AsyncioStream:
    sock = connected(host, port)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    _, stream = await loop.create_connection(AsyncioStream, sock=sock)
    return stream


OPENERS: dict[str, Callable[[str, int], Any]] = {
    "blocking": connected,
    "asyncio": on_asyncio,
    "uvloop": on_asyncio,
    "trio": on_trio,
    "anyio-asyncio": on_anyio,
    "anyio-trio": on_anyio,
}


class StubbornServer:
    """A server that reads nothing while it writes, with small buffers."""

    host = "127.0.0.1"

    def __init__(self) -> None:
        self.listener = socket.create_server((self.host, 0))
        tiny(self.listener)
        self.port: int = self.listener.getsockname()[1]
        self.answered = 0
        self.thread = threading.Thread(target=self._talk)

    def __enter__(self) -> StubbornServer:
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.thread.join(60)
        self.listener.close()

    def _talk(self) -> None:
        connection, _ = self.listener.accept()
        with connection, connection.makefile("rb") as lines:
            connection.settimeout(60)
            connection.sendall(b"+OK ready\r\n")
            # A client that fails goes without a word.
            with suppress(OSError):
                for line in lines:
                    connection.sendall(self._answer(line))
                    if line == b"QUIT\r\n":
                        return

    def _answer(self, line: bytes) -> bytes:
        if line == b"CAPA\r\n":
            return b"+OK\r\nUSER\r\nPIPELINING\r\n.\r\n"
        if line.startswith(b"RETR"):
            self.answered += 1
            return b"+OK\r\nx\r\n.\r\n"
        return b"+OK\r\n"


@pytest.mark.parametrize("name", RUNTIMES)
def test_both_ends_have_more_to_send_than_fits(name: str) -> None:
    # Far more than fits between the two ends, so that a window without an end fails. It does so
    # by its deadline: nobody reads any more.
    count = 20_000
    timeouts = Timeouts(reply=10.0, body=10.0)

    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        client = await connect(
            server.host,
            server.port,
            security=Security.PLAINTEXT,
            opener=OPENERS[name],
            options=ClientOptions(allow_plaintext_auth=True, timeouts=timeouts),
        )
        async with client:
            await client.login("user", "secret")
            outcomes = [outcome async for outcome in client.retr_many([1] * count)]
        assert {len(message) for message in outcomes} == {3}
        assert len(outcomes) == count

    with StubbornServer() as server:
        RUNTIMES[name](flow)
    assert server.answered == count


@pytest.mark.parametrize("name", RUNTIMES)
@pytest.mark.parametrize("mode", [Security.TLS, Security.STLS], ids=["tls", "stls"])
def test_tiny_buffers_under_tls(name: str, mode: Security) -> None:
    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        client = await connect(server.host, server.port, opener=OPENERS[name], **arguments)
        async with client:
            await client.login("user", "secret")
            numbers = [1 + number % 50 for number in range(1500)]
            outcomes = [outcome async for outcome in client.retr_many(numbers)]
        assert [message.content for message in outcomes] == [
            messages[number - 1] for number in numbers
        ]

    messages = [b"%d\r\n" % number * 20 for number in range(50)]
    with serving(mode, MemoryMaildrops({"user": messages})) as (server, _, arguments):
        RUNTIMES[name](flow)
        server.wait_until_idle()
