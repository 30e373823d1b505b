import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from types import ModuleType

import pytest

import pop3proto
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
Ok  command=Pass(<secret>)  text=''
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
        "Pass(<secret>)",
        "Retr(message=1)",
        "List()",
        "Extension(line='XLST', shape=<ReplyShape.STATUS: 'status'>)",
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
    assert printed.err.startswith("RemoteProtocolError: a line that answers nothing: one")
    assert "Hint: open a new connection" in printed.err


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
    assert "a number of octets from 1 is wanted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        ("--port", "65536", "a port from 0 to 65,535"),
        ("--port", "x", "a port from 0 to 65,535"),
        ("--latency", "x", "a number of seconds from 0"),
        ("--latency", "-1", "a number of seconds from 0"),
        ("--latency", "nan", "a number of seconds from 0"),
        ("--quirk", "no-such", "no-such"),
    ],
)
def test_values_of_serve(
    option: str, value: str, wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["serve", "mail", option, value])
    assert caught.value.code == 2
    assert wanted in capsys.readouterr().err


def test_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert "usage: pop3proto" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "shown"), [("--version", "pop3proto "), ("--help", "replay")])
def test_options(option: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([option])
    assert not caught.value.code
    assert shown in capsys.readouterr().out


@pytest.mark.parametrize(("what", "extra"), [("rich", "cli"), ("trustme", "demo")])
def test_without_a_package(
    what: str,
    extra: str,
    session: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in [*sys.modules]:
        if name.partition(".")[0] == what:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, what, None)
    if what == "trustme":
        monkeypatch.setitem(sys.modules, "pop3proto.cli.demo", demo(ModuleNotFoundError(name=what)))
    assert main(["replay", str(session)] if what == "rich" else ["demo"]) == 2
    assert f'pip install "pop3proto[{extra}]"' in capsys.readouterr().err


def demo(result: BaseException | int) -> ModuleType:
    module = ModuleType("pop3proto.cli.demo")

    def run(console: object, arguments: Namespace) -> int:
        if isinstance(result, BaseException):
            raise result
        assert arguments.folder == Path("folder")
        return result

    vars(module)["run"] = run
    return module


def test_the_demonstration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pop3proto.cli.demo", demo(1))
    assert main(["demo", "--folder", "folder"]) == 1


def test_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pop3proto.cli.demo", demo(KeyboardInterrupt()))
    assert main(["demo"]) == 130


def test_a_package_of_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pop3proto.cli.demo", demo(ModuleNotFoundError(name="other")))
    with pytest.raises(ModuleNotFoundError):
        main(["demo"])


def test_as_a_module() -> None:
    # In a process: no module runs as a program below pytest's import hook for plugins.
    command = [sys.executable, "-m", "pop3proto", "--version"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stdout.decode("ascii").split() == ["pop3proto", pop3proto.__version__]
    assert done.stderr == b""


def test_in_a_process_of_its_own(session: Path) -> None:
    command = [sys.executable, "-m", "pop3proto", "replay", str(session), "--multiline", "XLST"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stdout.decode("ascii").startswith(EVENTS.split("\n", 1)[0])
    assert b"\x1b" not in done.stdout
    assert done.stderr == b""


LOADED = """
import sys
import pop3proto
before = set(sys.modules)
from pop3proto.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    print("|", *sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize(
    ("arguments", "own"),
    [
        (["--version"], set()),
        (["--help"], set()),
        (["fetch", "--help"], {"pop3proto.cli.arguments"}),
        (["serve", "--port", "x"], {"pop3proto.cli.arguments"}),
    ],
)
def test_what_is_not_used_is_not_loaded(arguments: list[str], own: set[str]) -> None:
    command = [sys.executable, "-c", LOADED, *arguments]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    loaded = set(done.stdout.decode().rpartition("|")[2].split())
    ours = {name for name in loaded if name.startswith("pop3proto.")}
    assert ours == {"pop3proto.cli", "pop3proto.cli.main"} | own
    assert loaded & {"rich", "trio", "anyio", "asyncio", "ssl", "socket", "email", "json"} == set()
