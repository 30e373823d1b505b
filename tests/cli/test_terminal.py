"""The command line at a real terminal: progress, what it escapes, and Ctrl+C."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pop3proto.cli.inputs import PASSWORD_VARIABLE
from pop3proto.server import ServerOptions
from pop3proto.testing import LoopbackServer, serve

if TYPE_CHECKING or sys.platform != "win32":
    from tests.cli.terminal import Terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")

HOSTILE = "Subject: \x1b]0;title\x07\x1b[2J\u202e\x9b1m\r\n\r\nText.\r\n".encode()
LARGE = b"Subject: large\r\n\r\n" + (b"x" * 76 + b"\r\n") * 20_000
PLAIN = ["--no-tls", "--allow-plaintext-auth"]
OPTIONS = ServerOptions(allow_plaintext_auth=True, failed_login_delay=0.0)
# What rich draws with: colours and styles, moving the cursor, hiding it, and wiping lines away.
DRAWN = re.compile(r"\x1b\[[\d;]*[mAK]|\x1b\[\?25[lh]")


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    maildrops = {"user": [HOSTILE, LARGE]}
    with serve(maildrops, password="secret", security="plaintext", options=OPTIONS) as running:
        yield running


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    left_out = ("LC_", "LANG", "NO_COLOR", "FORCE_COLOR", "PYTHONIOENCODING", "TTY_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
    return {
        **kept,
        "TERM": "xterm-256color",
        "LC_ALL": "C.UTF-8",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "PYTHONPATH": os.pathsep.join(sys.path),
        PASSWORD_VARIABLE: "secret",
    }


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pop3proto", *arguments]


def url(server: LoopbackServer) -> str:
    return f"pop://user@{server.host}:{server.port}"


def shown(
    environment: dict[str, str], *arguments: str, output: Path | None = None
) -> tuple[int, str]:
    """Return the exit code and what the terminal got."""
    descriptor = None
    if output is not None:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT)
    try:
        with Terminal(command(*arguments), environment, output=descriptor) as terminal:
            seen = terminal.read_all()
    finally:
        if descriptor is not None:
            os.close(descriptor)
    return terminal.process.returncode, seen


def test_progress_of_a_message(
    server: LoopbackServer, environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "message.eml"
    code, seen = shown(environment, "show", url(server), "2", *PLAIN, output=path)
    assert code == 0
    assert path.read_bytes() == LARGE
    # Octets and a time to go; and at the end it is wiped away.
    assert "Message 2" in seen
    assert re.search(r"/1\.5 MiB|1\.5/1\.5 MiB", DRAWN.sub("", seen))
    assert re.search(r"\d:\d\d:\d\d", seen)
    assert seen.rstrip().endswith(("\x1b[2K", "\x1b[?25h"))


def test_progress_of_all_messages(
    server: LoopbackServer, environment: dict[str, str], tmp_path: Path
) -> None:
    code, seen = shown(environment, "fetch", url(server), str(tmp_path / "mail"), *PLAIN)
    assert code == 0
    assert "Fetching" in seen
    assert re.search(r"1\.5/1\.5 MiB", DRAWN.sub("", seen))
    # Nothing is left of it but the result.
    assert seen.replace("\r", "\n").rstrip().endswith("2 fetched, 0 were already there")


@pytest.mark.parametrize(
    "variables", [{"TERM": "dumb"}, {"TERM": ""}, {"QUIET": "-q"}], ids=lambda v: next(iter(v))
)
def test_no_progress(
    variables: dict[str, str],
    server: LoopbackServer,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    path = tmp_path / "message.eml"
    more = [variables.pop("QUIET")] if "QUIET" in variables else []
    environment |= variables
    code, seen = shown(environment, "show", url(server), "2", *PLAIN, *more, output=path)
    assert (code, seen) == (0, "")
    assert path.read_bytes() == LARGE


def test_progress_without_colours(
    server: LoopbackServer, environment: dict[str, str], tmp_path: Path
) -> None:
    environment["NO_COLOR"] = "1"
    arguments = ["show", url(server), "2", *PLAIN]
    code, seen = shown(environment, *arguments, output=tmp_path / "message.eml")
    assert code == 0
    assert "Message 2" in seen
    # Wiping a line is no colour; bold and dim are none, either.
    assert not re.search(r"\x1b\[[\d;]*\b(?:3[0-8]|9[0-7]|4[0-8])\b[\d;]*m", seen)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("name", ["list", "show", "check", "delete", "fetch"])
def test_nothing_of_the_server_reaches_the_terminal_as_it_is(
    name: str, encoding: str, server: LoopbackServer, environment: dict[str, str], tmp_path: Path
) -> None:
    environment["PYTHONIOENCODING"] = encoding
    more = {"show": ["1"], "delete": ["1"], "fetch": [str(tmp_path / "mail")]}
    code, seen = shown(environment, name, url(server), *more.get(name, []), *PLAIN)
    assert code == 0, seen
    rest = DRAWN.sub("", seen)
    assert all(c in "\r\n\t" or c.isprintable() for c in rest), rest
    if name == "show":
        assert r"\x1b]0;title\x07" in seen
        # It is written to one terminal with the progress, so there is none.
        assert "Message 1" not in seen


def test_ctrl_c_at_the_terminal(environment: dict[str, str], tmp_path: Path) -> None:
    answers = {b"STAT": b"+OK 1 2000000\r\n", b"LIST": b"+OK\r\n1 2000000\r\n.\r\n"}
    path = tmp_path / "message.eml"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = f"pop://user@127.0.0.1:{listener.getsockname()[1]}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
        arguments = command("show", where, "1", *PLAIN, "--no-capa")
        before = signal.signal(signal.SIGINT, signal.SIG_DFL)
        try:
            terminal = Terminal(arguments, environment, output=descriptor)
        finally:
            signal.signal(signal.SIGINT, before)
        with terminal:
            os.close(descriptor)
            listener.settimeout(60)
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as lines:
                connection.sendall(b"+OK\r\n")
                for line in lines:
                    if line.startswith(b"RETR"):
                        connection.sendall(b"+OK\r\n" + LARGE)
                        terminal.wait_for("Message 1")
                        terminal.process.send_signal(signal.SIGINT)
                        break
                    connection.sendall(answers.get(line.strip(), b"+OK\r\n"))
                seen = terminal.read_all()
    assert terminal.process.returncode == 130
    rest = DRAWN.sub("", seen).replace("\r", "\n").split("\n")
    assert "Interrupted: the message is not complete" in rest
    assert "Traceback" not in seen
    # The cursor that the progress hides is shown again.
    assert seen.count("\x1b[?25h") == seen.count("\x1b[?25l") > 0
