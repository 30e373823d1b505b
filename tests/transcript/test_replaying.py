from collections.abc import Iterator
from typing import Any

import pytest

from pop3proto import (
    Apop,
    Auth,
    AuthCancel,
    AuthResponse,
    Capa,
    CapaReply,
    Challenge,
    ClientEvent,
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
    MessageData,
    MessageEnd,
    MessageStart,
    Noop,
    Ok,
    Pass,
    Quit,
    RemoteProtocolError,
    Retr,
    ServerEvent,
    Stat,
    State,
    StatReply,
    Stls,
    Uidl,
    Upload,
    User,
    Utf8,
)
from pop3proto.errors import LimitError, LocalProtocolError, StlsInjectionError, TranscriptError
from pop3proto.transcript import RecordedLine, Replay, Transcript, replay

CHUNK_SIZES = (None, 1, 2, 7)


def transcript(*lines: str) -> Transcript:
    """``C`` and ``S`` lines without their ends, and marks."""
    text = [line if line.startswith("--") else f"{line[0]}:{line[1:]}\\r\\n" for line in lines]
    return Transcript.loads("\n".join(["pop3proto transcript 1", *text]))


def client_events(*lines: str, multiline: tuple[str, ...] = ()) -> list[ClientEvent]:
    session = transcript(*lines)
    results = [
        list(replay(session, "client", chunk_size=size, multiline=multiline))
        for size in CHUNK_SIZES
    ]
    assert results == results[:1] * len(results)
    return results[0]


def server_events(*lines: str, multiline: tuple[str, ...] = ()) -> list[ServerEvent]:
    session = transcript(*lines)
    results = [
        list(replay(session, "server", chunk_size=size, multiline=multiline))
        for size in CHUNK_SIZES
    ]
    assert results == results[:1] * len(results)
    return results[0]


def answered(*lines: str) -> list[Command[Any] | None]:
    """What the replies of a client's replay are to, the greeting left out."""
    events = client_events(*lines)[1:]
    return [
        e.command for e in events if not isinstance(e, Greeting | MessageData | ConnectionClosed)
    ]


LOGIN = ("S +OK", "C USER user", "S +OK", "C PASS <redacted>", "S +OK")
USER, PASS = User("user"), Pass("<redacted>")


def test_a_session_as_the_client_saw_it() -> None:
    session = (*LOGIN, "C RETR 1", "S +OK", "S Subject: x", "S ", "S ..", "S .", "C QUIT", "S +OK")
    assert client_events(*session, "-- end of stream from server") == [
        Greeting(),
        Ok(USER),
        Ok(PASS),
        MessageStart(Retr(1)),
        MessageData(b"Subject: x\r\n\r\n.\r\n"),
        MessageEnd(Retr(1)),
        Ok(Quit()),
        ConnectionClosed(),
    ]


def test_a_session_as_the_server_saw_it() -> None:
    session = (
        *LOGIN,
        "C RETR 1",
        "S +OK",
        "S Subject: x",
        "S .",
        "C LIST",
        "S +OK",
        "S 1 9",
        "S .",
    )
    assert server_events(*session, "C QUIT", "S +OK", "-- end of stream from client") == [
        USER,
        PASS,
        Retr(1),
        List(),
        Quit(),
        ConnectionClosed(),
    ]


def test_pipelining() -> None:
    session = (
        "S +OK",
        "C USER user",
        "C PASS <redacted>",
        "C STAT",
        "S +OK",
        "S +OK",
        "S +OK 1 2",
    )
    assert client_events(*session)[1:] == [Ok(USER), Ok(PASS), StatReply(Stat(), 1, 2)]
    assert server_events(*session) == [USER, PASS, Stat()]


@pytest.mark.parametrize("refusal", ["S -ERR", "S -ERR [AUTH] no"])
def test_pipelining_behind_a_login_that_fails(refusal: str) -> None:
    session = ("S +OK", "C USER user", "C PASS <redacted>", "C STAT", "S +OK", refusal, "S -ERR")
    assert answered(*session) == [USER, PASS, Stat()]
    assert server_events(*session) == [USER, PASS, Stat()]


def test_a_lone_refusal() -> None:
    session = ("S -ERR no", "-- end of stream from server", "-- end of stream from client")
    assert client_events(*session) == [ErrorReply(None, "no"), ConnectionClosed()]
    assert server_events(*session) == [ConnectionClosed()]


def test_stls() -> None:
    session = ("S +OK", "C STLS", "S +OK", "-- TLS established", *LOGIN[1:])
    assert answered(*session) == [Stls(), USER, PASS]
    assert server_events(*session) == [Stls(), USER, PASS]


def test_tls_from_the_start() -> None:
    session = ("-- TLS established", "S +OK", "C STLS", "S -ERR", *LOGIN[1:])
    assert answered(*session) == [Stls(), USER, PASS]
    assert server_events(*session) == [Stls(), USER, PASS]


def test_stls_after_utf8() -> None:
    session = ("S +OK", "C UTF8", "S +OK", "C STLS", "S -ERR", *LOGIN[1:])
    assert answered(*session) == [Utf8(), Stls(), USER, PASS]


def test_tls_out_of_the_blue() -> None:
    for events in both(transcript("S +OK", "-- TLS established")):
        with pytest.raises(TranscriptError, match="entry 2: STLS was not accepted before"):
            list(events)


def both(
    session: Transcript,
) -> Iterator[Replay[ClientEvent] | Replay[ServerEvent]]:
    yield replay(session, "client")
    yield replay(session, "server")


@pytest.mark.parametrize("size", CHUNK_SIZES)
def test_injection_behind_stls_in_either_direction(size: int | None) -> None:
    injected = transcript("S +OK", "C STLS", "S +OK", "S +OK", "-- TLS established")
    events = replay(injected, "client", chunk_size=size)
    assert next(events) == Greeting()
    if size == 1:
        # The answer was returned before there was anything behind it.
        assert next(events) == Ok(Stls())
    with pytest.raises(StlsInjectionError):
        next(events)
    session = transcript("S +OK", "C STLS", "C CAPA", "S +OK", "-- TLS established")
    with pytest.raises(StlsInjectionError):
        list(replay(session, "server", chunk_size=size))
    with pytest.raises(TranscriptError, match="entry 3: nothing may be sent after"):
        list(replay(session, "client", chunk_size=size))


def test_auth_exchanges() -> None:
    auth, hidden = Auth("LOGIN"), AuthResponse(b"<redacted>")
    line = "C PHJlZGFjdGVkPg=="
    session = (
        "S +OK",
        "C AUTH LOGIN",
        "S + VXNlcg==",
        line,
        "S + ",
        line,
        "S +OK",
        "C STAT",
        "S -ERR",
    )
    assert client_events(*session)[1:] == [
        Challenge(auth, b"User"),
        Challenge(auth),
        Ok(auth),
        ErrorReply(Stat()),
    ]
    assert server_events(*session) == [auth, hidden, hidden, Stat()]


def test_auth_with_an_initial_response() -> None:
    session = ("S +OK", "C AUTH PLAIN PHJlZGFjdGVkPg==", "S +OK", "C STAT", "S +OK 0 0")
    auth = Auth("PLAIN", b"<redacted>")
    assert answered(*session) == [auth, Stat()]
    assert server_events(*session) == [auth, Stat()]


def test_a_long_initial_response() -> None:
    session = ("S +OK", f"C AUTH XOAUTH2 {'AAAA' * 5000}", "S +OK", "C STAT", "S +OK 0 0")
    assert answered(*session) == [Auth("XOAUTH2"), Stat()]
    assert server_events(*session) == [Auth("XOAUTH2", bytes(15000)), Stat()]


def test_a_cancelled_exchange() -> None:
    session = ("S +OK", "C AUTH LOGIN", "S + ", "C *", "S -ERR", *LOGIN[1:])
    assert answered(*session) == [Auth("LOGIN"), Auth("LOGIN"), USER, PASS]
    assert server_events(*session) == [Auth("LOGIN"), AuthCancel(), USER, PASS]


def test_challenges_introduced_by_ok() -> None:
    auth, ok = Auth("NTLM"), "S +OK PHJlZGFjdGVkPg=="
    session = ("S +OK", "C AUTH NTLM", ok, "C PHJlZGFjdGVkPg==", ok, "C *", "S -ERR")
    events = client_events(*session)[1:]
    assert [e for e in events if not isinstance(e, Deviation)] == [
        Challenge(auth, b"<redacted>"),
        Challenge(auth, b"<redacted>"),
        ErrorReply(auth),
    ]
    assert server_events(*session) == [auth, AuthResponse(b"<redacted>"), AuthCancel()]
    ended = ("S +OK", "C AUTH NTLM", "S +OK done", "C STAT", "S +OK 0 0")
    assert client_events(*ended)[1:] == [Ok(auth, "done"), StatReply(Stat(), 0, 0)]


def test_secrets_taken_out_by_hand() -> None:
    session = ("S +OK", "C AUTH PLAIN ***", "S + ", "C ***", "S +OK", "C STAT", "S +OK 0 0")
    auth = Auth("PLAIN", b"***")
    assert answered(*session) == [auth, auth, Stat()]
    events = server_events(*session)
    assert [type(e) for e in events] == [InvalidCommand, InvalidCommand, Stat]


def test_apop() -> None:
    session = ("S +OK <1@example.org>", f"C APOP user {'0' * 32}", "S +OK")
    assert answered(*session) == [Apop("user", "0" * 32)]
    assert server_events(*session) == [Apop("user", "0" * 32)]


def test_commands_in_the_wrong_state_and_no_commands() -> None:
    session = (
        *("S +OK", "C STAT", "S -ERR", "C NOOP", "S +OK", "C STAT extra", "S -ERR", *LOGIN[1:]),
        *("C USER user", "S -ERR", "C CAPA extra", "S +OK", "S TOP", "S .", "C TOP 1", "S -ERR"),
        *("C STAT extra", "S +OK 0 0", "C ", "S -ERR", "C DELE 1", "S +OK"),
    )
    odd = [RecordedLine(line) for line in (b"CAPA extra", b"TOP 1", b"STAT extra", b"")]
    expected = [Stat(), Noop(), odd[2], USER, PASS, USER, *odd, Dele(1)]
    assert answered(*session) == expected
    assert len(server_events(*session)) == len(expected)
    assert CapaReply in map(type, client_events(*session))


def test_a_client_that_talks_before_the_greeting() -> None:
    session = ("C CAPA", "S +OK", "S +OK", "S TOP", "S .", *LOGIN[1:])
    assert answered(*session) == [Capa(), USER, PASS]
    assert server_events(*session) == [Capa(), USER, PASS]
    refused = ("C CAPA", "S -ERR no", "-- end of stream from server")
    with pytest.raises(TranscriptError, match="not possible in the state 'closed'"):
        client_events(*refused)


def test_any_number_of_lines_before_a_greeting_that_was_not_waited_for() -> None:
    session = transcript("C CAPA", *["S "] * 3000, "S +OK", "S -ERR no")
    *blank, greeting, refusal = replay(session, "client")
    assert blank == [Deviation(Fault.BLANK_LINE, None)] * 3000
    assert [greeting, refusal] == [Greeting(), ErrorReply(Capa(), "no")]


def test_extensions() -> None:
    session = (
        *LOGIN,
        "C XTND XLST Subject",
        "S +OK",
        "S 1 x",
        "S .",
        "C XFOO",
        "S +OK",
        "C STAT",
        "S +OK 0 0",
    )
    names = ("XTND XLST",)
    events = client_events(*session, multiline=names)[3:]
    assert [type(e) for e in events] == [MessageStart, MessageData, MessageEnd, Ok, StatReply]
    assert len(server_events(*session, multiline=names)) == 5
    with pytest.raises(RemoteProtocolError, match="answers no command"):
        list(replay(transcript(*session), "client"))
    with pytest.raises(TranscriptError, match="entry 8: a line that answers no command: 1 x"):
        list(replay(transcript(*session), "server"))


def test_uploads() -> None:
    session = (
        *LOGIN,
        "C XTND XMIT",
        "S +OK",
        "C Subject: x",
        "C ..",
        "C .",
        "S +OK",
        "C STAT",
        "S +OK 0 0",
    )
    upload = Upload(b"Subject: x\r\n.\r\n")
    assert answered(*session)[3:] == [upload, Stat()]
    assert server_events(*session)[3:] == [upload, Stat()]
    refused = (*LOGIN, "C XTND XMIT", "S -ERR", "C STAT", "S +OK 0 0")
    assert answered(*refused)[3:] == [Stat()]


def test_deviations() -> None:
    events = client_events("S +OK", "C USER user", "S ", "S +ok", "C CAPA", "S +OK", "S .")
    assert [e.fault for e in events if isinstance(e, Deviation)] == [
        Fault.BLANK_LINE,
        Fault.STATUS_INDICATOR_CASE,
    ]
    assert server_events("S +OK", "C USER user", "S ", "S +ok", "C CAPA", "S +OK", "S .") == [
        USER,
        Capa(),
    ]
    seen = server_events("S +OK", "C USER \\xfc", "S +OK")
    assert [type(e) for e in seen] == [Deviation, User]


def test_replies_that_could_not_be_sent() -> None:
    session = (
        *LOGIN,
        "C UIDL",
        "S +OK",
        "S 1",
        "S .",
        "C LIST 1",
        "S +OK 1 -5",
        "C NOOP",
        f"S +OK {'x' * 600}",
    )
    assert len(server_events(*session)) == 5


def test_limits_and_leniency_are_the_caller_s() -> None:
    session = transcript("S +OK", "C CAPA", f"S +OK {'x' * 600}", "S .")
    assert len(list(replay(session, "client"))) == 2
    with pytest.raises(LimitError):
        list(replay(session, "client", limits=Limits(status_line=512)))
    session = Transcript.loads("pop3proto transcript 1\nS: +OK\\n")
    with pytest.raises(RemoteProtocolError):
        list(replay(session, "client", leniency=Leniency().refusing(Fault.BARE_LF)))
    long = transcript("S +OK", f"C PASS {'x' * 3000}", "S -ERR")
    assert list(replay(long, "server")) == [Pass("x" * 3000)]
    assert list(replay(long, "server", limits=Limits())) == [
        InvalidCommand(b"", "the line is too long")
    ]


@pytest.mark.parametrize("size", CHUNK_SIZES)
def test_what_came_before_an_error_is_returned(size: int | None) -> None:
    session = transcript(*LOGIN, "C RETR 1", "S +OK", "S abc", "-- end of stream from server")
    events = replay(session, "client", chunk_size=size)
    states = [events.state]
    seen = [next(events) for _ in range(5)]
    assert seen[-1] == MessageData(b"abc")
    with pytest.raises(ConnectionLostError):
        next(events)
    states.append(events.state)
    assert states == [State.GREETING, State.DEAD]


def test_a_transcript_can_end_anywhere() -> None:
    assert client_events(*LOGIN, "C RETR 1", "S +OK", "S abc")[-1] == MessageData(b"abc")
    assert client_events() == server_events() == []
    cut = Transcript.loads("pop3proto transcript 1\nS: +OK\\r\\n\nC: USER al")
    assert list(replay(cut, "client")) == [Greeting()]
    events = replay(cut, "server")
    assert list(events) == []
    assert events.state is State.AUTHORIZATION


def test_a_conversation_that_does_not_fit() -> None:
    unasked = transcript("S +OK", "S +OK 2 320")
    with pytest.raises(TranscriptError, match="entry 2: a line that answers no command"):
        list(replay(unasked, "server"))
    behind = transcript("S -ERR", "-- end of stream from server", "S +OK")
    with pytest.raises(TranscriptError, match="entry 3: data was received after the end"):
        list(replay(behind, "client"))
    late = transcript(*LOGIN, "C QUIT", "S +OK", "C STAT")
    with pytest.raises(TranscriptError, match="entry 8: not possible in the state 'update'"):
        list(replay(late, "client"))
    hasty = transcript("S +OK", "C AUTH LOGIN", "C YQ==", "S + ")
    with pytest.raises(TranscriptError, match="entry 3: nothing may be sent after"):
        list(replay(hasty, "client"))


def test_uidl_is_replayed() -> None:
    assert answered(*LOGIN, "C UIDL", "S +OK", "S 1 a", "S .")[2:] == [Uidl()]


def test_a_chunk_has_an_octet_at_least() -> None:
    with pytest.raises(LocalProtocolError, match="chunk_size is at least 1, not 0"):
        replay(Transcript(), "client", chunk_size=0)


def test_arguments_of_another_type() -> None:
    wrong: Any = [5]
    with pytest.raises(LocalProtocolError, match="transcript is a Transcript, not list"):
        replay(wrong, "client")
    wrong = "klient"
    with pytest.raises(LocalProtocolError, match="role is 'client' or 'server', not 'klient'"):
        replay(Transcript(), wrong)
    wrong = "3"
    with pytest.raises(LocalProtocolError, match="chunk_size is an int, not str"):
        replay(Transcript(), "client", chunk_size=wrong)


ENDED = (*LOGIN, "C QUIT", "S +OK")


@pytest.mark.parametrize(
    "more",
    [
        ("S +OK more", "S -ERR and more"),
        ("S +OK more", "-- end of stream from server"),
        ("-- end of stream from server", "S more"),
    ],
)
def test_a_client_reads_nothing_after_the_answer_to_quit(more: tuple[str, ...]) -> None:
    closed = any(line.startswith("--") for line in more)
    assert client_events(*ENDED, *more) == [
        Greeting(),
        Ok(USER),
        Ok(PASS),
        Ok(Quit()),
        *[ConnectionClosed()] * closed,
    ]


def test_a_client_whose_quit_was_refused_has_ended_too() -> None:
    events = client_events(*LOGIN, "C QUIT", "S -ERR", "S +OK more")
    assert events[-1] == ErrorReply(Quit())


def test_a_client_that_quits_before_the_greeting() -> None:
    assert client_events("C QUIT", "S +OK", "S +OK", "S more") == [Greeting(), Ok(Quit())]


@pytest.mark.parametrize(
    "more", [("C STAT",), ("C QUIT", "C QUIT"), ("-- end of stream from client",)]
)
def test_a_server_reads_nothing_after_quit(more: tuple[str, ...]) -> None:
    closed = any(line.startswith("--") for line in more)
    expected = [USER, PASS, Quit(), *[ConnectionClosed()] * closed]
    assert server_events(*ENDED, *more) == expected


def test_a_server_reads_nothing_that_was_sent_ahead_of_the_answer_to_quit() -> None:
    assert server_events(*LOGIN, "C QUIT", "C STAT", "S +OK") == [USER, PASS, Quit()]
