"""What a client may not do, or does at the worst moment; see also test_server.py."""

import tracemalloc
from typing import Any

import pytest

from pop3proto import (
    Auth,
    AuthResponse,
    Capa,
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
    LocalProtocolError,
    MessageStart,
    Noop,
    Ok,
    Pass,
    Quit,
    RemoteProtocolError,
    Retr,
    Rset,
    ServerConnection,
    Signal,
    State,
    Stls,
    Upload,
)
from pop3proto.errors import DeadConnectionError, LimitError, StlsInjectionError
from tests.engine.servers import PLAIN, XMIT, asked, refused, server, uploading
from tests.engine.sessions import drained, events


def test_a_client_that_speaks_before_the_greeting_has_to_wait() -> None:
    connection = ServerConnection()
    connection.receive_data(b"CAPA\r\n")
    assert connection.next_event() is Signal.PAUSED
    connection.send(Greeting())
    assert connection.next_event() == Capa()


@pytest.mark.parametrize(
    "line", [b"not base64\r\n", b"CAPA!\r\n", b"\0\r\n", b"x" * 9000 + b"\r\n"]
)
def test_a_line_within_auth_that_is_no_answer_ends_the_exchange(line: bytes) -> None:
    connection = server(State.AUTHENTICATING)
    [event] = events(connection, line)
    assert isinstance(event, InvalidCommand)
    refused(connection, Ok(PLAIN), "answered with an ErrorReply")
    connection.send(ErrorReply(PLAIN, event.reason))
    assert connection.state is State.AUTHORIZATION


def test_an_answer_within_auth_has_a_limit() -> None:
    limits = Limits(challenge=10)
    within, initial = AuthResponse(b"x" * 10), Auth("PLAIN", b"x" * 10)
    connection = server(State.AUTHENTICATING, limits=limits)
    assert events(connection, within.to_bytes()) == [within]
    connection = server(State.AUTHORIZATION, limits=limits)
    assert events(connection, initial.to_bytes()) == [initial]


@pytest.mark.parametrize("octets", [11, 1000])
def test_an_answer_within_auth_that_is_too_long_ends_the_exchange(octets: int) -> None:
    connection = server(State.AUTHENTICATING, limits=Limits(challenge=10))
    line = AuthResponse(b"x" * octets).to_bytes()
    [event] = events(connection, line)
    assert event == InvalidCommand(line[:-2], "the answer is too long")
    connection.send(ErrorReply(PLAIN, event.reason))
    assert connection.state is State.AUTHORIZATION
    [event] = events(connection, b"AUTH PLAIN " + line)
    assert event == InvalidCommand(b"AUTH PLAIN " + line[:-2], "the answer is too long")
    connection.send(ErrorReply(None, event.reason))
    assert events(connection, b"CAPA\r\n") == [Capa()]


def test_auth_in_transaction_changes_nothing() -> None:
    connection = server()
    asked(connection, PLAIN)
    refused(connection, Challenge(PLAIN), "not possible")
    connection.send(ErrorReply(PLAIN, "you are in"))
    assert connection.state is State.TRANSACTION
    asked(connection, Noop())
    connection.send(Ok(Noop()))


def test_nothing_comes_behind_quit() -> None:
    connection = server()
    asked(connection, Quit(), Rset())
    connection.send(Ok(Quit()))
    with pytest.raises(RemoteProtocolError, match="after the end of the session"):
        connection.next_event()
    assert connection.state is State.DEAD


def test_no_stls_for_a_session_that_began_under_tls() -> None:
    connection = server(State.AUTHORIZATION, secure=True)
    asked(connection, Stls())
    refused(connection, Ok(Stls()), "already under TLS")


@pytest.mark.parametrize("octets", [b"USER user\r\n", b"\r\n", b"x", b"\x16\x03\x01"])
@pytest.mark.parametrize("when", ["with STLS", "before the answer", "behind the answer"])
def test_what_comes_in_the_clear_behind_stls_is_never_run(octets: bytes, when: str) -> None:
    connection = server(State.AUTHORIZATION)
    connection.receive_data(b"STLS\r\n" + (octets if when == "with STLS" else b""))
    assert connection.next_event() == Stls()
    if when == "before the answer":
        connection.receive_data(octets)
    connection.send(Ok(Stls()))
    if when == "behind the answer":
        connection.receive_data(octets)
    with pytest.raises(StlsInjectionError):
        connection.next_event()
    assert connection.state is State.DEAD
    for call in (connection.next_event, lambda: connection.send(Ok(Stls()))):
        with pytest.raises(DeadConnectionError):
            call()


def test_what_comes_behind_stls_that_is_refused_is_a_command() -> None:
    connection = server(State.AUTHORIZATION)
    asked(connection, Stls(), Capa())
    connection.send(ErrorReply(Stls(), "no"))
    assert connection.next_event() == Capa()


def test_what_is_no_command_cannot_succeed() -> None:
    connection = server()
    connection.receive_data(b"RETR\r\n")
    event = connection.next_event()
    assert isinstance(event, InvalidCommand)
    refused(connection, MessageStart(Retr(1)), "waits for an answer is InvalidCommand")
    connection.send(ErrorReply(None, event.reason))


LENGTHS = [(510, True), (511, False), (8190, False), (8191, False), (100_000, False)]


@pytest.mark.parametrize(("length", "taken"), LENGTHS)
@pytest.mark.parametrize("size", [1, 100, 200_000])
@pytest.mark.parametrize("leniency", [Leniency(), Leniency.none()])
def test_one_answer_for_one_line_however_long(
    length: int, taken: bool, size: int, leniency: Any
) -> None:
    line = b"PASS " + b"x" * (length - 5) + b"\r\n"
    wire = line + b"CAPA\r\n" + line
    connection = server(State.AUTHORIZATION, leniency=leniency)
    found: list[Any] = []
    for i in range(0, len(wire), size):
        connection.receive_data(wire[i : i + size])
        while not isinstance(event := connection.next_event(), Signal):
            found.append(event)
            command = event if isinstance(event, Command) else None
            connection.send(ErrorReply(command, "no"))
    expected = Pass("x" * (length - 5)) if taken else InvalidCommand(b"", "the line is too long")
    assert found == [expected, Capa(), expected]


def test_lines_of_auth_may_be_longer() -> None:
    connection = server(State.AUTHORIZATION)
    [auth] = events(connection, b"auth X " + b"YWFh" * 2000 + b"\r\n")
    assert auth == Auth("X", b"aaa" * 2000)
    connection.send(Challenge(auth))
    assert events(connection, b"YWFh" * 2000 + b"\r\n") == [AuthResponse(b"aaa" * 2000)]
    connection.send(Challenge(auth))
    assert events(connection, b"YWFh" * 2048 + b"\r\n") == [
        InvalidCommand(b"", "the line is too long")
    ]


def test_of_a_line_without_end_nothing_is_kept() -> None:
    connection = server()
    for _ in range(1000):
        connection.receive_data(b"x" * 1000)
        assert connection.next_event() is Signal.NEED_DATA
        assert len(connection._buffer) < 10_000


@pytest.mark.parametrize(
    ("state", "octets"),
    [
        (State.AUTHORIZATION, b"CAP"),
        (State.TRANSACTION, b"\r"),
        (State.TRANSACTION, b"x" * 10_000),
        (State.AUTHENTICATING, b""),
        (State.AUTHENTICATING, b"AHVz"),
    ],
)
def test_but_not_in_the_middle_of_one(state: State, octets: bytes) -> None:
    connection = server(state)
    if octets:
        connection.receive_data(octets)
        assert connection.next_event() is Signal.NEED_DATA
    connection.receive_data(b"")
    with pytest.raises(ConnectionLostError, match=f"in the state '{state.value}'"):
        connection.next_event()
    with pytest.raises(DeadConnectionError):
        connection.next_event()


def test_a_client_that_leaves_before_the_answer_is_seen_behind_it() -> None:
    connection = server()
    asked(connection, Dele(1))
    connection.receive_data(b"")
    assert connection.next_event() is Signal.PAUSED
    connection.send(Ok(Dele(1)))
    assert connection.next_event() == ConnectionClosed()


def test_a_stream_that_ends_in_place_of_tls() -> None:
    connection = server(State.AUTHORIZATION)
    asked(connection, Stls())
    connection.send(Ok(Stls()))
    connection.receive_data(b"")
    with pytest.raises(ConnectionLostError):
        connection.next_event()


def test_what_is_forgiven_comes_before_the_error_behind_it() -> None:
    connection = server()
    connection.receive_data(b"QUIT\nx")
    assert connection.next_event() == Deviation(Fault.BARE_LF)
    assert connection.next_event() == Quit()
    connection.send(Ok(Quit()))
    with pytest.raises(RemoteProtocolError):
        connection.next_event()


def test_an_upload_behind_bare_lf() -> None:
    connection = server()
    connection.receive_data(b"XTND XMIT\na\n.\n")
    assert list(drained(connection)) == [Deviation(Fault.BARE_LF), XMIT]
    connection.send(Ok(XMIT))
    connection.expect_upload()
    assert connection.next_event() == Upload(b"a\n")


@pytest.mark.parametrize("reply", [ErrorReply(XMIT), MessageStart(XMIT), None])
def test_an_upload_follows_ok_alone(reply: Any) -> None:
    connection = server()
    asked(connection, XMIT)
    if reply is not None:
        connection.send(reply)
    with pytest.raises(LocalProtocolError, match="an upload follows"):
        connection.expect_upload()


def test_an_upload_is_expected_once_and_at_once() -> None:
    connection = uploading()
    with pytest.raises(LocalProtocolError):
        connection.expect_upload()
    connection = server()
    for command in (XMIT, Noop()):
        asked(connection, command)
        connection.send(Ok(command))
    with pytest.raises(LocalProtocolError):
        connection.expect_upload()


def test_no_upload_before_the_login() -> None:
    connection = server(State.AUTHORIZATION)
    asked(connection, XMIT)
    connection.send(Ok(XMIT))
    with pytest.raises(LocalProtocolError):
        connection.expect_upload()


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_upload_has_a_limit(size: int) -> None:
    connection = uploading(limits=Limits(upload=20))
    wire = b"x" * 21 + b"\r\n.\r\n"
    with pytest.raises(LimitError) as caught:
        events(connection, *(wire[i : i + size] for i in range(0, len(wire), size)))
    assert (caught.value.limit, caught.value.value) == ("upload", 20)


def test_an_upload_as_long_as_the_limit() -> None:
    connection = uploading(limits=Limits(upload=20))
    assert events(connection, b"x" * 18 + b"\r\n.\r\n") == [Upload(b"x" * 18 + b"\r\n")]


@pytest.mark.parametrize("octets", [b"", b"text", b"text\r\n.\r"])
def test_an_upload_that_is_cut_short_is_none(octets: bytes) -> None:
    connection = uploading()
    if octets:
        assert events(connection, octets) == []
    connection.receive_data(b"")
    with pytest.raises(ConnectionLostError):
        connection.next_event()


def test_an_upload_in_small_chunks_takes_no_more_memory_than_its_octets() -> None:
    connection = uploading()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(20_000):
            connection.receive_data(b"xy")
            assert connection.next_event() is Signal.NEED_DATA
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 2 * 40_000
    assert events(connection, b"\r\n.\r\n") == [Upload(b"xy" * 20_000 + b"\r\n")]
