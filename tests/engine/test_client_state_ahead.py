import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from pop3proto import (
    Apop,
    Capa,
    ClientConnection,
    Command,
    ConnectionLostError,
    Dele,
    Deviation,
    ErrorReply,
    Fault,
    Limits,
    MessageData,
    MessageEnd,
    MessageStart,
    Noop,
    Ok,
    Pass,
    Quit,
    RemoteProtocolError,
    Retr,
    Stat,
    State,
    Stls,
    Upload,
    User,
)
from pop3proto.errors import DeadConnectionError
from tests.engine.sessions import client, error_of, events, refused

AUTHORIZATION, TRANSACTION = State.AUTHORIZATION, State.TRANSACTION


def test_commands_sent_ahead() -> None:
    asked = [User("user"), Pass("secret"), Stat(), Retr(1), Dele(1), Quit()]
    connection = client(*asked, state=AUTHORIZATION)
    assert connection.in_flight == tuple(asked)
    assert repr(connection) == "<ClientConnection: authorization, 6 in flight>"
    refused(connection, Noop(), "nothing may be sent after Quit")
    wire = b"+OK\r\n+OK\r\n+OK 1 3\r\n+OK\r\na\r\n.\r\n+OK\r\n+OK bye\r\n"
    answered = [event.command for event in events(connection, wire) if hasattr(event, "command")]
    assert answered == [*asked[:4], Retr(1), *asked[4:]]
    assert connection.state is State.UPDATE
    assert connection.pending_deletions == 0


def test_a_message_that_is_refused_fails_alone() -> None:
    connection = client(Retr(1), Retr(2), Retr(3))
    first, *second, third = events(connection, b"-ERR a\r\n+OK\r\nb\r\n.\r\n-ERR c\r\n")
    assert (first, third) == (ErrorReply(Retr(1), "a"), ErrorReply(Retr(3), "c"))
    assert second == [MessageStart(Retr(2)), MessageData(b"b\r\n"), MessageEnd(Retr(2))]


@pytest.mark.parametrize("login", [Pass("secret"), Apop("user", "0" * 32)])
def test_a_login_that_fails_with_commands_sent_ahead(login: Command[Any]) -> None:
    connection = client(login, Stat(), Dele(1), state=AUTHORIZATION)
    refused(connection, User("user"), "transaction")
    assert events(connection, b"-ERR no\r\n") == [ErrorReply(login, "no")]
    assert connection.state is AUTHORIZATION
    # The others are still to be answered; what is sent now counts on AUTHORIZATION again.
    assert connection.in_flight == (Stat(), Dele(1))
    refused(connection, Noop(), "authorization")
    connection.send(Pass("better"))
    connection.send(Noop())
    answers = events(connection, b"-ERR no\r\n" * 2 + b"+OK\r\n" * 2)
    assert [type(answer) for answer in answers] == [ErrorReply, ErrorReply, Ok, Ok]
    assert connection.state is TRANSACTION
    assert connection.pending_deletions == 0


def test_a_login_sent_behind_one_that_fails_keeps_what_it_leads_to() -> None:
    connection = client(Pass("a"), Stat(), state=AUTHORIZATION)
    events(connection, b"-ERR\r\n")
    connection.send(Pass("b"))
    connection.send(Noop())
    events(connection, b"-ERR\r\n")
    connection.send(Noop())
    assert connection.in_flight == (Pass("b"), Noop(), Noop())


def test_so_many_commands_and_no_more() -> None:
    connection = client(limits=Limits(commands_in_flight=2))
    connection.send(Noop())
    connection.send(Noop())
    refused(connection, Noop(), "2 commands are in flight")
    events(connection, b"+OK\r\n")
    connection.send(Noop())


@pytest.mark.parametrize("command", [Stls(), Upload(b"text")])
def test_what_is_sent_alone(command: Command[Any]) -> None:
    state = AUTHORIZATION if isinstance(command, Stls) else TRANSACTION
    connection = client(Capa(), state=state)
    refused(connection, command, "still in flight")
    events(connection, b"-ERR\r\n")
    connection.send(command)
    refused(connection, Capa(), "nothing may be sent after")


def not_sent(connection: ClientConnection, command: Command[Any]) -> Any:
    """The error of ``command``, before which something came; it is in flight nowhere."""
    with pytest.raises((RemoteProtocolError, ConnectionLostError)) as caught:
        connection.send(command)
    assert caught.value.command == command
    assert connection.state is State.DEAD
    assert connection.in_flight == ()
    with pytest.raises(DeadConnectionError):
        connection.send(command)
    return caught.value


UNSOLICITED: dict[str, Callable[[ClientConnection], Any]] = {
    "a reply": lambda c: error_of(c, b"+OK what?\r\n"),
    "half of it before the command": lambda c: (
        events(c, b"+OK w"),
        not_sent(c, Noop()),
    )[1],
    "all of it before the command": lambda c: (
        c.receive_data(b"whatever\r\n"),
        not_sent(c, Noop()),
    )[1],
    "several of them": lambda c: (
        c.receive_data(b"whatever\r\n-ERR no\r\n"),
        not_sent(c, Noop()),
    )[1],
    "a second one": lambda c: (c.send(Noop()), error_of(c, b"+OK\r\n+OK what?\r\n"))[1],
    "after a blank line": lambda c: (
        c.receive_data(b"\r\n\n+OK what?\r\n"),
        not_sent(c, Noop()),
    )[1],
    "in a chunk of its own, after an answer": lambda c: (
        c.send(Noop()),
        c.receive_data(b"+OK\r\n"),
        c.receive_data(b"+OK what?\r\n"),
        c.next_event(),
        not_sent(c, Noop()),
    )[4],
    "with a small letter and a bare LF": lambda c: error_of(c, b"+ok what?\n"),
    "the same before a command": lambda c: (
        c.receive_data(b"+ok what?\n"),
        not_sent(c, Noop()),
    )[1],
    "before STLS": lambda c: (
        c.receive_data(b"+OK what?"),
        not_sent(c, Quit()),
    )[1],
    "with a NUL": lambda c: error_of(c, b"+OK w\0hat?\r\n"),
}


@pytest.mark.parametrize("fault", UNSOLICITED.values(), ids=UNSOLICITED)
def test_what_nobody_asked_for(fault: Callable[[ClientConnection], Any]) -> None:
    error = fault(client())
    assert isinstance(error, RemoteProtocolError)
    assert re.search(r"answers no command: (\+OK w|\+ok w|whatever \()", str(error))
    assert "double dots" not in str(error)


IDLE = b"-ERR [IN-USE] idle for too long\x1b\r\n"
GOODBYES: dict[str, Callable[[ClientConnection], Any]] = {
    "read": lambda c: error_of(c, IDLE),
    "found before a command": lambda c: (c.receive_data(IDLE), not_sent(c, Noop()))[1],
    "and the end of the stream": lambda c: (
        c.receive_data(IDLE.lower()),
        c.receive_data(b""),
        not_sent(c, Quit()),
    )[2],
}


@pytest.mark.parametrize("fault", GOODBYES.values(), ids=GOODBYES)
def test_an_error_that_answers_nothing_says_why_the_session_is_over(
    fault: Callable[[ClientConnection], Any],
) -> None:
    connection = client(Dele(1), Retr(2))
    events(connection, b"+OK\r\n+OK\r\n.\r\n")
    error = fault(connection)
    assert isinstance(error, ConnectionLostError)
    assert error.transient
    assert error.pending_deletions == 1
    assert (
        "too long\\x1b; messages that were marked as deleted, and are kept: 1" in str(error).lower()
    )
    assert "double dots" not in str(error)


def test_no_command_is_sent_after_the_end_of_the_stream() -> None:
    connection = client(Dele(1))
    events(connection, b"+OK\r\n\r\n")
    connection.receive_data(b"")
    error = not_sent(connection, Quit())
    assert isinstance(error, ConnectionLostError)
    assert error.pending_deletions == 1
    assert "the stream ended before the command was sent; messages" in str(error)
    assert "deleted, and are kept: 1" in str(error)


def test_nothing_can_be_told_while_an_answer_is_outstanding() -> None:
    connection = client(Noop())
    connection.receive_data(b"+OK 1\r\n+OK 2\r\n")
    connection.receive_data(b"")
    connection.send(Dele(1))
    assert list(drained_before_the_end(connection)) == [Ok(Noop(), "1"), Ok(Dele(1), "2")]


def drained_before_the_end(connection: ClientConnection) -> Iterator[Any]:
    with suppress(ConnectionLostError):
        while True:
            yield connection.next_event()


@pytest.mark.parametrize("cut", range(1, 20))
def test_what_came_before_a_command_answers_it_at_no_chunking(cut: int) -> None:
    wire = b"+OK a\r\n\r\n+OK what?\r\n"
    connection = client(Noop())
    connection.receive_data(wire[:cut])
    connection.receive_data(wire[cut:])
    assert connection.next_event() == Ok(Noop(), "a")
    assert "answers no command: +OK what?" in str(not_sent(connection, Dele(1)))


def test_half_a_blank_line_that_came_before_a_command_does_not_begin_its_answer() -> None:
    connection = client()
    connection.receive_data(b"\r")
    connection.send(Noop())
    error = error_of(connection, b"+OK what?\r\n")
    assert isinstance(error, RemoteProtocolError)
    assert "neither +OK nor -ERR" in str(error)


@pytest.mark.parametrize(("cut", "command"), [(1, Noop()), (2, None)])
def test_a_blank_line_that_came_before_the_command_is_no_answer(
    cut: int, command: Noop | None
) -> None:
    connection = client()
    connection.receive_data(b"\r\n"[:cut])
    connection.send(Noop())
    blank, answer = events(connection, b"\r\n"[cut:] + b"+OK\r\n")
    # The command is named if the line was not complete before it was sent.
    assert blank == Deviation(Fault.BLANK_LINE, command)
    assert answer == Ok(Noop())


@pytest.mark.parametrize("asked", [(Retr(1),), (Retr(1), Noop())])
def test_lines_behind_a_message_point_to_dots_that_were_not_doubled(asked: Any) -> None:
    error = error_of(client(*asked), b"+OK\r\na\r\n.\r\nRETR 2\r\n.\r\n")
    assert "RETR 2" in str(error)
    assert "double dots" in str(error)


def test_so_they_do_if_they_are_found_before_the_next_command() -> None:
    connection = client(Retr(1))
    connection.receive_data(b"+OK\r\na\r\n.\r\n+OK mail\r\n.\r\n")
    assert [type(connection.next_event()) for _ in range(3)][-1] is MessageEnd
    assert "double dots" in str(not_sent(connection, Noop()))


def test_the_rest_of_a_message_is_no_longer_blamed_after_the_next_answer() -> None:
    connection = client(Retr(1), Noop())
    assert "double dots" not in str(error_of(connection, b"+OK\r\n.\r\n+OK\r\nwhat\r\n"))
