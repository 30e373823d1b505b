"""What a server may answer to a client that has logged in, and what that does, on every runtime."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pop3proto import CommandError, ConnectionLostError, Limits, Pop3Error, RemoteProtocolError
from pop3proto.errors import DeadConnectionError, LimitError
from pop3proto.transports import Security
from tests.runtimes import Flow, runtime
from tests.security.hostile import CAPABILITIES, HOST, Answer, Peer, hostile

Connect = Callable[..., Awaitable[Any]]
On = Callable[[Flow], Any]
Call = Callable[[Any], Awaitable[Any]]
MIB = 1024 * 1024
# What a client may take, and hold, of what never ends.
ENOUGH = 8 * MIB
modes = pytest.mark.parametrize(
    "mode", [Security.PLAINTEXT, Security.TLS], ids=lambda mode: mode.value
)
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@contextmanager
def holding_little() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 2 * MIB
    finally:
        tracemalloc.stop()


def asking(
    on: On,
    answers: dict[bytes, Answer],
    check: Call,
    *,
    mode: Security = Security.PLAINTEXT,
    **options: Any,
) -> list[bytes]:
    """Connect, log in, and see; the lines that the server got."""

    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        try:
            await client.login("user", "secret")
            await check(client)
        finally:
            client.abort()

    with hostile(mode, answers, **options) as server:
        on(flow)
    return server.clear + server.secret


def dying(call: Call, error: type[Pop3Error], match: str) -> Call:
    """The call raises, and the connection is not used again."""

    async def check(client: Any) -> None:
        with pytest.raises(error, match=match) as caught:
            await call(client)
        assert caught.value.session_usable is False
        assert client.closed
        with pytest.raises(DeadConnectionError):
            await client.noop()

    return check


def flooding(start: bytes, data: bytes, taken: list[int]) -> Callable[[Peer], None]:
    def answer(peer: Peer) -> None:
        peer.say(start)
        taken.append(peer.flood(data))

    return answer


# What has no end


@runtime
@modes
@pytest.mark.parametrize(
    ("verb", "call", "start", "piece"),
    [
        (b"STAT", lambda c: c.stat(), b"+OK ", b"9" * 65536),
        (b"NOOP", lambda c: c.noop(), b"-ERR ", b"x" * 65536),
        (b"RETR", lambda c: c.retr(1), b"+OK ", b"\0" * 65536),
        (b"LIST", lambda c: c.list(), b"+OK\r\n", b"1" * 65536),
        (b"UIDL", lambda c: c.uidl(), b"+OK\r\n1 ", b"x" * 65536),
        (b"CAPA", lambda c: c.capa(), b"+OK\r\nX-", b"x" * 65536),
    ],
    ids=["STAT", "NOOP", "RETR", "LIST", "UIDL", "CAPA"],
)
def test_a_line_without_end(
    on: On, mode: Security, verb: bytes, call: Call, start: bytes, piece: bytes
) -> None:
    taken: list[int] = []
    died = dying(call, LimitError, "longer than|listing line")

    async def check(client: Any) -> None:
        with holding_little():
            await died(client)

    answers: dict[bytes, Answer] = {verb: flooding(start, piece, taken)}
    asking(on, answers, check, mode=mode, capabilities=verb != b"CAPA")
    assert taken[0] < ENOUGH


@runtime
@pytest.mark.parametrize(
    ("verb", "call", "piece"),
    [
        (b"LIST", lambda c: c.list(), b"".join(b"%d 1\r\n" % n for n in range(1, 9000))),
        (b"UIDL", lambda c: c.uidl(), b"".join(b"%d id%d\r\n" % (n, n) for n in range(1, 9000))),
        (b"CAPA", lambda c: c.capa(), b"".join(b"X-%d\r\n" % n for n in range(9000))),
    ],
    ids=["LIST", "UIDL", "CAPA"],
)
@pytest.mark.parametrize("limit", ["listing_lines", "listing_octets"])
def test_a_listing_without_end(on: On, verb: bytes, call: Call, piece: bytes, limit: str) -> None:
    taken: list[int] = []
    limits = Limits(**{limit: {"listing_lines": 20_000, "listing_octets": 200_000}[limit]})
    answers: dict[bytes, Answer] = {verb: flooding(b"+OK\r\n", piece, taken)}
    check = dying(call, LimitError, limit.replace("_", " "))
    asking(on, answers, check, limits=limits, capabilities=verb != b"CAPA")
    assert taken[0] < ENOUGH


@runtime
@modes
def test_a_body_without_end(on: On, mode: Security) -> None:
    taken: list[int] = []
    answers: dict[bytes, Answer] = {
        b"RETR": flooding(b"+OK\r\n", b"more and more\r\n" * 4000, taken)
    }

    async def collect(client: Any) -> Any:
        return await client.retr(1, max_octets=100_000)

    asking(on, answers, dying(collect, LimitError, "100,?000"), mode=mode)

    async def many(client: Any) -> Any:
        async for _ in client.retr_many([1, 2], max_octets=100_000):
            raise AssertionError("no message is complete")

    asking(on, answers, dying(many, LimitError, "100,?000"), mode=mode)
    assert max(taken) < ENOUGH

    async def streamed(client: Any) -> None:
        octets = 0
        async with client.retr_stream(1) as stream:
            # It has no limit of its own: where to stop is the reader's affair.
            async for piece in stream:
                octets += len(piece)
                if octets > 3 * MIB:
                    break
            client.abort()

    asking(on, answers, streamed, mode=mode)


# Numbers


@runtime
@pytest.mark.parametrize(
    "digits",
    [b"9" * 5000, b"1_0", b"+10", b"0x10", "\u0661\u0662".encode(), "\uff11".encode(), b"1e3"],
    ids=["5000 digits", "underscore", "sign", "hexadecimal", "Arabic", "wide", "float"],
)
def test_numbers_that_are_none(on: On, digits: bytes) -> None:
    answers: dict[bytes, Answer] = {b"STAT": b"+OK %s 20\r\n" % digits}
    asking(on, answers, dying(lambda c: c.stat(), RemoteProtocolError, "STAT|Stat"))

    listing = b"+OK\r\n%s 100\r\n.\r\n" % digits
    asking(on, {b"LIST": listing}, dying(lambda c: c.list(), RemoteProtocolError, "listing"))
    asking(on, {b"UIDL": listing}, dying(lambda c: c.uidl(), RemoteProtocolError, "listing"))


@runtime
def test_a_size_that_is_no_number_is_none(on: On) -> None:
    answers: dict[bytes, Answer] = {
        b"LIST": b"+OK\r\n1 %s\r\n2 -5\r\n3 30\r\n.\r\n" % (b"9" * 5000)
    }

    async def check(client: Any) -> None:
        assert [row.octets for row in await client.list()] == [None, None, 30]
        assert len(client.deviations) > 0

    asking(on, answers, check)


@runtime
def test_a_count_that_lies(on: On) -> None:
    answers: dict[bytes, Answer] = {
        b"STAT": b"+OK %d %d\r\n" % (2**60, 2**62),
        b"LIST": b"+OK %d messages\r\n1 %d\r\n.\r\n" % (2**60, 2**62),
        b"UIDL": b"+OK\r\n1 x\r\n.\r\n",
        b"RETR": b"+OK %d octets\r\nshort\r\n.\r\n" % 2**62,
    }

    async def check(client: Any) -> None:
        with holding_little():
            assert (await client.stat()).count == 2**60
            assert len(await client.messages()) == 1
            assert (await client.retr(1)).content == b"short\r\n"

    asking(on, answers, check)


# Where a body ends


BODY = b"Subject: x\r\n\r\none\n.\ntwo\r\n\n.\r\n.\n\r\nthree\r.\r\rfour\r\n"


@runtime
@modes
def test_a_dot_between_bare_line_ends_is_content(on: On, mode: Security) -> None:
    # The message below would be a message of the sender's own making.
    smuggled = BODY.replace(b"two", b"+OK\nSubject: smuggled\n\n.\n")
    wire = b"+OK\r\n" + smuggled.replace(b"\r\n.", b"\r\n..") + b".\r\n"

    async def check(client: Any) -> None:
        assert (await client.retr(1)).content == smuggled
        assert (await client.stat()).count == 2

    asking(on, {b"RETR": wire}, check, mode=mode)


@pytest.mark.thinned
@runtime
@modes
@pytest.mark.parametrize("rest", [b"", b".", b".\r", b"half a line", b"line\n.\n"])
def test_a_body_cut_short(on: On, mode: Security, rest: bytes, tmp_path: Path) -> None:
    def cut(peer: Peer) -> None:
        peer.say(b"+OK\r\nfirst line\r\n" + rest)
        if mode is Security.TLS and len(rest) % 2:
            # With a close_notify, as at any good end.
            peer.socket = peer.socket.unwrap()  # type: ignore[attr-defined]
        peer.socket.close()

    whole = tmp_path / "message"

    async def save(client: Any) -> None:
        await client.save(1, whole)

    async def many(client: Any) -> None:
        async for _ in client.retr_many([1, 2]):
            raise AssertionError("no message is complete")

    async def streamed(client: Any) -> None:
        async with client.retr_stream(1) as stream:
            async for _ in stream:
                pass

    for call in (lambda c: c.retr(1), save, many, streamed):
        asking(on, {b"RETR": cut}, dying(call, ConnectionLostError, "Retr"), mode=mode)
    assert not list(tmp_path.iterdir())


# What nobody asked for


@runtime
@pytest.mark.parametrize(
    "answer",
    [
        b"+OK\r\n+OK\r\n",
        b"+OK\r\n-ERR no\r\n",
        b"+OK\r\nwhatever\r\n",
        b"* OK\r\n",
        b"250 OK\r\n",
        b"+FOO\r\n",
        b"OK\r\n",
        b"+OK a\0b\r\n",
    ],
)
def test_replies_that_nobody_asked_for_and_lines_that_are_none(on: On, answer: bytes) -> None:
    async def check(client: Any) -> None:
        # An error that answers no command ends the session, as servers do with idle ones.
        kind = ConnectionLostError if b"-ERR" in answer else RemoteProtocolError
        with pytest.raises(kind) as caught:  # noqa: PT012
            # What comes too much may be seen at the next command only.
            await client.noop()
            await client.stat()
        assert caught.value.session_usable is False
        assert client.closed

    lines = asking(on, {b"NOOP": answer}, check)
    assert not any(line.startswith(b"DELE") for line in lines)


@runtime
def test_dots_that_were_not_doubled(on: On) -> None:
    wire = b"+OK\r\nSubject: x\r\n\r\nabove\r\n.\r\n+OK 1000000 1\r\n.\r\n"

    async def check(client: Any) -> None:
        with pytest.raises(RemoteProtocolError):  # noqa: PT012
            await client.retr(1)
            # Not the line of mail that looks like its answer.
            assert (await client.stat()).count == 2
        assert client.closed

    asking(on, {b"RETR": wire}, check)


@runtime
def test_more_answers_than_commands_in_a_batch(on: On) -> None:
    async def check(client: Any) -> None:
        outcomes: list[Any] = []
        with pytest.raises(RemoteProtocolError):  # noqa: PT012
            async for outcome in client.dele_many([1, 2]):
                outcomes.append(outcome)
            await client.noop()
        assert len(outcomes) <= 2
        assert client.closed

    asking(on, {b"DELE": b"+OK\r\n+OK\r\n+OK\r\n"}, check)


# Text


@runtime
def test_no_text_of_the_server_moves_the_cursor(on: On) -> None:
    evil = b"\x1b]0;x\x07\x1b[2J\x08\x7f" + "\u202e\x9b31m".encode()
    answers: dict[bytes, Answer] = {
        b"STAT": b"-ERR " + evil + b"\r\n",
        b"NOOP": evil + b"\r\n",
        b"CAPA": CAPABILITIES,
        b"UIDL": b"+OK\r\n1 " + evil + b"\r\n.\r\n",
    }

    async def check(client: Any) -> None:
        shown: list[object] = [client]
        with pytest.raises(CommandError) as refusal:
            await client.stat()
        listing = await client.uidl()
        # The octets themselves are there for whoever wants them.
        assert listing[0].unique_id == evil
        shown += [refusal.value, listing, listing[0], *client.deviations]
        with pytest.raises(RemoteProtocolError) as nonsense:
            await client.noop()
        shown.append(nonsense.value)
        for value in shown:
            assert not CONTROLS.search(str(value) + repr(value)), repr(value)

    asking(on, answers, check)


# Names


@runtime
@pytest.mark.parametrize("name", [b"../../escape", b"/etc/passwd", b"a/b", b"..", b"C:\\x"])
def test_a_unique_id_stays_a_value(on: On, name: bytes, tmp_path: Path) -> None:
    # No call makes a file name of anything that the server says: the path is the caller's.
    answers: dict[bytes, Answer] = {
        b"UIDL": b"+OK\r\n1 %s\r\n.\r\n" % name,
        b"LIST": b"+OK\r\n1 5\r\n.\r\n",
        b"STAT": b"+OK 1 5\r\n",
        b"RETR": b"+OK\r\nSubject: %s\r\n.\r\n" % name,
    }

    async def check(client: Any) -> None:
        (row,) = await client.messages()
        assert row.unique_id == name
        await client.save(1, tmp_path / "folder" / "message")

    (tmp_path / "folder").mkdir()
    asking(on, answers, check)
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "message"]
