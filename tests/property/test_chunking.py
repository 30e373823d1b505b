"""However the octets are cut into chunks, the events are the same, for both roles.

For commands that are sent in between see test_pulling.py.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import (
    Command,
    ErrorReply,
    Fault,
    MessageData,
    Noop,
    Ok,
    Retr,
    Signal,
    State,
)
from pop3proto.testing.fuzz.seeds import ANSWERS, AUTHORIZATION, BODY, REQUESTS
from pop3proto.testing.strategies import (
    BrokenConversation,
    Conversation,
    bodies,
    broken_conversations,
    chunkings,
    conversations,
    status_lines,
)
from tests.property.effort import effort
from tests.property.engines import client, drained, fed, greeted_server, joined, octets, splits


@pytest.mark.parametrize(("commands", "wire"), ANSWERS.values(), ids=ANSWERS)
def test_every_split_of_every_kind_of_answer(commands: list[Command[Any]], wire: bytes) -> None:
    whole = fed(client(*commands), [wire])
    assert whole
    for chunks in splits(wire):
        assert fed(client(*commands), chunks) == whole, chunks
        assert fed(client(*commands), chunks, pulls=0) == whole, chunks


@pytest.mark.parametrize(
    "wire",
    [b"+OK <1.2@example.org> hi\r\n", b"-ERR busy\r\n", b"* OK IMAP\r\n", b"\r\n+OK\n", b"+OK x"],
)
def test_every_split_of_a_greeting(wire: bytes) -> None:
    whole = fed(client(state=State.GREETING), [wire])
    for chunks in splits(wire):
        assert fed(client(state=State.GREETING), chunks) == whole, chunks
        assert fed(client(state=State.GREETING), chunks, pulls=0) == whole, chunks


@pytest.mark.parametrize(("command", "wire"), AUTHORIZATION.values(), ids=AUTHORIZATION)
def test_every_split_of_the_answers_to_logins(command: Command[Any], wire: bytes) -> None:
    whole = fed(client(command, state=State.AUTHORIZATION), [wire])
    for chunks in splits(wire):
        assert fed(client(command, state=State.AUTHORIZATION), chunks) == whole, chunks
        assert fed(client(command, state=State.AUTHORIZATION), chunks, pulls=0) == whole, chunks


@pytest.mark.parametrize("wire", REQUESTS.values(), ids=REQUESTS)
def test_every_split_of_requests(wire: bytes) -> None:
    whole = fed(greeted_server(), [wire])
    step = max(1, len(wire) // 200)
    for number, chunks in enumerate(splits(wire)):
        if number % step == 0:
            assert fed(greeted_server(), chunks) == whole
            assert fed(greeted_server(), chunks, pulls=0) == whole


@effort(60)
@given(st.data())
def test_any_session_at_any_chunking(data: st.DataObject) -> None:
    conversation = data.draw(conversations())
    connection = client(state=State.GREETING)
    connection.receive_data(conversation.greeting.to_bytes())
    events = list(drained(connection))
    for exchanges in conversation.rounds:
        for exchange in exchanges:
            connection.send(exchange.command)
        wire = b"".join(exchange.server_octets for exchange in exchanges)
        for chunk in data.draw(chunkings(wire)):
            connection.receive_data(chunk)
            events += drained(connection)
    assert joined(events) == list(conversation.replies)
    assert connection.in_flight == ()


@effort(60)
@given(conversations(one_round=True), st.data())
def test_any_requests_at_any_chunking(conversation: Conversation, data: st.DataObject) -> None:
    chunks = data.draw(chunkings(conversation.client_octets))
    received = [e for e in fed(greeted_server(), chunks) if isinstance(e, Command)]
    assert received == list(conversation.commands)


@effort(80)
@given(broken_conversations(), st.data())
def test_any_broken_session_at_any_chunking(
    broken: BrokenConversation, data: st.DataObject
) -> None:
    greeting = broken.conversation.greeting.to_bytes()
    wire = broken.server_octets[len(greeting) :]
    commands = broken.conversation.commands
    whole = fed(client(*commands, state=State.AUTHORIZATION), [wire])
    pulls = data.draw(st.integers(0, 3))
    for chunks in (octets(wire), data.draw(chunkings(wire))):
        assert fed(client(*commands, state=State.AUTHORIZATION), chunks) == whole
        assert fed(client(*commands, state=State.AUTHORIZATION), chunks, pulls=pulls) == whole
    requests = broken.client_octets
    in_one = fed(greeted_server(), [requests])
    for chunks in (octets(requests), data.draw(chunkings(requests))):
        assert fed(greeted_server(), chunks) == in_one
        assert fed(greeted_server(), chunks, pulls=pulls) == in_one


@effort(100)
@given(status_lines(), st.data())
def test_every_status_line_is_understood(line: bytes, data: st.DataObject) -> None:
    whole = fed(client(Noop()), [line])
    *deviations, reply, _lost = whole
    assert isinstance(reply, Ok if line[:1] == b"+" else ErrorReply)
    assert all(event.fault is Fault.STATUS_INDICATOR_CASE for event in deviations)
    assert fed(client(Noop()), data.draw(chunkings(line))) == whole


@effort(60)
@given(bodies(), st.data())
def test_a_body_comes_as_it_was_sent(body: bytes, data: st.DataObject) -> None:
    stuffed = (b"\r\n" + body).replace(b"\r\n.", b"\r\n..")[2:]
    wire = b"+OK\r\n" + stuffed + b".\r\n+OK\r\n"
    events = fed(client(Retr(1), Noop()), data.draw(chunkings(wire)))
    contents = [event.data for event in events if isinstance(event, MessageData)]
    assert contents == ([body] if body else [])
    assert not any(getattr(event, "fault", None) is Fault.UNSTUFFED_DOT for event in events)


def test_no_more_than_four_octets_are_held_back() -> None:
    connection = client(Retr(1))
    connection.receive_data(b"+OK\r\n")
    connection.next_event()
    handed_out = 0
    for sent, octet in enumerate(BODY[len(b"+OK 120 octets\r\n") : -3], 1):
        connection.receive_data(bytes([octet]))
        while not isinstance(event := connection.next_event(), Signal):
            assert isinstance(event, MessageData)
            handed_out += len(event.data)
        # Dots that were undone are not handed out either: there are three of them.
        assert sent - handed_out <= 4 + 3
