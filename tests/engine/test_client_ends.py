from typing import Any

import pytest

from pop3proto import (
    Auth,
    AuthCancel,
    Capa,
    Challenge,
    ClientConnection,
    Command,
    ConnectionLostError,
    Dele,
    ErrorReply,
    Last,
    Limits,
    List,
    MessageData,
    MessageEnd,
    Noop,
    Quit,
    Retr,
    Stat,
    State,
    Uidl,
)
from pop3proto.errors import DeadConnectionError, LimitError
from tests.engine.sessions import client, error_of, events

AUTHORIZATION, TRANSACTION = State.AUTHORIZATION, State.TRANSACTION
PLAIN = Auth("PLAIN")


ENDS: dict[str, tuple[list[Command[Any]], bytes, str]] = {
    "idle": ([], b"", "the stream ended in the state 'transaction'"),
    "before an answer": ([Noop()], b"", "in the state 'transaction'"),
    "within a line": ([Noop()], b"+OK fi", "in the state 'transaction'"),
    "before QUIT is answered": ([Quit()], b"", "in the state 'transaction'"),
    "within a listing": ([List()], b"+OK\r\n1 1\r\n", "after 3 octets of an answer"),
    "behind the answer to QUIT": ([Quit()], b"+OK\r\n+O", "in the state 'update'"),
}


@pytest.mark.parametrize(("asked", "wire", "message"), ENDS.values(), ids=ENDS)
def test_streams_that_end_too_early(asked: Any, wire: bytes, message: str) -> None:
    connection = client(*asked)
    if wire:
        events(connection, wire)
    in_flight = connection.in_flight
    error = error_of(connection, b"")
    assert isinstance(error, ConnectionLostError)
    assert message in str(error)
    assert error.command == (in_flight[0] if in_flight else None)
    assert error.octets_received == 0


@pytest.mark.parametrize(
    ("greeting", "message"),
    [
        (b"", "in the state 'greeting'"),
        (
            b"* BYE",
            r"^the stream ended in the state 'greeting': .* an IMAP server; it said: \* BYE",
        ),
        (b"\x15\x03\x03\x00\x02\x02\x46", "TLS from the start"),
    ],
)
def test_a_stream_that_ends_before_the_greeting(greeting: bytes, message: str) -> None:
    connection = ClientConnection()
    connection.receive_data(greeting) if greeting else None
    with pytest.raises(ConnectionLostError, match=message):
        events(connection, b"")


def test_a_message_that_is_cut_short() -> None:
    connection = client(Dele(7), Retr(1))
    cut = events(connection, b"+OK\r\n+OK\r\nabc\r\n.")
    assert cut[-1] == MessageData(b"abc")
    error = error_of(connection, b"")
    assert error.command == Retr(1)
    assert error.octets_received == 3
    assert error.pending_deletions == 1
    assert "after 3 octets of an answer" in str(error)
    assert "messages that were marked as deleted, and are kept: 1" in str(error)


def test_an_early_end_counts_after_all_that_came_before_it() -> None:
    connection = client(Noop(), Retr(1))
    connection.receive_data(b"+OK\r\n+OK\r\ntext\r\n.\r\n")
    connection.receive_data(b"")
    assert [type(connection.next_event()) for _ in range(4)][-1] is MessageEnd
    with pytest.raises(ConnectionLostError):
        connection.next_event()


LIMITS: dict[str, tuple[Limits, Command[Any], bytes]] = {
    "status_line": (Limits(status_line=40), Noop(), b"+OK " + b"x" * 36),
    "listing_line": (Limits(listing_line=10), Uidl(), b"+OK\r\n1 " + b"x" * 9),
    "listing_lines": (Limits(listing_lines=2), List(), b"+OK\r\n" + b"1 1\r\n" * 4),
    "listing_octets": (Limits(listing_octets=9), List(), b"+OK\r\n" + b"1 1\r\n" * 2 + b"x"),
}


@pytest.mark.parametrize(("limits", "command", "wire"), LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("size", [1, 1000])
def test_limits(limits: Limits, command: Command[Any], wire: bytes, size: int) -> None:
    name = next(name for name, row in LIMITS.items() if row[2] == wire)
    connection = client(limits=limits)
    connection.send(command)
    chunks = [wire[i : i + size] for i in range(0, len(wire), size)]
    error = error_of(connection, *chunks)
    assert isinstance(error, LimitError)
    assert (error.limit, error.value) == (name, getattr(limits, name))
    assert error.command == command


def test_a_challenge_can_be_longer_than_another_status_line() -> None:
    limits = Limits(status_line=100, challenge=300)
    connection = client(PLAIN, state=AUTHORIZATION, limits=limits)
    assert events(connection, b"+ " + b"YWFh" * 100 + b"\r\n") == [Challenge(PLAIN, b"aaa" * 100)]
    connection.send(AuthCancel())
    error = error_of(connection, b"-ERR " + b"x" * 600)
    assert (error.limit, error.value) == ("status_line", 600)


def test_a_challenge_that_is_too_long_is_for_the_caller_to_cancel() -> None:
    limits = Limits(status_line=100, challenge=300)
    connection = client(PLAIN, state=AUTHORIZATION, limits=limits)
    assert events(connection, b"+ " + b"YWFh" * 149 + b"\r\n") == [Challenge(PLAIN, b"aaa" * 149)]
    connection.send(AuthCancel())
    assert events(connection, b"-ERR\r\n") == [ErrorReply(PLAIN)]
    assert connection.state is AUTHORIZATION


@pytest.mark.parametrize("rest", [b"\r\n", b"+OK\r\n", b"+OK\r\n.\r\n", b""])
def test_a_dead_connection_says_why(rest: bytes) -> None:
    connection = client(Noop(), Retr(1))
    first = error_of(connection, b"+OK\r\nwhat?\r\n" + rest)
    connection.receive_data(b"+OK\r\nmail\r\n.\r\n")
    for call in (connection.next_event, lambda: connection.send(Noop())):
        with pytest.raises(DeadConnectionError, match=r"this error: neither \+OK nor") as caught:
            call()
        assert caught.value.__cause__ is first
    assert connection.state is State.DEAD


def test_memory_for_a_dead_connection_does_not_grow() -> None:
    connection = client(Noop())
    error_of(connection, b"what?\r\n")
    for _ in range(100):
        connection.receive_data(b"x" * 10_000)
    assert len(connection._buffer) < 100_000


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (Stat(), b"+OK none\r\n"),
        (Last(), b"+OK\r\n"),
        (List(1), b"+OK 2 5\r\n"),
        (Uidl(1), b"+OK one\r\n"),
        (List(), b"+OK\r\n1 5\r\nx 5\r\n.\r\n"),
        (Uidl(), b"+OK\r\n1 5\r\nx 5\r\n.\r\n"),
        (Capa(), b"+OK\r\nTOP\r\nUIDL\r\nUSER\r\n.\r\n"),
    ],
)
def test_an_answer_that_cannot_be_read_names_its_command(
    command: Command[Any], answer: bytes
) -> None:
    connection = client(Noop(), command, limits=Limits(listing_lines=2))
    error = error_of(connection, b"+OK\r\n", answer)
    assert error.command == command
    assert str(error).endswith(f" (at {command!r})")
