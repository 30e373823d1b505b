"""How much is printed, and in which form: -q, -v and --json of every command."""

from __future__ import annotations

import argparse
import json
import re
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pop3proto import __version__
from pop3proto.cli.inputs import PASSWORD_VARIABLE
from pop3proto.cli.main import main
from pop3proto.cli.output import Output
from pop3proto.server import ServerOptions
from pop3proto.testing import LoopbackServer, Turn, serve, serve_script
from pop3proto.transcript import Entry
from pop3proto.transports.blocking import Client

MESSAGE = b"Subject: \x1b[31mone\r\n\r\nText.\r\n"
PLAIN = ["--no-tls", "--allow-plaintext-auth"]
COMMON = ["command", "version", "ok", "problems"]
KEYS = {
    "list": ["messages", "octets"],
    "show": ["number", "header", "octets", "base64"],
    "fetch": ["url", "fetched", "already_there", "deleted", "perhaps_deleted"],
    "delete": ["numbers", "deletions", "confirmed"],
    "replay": ["events", "deviations", "state"],
}
"""What programs rely on: a key is never taken away."""
LOGIN: list[Turn | Entry] = [(b"USER user", b"+OK\r\n"), (b"PASS <redacted>", b"+OK\r\n")]
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "command-line.md").read_text("utf-8")
Report = dict[str, Any]


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    options = ServerOptions(allow_plaintext_auth=True, failed_login_delay=0.0)
    maildrops = {"user": [MESSAGE]}
    with serve(maildrops, password="secret", security="plaintext", options=options) as running:
        yield running


@pytest.fixture
def session(tmp_path: Path) -> Path:
    path = tmp_path / "session.txt"
    path.write_text("pop3proto transcript 1\nS: +OK \\x1b[31m\\r\\n\n")
    return path


@pytest.fixture
def reported(server: LoopbackServer, session: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command with ``--json``; return its exit code and its report."""

    def run(command: str, *arguments: str) -> tuple[int, Report]:
        where = [str(session)] if command == "replay" else [url(server), *PLAIN]
        code = main([command, *where, *arguments, "--json"])
        printed = capsys.readouterr()
        assert printed.err == ""
        text = printed.out.splitlines()[-1] if command == "replay" else printed.out
        report: Report = json.loads(text)
        assert report["ok"] is (code == 0)
        assert report["ok"] is not bool(report["problems"])
        assert (report["command"], report["version"]) == (command, __version__)
        return code, report

    return run


def url(server: LoopbackServer) -> str:
    return f"pop://user@{server.host}:{server.port}"


ARGUMENTS = {"list": [], "fetch": ["mail"], "show": ["1"], "delete": ["1"], "replay": []}


@pytest.mark.parametrize("command", KEYS)
def test_the_keys_of_a_report(command: str, reported: Any) -> None:
    code, report = reported(command, *ARGUMENTS[command])
    assert code == 0
    assert [key for key in report if key != "event"] == [*COMMON, *KEYS[command]]
    assert None not in report.values()


@pytest.mark.parametrize("command", ["list", "fetch", "show", "delete"])
def test_the_keys_of_a_report_of_a_failure(
    command: str, reported: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "wrong")
    code, report = reported(command, *ARGUMENTS[command])
    assert code == 1
    assert [*report] == [*COMMON, *KEYS[command]]
    (problem,) = report["problems"]
    assert [*problem] == ["at", "error", "text", "hint", "transient"]
    assert problem["error"] == "CredentialsError"


def test_the_keys_are_documented() -> None:
    section = PAGE.partition("### JSON")[2].partition("\n### ")[0]
    rows = dict(re.findall(r"(?m)^\| `(\w+)` \| (.*) \|$", section))
    for command, keys in KEYS.items():
        assert {*keys} <= {*re.findall(r"`(\w+)`", rows[command])}


def test_a_message_as_json(reported: Any) -> None:
    _, report = reported("show", "1")
    assert b64decode(report["base64"]) == MESSAGE
    assert (report["number"], report["octets"], report["header"]) == (1, len(MESSAGE), False)
    _, report = reported("show", "1", "--header")
    assert b64decode(report["base64"]) == MESSAGE.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert report["header"] is True


def test_a_deletion_as_json(reported: Any, server: LoopbackServer) -> None:
    _, report = reported("delete", "1")
    assert (report["numbers"], report["deletions"], report["confirmed"]) == ([1], 1, True)
    assert server.messages("user") == []


def test_a_deletion_that_nobody_confirmed(capsys: pytest.CaptureFixture[str]) -> None:
    script: list[Turn | Entry] = [
        (b"CAPA", b"+OK\r\nUSER\r\n.\r\n"),
        *LOGIN,
        (b"CAPA", b"+OK\r\n.\r\n"),
        (b"STAT", b"+OK 1 10\r\n"),
        (b"LIST", b"+OK\r\n1 10\r\n.\r\n"),
        (b"DELE 1", b"+OK\r\n"),
        (b"QUIT", b"-ERR the disk\r\n"),
    ]
    with serve_script(script) as server:
        where = f"pop://user@{server.host}:{server.port}"
        assert main(["delete", where, "1", *PLAIN, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["deletions"], report["confirmed"], report["ok"]) == (1, False, False)


def test_events_as_json(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(session), "--json"]) == 0
    greeting, end = map(json.loads, capsys.readouterr().out.splitlines())
    assert greeting == {"event": "Greeting", "fields": {"text": r"'\x1b[31m'"}}
    assert end["event"] == "end"
    assert (end["events"], end["deviations"], end["state"]) == (1, 0, "authorization")


def test_a_replay_that_fails_as_json(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session.write_text("pop3proto transcript 1\nS: HTTP/1.1 400\\r\\n\n")
    assert main(["replay", str(session), "--json"]) == 1
    (end,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert end["event"] == "end"
    assert end["problems"][0]["error"] == "RemoteProtocolError"


def test_quiet(server: LoopbackServer, session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", url(server), *PLAIN, "-q"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert main(["check", url(server), *PLAIN, "-q"]) == 0
    assert main(["fetch", url(server), "mail", *PLAIN, "-q"]) == 0
    assert main(["delete", url(server), "1", *PLAIN, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["replay", str(session), "-q"]) == 0
    assert capsys.readouterr().out.count("\n") == 1


def test_quiet_does_not_hide_what_is_wrong(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "wrong")
    assert main(["check", url(server), *PLAIN, "-q"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Problem: CredentialsError, login: ")
    assert main(["delete", url(server), "1", *PLAIN, "-q"]) == 1
    assert capsys.readouterr().err.startswith("CredentialsError: ")


def test_verbose(server: LoopbackServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", url(server), "1", *PLAIN, "-v"]) == 0
    printed = capsys.readouterr()
    assert printed.out.encode() == MESSAGE
    lines = printed.err.splitlines()
    assert "C: RETR 1" in lines
    assert f"S: ({len(MESSAGE)} octets of a message)" in lines
    assert "secret" not in printed.err
    assert "\x1b" not in printed.err
    assert lines[-1] == "-- end of stream from client"


def test_verbose_and_quiet_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["list", "pop://user@pop.example.org", "-q", "-v"])
    assert caught.value.code == 2


def test_verbose_json_keeps_the_standard_output_for_json(
    server: LoopbackServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", url(server), *PLAIN, "-v", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["ok"]
    assert "C: LIST" in printed.err


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        ("list", "Interrupted"),
        ("check", "Interrupted: the check is not complete"),
        ("delete", "Interrupted: nothing was deleted"),
        ("show", "Interrupted"),
        ("fetch", "Interrupted"),
    ],
)
def test_a_word_when_interrupted(
    command: str,
    kept: str,
    server: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "login", interrupted)
    arguments = [command, url(server), *ARGUMENTS.get(command, []), *PLAIN]
    assert main(arguments) == 130
    assert capsys.readouterr() == ("", f"{kept}\n")
    assert main([*arguments, "--json"]) == 130
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert report["problems"][0]["text"] == kept


def test_an_interruption_when_the_terminal_is_gone(
    monkeypatch: pytest.MonkeyPatch, server: LoopbackServer
) -> None:
    class Gone:
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

        def flush(self) -> None:
            raise OSError(5, "Input/output error")

    def interrupted(*arguments: object, **more: object) -> None:
        monkeypatch.setattr(sys, "stderr", Gone())
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "login", interrupted)
    assert main(["list", url(server), *PLAIN]) == 130


@pytest.mark.parametrize("what", ["quiet", "dumb", "piped"])
def test_no_progress(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    isatty: Callable[[], bool] = lambda: what != "piped"  # noqa: E731
    monkeypatch.setattr(sys.stderr, "isatty", isatty, raising=False)
    monkeypatch.setenv("TERM", "dumb" if what == "dumb" else "xterm")
    arguments = argparse.Namespace(command="show", quiet=what == "quiet")
    with Output(arguments).progress("Message 1") as progress:
        assert progress is None


def test_without_a_standard_output(monkeypatch: pytest.MonkeyPatch, session: Path) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["replay", str(session), "--json"]) == 0
    assert main(["replay", str(session), "-v"]) == 0
