from collections.abc import Callable
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
    CapaReply,
    Challenge,
    ClientConnection,
    Command,
    ConnectionClosed,
    ConnectionLost,
    DeadConnectionError,
    Dele,
    ErrorReply,
    Extension,
    Greeting,
    Language,
    Languages,
    LanguagesReply,
    Last,
    LastReply,
    LimitExceeded,
    Limits,
    List,
    ListOne,
    ListOneReply,
    ListReply,
    LocalProtocolError,
    MechanismsReply,
    MessageData,
    MessageEnd,
    MessageStart,
    Noop,
    Ok,
    Pass,
    Quit,
    RemoteProtocolError,
    ResponseCode,
    Retr,
    Rset,
    ScanListing,
    ScanListings,
    Signal,
    Stat,
    State,
    StatReply,
    Stls,
    StlsInjectionError,
    Top,
    Uidl,
    UidlOne,
    UidlOneReply,
    UidlReply,
    UniqueIdListing,
    UniqueIdListings,
    Upload,
    User,
    Utf8,
)
from tests.core.sessions import TIMESTAMP, client, events

AUTHORIZATION, TRANSACTION = State.AUTHORIZATION, State.TRANSACTION
PLAIN = Auth("PLAIN")


def error_of(connection: ClientConnection, *chunks: bytes) -> Any:
    """The error that ``chunks`` end in, behind the events before it."""
    with pytest.raises((RemoteProtocolError, ConnectionLost)) as caught:
        events(connection, *chunks)
    assert connection.state is State.DEAD
    return caught.value


def refused(connection: ClientConnection, command: Command[Any], match: str = "") -> None:
    """Check that ``command`` cannot be sent, and that nothing has changed after the attempt."""
    before = repr(connection), connection.in_flight, connection.pending_deletions
    with pytest.raises(LocalProtocolError, match=match) as caught:
        connection.send(command)
    assert caught.value.command == command
    assert (repr(connection), connection.in_flight, connection.pending_deletions) == before


ANSWERS: dict[str, tuple[Command[Any], bytes, list[Any]]] = {
    "ok": (Noop(), b"+OK fine", [Ok(Noop(), "fine")]),
    "bare ok": (Noop(), b"+OK", [Ok(Noop())]),
    "error": (Dele(1), b"-ERR no such message", [ErrorReply(Dele(1), "no such message")]),
    "code": (
        Stat(),
        b"-ERR [IN-USE] busy",
        [ErrorReply(Stat(), "busy", ResponseCode("IN-USE"))],
    ),
    "stat": (Stat(), b"+OK 2 320", [StatReply(Stat(), 2, 320)]),
    "list one": (ListOne(2), b"+OK 2 200", [ListOneReply(ListOne(2), ScanListing(2, 200))]),
    "uidl one": (UidlOne(2), b"+OK 2 x", [UidlOneReply(UidlOne(2), UniqueIdListing(2, b"x"))]),
    "last": (Last(), b"+OK 7", [LastReply(Last(), 7)]),
    "list": (
        List(),
        b"+OK 2 messages\r\n1 120\r\n2 200\r\n.",
        [ListReply(List(), ScanListings([(1, 120), (2, 200)]), "2 messages")],
    ),
    "empty list": (List(), b"+OK\r\n.", [ListReply(List(), ScanListings())]),
    "uidl": (Uidl(), b"+OK\r\n1 a\r\n.", [UidlReply(Uidl(), UniqueIdListings([(1, b"a")]))]),
    "capa": (
        Capa(),
        b"+OK\r\nTOP\r\n..X\r\n.",
        [CapaReply(Capa(), Capabilities.of("TOP", ".X"))],
    ),
    "languages": (
        Languages(),
        b"+OK\r\nen English\r\n.",
        [LanguagesReply(Languages(), (Language("en", "English"),))],
    ),
    "message": (
        Retr(1),
        b"+OK 5 octets\r\nabc\r\n.",
        [MessageStart(Retr(1), "5 octets"), MessageData(b"abc\r\n"), MessageEnd(Retr(1))],
    ),
    "empty message": (Top(1, 0), b"+OK\r\n.", [MessageStart(Top(1, 0)), MessageEnd(Top(1, 0))]),
    "extension": (Extension.single("XSENDER 1"), b"+OK", [Ok(Extension.single("XSENDER 1"))]),
    "text 8-bit": (Noop(), b"+OK \xc3\xa4\xff", [Ok(Noop(), "ä\udcff")]),
}


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
    refused(connection, AuthResponse(b"x"), "nothing may be sent behind")
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
    refused(connection, Noop(), "nothing may be sent behind")
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


def test_commands_sent_ahead() -> None:
    asked = [User("user"), Pass("secret"), Stat(), Retr(1), Dele(1), Quit()]
    connection = client(*asked, state=AUTHORIZATION)
    assert connection.in_flight == tuple(asked)
    assert repr(connection) == "<ClientConnection: authorization, 6 in flight>"
    refused(connection, Noop(), "nothing may be sent behind Quit")
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
    refused(connection, Capa(), "nothing may be sent behind")


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


@pytest.mark.parametrize("cut", range(3))
def test_a_blank_line_that_came_before_the_command_is_no_answer(cut: int) -> None:
    connection = client()
    connection.receive_data(b"\r\n"[:cut])
    connection.send(Noop())
    assert events(connection, b"\r\n"[cut:] + b"+OK\r\n")[-1] == Ok(Noop())


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
    refused(connection, Capa(), "nothing may be sent behind")
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
    refused(connection, Stls(), "unread data")


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


ENDS: dict[str, tuple[list[Command[Any]], bytes, str]] = {
    "idle": ([], b"", "the stream ended in the state 'transaction'"),
    "before an answer": ([Noop()], b"", "in the state 'transaction'"),
    "within a line": ([Noop()], b"+OK fi", "in the state 'transaction'"),
    "before QUIT is answered": ([Quit()], b"", "in the state 'transaction'"),
    "within a listing": ([List()], b"+OK\r\n1 1\r\n", "within an answer, 3 octets into it"),
    "behind the answer to QUIT": ([Quit()], b"+OK\r\n+O", "in the state 'update'"),
}


@pytest.mark.parametrize(("asked", "wire", "message"), ENDS.values(), ids=ENDS)
def test_streams_that_end_too_early(asked: Any, wire: bytes, message: str) -> None:
    connection = client(*asked)
    if wire:
        events(connection, wire)
    in_flight = connection.in_flight
    error = error_of(connection, b"")
    assert isinstance(error, ConnectionLost)
    assert message in str(error)
    assert error.command == (in_flight[0] if in_flight else None)
    assert error.octets_received == 0


@pytest.mark.parametrize(
    ("greeting", "message"),
    [
        (b"", "in the state 'greeting'"),
        (b"* BYE", "an IMAP server; it said: \\* BYE"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "TLS from the start"),
    ],
)
def test_a_stream_that_ends_before_the_greeting(greeting: bytes, message: str) -> None:
    connection = ClientConnection()
    connection.receive_data(greeting) if greeting else None
    with pytest.raises(ConnectionLost, match=message):
        events(connection, b"")


def test_a_message_that_is_cut_short() -> None:
    connection = client(Dele(7), Retr(1))
    cut = events(connection, b"+OK\r\n+OK\r\nabc\r\n.")
    assert cut[-1] == MessageData(b"abc")
    error = error_of(connection, b"")
    assert error.command == Retr(1)
    assert error.octets_received == 3
    assert error.pending_deletions == 1
    assert "3 octets into it" in str(error)
    assert "1 messages marked as deleted were kept" in str(error)


def test_an_early_end_counts_after_all_that_came_before_it() -> None:
    connection = client(Noop(), Retr(1))
    connection.receive_data(b"+OK\r\n+OK\r\ntext\r\n.\r\n")
    connection.receive_data(b"")
    assert [type(connection.next_event()) for _ in range(4)][-1] is MessageEnd
    with pytest.raises(ConnectionLost):
        connection.next_event()


LIMITS: dict[str, tuple[Limits, Command[Any], bytes]] = {
    "status_line": (Limits(status_line=20), Noop(), b"+OK " + b"x" * 16),
    "listing_line": (Limits(listing_line=10), Uidl(), b"+OK\r\n1 " + b"x" * 9),
    "listing_lines": (Limits(listing_lines=2), List(), b"+OK\r\n" + b"1 1\r\n" * 3),
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
    assert isinstance(error, LimitExceeded)
    assert (error.limit, error.value) == (name, getattr(limits, name))
    assert error.command == command


def test_a_challenge_can_be_longer_than_another_status_line() -> None:
    limits = Limits(status_line=100, challenge=300)
    connection = client(PLAIN, state=AUTHORIZATION, limits=limits)
    assert events(connection, b"+ " + b"YWFh" * 100 + b"\r\n") == [Challenge(PLAIN, b"aaa" * 100)]
    connection.send(AuthCancel())
    error = error_of(connection, b"-ERR " + b"x" * 600)
    assert (error.limit, error.value) == ("status_line", 600)


@pytest.mark.parametrize("rest", [b"\r\n", b"+OK\r\n", b"+OK\r\n.\r\n", b""])
def test_a_dead_connection_says_why(rest: bytes) -> None:
    connection = client(Noop(), Retr(1))
    first = error_of(connection, b"+OK\r\nwhat?\r\n" + rest)
    connection.receive_data(b"+OK\r\nmail\r\n.\r\n")
    for call in (connection.next_event, lambda: connection.send(Noop())):
        with pytest.raises(DeadConnectionError, match=r"dead since: neither \+OK nor") as caught:
            call()
        assert caught.value.__cause__ is first
    assert connection.state is State.DEAD


def test_memory_for_a_dead_connection_does_not_grow() -> None:
    connection = client(Noop())
    error_of(connection, b"what?\r\n")
    for _ in range(100):
        connection.receive_data(b"x" * 10_000)
    assert len(connection._buffer) < 100_000
