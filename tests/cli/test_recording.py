"""--record: the session of a command, written down without its secrets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pop3proto.cli.inputs import PASSWORD_VARIABLE
from pop3proto.cli.main import main
from pop3proto.cli.recording import Recordings, Talk
from pop3proto.model.replies import MessageData
from pop3proto.server import ServerOptions
from pop3proto.testing import LoopbackServer, scripted, serve
from pop3proto.transcript import EndOfStream, Entry, Line, TlsEstablished, Transcript, replay
from pop3proto.transports import ClientOptions
from pop3proto.transports.blocking import Client

MESSAGE = b"Subject: one\r\n\r\n.Text.\r\n"
SECRET = "pa55 word"
PLAIN = ["--no-tls", "--allow-plaintext-auth"]


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    options = ServerOptions(allow_plaintext_auth=True, failed_login_delay=0.0)
    maildrops = {"user": [MESSAGE]}
    with serve(maildrops, password=SECRET, security="plaintext", options=options) as running:
        yield running


def url(server: LoopbackServer) -> str:
    return f"pop://user@{server.host}:{server.port}"


def load(path: Path) -> Transcript:
    text = path.read_text("ascii")
    assert SECRET not in text
    return Transcript.loads(text)


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("list", []),
        ("show", ["1"]),
        ("delete", ["1"]),
        ("check", []),
        ("fetch", ["mail"]),
    ],
)
def test_every_command_that_connects_can_record_it(
    command: str,
    more: list[str],
    server: LoopbackServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "session.txt"
    assert main([command, url(server), *more, *PLAIN, "--record", str(path)]) == 0
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
    events = [*replay(load(path), "client")]
    assert not [event for event in events if "Deviation" in type(event).__name__]
    if command in ("show", "fetch"):
        assert MessageData(MESSAGE) in events
    assert main(["replay", str(path)]) == 0


def test_without_the_messages(server: LoopbackServer, tmp_path: Path) -> None:
    path = tmp_path / "session.txt"
    arguments = ["show", url(server), "1", *PLAIN, "--record", str(path), "--no-bodies", "-v"]
    assert main(arguments) == 0
    assert b"Text" not in load(path).sent_by("server")
    assert any(isinstance(event, MessageData) for event in replay(load(path), "client"))


def test_a_recording_is_a_script_for_a_test(server: LoopbackServer, tmp_path: Path) -> None:
    path = tmp_path / "session.txt"
    assert main(["list", url(server), *PLAIN, "--record", str(path)]) == 0
    options = ClientOptions(allow_plaintext_auth=True, utf8=True)
    with (
        scripted(load(path)) as stream,
        Client.start(stream, security=stream.security, options=options) as client,
    ):
        client.login("user", "any other password")
        assert client.messages().octets == len(MESSAGE)


def test_nothing_is_overwritten(
    server: LoopbackServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "session.txt"
    path.write_text("something else")
    assert main(["list", url(server), *PLAIN, "--record", str(path)]) == 1
    assert path.read_text() == "something else"
    assert "FileExistsError" in capsys.readouterr().err
    # Nobody connected, or was asked for a password.
    assert server.sessions == []


def test_each_session_has_a_file_of_its_own(tmp_path: Path) -> None:
    with serve({"user": []}, password=SECRET, security="tls") as server:
        where = f"pops://{server.host}:{server.port}"
        path = tmp_path / "session.txt"
        assert main(["check", where, "--record", str(path)]) == 1
    # The certificate was refused at first.
    assert sorted(p.name for p in tmp_path.iterdir()) == ["session-2.txt", "session.txt"]
    assert load(path).sent_by("server") == b""
    assert load(tmp_path / "session-2.txt")[0] == TlsEstablished()


def test_a_session_that_fails_is_recorded(
    server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "wr0ng")
    path = tmp_path / "session.txt"
    assert main(["list", url(server), *PLAIN, "--record", str(path)]) == 1
    assert "wr0ng" not in path.read_text()
    assert b"-ERR" in load(path).sent_by("server")


def test_nothing_is_recorded_unless_asked_for(tmp_path: Path) -> None:
    assert Recordings(None, bodies=True, follow=None).new() is None


def test_what_a_person_sees() -> None:
    seen: list[str] = []
    talk = Talk(seen.append)
    entries: list[Entry] = [
        TlsEstablished(),
        Line("server", b"+OK \x1b[31m\r\n"),
        Line("client", b"RE"),
        Line("client", b"TR 1\r\n"),
        Line("server", b"+OK\r\nxxx\r\n\r\nxx"),
        Line("server", b"x\r\n.\r\n"),
        Line("server", b"xxx\r\n"),
        EndOfStream("server"),
    ]
    for entry in entries:
        talk.take(entry)
    assert seen == [
        "-- TLS established",
        r"S: +OK \x1b[31m",
        "C: RETR 1",
        "S: +OK",
        "S: (12 octets of a message)",
        "S: .",
        "S: (5 octets of a message)",
        "-- end of stream from server",
    ]
