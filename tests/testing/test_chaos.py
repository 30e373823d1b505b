"""Bad networks: cut, slow, silent, broken, and the same every time."""

from __future__ import annotations

import asyncio
from itertools import repeat
from math import inf
from random import Random
from typing import Any

import pytest
from hypothesis import given

from pop3proto import ConnectionLostError, DeadlineError, LocalProtocolError, Pop3Error
from pop3proto.client.stepping import run
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import ChaosStream, VirtualClock, memory_stream, scripted
from pop3proto.testing.strategies import disturbances
from pop3proto.transports import ClientOptions, Security, Timeouts
from pop3proto.transports.blocking import Client
from tests.runtimes import SMALL

OPTIONS = ServerOptions(allow_plaintext_auth=True, apop=False)
GREETING = b"+OK localhost POP3 server ready\r\n"


def client_of(maildrops: MemoryMaildrops, **how: Any) -> tuple[Client, ChaosStream]:
    timeouts = how.pop("timeouts", Timeouts())
    stream = memory_stream(maildrops, users={"user": "secret"}, options=OPTIONS)
    chaos = ChaosStream(stream, **how)
    options = ClientOptions(allow_plaintext_auth=True, timeouts=timeouts)
    return Client.start(chaos, security=Security.PLAINTEXT, options=options), chaos


def session(maildrops: MemoryMaildrops, **how: Any) -> ChaosStream:
    """A session that fetches every message and deletes the first."""
    client, chaos = client_of(maildrops, **how)
    with client:
        client.login("user", "secret")
        outcomes = list(client.retr_many(range(1, len(SMALL) + 1)))
        assert [message.content for message in outcomes] == SMALL
        client.dele(1)
    return chaos


def chunks_of(stream: ChaosStream, timeout: float | None = None) -> list[bytes]:
    """What is received until the end, or until the server waits."""

    async def receive_all() -> list[bytes]:
        received: list[bytes] = []
        try:
            while data := await stream.receive(timeout):
                received.append(data)
        except TimeoutError:
            pass
        return received

    return asyncio.run(receive_all())


def greeting_through(**how: Any) -> ChaosStream:
    stream = memory_stream(MemoryMaildrops(), users={}, options=OPTIONS)
    return ChaosStream(stream, **how)


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_chunks_of_one_size(size: int) -> None:
    maildrops = MemoryMaildrops({"user": SMALL})
    session(maildrops, chunks=size)
    assert maildrops.contents("user") == SMALL[1:]


def test_chunks_of_chosen_sizes() -> None:
    chunks = chunks_of(greeting_through(chunks=[1, 2, 100, 5]))
    assert chunks == [b"+", b"OK", b" localhost POP3 server ready\r\n"]
    assert chunks_of(greeting_through()) == [GREETING]
    assert [len(chunk) for chunk in chunks_of(greeting_through(chunks=[1, 1]))] == [
        1,
        1,
        len(GREETING) - 2,
    ]


def test_the_same_seed_is_the_same_network() -> None:
    def sizes(seed: int) -> list[int]:
        stream = greeting_through(rng=Random(seed))
        return [len(chunk) for chunk in chunks_of(stream)]

    assert sizes(1) == sizes(1)
    assert len({tuple(sizes(seed)) for seed in range(50)}) > 10
    maildrops = MemoryMaildrops({"user": SMALL})
    session(maildrops, rng=Random(0))
    assert maildrops.contents("user") == SMALL[1:]


def test_time_passes_without_being_waited_for() -> None:
    clock = VirtualClock()
    stream = greeting_through(chunks=16, delays=1000.0, clock=clock)
    assert b"".join(chunks_of(stream)) == GREETING
    assert clock.now() == stream.now() == 3000.0
    stream = greeting_through(chunks=16, delays=[0.5, 0.25])
    assert b"".join(chunks_of(stream)) == GREETING
    assert stream.clock.now() == 0.75


def test_a_deadline_passes_and_no_more_time() -> None:
    stream = greeting_through(chunks=16, delays=[1.0, 100.0])
    assert len(chunks_of(stream, 30.0)) == 1
    assert stream.clock.now() == 31.0


@pytest.mark.parametrize(
    ("phase", "waited_for"),
    [
        ("greeting", [61.0]),
        ("reply", [0.0, 61.0]),
        ("login", [*repeat(0.0, 3), 121.0]),
        ("body", [*repeat(0.0, 5), 0.0, inf]),
        ("quit", [*repeat(0.0, 6), 11.0]),
    ],
)
def test_every_deadline_of_a_client_can_be_missed(phase: str, waited_for: list[float]) -> None:
    maildrops = MemoryMaildrops({"user": [b"x\r\n" * 1000]})
    chunks = [10_000] * 5 + ([50] if phase == "body" else [10_000])

    def talk() -> None:
        client, _ = client_of(maildrops, delays=waited_for, chunks=chunks)
        client.login("user", "secret", mechanisms=["USER"])
        if phase == "body":
            client.retr(1)
        elif phase == "quit":
            client.noop()
            error = client.quit().error
            assert error is not None
            raise error

    with pytest.raises(DeadlineError) as caught:
        talk()
    assert caught.value.phase == phase


def test_a_silent_server_and_no_deadline() -> None:
    with pytest.raises(ConnectionLostError, match="wait forever"):
        client_of(MemoryMaildrops(), delays=inf, timeouts=Timeouts(greeting=None))


@pytest.mark.parametrize("octets", [0, 1, 30, 200, 500, 5000])
@pytest.mark.parametrize("how", ["drop_after", "reset_after"])
def test_a_connection_that_ends_loses_nothing(octets: int, how: str) -> None:
    maildrops = MemoryMaildrops({"user": SMALL})
    with pytest.raises(ConnectionLostError):
        session(maildrops, **{how: octets})
    assert maildrops.contents("user") == SMALL


@pytest.mark.parametrize("position", [0, 10, len(GREETING)])
def test_where_a_connection_ends(position: int) -> None:
    async def after(stream: ChaosStream) -> bytes:
        received = b""
        while len(received) < position:
            received += await stream.receive(None)
        return received

    async def dropped() -> None:
        stream = greeting_through(drop_after=position)
        assert await after(stream) == GREETING[:position]
        assert await stream.receive(None) == b""
        await stream.send(b"QUIT\r\n", None)
        assert await stream.receive(None) == b""

    async def reset() -> None:
        stream = greeting_through(reset_after=position)
        assert await after(stream) == GREETING[:position]
        with pytest.raises(ConnectionResetError):
            await stream.send(b"QUIT\r\n", None)
        with pytest.raises(ConnectionResetError):
            await stream.receive(None)
        assert stream.octets == position

    asyncio.run(dropped())
    asyncio.run(reset())


def test_both_ends_of_the_stream_below() -> None:
    below = scripted([(b"QUIT", b"+OK\r\n")])
    stream = ChaosStream(below)
    asyncio.run(stream.send(b"QUIT\r\n", None))
    assert b"".join(chunks_of(stream)) == b"+OK ready\r\n+OK\r\n"
    asyncio.run(stream.aclose())
    assert below.closed
    below = scripted([])
    ChaosStream(below).abort()
    assert below.closed


def test_nonsense_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="not by both"):
        greeting_through(rng=Random(0), chunks=1)
    for how in ({"drop_after": -1}, {"reset_after": -1}):
        with pytest.raises(LocalProtocolError, match="not -1"):
            greeting_through(**how)
    with pytest.raises(LocalProtocolError, match="at least one octet"):
        chunks_of(greeting_through(chunks=0))
    for seconds in (-1.0, inf, float("nan")):
        with pytest.raises(LocalProtocolError, match="seconds is a finite number"):
            VirtualClock().advance(seconds)
    assert repr(VirtualClock()) == "<VirtualClock: 0 s>"


@given(disturbances())
def test_a_session_succeeds_or_keeps_every_message(how: Any) -> None:
    maildrops = MemoryMaildrops({"user": SMALL[:4]})
    client: Client | None = None
    try:
        client, _ = client_of(maildrops, **how)
        with client:
            client.login("user", "secret")
            assert client.retr(1).content == SMALL[0]
            client.dele(1)
    except Pop3Error:
        # What the network has swallowed behind QUIT has been done all the same.
        assert maildrops.contents("user") in (SMALL[:4], SMALL[1:4])
    else:
        assert maildrops.contents("user") == SMALL[1:4]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"rng": 5}, "rng is a random.Random, not int"),
        ({"clock": 0}, "clock is a VirtualClock, not int"),
        ({"chunks": "5"}, "chunks is a number, or a list of numbers, not str"),
        ({"chunks": 1.5}, "chunks is a number, or a list of numbers, not float"),
        ({"chunks": True}, "chunks is a number, or a list of numbers, not bool"),
        ({"delays": None}, "delays is a number, or a list of numbers, not NoneType"),
        ({"drop_after": "5"}, "drop_after is an int, not str"),
        ({"reset_after": 1.5}, "reset_after is an int, not float"),
    ],
)
def test_disturbances_of_another_type(how: Any, told: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"^{told}$"):
        ChaosStream(memory_stream(MemoryMaildrops(), users={}), **how)


@pytest.mark.parametrize("how", [{"chunks": [1, "2"]}, {"delays": ["2"]}])
def test_one_disturbance_of_another_type(how: Any) -> None:
    chaos = ChaosStream(memory_stream(MemoryMaildrops(), users={}), **how)
    with pytest.raises(LocalProtocolError, match=r"^each of (chunks|delays) is a number, not str$"):
        chunks_of(chaos)


def test_what_is_there_already() -> None:
    """A reply that nobody asked for is found however the network cuts it, as on a real one."""

    class There:
        clock = VirtualClock()

        def __init__(self, *there: bytes | None) -> None:
            self._there = list(there)

        async def receive_at_hand(self) -> bytes | None:
            return self._there.pop(0)

    def at_hand(stream: ChaosStream) -> bytes | None:
        return run(stream.receive_at_hand())

    inner: Any = There(b"abc", None, b"")
    stream = ChaosStream(inner, chunks=2, delays=5.0)
    assert [at_hand(stream) for _ in range(3)] == [b"abc", None, b""]
    assert stream.now() == 0.0
    dropped = ChaosStream(There(b"abc"), drop_after=2)  # type: ignore[arg-type]
    assert [at_hand(dropped), at_hand(dropped)] == [b"ab", b""]
    reset = ChaosStream(There(b"abc"), reset_after=0)  # type: ignore[arg-type]
    with pytest.raises(ConnectionResetError):
        at_hand(reset)
