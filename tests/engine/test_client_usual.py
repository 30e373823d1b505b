"""What the engine reads in one step is what it reads the long way."""

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
    Noop,
    Pop3Error,
    Retr,
    Signal,
    Stat,
)
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


@pytest.mark.parametrize("text", [b"", b" ", b" text", b"  two \t", b" \xff", b" a\rb"])
def test_the_usual_answers(text: bytes) -> None:
    wire = b"+OK" + text + b"\r\nbody\r\n.\r\n"
    for command in (Noop(), Retr(1), Capa()):
        assert told(client(command), wire) == told(client(command, limits=THE_LONG_WAY), wire)
