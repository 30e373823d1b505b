"""What the engine reads in one step is what it reads the long way."""

from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import (
    Capa,
    ClientConnection,
    Command,
    Extension,
    Limits,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Noop,
    Ok,
    Pop3Error,
    Retr,
    Signal,
    Stat,
)
from pop3proto.errors import LimitError
from tests.engine.sessions import client
from tests.property.effort import effort

# Below 512 octets a status line is always read the long way.
THE_LONG_WAY = Limits(status_line=511)
WORDS = [
    b"+OK",
    b"-ERR",
    b" ",
    b"\t",
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b"x",
    b"\xff",
    b".",
    b"1 2",
    b"ok",
]
ANSWERS = st.lists(st.sampled_from(WORDS), max_size=12).map(b"".join)


def told(connection: ClientConnection, wire: bytes) -> list[Any]:
    """All events, the error that ended them, and the state they led to."""
    connection.receive_data(wire)
    found: list[Any] = []
    try:
        while not isinstance(event := connection.next_event(), Signal):
            found.append(event)
    except Pop3Error as error:
        found.append((type(error), str(error)))
    return [*found, connection.state, connection.in_flight]


@pytest.mark.parametrize(
    "commands", [[Noop()], [Noop(), Noop()], [Retr(1), Noop()], [Extension.single("XFOO"), Stat()]]
)
@effort(100)
@given(wire=ANSWERS)
def test_both_ways_read_the_same(commands: list[Command[Any]], wire: bytes) -> None:
    usual, long_way = client(*commands), client(*commands, limits=THE_LONG_WAY)
    assert told(usual, b"+OK" + wire) == told(long_way, b"+OK" + wire)


@pytest.mark.parametrize("text", [b"", b" ", b" text", b"  two \t", b" \xff", b" a\rb", b" a\nb"])
def test_the_usual_answers(text: bytes) -> None:
    wire = b"+OK" + text + b"\r\nbody\r\n.\r\n"
    for command in (Noop(), Retr(1), Capa()):
        assert told(client(command), wire) == told(client(command, limits=THE_LONG_WAY), wire)


def test_the_usual_answers_do_not_take_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = (Noop(), Noop(), Retr(1), Noop(), Retr(2))
    connection = client(*commands, limits=Limits(status_line=512))
    text = "x" * 506
    monkeypatch.setattr(connection, "_read_line", None)
    connection.receive_data(b"+OK\r\n+OK done\r\n+OK 6 octets\r\ntext\r\n.\r\n")
    assert [connection.next_event() for _ in range(5)] == [
        Ok(Noop()),
        Ok(Noop(), "done"),
        MessageStart(Retr(1), "6 octets"),
        MessageData(b"text\r\n"),
        MessageEnd(Retr(1), 6),
    ]
    assert connection.next_event() is Signal.NEED_DATA
    connection.receive_data(f"+OK {text}\r\n+OK \r\n".encode())
    assert connection.next_event() == Ok(Noop(), text)
    assert connection.next_event() == MessageStart(Retr(2))
    assert connection.next_event() is Signal.NEED_DATA


@pytest.mark.parametrize("limit", [511, 512])
def test_a_line_that_is_too_long_is_no_usual_answer(limit: int) -> None:
    for length in (limit + 1, 2 * limit):
        connection = client(Noop(), limits=Limits(status_line=limit))
        connection.receive_data(b"+OK ".ljust(length - 2, b"x") + b"\r\n")
        with pytest.raises(LimitError):
            connection.next_event()


BODY = st.lists(
    st.sampled_from([b"a", b"text", b".", b"..", b"\r\n", b"\n", b"\r", b"\r\n.\r\n", b"."]),
    max_size=9,
).map(b"".join)


def in_pieces(events: list[Any]) -> list[Any]:
    """Replace each whole message by its events, and join the pieces of a content."""
    apart: list[Any] = []
    for event in events:
        if isinstance(event, Message):
            command, content = event.command, event.content
            apart.append(MessageStart(command, event.text))
            apart += [MessageData(content)] if content else []
            apart.append(MessageEnd(command, len(content)))
        else:
            apart.append(event)
    joined: list[Any] = []
    for kind, some in groupby(apart, type):
        together = list(some)
        if kind is MessageData:
            together = [MessageData(b"".join(piece.data for piece in together))]
        joined += together
    return joined


def read_by(step: Callable[[ClientConnection], Any], wire: bytes, cut: int) -> list[Any]:
    connection = client(Retr(1), Retr(2), Noop())
    found: list[Any] = []
    for chunk in (wire[:cut], wire[cut:]):
        if chunk:
            connection.receive_data(chunk)
        try:
            while not isinstance(event := step(connection), Signal):
                found.append(event)
        except Pop3Error as error:
            found.append((type(error), str(error)))
            break
    return [*found, connection.state, connection.in_flight]


@effort(200)
@given(first=BODY, second=BODY, cut=st.integers(1, 80))
def test_a_whole_message_stands_for_its_events(first: bytes, second: bytes, cut: int) -> None:
    end = b"\r\n.\r\n"
    wire = b"+OK one" + b"\r\n" + first + end + b"+OK\r\n" + second + end + b"+OK\r\n"
    whole = read_by(ClientConnection.next_whole, wire, cut)
    assert in_pieces(whole) == in_pieces(read_by(ClientConnection.next_event, wire, cut))


def test_a_message_is_whole_only_if_all_of_it_is_there() -> None:
    connection = client(Retr(1), Retr(2), Retr(3))
    connection.receive_data(b"+OK one\r\n1\r\n.\r\n+OK two\r\n.\r\n+OK three\r\nbegin")
    assert connection.next_whole() == Message(Retr(1), b"1\r\n", "one")
    assert connection.next_whole() == Message(Retr(2), b"", "two")
    assert connection.in_flight == (Retr(3),)
    assert connection.next_whole() == MessageStart(Retr(3), "three")
    assert connection.next_whole() == MessageData(b"begin")
    assert connection.next_whole() is Signal.NEED_DATA
    connection.receive_data(b"\r\n.\r\n")
    assert connection.next_whole() == MessageData(b"\r\n")
    assert connection.next_whole() == MessageEnd(Retr(3), 7)
    assert connection.in_flight == ()
