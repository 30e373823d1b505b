"""Hints that name the way out, where only the session knows what it was doing."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pop3proto import Limits, Pop3Error
from pop3proto.client.advice import about_deletions, about_greeting
from pop3proto.client.client import AsyncClient
from pop3proto.errors import (
    ConnectionLostError,
    DeadlineError,
    LimitError,
    RemoteProtocolError,
    StlsInjectionError,
    TlsError,
)
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import Quirk, serve
from pop3proto.transports import ClientOptions, Security, Timeouts
from tests.runtimes import SHORT, Flow, runtime

LIMITED = ClientOptions(limits=Limits(status_line=64))
AHEAD = "pipelining=False"
CAPA = "capabilities=False"
PORTS = "security=TLS is usual on port 995"


class Told:
    """A stream on which a server says what it is told to, whatever is sent; ``None`` is silence."""

    def __init__(self, *said: bytes | None) -> None:
        self._said = list(said)

    async def send(self, data: bytes, timeout: float | None) -> None:
        pass

    async def receive(self, timeout: float | None) -> bytes:
        said = self._said.pop(0)
        if said is None:
            raise TimeoutError
        return said

    async def aclose(self) -> None:
        pass

    def abort(self) -> None:
        pass


def failing(
    act: Callable[[AsyncClient], Awaitable[Any]] | None, *said: bytes | None, **how: Any
) -> Pop3Error:
    """The error of a session with a server that says this."""

    async def session() -> None:
        how.setdefault("security", Security.PLAINTEXT)
        client = await AsyncClient.start(Told(*said), **how)
        if act is not None:
            await act(client)

    with pytest.raises(Pop3Error) as caught:
        asyncio.run(session())
    return caught.value


@pytest.mark.parametrize("security", [Security.STLS, Security.PLAINTEXT])
@pytest.mark.parametrize(
    ("said", "kind"),
    [
        # What a server that waits for a TLS handshake does until it gives up.
        (None, DeadlineError),
        (b"", ConnectionLostError),
        (b"\x15\x03\x01\x00\x02\x02\x46", ConnectionLostError),
        (b"\x15\x03\x01\x00\x02\x02\n", RemoteProtocolError),
        (b"* OK IMAP4rev1\r\n", RemoteProtocolError),
    ],
)
def test_no_greeting_in_the_clear(
    said: bytes | None, kind: type[Pop3Error], security: Security
) -> None:
    error = failing(None, said, b"", security=security)
    assert isinstance(error, kind)
    assert PORTS in error.hint
    assert "only QUIT" not in error.hint


def test_no_greeting_after_tls() -> None:
    # The mode is the right one, or there would be no TLS.
    error = ConnectionLostError("no greeting")
    about_greeting(error, Security.TLS)
    assert error.hint == "try again later"


FATE = "; nothing was deleted"


@pytest.mark.parametrize(
    ("message", "hint", "told"),
    [
        ("lost", "connect again", f"connect again{FATE}"),
        ("lost", "", "nothing was deleted"),
        # Once is enough.
        (f"lost{FATE}", "connect again", "connect again"),
        ("lost", f"connect again{FATE}", f"connect again{FATE}"),
    ],
)
def test_what_became_of_the_deletions_is_told_once(message: str, hint: str, told: str) -> None:
    error = ConnectionLostError(message)
    error.hint = hint
    about_deletions(error, FATE)
    assert error.hint == told


def test_a_greeting_that_is_too_long_names_the_limit() -> None:
    error = failing(None, b"+OK " + b"x" * 70 + b"\r\n", options=LIMITED)
    assert isinstance(error, LimitError)
    assert error.hint == LimitError.hint


@pytest.mark.parametrize("said", [b"", None, b"who are you?\r\n"])
@pytest.mark.parametrize(
    "before",
    [[], [b"+OK\r\n.\r\n", b"+OK\r\n", b"+OK\r\n"]],
    ids=["after the greeting", "after the login"],
)
def test_servers_that_cannot_cope_with_capa(before: list[bytes], said: bytes | None) -> None:
    options = ClientOptions(allow_plaintext_auth=True)

    async def log_in(client: AsyncClient) -> None:
        await client.login("user", "secret", mechanisms=["USER"])

    error = failing(log_in, b"+OK\r\n", *before, said, options=options)
    assert CAPA in error.hint
    assert error.hint.count(CAPA) == 1


def test_a_capa_that_the_caller_asked_for_is_the_callers_business() -> None:
    error = failing(AsyncClient.capa, b"+OK\r\n", b"", options=ClientOptions(capabilities=False))
    assert CAPA not in error.hint


@pytest.mark.parametrize("said", [b"", None, b"who are you?\r\n"])
def test_servers_that_cannot_cope_with_stls(said: bytes | None) -> None:
    assert PORTS in failing(None, b"+OK\r\n", said, security="stls").hint


def test_a_server_that_agrees_to_stls_and_goes_on_in_the_clear() -> None:
    error = failing(
        None,
        b"+OK\r\n",
        b"+OK\r\n",
        b"+OK ready \x1b\r\n",
        security="stls",
        ssl_context=ssl.create_default_context(),
        server_hostname="pop.example.org",
    )
    assert isinstance(error, TlsError)
    assert r"it said: +OK ready \x1b" in str(error)
    assert PORTS in error.hint


CAPABLE = b"+OK\r\nPIPELINING\r\n.\r\n"
Act = Callable[[AsyncClient], Awaitable[Any]]


async def fetch(client: AsyncClient) -> None:
    async with client.retr_many([1, 2, 3]) as batch:
        async for _ in batch:
            pass


async def leave(client: AsyncClient) -> None:
    async with client.retr_many([1, 2, 3]) as batch:
        await anext(batch)


async def quit_early(client: AsyncClient) -> None:
    await anext(client.retr_many([1, 2, 3]))
    error = (await client.quit()).error
    assert error is not None
    raise error


async def one_at_a_time(client: AsyncClient) -> None:
    async with client.retr_many([1]) as batch:
        async for _ in batch:
            pass
    for number in (2, 3):
        await client.retr(number)


LOGGED_IN = [b"+OK\r\n", CAPABLE, b"+OK\r\n", b"+OK\r\n", CAPABLE]
MESSAGE = b"+OK\r\nx\r\n.\r\n"


def batch(act: Act, *said: bytes | None, **how: Any) -> Pop3Error:
    async def logged_in(client: AsyncClient) -> None:
        await client.login("user", "secret", mechanisms=["USER"])
        await act(client)

    options = ClientOptions(allow_plaintext_auth=True, **how)
    return failing(logged_in, *LOGGED_IN, *said, options=options)


@pytest.mark.parametrize("act", [fetch, leave, quit_early])
@pytest.mark.parametrize("said", [b"", None])
def test_commands_that_were_sent_ahead(act: Act, said: bytes | None) -> None:
    error = batch(act, MESSAGE, said)
    assert AHEAD in error.hint
    assert error.hint.count(AHEAD) == 1


@pytest.mark.parametrize(
    "said", [b"+OK\r\nx\r\n.\r\nfrom another\r\n", b"+OK\r\nx\r\n", b"nothing of POP3\r\n"]
)
def test_answers_that_are_mixed(said: bytes) -> None:
    error = batch(fetch, said, b"")
    assert AHEAD in error.hint
    # Undoubled dots are not the only cause.
    assert "double dots" not in str(error) or "mixes its answers" in str(error)


@pytest.mark.parametrize(
    ("act", "how"), [(fetch, {"pipelining": False}), (one_at_a_time, {"pipelining": True})]
)
def test_commands_that_were_not_sent_ahead(act: Act, how: dict[str, bool]) -> None:
    assert AHEAD not in batch(act, MESSAGE, b"", **how).hint


async def stumble(client: AsyncClient) -> None:
    async with client.retr_many([1, 2, 3]) as batch:
        async for _ in batch:
            raise RuntimeError("the caller's own")


def test_errors_of_the_caller_are_left_alone() -> None:
    async def session() -> None:
        client = await AsyncClient.start(
            Told(*LOGGED_IN, MESSAGE),
            security="plaintext",
            options=ClientOptions(allow_plaintext_auth=True),
        )
        await client.login("user", "secret", mechanisms=["USER"])
        await stumble(client)

    with pytest.raises(RuntimeError, match="own") as caught:
        asyncio.run(session())
    assert not hasattr(caught.value, "hint")


@runtime
@pytest.mark.parametrize("quirk", [Quirk.CLOSES_ON_PIPELINING, Quirk.PIPELINED_MIXED])
def test_real_servers_that_announce_what_they_cannot_do(
    quirk: Quirk, on: Callable[[Flow], Any]
) -> None:
    maildrops = MemoryMaildrops({"user": [b"one\r\n" * 9, b"two\r\n" * 9, b"three\r\n" * 9]})
    with serve(
        maildrops,
        users={"user": "secret"},
        security="plaintext",
        options=ServerOptions(allow_plaintext_auth=True),
        quirks=[quirk],
    ) as server:

        async def flow(connect: Callable[..., Awaitable[Any]]) -> None:
            # Only mixed answers can leave the client waiting for more.
            timeouts = SHORT if quirk is Quirk.PIPELINED_MIXED else Timeouts()
            options = ClientOptions(allow_plaintext_auth=True, timeouts=timeouts)
            client = await connect(server.host, server.port, security="plaintext", options=options)
            async with client:
                await client.login("user", "secret")
                async for _ in client.retr_many([1, 2, 3]):
                    pass

        with pytest.raises(Pop3Error) as caught:
            on(flow)
    assert AHEAD in caught.value.hint


@pytest.mark.parametrize("stray", [b"+OK stray\r\n", b"-ERR idle for too long\r\n"])
@pytest.mark.parametrize("security", [Security.STLS, Security.PLAINTEXT])
def test_a_command_that_was_not_sent_is_not_the_reason(stray: bytes, security: Security) -> None:
    error = failing(None, b"+OK ready\r\n" + stray, security=security)
    assert "answers no command" in str(error)
    for advice in (CAPA, PORTS, "may not know STLS"):
        assert advice not in error.hint


def test_a_server_that_has_accepted_stls_knows_it() -> None:
    said = b"+OK ready\r\n", b"+OK begin\r\n+OK\r\n"
    error = failing(None, *said, security=Security.STLS)
    assert isinstance(error, StlsInjectionError)
    assert "may not know" not in error.hint
    assert "do not retry on this network" in error.hint
