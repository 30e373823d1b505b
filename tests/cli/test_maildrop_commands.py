"""``pop3proto list``, ``show`` and ``delete``."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator

import pytest

from pop3proto import __version__
from pop3proto.cli.inputs import PASSWORD_VARIABLE
from pop3proto.cli.main import main
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import LoopbackServer, Turn, serve, serve_script
from pop3proto.transcript import Entry
from pop3proto.transports.blocking import Client

FIRST = b"Subject: first\r\n\r\n\x1b]0;x\x07\xff caf\xc3\xa9\r\n.\r\n"
OTHER = b"Subject: other\r\n\r\nTwo.\r\n"
PLAIN = ["--no-tls", "--allow-plaintext-auth"]
LOGIN: list[Turn | Entry] = [(b"USER user", b"+OK\r\n"), (b"PASS <redacted>", b"+OK\r\n")]
Run = Callable[..., int]


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")


@pytest.fixture
def maildrops() -> MemoryMaildrops:
    made = MemoryMaildrops({"user": []})
    made.add("user", FIRST, unique_id=b"one")
    made.add("user", OTHER, unique_id=b"2")
    return made


@pytest.fixture
def server(maildrops: MemoryMaildrops) -> Iterator[LoopbackServer]:
    with serve(
        maildrops,
        password="secret",
        security="plaintext",
        options=ServerOptions(allow_plaintext_auth=True),
    ) as running:
        yield running


@pytest.fixture
def run(server: LoopbackServer) -> Run:
    def run(command: str, *arguments: str) -> int:
        return main([command, server.url, *PLAIN, *arguments])

    return run


def scripted(script: list[Turn | Entry], command: str, *arguments: str) -> int:
    with serve_script([*LOGIN, *script]) as server:
        url = f"pop://user@{server.host}:{server.port}"
        return main([command, url, *PLAIN, "--no-capa", *arguments])


def test_a_list(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    assert capsys.readouterr().out == (
        f"     1 {len(FIRST):12}  one\n     2 {len(OTHER):12}  2\n"
        f"2 messages, {len(FIRST + OTHER)} octets\n"
    )


def test_a_list_for_programs(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "command": "list",
        "version": __version__,
        "ok": True,
        "problems": [],
        "messages": [
            {"number": 1, "octets": len(FIRST), "unique_id": "one"},
            {"number": 2, "octets": len(OTHER), "unique_id": "2"},
        ],
        "octets": len(FIRST + OTHER),
    }


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_an_empty_maildrop(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    script: list[Turn | Entry] = [(b"STAT", b"+OK 0 0\r\n"), (b"QUIT", b"+OK\r\n")]
    assert scripted(script, "list", *arguments) == 0
    out = capsys.readouterr().out
    if arguments:
        assert json.loads(out).items() >= {"messages": [], "octets": 0}.items()
    else:
        assert out == "0 messages, 0 octets\n"


LISTED: list[Turn | Entry] = [
    (b"STAT", b"+OK 3 30\r\n"),
    (b"LIST", b"+OK\r\n1 x\r\n2 10\r\n3 10\r\n.\r\n"),
    (b"UIDL", b"+OK\r\n1 \x1b[2J\xff\r\n2 twice\r\n3 twice\r\n.\r\n"),
]
QUIT: Turn = (b"QUIT", b"+OK\r\n")


def test_what_a_server_lists_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    assert scripted([*LISTED, QUIT], "list") == 0
    assert capsys.readouterr().out.splitlines()[0] == "     1            ?  \\x1b[2J\\xff"
    assert scripted([*LISTED, QUIT], "list", "--json") == 0
    first = json.loads(capsys.readouterr().out)["messages"][0]
    assert first == {"number": 1, "octets": None, "unique_id": "\\x1b[2J\\xff"}


def test_a_unique_id_is_given_as_it_is_listed() -> None:
    script = [*LISTED, (b"DELE 1", b"+OK\r\n"), QUIT]
    assert scripted(script, "delete", "--unique-id", "\\x1b[2J\\xff") == 0


def test_a_server_without_unique_ids(capsys: pytest.CaptureFixture[str]) -> None:
    script: list[Turn | Entry] = [
        (b"STAT", b"+OK 1 10\r\n"),
        (b"LIST", b"+OK\r\n1 10\r\n.\r\n"),
        (b"UIDL", b"-ERR what?\r\n"),
    ]
    assert scripted([*script, QUIT], "list") == 0
    assert capsys.readouterr().out.splitlines()[0] == "     1           10"
    assert scripted(script, "delete", "--unique-id", "one") == 1
    assert "no message has the unique-id one" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["1"], ["--unique-id", "one"]])
def test_a_message_is_shown_octet_for_octet(
    arguments: list[str], run: Run, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run("show", *arguments) == 0
    assert capfdbinary.readouterr().out == FIRST


def test_a_header(run: Run, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run("show", "2", "--header") == 0
    assert capfdbinary.readouterr().out == b"Subject: other\r\n\r\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_obeys_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert run("show", "1") == 0
    assert terminal.getvalue() == "Subject: first\n\n\\x1b]0;x\\x07\\xff caf\xe9\n.\n"


class NobodyReads(io.BytesIO):
    """The end of a pipe whose other end is closed."""

    def write(self, data: object) -> int:
        raise BrokenPipeError


def test_nobody_reads_the_message(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", io.TextIOWrapper(NobodyReads()))
        assert run("show", "1") == 1
    assert capsys.readouterr().err == ""


def test_there_is_nowhere_to_write_the_message(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", None)
        assert run("show", "1") == 1
    assert "there is no standard output" in capsys.readouterr().err


@pytest.mark.parametrize("message", ["3", "0", "01", "-1", "x", "one"])
def test_a_message_that_is_not_there_is_not_asked_for(
    message: str, run: Run, server: LoopbackServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("show", "delete"):
        assert run(command, "--", message) == 1
        assert f"no message has the number {message}" in capsys.readouterr().err
    assert not {"RETR", "DELE", "QUIT"} & {sent.split()[0] for sent in server.commands}


def test_deleting(run: Run, maildrops: MemoryMaildrops, capsys: pytest.CaptureFixture[str]) -> None:
    # By number or by unique-id: the message 2 has the unique-id "2".
    assert run("delete", "1", "1") == 0
    assert capsys.readouterr().out == "1 deleted\n"
    assert maildrops.contents("user") == [OTHER]
    # Now its number is 1.
    assert run("delete", "2") == 1
    assert maildrops.contents("user") == [OTHER]
    assert run("delete", "--unique-id", "2") == 0
    assert maildrops.contents("user") == []


@pytest.mark.parametrize("arguments", [["1", "3"], ["--unique-id", "one", "three"]])
def test_all_or_none(arguments: list[str], run: Run, maildrops: MemoryMaildrops) -> None:
    assert run("delete", *arguments) == 1
    assert maildrops.contents("user") == [FIRST, OTHER]


def test_a_unique_id_of_several_messages(capsys: pytest.CaptureFixture[str]) -> None:
    assert scripted(LISTED, "delete", "--unique-id", "twice") == 1
    assert "2 messages have the unique-id twice" in capsys.readouterr().err


def test_a_deletion_that_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    script = [*LISTED[:2], (b"DELE 1", b"+OK\r\n"), (b"DELE 2", b"-ERR \x1b locked\r\n")]
    # The connection is closed without QUIT.
    assert scripted(script, "delete", "1", "2") == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "locked" in captured.err
    assert "Hint: nothing was deleted" in captured.err
    assert "\x1b" not in captured.err


@pytest.mark.parametrize("answer", [b"-ERR some messages not removed\r\n", None])
def test_what_quit_did_not_confirm(
    answer: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    script = [*LISTED[:2], (b"DELE 2", b"+OK\r\n"), (b"QUIT", answer)]
    assert scripted(script, "delete", "2") == 1
    captured = capsys.readouterr()
    assert captured.out == "1 perhaps NOT deleted: the server has not confirmed it\n"
    assert "Error: " in captured.err


def test_an_interrupted_quit(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(client: Client) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "quit", interrupted)
    assert run("delete", "1") == 130
    assert "1 perhaps NOT deleted" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["list", "show", "delete"])
def test_a_user_is_needed(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [] if command == "list" else ["1"]
    assert main([command, "pop://pop.example.org", *arguments]) == 1
    assert "the URL names no user" in capsys.readouterr().err
