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
    Command,
    ConnectionClosed,
    ConnectionLostError,
    Dele,
    Deviation,
    ErrorReply,
    Fault,
    Greeting,
    InvalidCommand,
    Leniency,
    Limits,
    List,
    Listings,
    ListReply,
    LocalProtocolError,
    MechanismsReply,
    Message,
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
    ServerConnection,
    Signal,
    Stat,
    State,
    StatReply,
    Stls,
    Top,
    Uidl,
    UidlReply,
    Upload,
    User,
    Utf8,
)
from pop3proto.errors import DeadConnectionError, LimitError, StlsInjectionError
from tests.engine.servers import PLAIN, XMIT, asked, invalid, refused, server, uploading
from tests.engine.sessions import drained, events


def test_a_greeting_comes_first() -> None:
    connection = ServerConnection()
    assert connection.next_event() is Signal.PAUSED
    assert connection.awaiting_reply is None
    refused(connection, Ok(Noop()), "the greeting has to be sent first")
    refused(connection, Greeting("\n"), "control")
    assert connection.send(Greeting("ready")) == b"+OK ready\r\n"
    assert connection.state is State.AUTHORIZATION
    assert repr(connection) == "<ServerConnection: authorization>"
    refused(connection, Greeting("again"), "cannot be sent now")
    assert connection.next_event() is Signal.NEED_DATA


def test_a_client_that_is_not_wanted() -> None:
    connection = ServerConnection()
    reply = ErrorReply(None, "later", ResponseCode.SYS_TEMP)
    assert connection.send(reply) == b"-ERR [SYS/TEMP] later\r\n"
    assert connection.state is State.CLOSED
    assert connection.next_event() is Signal.NEED_DATA
    refused(connection, Greeting(), "cannot be sent now")
    assert events(connection, b"") == [ConnectionClosed()]


def test_one_command_at_a_time() -> None:
    connection = server()
    asked(connection, Noop(), Stat())
    assert connection.next_event() is Signal.PAUSED
    refused(connection, Ok(Stat()), "waits for an answer is Noop")
    assert connection.send(Ok(Noop())) == b"+OK\r\n"
    assert connection.awaiting_reply is None
    refused(connection, Ok(Noop()), "no command is waiting for an answer")
    assert connection.next_event() == Stat()
    assert connection.send(StatReply(Stat(), 2, 320)) == b"+OK 2 320\r\n"


def test_commands_are_seen_in_the_state_that_the_answer_before_leaves_behind() -> None:
    connection = server(State.AUTHORIZATION)
    asked(connection, Pass("wrong"), Stat(), Quit())
    connection.send(ErrorReply(Pass("wrong"), "no", ResponseCode.AUTH))
    assert connection.state is State.AUTHORIZATION
    assert connection.next_event() == Stat()
    refused(connection, StatReply(Stat(), 0, 0), "not possible in the state 'authorization'")
    assert connection.send(ErrorReply(Stat(), "log in first")) == b"-ERR log in first\r\n"
    assert connection.next_event() == Quit()


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (Stat(), Ok(Stat())),
        (Noop(), StatReply(Noop(), 0, 0)),
        (List(), UidlReply(List(), Listings())),
        (Uidl(), ListReply(Uidl(), Listings())),
        (Retr(1), Ok(Retr(1))),
        (Noop(), MessageStart(Noop())),
        (Dele(1), Challenge(Dele(1))),
        (Capa(), MechanismsReply(Capa(), ())),
        (Noop(), Greeting()),
        (Noop(), MessageData(b"x")),
        (Noop(), MessageEnd(Noop())),
        (Noop(), ErrorReply(None)),
        (Noop(), Ok(Noop(), "a\r\nb")),
        (Noop(), Ok(Noop(), "x" * 600)),
        (Noop(), ErrorReply(Noop(), "\x1b")),
    ],
)
def test_replies_that_do_not_fit(command: Command[Any], reply: Any) -> None:
    connection = server()
    asked(connection, command)
    refused(connection, reply)
    connection.send(ErrorReply(command, "no"))


@pytest.mark.parametrize("login", [Pass("secret"), Apop("user", "0" * 32), Auth("X", b"x")])
def test_logins(login: Command[Any]) -> None:
    connection = server(State.AUTHORIZATION)
    asked(connection, login)
    connection.send(ErrorReply(login, "no"))
    assert connection.state is State.AUTHORIZATION
    asked(connection, login)
    connection.send(Ok(login))
    assert connection.state is State.TRANSACTION


def test_an_auth_exchange() -> None:
    connection = server(State.AUTHENTICATING)
    assert connection.next_event() is Signal.NEED_DATA
    asked(connection, AuthResponse(b"\0user\0secret"))
    refused(connection, Ok(AuthResponse(b"\0user\0secret")), r"waits for an answer is AuthResponse")
    assert connection.send(Challenge(PLAIN, b"more")) == b"+ bW9yZQ==\r\n"
    asked(connection, AuthResponse(b""))
    connection.send(Ok(PLAIN))
    assert connection.state is State.TRANSACTION
    asked(connection, Noop())
    connection.send(Ok(Noop()))


@pytest.mark.parametrize("last", [AuthResponse(b"wrong"), AuthCancel()])
def test_an_auth_exchange_that_fails(last: Command[Any]) -> None:
    connection = server(State.AUTHENTICATING)
    asked(connection, last)
    if last == AuthCancel():
        refused(connection, Ok(PLAIN), "does not answer it")
        refused(connection, Challenge(PLAIN), "does not answer it")
    connection.send(ErrorReply(PLAIN, "no"))
    assert connection.state is State.AUTHORIZATION
    asked(connection, User("user"))
    connection.send(Ok(User("user")))


def test_listings_and_capabilities() -> None:
    connection = server()
    asked(connection, List())
    assert connection.send(ListReply(List(), Listings([(1, 2)]))) == b"+OK\r\n1 2\r\n.\r\n"
    asked(connection, Capa())
    reply = CapaReply(Capa(), Capabilities.of("TOP", ".X"))
    assert connection.send(reply) == b"+OK\r\nTOP\r\n..X\r\n.\r\n"


def test_mechanisms() -> None:
    connection = server(State.AUTHORIZATION)
    asked(connection, AuthList())
    assert connection.send(MechanismsReply(AuthList(), ("PLAIN",))) == b"+OK\r\nPLAIN\r\n.\r\n"


def test_a_message() -> None:
    connection = server()
    asked(connection, Retr(1), Noop())
    assert connection.send(MessageStart(Retr(1), "5 octets")) == b"+OK 5 octets\r\n"
    assert connection.next_event() is Signal.PAUSED
    for reply in (Ok(Retr(1)), ErrorReply(Retr(1)), MessageStart(Retr(1)), MessageEnd(Top(1, 0))):
        refused(connection, reply, "has to be ended with MessageEnd first")
    parts = [connection.send(MessageData(data)) for data in (b"a\n.b\r", b"\n", b".")]
    assert b"".join(parts) == b"a\r\n..b\r\n.."
    assert connection.send(MessageEnd(Retr(1))) == b"\r\n.\r\n"
    refused(connection, MessageData(b"x"), "cannot be sent now")
    assert connection.next_event() == Noop()


def test_a_message_in_one_step() -> None:
    connection = server()
    asked(connection, Retr(1), Noop())
    refused(connection, Message(Retr(2), b""), "the command that waits for an answer is")
    whole = Message(Retr(1), b"a\n.b", "5 octets")
    assert connection.send(whole) == b"+OK 5 octets\r\na\r\n..b\r\n.\r\n"
    refused(connection, MessageEnd(Retr(1)), "cannot be sent now")
    assert connection.next_event() == Noop()
    refused(connection, Message(Noop(), b""), "does not answer it")


def test_a_text_in_one_step_answers_an_extension() -> None:
    connection = server()
    asked(connection, XMIT)
    assert connection.send(Message(XMIT, b"")) == b"+OK\r\n.\r\n"
    with pytest.raises(LocalProtocolError, match="an upload follows"):
        connection.expect_upload()


@pytest.mark.parametrize(
    ("state", "command", "reply"),
    [
        (State.AUTHORIZATION, Noop(), Ok(Noop())),
        (State.AUTHORIZATION, Stls(), Ok(Stls())),
        (State.TRANSACTION, Noop(), StatReply(Noop(), 0, 0)),
    ],
)
def test_a_reply_that_does_not_fit_names_its_command(
    state: State, command: Command[Any], reply: Any
) -> None:
    connection = server(state, secure=True)
    asked(connection, command)
    with pytest.raises(LocalProtocolError) as caught:
        connection.send(reply)
    assert caught.value.command == command


def test_an_extension_can_be_answered_by_a_line_or_a_text() -> None:
    connection = server()
    asked(connection, XMIT)
    refused(connection, StatReply(XMIT, 0, 0), "does not answer it")
    connection.send(MessageStart(XMIT))
    assert connection.send(MessageEnd(XMIT)) == b".\r\n"
    asked(connection, XMIT)
    assert connection.send(Ok(XMIT)) == b"+OK\r\n"


def test_utf8_is_on_once_it_is_granted() -> None:
    connection = server(State.AUTHORIZATION)
    asked(connection, Utf8())
    connection.send(ErrorReply(Utf8()))
    assert not connection.utf8
    asked(connection, Utf8())
    connection.send(Ok(Utf8()))
    assert connection.utf8
    assert events(connection, b"USER j\xc3\xb6rg\r\n") == [User("jörg")]


@pytest.mark.parametrize("reply", [Ok(Quit(), "bye"), ErrorReply(Quit(), "not all deleted")])
@pytest.mark.parametrize(
    ("state", "after"),
    [(State.AUTHORIZATION, State.CLOSED), (State.TRANSACTION, State.UPDATE)],
)
def test_quit(reply: Any, state: State, after: State) -> None:
    connection = server(state)
    asked(connection, Quit())
    connection.send(reply)
    assert connection.state is after
    assert connection.next_event() is Signal.NEED_DATA
    refused(connection, Ok(Quit()), "no command")
    assert events(connection, b"") == [ConnectionClosed()]
    assert connection.state is State.CLOSED
    assert connection.next_event() == ConnectionClosed()


def test_stls_once() -> None:
    connection = server(State.AUTHORIZATION)
    asked(connection, Stls())
    connection.send(ErrorReply(Stls(), "no"))
    assert connection.state is State.AUTHORIZATION
    asked(connection, Stls())
    assert connection.send(Ok(Stls())) == b"+OK\r\n"
    assert connection.next_event() is Signal.PAUSED
    refused(connection, Ok(Stls()), "no command")
    connection.tls_established()
    assert repr(connection) == "<ServerConnection: authorization, secure>"
    asked(connection, Stls())
    refused(connection, Ok(Stls()), "already under TLS")
    connection.send(ErrorReply(Stls(), "already under TLS"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"RETR\r\n", "an argument is missing"),
        (b"STAT 1\r\n", "takes no argument"),
        (b"\r\n", "empty"),
        (b"USER a\0b\r\n", "control character"),
        (b"USER a\rb\r\n", "control character"),
        (b"USER a\x7f\r\n", "control character"),
        (b"PASS \xff\0\r\n", "control character"),
        (b"TOP 1\r\n", "TOP takes"),
    ],
)
def test_lines_that_are_no_commands(line: bytes, reason: str) -> None:
    connection = server(State.AUTHORIZATION)
    event = invalid(connection, line)
    assert reason in event.reason
    assert event.line == line[:-2]
    assert connection.awaiting_reply is None
    asked(connection, Capa())


def test_a_bare_lf() -> None:
    connection = server()
    assert events(connection, b"NOOP\n") == [Deviation(Fault.BARE_LF), Noop()]
    connection.send(Ok(Noop()))
    strict = server(leniency=Leniency().refusing(Fault.BARE_LF))
    assert strict.next_event() is Signal.NEED_DATA
    event = invalid(strict, b"NOOP\nDELE 1\r\n")
    assert event.line == b"NOOP\nDELE 1"


def test_octets_beyond_ascii() -> None:
    connection = server(State.AUTHORIZATION)
    found = events(connection, b"USER j\xc3\xb6rg\r\n")
    assert found == [Deviation(Fault.EIGHT_BIT_COMMAND), User("jörg")]
    strict = server(State.AUTHORIZATION, leniency=Leniency.none())
    assert invalid(strict, b"USER j\xf6rg\r\n").reason == "8-bit octets need UTF8 first"


def test_a_deviation_comes_before_what_is_no_command() -> None:
    connection = server()
    deviation, event = events(connection, b"RETR\n")
    assert deviation == Deviation(Fault.BARE_LF)
    assert isinstance(event, InvalidCommand)
    assert connection.awaiting_reply == event


@pytest.mark.parametrize("state", [State.AUTHORIZATION, State.TRANSACTION])
def test_a_client_may_leave_between_commands(state: State) -> None:
    connection = server(state)
    assert events(connection, b"") == [ConnectionClosed()]
    assert connection.state is State.CLOSED
    assert connection.next_event() == ConnectionClosed()


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_an_upload(size: int) -> None:
    content = b"Subject: x\r\n\r\n.\r\n..\r\n\nSTAT\r\n"
    wire = Upload(content).to_bytes() + b"NOOP\r\n"
    connection = uploading()
    assert connection.next_event() is Signal.NEED_DATA
    found: list[Any] = []
    for i in range(0, len(wire), size):
        found += events(connection, wire[i : i + size])
        while (command := connection.awaiting_reply) is not None:
            connection.send(Ok(command))  # type: ignore[arg-type]
            found += drained(connection)
    assert found == [Upload(content.replace(b"\n\n", b"\n\r\n")), Noop()]


def test_an_upload_that_was_sent_with_the_command() -> None:
    connection = server()
    connection.receive_data(b"XTND XMIT\r\n..a\r\n.\r\nNOOP\r\n")
    assert connection.next_event() == XMIT
    connection.send(Ok(XMIT))
    connection.expect_upload()
    assert connection.next_event() == Upload(b".a\r\n")
    connection.send(ErrorReply(Upload(b".a\r\n"), "no room"))
    assert connection.state is State.TRANSACTION
    assert connection.next_event() == Noop()


@pytest.mark.parametrize("size", [1, 100, 20_000])
def test_a_line_that_is_too_long(size: int) -> None:
    connection = server(State.AUTHORIZATION)
    for length in (600, 9000):
        line = b"X" * length + b"\r\n"
        found = events(connection, *(line[i : i + size] for i in range(0, len(line), size)))
        assert found == [InvalidCommand(b"", "the line is too long")]
        connection.send(ErrorReply(None, "too long"))
    assert events(connection, b"CAPA\r\n") == [Capa()]


def test_an_upload_that_is_too_long() -> None:
    connection = uploading(limits=Limits(upload=20))
    with pytest.raises(LimitError):
        events(connection, b"x" * 30)


@pytest.mark.parametrize("octets", [b"NOOP", b"x" * 10_000])
def test_a_client_that_leaves_within_a_line(octets: bytes) -> None:
    connection = server()
    assert events(connection, octets) == []
    with pytest.raises(ConnectionLostError):
        events(connection, b"")
    for call in (connection.next_event, lambda: connection.send(Ok(Noop()))):
        with pytest.raises(DeadConnectionError):
            call()


def test_a_client_that_leaves_within_a_text_or_before_an_answer() -> None:
    with pytest.raises(ConnectionLostError):
        events(uploading(), b"text", b"")
    connection = server()
    asked(connection, XMIT)
    connection.receive_data(b"")
    connection.send(Ok(XMIT))
    with pytest.raises(LocalProtocolError):
        connection.send(Ok(XMIT))
    assert connection.next_event() == ConnectionClosed()


def test_what_no_client_may_send() -> None:
    connection = server(State.AUTHORIZATION)
    asked(connection, Stls())
    connection.send(Ok(Stls()))
    with pytest.raises(StlsInjectionError):
        events(connection, b"CAPA\r\n")
    connection = server()
    asked(connection, Quit())
    connection.send(Ok(Quit()))
    with pytest.raises(RemoteProtocolError, match="after the end of the session"):
        events(connection, b"NOOP\r\n")


def test_an_upload_needs_a_positive_answer_to_an_extension() -> None:
    with pytest.raises(LocalProtocolError, match="an upload follows"):
        server().expect_upload()


def test_a_stream_that_ends_behind_stls() -> None:
    connection = server(State.AUTHORIZATION)
    asked(connection, Stls())
    connection.send(Ok(Stls()))
    with pytest.raises(ConnectionLostError):
        events(connection, b"")


def test_a_line_within_an_exchange_that_is_no_base64() -> None:
    connection = server(State.AUTHENTICATING)
    [event] = events(connection, b"not base64\r\n")
    refused(connection, Ok(PLAIN), "answered with an ErrorReply")
    connection.send(ErrorReply(PLAIN, event.reason))
    assert connection.state is State.AUTHORIZATION
