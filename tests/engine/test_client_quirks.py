"""What real servers do that is no fault, or that no leniency can help; see also test_client.py."""

from typing import Any

import pytest

from pop3proto import (
    Auth,
    AuthCancel,
    AuthResponse,
    Challenge,
    ClientConnection,
    Command,
    ConnectionLostError,
    Dele,
    Deviation,
    ErrorReply,
    Fault,
    Greeting,
    Limits,
    List,
    Listing,
    Listings,
    ListReply,
    MessageData,
    MessageEnd,
    MessageStart,
    Noop,
    Ok,
    Quit,
    RemoteProtocolError,
    Retr,
    Signal,
    Stat,
    State,
    StatReply,
    Top,
    Uidl,
    UidlReply,
    User,
)
from pop3proto.errors import LimitError
from tests.engine.sessions import client, error_of, events

MAX_SIZE = 2**63 - 1


def content(found: list[Any]) -> bytes:
    return b"".join(event.data for event in found if isinstance(event, MessageData))


def faults(found: list[Any]) -> list[Fault]:
    return [event.fault for event in found if isinstance(event, Deviation)]


def octet_by_octet(wire: bytes) -> list[bytes]:
    return [wire[i : i + 1] for i in range(len(wire))]


@pytest.mark.parametrize(
    "mail", [b"a\n.\nb", b"\n.\n", b"a\n.\n+OK\nb", b"a\r.\r", b"x\n.\r.", b".\n"]
)
def test_mail_cannot_end_a_body_behind_crlf(mail: bytes) -> None:
    stuffed = b"." + mail if mail.startswith(b".") else mail
    wire = b"+OK\r\n" + stuffed + b"\r\n.\r\n"
    for chunks in ([wire], octet_by_octet(wire)):
        found = events(client(Retr(1)), *chunks)
        assert content(found) == mail + b"\r\n"
        assert isinstance(found[-1], MessageEnd)


@pytest.mark.parametrize("end", [b".\n", b".\r\n"])
def test_a_server_of_bare_lf_is_understood(end: bytes) -> None:
    for size in (1, 1000):
        wire = b"+OK\na\n..b\r\n" + end + b"+OK 1 2\n"
        chunks = [wire[i : i + size] for i in range(0, len(wire), size)]
        found = events(client(Retr(1), Stat()), *chunks)
        assert content(found) == b"a\n.b\r\n"
        assert found[-1] == StatReply(Stat(), 1, 2)
        assert faults(found) == [Fault.BARE_LF] * 2


def test_the_newline_form_is_that_of_each_status_line() -> None:
    connection = client(List(), Retr(1))
    found = events(connection, b"+OK\n1 1\n.\n+OK\r\na\n.\nb\r\n.\r\n")
    assert found[1] == ListReply(List(), Listings([(1, 1)]))
    assert content(found) == b"a\n.\nb\r\n"


def test_no_newline_before_the_final_dot_stays_in_frame() -> None:
    connection = client(Retr(1))
    assert content(events(connection, b"+OK\r\ntext.\r\n")) == b"text."
    error = error_of(connection, b"")
    assert isinstance(error, ConnectionLostError)
    assert error.octets_received == len("text.")


def test_dots_that_are_not_doubled_never_become_a_reply() -> None:
    connection = client(Retr(1), Dele(1))
    connection.receive_data(b"+OK\r\na\r\n.\r\n+OK deleted\r\n.\r\n")
    assert [type(connection.next_event()) for _ in range(3)][-1] is MessageEnd
    # Here the mail itself answers a command: only what follows gives the server away.
    assert connection.next_event() == Ok(Dele(1), "deleted")
    with pytest.raises(RemoteProtocolError):
        connection.next_event()


def test_stuffing_is_undone_where_two_dots_stand_and_nowhere_else() -> None:
    found = events(client(Retr(1)), b"+OK\r\n.x\r\n..y\r\n...\r\n. \r\n.\r\n")
    assert content(found) == b".x\r\n.y\r\n..\r\n. \r\n"
    assert found[-2] == Deviation(Fault.UNSTUFFED_DOT, Retr(1), b"", 2)


def test_blank_lines_before_a_status_line_are_bounded_like_the_line() -> None:
    connection = client(Noop(), Noop(), Retr(1), Noop(), limits=Limits(status_line=600))
    blank = b"\r\n" * 300
    answers = b"+OK\r\n", b"-ERR\r\n", b"+OK\r\nmail\r\n.\r\n", b"+OK text\r\n"
    for answer in answers:
        assert faults(events(connection, blank + answer)) == [Fault.BLANK_LINE] * 300
    assert faults(events(connection, blank)) == [Fault.BLANK_LINE] * 300
    for excess in (b"\r\n", b"\n"):
        connection = client(Noop(), limits=Limits(status_line=600))
        events(connection, blank)
        error = error_of(connection, excess)
        assert isinstance(error, LimitError)
        assert (error.limit, error.value) == ("status_line", 600)
        assert "blank lines" in str(error)


def test_blank_lines_between_replies() -> None:
    found = events(client(Dele(1), Noop()), b"\r\n+OK\r\n\r\n\n+OK\r\n\r\n")
    assert [event for event in found if isinstance(event, Ok)] == [Ok(Dele(1)), Ok(Noop())]
    assert faults(found) == [Fault.BLANK_LINE] * 4


@pytest.mark.parametrize(
    "octets", [b"a\rb", b"\r\r", b"a\0b", bytes(range(0x80, 0x100)), b"x" * 200_000]
)
def test_bodies_hold_anything(octets: bytes) -> None:
    found = events(client(Retr(1)), b"+OK\r\n" + octets, b"\r\n.\r\n")
    assert content(found) == octets + b"\r\n"
    assert faults(found) == []


def test_a_command_is_one_piece() -> None:
    assert client(state=State.AUTHORIZATION).send(User("user")) == b"USER user\r\n"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"+OK", Ok(Noop())),
        (b"+OK ", Ok(Noop())),
        (b"+OK  \t ", Ok(Noop())),
        (b"+OK text \t", Ok(Noop(), "text")),
        (b"+ok", Ok(Noop())),
        (b"+Ok text", Ok(Noop(), "text")),
        (b"+OK\ttext", Ok(Noop(), "text")),
        (b"+OK, text", Ok(Noop(), ", text")),
        (b"-ERR", ErrorReply(Noop())),
        (b"-ERR ", ErrorReply(Noop())),
        (b"-err text", ErrorReply(Noop(), "text")),
        (b"-ERR: text", ErrorReply(Noop(), ": text")),
        (b"-ERR mailbox is locked, wait", ErrorReply(Noop(), "mailbox is locked, wait")),
    ],
)
def test_status_lines(line: bytes, answer: Any) -> None:
    found = events(client(Noop()), line + b"\r\n")
    assert found[-1] == answer
    indicator = line[:4] if line[:1] == b"-" else line[:3]
    assert faults(found) == [Fault.STATUS_INDICATOR_CASE] * (indicator != indicator.upper())


@pytest.mark.parametrize(
    "line", [b"+ERR no", b"+OKAY", b"-ERROR", b"-OK", b"*", b"HELO", b"OK", b" +OK", b"."]
)
def test_lines_that_are_neither(line: bytes) -> None:
    connection = client(Noop())
    error = error_of(connection, line + b"\r\n")
    assert line.decode() in str(error)
    assert error.command == Noop()


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("text", [b"", b" ", b" welcome!", b" not base64"])
def test_auth_ends_with_any_ok(complete: bool, text: bytes) -> None:
    auth = Auth("X", b"x", complete=complete)
    connection = client(auth, state=State.AUTHORIZATION)
    assert events(connection, b"+OK" + text + b"\r\n") == [Ok(auth, text.decode().strip())]
    assert connection.state is State.TRANSACTION


def test_ok_in_place_of_a_plus() -> None:
    auth = Auth("NTLM", complete=False)
    connection = client(auth, state=State.AUTHORIZATION)
    assert events(connection, b"+OK Z28=\r\n")[1:] == [Challenge(auth, b"go")]
    connection.send(AuthResponse(b"one", complete=False))
    assert events(connection, b"+OK Z28=\r\n")[1:] == [Challenge(auth, b"go")]
    connection.send(AuthResponse(b"two"))
    assert events(connection, b"+OK Z28=\r\n") == [Ok(auth, "Z28=")]


@pytest.mark.parametrize(
    ("line", "data", "text"),
    [
        (b"+", b"", ""),
        (b"+ ", b"", ""),
        (b"+ VXNlcm5hbWU6", b"Username:", ""),
        (b"+ Go on", b"", "Go on"),
        (b"+ =", b"", "="),
    ],
)
def test_challenges(line: bytes, data: bytes, text: str) -> None:
    connection = client(Auth("PLAIN"), state=State.AUTHORIZATION)
    found = events(connection, line + b"\r\n")
    assert found[-1] == Challenge(Auth("PLAIN"), data, text)
    assert faults(found) == ([Fault.UNDECODABLE_CHALLENGE] if text else [])
    # LOGIN's prompt in answer to PLAIN, or words: it can be cancelled.
    assert connection.send(AuthCancel()) == b"*\r\n"
    assert events(connection, b"-ERR\r\n") == [ErrorReply(Auth("PLAIN"))]


@pytest.mark.parametrize(
    ("text", "timestamp", "deviates"),
    [
        ("ready", None, False),
        ("ready <1.2@example.org>", "<1.2@example.org>", False),
        ("<1@a> ready <2@b> now", "<2@b>", False),
        ("<2@b> <malformed>", "<2@b>", False),
        ("<>", None, True),
        ("<no-at>", None, True),
        ("<a b@example.org>", None, True),
        ("<a@b@c>", None, True),
        ("<ä@example.org>", None, True),
        ("> <", None, True),
        ("a < b", None, False),
    ],
)
def test_timestamps(text: str, timestamp: str | None, deviates: bool) -> None:
    connection = ClientConnection()
    found = events(connection, f"+OK {text}\r\n".encode())
    assert found[-1] == Greeting(text)
    assert connection.timestamp == timestamp
    assert faults(found) == [Fault.MALFORMED_TIMESTAMP] * deviates


@pytest.mark.parametrize(
    ("rows", "expected", "deviations"),
    [
        (b"1 120\r\n", [(1, 120)], []),
        (b"1 120 and more\r\n", [(1, 120)], []),
        (b"  1   120\r\n", [(1, 120)], [Fault.LISTING_SPACING]),
        (b"7 1\r\n3 1\r\n7 2\r\n", [(7, 1), (3, 1), (7, 2)], []),
        (b"1\r\n2 -1\r\n3 x\r\n", [(1, None), (2, None), (3, None)], [Fault.UNUSABLE_SIZE]),
        (b"1 " + b"9" * 5000 + b"\r\n", [(1, None)], [Fault.UNUSABLE_SIZE]),
        (b"1 %d\r\n" % MAX_SIZE, [(1, MAX_SIZE)], []),
        (b"1 %d\r\n" % (MAX_SIZE + 1), [(1, None)], [Fault.UNUSABLE_SIZE]),
        (b"2147483647 0\r\n", [(2**31 - 1, 0)], []),
    ],
)
def test_scan_listings(rows: bytes, expected: list[tuple[int, int]], deviations: Any) -> None:
    found = events(client(List()), b"+OK 99 messages\r\n" + rows + b".\r\n")
    assert found[-1] == ListReply(List(), Listings(expected), "99 messages")
    assert faults(found) == deviations


@pytest.mark.parametrize("number", [b"0", b"-1", b"2147483648", b"1_0", b"+1", b"x", b"\xd9\xa1"])
@pytest.mark.parametrize("command", [List(), Uidl(), List(1)])
def test_message_numbers_that_are_none(number: bytes, command: Command[Any]) -> None:
    start, end = (b"+OK ", b"\r\n") if command == List(1) else (b"+OK\r\n", b"\r\n.\r\n")
    error = error_of(client(command), start + number + b" 1" + end)
    assert type(error) is RemoteProtocolError


@pytest.mark.parametrize(
    ("rows", "expected", "deviations"),
    [
        (b"1 a\r\n2\r\n3 \r\n", [(1, b"a"), (2, None), (3, None)], [Fault.MISSING_UNIQUE_ID]),
        (b"1 a\r\n2 a\r\n", [(1, b"a"), (2, b"a")], [Fault.DUPLICATE_UNIQUE_ID]),
        (b"1  a b \r\n", [(1, b"a b ")], [Fault.LISTING_SPACING, Fault.MALFORMED_UNIQUE_ID]),
        (b"1 \xff\r\n", [(1, b"\xff")], [Fault.MALFORMED_UNIQUE_ID]),
        (b"1 " + b"x" * 70 + b"\r\n", [(1, b"x" * 70)], []),
        (b"1 " + b"x" * 71 + b"\r\n", [(1, b"x" * 71)], [Fault.MALFORMED_UNIQUE_ID]),
    ],
)
def test_unique_id_listings(rows: bytes, expected: Any, deviations: Any) -> None:
    found = events(client(Uidl()), b"+OK\r\n" + rows + b".\r\n")
    assert found[-1] == UidlReply(Uidl(), Listings((number, None, uid) for number, uid in expected))
    assert faults(found) == deviations


def test_a_size_is_no_promise() -> None:
    connection = client(List(1), Retr(1))
    found = events(connection, b"+OK 1 2\r\n+OK 2 octets\r\nmuch more\r\n.\r\n")
    assert found[0] == ListReply(List(1), Listings([Listing(1, 2)]))
    assert content(found) == b"much more\r\n"


def test_counts_that_lie_allocate_nothing() -> None:
    answer = StatReply(Stat(), 2**60, 2**60)
    assert events(client(Stat()), b"+OK %d %d\r\n" % (2**60, 2**60)) == [answer]


def test_one_message_that_fails() -> None:
    connection = client(Retr(1), Top(2, 0), Noop())
    found = events(connection, b"-ERR virus\r\n+OK\r\n.\r\n+OK\r\n")
    assert found == [
        ErrorReply(Retr(1), "virus"),
        MessageStart(Top(2, 0)),
        MessageEnd(Top(2, 0)),
        Ok(Noop()),
    ]
    assert connection.next_event() is Signal.NEED_DATA


@pytest.mark.parametrize(
    ("asked", "fate"),
    [
        ([], "and are kept: 2"),
        ([Noop()], "and are kept: 2"),
        # The server deletes before it answers.
        ([Quit()], "and may be gone: 2"),
        ([Noop(), Quit()], "and may be gone: 2"),
    ],
)
def test_a_stream_that_ends_tells_what_became_of_the_deletions(asked: Any, fate: str) -> None:
    connection = client(Dele(1), Dele(2))
    events(connection, b"+OK\r\n+OK\r\n")
    for command in asked:
        connection.send(command)
    error = error_of(connection, b"")
    assert error.pending_deletions == 2
    assert f"marked as deleted, {fate}" in str(error)


def test_a_challenge_that_is_not_base64_is_reported() -> None:
    auth = Auth("CRAM-MD5")
    for line, found in [
        (b"+ \r\n", [Challenge(auth)]),
        (b"+ AHRlc3Q=\r\n", [Challenge(auth, b"\0test")]),
        (
            b"+ Go on \xff\r\n",
            [
                Deviation(Fault.UNDECODABLE_CHALLENGE, auth, b"Go on \xff"),
                Challenge(auth, b"", "Go on \udcff"),
            ],
        ),
    ]:
        assert events(client(auth, state=State.AUTHORIZATION), line) == found
