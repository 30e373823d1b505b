"""However the octets are cut into chunks, the events are the same, for both roles.

For commands that are sent in between see test_pulling.py.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import (
    Apop,
    Auth,
    AuthList,
    Capa,
    Command,
    Dele,
    ErrorReply,
    Extension,
    Fault,
    Lang,
    Last,
    List,
    MessageData,
    Noop,
    Ok,
    Quit,
    Retr,
    Signal,
    Stat,
    State,
    Top,
    Uidl,
)
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

BODY = (
    b"+OK 120 octets\r\nSubject: x\r\n\r\n..\r\n...\r\n..leading\r\na\rb\nc\n.\n\r\n\0\xff\r\n.\r\n"
)

ANSWERS: dict[str, tuple[list[Command[Any]], bytes]] = {
    "ok": ([Noop()], b"+OK fine\r\n"),
    "bare ok": ([Noop()], b"+OK\r\n"),
    "error": ([Dele(1)], b"-ERR [IN-USE] no\r\n"),
    "other case and blanks": ([Noop(), Dele(1)], b"+ok \r\n-Err  no \r\n"),
    "stat": ([Stat()], b"+OK 2 320 and more\r\n"),
    "stat without size": ([Stat()], b"+OK 2 -1\r\n"),
    "list one": ([List(2)], b"+OK 2 200\r\n"),
    "list": ([List()], b"+OK\r\n1 120\r\n 2  200\r\n3 x\r\n.\r\n"),
    "empty list": ([List()], b"+OK\r\n.\r\n"),
    "uidl one": ([Uidl(2)], b"+OK 2 QhdPYR:00WBw1Ph7x7\r\n"),
    "uidl": ([Uidl()], b"+OK\r\n1 a\r\n2 \r\n3 a\r\n4 a b\r\n.\r\n"),
    "last": ([Last()], b"+OK 7\r\n"),
    "capa": ([Capa()], b"+OK\r\nTOP\r\nSASL A\r\n\r\nSASL B\r\n\xff\r\n..X\r\n.\r\n"),
    "languages": ([Lang()], b"+OK\r\nen English\r\nfr\r\n.\r\n"),
    "message": ([Retr(1)], BODY),
    "empty message": ([Top(1, 0)], b"+OK\r\n.\r\n"),
    "message that begins with dots": ([Retr(1)], b"+OK\r\n..\r\n.\r\n"),
    "message with unstuffed dots": ([Retr(1)], b"+OK\r\n.x\r\n..y\r\n.\r.\r\n.\r\n"),
    "message with bare LF": ([Retr(1)], b"+OK\n..a\nb\r\n..\n.\n"),
    "message ended by LF dot CRLF": ([Retr(1)], b"+OK\na\n.\r\n"),
    "extension": ([Extension.multi("XTND XLST")], b"+OK\r\n1 x\r\n.\r\n"),
    "many": ([Noop(), Retr(1), Stat(), Quit()], b"+OK\r\n" + BODY + b"+OK 1 1\r\n+OK bye\r\n"),
    "blank lines": ([Noop(), Noop()], b"\r\n+OK\r\n\n\r\n+OK\r\n"),
    "too much": ([Noop()], b"+OK\r\n+OK\r\n"),
    "garbage": ([Noop()], b"HELO\r\n"),
    "a NUL": ([Noop()], b"+OK \0\r\n"),
    "no number": ([Stat()], b"+OK two\r\n"),
    "cut in a line": ([Noop()], b"+OK fi"),
    "cut in a message": ([Retr(1)], b"+OK\r\ntext\r\n."),
    "not stuffed": ([Retr(1)], b"+OK\r\na\r\n.\r\nb\r\n.\r\n"),
}


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


AUTHORIZATION: dict[str, tuple[Command[Any], bytes]] = {
    "challenge": (Auth("CRAM-MD5"), b"+ PDE+\r\n"),
    "empty challenge": (Auth("PLAIN"), b"+\r\n"),
    "challenge of prose": (Auth("PLAIN"), b"+ go on\r\n"),
    "challenge by ok": (Auth("NTLM", complete=False), b"+OK PDE+\r\n"),
    "logged in": (Auth("PLAIN", b"\0user\0secret"), b"+OK in\r\n"),
    "apop": (Apop("user", "0" * 32), b"-ERR [AUTH] no\r\n"),
    "mechanisms": (AuthList(), b"+OK\r\nPLAIN\r\nLOGIN\r\n.\r\n"),
}


@pytest.mark.parametrize(("command", "wire"), AUTHORIZATION.values(), ids=AUTHORIZATION)
def test_every_split_of_the_answers_to_logins(command: Command[Any], wire: bytes) -> None:
    whole = fed(client(command, state=State.AUTHORIZATION), [wire])
    for chunks in splits(wire):
        assert fed(client(command, state=State.AUTHORIZATION), chunks) == whole, chunks
        assert fed(client(command, state=State.AUTHORIZATION), chunks, pulls=0) == whole, chunks


REQUESTS = {
    "login": b"CAPA\r\nUSER user\r\nPASS se cret\r\nSTAT\r\nQUIT\r\n",
    "auth": b"AUTH PLAIN\r\nAHVzZXIAc2VjcmV0\r\nLIST\r\nRETR 1\r\nTOP 1 5\r\n",
    "auth with initial response": b"auth plain AHVzZXIAc2VjcmV0\r\nuidl 3\r\nNOOP\r\n",
    "cancelled": b"AUTH PLAIN\r\n*\r\nAUTH PLAIN\r\nnot base64\r\nAUTH\r\n",
    "apop": b"APOP user c4c9334bac560ecc979e58001b3e22fb\r\nDELE 1\r\nRSET\r\nLAST\r\nUIDL\r\n",
    "bare LF": b"USER user\nPASS secret\r\nSTAT\n",
    "no commands": b"\r\nRETR\r\nSTAT 1\r\nTOP 1\r\nUSER\r\nX\0Y\r\nUSER j\xf6rg\r\nXTND XLST\r\n",
    "too long": b"USER " + b"x" * 600 + b"\r\nNOOP\r\n",
    "far too long": b"X" * 9000 + b"\r\nCAPA\r\n" + b"AUTH " + b"Y" * 9000 + b"\r\nCAPA\r\n",
    "cut": b"USER user\r\nPA",
    "rest": b"UTF8\r\nLANG\r\nLANG en\r\nSTLS\r\nRPOP user\r\nSTAT\r\nXSENDER 1\r\n",
}


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
