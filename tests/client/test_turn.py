"""A turn, and the texts that are collected in memory."""

from __future__ import annotations

from typing import Any

import pytest

from pop3proto import CommandError, Noop, Ok, Retr, Signal
from pop3proto.client.stepping import run
from pop3proto.client.turn import (
    Text,
    Turn,
    announced_octets,
    check_collecting,
    check_length,
    collect,
    refused,
    skip_answer,
)
from pop3proto.errors import BusyError, LimitError, LocalProtocolError
from pop3proto.model.replies import ErrorReply, MessageStart
from tests.client.test_exchange import Scripted, exchange


def start(text: str = "") -> MessageStart:
    return MessageStart(Retr(1), text)


# The text of a message


def test_a_text_may_be_as_long_as_the_limit() -> None:
    text = Text(10, None)
    text.begin(start("10 octets"), None)
    text.add(b"12345")
    text.add(b"67890")
    assert text.message().content == b"1234567890"
    text.begin(start(), None)
    text.add(b"12345")
    with pytest.raises(LimitError) as caught:
        text.add(b"678901")
    assert caught.value.args == ("the message is longer than 10 octets",)
    assert (caught.value.limit, caught.value.value) == ("max_octets", 10)
    assert caught.value.command == Retr(1)


def test_a_length_without_a_limit() -> None:
    check_length(Retr(1), 10, None)
    check_length(Retr(1), 10, 10)
    with pytest.raises(LimitError):
        check_length(Retr(1), 11, 10)


@pytest.mark.parametrize(
    ("said", "expected", "hint"),
    [("120 octets", None, 120), ("120 octets", 99, 99), ("120 octets", 0, 0), ("here", None, None)],
)
def test_what_progress_is_told(said: str, expected: int | None, hint: int | None) -> None:
    seen: list[tuple[int, int | None]] = []
    text = Text(1000, lambda *so_far: seen.append(so_far))
    for _ in range(2):
        text.begin(start(said), expected)
        text.add(b"123")
        text.add(b"45")
    assert seen == [(3, hint), (5, hint)] * 2


def test_one_object_collects_text_after_text() -> None:
    text = Text(1000, None)
    for pieces in ([b"1", b"2", b"3"], [], [b"4"], [b"5", b"6"]):
        text.begin(start("as said"), None)
        for piece in pieces:
            text.add(piece)
        message = text.message()
        assert message.content == b"".join(pieces)
        assert (message.command, message.text) == (Retr(1), "as said")


def test_a_collected_text_tells_progress_what_is_expected() -> None:
    seen: list[tuple[int, int | None]] = []
    it = exchange(Scripted([b"+OK 5 octets\r\n", b"12", b"3\r\n", b".\r\n"]))
    opened: Any = run(it.ask(Retr(1)))
    message = run(
        collect(it, opened, 100, expected=7, progress=lambda *so_far: seen.append(so_far))
    )
    assert message.content == b"123\r\n"
    assert {hint for _, hint in seen} == {7}


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("120 octets", 120),
        ("120 OCTETS follow", 120),
        ("120 octetsy", None),
        ("message of 120 octets", None),
        ("1" * 19 + " octets", int("1" * 19)),
        ("1" * 20 + " octets", None),
        ("\u0661 octets", None),
        ("", None),
    ],
)
def test_the_size_that_is_announced(text: str, octets: int | None) -> None:
    assert announced_octets(text) == octets


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((0, None), "max_octets is at least 1, not 0"),
        (("1", None), "max_octets is an int, not str"),
        ((1, 5), "progress is a function, not int"),
    ],
)
def test_what_nothing_can_be_collected_with(arguments: Any, problem: str) -> None:
    check_collecting(1, print)
    check_collecting(None, None)
    with pytest.raises(LocalProtocolError) as caught:
        check_collecting(*arguments)
    assert caught.value.args == (problem,)


# Refusals, and answers that nobody wants


def test_a_refusal_is_that_of_its_command() -> None:
    reply = ErrorReply(Retr(1), "no such message")
    error = refused(reply, Retr(1))
    assert type(error) is CommandError
    assert error.args == ("the server refused: no such message",)
    assert (error.command, error.reply) == (Retr(1), reply)


def test_an_answer_is_skipped_without_asking_the_engine_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    it = exchange(Scripted([b"+OK\r\n1\r\n", b"2\r\n", b".\r\n+OK more\r\n"]))
    run(it.begin(Retr(1)))
    run(it.begin(Noop()))
    events: list[Any] = []
    next_event = it.engine.next_event

    def kept() -> Any:
        events.append(next_event())
        return events[-1]

    monkeypatch.setattr(it.engine, "next_event", kept)
    run(skip_answer(it, Retr(1)))
    # Once before each of the receives.
    assert events.count(Signal.NEED_DATA) == 3
    assert it.event_at_hand() == Ok(Noop(), "more")


# The life cycle


def test_one_turn_at_a_time() -> None:
    it = exchange(Scripted([]))
    one, other = Turn(it), Turn(it, command=Noop())
    assert not one.begun
    with one:
        assert one.begun
        with pytest.raises(BusyError), other:
            pass
        with pytest.raises(BusyError, match="another task waits for this answer"), one:
            pass
    assert not one.begun
    # The other one had not begun, so it may try again.
    with other:
        with pytest.raises(BusyError) as caught, other:
            pass
        assert caught.value.command == Noop()
    with pytest.raises(LocalProtocolError, match="broken off before its end") as ended, other:
        pass
    assert ended.value.command == Noop()
