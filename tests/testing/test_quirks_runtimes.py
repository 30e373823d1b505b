"""Quirks over real sockets and TLS, on every runtime, and many of them together."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pop3proto import CommandError, ConnectionLostError, Fault, Message, RemoteProtocolError
from pop3proto.errors import LocalProtocolError, Pop3Error
from pop3proto.sasl.server import Passwords, password_mechanisms
from pop3proto.server import MemoryMaildrops
from pop3proto.testing import Quirk, serve
from pop3proto.testing.quirks.names import consistent
from pop3proto.transports import Security, ServerProfile
from pop3proto.transports.blocking import connect
from tests.runtimes import RUNTIMES, SHORT, Flow
from tests.runtimes import security as securities
from tests.testing.quirky import MESSAGES, OPTIONS, SERVER, USERS, sent, start, use

Connect = Callable[..., Awaitable[Any]]
NAMES = ("blocking", "asyncio", "trio")
runtimes = pytest.mark.parametrize("on", [RUNTIMES[name] for name in NAMES], ids=NAMES)


@contextmanager
def serving(mode: Security, *quirks: Quirk, **options: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    with serve(
        MemoryMaildrops({"user": MESSAGES}),
        users=USERS,
        security=mode,
        options=SERVER,
        mechanisms=password_mechanisms(Passwords(USERS), host=SERVER.host_name),
        quirks=quirks,
    ) as server:
        how: dict[str, Any] = {"security": mode, "options": OPTIONS}
        if mode is not Security.PLAINTEXT:
            how["ssl_context"] = server.client_context()
        yield server, how


async def session(connect: Connect, server: Any, how: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The client, the listing and the bodies of a session."""
    async with await connect(server.host, server.port, **how) as client:
        await client.login("user", "secret")
        listing = await client.list()
        bodies = [(await client.retr(number)).content for number in (1, 2)]
        await client.quit()
    return client, listing, bodies


@pytest.mark.slow
@runtimes
@securities
def test_several_at_once(on: Callable[[Flow], Any], mode: Security) -> None:
    quirks = (
        Quirk.BARE_LF,
        Quirk.BLANK_LINES,
        Quirk.SPLIT_PACKETS,
        Quirk.REPEATED_CAPABILITIES,
        Quirk.OK_CHALLENGES,
        Quirk.REVERSED_LISTINGS,
        Quirk.NEGATIVE_SIZES,
    )
    # STLS is answered in the clear, and TLS begins behind its last octet.
    with serving(mode, *quirks) as (server, how):
        client, listing, bodies = on(lambda connect: session(connect, server, how))
    assert [row.number for row in listing] == [2, 1]
    assert [row.octets for row in listing] == [None, None]
    assert bodies == [message.replace(b"\r\n", b"\n") for message in MESSAGES]
    assert ServerProfile.of(client.deviations).faults == {
        Fault.BARE_LF,
        Fault.BLANK_LINE,
        Fault.REPEATED_CAPABILITY,
        Fault.OK_CHALLENGE,
        Fault.UNUSABLE_SIZE,
    }


@runtimes
@pytest.mark.parametrize(
    ("quirk", "error"),
    [
        (Quirk.IMAP_GREETING, RemoteProtocolError),
        (Quirk.ERROR_GREETING, CommandError),
        (Quirk.CLOSES_ON_CAPA, ConnectionLostError),
        (Quirk.REFUSED_MESSAGE, CommandError),
    ],
)
def test_what_ends_it(on: Callable[[Flow], Any], quirk: Quirk, error: type[Pop3Error]) -> None:
    with serving(Security.STLS, quirk) as (server, how), pytest.raises(error):
        on(lambda connect: session(connect, server, how))


@runtimes
def test_quit_without_an_answer(on: Callable[[Flow], Any]) -> None:
    async def flow(connect: Connect) -> Any:
        async with await connect(server.host, server.port, **how) as client:
            await client.login("user", "secret")
            await client.dele(1)
            return await client.quit()

    with serving(Security.STLS, Quirk.CLOSES_ON_QUIT) as (server, how):
        result = on(flow)
    assert not result.confirmed
    assert result.deletions == 1


@securities
def test_each_octet_is_sent_by_itself(mode: Security, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    sendall = socket.socket.sendall

    def noting(self: socket.socket, data: bytes) -> None:
        written.append(bytes(data))
        sendall(self, data)

    # The network may join what was sent apart, so it is counted where it is sent.
    monkeypatch.setattr(socket.socket, "sendall", noting)
    with (
        serving(mode, Quirk.SPLIT_PACKETS) as (server, how),
        socket.create_connection((server.host, server.port), timeout=30) as connection,
    ):
        if mode is Security.TLS:
            context = how["ssl_context"]
            with context.wrap_socket(connection, server_hostname="localhost") as secured:
                # A record at a time.
                assert [secured.recv(100) for _ in range(3)] == [b"+", b"O", b"K"]
        else:
            greeting = b""
            while not greeting.endswith(b"\r\n"):
                greeting += connection.recv(100)
            assert written == [bytes([octet]) for octet in greeting]


@runtimes
def test_stls_that_is_not_advertised(on: Callable[[Flow], Any]) -> None:
    with serving(Security.STLS, Quirk.HIDDEN_STLS) as (server, how):
        client, _, bodies = on(lambda connect: session(connect, server, how))
        assert server.sessions[0].secure
    assert bodies == MESSAGES
    assert client.deviations == ()
    for quirks, shown in (((), True), ((Quirk.HIDDEN_STLS,), False)):
        with serving(Security.STLS, *quirks) as (server, how):
            plaintext: dict[str, Any] = {"security": Security.PLAINTEXT, "options": OPTIONS}
            with connect(server.host, server.port, **plaintext) as client:
                assert client.capabilities is not None
                assert ("STLS" in client.capabilities.lines) is shown


def possible(quirks: set[Quirk]) -> bool:
    try:
        consistent(quirks)
    except LocalProtocolError:
        return False
    return True


SOME = st.sets(st.sampled_from(list(Quirk)), min_size=2, max_size=3).filter(possible)


@given(
    SOME,
    st.sampled_from(["USER", "PLAIN", "CRAM-MD5", None]),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_whatever_comes_together(quirks: set[Quirk], mechanism: str | None, initial: bool) -> None:
    how: dict[str, Any] = {"initial_response": initial}
    how["mechanisms"] = None if mechanism is None else [mechanism]
    try:
        seen = use(quirks, **how)
    except Pop3Error:
        return
    assert seen.bodies == sent(quirks)


@given(SOME)
@settings(max_examples=60, deadline=None)
def test_batches_end_with_results_or_errors(quirks: set[Quirk]) -> None:
    # Any other exception comes out and fails it.
    with suppress(Pop3Error), start(quirks, timeouts=SHORT) as client:
        client.login("user", "secret", mechanisms=["USER"])
        for outcome in client.retr_many([1, 2]).outcomes():
            assert isinstance(outcome, CommandError | Message)
