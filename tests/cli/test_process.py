"""What the command line is to the process around it: encodings, and signals that end it."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from types import ModuleType

import pytest
from rich.console import Console

from pop3proto.cli import demo as _demo
from pop3proto.cli.demo import difficult_messages
from pop3proto.cli.inputs import PASSWORD_VARIABLE
from pop3proto.cli.main import main
from pop3proto.testing import Turn, serve_script
from pop3proto.transcript import Entry

NARROW = ["ascii", "latin-1", "cp1252"]
SECRET = "pa55 word"


class Narrow:
    """Standard output and error in an encoding that lacks most characters, as cron's may be."""

    def __init__(self, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._files = [io.BytesIO(), io.BytesIO()]
        self.streams = [
            io.TextIOWrapper(file, encoding=encoding, errors="strict", write_through=True)
            for file in self._files
        ]
        self._encoding = encoding
        self._monkeypatch = monkeypatch

    def run(self, *arguments: str) -> int:
        with self._monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", self.streams[0])
            patch.setattr(sys, "stderr", self.streams[1])
            return main(arguments)

    @property
    def out(self) -> str:
        return self._files[0].getvalue().decode(self._encoding)

    @property
    def err(self) -> str:
        return self._files[1].getvalue().decode(self._encoding)


@pytest.fixture(params=NARROW)
def narrow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Narrow:
    return Narrow(request.param, monkeypatch)


SCRIPT: list[Turn | Entry] = [
    (b"CAPA", b"+OK\r\nUSER\r\n.\r\n"),
    (b"USER user", b"+OK\r\n"),
    (b"PASS <redacted>", b"+OK\r\n"),
    (b"CAPA", b"+OK\r\n.\r\n"),
    (b"STAT", b"+OK 3 30\r\n"),
    (b"LIST", b"+OK\r\n1 10\r\n2 10\r\n3 10\r\n.\r\n"),
    (b"UIDL", b"+OK\r\n1 a\r\n2 b\r\n3 c\r\n.\r\n"),
    (b"RETR 1", b"+OK\r\none\r\n.\r\n"),
    (b"RETR 2", "-ERR ungültig \u4e2d\x1b[2J\u202e\r\n".encode()),
    (b"RETR 3", b"+OK\r\nthree\r\n.\r\n"),
    # It shows that the end of the message was its end.
    (b"NOOP", b"+OK\r\n"),
    (b"QUIT", b"+OK\r\n"),
]
PLAIN = ["--no-tls", "--allow-plaintext-auth", "--no-pipelining"]


def fetched(folder: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in folder.glob("*.eml"))


def test_fetch_goes_on_after_a_text_that_cannot_be_written(
    narrow: Narrow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
    with serve_script(SCRIPT) as server:
        url = f"pop://user@{server.host}:{server.port}"
        assert narrow.run("fetch", url, str(tmp_path), *PLAIN) == 1
    assert fetched(tmp_path) == [b"one\r\n", b"three\r\n"]
    shown = "ung\\xfcltig" if narrow.streams[0].encoding == "ascii" else "ungültig"
    assert rf"{shown} \u4e2d\x1b[2J\u202e" in narrow.out
    # The streams are as they were.
    assert {stream.errors for stream in narrow.streams} == {"strict"}


def test_in_a_process_of_crons(tmp_path: Path) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("LC_", "PYTHON"))
    }
    environment |= {
        "LC_ALL": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
        "PYTHONIOENCODING": "ascii:strict",
        "PYTHONPATH": os.pathsep.join(sys.path),
        PASSWORD_VARIABLE: SECRET,
    }
    folder = tmp_path / "Päckchen"
    with serve_script(SCRIPT) as server:
        url = f"pop://user@{server.host}:{server.port}"
        command = [sys.executable, "-m", "pop3proto", "fetch", url, str(folder), *PLAIN]
        done = subprocess.run(
            command, env=environment, capture_output=True, check=False, timeout=60
        )
    assert (done.returncode, done.stderr) == (1, b"")
    assert rb"ung\xfcltig \u4e2d" in done.stdout
    assert fetched(folder) == [b"one\r\n", b"three\r\n"]


def test_serve(narrow: Narrow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pop3proto.cli.serve.wait_until_told", lambda announce, look: announce())
    arguments = ["--user", "ü:[red]\u4e2d\x1b:x:\udcff", "--security", "plaintext"]
    assert narrow.run("serve", str(tmp_path), *arguments) == 0
    # Neither markup nor the names of emoji mean anything here.
    assert r"password: [red]\u4e2d\x1b:x:\udcff" in narrow.out


@pytest.mark.slow
def test_demo(narrow: Narrow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = dict([*difficult_messages().items()][:3])
    monkeypatch.setattr(_demo, "difficult_messages", lambda: few)
    assert narrow.run("demo", "--folder", str(tmp_path / "[b]\u4e2d")) == 0
    assert r"[b]\u4e2d" in narrow.out.replace("\n", "")


@pytest.mark.parametrize("arguments", [["replay", "\u4e2d\x1b"], ["\u4e2d"], ["serve", "\u4e2d"]])
def test_complaints(narrow: Narrow, arguments: list[str]) -> None:
    with suppress(SystemExit):  # that of argparse
        assert narrow.run(*arguments) == 1
    assert r"\u4e2d" in narrow.err
    assert "\x1b" not in narrow.err


def test_replay(narrow: Narrow, tmp_path: Path) -> None:
    session = tmp_path / "session.txt"
    session.write_text("pop3proto transcript 1\n" + r"S: +OK \xe4\xb8\xad \xff\r\n" + "\n")
    assert narrow.run("replay", str(session)) == 0
    assert r"\u4e2d \udcff" in narrow.out


def test_without_any_output(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # As in a program without a console on Windows, or after >&-.
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["replay", str(tmp_path / "missing")]) == 1


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_an_output_that_is_full(options: list[str], tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("only Linux has this file")
    (tmp_path / "session.txt").write_text("pop3proto transcript 1\nS: +OK\\r\\n\n")
    command = [sys.executable, "-m", "pop3proto", "replay", str(tmp_path / "session.txt"), *options]
    with full.open("w") as output:
        done = subprocess.run(
            command, stdout=output, stderr=subprocess.PIPE, check=False, timeout=60
        )
    assert done.returncode != 0
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="Windows has another error for it")
@pytest.mark.parametrize("arguments", [["man"], ["replay"], ["replay", "--json"]])
def test_an_output_that_nobody_reads(arguments: list[str], tmp_path: Path) -> None:
    session = tmp_path / "session.txt"
    session.write_text("pop3proto transcript 1\nS: +OK\\r\\n\n")
    command, *more = arguments
    where = [str(session)] if command == "replay" else []
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pop3proto", command, *where, *more],
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


ENDING = [
    getattr(signal, name)
    for name in ("SIGTERM", "SIGHUP")
    if hasattr(signal, name) and os.name == "posix"
]


@pytest.fixture(autouse=True)
def _signals_end_processes() -> Iterator[None]:
    """They do not where the tests themselves run under nohup, and processes inherit that."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def command_that(does: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("pop3proto.cli.demo")

    def run(console: Console, arguments: Namespace) -> int:
        does()
        return 0

    vars(module)["run"] = run
    monkeypatch.setitem(sys.modules, "pop3proto.cli.demo", module)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_unwinds_the_process(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(number)
    steps: list[str] = []

    def cleaning_up() -> None:
        try:
            signal.raise_signal(number)
            steps.append("went on")
        finally:
            # Whoever sends it is impatient, and sends it again.
            signal.raise_signal(number)
            steps.append("cleaned up")

    command_that(cleaning_up, monkeypatch)
    with pytest.raises(SystemExit) as caught:
        main(["demo"])
    assert caught.value.code == 128 + number
    assert steps == ["cleaned up"]
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_that_is_turned_off_stays_off(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        command_that(lambda: signal.raise_signal(number), monkeypatch)
        assert main(["demo"]) == 0
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_in_a_thread_signals_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    before = signal.getsignal(signal.SIGTERM)
    command_that(lambda: seen.append(signal.getsignal(signal.SIGTERM)), monkeypatch)
    thread = Thread(target=main, args=(["demo"],))
    thread.start()
    thread.join()
    assert seen == [before]


ANSWERS = {
    b"CAPA": b"+OK\r\nUSER\r\n.\r\n",
    b"STAT": b"+OK 1 2000000\r\n",
    b"LIST": b"+OK\r\n1 2000000\r\n.\r\n",
    b"UIDL": b"+OK\r\n1 a\r\n.\r\n",
}


@pytest.mark.skipif(os.name != "posix", reason="Windows ends a process without asking it")
@pytest.mark.parametrize("number", [signal.SIGINT, *ENDING])
def test_nothing_is_left_of_a_message_after_a_signal(
    number: signal.Signals, tmp_path: Path
) -> None:
    folder = tmp_path / "mail"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"pop://user@127.0.0.1:{listener.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-m", "pop3proto", "fetch", url, folder, *PLAIN],
            env={**os.environ, PASSWORD_VARIABLE: SECRET},
            stderr=subprocess.PIPE,
        )
        listener.settimeout(60)
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"+OK\r\n")
            for line in lines:
                if line.startswith(b"RETR"):
                    # The file has been begun, and the rest of the message never comes.
                    connection.sendall(b"+OK\r\nhalf of\r\n")
                    process.send_signal(number)
                    break
                connection.sendall(ANSWERS.get(line.strip(), b"+OK\r\n"))
            _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    # No traceback, but a word on it.
    assert errors.startswith(b"Interrupted")
    assert errors.count(b"\n") == 1
    assert [path for path in folder.iterdir() if not path.name.startswith(".")] == []
