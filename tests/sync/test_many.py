"""Many accounts at once, in threads and in tasks."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from pop3proto.errors import ConnectError, LocalProtocolError, Pop3Error
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.sync import (
    AccountResult,
    Fetching,
    FileFolder,
    Policy,
    State,
    fetch_many,
    fetch_many_async,
    fetch_new,
)
from pop3proto.testing import memory_stream, serve
from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.blocking import Client, connect
from tests.sync.test_delivery import stored, without_waiting

USERS = [f"user-{n}" for n in range(12)]
HOW: dict[str, Any] = {"host": lambda account: account[-1], "pause": 0.0}
loops = pytest.mark.parametrize("loop", ["asyncio", "trio"])


class TransientError(Pop3Error):
    transient = True


class Flaky:
    """Fails in the way that an account's name says, and counts."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.lock = threading.Lock()

    def __call__(self, account: str) -> str:
        with self.lock:
            self.calls[account] += 1
        match account:
            case "later" if self.calls[account] < 3:
                raise TransientError("not now")
            case "never":
                raise TransientError("not now")
            case "wrong":
                raise Pop3Error("no")
            case "mistake":
                raise KeyError("x")
        return account.upper()

    async def asynchronous(self, account: str) -> str:
        await anyio.lowlevel.checkpoint()
        return self(account)


ACCOUNTS = ["good", "later", "never", "wrong", "mistake", "fine"]
EXPECTED = {
    "good": ("GOOD", "NoneType", 1),
    "later": ("LATER", "NoneType", 3),
    "never": (None, "TransientError", 3),
    "wrong": (None, "Pop3Error", 1),
    "mistake": (None, "KeyError", 1),
    "fine": ("FINE", "NoneType", 1),
}


def table(results: list[AccountResult[str, str]]) -> dict[str, Any]:
    assert len(results) == len(ACCOUNTS)
    return {r.account: (r.value, type(r.error).__name__, r.attempts) for r in results}


@pytest.mark.parametrize("concurrency", [1, 20])
def test_one_account_does_not_disturb_another_in_threads(concurrency: int) -> None:
    results = [*fetch_many(ACCOUNTS, Flaky(), concurrency=concurrency, **HOW)]
    assert table(results) == EXPECTED


@loops
@pytest.mark.parametrize("concurrency", [1, 20])
def test_one_account_does_not_disturb_another_in_tasks(loop: str, concurrency: int) -> None:
    async def flow() -> None:
        flaky = Flaky().asynchronous
        async with fetch_many_async(ACCOUNTS, flaky, concurrency=concurrency, **HOW) as results:
            assert table([result async for result in results]) == EXPECTED

    anyio.run(flow, backend=loop)


def test_threads_run_at_the_same_time_and_pause() -> None:
    """Three of them wait for each other; then one of them has a pause."""
    barrier = threading.Barrier(3)
    first = threading.Event()

    def fetch(account: str) -> None:
        if not first.is_set():
            barrier.wait()
        if account == "a" and not first.is_set():
            first.set()
            raise TransientError("not now")

    how: dict[str, Any] = {"host": str, "pause": 0.01, "concurrency": 3}
    assert {r.account: r.attempts for r in fetch_many(["a", "b", "c"], fetch, **how)} == {
        "a": 2,
        "b": 1,
        "c": 1,
    }


@loops
def test_tasks_pause(loop: str) -> None:
    async def flow() -> None:
        calls = 0

        async def fetch(account: str) -> None:
            nonlocal calls
            calls += 1
            await anyio.lowlevel.checkpoint()
            if calls == 1:
                raise ConnectError("not now")

        async with fetch_many_async(["a"], fetch, host=str, pause=0.01) as results:
            assert [r.attempts async for r in results] == [2]

    anyio.run(flow, backend=loop)


def test_a_loop_that_is_left_waits_for_what_has_begun() -> None:
    begun: list[str] = []
    ended: list[str] = []
    go_on = threading.Event()

    def fetch(account: str) -> None:
        begun.append(account)
        if account != "0":
            go_on.wait()
        ended.append(account)

    results = fetch_many([*"0123456789"], fetch, host=str, concurrency=2)
    assert next(results).account == "0"
    threading.Timer(0.01, go_on.set).start()
    results.close()
    assert sorted(begun) == sorted(ended) == ["0", "1"]


def silent() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def reached(listener: socket.socket, count: int) -> list[socket.socket]:
    return [listener.accept()[0] for _ in range(count)]


@pytest.mark.skipif(os.name != "posix", reason="other systems do not wake threads like this")
def test_a_loop_that_is_left_ends_what_waits_for_silent_servers() -> None:
    """Whether they say nothing, or are not even there: nobody waits for their timeouts."""
    ended: list[str] = []
    arrived = threading.Semaphore(0)

    def fetch(account: str) -> str:
        if account != "0":
            if account == "3":
                # Nobody accepts it, and no further connection is made: it waits to be connected.
                arrived.release()
            try:
                connect("127.0.0.1", listeners[account].getsockname()[1], timeout=300.0)
            except Pop3Error:
                ended.append(account)
                raise
        return account

    listeners = {name: silent() for name in "123"}
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    listeners["3"].close()
    listeners["3"] = full
    fill = [socket.socket() for _ in range(3)]
    for sock in fill:
        sock.setblocking(False)
        sock.connect_ex(full.getsockname())
    results = fetch_many([*"1203"], fetch, host=str, concurrency=4)
    assert next(results).account == "0"
    clients = [*reached(listeners["1"], 1), *reached(listeners["2"], 1)]
    arrived.acquire()
    results.close()
    assert sorted(ended) == [*"123"]
    for sock in (*listeners.values(), *clients, *fill):
        sock.close()


def test_no_connection_is_made_once_the_loop_is_left() -> None:
    left = threading.Event()
    errors: list[Pop3Error] = []

    def fetch(account: str) -> None:
        if account == "1":
            left.wait()
            with silent() as listener:
                try:
                    connect("127.0.0.1", listener.getsockname()[1], timeout=300.0)
                except ConnectError as error:
                    errors.append(error)

    results = fetch_many([*"01"], fetch, host=str)
    assert next(results).account == "0"
    threading.Timer(0.2, left.set).start()
    results.close()
    assert "does not wait for this any more" in str(errors[0])


def test_patience_has_an_end() -> None:
    go_on = threading.Event()
    results = fetch_many([*"01"], lambda name: name == "0" or go_on.wait(), host=str, patience=0.01)
    assert next(results).account == "0"
    results.close()
    assert [each.name for each in threading.enumerate()].count("pop3proto-fetch") == 1
    go_on.set()


def test_what_ends_a_program_ends_the_loop() -> None:
    def fetch(account: str) -> None:
        raise SystemExit(account)

    with pytest.raises(SystemExit, match="a"):
        next(fetch_many(["a"], fetch, host=str))


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_ends_the_block(kind: type[BaseException]) -> None:
    """Trio raises KeyboardInterrupt in any task; asyncio cancels the main one instead."""
    cancelled: list[str] = []

    async def fetch(account: str) -> None:
        try:
            if account == "0":
                await anyio.lowlevel.checkpoint()
                raise kind
            await anyio.sleep_forever()
        finally:
            cancelled.append(account)

    async def flow() -> None:
        async with fetch_many_async([*"012"], fetch, host=str) as results:
            async for _ in results:
                pass

    with pytest.raises(kind):
        anyio.run(flow, backend="trio")
    assert sorted(cancelled) == ["0", "1", "2"]


def test_a_task_that_is_cancelled_alone_has_failed() -> None:
    async def fetch(account: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        if account == "0":
            task.cancel()
        await asyncio.sleep(0)

    async def flow() -> None:
        async with fetch_many_async([*"01"], fetch, host=str) as results:
            found = {result.account: repr(result.error) async for result in results}
        assert found == {"0": "RuntimeError('fetch was cancelled')", "1": "None"}

    asyncio.run(flow())


@loops
@pytest.mark.parametrize("error", [None, ValueError])
def test_a_block_that_is_left_cancels_what_has_begun(
    loop: str, error: type[Exception] | None
) -> None:
    cancelled: list[str] = []

    async def fetch(account: str) -> None:
        if account != "0":
            try:
                await anyio.sleep_forever()
            finally:
                cancelled.append(account)

    async def flow() -> None:
        async with fetch_many_async([*"0123"], fetch, host=str, concurrency=3) as results:
            async for result in results:
                assert result.account == "0"
                if error is not None:
                    raise error
                break

    if error is None:
        anyio.run(flow, backend=loop)
    else:
        with pytest.raises(error):
            anyio.run(flow, backend=loop)
    assert sorted(cancelled) == ["1", "2"]


@loops
def test_a_cancellation_from_outside(loop: str) -> None:
    async def flow() -> None:
        async def fetch(account: str) -> None:
            await anyio.sleep_forever()

        with anyio.move_on_after(0.01) as scope:
            async with fetch_many_async(["a", "b"], fetch, host=str) as results:
                async for _ in results:
                    pass
        assert scope.cancelled_caught

    anyio.run(flow, backend=loop)


@loops
def test_a_cancellation_as_the_block_ends(loop: str) -> None:
    async def flow() -> None:
        async def fetch(account: str) -> None:
            if account != "0":
                await anyio.sleep_forever()

        with anyio.CancelScope() as scope:
            async with fetch_many_async([*"01"], fetch, host=str) as results:
                assert (await anext(results)).account == "0"
                scope.cancel()
        assert scope.cancelled_caught

    anyio.run(flow, backend=loop)


@loops
def test_outside_of_the_block(loop: str) -> None:
    async def flow() -> None:
        results = fetch_many_async(["a"], Flaky().asynchronous, host=str)
        with pytest.raises(LocalProtocolError, match="async with"):
            await anext(results)
        await results.__aexit__(None, None, None)

    anyio.run(flow, backend=loop)


@pytest.mark.parametrize("function", [fetch_many, fetch_many_async])
def test_wrong_arguments(function: Callable[..., Any]) -> None:
    with pytest.raises(LocalProtocolError, match="fetch is a function, not str"):
        function([], "fetch", host=str)
    # Before the first result is asked for.
    with pytest.raises(LocalProtocolError, match="concurrency is at least 1"):
        function([], Flaky(), host=str, concurrency=0)
    with pytest.raises(LocalProtocolError, match="patience is a finite number"):
        fetch_many([], Flaky(), host=str, patience=-1.0)


@pytest.fixture
def maildrops() -> MemoryMaildrops:
    return MemoryMaildrops({user: [b"Subject: %s\r\n\r\n" % user.encode()] * 2 for user in USERS})


@pytest.mark.slow
def test_many_accounts_with_one_state_file(tmp_path: Path, maildrops: MemoryMaildrops) -> None:
    def fetch(user: str) -> int:
        stream = memory_stream(
            maildrops, password="secret", options=ServerOptions(allow_plaintext_auth=True)
        )
        options = ClientOptions(allow_plaintext_auth=True)
        with (
            State(tmp_path / "state") as state,
            without_waiting(state).account(user) as account,
            Client.start(stream, security=Security.PLAINTEXT, options=options) as client,
        ):
            client.login(user, "secret")
            folder = FileFolder(tmp_path / user, account.tag)
            fetching = Fetching(client, folder, account, Policy(delete_after=0), now=0.0)
            fetching.run()
            return fetching.new

    for expected in 2, 0:
        results = [*fetch_many(USERS, fetch, host=lambda user: "host", per_host=8)]
        assert {(r.value, r.error) for r in results} == {(expected, None)}
    for user in USERS:
        assert stored("files", tmp_path / user).total() == 2
        assert maildrops.contents(user) == []


@pytest.mark.slow
@loops
def test_many_accounts_in_tasks_with_one_state_file(
    loop: str, tmp_path: Path, maildrops: MemoryMaildrops
) -> None:
    database: list[bytes] = []

    async def flow() -> None:
        from pop3proto.transports.anyio import connect

        async def fetch(user: str) -> int:
            with State(tmp_path / "state") as state, without_waiting(state).account(user) as mine:
                async with connect(
                    server.host,
                    server.port,
                    security="plaintext",
                    options=ClientOptions(allow_plaintext_auth=True),
                ) as client:
                    await client.login(user, "secret")
                    async for message in fetch_new(client, mine, now=0.0):
                        database.append(message.content)
                        message.confirm()
            return 5

        how: dict[str, Any] = {"host": lambda user: "host", "per_host": 6}
        async with fetch_many_async(USERS, fetch, **how) as results:
            assert {(r.value, r.error) async for r in results} == {(5, None)}

    options = ServerOptions(allow_plaintext_auth=True)
    with serve(maildrops, password="secret", security="plaintext", options=options) as server:
        anyio.run(flow, backend=loop)
    assert len(database) == 2 * len(USERS)


def test_asyncio_is_meant_while_trio_is_only_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def flow() -> None:
        async with fetch_many_async(["good"], Flaky().asynchronous, host=str) as results:
            assert [r.value async for r in results] == ["GOOD"]

    monkeypatch.delitem(sys.modules, "trio", raising=False)
    anyio.run(flow, backend="asyncio")
