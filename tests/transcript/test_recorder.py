import io
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import (
    Apop,
    Auth,
    AuthResponse,
    Capa,
    Capabilities,
    CapaReply,
    Challenge,
    ClientConnection,
    ClientEvent,
    Command,
    ConnectionClosed,
    Dele,
    ErrorReply,
    Greeting,
    List,
    Listings,
    ListReply,
    MessageData,
    MessageEnd,
    MessageStart,
    Ok,
    Pass,
    Quit,
    Retr,
    ServerConnection,
    ServerEvent,
    ServerReply,
    Signal,
    Stat,
    StatReply,
    Stls,
    User,
)
from pop3proto.errors import LocalProtocolError, TranscriptError
from pop3proto.transcript import (
    REDACTED,
    EndOfStream,
    Entry,
    Line,
    Recorder,
    Role,
    TlsEstablished,
    Transcript,
    replay,
)
from tests.property.effort import effort

TITLE = "pop3proto transcript 1\n"
ROLES: tuple[Role, Role] = ("client", "server")
ENTRIES: st.SearchStrategy[Entry] = st.one_of(
    st.builds(Line, st.sampled_from(ROLES), st.binary()),
    st.just(TlsEstablished()),
    st.builds(EndOfStream, st.sampled_from(ROLES)),
)


def test_a_transcript_is_a_sequence_of_lines() -> None:
    entries: list[Entry] = [
        Line("server", b"+OK\r\n+OK"),
        Line("server", b""),
        Line("server", b" hi\r\n"),
        TlsEstablished(),
        TlsEstablished(),
        Line("client", b"a\rb"),
        EndOfStream("client"),
    ]
    transcript = Transcript(entries)
    assert list(transcript) == [
        Line("server", b"+OK\r\n"),
        Line("server", b"+OK hi\r\n"),
        TlsEstablished(),
        TlsEstablished(),
        Line("client", b"a\rb"),
        EndOfStream("client"),
    ]
    assert len(transcript) == 6
    assert transcript[-1] == EndOfStream("client")
    assert transcript[2:4] == (TlsEstablished(), TlsEstablished())
    assert transcript.sent_by("server") == b"+OK\r\n+OK hi\r\n"
    assert transcript.sent_by("client") == b"a\rb"
    assert repr(transcript) == "<Transcript: 6 entries>"


def test_equal_transcripts() -> None:
    one = Transcript([Line("client", b"STAT\r\n")])
    other = Transcript([Line("client", b"ST"), Line("client", b"AT\r\n")])
    assert one == other
    assert hash(one) == hash(other)
    assert one != Transcript()
    assert one != "STAT"


def test_the_text_form() -> None:
    transcript = Transcript(
        [
            Line("server", b"+OK caf\xc3\xa9\t\\\x1b\r\n"),
            Line("client", b"USER user \n"),
            TlsEstablished(),
            Line("server", b"+ "),
            EndOfStream("client"),
            EndOfStream("server"),
        ]
    )
    text = (
        "pop3proto transcript 1\n"
        "S: +OK caf\\xc3\\xa9\\t\\\\\\x1b\\r\\n\n"
        "C: USER user \\n\n"
        "-- TLS established\n"
        "S: +\\x20\n"
        "-- end of stream from client\n"
        "-- end of stream from server\n"
    )
    assert transcript.dumps() == text
    assert Transcript.loads(text) == transcript


@effort(100)
@given(st.lists(ENTRIES))
def test_the_text_form_is_lossless(entries: list[Entry]) -> None:
    transcript = Transcript(entries)
    text = transcript.dumps()
    assert text.isascii()
    assert Transcript.loads(text) == transcript
    assert len(text.splitlines()) == 1 + len(transcript)
    file = io.StringIO()
    transcript.save(file)
    assert file.getvalue() == text
    file.seek(0)
    assert Transcript.load(file) == transcript


def test_comments_empty_lines_and_other_line_ends() -> None:
    text = f"{TITLE}# é\n\n#\nC: STAT\\R\\n\n".replace("\\R", "\\r").replace("\n", "\r\n")
    assert Transcript.loads(text) == Transcript([Line("client", b"STAT\r\n")])
    # Several lines on one, as somebody may write them by hand.
    assert len(Transcript.loads(f"{TITLE}C: STAT\\r\\nQUIT\\x0D\\x0a")) == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: a transcript begins with 'pop3proto transcript'"),
        ("S: +OK", "line 1: a transcript begins with"),
        ("pop3proto transcript 2\n", "line 1: version 2 of the format is unknown"),
        ("pop3proto transcript \x1b\n", r"line 1: version \\x1b of the format"),
        (f"{TITLE}X: a", "line 2: neither octets"),
        (f"{TITLE}\n-- lunch", "line 3: neither octets"),
        (f"{TITLE}C:a", "line 2: neither octets"),
        (f"{TITLE}C: ", "line 2: malformed escape"),
        (f"{TITLE}C: \\q", "line 2: malformed escape"),
        (f"{TITLE}C: a\\x1", "line 2: malformed escape"),
        (f"{TITLE}C: a\\", "line 2: malformed escape"),
        (f"{TITLE}C: é", "line 2: malformed escape"),
        (f"{TITLE}C: a\tb", "line 2: malformed escape"),
    ],
)
def test_malformed_text_is_refused_with_the_line(text: str, problem: str) -> None:
    with pytest.raises(TranscriptError, match=problem):
        Transcript.loads(text)


def test_a_file_with_nothing_in_it() -> None:
    with pytest.raises(TranscriptError, match="line 1"):
        Transcript.load(io.StringIO())


def test_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "session.txt"
    path.write_bytes(TITLE.encode() + b"# \xff\n")
    with path.open(encoding="utf-8") as file, pytest.raises(TranscriptError, match="not UTF-8"):
        Transcript.load(file)


def test_a_recorder_writes_down_what_passes() -> None:
    recorder = Recorder()
    recorder.tls_established()
    recorder.received(bytearray(b"+OK\r"))
    recorder.received(memoryview(b"\n"))
    recorder.sent(b"")
    recorder.sent(b"PASS sec")
    assert recorder.transcript == Transcript([TlsEstablished(), Line("server", b"+OK\r\n")])
    recorder.sent(b"ret\r\nQUIT\r\n")
    recorder.received(b"")
    recorder.received(b"")
    recorder.closed()
    recorder.closed()
    assert recorder.transcript == Transcript(
        [
            TlsEstablished(),
            Line("server", b"+OK\r\n"),
            Line("client", b"PASS <redacted>\r\nQUIT\r\n"),
            EndOfStream("server"),
            EndOfStream("client"),
        ]
    )
    assert REDACTED == b"<redacted>"
    assert repr(recorder) == "<Recorder: client, 6 entries>"


def test_a_recorder_at_the_server() -> None:
    recorder = Recorder("server", bodies=False, multiline=["XLST"])
    recorder.sent(b"+OK\r\n")
    recorder.received(b"XLST\r\nPASS secr")
    recorder.sent(b"+OK\r\nsecret\r\n.\r\n+O")
    recorder.received(b"")
    recorder.closed()
    assert recorder.transcript == Transcript(
        [
            Line("server", b"+OK\r\n"),
            Line("client", b"XLST\r\n"),
            Line("server", b"+OK\r\nxxxxxx\r\n.\r\n"),
            Line("client", b"PASS <redacted>"),
            EndOfStream("client"),
            Line("server", b"+O"),
            EndOfStream("server"),
        ]
    )


class Conversation:
    """Both engines, in memory, and a recorder at each."""

    def __init__(self, seed: int | None = None) -> None:
        self.client, self.server = ClientConnection(), ServerConnection()
        self.recorders: dict[Role, Recorder] = {role: Recorder(role) for role in ROLES}
        self.client_events: list[ClientEvent] = []
        self.server_events: list[ServerEvent] = []
        self._random = random.Random(seed) if seed is not None else None

    def chunks(self, data: bytes) -> Iterator[bytes]:
        while data:
            size = self._random.randint(1, 20) if self._random else len(data)
            yield data[:size]
            data = data[size:]

    def ask(self, *commands: Command[Any]) -> None:
        for chunk in self.chunks(b"".join(map(self.client.send, commands))):
            self.recorders["client"].sent(chunk)
            self.recorders["server"].received(chunk)
            self.server.receive_data(chunk)
            self._drain_server()

    def answer(self, *replies: ServerReply) -> None:
        data = b""
        for reply in replies:
            data += self.server.send(reply)
            self._drain_server()
        for chunk in self.chunks(data):
            self.recorders["server"].sent(chunk)
            self.recorders["client"].received(chunk)
            self.client.receive_data(chunk)
            self._drain_client()

    def tls_established(self) -> None:
        self.client.tls_established()
        self.server.tls_established()
        for recorder in self.recorders.values():
            recorder.tls_established()

    def close(self) -> None:
        self.recorders["server"].closed()
        self.recorders["client"].received(b"")
        self.client.receive_data(b"")
        assert self.client.next_event() == ConnectionClosed()
        self.client_events.append(ConnectionClosed())

    def _drain_server(self) -> None:
        while not isinstance(event := self.server.next_event(), Signal):
            self.server_events.append(event)

    def _drain_client(self) -> None:
        while not isinstance(event := self.client.next_event(), Signal):
            self.client_events.append(event)


USER, PASS, RETR = User("user"), Pass("secret"), Retr(1)


def stls_and_pipelining(talk: Conversation) -> None:
    capabilities = CapaReply(Capa(), Capabilities.of("STLS", "PIPELINING"))
    talk.answer(Greeting("ready <1@example.org>"))
    talk.ask(Capa())
    talk.answer(capabilities)
    talk.ask(Stls())
    talk.answer(Ok(Stls()))
    talk.tls_established()
    talk.ask(USER, PASS, Stat(), RETR, List(), Dele(1), Quit())
    talk.answer(
        Ok(USER),
        Ok(PASS, "welcome"),
        StatReply(Stat(), 1, 30),
        MessageStart(RETR, "30 octets"),
        MessageData(b"Subject: x\r\n\r\n.\r\n+OK\r\n-ERR\r\n"),
        MessageEnd(RETR),
        ListReply(List(), Listings([(1, 30)])),
        ErrorReply(Dele(1), "no"),
        Ok(Quit()),
    )


def auth(talk: Conversation) -> None:
    login = Auth("LOGIN")
    plain = Auth("PLAIN", b"\0alice\0secret")
    talk.answer(Greeting())
    talk.ask(login)
    talk.answer(Challenge(login, b"Username:"))
    talk.ask(AuthResponse(b"user"))
    talk.answer(Challenge(login, b"Password:"))
    talk.ask(AuthResponse(b"wrong"))
    talk.answer(ErrorReply(login, "no"))
    talk.ask(plain)
    talk.answer(Ok(plain, "done"))
    talk.ask(Stat(), Quit())
    talk.answer(StatReply(Stat(), 0, 0), Ok(Quit()))


def apop(talk: Conversation) -> None:
    command = Apop("user", "c4c9334bac560ecc979e58001b3e22fb")
    talk.answer(Greeting("<1@example.org>"))
    talk.ask(command)
    talk.answer(Ok(command))
    talk.ask(Quit())
    talk.answer(Ok(Quit()))


def shown(events: Iterable[object]) -> list[str]:
    """Events without the differences that redaction and chunks make."""
    texts = [repr(event) for event in events if not isinstance(event, MessageData)]
    return [text.replace("<secret>", "") for text in texts]


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("script", [stls_and_pipelining, auth, apop])
@pytest.mark.parametrize("end", ROLES)
@pytest.mark.parametrize("chunk_size", [None, 1, 2, 7])
def test_what_was_recorded_replays_as_it_was(
    script: Any, end: Role, seed: int | None, chunk_size: int | None
) -> None:
    talk = Conversation(seed)
    script(talk)
    talk.close()
    transcript = Transcript.loads(talk.recorders[end].transcript.dumps())
    for secret in ("secret", "c2VjcmV0", "AHVzZXIA", "c4c9334bac"):
        assert secret not in transcript.dumps()
    client = list(replay(transcript, "client", chunk_size=chunk_size))
    assert shown(client) == shown(talk.client_events)
    assert content(client) == content(talk.client_events)
    server = list(replay(transcript, "server", chunk_size=chunk_size))
    assert shown(server) == shown(talk.server_events)


def content(events: Iterable[object]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, MessageData))


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"role": "Client"}, "role is 'client' or 'server', not 'Client'"),
        ({"role": None}, "role is 'client' or 'server', not None"),
        ({"bodies": "no"}, "bodies is True or False, not str"),
        ({"multiline": [b"XTND XLST"]}, "multiline is a list of str, and bytes is not one"),
    ],
)
def test_a_mistyped_argument_would_keep_secrets(how: Any, told: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"^{told}$"):
        Recorder(**how)


@pytest.mark.parametrize("data", [5, "PASS secret\r\n", None])
def test_only_octets_are_recorded(data: Any) -> None:
    recorder = Recorder()
    for record in (recorder.sent, recorder.received):
        with pytest.raises(
            LocalProtocolError, match=r"^data is bytes, a bytearray or a memoryview"
        ):
            record(data)
    assert not len(recorder.transcript)


def test_nobody_else_sends() -> None:
    who: Any = "clinet"
    with pytest.raises(LocalProtocolError, match=r"^who is 'client' or 'server', not 'clinet'$"):
        Transcript().sent_by(who)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: Transcript(cast(Any, 5)), "entries are lines and marks, not a single int"),
        (lambda: Transcript(cast(Any, ["S: +OK"])), "entries are lines and marks, and str is not"),
        (lambda: Transcript.loads(cast(Any, b"x")), "text is a str, not bytes"),
        (lambda: Transcript.load(cast(Any, 5)), "file is open for text, not int"),
        (lambda: Transcript.load(cast(Any, [b"x"])), "each line of file is a str, not bytes"),
        (lambda: Transcript().save(cast(Any, 5)), "file is open for text, unlike int"),
        (lambda: Recorder(multiline=cast(Any, 5)), "multiline is a list of str, not a single int"),
    ],
)
def test_arguments_of_another_type(call: Callable[[], object], told: str) -> None:
    with pytest.raises(LocalProtocolError, match=told):
        call()
