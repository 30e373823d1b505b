"""The same client on every runtime, over every kind of connection, against the embedded server."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import re
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio

import pop3proto
from pop3proto import (
    AuthenticationError,
    CommandError,
    ConnectionLostError,
    DeadlineError,
    Dele,
    LocalProtocolError,
    Noop,
    Pop3Error,
    RemoteProtocolError,
    Retr,
    TlsError,
)
from pop3proto._value import replace
from pop3proto.client._blocking import Client
from pop3proto.client.client import AsyncClient
from pop3proto.errors import (
    BusyError,
    ConnectError,
    DeadConnectionError,
    GreetingError,
    PlaintextAuthError,
    StlsInjectionError,
    TlsUnavailableError,
)
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import serve
from pop3proto.transports import (
    AsyncBatch,
    AsyncMessageStream,
    Batch,
    ClientOptions,
    MessageStream,
    Security,
)
from tests.runtimes import RUNTIMES, SHORT, SMALL, Flow, home, runtime, security, serving


@runtime
@security
def test_a_whole_session(on: Callable[[Flow], Any], mode: Security, tmp_path: Path) -> None:
    progress: list[tuple[int, int | None]] = []

    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        client = await connect(server.host, server.port, **how)
        async with client:
            assert client.secure is (mode is not Security.PLAINTEXT)
            with pytest.raises(AuthenticationError):
                await client.login("user", "wrong")
            await client.login("user", "secret")
            assert client.capabilities.pipelining
            assert (await client.stat()).count == len(SMALL)
            rows = list(await client.messages())
            assert [row.octets for row in rows] == [len(content) for content in SMALL]
            assert (await client.list(1)).octets == len(SMALL[0])
            assert (await client.uidl(1)).unique_id == rows[0].unique_id
            assert (await client.retr(5)).content == SMALL[4]
            assert len(await client.top(1, 0)) < len(SMALL[0])
            await client.retr(5, progress=lambda *octets: progress.append(octets))
            chunks = [chunk async for chunk in client.retr_stream(5)]
            assert b"".join(chunks) == SMALL[4]
            async with client.retr_stream(5) as stream:
                async for _ in stream:
                    break
            many = client.retr_many([1, 99, *range(2, len(SMALL) + 1)])
            outcomes = [o async for o in many.outcomes()]
            assert isinstance(outcomes.pop(1), CommandError)
            assert [message.content for message in outcomes] == SMALL
            assert len([o async for o in client.batch([Noop()] * 3000)]) == 3000
            assert await client.save(4, tmp_path / "4.eml") == len(SMALL[3])
            await client.save(1, file)
            with pytest.raises(CommandError):
                await client.retr(99)
            await client.dele(1)
            await client.rset()
            assert [r.command async for r in client.dele_many([1, 2])] == [Dele(1), Dele(2)]
        assert client.closed

    file = BytesIO()
    with serving(mode) as (server, maildrops, how):
        on(flow)
        server.wait_until_idle()
        assert maildrops.contents("user") == SMALL[2:]
    assert (tmp_path / "4.eml").read_bytes() == SMALL[3]
    assert [path.name for path in tmp_path.iterdir()] == ["4.eml"]
    assert file.getvalue() == SMALL[0]
    assert progress[-1] == (len(SMALL[4]), len(SMALL[4]))


@runtime
def test_an_error_keeps_the_messages(on: Callable[[Flow], Any]) -> None:
    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        client = await connect(server.host, server.port, **how)
        with pytest.raises(ZeroDivisionError):  # noqa: PT012
            async with client:
                await client.login("user", "secret")
                await client.dele(1)
                raise ZeroDivisionError
        with pytest.raises(DeadConnectionError):
            await client.noop()
        client = await connect(server.host, server.port, **how)
        await client.login("user", "secret")
        batch = client.retr_many([1, 2, 3])
        async for _ in batch:
            with pytest.raises(BusyError):
                await client.noop()
            break
        client.abort()

    with serving(Security.STLS) as (server, maildrops, how):
        on(flow)
        server.wait_until_idle()
        assert maildrops.contents("user") == SMALL


@runtime
@pytest.mark.parametrize("pipelining", [True, False])
def test_the_last_outcome_ends_a_batch(on: Callable[[Flow], Any], pipelining: bool) -> None:
    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        options = replace(how["options"], pipelining=pipelining)
        client = await connect(server.host, server.port, **{**how, "options": options})
        await client.login("user", "secret")
        batch = client.retr_many(range(1, 4))
        # As many as there are, and no more: as zip(numbers, batch) takes them.
        outcomes = [await anext(batch) for _ in range(3)]
        assert [message.content for message in outcomes] == SMALL[:3]
        await client.noop()
        with pytest.raises(StopAsyncIteration):
            await anext(batch)
        await client.quit()

    with serving(Security.STLS) as (server, _, how):
        on(flow)


@runtime
def test_giving_up_within_a_block(on: Callable[[Flow], Any]) -> None:
    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        for many in (True, False):
            client = await connect(server.host, server.port, **how)
            await client.login("user", "secret")
            await client.dele(2)
            async with client.retr_many([1, 3]) if many else client.retr_stream(1) as unfinished:
                await anext(unfinished)
                client.abort()
            assert client.closed

    with serving(Security.STLS) as (server, maildrops, how):
        on(flow)
        server.wait_until_idle()
        assert maildrops.contents("user") == SMALL


@contextmanager
def scripted(*steps: bytes | None) -> Iterator[int]:
    """A server that says each of ``steps`` in turn, each behind a line of the client's.

    The first is its greeting; ``None`` says nothing and keeps the connection open.
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
                    over.wait(20)
                    return
                connection.sendall(step)

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        thread.join(20)
        listener.close()


PLAIN = Security.PLAINTEXT
FAULTS: dict[str, tuple[type[Pop3Error], Security, tuple[bytes | None, ...], str]] = {
    "greeting refused": (GreetingError, PLAIN, (b"-ERR busy\r\n",), "busy"),
    "another protocol": (RemoteProtocolError, PLAIN, (b"* OK IMAP4rev1\r\n",), "IMAP"),
    "no greeting": (ConnectionLostError, PLAIN, (), "greeting"),
    "silence": (DeadlineError, PLAIN, (None,), "greeting"),
    "no TLS there": (TlsError, Security.TLS, (b"+OK ready\r\n", b""), "handshake"),
    "TLS silence": (DeadlineError, Security.TLS, (None,), "tls"),
    "STLS refused": (TlsUnavailableError, Security.STLS, (b"+OK\r\n", b"-ERR no\r\n"), "STLS"),
    "STLS injected": (StlsInjectionError, Security.STLS, (b"+OK\r\n", b"+OK\r\n+OK\r\n"), "clear"),
    "no answer": (DeadlineError, PLAIN, (b"+OK\r\n", None), "reply"),
}


@pytest.mark.thinned
@runtime
@pytest.mark.parametrize(("error", "mode", "steps", "text"), FAULTS.values(), ids=FAULTS)
def test_faults_are_the_same_everywhere(
    on: Callable[[Flow], Any],
    error: type[Pop3Error],
    mode: Security,
    steps: tuple[bytes | None, ...],
    text: str,
) -> None:
    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        with pytest.raises(error, match=text) as caught:  # noqa: PT012
            client = await connect(
                "127.0.0.1", port, security=mode, options=ClientOptions(timeouts=SHORT)
            )
            await client.call(Noop()) if client.state.name == "TRANSACTION" else await client.capa()
        assert type(caught.value) is error
        assert caught.value.session_usable is False

    with scripted(*steps) as port:
        on(flow)


@runtime
def test_nobody_listens(on: Callable[[Flow], Any]) -> None:
    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        with pytest.raises(ConnectError, match="port"):
            await connect("127.0.0.1", port)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    on(flow)


@runtime
def test_a_certificate_that_is_not_trusted(on: Callable[[Flow], Any]) -> None:
    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        with pytest.raises(TlsError, match="certificate"):
            await connect(server.host, server.port, security=Security.TLS)
        with pytest.raises(TlsError, match="certificate"):
            await connect(server.host, server.port, **{**how, "server_hostname": "example.org"})

    with serving(Security.TLS) as (server, _, how):
        on(flow)


@runtime
def test_a_password_is_not_sent_in_the_clear(on: Callable[[Flow], Any]) -> None:
    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        client = await connect(server.host, server.port, security=PLAIN)
        with pytest.raises(PlaintextAuthError) as caught:
            await client.login("user", "hunter2")
        assert "hunter2" not in repr(caught.value)
        assert client.state.name == "AUTHORIZATION"
        with pytest.raises(LocalProtocolError):
            await client.stat()
        assert not (await client.quit()).deletions

    with serving(PLAIN) as (server, _, _how):
        on(flow)


CANCELLABLE = {name: on for name, on in RUNTIMES.items() if name not in ("blocking", "uvloop")}


@pytest.mark.parametrize("on", CANCELLABLE.values(), ids=CANCELLABLE)
def test_a_deadline_of_the_callers_closes_the_connection(on: Callable[[Flow], Any]) -> None:
    async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
        options = ClientOptions(capabilities=False)
        client = await connect("127.0.0.1", port, security=PLAIN, options=options)
        module = home(connect).rsplit(".", 1)[-1]
        if module == "trio":
            with trio.move_on_after(0.1):
                await client.capa()
        elif module == "anyio":
            with anyio.move_on_after(0.1):
                await client.capa()
        else:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.capa()
        assert client.closed
        with pytest.raises(DeadConnectionError):
            await client.capa()
        await client.aclose()

    with scripted(b"+OK\r\n", None) as port:
        on(flow)


def test_tiny_buffers_and_thousands_of_commands_ahead() -> None:
    messages = [b"x" * 20 + b"\r\n"] * 50
    maildrops = MemoryMaildrops({"user": messages})
    options = ServerOptions(allow_plaintext_auth=True)
    with serve(maildrops, users={"user": "secret"}, security=PLAIN, options=options) as server:

        def opener(host: str, port: int) -> socket.socket:
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            sock.connect((host, port))
            return sock

        from pop3proto.transports.blocking import connect

        allowed = ClientOptions(allow_plaintext_auth=True)
        how: dict[str, Any] = {"security": PLAIN, "opener": opener, "options": allowed}
        with connect(server.host, server.port, **how) as client:
            client.login("user", "secret")
            numbers = [1 + i % 50 for i in range(5000)]
            sizes = {len(message) for message in client.batch(map(Retr, numbers))}
            assert sizes == {22}


# What the blocking client calls otherwise, or gives otherwise.
OTHER_NAMES = {"aclose": "close"}
OTHER_TYPES = {
    "AsyncBatch": "Batch",
    "AsyncMessageStream": "MessageStream",
    "AsyncIterator": "Iterator",
}
# It says what the stream has to be like, which is different.
OTHER_WORDS = {"start"}
FACADES = [(Client, AsyncClient), (MessageStream, AsyncMessageStream), (Batch, AsyncBatch)]


def public(cls: type[Any]) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def signature(member: Any) -> str:
    read: Any = member.fget if isinstance(member, property) else member
    return str(inspect.signature(read))


def words_of(member: Any) -> str:
    """What is said of it, without the words of async code and their ends of lines."""
    text = re.sub(
        r"\basync (?=with|for)|\bawait |\bAsync|\ba(?=close)", "", inspect.getdoc(member) or ""
    )
    return " ".join(text.replace("another task", "another thread").split())


def as_blocking(asynchronous: str) -> str:
    """A signature of an async method, as the blocking one of the same name has to have it."""
    for theirs, ours in OTHER_TYPES.items():
        asynchronous = re.sub(rf"\b{theirs}\b", ours, asynchronous)
    # What has to be awaited cannot be given to blocking code.
    asynchronous = asynchronous.replace("_GetToken", "Callable[[RefusedToken | None], str]")
    return asynchronous.replace(" | Awaitable[str]", "")


@pytest.mark.parametrize(("facade", "original"), FACADES)
def test_the_blocking_client_has_the_same_methods(facade: type[Any], original: type[Any]) -> None:
    names = {name: OTHER_NAMES.get(name, name) for name in public(original)}
    assert set(names.values()) <= public(facade)
    for name, our_name in names.items():
        ours, theirs = getattr(facade, our_name), getattr(original, name)
        assert type(ours) is type(theirs), name
        assert signature(ours) == as_blocking(signature(theirs)), name
        if name not in OTHER_WORDS:
            assert words_of(ours) == words_of(theirs), name
    if facade is not Client:
        assert words_of(facade) == words_of(original)
        assert words_of(facade.__next__) == words_of(original.__anext__)
    # What else there is are attributes of the original's, which describe themselves by a string.
    source = inspect.getsource(original)
    for name in public(facade) - set(names.values()):
        assert f"self.{name}: " in source, name
        assert f'"""{inspect.getdoc(getattr(facade, name))}"""' in source, name


def test_a_signature_is_compared_as_a_whole() -> None:
    """What is awaited is what blocking code gets at once; nothing else may differ."""
    assert as_blocking("(self) -> 'AsyncBatch[Ok]'") == "(self) -> 'Batch[Ok]'"
    assert as_blocking("(t: 'Callable[[], str | Awaitable[str]]')") == "(t: 'Callable[[], str]')"
    assert as_blocking("(self) -> 'BatchOfOthers'") == "(self) -> 'BatchOfOthers'"


ADAPTERS = [
    importlib.import_module(f"pop3proto.transports.{name}")
    for name in ("blocking", "asyncio", "trio", "anyio")
]
# What an opener gives, and what comes out of it all.
SOCKET = "socket.socket | Stream"
OPENED = {SOCKET: f"{SOCKET} | Awaitable[{SOCKET}]", "'Client'": "'Connecting'"}


@pytest.mark.parametrize("name", ["connect", "connect_unix"])
def test_every_adapter_connects_in_the_same_way(name: str) -> None:
    blocking, *others = (getattr(adapter, name) for adapter in ADAPTERS)
    expected = signature(blocking)
    for ours, theirs in OPENED.items():
        expected = expected.replace(ours, theirs)
    assert {signature(other) for other in others} == {expected}
    # There is one description for all of the others. For connect() it refers to the blocking one.
    assert len({other.__func__ for other in others}) == 1
    if name == "connect_unix":
        assert words_of(blocking) == words_of(others[0])
    else:
        assert "pop3proto.connect()" in words_of(others[0])
        assert pop3proto.connect is blocking
