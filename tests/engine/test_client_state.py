"""How a client's state moves; see test_client_state_ahead.py for commands sent ahead."""

from contextlib import suppress
from typing import Any

import pytest

from pop3proto import (
    Auth,
    AuthResponse,
    Capa,
    Command,
    ConnectionLostError,
    Dele,
    Limits,
    LocalProtocolError,
    Noop,
    Quit,
    RemoteProtocolError,
    Retr,
    Rset,
    State,
    Stls,
    Top,
    User,
    Utf8,
)
from pop3proto.errors import DeadConnectionError, LimitError
from tests.engine.sessions import TIMESTAMP, client, error_of, events, refused

AUTHORIZATION = State.AUTHORIZATION


def test_its_repr_says_where_it_stands() -> None:
    assert repr(client(Noop())) == "<ClientConnection: transaction, 1 in flight>"
    assert "greeting, secure" in repr(client(state=State.GREETING, secure=True))


def test_before_the_greeting_no_timestamp_is_known() -> None:
    assert client(state=State.GREETING).timestamp is None


def test_what_is_in_flight_is_bounded() -> None:
    connection = client(Noop(), Noop(), limits=Limits(commands_in_flight=2))
    refused(connection, Noop(), match="2 commands are in flight already")


def test_a_dead_connection_sends_nothing() -> None:
    connection = client(Noop())
    error_of(connection, b"?\r\n")
    with pytest.raises(LocalProtocolError, match="cannot be used after this error") as caught:
        connection.send(Noop())
    assert caught.value.command == Noop()


@pytest.mark.parametrize(
    ("connection", "problem"),
    [
        (client(state=AUTHORIZATION, secure=True), "already under TLS"),
        (client(User("user"), state=AUTHORIZATION), "other commands"),
    ],
)
def test_stls_is_not_always_possible(connection: Any, problem: str) -> None:
    refused(connection, Stls(), match=problem)


def test_stls_comes_before_utf8_and_behind_no_data() -> None:
    connection = client(Utf8(), state=AUTHORIZATION)
    events(connection, b"+OK\r\n")
    assert connection.utf8
    refused(connection, Stls(), match="UTF8")
    connection = client(state=AUTHORIZATION)
    connection.receive_data(b"+O")
    with pytest.raises(RemoteProtocolError, match="answers no command"):
        connection.send(Stls())


@pytest.mark.parametrize("stray", [b" \r\n", b"\r\n\t\n", b"\0\n"])
def test_only_line_ends_may_come_between_answers(stray: bytes) -> None:
    connection = client()
    connection.receive_data(stray)
    with pytest.raises(RemoteProtocolError, match="answers no command"):
        connection.send(Noop())


@pytest.mark.parametrize(
    ("came", "shown"),
    [
        (b"\rO\x02\n", r"\rO\x02"),
        (b"\n\r\nx\r\r\n", r"x\r"),
        (b"\r\nx\r", "x"),
        (b"x\n\r", "x"),
    ],
)
def test_the_stray_line_is_shown_as_it_came(came: bytes, shown: str) -> None:
    connection = client()
    connection.receive_data(came)
    with pytest.raises(RemoteProtocolError) as caught:
        connection.send(Noop())
    assert caught.value.args[0].removeprefix("a line that answers no command: ") == shown


@pytest.mark.parametrize("came", [b"\r\n" + b"x" * 40, b"x" * 39 + b"\r\n"])
def test_a_stray_line_that_is_too_long_is_that(came: bytes) -> None:
    connection = client(limits=Limits(status_line=40))
    connection.receive_data(came)
    with pytest.raises(LimitError, match="40 octets") as caught:
        connection.send(Noop())
    assert caught.value.command == Noop()
    with pytest.raises(DeadConnectionError):
        connection.send(Noop())


@pytest.mark.parametrize("blank", [b"\r", b"\n", b"\r\n\n\r"])
def test_blank_lines_are_no_stray_lines(blank: bytes) -> None:
    connection = client()
    connection.receive_data(blank)
    assert connection.send(Noop()) == b"NOOP\r\n"


def test_tls_forgets_what_was_learnt_in_the_clear() -> None:
    connection = client(Capa(), state=AUTHORIZATION)
    events(connection, b"+OK\r\nSTLS\r\n.\r\n")
    assert connection.timestamp == TIMESTAMP
    assert connection.capabilities is not None
    connection.send(Stls())
    events(connection, b"+OK\r\n")
    connection.tls_established()
    assert (connection.timestamp, connection.capabilities) == (None, None)
    assert connection.state is AUTHORIZATION


@pytest.mark.parametrize(
    ("greeting", "state"), [(b"+OK\r\n", AUTHORIZATION), (b"-ERR busy\r\n", State.CLOSED)]
)
def test_the_greeting_opens_or_closes(greeting: bytes, state: State) -> None:
    connection = client(state=State.GREETING)
    events(connection, greeting)
    assert connection.state is state


def test_marks_are_counted() -> None:
    connection = client(Dele(1), Dele(2), Dele(3), Rset(), Dele(1), Quit())
    for answer, pending in ((b"+OK", 1), (b"-ERR", 1), (b"+OK", 2), (b"+OK", 0), (b"+OK", 1)):
        events(connection, answer + b"\r\n")
        assert connection.pending_deletions == pending
    events(connection, b"+OK\r\n")
    assert connection.pending_deletions == 0
    assert connection.state is State.UPDATE


def test_a_refused_quit_closes_and_deletes_nothing() -> None:
    connection = client(Dele(1), Quit())
    events(connection, b"+OK\r\n-ERR\r\n")
    assert connection.pending_deletions == 1
    assert connection.state is State.UPDATE
    connection = client(Quit(), state=AUTHORIZATION)
    events(connection, b"-ERR\r\n")
    assert connection.state is State.CLOSED


def test_what_becomes_of_marked_messages_if_the_session_ends_here() -> None:
    connection = client(Dele(1))
    assert connection.fate_of_deletions == ""
    events(connection, b"+OK\r\n")
    assert connection.fate_of_deletions == "; messages that were marked as deleted, and are kept: 1"
    connection.send(Noop())
    assert connection.fate_of_deletions == "; messages that were marked as deleted, and are kept: 1"
    connection.send(Quit())
    unknown = "; messages that were marked as deleted, and may be gone: 1"
    assert connection.fate_of_deletions == unknown
    events(connection, b"+OK\r\n+OK\r\n")
    assert connection.fate_of_deletions == ""


@pytest.mark.parametrize("answers", [b"", b"+OK\r\n", b"+OK\r\nbye\r\n", b"+OK\r\n-ERR some\r\n"])
def test_after_quit_only_its_answer_tells(answers: bytes) -> None:
    connection = client(Dele(1), Quit())
    with suppress(RemoteProtocolError, ConnectionLostError):
        events(connection, answers)
    unknown = "; messages that were marked as deleted, and may be gone: 1"
    assert connection.fate_of_deletions == unknown


@pytest.mark.parametrize("command", [Retr(1), Capa()])
def test_whether_it_is_within_an_answer_of_several_lines(command: Command[Any]) -> None:
    connection = client(command)
    assert not connection.in_body
    events(connection, b"+OK\r\ntext\r\n")
    assert connection.in_body
    events(connection, b".\r\n")
    assert not connection.in_body


def test_auth_goes_through_challenges_to_its_end() -> None:
    connection = client(Auth("PLAIN"), state=AUTHORIZATION)
    events(connection, b"+ \r\n")
    assert connection.state is State.AUTHENTICATING
    connection.send(AuthResponse(b"x"))
    events(connection, b"-ERR\r\n")
    assert connection.state is AUTHORIZATION
    connection.send(Auth("PLAIN", b"x"))
    events(connection, b"+OK\r\n")
    assert connection.state is State.TRANSACTION


def test_a_refused_capa_leaves_nothing_known() -> None:
    connection = client(Capa(), Capa())
    events(connection, b"+OK\r\nTOP\r\n.\r\n")
    assert connection.capabilities is not None
    events(connection, b"-ERR\r\n")
    assert connection.capabilities is None


@pytest.mark.parametrize("command", [Retr(1), Top(1, 0)])
def test_a_message_moves_nothing(command: Command[Any]) -> None:
    connection = client(command, Noop())
    events(connection, b"+OK\r\nx\r\n.\r\n")
    assert (connection.in_flight, connection.state) == ((Noop(),), State.TRANSACTION)
    error = error_of(connection, b"x\r\n")
    assert isinstance(error, RemoteProtocolError)
    assert "double dots" in str(error)


@pytest.mark.parametrize("ahead", [(), (Noop(),)])
@pytest.mark.parametrize("wrong", ["NOOP", b"NOOP", None, Noop])
def test_only_commands_can_be_sent(ahead: tuple[Command[Any], ...], wrong: Any) -> None:
    connection = client(*ahead)
    with pytest.raises(LocalProtocolError, match="a command is needed, not"):
        connection.send(wrong)
    assert connection.in_flight == ahead
