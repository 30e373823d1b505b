"""The sources of a password besides a file: a command, a descriptor, a variable, the keyring."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from argparse import ArgumentParser, Namespace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pop3proto.cli import passwords
from pop3proto.cli.inputs import PASSWORD_VARIABLE
from pop3proto.cli.main import main
from pop3proto.cli.options.access import add_access
from pop3proto.cli.passwords import password
from pop3proto.errors import LocalProtocolError
from pop3proto.model.secret import Secret
from pop3proto.testing import Turn, serve_script
from pop3proto.transcript import Entry

SECRET = "hunter2 ünïcode"
posix = pytest.mark.skipif(os.name != "posix", reason="another way to start commands")


def given(*arguments: str) -> Namespace:
    parser = ArgumentParser()
    add_access(parser)
    return parser.parse_args(arguments)


def found(*arguments: str) -> str | bytes:
    return password(given(*arguments), "user@example.org", "pop.example.org").reveal()


def python(code: str) -> str:
    return shlex.join([sys.executable, "-S", "-c", code])


def prints(octets: bytes) -> str:
    return python(f"import sys; sys.stdout.buffer.write({octets!r})")


@posix
@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (SECRET.encode(), SECRET),
        (SECRET.encode() + b"\n", SECRET),
        (SECRET.encode() + b"\r\nuser: somebody\n", SECRET),
        (b"\xef\xbb\xbfsecret\n", "secret"),
        (b" spaces stay \n", " spaces stay "),
        (b"gr\xfc\xdfe\n", b"gr\xfc\xdfe"),
    ],
)
def test_the_first_line_that_a_command_prints(printed: bytes, expected: str | bytes) -> None:
    assert found("--password-command", prints(printed)) == expected


@posix
def test_no_shell_sees_the_command(tmp_path: Path) -> None:
    program = tmp_path / "it's $HOME; echo"
    program.write_text('#!/bin/sh\necho "$1"\n')
    program.chmod(0o700)
    command = shlex.join([str(program), "a;b $HOME"])
    assert found("--password-command", command) == "a;b $HOME"


@posix
@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (python("print('hunter2'); raise SystemExit(3)"), "exit code 3"),
        (python("import os; print('hunter2', flush=True); os.kill(os.getpid(), 9)"), "signal 9"),
        (python("import sys; print('hunter2', file=sys.stderr)"), "first line is empty"),
        (python("print('hunter2' * 20_000)"), "more than 65536 octets"),
        # It would never end by itself.
        (python("while True: print('hunter2', end='')"), "more than 65536 octets"),
        (python("print('hunter2\\0')"), "NUL"),
        ("/does/not/exist --secret hunter2", "/does/not/exist: No such file"),
        (".", "Permission denied"),
        ("pass 'hunter2", "No closing quotation"),
        ("", "there is no command"),
        ("''", "there is no command"),
        ("pass \0hunter2", "null byte"),
    ],
)
def test_commands_that_give_no_password(
    command: str, problem: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LocalProtocolError, match=problem) as caught:
        found("--password-command", command)
    assert str(caught.value).startswith("--password-command")
    # Not even what the command has written to its own standard error.
    assert "hunter2" not in str(caught.value) + "".join(capfd.readouterr())


@posix
@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(600)",
        # It closes what it prints to, and stays.
        "import os, time; os.close(1); time.sleep(600)",
    ],
)
def test_a_command_that_does_not_end(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_PATIENCE", 0.2)
    with pytest.raises(LocalProtocolError, match=r"it did not end within 0\.2 s"):
        found("--password-command", python(code))


@posix
def test_what_a_command_leaves_behind_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_PATIENCE", 0.2)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    # It ends at once, but its standard output is open until the other command ends.
    with pytest.raises(LocalProtocolError, match="did not end"):
        found("--password-command", shlex.join(["sh", "-c", f"cat {fifo} &"]))
    os.close(os.open(fifo, os.O_RDWR))


@posix
def test_a_command_that_is_interrupted_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[int] = []
    real = os.kill

    def kill(pid: int, number: int) -> None:
        stopped.append(number)
        real(pid, number)

    def interrupted(self: threading.Thread, timeout: float | None = None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "kill", kill)
    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        found("--password-command", python("import time; time.sleep(600)"))
    assert stopped == [signal.SIGKILL]


def test_another_system_makes_words_of_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "name", "nt")
    assert passwords._words("--password-command", r"C:\x.exe 'y z'") == r"C:\x.exe 'y z'"


def test_a_descriptor_gives_a_line_at_a_time() -> None:
    read, write = os.pipe()
    os.write(write, SECRET.encode() + b"\nother\r\nlast")
    os.close(write)
    try:
        assert [found("--password-fd", str(read)) for _ in range(3)] == [SECRET, "other", "last"]
        with pytest.raises(LocalProtocolError, match=f"--password-fd {read}: the first line is em"):
            found("--password-fd", str(read))
    finally:
        os.close(read)


def test_a_descriptor_that_is_not_open() -> None:
    with pytest.raises(LocalProtocolError, match="--password-fd 987654: "):
        found("--password-fd", "987654")


@pytest.mark.parametrize("text", ["-1", "x", "", "1.0", "12345678"])
def test_what_is_no_descriptor(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        given(f"--password-fd={text}")
    assert "expected the number of an open file" in capsys.readouterr().err


def test_another_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "usual")
    monkeypatch.setenv("OF_WORK", SECRET)
    assert found() == "usual"
    assert found("--password-variable", "OF_WORK") == SECRET
    monkeypatch.setenv("OF_WORK", "")
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(LocalProtocolError, match="or set OF_WORK"):
        found("--password-variable", "OF_WORK")


def test_without_a_variable_nobody_s_password_goes_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "usual")
    monkeypatch.setattr(sys, "stdin", None)
    arguments = given()
    arguments.password_variable = None
    with pytest.raises(LocalProtocolError, match=r"there is no password: see --password-file$"):
        password(arguments, "user", "pop.example.org")


def test_two_sources_are_one_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        given("--password-file", "x", "--password-command", "y")
    assert "not allowed with argument" in capsys.readouterr().err


class KeyringError(Exception):
    pass


class Ring(ModuleType):
    """A keyring in memory."""

    def __init__(self) -> None:
        super().__init__("keyring")
        self.kept: dict[tuple[str, str], str] = {}
        self.broken = ""

    def get_password(self, service: str, name: str) -> str | None:
        if self.broken:
            raise KeyringError(self.broken)
        return self.kept.get((service, name))


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Ring:
    made, errors = Ring(), ModuleType("keyring.errors")
    monkeypatch.setattr(errors, "KeyringError", KeyringError, raising=False)
    monkeypatch.setitem(sys.modules, "keyring", made)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    return made


def test_the_keyring(ring: Ring) -> None:
    ring.kept["mail", "user@example.org"] = SECRET
    assert found("--keyring", "mail") == SECRET
    with pytest.raises(LocalProtocolError, match=r"other: it has no password of user@example.org"):
        found("--keyring", "other")
    ring.broken = "the keyring is locked"
    with pytest.raises(LocalProtocolError, match="--keyring mail: the keyring is locked"):
        found("--keyring", "mail")


def test_the_real_keyring_has_this_interface() -> None:
    keyring = pytest.importorskip("keyring")
    errors = pytest.importorskip("keyring.errors")
    backends: list[Any] = [
        pytest.importorskip(f"keyring.backends.{name}") for name in ("null", "fail")
    ]
    before = keyring.get_keyring()
    try:
        for backend, problem in zip(backends, ("it has no password", "backend"), strict=True):
            keyring.set_keyring(backend.Keyring())
            with pytest.raises(LocalProtocolError, match=f"--keyring mail: .*{problem}"):
                found("--keyring", "mail")
    finally:
        keyring.set_keyring(before)
    assert issubclass(errors.NoKeyringError, errors.KeyringError)


def test_the_keyring_s_package_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert main(["list", "pops://user@pop.example.org", "--keyring", "mail"]) == 2
    assert 'pip install "pop3proto[keyring]"' in capsys.readouterr().err


def test_a_password_of_a_file_with_accounts_comes_first() -> None:
    arguments = given()
    arguments.password = Secret("secret")
    assert password(arguments, "user", "pop.example.org").reveal() == "secret"


@posix
def test_a_file_that_others_can_read_is_warned_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "password\x1b"
    path.write_text("hunter2\n")
    for mode, warned in (0o600, False), (0o400, False), (0o640, True), (0o604, True):
        path.chmod(mode)
        assert found("--password-file", str(path)) == "hunter2"
        error = capsys.readouterr().err
        assert ("other users can read this file" in error) == warned
        assert "hunter2" not in error
        assert "\x1b" not in error


@posix
def test_a_group_may_read_what_root_has_given_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "password"
    path.write_text("hunter2\n")
    path.chmod(0o640)
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    assert found("--password-file", str(path)) == "hunter2"
    assert capsys.readouterr().err == ""


@posix
def test_a_refused_token_makes_the_command_run_again(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    command = python(
        f"f = open({str(runs)!r}, 'a+'); f.write('x'); f.seek(0); print('token%d' % len(f.read()))"
    )
    script: list[Turn | Entry] = [
        (b"CAPA", b"+OK\r\nSASL XOAUTH2\r\n.\r\n"),
        (b"AUTH XOAUTH2", b"+ \r\n"),
        (b"<redacted>", b"-ERR expired\r\n"),
        (b"AUTH XOAUTH2", b"+ \r\n"),
        (b"<redacted>", b"+OK\r\n"),
        (b"CAPA", b"+OK\r\n.\r\n"),
        (b"STAT", b"+OK 0 0\r\n"),
        (b"QUIT", b"+OK\r\n"),
    ]
    with serve_script(script) as server:
        url = f"pop://user;AUTH=XOAUTH2@{server.host}:{server.port}"
        plain = ["--no-tls", "--allow-plaintext-auth", "--password-command", command]
        assert main(["fetch", url, str(tmp_path / "mail"), *plain]) == 0
    assert runs.read_text() == "xx"
