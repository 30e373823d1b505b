"""``pop3proto replay``: the events of a transcript, and what goes wrong with one."""

import subprocess
import sys
from pathlib import Path

import pytest

from pop3proto.cli.main import main

SESSION = r"""pop3proto transcript 1
S: +OK ready <1@example.org>\r\n
C: USER user\r\n
S: +ok hi \x1b[31m\xe2\x80\xae\r\n
C: PASS <redacted>\r\n
S: +OK\r\n
C: RETR 1\r\n
S: +OK\r\n
S: Subject: a [bold] subject that is long enough to be cut off somewhere\r\n
S: \x1b]0;title\x07\r\n
S: .\r\n
C: LIST\r\n
S: +OK\r\n
S: 1 77\r\n
S: .\r\n
C: XLST\r\n
S: +OK\r\n
S: one\r\n
S: .\r\n
C: DELE 9\r\n
S: -ERR [SYS/TEMP] no such message\r\n
C: QUIT\r\n
S: +OK\r\n
-- end of stream from server
-- end of stream from client
"""
EVENTS = r"""Greeting  text='ready <1@example.org>'
Deviation  status indicator not in upper case at User(name='user'): +ok hi \x1b[31m\u202e
Ok  command=User(name='user')  text='hi \x1b[31m\u202e'
Ok  command=Pass(password=<secret>)  text=''
MessageStart  command=Retr(message=1)  text=''
MessageData  83 octets: b'Subject: a [bold] subject that is long enough to be cut off '...
MessageEnd  command=Retr(message=1)  octets=83
ListReply  command=List()  listings=[(1, 77)]  text=''
"""


@pytest.fixture
def session(tmp_path: Path) -> Path:
    path = tmp_path / "session.txt"
    path.write_text(SESSION, encoding="utf-8")
    return path


def test_replay_as_the_client(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(session), "--multiline", "XLST", "--chunk-size", "3"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(EVENTS)
    assert "ErrorReply  command=Dele(message=9)  text='no such message'" in printed.out
    assert printed.out.splitlines()[-2:] == [
        "ConnectionClosed",
        "14 events, 1 deviations; state: closed",
    ]
    assert printed.err == ""


def test_replay_as_the_server(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(session), "--role", "server", "--multiline", "XLST"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "User(name='user')",
        "Pass(password=<secret>)",
        "Retr(message=1)",
        "List()",
        "Extension(line='XLST', answer=Ok)",
        "Dele(message=9)",
        "Quit()",
        "ConnectionClosed",
        "8 events, 0 deviations; state: closed",
    ]


def test_no_commands_are_shown_without_their_arguments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "session.txt"
    path.write_text("pop3proto transcript 1\nS: +OK\\r\\n\nC: STAT secret\\r\\n\nS: -ERR\\r\\n\n")
    assert main(["replay", str(path), "--role", "server"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("InvalidCommand(")
    assert "reason='STAT takes no argument'" in printed
    assert "secret" not in printed


def test_long_fields_are_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "session.txt"
    path.write_text(f"pop3proto transcript 1\nS: +OK {'x' * 5000}\\r\\n\n")
    assert main(["replay", str(path)]) == 0
    assert len(capsys.readouterr().out) < 1000


def test_a_protocol_violation(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(session)]) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == "9 events, 1 deviations; state: dead"
    assert printed.err.startswith("RemoteProtocolError: a line that answers no command: one")
    # There is no connection to open again: this is a file.
    assert "Hint" not in printed.err


def test_a_file_that_is_no_transcript(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "session.txt"
    path.write_text("pop3proto transcript 1\nwhat\n")
    assert main(["replay", str(path)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("TranscriptError: line 2: ")
    assert "Hint" not in printed.err


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(tmp_path / "\x1b\u202e")]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("FileNotFoundError: ")
    assert "\x1b" not in printed
    assert printed.isascii()


@pytest.mark.parametrize("size", ["0", "-1", "x", "\u0663", "9" * 5000])
def test_a_chunk_size_is_a_number(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["replay", "session.txt", "--chunk-size", size])
    assert caught.value.code == 2
    assert "expected a number of octets from 1" in capsys.readouterr().err


def test_in_a_process_of_its_own(session: Path) -> None:
    command = [sys.executable, "-m", "pop3proto", "replay", str(session), "--multiline", "XLST"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stdout.decode("ascii").startswith(EVENTS.split("\n", 1)[0])
    assert b"\x1b" not in done.stdout
    assert done.stderr == b""


def test_a_byte_order_mark_is_not_part_of_the_transcript(
    session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session.write_bytes(b"\xef\xbb\xbf" + session.read_bytes())
    assert main(["replay", str(session), "--multiline", "XLST"]) == 0
    assert capsys.readouterr().out.startswith(EVENTS)
