"""What the shared session may do, what importing an adapter costs, and what errors leave behind."""

from __future__ import annotations

import socket
import subprocess
import sys
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from types import coroutine
from typing import Any

import pytest

from pop3proto import CommandError, Noop, Pop3Error
from pop3proto.client.client import AsyncClient
from pop3proto.errors import ConnectError, LocalProtocolError
from pop3proto.transports import ClientOptions, Security
from tests.collector import without_collector
from tests.runtimes import SMALL, Flow, resolve_to, runtime, security, serving


class Wish:
    """What a stream asks of its driver: no event loop would know it."""

    def __init__(self, sent: bytes | None) -> None:
        self.sent = sent


@coroutine
def asking(wish: Wish) -> Any:
    return (yield wish)


class SuspendingStream:
    """A stream whose every method suspends, with an object that only the driver knows."""

    def __init__(self) -> None:
        self.aborted = False

    async def send(self, data: bytes, timeout: float | None) -> None:
        await asking(Wish(data))

    async def receive(self, timeout: float | None) -> bytes:
        data: bytes = await asking(Wish(None))
        return data

    async def aclose(self) -> None:
        await asking(Wish(b""))

    def abort(self) -> None:
        self.aborted = True


ANSWERS = {
    b"CAPA": b"+OK\r\nUSER\r\nTOP\r\nUIDL\r\nPIPELINING\r\n.\r\n",
    b"STAT": b"+OK 1 3\r\n",
    b"LIST": b"+OK\r\n1 3\r\n.\r\n",
    b"LIST 1": b"+OK 1 3\r\n",
    b"UIDL": b"+OK\r\n1 x\r\n.\r\n",
    b"UIDL 1": b"+OK 1 x\r\n",
    b"RETR 1": b"+OK\r\nx\r\n.\r\n",
    b"TOP 1 0": b"+OK\r\nx\r\n.\r\n",
    b"LAST": b"+OK 1\r\n",
    b"RETR 2": b"-ERR no such message\r\n",
}


def drive(flow: Any) -> list[Wish]:
    """Run ``flow`` against a server of a few lines; all that it suspended with."""
    wishes: list[Wish] = []
    answers = b"+OK ready\r\n"
    value: Any = None
    while True:
        try:
            wish = flow.send(value)
        except StopIteration:
            return wishes
        assert type(wish) is Wish, f"the session awaits something else: {wish!r}"
        wishes.append(wish)
        value = None
        if wish.sent is None:
            assert answers, "the session waits for an answer to nothing"
            value, answers = answers, b""
        else:
            answers += b"".join(ANSWERS.get(line, b"+OK\r\n") for line in wish.sent.splitlines())


def test_the_session_awaits_nothing_but_its_stream(tmp_path: Any) -> None:
    async def flow() -> None:
        client = await AsyncClient.start(
            SuspendingStream(),
            security=Security.PLAINTEXT,
            options=ClientOptions(allow_plaintext_auth=True),
        )
        async with client:
            await client.login("user", "secret")
            await client.messages()
            await client.list(1)
            await client.uidl(1)
            await client.retr(1)
            await client.top(1)
            await client.last()
            await client.save(1, tmp_path / "1.eml")
            async with client.retr_stream(1) as stream:
                async for _ in stream:
                    break
            await client.top_stream(1).read()
            async for _ in client.retr_many([1, 1, 1]):
                pass
            async with client.batch([Noop()] * 3) as batch:
                await anext(batch)
            async for _ in client.dele_many([1]):
                pass
            await client.rset()
            with pytest.raises(CommandError):
                await client.retr(2)
            await client.call(Noop())
        assert client.closed

    wishes = drive(flow())
    sent = b"".join(wish.sent for wish in wishes if wish.sent)
    for command in (*ANSWERS, b"USER user", b"PASS secret", b"NOOP", b"DELE 1", b"RSET", b"QUIT"):
        assert command + b"\r\n" in sent
    assert (tmp_path / "1.eml").read_bytes() == b"x\r\n"


LOADING = "import sys, {}; print(*sys.modules)"
LOOPS = {"asyncio", "trio", "anyio", "uvloop", "twisted", "tornado"}
# What must not be loaded by whom.
UNWANTED = {
    "pop3proto": {*LOOPS, "ssl", "socket", "select"},
    "pop3proto.transports": {*LOOPS, "ssl", "socket", "select"},
    "pop3proto.transports.blocking": {*LOOPS, "ssl"},
    "pop3proto.transports.asyncio": LOOPS - {"asyncio"},
    "pop3proto.transports.trio": LOOPS - {"trio"},
    "pop3proto.transports.anyio": LOOPS - {"anyio", "asyncio"},
}


@pytest.mark.parametrize(("module", "unwanted"), UNWANTED.items(), ids=UNWANTED)
def test_an_import_loads_no_more_than_it_needs(module: str, unwanted: set[str]) -> None:
    asked = [sys.executable, "-c", LOADING.format(module)]
    done = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60)
    loaded = set(done.stdout.split())
    assert module in loaded
    assert not loaded & unwanted


def test_a_plaintext_session_loads_no_tls() -> None:
    program = """
import socket, sys, threading
from pop3proto.transports import Security
from pop3proto.transports.blocking import connect
listener = socket.create_server(("127.0.0.1", 0))
def talk():
    connection, _ = listener.accept()
    with connection:
        for answer in (b"+OK ready\\r\\n", b"-ERR what\\r\\n", b"+OK bye\\r\\n"):
            connection.sendall(answer)
            connection.recv(100)
threading.Thread(target=talk).start()
with connect("127.0.0.1", listener.getsockname()[1], security=Security.PLAINTEXT) as client:
    assert client.capabilities is None
listener.close()
print(*sys.modules)
"""
    asked = [sys.executable, "-c", program]
    done = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60)
    assert not set(done.stdout.split()) & {"ssl", "_ssl", "asyncio", "trio", "anyio"}


@runtime
def test_no_group_comes_out_when_no_address_answers(
    on: Callable[[Flow], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Happy eyeballs fail in tasks of their own: the caller sees one error all the same."""
    free: list[int] = []
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            free.append(listener.getsockname()[1])
    resolve_to(monkeypatch, [("127.0.0.1", port) for port in free])

    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        with pytest.raises(ConnectError) as caught:
            await connect("two.example.org", free[0])
        assert type(caught.value) is ConnectError
        assert "two.example.org" in str(caught.value)
        # Somebody was asked, and refused.
        assert isinstance(caught.value.__cause__, OSError)
        assert not isinstance(caught.value.__cause__, socket.gaierror)

    on(flow)


def first_step(flow: Any) -> Any:
    try:
        flow.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("the stream suspended")


class AnsweringStream:
    """A stream with a server of a few lines behind it, which never suspends."""

    def __init__(self) -> None:
        self.answers = b"+OK ready\r\n"

    async def send(self, data: bytes, timeout: float | None) -> None:
        self.answers += b"".join(ANSWERS.get(line, b"+OK\r\n") for line in data.splitlines())

    async def receive(self, timeout: float | None) -> bytes:
        data, self.answers = self.answers, b""
        return data

    async def aclose(self) -> None:
        pass

    def abort(self) -> None:
        pass


def leaving() -> weakref.ref[AnsweringStream]:
    """A session that ends well, and the stream that it was over."""

    async def session(stream: AnsweringStream) -> None:
        options = ClientOptions(allow_plaintext_auth=True)
        client = await AsyncClient.start(stream, security=Security.PLAINTEXT, options=options)
        async with client:
            await client.login("user", "secret")
            await client.retr(1)
            with pytest.raises(CommandError):
                await client.retr(2)
            async for _ in client.retr_many([1, 2, 1]).outcomes():
                pass
            async with client.retr_stream(1) as message:
                await anext(message)

    stream = AnsweringStream()
    first_step(session(stream))
    return weakref.ref(stream)


def test_a_session_that_ended_well_is_freed_at_once() -> None:
    """Thousands of sessions an hour must not wait for the garbage collector."""
    with without_collector():
        assert leaving()() is None


@runtime
@security
def test_an_error_closes_the_socket_at_once(on: Callable[[Flow], Any], mode: Security) -> None:
    """The error keeps the frames, and these the client; but the connection is closed by then."""
    clients: list[Any] = []

    async def flow(
        fail: Callable[[Any], Awaitable[None]], connect: Callable[..., Awaitable[Any]]
    ) -> None:
        client = await connect(server.host, server.port, **how)
        clients.append(client)
        await client.login("user", "secret")
        with pytest.raises((Pop3Error, ZeroDivisionError)):
            await fail(client)
        assert client.closed

    with without_collector():
        with serving(mode) as (server, maildrops, how):
            for fail in FAILURES:
                on(partial(flow, fail))
                # The maildrop is locked until then.
                server.wait_until_idle()
            assert maildrops.contents("user") == SMALL
        clients.clear()


async def too_long(client: Any) -> None:
    await client.dele(1)
    await client.retr(5, max_octets=1)


async def too_long_in_a_batch(client: Any) -> None:
    await client.dele(1)
    async for _ in client.retr_many([5, 5], max_octets=1):
        pass


async def broken_by_the_caller(client: Any) -> None:
    async with client:
        await client.dele(1)
        async for _ in client.retr_stream(5):
            raise ZeroDivisionError


FAILURES = (too_long, too_long_in_a_batch, broken_by_the_caller)


@runtime
def test_whoever_has_not_logged_in_is_told_to(on: Callable[[Flow], Any]) -> None:
    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        async with await connect(server.host, server.port, **how) as client:
            for call in client.stat, partial(client.retr, 1), partial(client.top, 1, 0):
                with pytest.raises(LocalProtocolError, match="'authorization'") as caught:
                    await call()
                assert caught.value.hint == "log in first"
            # Other mistakes have other hints.
            await client.login("user", "secret")
            with pytest.raises(LocalProtocolError, match="'transaction'") as caught:
                await client.login("user", "secret")
            assert caught.value.hint == LocalProtocolError.hint

    with serving(Security.PLAINTEXT) as (server, _, how):
        on(flow)
