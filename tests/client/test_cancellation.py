"""Whatever a client waits for, it can be cancelled there: on every runtime, in every flow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio

from pop3proto import Noop
from pop3proto.errors import DeadConnectionError
from pop3proto.server import MemoryMaildrops
from pop3proto.testing import LoopbackServer
from pop3proto.transports import Security
from pop3proto.transports.blocking import BlockingStream
from pop3proto.transports.sockets import SocketStream
from tests.collector import without_collector
from tests.runtimes import RUNTIMES, Flow, serving

MESSAGES = [b"one\r\n", b"two is long\r\n" * 20_000, b"three\r\n"]
# No flow here waits as often; a server that sends slowly makes more of them.
MOST_WAITS = 400


class Stepped:
    """Awaits ``coroutine``; calls ``cancel`` when it waits for the ``at``-th time."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], at: int, cancel: Callable[[], object]
    ) -> None:
        self.waits = 0
        self.error: BaseException | None = None
        self._coroutine = coroutine
        self._at = at
        self._cancel = cancel

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._coroutine.__await__()
        resume: Callable[[], Any] = partial(steps.send, None)
        while True:
            try:
                trap = resume()
            except StopIteration as done:
                return done.value
            except BaseException as error:
                self.error = error
                raise
            self.waits += 1
            if self.waits == self._at:
                self._cancel()
            try:
                sent = yield trap
            except BaseException as error:  # noqa: BLE001 - the coroutine's to handle
                resume = partial(steps.throw, error)
            else:
                resume = partial(steps.send, sent)


async def on_asyncio(coroutine: Coroutine[Any, Any, Any], at: int) -> Stepped:
    task = asyncio.current_task()
    assert task is not None
    stepped = Stepped(coroutine, at, task.cancel)
    try:
        await stepped
    except asyncio.CancelledError:
        assert task.uncancel() == 0
    # What was cancelled with it needs some turns to end.
    for _ in range(20):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {task}
    if stepped.error is not None:
        assert type(stepped.error) is asyncio.CancelledError
    return stepped


async def on_trio(coroutine: Coroutine[Any, Any, Any], at: int) -> Stepped:
    tasks = trio.lowlevel.current_statistics().tasks_living
    scope = trio.CancelScope()
    stepped = Stepped(coroutine, at, scope.cancel)
    with scope:
        await stepped
    assert trio.lowlevel.current_statistics().tasks_living == tasks
    if stepped.error is not None:
        assert type(stepped.error) is trio.Cancelled
    return stepped


async def on_anyio(coroutine: Coroutine[Any, Any, Any], at: int) -> Stepped:
    tasks = {task.id for task in anyio.get_running_tasks()}
    scope = anyio.CancelScope()
    stepped = Stepped(coroutine, at, scope.cancel)
    with scope:
        await stepped
    assert {task.id for task in anyio.get_running_tasks()} == tasks
    if stepped.error is not None:
        assert type(stepped.error) is anyio.get_cancelled_exc_class()
    return stepped


async def on_blocking(coroutine: Coroutine[Any, Any, Any], at: int) -> Stepped:
    """An exception out of the wait itself, as Ctrl-C makes it."""
    stepped = Stepped(coroutine, 0, list)
    wait = BlockingStream._wait

    def interrupted(stream: BlockingStream, *args: Any, **kwargs: Any) -> bool:
        stepped.waits += 1
        if stepped.waits == at:
            raise KeyboardInterrupt
        return wait(stream, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(BlockingStream, "_wait", interrupted)
        try:
            await stepped
        except KeyboardInterrupt:
            return stepped
    return stepped


CANCEL = {
    "blocking": on_blocking,
    "asyncio": on_asyncio,
    "uvloop": on_asyncio,
    "trio": on_trio,
    "anyio-asyncio": on_anyio,
    "anyio-trio": on_anyio,
}


async def read_all(stream: Any) -> None:
    async for _ in stream:
        pass


async def leave_early(stream: Any) -> None:
    async with stream:
        async for _ in stream:
            break


async def read_some_and_skip(stream: Any) -> None:
    await anext(stream)
    await stream.skip()


async def leave_the_client(client: Any) -> None:
    async with client:
        await client.noop()


BEFORE_LOGIN: dict[str, Callable[[Any, Path], Coroutine[Any, Any, Any]]] = {
    "login": lambda client, _: client.login("user", "secret"),
    "apop": lambda client, _: client.apop("user", "secret"),
    "capa": lambda client, _: client.capa(),
    "quit": lambda client, _: client.quit(),
    "aclose": lambda client, _: client.aclose(),
}
AFTER_LOGIN: dict[str, Callable[[Any, Path], Coroutine[Any, Any, Any]]] = {
    "stat": lambda client, _: client.stat(),
    "list": lambda client, _: client.list(),
    "list one": lambda client, _: client.list(2),
    "uidl": lambda client, _: client.uidl(),
    "messages": lambda client, _: client.messages(),
    "retr": lambda client, _: client.retr(2),
    "top": lambda client, _: client.top(2, 5000),
    "dele": lambda client, _: client.dele(2),
    "rset": lambda client, _: client.rset(),
    "noop": lambda client, _: client.noop(),
    "retr_stream": lambda client, _: read_all(client.retr_stream(2)),
    "retr_stream left": lambda client, _: leave_early(client.retr_stream(2)),
    "skip": lambda client, _: read_some_and_skip(client.retr_stream(2)),
    "save": lambda client, folder: client.save(2, folder / "2.eml"),
    "retr_many": lambda client, _: read_all(client.retr_many([2, 3])),
    "retr_many left": lambda client, _: leave_early(client.retr_many([2, 3])),
    "dele_many": lambda client, _: read_all(client.dele_many([2, 3])),
    "batch": lambda client, _: read_all(client.batch([Noop()] * 6000)),
    "quit": lambda client, _: client.quit(),
    "leaving": lambda client, _: leave_the_client(client),
    "aclose": lambda client, _: client.aclose(),
}


@pytest.fixture(autouse=True)
def _nothing_is_left_to_the_collector() -> Iterator[None]:
    """No connection waits for it to be closed; what is found open afterwards is an error."""
    with without_collector():
        yield


async def assert_dead(client: Any) -> None:
    assert client.closed
    with pytest.raises(DeadConnectionError):
        await client.noop()
    await client.aclose()


EVERYWHERE = [(name, Security.PLAINTEXT) for name in RUNTIMES]
UNDER_TLS = [(name, mode) for name in RUNTIMES for mode in (Security.TLS, Security.STLS)]
everywhere = pytest.mark.parametrize(("name", "mode"), EVERYWHERE + UNDER_TLS)
mostly = pytest.mark.parametrize(
    ("name", "mode"),
    EVERYWHERE
    + [(name, Security.TLS) for name in ("blocking", "asyncio", "trio")]
    + [
        pytest.param(name, mode, marks=pytest.mark.slow)
        for name, mode in UNDER_TLS
        if mode is Security.STLS or name not in ("blocking", "asyncio", "trio")
    ],
)


def at_every_wait(server: LoopbackServer, cancelled_at: Callable[[int], Stepped]) -> int:
    """Cancel at the first wait, the second, and so on; how many of them there were."""
    cancelled = 0
    for at in range(1, MOST_WAITS):
        stepped = cancelled_at(at)
        server.wait_until_idle()
        if stepped.waits < at:
            return cancelled
        cancelled += stepped.error is not None
    raise AssertionError("the flow waits without end")


@everywhere
def test_connecting(name: str, mode: Security) -> None:
    def cancelled_at(at: int) -> Stepped:
        results: list[Any] = []

        async def connecting(connect: Callable[..., Awaitable[Any]]) -> None:
            results.append(await connect(server.host, server.port, **how))

        async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
            results.append(await CANCEL[name](connecting(connect), at))
            if len(results) > 1:
                await results[0].aclose()

        RUNTIMES[name](flow)
        stepped: Stepped = results[-1]
        assert len(results) == (1 if stepped.error else 2)
        return stepped

    with serving(mode, MemoryMaildrops({"user": MESSAGES})) as (server, maildrops, how):
        assert at_every_wait(server, cancelled_at) > 1
        assert maildrops.contents("user") == MESSAGES


def cancelling(
    name: str,
    server: LoopbackServer,
    how: dict[str, Any],
    call: Callable[[Any], Coroutine[Any, Any, Any]],
    *,
    login: bool = True,
) -> Callable[[int], Stepped]:
    """What connects, perhaps logs in and deletes a message, and then cancels ``call``."""

    def cancelled_at(at: int) -> Stepped:
        steps: list[Stepped] = []

        async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
            client = await connect(server.host, server.port, **how)
            if login:
                await client.login("user", "secret")
                await client.dele(1)
            stepped = await CANCEL[name](call(client), at)
            if stepped.error is not None:
                await assert_dead(client)
            await client.aclose()
            steps.append(stepped)

        on: Callable[[Flow], Any] = RUNTIMES[name]
        on(flow)
        return steps[0]

    return cancelled_at


@mostly
@pytest.mark.parametrize("call", BEFORE_LOGIN)
def test_before_the_login(name: str, mode: Security, call: str, tmp_path: Path) -> None:
    if (call, mode) == ("apop", Security.STLS):
        pytest.skip("a timestamp that came in the clear is not used under TLS")
    with serving(mode, MemoryMaildrops({"user": MESSAGES})) as (server, maildrops, how):
        flow = cancelling(
            name, server, how, lambda client: BEFORE_LOGIN[call](client, tmp_path), login=False
        )
        assert at_every_wait(server, flow) > 0 or call == "aclose"
        assert maildrops.contents("user") == MESSAGES


@pytest.mark.parametrize("name", RUNTIMES)
def test_start_tls(name: str) -> None:
    with serving(Security.STLS, MemoryMaildrops({"user": MESSAGES})) as (server, maildrops, how):
        context = how.pop("ssl_context")
        clear = {**how, "security": Security.PLAINTEXT}
        flow = cancelling(
            name, server, clear, lambda client: client.start_tls(context, server.host), login=False
        )
        assert at_every_wait(server, flow) > 1
        assert maildrops.contents("user") == MESSAGES


@mostly
@pytest.mark.parametrize("call", AFTER_LOGIN)
def test_after_the_login(name: str, mode: Security, call: str, tmp_path: Path) -> None:
    """A message is marked as deleted all the time, and stays unless QUIT has come through."""
    with serving(mode, MemoryMaildrops({"user": MESSAGES})) as (server, maildrops, how):
        flow = cancelling(name, server, how, lambda client: AFTER_LOGIN[call](client, tmp_path))

        def cancelled_at(at: int) -> Stepped:
            stepped = flow(at)
            server.wait_until_idle()
            if call in ("quit", "leaving"):
                assert maildrops.contents("user") in (MESSAGES, MESSAGES[1:])
                maildrops.__init__({"user": MESSAGES})
            assert maildrops.contents("user") == MESSAGES
            saved = [(path.name, path.read_bytes()) for path in tmp_path.iterdir()]
            complete = call == "save" and stepped.error is None
            assert saved == ([("2.eml", MESSAGES[1])] if complete else [])
            return stepped

        assert at_every_wait(server, cancelled_at) > 0 or call == "aclose"


# So many commands that something is unsent while an answer is waited for, if the socket takes
# little at a time. That is the one wait of a stream for two things.
UNSENT: dict[str, Callable[[Any], Coroutine[Any, Any, Any]]] = {
    "batch": lambda client: read_all(client.batch([Noop()] * 2000)),
    "batch left": lambda client: leave_early(client.batch([Noop()] * 2000)),
    "retr_many": lambda client: read_all(client.retr_many([3] * 1000)),
}
# asyncio sends on its own.
SENDING = [name for name in RUNTIMES if name not in ("asyncio", "uvloop")]


@pytest.mark.parametrize("name", SENDING)
@pytest.mark.parametrize("mode", [Security.PLAINTEXT, Security.TLS], ids=["plain", "tls"])
@pytest.mark.parametrize("call", UNSENT)
def test_with_something_unsent(
    name: str, mode: Security, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsent: list[bool] = []
    receive, send_now = SocketStream.receive, SocketStream._send_now

    async def noting(stream: SocketStream, timeout: float | None) -> bytes:
        unsent.append(bool(stream._unsent))
        return await receive(stream, timeout)

    def sending_a_little(stream: SocketStream) -> None:
        rest, stream._unsent = stream._unsent[1000:], stream._unsent[:1000]
        send_now(stream)
        stream._unsent += rest

    monkeypatch.setattr(SocketStream, "receive", noting)
    monkeypatch.setattr(SocketStream, "_send_now", sending_a_little)
    with serving(mode, MemoryMaildrops({"user": MESSAGES})) as (server, maildrops, how):
        assert at_every_wait(server, cancelling(name, server, how, UNSENT[call])) > 0
        assert maildrops.contents("user") == MESSAGES
    assert any(unsent)
