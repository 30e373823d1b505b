"""Another task closes the client, asks it for something too, or comes when its loop is gone."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import anyio
import pytest
import trio

from pop3proto import ConnectionLostError
from pop3proto._value import field_names
from pop3proto.client.stepping import run
from pop3proto.errors import BusyError, DeadConnectionError
from pop3proto.transports import ClientOptions, Security, Timeouts
from pop3proto.transports.anyio import AnyioStream
from pop3proto.transports.blocking import BlockingStream
from pop3proto.transports.sockets import foremost
from pop3proto.transports.trio import TrioStream
from tests.collector import without_collector
from tests.runtimes import RUNTIMES, SMALL, beside, connector, moment, serving, stream_on

PLAIN = Security.PLAINTEXT
# Patient enough to be never the one that ends a test, but for one that fails.
PATIENT = ClientOptions(
    capabilities=False,
    allow_plaintext_auth=True,
    timeouts=Timeouts(**dict.fromkeys(field_names(Timeouts), 20.0)),
)
every = pytest.mark.parametrize("name", RUNTIMES)
Connect = Callable[..., Awaitable[Any]]


class HesitantServer:
    """Lets a client log in, says ``first`` to the next command, and the rest when it is told to."""

    def __init__(self, first: bytes, rest: bytes) -> None:
        self.asked = threading.Event()
        self.go_on = threading.Event()
        self._steps = (b"+OK\r\n", b"+OK\r\n", b"+OK\r\n", first)
        self._rest = rest

    def talk(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(30)
            for number, step in enumerate(self._steps):
                if number:
                    connection.recv(4096)
                connection.sendall(step)
            self.asked.set()
            self.go_on.wait(30)
            # The client may have gone.
            with suppress(OSError):
                connection.sendall(self._rest)
                connection.recv(4096)


@contextmanager
def hesitant(first: bytes = b"", rest: bytes = b"") -> Iterator[tuple[HesitantServer, int]]:
    server = HesitantServer(first, rest)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.talk, args=(listener,))
    thread.start()
    try:
        yield server, listener.getsockname()[1]
    finally:
        server.go_on.set()
        thread.join(30)
        listener.close()


async def logged_in(connect: Connect, port: int) -> Any:
    client = await connect("127.0.0.1", port, security=PLAIN, options=PATIENT)
    await client.login("user", "secret")
    return client


async def is_set(name: str, event: threading.Event) -> None:
    while not event.is_set():
        await moment(name)


@every
@pytest.mark.parametrize("how", ["abort", "aclose"])
@pytest.mark.parametrize(
    ("first", "call"),
    [
        (b"", lambda client: client.noop()),
        (b"+OK\r\nsome\r\n", lambda client: client.retr(1)),
        (b"", lambda client: anext(client.retr_many([1, 2]))),
    ],
    ids=["reply", "body", "batch"],
)
def test_another_task_closes_the_client(name: str, how: str, first: bytes, call: Any) -> None:
    """The one that waits learns of it at once, in the same words everywhere."""

    async def flow(connect: Connect) -> None:
        client = await logged_in(connect, port)

        async def closing() -> None:
            await is_set(name, server.asked)
            if how == "abort":
                client.abort()
            else:
                await client.aclose()

        error, nothing = await beside(name, call(client), closing())
        assert nothing is None
        assert type(error) is ConnectionLostError
        assert str(error).startswith("the connection broke: the stream was closed")
        with pytest.raises(DeadConnectionError):
            await client.noop()

    with hesitant(first) as (server, port):
        RUNTIMES[name](flow)


@every
@pytest.mark.parametrize("what", ["stream", "batch"])
def test_two_tasks_at_one_stream_or_batch(name: str, what: str) -> None:
    """The second is refused, and the first gets what it waits for."""

    async def flow(connect: Connect) -> None:
        client = await logged_in(connect, port)
        shared = client.retr_stream(1) if what == "stream" else client.retr_many([1])

        async def second() -> None:
            await is_set(name, server.asked)
            try:
                await anext(shared)
            finally:
                server.go_on.set()

        result, error = await beside(name, anext(shared), second())
        assert (result if what == "stream" else result.content) == b"hello\r\n"
        assert type(error) is BusyError
        client.abort()

    with hesitant(b"", b"+OK\r\nhello\r\n.\r\n") as (server, port):
        RUNTIMES[name](flow)


@every
@pytest.mark.parametrize("what", ["stream", "batch"])
def test_who_leaves_while_another_task_reads_is_refused(name: str, what: str) -> None:
    async def flow(connect: Connect) -> None:
        client = await logged_in(connect, port)
        shared = client.retr_stream(1) if what == "stream" else client.retr_many([1])

        async def second() -> None:
            await is_set(name, server.asked)
            try:
                await shared.__aexit__(None, None, None)
            finally:
                server.go_on.set()

        result, error = await beside(name, anext(shared), second())
        assert (result if what == "stream" else result.content) == b"hello\r\n"
        assert type(error) is BusyError
        client.abort()

    with hesitant(b"", b"+OK\r\nhello\r\n.\r\n") as (server, port):
        RUNTIMES[name](flow)


def full_pair() -> tuple[socket.socket, socket.socket]:
    """Two sockets, the first of which takes next to nothing."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return ours, theirs


@every
@pytest.mark.parametrize("unsent", [False, True], ids=["nothing unsent", "something unsent"])
def test_a_stream_is_closed_while_a_task_waits_for_it(name: str, unsent: bool) -> None:
    async def flow(_: Connect) -> None:
        stream = await stream_on(name, ours)
        await stream.send(b"x" * 60_000 if unsent else b"x", 20.0)
        started = threading.Event()

        async def receiving() -> bytes:
            started.set()
            data: bytes = await stream.receive(20.0)
            return data

        async def closing() -> None:
            await is_set(name, started)
            await moment(name)
            stream.abort()

        error, nothing = await beside(name, receiving(), closing())
        assert nothing is None
        assert type(error) is ConnectionAbortedError
        for call in (stream.receive(20.0), stream.send(b"x", 20.0)):
            with pytest.raises(ConnectionAbortedError, match="the stream was closed"):
                await call
        stream.abort()
        await stream.aclose()

    ours, theirs = full_pair()
    with theirs:
        RUNTIMES[name](flow)


@pytest.mark.parametrize("name", [name for name in RUNTIMES if name != "blocking"])
@pytest.mark.parametrize("unsent", [False, True], ids=["nothing unsent", "something unsent"])
def test_two_tasks_at_one_bare_stream(name: str, unsent: bool) -> None:
    async def flow(_: Connect) -> None:
        stream = await stream_on(name, ours)
        await stream.send(b"x" * 60_000 if unsent else b"x", 20.0)

        async def second() -> None:
            await moment(name)
            try:
                await stream.receive(20.0)
            finally:
                theirs.sendall(b"for the first")

        data, error = await beside(name, stream.receive(20.0), second())
        assert data == b"for the first"
        assert type(error) is OSError
        assert str(error) == "another task waits for the stream"
        stream.abort()

    ours, theirs = full_pair()
    with theirs:
        RUNTIMES[name](flow)


@every
def test_after_an_error_of_sending_what_has_come_is_received(name: str) -> None:
    """The peer answers, goes, and takes nothing more; its answers were good."""

    async def flow(_: Connect) -> None:
        stream = await stream_on(name, ours)
        theirs.sendall(b"good")
        theirs.close()
        for _turn in range(5):
            # asyncio receives on its own.
            await moment(name)
        with pytest.raises(OSError, match=r"."):  # noqa: PT012
            for _turn in range(5):
                await stream.send(b"x", 20.0)
                await moment(name)
        assert await stream.receive(20.0) == b"good"
        stream.abort()

    ours, theirs = socket.socketpair()
    RUNTIMES[name](flow)


@pytest.mark.parametrize("name", [name for name in RUNTIMES if name not in ("asyncio", "uvloop")])
def test_something_unsent_does_not_hide_what_has_come(name: str) -> None:
    """What the peer did not take is no longer of interest; asyncio sends that on its own."""

    async def flow(_: Connect) -> None:
        stream = await stream_on(name, ours)
        await stream.send(b"x" * 60_000, 20.0)
        theirs.sendall(b"good")
        theirs.close()
        assert await stream.receive(20.0) == b"good"
        stream.abort()

    ours, theirs = full_pair()
    RUNTIMES[name](flow)


@pytest.mark.parametrize("name", ["asyncio", "uvloop"])
def test_closing_waits_for_the_loop_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not for the task that it has woken, which ends its own wait and no other."""

    async def flow(_: Connect) -> None:
        stream = await stream_on(name, ours)

        async def closing() -> None:
            await moment(name)
            # Far less than closing may take here.
            async with asyncio.timeout(20.0):
                await stream.aclose()

        error, nothing = await beside(name, stream.receive(None), closing())
        assert type(error) is ConnectionAbortedError
        assert nothing is None

    monkeypatch.setattr("pop3proto.transports.asyncio._CLOSING", 3600.0)
    ours, theirs = socket.socketpair()
    with theirs:
        RUNTIMES[name](flow)


@pytest.mark.parametrize(
    ("module", "stream", "main"),
    [
        (trio.lowlevel, TrioStream, trio.run),
        (anyio, AnyioStream, lambda flow: anyio.run(flow, backend="trio")),
    ],
    ids=["trio", "anyio-trio"],
)
def test_ctrl_c_is_no_group(
    module: Any, stream: Any, main: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With something unsent the stream waits in two tasks, which is nobody else's business."""

    async def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    async def flow() -> None:
        made = stream(ours)
        await made.send(b"x" * 60_000, 20.0)
        with monkeypatch.context() as patched:
            patched.setattr(module, "wait_writable", interrupted)
            with pytest.raises(KeyboardInterrupt):
                await made.receive(20.0)
        made.abort()

    ours, theirs = full_pair()
    with theirs:
        main(flow)


def test_what_a_group_stands_for() -> None:
    lost, stop = ConnectionResetError(), KeyboardInterrupt()
    assert foremost(BaseExceptionGroup("", [lost, ValueError()])) is lost
    assert foremost(BaseExceptionGroup("", [lost, BaseExceptionGroup("", [stop])])) is stop


# A transport that its own loop has not closed says so.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@every
@pytest.mark.parametrize("mode", [PLAIN, Security.TLS], ids=["plain", "tls"])
@without_collector()
def test_aborting_when_the_loop_is_gone(name: str, mode: Security) -> None:
    clients: list[Any] = []

    async def flow(connect: Connect) -> None:
        client = await connect(server.host, server.port, **how)
        await client.login("user", "secret")
        await client.dele(1)
        clients.append(client)

    with serving(mode) as (server, maildrops, how):
        RUNTIMES[name](flow)
        clients[0].abort()
        assert clients[0].closed
        # The server sees the end of the connection, so it is closed.
        server.wait_until_idle()
        clients[0].abort()
        assert maildrops.contents("user") == SMALL
    clients.clear()


def test_aborting_while_the_loop_rests() -> None:
    """Nobody says when it will run again."""

    async def flow() -> Any:
        return await connector("asyncio")(server.host, server.port, **how)

    with serving(PLAIN) as (server, _, how):
        loop = asyncio.new_event_loop()
        try:
            client = loop.run_until_complete(flow())
            client.abort()
            server.wait_until_idle()
            loop.run_until_complete(asyncio.sleep(0))
        finally:
            loop.close()


def test_a_thread_that_wakes_before_the_socket_is_closed() -> None:
    """The end that it sees then is not the peer's."""
    errors: list[BaseException] = []

    class ShutBeforeClosed(socket.socket):
        def shutdown(self, how: int) -> None:
            super().shutdown(how)
            with pytest.raises(ConnectionAbortedError) as caught:
                run(stream.receive(20.0))
            errors.append(caught.value)

    ours, theirs = socket.socketpair()
    stream = BlockingStream(ShutBeforeClosed(fileno=ours.detach()))
    with theirs:
        stream.abort()
    assert len(errors) == 1


def test_a_thread_that_comes_too_late() -> None:
    """A blocking stream that is closed has no descriptor to wait for."""

    async def flow() -> None:
        stream = await stream_on("blocking", ours)
        stream.abort()
        with pytest.raises(ConnectionAbortedError):
            await stream.wait(20.0, read=True, write=False)

    ours, theirs = socket.socketpair()
    with theirs:
        run(flow())
