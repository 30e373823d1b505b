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
from pop3proto.errors import DeadConnectionError
from pop3proto.model.value import field_names, replace
from pop3proto.transports import ClientOptions, Security, Timeouts
from tests.runtimes import RUNTIMES, Flow, runtime

PLAIN = Security.PLAINTEXT
# Long enough that it cannot be the one that passes, short enough that a failing test ends.
PATIENT = Timeouts(**dict.fromkeys(field_names(Timeouts), 30.0))
BRIEF = 0.25


@contextmanager
def scripted(
    *steps: bytes | None, then: Callable[[socket.socket, threading.Event], None] | None = None
) -> Iterator[int]:
    """A server that says each of ``steps``, all but the first behind what the client sends.

    ``None`` says nothing more; ``then`` takes over at the end. The connection stays open.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def talk() -> None:
        connection, _ = listener.accept()
        with connection:
            for number, step in enumerate(steps):
                if number:
                    connection.recv(4096)
                if step is None:
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
    "listing": ("body", PLAIN, (*LOGIN, b"+OK\r\n1 1\r\n", None), lambda client: client.list()),
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

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        queued: list[socket.socket] = []
        try:
            for _ in range(8):
                sock = socket.socket()
                queued.append(sock)
                sock.settimeout(0.1)
                try:
                    sock.connect(("127.0.0.1", port))
                except TimeoutError:
                    break
            else:
                pytest.skip("this system takes connections beyond the queue")
            on(flow)
        finally:
            for sock in queued:
                sock.close()


@runtime
def test_the_consumers_own_time_does_not_count(on: Callable[[Flow], Any]) -> None:
    """A consumer that takes longer than the deadline between two pieces loses nothing."""

    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        client = await connect("127.0.0.1", port, security=PLAIN, options=patient_but("body"))
        await client.login("user", "secret")
        octets = 0
        async for piece in client.retr_stream(1):
            octets += len(piece)
            asked.set()
            # Longer than the deadline, and on purpose without giving the loop a turn.
            time.sleep(BRIEF / 2 + BRIEF / 4)  # noqa: ASYNC251
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


async def own_deadline(name: str, coroutine: Awaitable[Any]) -> bool:
    """Await under a scope of the runtime's own; whether that one ended it."""
    if name == "trio":
        with trio.move_on_after(BRIEF) as scope:
            await coroutine
        return scope.cancelled_caught
    try:
        if name.startswith("anyio"):
            with anyio.fail_after(BRIEF):
                await coroutine
        else:
            async with asyncio.timeout(BRIEF):
                await coroutine
    except TimeoutError as error:
        return type(error) is TimeoutError
    return False


SCOPED = [name for name in RUNTIMES if name != "blocking"]
# Without "half a greeting" and the like, which make no difference here.
OWN = {
    **{name: stall for name, stall in STALLS.items() if not name.startswith("half")},
    # Its own deadline is told by the result; the caller's is not.
    "quit": ("quit", PLAIN, (*LOGIN, None), lambda client: client.quit()),
}


@pytest.mark.thinned
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

        assert await own_deadline(name, work())
        for client in clients:
            assert client.closed
            with pytest.raises(DeadConnectionError):
                await client.noop()

    with scripted(*steps) as port:
        RUNTIMES[name](flow)
    assert len(clients) == (call is not nothing)
