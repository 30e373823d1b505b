from collections.abc import Callable
from typing import Any

import pytest

from pop3proto import (
    Apop,
    Capa,
    ClientConnection,
    Command,
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


UNSOLICITED: dict[str, Callable[[ClientConnection], Any]] = {
    "a reply": lambda c: error_of(c, b"+OK what?\r\n"),
    "half of it before the command": lambda c: (
        events(c, b"+O"),
        c.send(Noop()),
        error_of(c, b"K what?\r\n"),
    )[2],
    "all of it before the command": lambda c: (
        c.receive_data(b"-ERR what?\r\n"),
        c.send(Noop()),
        error_of(c, b"+OK\r\n"),
    )[2],
    "a second one": lambda c: (c.send(Noop()), error_of(c, b"+OK\r\n+OK what?\r\n"))[1],
    "behind a blank line": lambda c: (
        c.receive_data(b"\r\n-ERR what?\r\n"),
        c.send(Noop()),
        error_of(c, b""),
    )[2],
    "in a chunk of its own, behind an answer": lambda c: (
        c.send(Noop()),
        c.receive_data(b"+OK\r\n"),
        c.receive_data(b"-ERR what?\r\n"),
        c.next_event(),
        c.send(Noop()),
        error_of(c, b""),
    )[5],
    "behind half a blank line": lambda c: (
        c.receive_data(b"\r"),
        c.send(Noop()),
        error_of(c, b"+OK what?\r\n"),
    )[2],
}


@pytest.mark.parametrize("fault", UNSOLICITED.values(), ids=UNSOLICITED)
def test_what_nobody_asked_for(fault: Callable[[ClientConnection], Any]) -> None:
    error = fault(client())
    assert isinstance(error, RemoteProtocolError)
    assert "answers nothing" in str(error)
    assert "double dots" not in str(error)


@pytest.mark.parametrize("cut", range(1, 20))
def test_what_came_before_a_command_answers_it_at_no_chunking(cut: int) -> None:
    wire = b"+OK a\r\n\r\n+OK what?\r\n"
    connection = client(Noop())
    connection.receive_data(wire[:cut])
    connection.receive_data(wire[cut:])
    assert connection.next_event() == Ok(Noop(), "a")
    connection.send(Dele(1))
    assert connection.next_event() == Deviation(Fault.BLANK_LINE, Dele(1))
    assert "answers nothing: +OK what?" in str(error_of(connection, b"+OK\r\n"))


@pytest.mark.parametrize("cut", [1, 2])
def test_a_blank_line_that_came_before_the_command_is_no_answer(cut: int) -> None:
    connection = client()
    connection.receive_data(b"\r\n"[:cut])
    connection.send(Noop())
    blank, answer = events(connection, b"\r\n"[cut:] + b"+OK\r\n")
    assert blank == Deviation(Fault.BLANK_LINE, Noop())
    assert answer == Ok(Noop())


@pytest.mark.parametrize("asked", [(Retr(1),), (Retr(1), Noop())])
def test_lines_behind_a_message_point_to_dots_that_were_not_doubled(asked: Any) -> None:
    error = error_of(client(*asked), b"+OK\r\na\r\n.\r\nRETR 2\r\n.\r\n")
    assert "RETR 2" in str(error)
    assert "double dots" in str(error)


def test_so_they_do_if_the_next_command_was_sent_before_they_were_read() -> None:
    connection = client(Retr(1))
    connection.receive_data(b"+OK\r\na\r\n.\r\n+OK mail\r\n.\r\n")
    assert [type(connection.next_event()) for _ in range(3)][-1] is MessageEnd
    connection.send(Noop())
    assert "double dots" in str(error_of(connection, b""))


def test_the_rest_of_a_message_is_no_longer_blamed_after_the_next_answer() -> None:
    connection = client(Retr(1), Noop())
    assert "double dots" not in str(error_of(connection, b"+OK\r\n.\r\n+OK\r\nwhat\r\n"))
