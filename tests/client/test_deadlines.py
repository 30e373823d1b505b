"""Every phase has its deadline, on every runtime, and the caller's own goes before it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import pytest
import trio

from pop3proto import DeadlineError, Noop
from pop3proto._value import field_names, replace
from pop3proto.errors import DeadConnectionError
from pop3proto.transports import ClientOptions, Security, Timeouts
from tests.runtimes import RUNTIMES, Flow, moment, runtime, silent_address

PLAIN = Security.PLAINTEXT
# Long enough that it cannot be the one that passes, short enough that a failing test ends.
PATIENT = Timeouts(**dict.fromkeys(field_names(Timeouts), 30.0))
# The deadline that passes. These tests wait for it in real time, because each runtime keeps it in
# its own way, which is what they test.
BRIEF = 0.1


@contextmanager
def scripted(
    *steps: bytes | None,
    then: Callable[[socket.socket, threading.Event], None] | None = None,
    stalled: threading.Event | None = None,
) -> Iterator[int]:
    """A server that says each of ``steps``, all but the first after something from the client.

    ``None`` says nothing more, and sets ``stalled``; ``then`` takes over at the end. The connection
    stays open.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()
    silent = threading.Event() if stalled is None else stalled

    def talk() -> None:
        connection, _ = listener.accept()
        with connection:
            for number, step in enumerate(steps):
                # In the middle of a text the client sends nothing.
                if number and not (step is None and steps[number - 1] in TEXTS):
                    connection.recv(4096)
                if step is None:
                    silent.set()
                    break
                connection.sendall(step)
            if then is not None:
                then(connection, over)
            over.wait(30)

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        thread.join(30)
        listener.close()


def patient_but(phase: str) -> ClientOptions:
    return ClientOptions(
        timeouts=replace(PATIENT, **{phase: BRIEF}), capabilities=False, allow_plaintext_auth=True
    )


async def nothing(client: Any) -> None:
    raise AssertionError("there should be no client")


async def skip_a_rest(client: Any) -> None:
    async with client.retr_stream(1) as stream:
        await anext(stream)


async def one_of_many(client: Any) -> None:
    async for _ in client.batch([Noop(), Noop()]):
        pass


GREETING, OK, BODY = b"+OK ready\r\n", b"+OK\r\n", b"+OK\r\nsome\r\n"
LISTING = b"+OK\r\n1 1\r\n"
TEXTS = (BODY, LISTING)
LOGIN = (GREETING, OK, OK)
Call = Callable[[Any], Awaitable[Any]]
STALLS: dict[str, tuple[str, Security, tuple[bytes | None, ...], Call]] = {
    "greeting": ("greeting", PLAIN, (None,), nothing),
    "half a greeting": ("greeting", PLAIN, (b"+OK rea", None), nothing),
    "tls": ("tls", Security.TLS, (None,), nothing),
    "tls after STLS": ("tls", Security.STLS, (GREETING, OK, None), nothing),
    "half a handshake": ("tls", Security.TLS, (b"\x16\x03\x03\x00\x7a\x02", None), nothing),
    "answer to STLS": ("reply", Security.STLS, (GREETING, None), nothing),
    "reply": ("reply", PLAIN, (GREETING, None), lambda client: client.capa()),
    "half a reply": ("reply", PLAIN, (*LOGIN, b"+O", None), lambda client: client.stat()),
    "half of a longer one": ("reply", PLAIN, (GREETING, b"+O", None), lambda c: c.capa()),
    "user": ("reply", PLAIN, (GREETING, None), lambda c: c.login("user", "secret")),
    "pass": ("login", PLAIN, (GREETING, OK, None), lambda c: c.login("user", "secret")),
    "body": ("body", PLAIN, (*LOGIN, BODY, None), lambda client: client.retr(1)),
    "listing": ("body", PLAIN, (*LOGIN, LISTING, None), lambda client: client.list()),
    "rest of a body": ("body", PLAIN, (*LOGIN, BODY, None), skip_a_rest),
    "batch": ("reply", PLAIN, (*LOGIN, OK, None), one_of_many),
}


@pytest.mark.thinned
@runtime
@pytest.mark.parametrize(("phase", "mode", "steps", "call"), STALLS.values(), ids=STALLS)
def test_a_server_that_stalls(
    on: Callable[[Flow], Any],
    phase: str,
    mode: Security,
    steps: tuple[bytes | None, ...],
    call: Call,
) -> None:
    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        client = None
        with pytest.raises(DeadlineError) as caught:  # noqa: PT012
            client = await connect("127.0.0.1", port, security=mode, options=patient_but(phase))
            if len(steps) > len(LOGIN):
                await client.login("user", "secret")
            await call(client)
        assert type(caught.value) is DeadlineError
        assert caught.value.phase == phase
        assert caught.value.seconds == BRIEF
        if client is not None:
            assert client.closed
            with pytest.raises(DeadConnectionError):
                await client.noop()
            await client.aclose()

    with scripted(*steps) as port:
        on(flow)


@runtime
def test_a_quit_without_an_answer(on: Callable[[Flow], Any]) -> None:
    """It raises nothing by itself, but the result tells, and ``async with`` does raise."""

    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        client = await connect("127.0.0.1", port, security=PLAIN, options=patient_but("quit"))
        await client.login("user", "secret")
        await client.dele(1)
        result = await client.quit()
        assert not result.confirmed
        assert result.deletions == 1
        assert isinstance(result.error, DeadlineError)
        assert (result.error.phase, result.error.seconds) == ("quit", BRIEF)
        assert client.closed

    with scripted(*LOGIN, OK, None) as port:
        on(flow)


@runtime
def test_a_host_that_does_not_answer(on: Callable[[Flow], Any]) -> None:
    """Nobody accepts, and the queue is full: Linux drops what comes then."""

    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        with pytest.raises(DeadlineError) as caught:
            await connect("127.0.0.1", port, security=PLAIN, options=patient_but("connect"))
        assert (caught.value.phase, caught.value.seconds) == ("connect", BRIEF)

    with silent_address() as (_, port):
        on(flow)


@runtime
def test_the_consumers_own_time_does_not_count(on: Callable[[Flow], Any]) -> None:
    """A consumer that takes longer than the deadline between two pieces loses nothing."""

    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        options = replace(patient_but("body"), timeouts=replace(PATIENT, body=0.25))
        client = await connect("127.0.0.1", port, security=PLAIN, options=options)
        await client.login("user", "secret")
        stream = client.retr_stream(1)
        octets = len(await anext(stream))
        asked.set()
        # Longer than the deadline, and on purpose without giving the loop a turn.
        time.sleep(0.3)  # noqa: ASYNC251
        async for piece in stream:
            octets += len(piece)
            asked.set()
        assert octets == 4 * 5
        assert client.state.name == "TRANSACTION"
        client.abort()

    asked = threading.Event()

    def by_and_by(connection: socket.socket, over: threading.Event) -> None:
        for line in (b"two\r\n", b"six\r\n", b"ten\r\n", b".\r\n"):
            asked.wait(30)
            asked.clear()
            connection.sendall(line)

    with scripted(*LOGIN, b"+OK\r\none\r\n", then=by_and_by) as port:
        on(flow)


async def own_deadline(name: str, stalled: threading.Event, coroutine: Awaitable[Any]) -> bool:
    """Await under a scope of the runtime's own; whether that one ended it.

    Its deadline passes when the server has stalled, and the client waits for it.
    """

    async def expire(pass_now: Callable[[], None]) -> None:
        while not stalled.is_set():
            await moment(name)
        for _ in range(10):
            await moment(name)
        pass_now()

    loop = asyncio.get_running_loop() if name in ("asyncio", "uvloop") else None
    scope: Any
    try:
        if loop is not None:
            async with asyncio.timeout(30) as scope, asyncio.TaskGroup() as tasks:
                tasks.create_task(expire(lambda: scope.reschedule(loop.time())))
                await coroutine
        elif name == "trio":
            with trio.fail_after(30) as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(
                        expire, lambda: setattr(scope, "deadline", trio.current_time())
                    )
                    await coroutine
        else:
            with anyio.fail_after(30) as scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(
                        expire, lambda: setattr(scope, "deadline", anyio.current_time())
                    )
                    await coroutine
    except (TimeoutError, trio.TooSlowError) as error:
        return type(error) in (TimeoutError, trio.TooSlowError)
    return False


SCOPED = [name for name in RUNTIMES if name != "blocking"]
# Without "half a greeting" and the like, which make no difference here.
OWN = {
    **{name: stall for name, stall in STALLS.items() if not name.startswith("half")},
    # Its own deadline is told by the result; the caller's is not.
    "quit": ("quit", PLAIN, (*LOGIN, None), lambda client: client.quit()),
}


@pytest.mark.parametrize("name", SCOPED)
@pytest.mark.parametrize(("phase", "mode", "steps", "call"), OWN.values(), ids=OWN)
def test_the_callers_deadline_wins_if_it_is_first(
    name: str, phase: str, mode: Security, steps: tuple[bytes | None, ...], call: Call
) -> None:
    clients: list[Any] = []

    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        options = replace(patient_but(phase), timeouts=PATIENT)

        async def work() -> None:
            client = await connect("127.0.0.1", port, security=mode, options=options)
            clients.append(client)
            if len(steps) > len(LOGIN):
                await client.login("user", "secret")
            await call(client)

        assert await own_deadline(name, stalled, work())
        for client in clients:
            assert client.closed
            with pytest.raises(DeadConnectionError):
                await client.noop()

    stalled = threading.Event()
    with scripted(*steps, stalled=stalled) as port:
        RUNTIMES[name](flow)
    assert len(clients) == (call is not nothing)
