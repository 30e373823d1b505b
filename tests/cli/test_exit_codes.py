"""Each exit code of the table in docs/command-line.md."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pop3proto.cli.codes import UsageError, code_for, code_of
from pop3proto.cli.man import EXIT_CODES
from pop3proto.errors import ConnectError

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "command-line.md").read_text("utf-8")


def code(*arguments: str) -> int:
    command = [sys.executable, "-m", "pop3proto", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60)
    assert b"Traceback" not in done.stderr
    return done.returncode


def code_after(number: signal.Signals) -> int:
    """The exit code of a command that a signal ends while it waits for the server."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            where = f"pop://127.0.0.1:{listener.getsockname()[1]}"
            process = subprocess.Popen(
                [sys.executable, "-m", "pop3proto", "check", where, "--no-tls"],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                stderr=subprocess.PIPE,
            )
            listener.settimeout(60)
            with listener.accept()[0]:
                process.send_signal(number)
                _, errors = process.communicate(timeout=60)
    finally:
        signal.signal(number, before)
    assert errors == b"Interrupted: the check is not complete\n"
    return process.returncode


def test_the_table_has_all_codes() -> None:
    section = PAGE.partition("### Exit codes")[2].partition("\n## ")[0]
    assert re.findall(r"(?m)^\| ([\d +N]+) \|", section) == [*EXIT_CODES]
    assert [*EXIT_CODES] == ["0", "1", "2", "75", "130", "128 + N"]


def test_success() -> None:
    assert code("man") == 0
    assert code("--version") == 0
    assert code("fetch", "--help") == 0


def test_failure(tmp_path: Path) -> None:
    assert code("replay", str(tmp_path / "missing.txt")) == 1


def test_failure_for_now() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert code("check", f"pop://127.0.0.1:{port}", "--no-tls") == 75
    assert code("check", f"pop://127.0.0.1:{port}", "--no-tls", "--json") == 75


def test_one_problem_that_stays_decides() -> None:
    now, later = {"transient": False}, {"transient": True}
    assert code_for([later, later]) == 75
    assert code_for([later, now]) == 1
    assert code_of(UsageError("x")) == 2
    assert code_of(ConnectError("x")) == 75
    assert code_of(OSError("x")) == 1


@pytest.mark.parametrize(
    "arguments", [[], ["unknown"], ["fetch"], ["list", "url", "--timeout", "x"], ["list", "--x"]]
)
def test_a_command_line_that_cannot_be_used(arguments: list[str]) -> None:
    assert code(*arguments) == 2


@pytest.mark.skipif(os.name != "posix", reason="Windows ends a process without asking it")
def test_signals() -> None:
    assert code_after(signal.SIGINT) == 130
    assert code_after(signal.SIGTERM) == 128 + signal.SIGTERM == 143
    assert code_after(signal.SIGHUP) == 128 + signal.SIGHUP
