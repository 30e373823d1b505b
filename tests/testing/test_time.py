"""Time that a server takes on purpose: it passes on a clock, counts, and is not waited for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pop3proto import DeadlineError
from pop3proto.server import MemoryMaildrops, ServerOptions, ServerSession
from pop3proto.testing import ChaosStream, MemoryStream, VirtualClock, memory_stream, scripted
from pop3proto.transports import ClientOptions, Security, Stream, Timeouts
from pop3proto.transports.blocking import Client

LATENCY = 10.0


def stream_to(maildrops: MemoryMaildrops | None = None, **how: Any) -> MemoryStream[ServerSession]:
    options = ServerOptions(
        allow_plaintext_auth=True, latency=how.pop("latency", LATENCY), apop=False
    )
    maildrops = maildrops or MemoryMaildrops({"user": [b"Subject: one\r\n\r\n"]})
    return memory_stream(maildrops, users={"user": "secret"}, options=options, **how)


def client_of(stream: Stream, **timeouts: float | None) -> Client:
    options = ClientOptions(
        allow_plaintext_auth=True, capabilities=False, timeouts=Timeouts(**timeouts)
    )
    return Client.start(stream, security=Security.PLAINTEXT, options=options)


def log_in(client: Client) -> None:
    client.login("user", "secret", mechanisms=["USER"])


def test_latency_passes_on_the_clock() -> None:
    stream = stream_to()
    with client_of(stream) as client:
        # It greets at once.
        assert stream.clock.now() == 0.0
        log_in(client)
        client.stat()
        assert stream.clock.now() == 3 * LATENCY
    assert stream.clock.now() == stream.delayed == 4 * LATENCY


@pytest.mark.parametrize(
    ("seconds", "late"), [(LATENCY - 1, True), (LATENCY, False), (None, False)]
)
def test_latency_counts_against_deadlines(seconds: float | None, late: bool) -> None:
    stream = stream_to()
    client = client_of(stream, reply=seconds)
    if late:
        with pytest.raises(DeadlineError) as caught:
            client.lang("en")
        assert caught.value.phase == "reply"
        assert stream.clock.now() == seconds
    else:
        assert client.lang("en").text == "en English"


def test_commands_that_come_together_wait_together() -> None:
    stream = stream_to()
    options = ClientOptions(allow_plaintext_auth=True)
    with Client.start(stream, security=stream.security, options=options) as client:
        log_in(client)
        began = stream.clock.now()
        assert len(list(client.retr_many([1] * 50))) == 50
        assert stream.clock.now() - began == LATENCY


def test_a_receiver_that_comes_back() -> None:
    async def come_back() -> None:
        stream = stream_to()
        await stream.receive(None)
        await stream.send(b"LANG en\r\n", None)
        with pytest.raises(TimeoutError, match="for 4 s"):
            await stream.receive(4.0)
        assert stream.clock.now() == 4.0
        # Who shares the clock has other reasons to let time pass.
        stream.clock.advance(5.0)
        assert await stream.receive(1.0) == b"+OK en English\r\n"
        assert stream.clock.now() == LATENCY
        with pytest.raises(TimeoutError, match="waits for the client"):
            await stream.receive(1.0)

    asyncio.run(come_back())


def test_what_is_closed_is_not_waited_for() -> None:
    maildrops = MemoryMaildrops({"user": [b"x\r\n"]})

    async def leave() -> None:
        stream = stream_to(maildrops)
        for line in (b"USER user\r\n", b"PASS secret\r\n", b"DELE 1\r\n", b"QUIT\r\n"):
            await stream.send(line, None)
        await stream.aclose()
        assert stream.clock.now() == 0.0

    asyncio.run(leave())
    assert maildrops.contents("user") == []


def test_chaos_has_the_clock_of_the_server() -> None:
    stream = stream_to()
    chaos = ChaosStream(stream, delays=2.0)
    assert chaos.clock is stream.clock
    with client_of(chaos, reply=LATENCY + 2.0) as client:
        client.lang("en")
        # That of the greeting, which only the network delays, and that of the answer.
        assert stream.clock.now() == 2.0 + LATENCY + 2.0
    with pytest.raises(DeadlineError):
        client_of(ChaosStream(stream_to(), delays=2.0), reply=LATENCY + 1.0).lang("en")


def test_a_clock_of_ones_own() -> None:
    clock = VirtualClock()
    streams = [stream_to(clock=clock), stream_to(clock=clock)]
    for stream in streams:
        client_of(stream).lang("en")
    assert clock.now() == 2 * LATENCY
    other = VirtualClock()
    chaos = ChaosStream(streams[0], clock=other)
    assert chaos.clock is other
    assert isinstance(ChaosStream(scripted([])).clock, VirtualClock)


@pytest.mark.parametrize("security", [Security.TLS, Security.STLS])
def test_a_handshake_takes_no_time(security: Security) -> None:
    stream = stream_to(security=security)
    options = ClientOptions(capabilities=False)
    with Client.start(
        stream,
        security=security,
        ssl_context=stream.client_context(),
        server_hostname="localhost",
        options=options,
    ) as client:
        # STLS is a command like others.
        assert stream.clock.now() == (LATENCY if security is Security.STLS else 0.0)
        log_in(client)
