"""A server in memory: the same session, over no network, on every runtime."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import anyio
import pytest
import trio

from pop3proto import (
    AuthenticationError,
    CommandError,
    ConnectionLostError,
    DeadlineError,
    TlsError,
)
from pop3proto.client.stepping import run
from pop3proto.errors import DeadConnectionError, LocalProtocolError, StlsInjectionError
from pop3proto.server import Maildrop, MemoryMaildrops, ServerOptions, ServerSession
from pop3proto.testing import MemoryStream, memory_stream, serve
from pop3proto.transports import ClientOptions, Security, Timeouts
from pop3proto.transports.asyncio import AsyncClient
from pop3proto.transports.blocking import Client
from tests.runtimes import SMALL, on_uvloop

USERS = {"user": "secret"}
CLEARTEXT = ServerOptions(allow_plaintext_auth=True)

RUNTIMES: dict[str, Callable[[Callable[[], Coroutine[Any, Any, None]]], Any]] = {
    "asyncio": lambda flow: asyncio.run(flow()),
    "uvloop": on_uvloop,
    "trio": trio.run,
    "anyio-asyncio": lambda flow: anyio.run(flow, backend="asyncio"),
    "anyio-trio": lambda flow: anyio.run(flow, backend="trio"),
}


def stream_to(
    maildrops: MemoryMaildrops, security: Security = Security.PLAINTEXT, **how: Any
) -> MemoryStream[ServerSession]:
    how.setdefault("options", CLEARTEXT)
    return memory_stream(maildrops, users=USERS, security=security, **how)


def told(stream: MemoryStream[ServerSession], **options: Any) -> dict[str, Any]:
    """How a client is to be started over ``stream``."""
    how: dict[str, Any] = {"security": stream.security}
    if stream.security is not Security.PLAINTEXT:
        how |= {"ssl_context": stream.client_context(), "server_hostname": "localhost"}
    options.setdefault("allow_plaintext_auth", stream.security is Security.PLAINTEXT)
    return how | {"options": ClientOptions(**options)}


def blocking(stream: MemoryStream[ServerSession], **options: Any) -> Client:
    return Client.start(stream, **told(stream, **options))


@pytest.fixture
def maildrops() -> MemoryMaildrops:
    return MemoryMaildrops({"user": SMALL})


@pytest.mark.parametrize("security", Security)
@pytest.mark.parametrize("on", RUNTIMES.values(), ids=RUNTIMES)
def test_a_session_on_every_runtime(
    on: Callable[..., Any], security: Security, maildrops: MemoryMaildrops
) -> None:
    stream = stream_to(maildrops, security)

    async def flow() -> None:
        async with await AsyncClient.start(stream, **told(stream)) as client:
            await client.login("user", "secret")
            outcomes = [o async for o in client.retr_many(range(1, len(SMALL) + 1))]
            assert [message.content for message in outcomes] == SMALL
            await client.dele(1)

    on(flow)
    assert maildrops.contents("user") == SMALL[1:]
    assert stream.session.deleted == {1}
    assert stream.session.secure is (security is not Security.PLAINTEXT)
    assert stream.error is None


@pytest.mark.parametrize("security", Security)
def test_a_session_for_blocking_code(security: Security, maildrops: MemoryMaildrops) -> None:
    stream = stream_to(maildrops, security)
    with blocking(stream) as client:
        with pytest.raises(AuthenticationError):
            client.login("user", "wrong")
        client.login("user", "secret")
        assert client.retr(5).content == SMALL[4]
        assert client.secure is (security is not Security.PLAINTEXT)
    assert stream.closed
    assert stream.delayed == CLEARTEXT.failed_login_delay


def test_there_is_no_thread_and_no_socket(
    maildrops: MemoryMaildrops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "socket")
    monkeypatch.delattr(threading, "Thread")
    with blocking(stream_to(maildrops)) as client:
        client.login("user", "secret")


def test_the_octets_are_those_of_the_server_on_a_network(maildrops: MemoryMaildrops) -> None:
    requests = b"CAPA\r\nUSER user\r\nPASS secret\r\nLIST\r\nRETR 1\r\nTOP 2 1\r\nQUIT\r\n"
    options = ServerOptions(allow_plaintext_auth=True, apop=False)
    stream = stream_to(maildrops, options=options)

    async def all_of(stream: MemoryStream[ServerSession]) -> bytes:
        await stream.send(requests, None)
        said = b""
        while data := await stream.receive(None):
            said += data
        return said

    plain = Security.PLAINTEXT
    with (
        serve(maildrops, users=USERS, security=plain, options=options) as server,
        socket.create_connection((server.host, server.port), timeout=30) as connection,
    ):
        connection.sendall(requests)
        said = b"".join(iter(lambda: connection.recv(65536), b""))
    assert asyncio.run(all_of(stream)) == said
    assert said.endswith(b"goodbye\r\n")


def test_a_deadline_passes_at_once(maildrops: MemoryMaildrops) -> None:
    async def hush() -> None:
        stream = stream_to(maildrops)
        await stream.receive(1e9)
        with pytest.raises(TimeoutError, match="waits for the client"):
            await stream.receive(1e9)
        with pytest.raises(TimeoutError, match="waits for the client"):
            await stream.receive(None)

    asyncio.run(hush())


@pytest.mark.parametrize(("seconds", "error"), [(1e6, DeadlineError), (None, ConnectionLostError)])
def test_a_deadline_of_the_clients(
    maildrops: MemoryMaildrops, seconds: float | None, error: type[Exception]
) -> None:
    # The greeting of a server with TLS never comes to a client without.
    stream = stream_to(maildrops, Security.TLS)
    with pytest.raises(error):
        Client.start(
            stream,
            security=Security.PLAINTEXT,
            options=ClientOptions(timeouts=Timeouts(greeting=seconds)),
        )
    assert stream.closed


def test_the_server_does_not_run_far_ahead() -> None:
    taken = 0

    def pieces() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield b"x" * 9_998 + b"\r\n"

    class Drop:
        def __init__(self, inner: Maildrop) -> None:
            self.inner = inner
            self.messages = inner.messages
            self.commit, self.close = inner.commit, inner.close

        def open(self, number: int) -> Iterator[bytes]:
            return pieces()

    class Drops:
        def open(self, user: str) -> Maildrop:
            return Drop(MemoryMaildrops({user: [b"x"]}).open(user))

    stream = memory_stream(Drops(), users=USERS, options=CLEARTEXT)
    client = blocking(stream)
    client.login("user", "secret")
    with client.retr_stream(1) as message:
        next(message)
        assert taken < 50
        assert sum(map(len, message)) + message.octets > 9_000_000
    assert taken == 1000


@pytest.mark.parametrize("security", Security)
@pytest.mark.parametrize("orderly", [True, False])
def test_whoever_leaves_without_quit_deletes_nothing(
    maildrops: MemoryMaildrops, orderly: bool, security: Security
) -> None:
    client = blocking(stream_to(maildrops, security))
    client.login("user", "secret")
    client.dele(1)
    if orderly:
        client.close()
    else:
        client.abort()
    assert maildrops.contents("user") == SMALL
    with blocking(stream_to(maildrops)) as other:
        other.login("user", "secret")


def test_what_was_sent_counts_after_an_orderly_close(maildrops: MemoryMaildrops) -> None:
    async def leave(stream: MemoryStream[ServerSession]) -> None:
        await stream.send(b"USER user\r\nPASS secret\r\n" + b"RETR 5\r\n" * 50, None)
        await stream.send(b"DELE 1\r\nQUIT\r\n", None)
        await stream.aclose()
        await stream.aclose()

    asyncio.run(leave(stream_to(maildrops)))
    assert maildrops.contents("user") == SMALL[1:]


def test_a_stream_that_is_closed_or_over(maildrops: MemoryMaildrops) -> None:
    async def try_it() -> None:
        stream = stream_to(maildrops)
        await stream.send(b"QUIT\r\n", None)
        assert (await stream.receive(None)).endswith(b"goodbye\r\n")
        assert await stream.receive(None) == b""
        await stream.send(b"NOOP\r\n", None)
        assert await stream.receive(None) == b""
        stream.abort()
        stream.abort()
        with pytest.raises(OSError, match="closed"):
            await stream.send(b"NOOP\r\n", None)
        with pytest.raises(OSError, match="closed"):
            await stream.receive(None)

    asyncio.run(try_it())


def test_sessions_are_exclusive(maildrops: MemoryMaildrops) -> None:
    with blocking(stream_to(maildrops)) as client:
        client.login("user", "secret")
        other = blocking(stream_to(maildrops))
        with pytest.raises(AuthenticationError, match="another session"):
            other.login("user", "secret")


def test_a_fault_of_the_authenticators_comes_out(maildrops: MemoryMaildrops) -> None:
    class Faulty:
        def check(self, user: str, password: str) -> bool:
            raise ZeroDivisionError

    stream = memory_stream(maildrops, users=Faulty(), options=CLEARTEXT)
    client = blocking(stream)
    with pytest.raises(ZeroDivisionError):
        client.login("user", "secret")
    with pytest.raises(DeadConnectionError):
        client.noop()


def test_passwords_are_refused_in_the_clear_unless_they_are_allowed(
    maildrops: MemoryMaildrops,
) -> None:
    client = blocking(memory_stream(maildrops, users=USERS))
    with pytest.raises(CommandError, match="only taken under TLS"):
        client.login("user", "secret", mechanisms=["USER"])


@pytest.mark.parametrize("security", [Security.TLS, Security.STLS])
def test_a_certificate_that_is_not_trusted(maildrops: MemoryMaildrops, security: Security) -> None:
    stream = stream_to(maildrops, security)
    other = stream_to(maildrops, security)
    with pytest.raises(TlsError, match="certificate"):
        Client.start(
            stream,
            security=security,
            ssl_context=other.client_context(),
            server_hostname="localhost",
        )
    assert stream.closed
    assert stream.error is not None


def test_a_context_of_the_callers_own(maildrops: MemoryMaildrops) -> None:
    first = stream_to(maildrops, Security.STLS)
    second = stream_to(maildrops, Security.STLS, tls_context=first.tls_context)
    with pytest.raises(LocalProtocolError, match="did not make its certificate"):
        second.client_context()
    how = {**told(first), "security": Security.STLS}
    with Client.start(second, **how) as client:
        assert client.secure


def test_no_tls_where_the_client_speaks_without(maildrops: MemoryMaildrops) -> None:
    async def speak(stream: MemoryStream[ServerSession], *said: bytes) -> None:
        for data in said:
            await stream.send(data, None)
        while await stream.receive(None):
            pass

    stream = stream_to(maildrops, Security.TLS)
    asyncio.run(speak(stream, b"CAPA\r\n"))
    assert isinstance(stream.error, OSError)
    stream = stream_to(maildrops, Security.STLS)
    asyncio.run(speak(stream, b"STLS\r\n", b"CAPA\r\n"))
    assert isinstance(stream.error, OSError)


def test_nothing_may_come_behind_stls_in_the_clear(maildrops: MemoryMaildrops) -> None:
    stream = stream_to(maildrops, Security.STLS)

    class Injecting:
        receive, aclose, abort = stream.receive, stream.aclose, stream.abort

        async def send(self, data: bytes, timeout: float | None) -> None:
            more = b"USER user\r\n" if data == b"STLS\r\n" else b""
            await stream.send(data + more, timeout)

    client = Client.start(
        Injecting(), security=Security.PLAINTEXT, options=ClientOptions(capabilities=False)
    )
    with pytest.raises((TlsError, ConnectionLostError)):
        client.start_tls(stream.client_context(), "localhost")
    assert isinstance(stream.session.error, StlsInjectionError)


def test_octets_that_are_no_tls(maildrops: MemoryMaildrops) -> None:
    stream = stream_to(maildrops, Security.TLS)
    client = blocking(stream)
    asyncio.run(stream.send(b"NOOP\r\n", None))
    assert isinstance(stream.error, OSError)
    with pytest.raises((TlsError, ConnectionLostError)):
        client.capa()
    assert maildrops.contents("user") == SMALL


def test_a_context_is_needed_where_tls_is_asked_for(maildrops: MemoryMaildrops) -> None:
    session = ServerSession(maildrops, USERS, offer_stls=True)
    stream = MemoryStream(session, security=Security.STLS)
    client = Client.start(
        stream, security=Security.PLAINTEXT, options=ClientOptions(capabilities=False)
    )
    with pytest.raises(LocalProtocolError, match="without a certificate"):
        client.start_tls()


def test_what_the_server_has_sent_by_now() -> None:
    stream = memory_stream({"user": []}, password="secret")
    assert (run(stream.receive_at_hand()) or b"").startswith(b"+OK ")
    assert run(stream.receive_at_hand()) is None
    run(stream.send(b"QUIT\r\n", None))
    assert (run(stream.receive_at_hand()) or b"").startswith(b"+OK")
    assert run(stream.receive_at_hand()) == b""
    stream.abort()
    with pytest.raises(ConnectionAbortedError):
        run(stream.receive_at_hand())
