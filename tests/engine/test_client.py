from typing import Any

import pytest

from pop3proto import (
    Apop,
    Auth,
    AuthCancel,
    AuthList,
    AuthResponse,
    Capa,
    Capabilities,
    Challenge,
    ClientConnection,
    Command,
    ConnectionClosed,
    ConnectionLostError,
    Dele,
    Deviation,
    ErrorReply,
    Fault,
    Greeting,
    Leniency,
    Limits,
    List,
    Listings,
    ListReply,
    LocalProtocolError,
    MechanismsReply,
    Noop,
    Ok,
    Pass,
    Quit,
    RemoteProtocolError,
    ResponseCode,
    Retr,
    Rset,
    Signal,
    Stat,
    State,
    StatReply,
    Stls,
    User,
    Utf8,
)
from pop3proto.errors import DeadConnectionError, StlsInjectionError
from tests.engine.answers import ANSWERS, FAULTS
from tests.engine.sessions import TIMESTAMP, client, error_of, events, refused

AUTHORIZATION, TRANSACTION = State.AUTHORIZATION, State.TRANSACTION
PLAIN = Auth("PLAIN")
GREETING = State.GREETING


@pytest.mark.parametrize(("command", "answer", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_answers(command: Command[Any], answer: bytes, expected: list[Any]) -> None:
    connection = client()
    assert connection.send(command) == command.to_bytes()
    assert connection.in_flight == (command,)
    assert connection.next_event() is Signal.NEED_DATA
    assert events(connection, answer + b"\r\n") == expected
    assert connection.in_flight == ()
    assert connection.state is TRANSACTION
    assert connection.next_event() is Signal.NEED_DATA


def test_mechanisms_on_a_bare_auth() -> None:
    connection = client(AuthList(), state=AUTHORIZATION)
    answer = MechanismsReply(AuthList(), ("PLAIN", "LOGIN"))
    assert events(connection, b"+OK\r\nPLAIN\r\nLOGIN\r\n.\r\n") == [answer]


def test_the_end_of_a_message_counts_its_octets() -> None:
    *_, end = events(client(Retr(1)), b"+OK\r\n..\r\nab", b"c\r\n.\r\n")
    assert end.octets == len(b".\r\nabc\r\n")


def test_a_greeting() -> None:
    connection = ClientConnection()
    refused(connection, User("user"), "greeting")
    assert events(connection, b"+OK POP3 <1896.697170952@dbc.mtview.ca.us>\r\n") == [
        Greeting("POP3 <1896.697170952@dbc.mtview.ca.us>")
    ]
    assert connection.state is AUTHORIZATION
    assert connection.timestamp == "<1896.697170952@dbc.mtview.ca.us>"
    assert repr(connection) == "<ClientConnection: authorization, 0 in flight>"


def test_a_server_that_does_not_want_to_talk() -> None:
    connection = ClientConnection()
    assert events(connection, b"-ERR [SYS/TEMP] later\r\n") == [
        ErrorReply(None, "later", ResponseCode.SYS_TEMP)
    ]
    assert connection.state is State.CLOSED
    refused(connection, Quit(), "closed")
    assert events(connection, b"") == [ConnectionClosed()]
    assert connection.next_event() == ConnectionClosed()


@pytest.mark.parametrize(
    ("octets", "meaning"),
    [
        (b"* OK IMAP4rev1 ready\r\n", "an IMAP server"),
        (b"220 mail.example.org ESMTP\r\n", "an SMTP or FTP server"),
        (b"SSH-2.0-x\r\n", "an HTTP or SSH server"),
        (b"hello\x1b[2J\r\n", r"not a POP3 server; it said: hello\\x1b\[2J"),
        (b"+ERR\r\n", "not a POP3 server"),
        (b"+ go on\r\n", "not a POP3 server"),
        (b"+OK \0ready\r\n", r"^a status line holds a NUL: \+OK \\x00ready"),
        # An alert, "unexpected message", whose last octet happens to be a line end.
        (b"\x15\x03\x01\x00\x02\x02\x0a", "TLS from the start"),
    ],
)
def test_greetings_of_other_protocols(octets: bytes, meaning: str) -> None:
    with pytest.raises(RemoteProtocolError, match=meaning):
        events(ClientConnection(), octets)


def test_state_moves_when_the_event_is_returned() -> None:
    connection = client(Pass("secret"), state=AUTHORIZATION)
    connection.receive_data(b"+OK\r\n")
    assert connection.state is AUTHORIZATION
    assert connection.in_flight == (Pass("secret"),)
    connection.next_event()
    assert connection.state is TRANSACTION
    assert connection.in_flight == ()


@pytest.mark.parametrize("login", [Pass("secret"), Apop("user", "0" * 32), Auth("X", b"")])
def test_logins(login: Command[Any]) -> None:
    connection = client(login, state=AUTHORIZATION)
    assert events(connection, b"-ERR [AUTH] no\r\n") == [ErrorReply(login, "no", ResponseCode.AUTH)]
    assert connection.state is AUTHORIZATION
    connection.send(login)
    assert events(connection, b"+OK\r\n") == [Ok(login)]
    assert connection.state is TRANSACTION


def test_an_auth_exchange() -> None:
    connection = client(PLAIN, state=AUTHORIZATION)
    refused(connection, AuthResponse(b"x"), "nothing may be sent after")
    assert events(connection, b"+ \r\n") == [Challenge(PLAIN)]
    assert connection.state is State.AUTHENTICATING
    refused(connection, Noop(), "authenticating")
    assert connection.send(AuthResponse(b"\0user\0secret")) == b"AHVzZXIAc2VjcmV0\r\n"
    assert events(connection, b"+ bW9yZQ==\r\n") == [Challenge(PLAIN, b"more")]
    assert connection.send(AuthResponse(b"")) == b"\r\n"
    assert events(connection, b"+OK in\r\n") == [Ok(PLAIN, "in")]
    assert connection.state is TRANSACTION


@pytest.mark.parametrize("answer", [AuthResponse(b"wrong"), AuthCancel()])
def test_an_auth_exchange_that_fails(answer: Command[Any]) -> None:
    connection = client(PLAIN, state=AUTHORIZATION)
    events(connection, b"+\r\n")
    connection.send(answer)
    refused(connection, Noop(), "nothing may be sent after")
    assert events(connection, b"-ERR no\r\n") == [ErrorReply(PLAIN, "no")]
    assert connection.state is AUTHORIZATION
    connection.send(Pass("secret"))


def test_a_login_that_was_cancelled_cannot_succeed() -> None:
    connection = client(PLAIN, state=AUTHORIZATION)
    events(connection, b"+\r\n")
    connection.send(AuthCancel())
    error = error_of(connection, b"+OK welcome\r\n")
    assert "cancelled" in str(error)
    assert error.command == AuthCancel()


def test_a_challenge_is_for_auth_alone() -> None:
    assert "neither +OK nor -ERR: + go on" in str(error_of(client(Noop()), b"+ go on\r\n"))


def test_what_auth_cannot_put_on_its_line_is_not_sent() -> None:
    connection = client(state=AUTHORIZATION)
    refused(connection, Auth("PLAIN", b"x" * 300), "longer than 255")
    connection.send(PLAIN)


def test_quit_in_transaction() -> None:
    connection = client(Dele(1), Dele(2), Quit())
    events(connection, b"+OK\r\n-ERR\r\n")
    assert connection.pending_deletions == 1
    assert events(connection, b"+OK bye\r\n") == [Ok(Quit(), "bye")]
    assert connection.state is State.UPDATE
    assert connection.pending_deletions == 0
    refused(connection, Noop(), "update")
    assert events(connection, b"") == [ConnectionClosed()]
    assert connection.state is State.CLOSED


def test_quit_that_could_not_delete_everything() -> None:
    connection = client(Dele(1))
    events(connection, b"+OK\r\n")
    connection.send(Quit())
    events(connection, b"-ERR some deleted messages not removed\r\n")
    assert connection.state is State.UPDATE
    assert connection.pending_deletions == 1


@pytest.mark.parametrize("answer", [b"+OK\r\n", b"-ERR\r\n"])
def test_quit_before_the_login(answer: bytes) -> None:
    connection = client(Quit(), state=AUTHORIZATION)
    events(connection, answer)
    assert connection.state is State.CLOSED
    assert events(connection, b"") == [ConnectionClosed()]


def test_rset_unmarks() -> None:
    connection = client(Dele(1), Dele(2))
    events(connection, b"+OK\r\n+OK\r\n")
    assert connection.pending_deletions == 2
    connection.send(Rset())
    events(connection, b"-ERR\r\n")
    assert connection.pending_deletions == 2
    connection.send(Rset())
    events(connection, b"+OK\r\n")
    assert connection.pending_deletions == 0


def test_capabilities_are_those_of_the_last_asking() -> None:
    connection = client(Capa(), state=AUTHORIZATION)
    assert connection.capabilities is None
    events(connection, b"+OK\r\nTOP\r\n.\r\n")
    assert connection.capabilities == Capabilities.of("TOP")
    connection.send(Capa())
    events(connection, b"+OK\r\n.\r\n")
    assert connection.capabilities == Capabilities()
    connection.send(Capa())
    events(connection, b"-ERR\r\n")
    assert connection.capabilities is None


def test_utf8_is_on_once_it_is_granted() -> None:
    connection = client(Utf8(), state=AUTHORIZATION)
    assert not connection.utf8
    events(connection, b"-ERR\r\n")
    assert not connection.utf8
    connection.send(Utf8())
    events(connection, b"+OK\r\n")
    assert connection.utf8


def test_tls_makes_forget_what_was_learnt_in_the_clear() -> None:
    connection = client(Capa(), state=AUTHORIZATION)
    events(connection, b"+OK\r\nSTLS\r\nSASL PLAIN\r\n.\r\n")
    assert connection.timestamp == TIMESTAMP
    connection.send(Stls())
    refused(connection, Capa(), "nothing may be sent after")
    assert events(connection, b"+OK begin\r\n") == [Ok(Stls(), "begin")]
    assert connection.next_event() is Signal.PAUSED
    refused(connection, Capa(), "tls negotiation")
    connection.tls_established()
    assert connection.capabilities is None
    assert connection.timestamp is None
    assert "secure" in repr(connection)
    refused(connection, Stls(), "already under TLS")
    connection.send(Pass("secret"))


def test_stls_refused() -> None:
    connection = client(Stls(), state=AUTHORIZATION)
    assert events(connection, b"-ERR no\r\n") == [ErrorReply(Stls(), "no")]
    assert connection.state is AUTHORIZATION
    assert not connection.secure
    with pytest.raises(LocalProtocolError):
        connection.tls_established()


def test_no_stls_behind_utf8() -> None:
    # RFC 6856 section 2.1: clients must not issue STLS after UTF8.
    connection = client(Utf8(), state=AUTHORIZATION)
    events(connection, b"+OK\r\n")
    refused(connection, Stls())


def test_no_stls_with_unread_data() -> None:
    connection = client(state=AUTHORIZATION)
    connection.receive_data(b"+OK")
    with pytest.raises(RemoteProtocolError, match="answers no command"):
        connection.send(Stls())


@pytest.mark.parametrize("injected", [b"+OK\r\n", b"\r\n", b"\0"])
def test_octets_in_the_chunk_of_the_answer_to_stls_are_never_parsed(injected: bytes) -> None:
    connection = client(Stls(), state=AUTHORIZATION)
    connection.receive_data(b"+OK begin\r\n" + injected)
    with pytest.raises(StlsInjectionError) as caught:
        connection.next_event()
    assert caught.value.command == Stls()
    with pytest.raises(DeadConnectionError) as dead:
        connection.send(Capa())
    assert dead.value.__cause__ is caught.value
    assert dead.value.command == Capa()


def test_the_faults_that_a_client_can_forgive() -> None:
    assert set(FAULTS) == set(Fault) - {Fault.EIGHT_BIT_COMMAND}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("size", [1, 1000])
def test_a_fault_that_is_forgiven_is_reported_before_the_reply(fault: Fault, size: int) -> None:
    state, command, wire, sample, count, replies = FAULTS[fault]
    connection = client(*([command] if command else []), state=state)
    found = events(connection, *(wire[i : i + size] for i in range(0, len(wire), size)))
    at = found.index(Deviation(fault, command, sample, count))
    assert found[at + 1 :] == replies
    assert not any(isinstance(event, Deviation) for event in found[:at])


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("strict", [False, True])
def test_a_fault_that_is_not_forgiven_ends_the_session(fault: Fault, strict: bool) -> None:
    state, command, wire, *_ = FAULTS[fault]
    connection = client(*([command] if command else []), state=state)
    connection.leniency = Leniency.none() if strict else Leniency().refusing(fault)
    error = error_of(connection, wire)
    assert error.fault is fault
    assert error.command == command
    assert fault.value in str(error)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_other_fault_may_be_refused(fault: Fault) -> None:
    state, command, wire, *_, replies = FAULTS[fault]
    connection = client(*([command] if command else []), state=state)
    connection.leniency = Leniency.none().tolerating(fault)
    assert events(connection, wire)[-len(replies) :] == replies


def test_several_faults_come_in_the_order_in_which_they_were_met() -> None:
    found = events(client(Stat()), b"\r\n+ok 1 many\n")
    faults = [event.fault for event in found[:-1]]
    assert faults == [
        Fault.BLANK_LINE,
        Fault.BARE_LF,
        Fault.STATUS_INDICATOR_CASE,
        Fault.UNUSABLE_SIZE,
    ]
    assert found[-1] == StatReply(Stat(), 1, None)


@pytest.mark.parametrize("rest", [b"1 1\n.\n", b"1 1\r\n.\r\n"])
def test_a_fault_is_reported_before_the_rest_of_the_answer_comes(rest: bytes) -> None:
    connection = client(List())
    assert events(connection, b"+OK\n") == [Deviation(Fault.BARE_LF, List(), b"+OK")]
    assert events(connection, rest) == [ListReply(List(), Listings([(1, 1)]))]


def test_what_is_forgiven_comes_before_the_error_of_the_same_line() -> None:
    connection = client(Stat())
    connection.receive_data(b"+ok\n")
    faults = [connection.next_event() for _ in range(2)]
    assert faults == [
        Deviation(Fault.BARE_LF, Stat(), b"+ok"),
        Deviation(Fault.STATUS_INDICATOR_CASE, Stat(), b"+ok"),
    ]
    with pytest.raises(RemoteProtocolError, match="not a drop listing: nothing"):
        connection.next_event()


@pytest.mark.parametrize(
    ("command", "line", "message"),
    [
        (Noop(), b"+OK a\0b", "holds a NUL: \\+OK a\\\\x00b"),
        (Noop(), b"\0-ERR", "^a status line holds a NUL: \\\\x00-ERR"),
        (Noop(), b"+ERR no", "neither \\+OK nor -ERR: \\+ERR no"),
        (Noop(), b"OK", "neither"),
        (Noop(), b"\x1b[2J", r"neither \+OK nor -ERR: \\x1b\[2J"),
        (None, b"+OK", "answers no command: \\+OK"),
        (Stat(), b"+OK two", "not a drop listing: two"),
        (List(), b"+OK\r\n0 1", "not a scan listing: 0 1"),
    ],
)
def test_what_no_server_may_send(command: Command[Any] | None, line: bytes, message: str) -> None:
    connection = client(*([command] if command else []))
    with pytest.raises(RemoteProtocolError, match=message) as caught:
        events(connection, line + b"\r\n.\r\n")
    assert caught.value.command == command


def test_a_line_behind_a_message_points_to_dots_that_were_not_doubled() -> None:
    error = error_of(client(Retr(1)), b"+OK\r\na\r\n.\r\nb\r\n.\r\n")
    assert "the server seems not to double dots" in str(error)


def test_a_line_that_no_message_came_before_does_not() -> None:
    error = error_of(client(User("a"), state=State.AUTHORIZATION), b"b\r\n")
    assert "dots" not in str(error)


@pytest.mark.parametrize(
    ("state", "asked", "wire", "octets"),
    [
        (GREETING, [], b"+OK", 0),
        (TRANSACTION, [Dele(1), Retr(1)], b"+OK\r\n+OK\r\nabc\r\n", 3),
        (TRANSACTION, [Dele(1), List()], b"+OK\r\n+OK\r\n1 1\r\n", 0),
    ],
)
def test_a_stream_that_ends_too_early(state: State, asked: Any, wire: bytes, octets: int) -> None:
    connection = client(*asked, state=state)
    events(connection, wire)
    error = error_of(connection, b"")
    assert isinstance(error, ConnectionLostError)
    assert error.octets_received == octets
    assert error.pending_deletions == len(asked[:1])
    for call in (connection.next_event, lambda: connection.send(Noop())):
        with pytest.raises(DeadConnectionError) as caught:
            call()
        assert caught.value.__cause__ is error


def test_a_stream_that_ends_in_place_of_tls() -> None:
    connection = client(Stls(), state=AUTHORIZATION)
    events(connection, b"+OK\r\n")
    assert isinstance(error_of(connection, b""), ConnectionLostError)


def test_octets_in_a_later_chunk_behind_stls_are_never_parsed_either() -> None:
    connection = client(Stls(), state=AUTHORIZATION)
    events(connection, b"+OK\r\n")
    assert isinstance(error_of(connection, b"+OK\r\n"), StlsInjectionError)


def test_commands_can_be_sent_ahead() -> None:
    connection = client(
        Pass("secret"), Stat(), state=AUTHORIZATION, limits=Limits(commands_in_flight=2)
    )
    assert connection.in_flight == (Pass("secret"), Stat())
    refused(connection, Noop(), "2 commands are in flight")
    events(connection, b"-ERR\r\n-ERR\r\n")
    connection.receive_data(b"+OK\r\n")
    with pytest.raises(RemoteProtocolError, match=r"answers no command: \+OK \(at Quit"):
        connection.send(Quit())


def test_what_is_sent_alone_and_what_nothing_is_sent_behind() -> None:
    connection = client(Capa(), state=AUTHORIZATION)
    refused(connection, Stls(), "still in flight")
    connection.send(Quit())
    refused(connection, Capa(), "nothing may be sent after Quit")


def test_what_comes_after_auth_is_answered_for_itself() -> None:
    connection = client(state=State.AUTHORIZATION)
    connection.send(PLAIN)
    [refusal] = events(connection, b"-ERR no\r\n")
    connection.send(User("user"))
    [answer] = events(connection, b"-ERR no\r\n")
    assert (refusal.command, answer.command) == (PLAIN, User("user"))
