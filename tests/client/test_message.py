"""A message as it arrives: what it counts, tells and leaves behind."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from pop3proto import CommandError, Message, Noop, Ok, Retr
from pop3proto.client.message import AsyncMessageStream
from pop3proto.client.stepping import run
from pop3proto.errors import DeadConnectionError, DeadlineError, LimitError, LocalProtocolError
from tests.client.test_exchange import Scripted, exchange

PIECES = [b"+OK 8 octets\r\n", b"1\r\n", b"2\r\n", b".\r\n", b"+OK after\r\n"]


def opened(*chunks: bytes, **options: Any) -> tuple[Any, AsyncMessageStream]:
    it = exchange(Scripted(chunks or PIECES))
    return it, AsyncMessageStream(it, Retr(1), **options)


async def pieces_of(message: AsyncMessageStream) -> list[bytes]:
    return [piece async for piece in message]


@pytest.mark.parametrize(("given", "expected"), [(None, 8), (6, 6), (0, 0)])
def test_what_is_known_of_a_message(given: int | None, expected: int) -> None:
    seen: list[tuple[int, int | None]] = []
    it, message = opened(expected=given, progress=lambda *so_far: seen.append(so_far))
    assert (message.command, message.text, message.octets) == (Retr(1), "", 0)
    assert (message.expected, message.complete) == (given, False)
    pieces = run(pieces_of(message))
    assert b"".join(pieces) == b"1\r\n2\r\n"
    assert all(pieces)
    assert (message.text, message.octets, message.complete) == ("8 octets", 6, True)
    assert message.expected == expected
    assert seen[-1] == (6, expected)
    assert {hint for _, hint in seen} == {expected}
    assert run(pieces_of(message)) == []
    assert run(it.ask(Noop())) == Ok(Noop(), "after")


def test_the_most_octets() -> None:
    _, message = opened(max_octets=6)
    assert run(message.read()) == Message(Retr(1), b"1\r\n2\r\n", "8 octets")
    it, message = opened(max_octets=5)
    with pytest.raises(LimitError) as caught:
        run(message.read())
    assert (caught.value.limit, caught.value.value) == ("max_octets", 5)
    assert caught.value.command == Retr(1)
    assert it.closed
    with pytest.raises(LocalProtocolError, match="max_octets is at least 1"):
        opened(max_octets=0)
    with pytest.raises(LocalProtocolError, match="progress is a function"):
        opened(progress=5)


def test_what_is_read_and_saved_is_the_rest() -> None:
    _, message = opened()
    first = run(message.__anext__())
    content = run(message.read()).content
    assert first + content == b"1\r\n2\r\n"
    _, message = opened()
    first = run(message.__anext__())
    file = BytesIO()
    assert run(message.save(file)) == len(file.getvalue()) == 6 - len(first)
    assert first + file.getvalue() == b"1\r\n2\r\n"


def test_one_gib_is_read_if_nothing_else_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pop3proto.client.message.MAX_COLLECTED_OCTETS", 5)
    _, message = opened()
    with pytest.raises(LimitError, match="longer than 5 octets"):
        run(message.read())
    # What has been returned before does not count.
    _, message = opened()
    first = run(message.__anext__())
    assert first + run(message.read()).content == b"1\r\n2\r\n"
    # Who takes octet after octet needs no limit.
    _, message = opened()
    assert b"".join(run(pieces_of(message))) == b"1\r\n2\r\n"


def test_a_message_that_does_not_come_on_is_named() -> None:
    class Silent(Scripted):
        async def receive(self, timeout: float | None) -> bytes:
            if chunk := next(self._chunks, None):
                return chunk
            raise TimeoutError

    message = AsyncMessageStream(exchange(Silent(PIECES[:2])), Retr(1))
    with pytest.raises(DeadlineError) as caught:
        run(pieces_of(message))
    assert (caught.value.command, caught.value.phase) == (Retr(1), "body")


def test_a_refusal() -> None:
    it, message = opened(b"-ERR no such message\r\n", b"+OK after\r\n")
    with pytest.raises(CommandError, match="no such message") as caught:
        run(message.__anext__())
    assert caught.value.command == Retr(1)
    assert not message.complete
    assert run(it.ask(Noop())) == Ok(Noop(), "after")


@pytest.mark.parametrize("begun", [False, True])
def test_the_rest_is_skipped_and_not_counted(begun: bool) -> None:
    seen: list[Any] = []
    chunks = PIECES if begun else PIECES[-1:]
    it, message = opened(*chunks, max_octets=3, progress=lambda *so_far: seen.append(so_far))

    async def left() -> None:
        async with message:
            if begun:
                await message.__anext__()

    run(left())
    assert len(seen) == begun
    assert message.complete
    assert message.octets == (seen[0][0] if begun else 0)
    assert run(it.ask(Noop())) == Ok(Noop(), "after")
    run(message.skip())
    assert run(pieces_of(message)) == []


def test_an_error_of_the_caller_closes_the_connection() -> None:
    it, message = opened()

    async def broken() -> None:
        async with message:
            await message.__anext__()
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - it has no text
        run(broken())
    assert it.closed
    assert not message.complete
    with pytest.raises(LocalProtocolError, match="broken off") as caught:
        run(message.__anext__())
    assert caught.value.command == Retr(1)


def test_a_connection_that_the_caller_has_closed_has_nothing_to_skip() -> None:
    it, message = opened()

    async def closed() -> None:
        async with message:
            await message.__anext__()
            await it.aclose()

    run(closed())
    assert not message.complete
    with pytest.raises(DeadConnectionError):
        run(AsyncMessageStream(it, Retr(1)).__anext__())
