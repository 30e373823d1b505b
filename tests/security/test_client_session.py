"""What a caller can get wrong about a connection, and a server about its end, on every runtime."""

from __future__ import annotations

import importlib
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import trustme

from pop3proto import (
    Auth,
    ConnectionLostError,
    DeadlineError,
    Fault,
    LocalProtocolError,
    Noop,
    Pass,
    Pop3Error,
    RemoteProtocolError,
    Stat,
    Stls,
    TlsError,
)
from pop3proto._value import replace
from pop3proto.errors import DeadConnectionError, LimitError, PlaintextAuthError
from pop3proto.transports import Security, ServerProfile
from tests.runtimes import Flow, runtime
from tests.security.hostile import HOST, PATIENT, Answer, Peer, client_context, hostile

Connect = Callable[..., Awaitable[Any]]
On = Callable[[Flow], Any]
SECRET = "pa55word"
NO_MODES = ["STARTTLS", "", "none", True, 1, 0, ssl.CERT_NONE]


# A mode that is not understood


@runtime
@pytest.mark.parametrize("mode", NO_MODES)
def test_a_mode_that_there_is_not_opens_no_connection(on: On, mode: Any) -> None:
    def opener(host: str, port: int) -> Any:
        raise AssertionError("nothing should be opened")

    async def flow(connect: Connect) -> None:
        with pytest.raises(LocalProtocolError, match="security is one of"):
            await connect(HOST, 1, security=mode, opener=opener)

    on(flow)


@pytest.mark.parametrize("name", ["blocking", "asyncio", "trio", "anyio"])
@pytest.mark.parametrize("mode", NO_MODES)
def test_nor_one_to_a_path_or_over_a_stream(name: str, mode: Any) -> None:
    class Untouched:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError("nothing should be sent")

    module = importlib.import_module(f"pop3proto.transports.{name}")
    client = module.Client if name == "blocking" else module.AsyncClient
    ways: list[Callable[[], Any]] = [
        lambda: module.connect_unix("nowhere", security=mode),
        lambda: client.start(Untouched(), security=mode),
    ]
    for start in ways:
        with pytest.raises(LocalProtocolError, match="security is one of"):
            # Nothing is awaited before it is checked.
            start() if name == "blocking" else start().send(None)


@runtime
def test_the_value_of_a_mode_is_the_mode(on: On) -> None:
    async def flow(connect: Connect) -> None:
        async with await connect(HOST, server.port, **{**server.how, "security": "stls"}) as client:
            assert client.secure

    with hostile(Security.STLS) as server:
        on(flow)
    assert server.clear == [b"STLS"]


# The name of the server


@runtime
def test_start_tls_verifies_the_name_that_was_connected_to(on: On) -> None:
    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        with pytest.raises(TlsError, match="certificate") as caught:
            await client.start_tls(context)
        assert client.closed
        # What OpenSSL said is there to be looked at.
        assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)

    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example.org").configure_cert(other)
    with hostile(Security.PLAINTEXT, context=other) as server:
        on(flow)
    assert server.secret == []


@runtime
def test_start_tls_takes_the_right_name(on: On) -> None:
    async def flow(connect: Connect) -> None:
        async with await connect(HOST, server.port, **server.how) as client:
            before = client.capabilities
            await client.start_tls(client_context())
            assert client.secure
            # They were asked for again.
            assert before is not None
            assert client.capabilities is not before

    with hostile(Security.PLAINTEXT) as server:
        on(flow)
    assert server.clear == [b"CAPA", b"STLS"]
    assert server.secret == [b"CAPA", b"QUIT"]


# What is not for the caller to send


@runtime
def test_every_way_to_send_a_command_is_guarded(on: On) -> None:
    async def through_a_batch(client: Any, command: Any) -> None:
        async for _ in client.batch([command]):
            pass

    async def flow(connect: Connect) -> None:
        how = {**server.how, "options": replace(server.how["options"], allow_plaintext_auth=False)}
        async with await connect(HOST, server.port, **how) as client:
            for command, error in [
                (Stls(), LocalProtocolError),
                (Pass(SECRET), PlaintextAuthError),
                (Auth("PLAIN", b"\0user\0" + SECRET.encode()), PlaintextAuthError),
                (Auth("XOAUTH2", b"x"), PlaintextAuthError),
            ]:
                for send in (lambda client, command: client.call(command), through_a_batch):
                    with pytest.raises(error):
                        await send(client, command)
                with pytest.raises(LocalProtocolError, match="not answered by a text"):
                    client.stream(command)
            with pytest.raises(LocalProtocolError, match="not answered by a text"):
                client.stream(Stat())
            assert not client.closed

    with hostile(Security.PLAINTEXT) as server:
        on(flow)
    assert server.clear == [b"CAPA", b"QUIT"]


# Deadlines that blank lines do not move


def blank_lines(peer: Peer) -> None:
    # Many octets, but within the limit, and never a status line. It ends by itself, should the
    # client not.
    with suppress(OSError):
        for _ in range(200):
            peer.say(b"\r\n" * 50)
            time.sleep(0.02)


@runtime
def test_blank_lines_are_no_beginning_of_an_answer(on: On) -> None:
    timeouts = replace(PATIENT, reply=0.3)

    async def flow(connect: Connect) -> None:
        with pytest.raises(DeadlineError) as caught:
            await connect(HOST, server.port, **server.how)
        assert caught.value.phase == "reply"

    with hostile(Security.PLAINTEXT, {b"CAPA": blank_lines}, timeouts=timeouts) as server:
        on(flow)


def blank_lines_without_end(peer: Peer) -> None:
    peer.flood(b"\r\n" * 30000)


@runtime
@pytest.mark.parametrize("mode", list(Security), ids=lambda mode: mode.value)
@pytest.mark.parametrize("place", ["greeting", "reply", "before a command"])
def test_blank_lines_have_an_end(on: On, mode: Security, place: str) -> None:
    async def flow(connect: Connect) -> None:
        with pytest.raises(LimitError, match="blank lines") as caught:  # noqa: PT012
            client = await connect(HOST, server.port, **server.how)
            await client.login("user", SECRET)
            await client.noop()
            await client.noop()
        assert caught.value.limit == "status_line"

    def noop(peer: Peer) -> None:
        if place == "before a command":
            peer.say(b"+OK\r\n")
        blank_lines_without_end(peer)

    answers = {b"NOOP": noop}
    greeting = blank_lines_without_end if place == "greeting" else b"+OK ready\r\n"
    with hostile(mode, answers, greeting=greeting) as server:
        on(flow)


# Deletions of which nothing is known


def silence(peer: Peer) -> None:
    peer.everything()


@runtime
@pytest.mark.parametrize(
    ("answer", "error"),
    [(silence, DeadlineError), (None, ConnectionLostError)],
    ids=["silent", "gone"],
)
def test_a_quit_without_an_answer_promises_nothing(
    on: On, answer: Answer, error: type[Exception]
) -> None:
    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        await client.login("user", SECRET, mechanisms=["USER"])
        await client.dele(1)
        result = await client.quit()
        assert (result.confirmed, result.deletions) == (False, 1)
        assert type(result.error) is error
        text = str(result.error)
        assert "messages that were marked as deleted, and may be gone: 1" in text

    timeouts = replace(PATIENT, quit=0.3)
    with hostile(Security.PLAINTEXT, {b"QUIT": answer}, timeouts=timeouts) as server:
        on(flow)


@runtime
def test_before_quit_they_are_kept(on: On) -> None:
    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        await client.login("user", SECRET, mechanisms=["USER"])
        await client.dele(1)
        with pytest.raises(ConnectionLostError, match="deleted, and are kept: 1"):
            await client.noop()

    with hostile(Security.PLAINTEXT, {b"NOOP": None}) as server:
        on(flow)


@runtime
def test_after_quit_they_are_gone(on: On) -> None:
    async def flow(connect: Connect) -> None:
        for marked in (0, 1):
            client = await connect(HOST, server.port, **server.how)
            await client.login("user", SECRET, mechanisms=["USER"])
            for number in range(marked):
                await client.dele(number + 1)
            result = await client.quit()
            assert (result.confirmed, result.deletions) == (True, marked)
            with pytest.raises(
                DeadConnectionError, match="the session has ended with QUIT"
            ) as info:
                await client.noop()
            assert ("gone" in info.value.hint) is bool(marked)
            assert "kept" not in info.value.hint
            assert "still there" not in info.value.hint
            # It is over; the result is the same.
            assert await client.quit() is result

    with hostile(Security.PLAINTEXT) as server:
        on(flow)
    assert server.clear.count(b"QUIT") == 2


@runtime
def test_after_a_quit_that_is_refused_nobody_knows(on: On) -> None:
    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        await client.login("user", SECRET, mechanisms=["USER"])
        await client.dele(1)
        result = await client.quit()
        assert not result.confirmed
        with pytest.raises(DeadConnectionError) as info:
            await client.noop()
        for hint in (result.error.hint, info.value.hint):
            assert "marked as deleted, and may be gone: 1" in hint
        assert await client.quit() is result

    with hostile(Security.PLAINTEXT, {b"QUIT": b"-ERR some were not removed\r\n"}) as server:
        on(flow)


@runtime
def test_after_a_quit_that_is_answered_by_nonsense_nobody_knows(on: On) -> None:
    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        await client.login("user", SECRET, mechanisms=["USER"])
        await client.dele(1)
        with pytest.raises(RemoteProtocolError) as first:
            await client.quit()
        with pytest.raises(DeadConnectionError) as second:
            await client.quit()
        for error in (first.value, second.value):
            assert "marked as deleted, and may be gone: 1" in error.hint

    with hostile(Security.PLAINTEXT, {b"QUIT": b"bye\r\n"}) as server:
        on(flow)


@runtime
def test_whatever_ends_a_session_says_that_they_are_kept(on: On) -> None:
    async def flow(connect: Connect) -> None:
        calls: list[Callable[[Any], Awaitable[Any]]] = [
            lambda client: client.noop(),
            lambda client: client.retr(1, max_octets=1),
            lambda client: client.stat(),
        ]
        for call in calls:
            client = await connect(HOST, server.port, **server.how)
            await client.login("user", SECRET, mechanisms=["USER"])
            await client.dele(1)
            with pytest.raises(Pop3Error) as first:
                await call(client)
            with pytest.raises(DeadConnectionError) as second:
                await client.noop()
            for error in (first.value, second.value):
                assert f"{error} {error.hint}".count("marked as deleted, and are kept: 1") == 1

    answers: dict[bytes, Answer] = {
        b"NOOP": b"bye\r\n",
        b"RETR": b"+OK\r\nmail\r\n.\r\n",
        b"STAT": None,
    }
    with hostile(Security.PLAINTEXT, answers) as server:
        on(flow)


# Deviations


@runtime
def test_the_first_of_each_fault_is_kept_however_many_there_are(on: On) -> None:
    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        await client.login("user", SECRET, mechanisms=["USER"])
        async for reply in client.batch([Noop()] * 1100):
            assert reply.command == Noop()
        await client.stat()
        await client.stat()
        assert len(client.deviations) == 1001
        faults = {Fault.BARE_LF, Fault.UNUSABLE_SIZE}
        assert ServerProfile.of(client.deviations).faults == faults
        await client.quit()

    answers: dict[bytes, Answer] = {b"NOOP": b"+OK\n", b"STAT": b"+OK 2 many\r\n"}
    with hostile(Security.PLAINTEXT, answers) as server:
        on(flow)
