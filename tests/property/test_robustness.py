"""Whatever a peer sends, the engines answer with documented errors, in bounded memory and time."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import (
    Capa,
    ConnectionLostError,
    Greeting,
    Limits,
    List,
    MessageData,
    MessageEnd,
    Noop,
    RemoteProtocolError,
    Retr,
    ServerConnection,
    Signal,
    Stat,
    State,
    Uidl,
)
from pop3proto.engine.wire import BodyReader, ReceiveBuffer
from pop3proto.model.stuffing import BodyWriter
from tests.property.effort import effort
from tests.property.engines import client, fed

DOCUMENTED = (RemoteProtocolError, ConnectionLostError)
COMMANDS = [Noop(), Retr(1), List(), Stat(), Uidl(), Capa()]


def ends_well(events: list[Any]) -> bool:
    """Whether what ended the events, if anything did, is documented."""
    errors = [event for event in events if isinstance(event, tuple)]
    return len(errors) <= 1 and all(issubclass(error[0], DOCUMENTED) for error in errors)


@effort(100)
@given(st.lists(st.binary(max_size=200), max_size=10), st.sampled_from(list(State)[:2]))
def test_a_client_survives_anything(chunks: list[bytes], state: State) -> None:
    assert ends_well(fed(client(state=state), [c for c in chunks if c]))
    wanted = [c for c in chunks if c]
    assert ends_well(fed(client(*COMMANDS), wanted))


@effort(100)
@given(st.lists(st.binary(max_size=200), max_size=10))
def test_a_server_survives_anything(chunks: list[bytes]) -> None:
    server = ServerConnection()
    server.send(Greeting("ready"))
    assert ends_well(fed(server, [c for c in chunks if c]))


@effort(100)
@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"\r", b"\n", b".", b"\r\n."])))
def test_what_is_written_is_read(pieces: list[bytes]) -> None:
    writer = BodyWriter()
    wire = b"".join(map(writer.write, pieces)) + writer.finish()
    buffer = ReceiveBuffer()
    buffer.feed(b"+OK\r\n" + wire + b"rest")
    buffer.next_line(100, "status_line")
    reader = BodyReader(buffer).begin()
    content = b""
    while chunk := reader.read():
        content += chunk
    assert reader.complete
    assert reader.octets == len(content)
    assert buffer.data[buffer.start :] == b"rest"
    expected = b"".join(pieces).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if expected and not expected.endswith(b"\r\n"):
        expected += b"\r\n"
    assert content == expected


def test_memory_is_bounded_by_the_chunk() -> None:
    connection = client(Retr(1))
    connection.receive_data(b"+OK\r\n")
    connection.next_event()
    for _ in range(200):
        connection.receive_data(b"y" * 10_000)
        while connection.next_event() is not Signal.NEED_DATA:
            pass
        assert len(connection._buffer.data) <= 10_004


@pytest.mark.parametrize("octet", [b"x", b"\r", b" ", b"+"])
def test_a_status_line_without_end(octet: bytes) -> None:
    connection = client(Noop())
    events = fed(connection, [octet * 1000] * 20)
    assert "longer than 8192 octets" in events[-1][2]
    assert connection.state is State.DEAD


def work(chunk_size: int, octets: int) -> int:
    """How many lines of Python it takes to read a message of so many octets."""
    line = b"Some text with a full stop. And more.\r\n..a stuffed line\r\n"
    wire = b"+OK\r\n" + line * (octets // len(line)) + b".\r\n"
    connection = client(Retr(1))
    lines = 0

    def count(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return count

    previous = sys.gettrace()
    sys.settrace(count)
    try:
        for i in range(0, len(wire), chunk_size):
            connection.receive_data(wire[i : i + chunk_size])
            while not isinstance(event := connection.next_event(), Signal):
                assert not isinstance(event, MessageEnd) or event.octets
    finally:
        sys.settrace(previous)
    return lines


@pytest.mark.parametrize("chunk_size", [1, 7, 1000, 65536])
def test_work_is_linear_in_the_octets(chunk_size: int) -> None:
    small, large = work(chunk_size, 4_000), work(chunk_size, 16_000)
    assert large <= 4 * small * 1.3 + 100


def test_chunks_that_nobody_pulls_are_joined_once() -> None:

    connection = client(Retr(1))
    connection.receive_data(b"+OK\r\n")
    for _ in range(50_000):
        connection.receive_data(b"a")
    connection.receive_data(b"\r\n.\r\n")
    events = []
    while not isinstance(event := connection.next_event(), Signal):
        events.append(event)
    assert [type(e) for e in events[1:]] == [MessageData, MessageEnd]


def test_a_million_rows_within_the_limits() -> None:
    connection = client(List())
    connection.limits = Limits(listing_lines=1000)
    events = fed(connection, [b"+OK\r\n" + b"1 1\r\n" * 1100])
    assert events[-1][0].__name__ == "LimitError"
