"""The files and variables that hold a password or a certificate."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
import trustme

from pop3proto.cli.inputs import PASSWORD_VARIABLE, secret
from pop3proto.cli.main import main
from pop3proto.errors import LocalProtocolError
from pop3proto.testing import Turn, serve_script
from pop3proto.transcript import Entry


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\r\nanother\r\n", "secret"),
        (b"\xef\xbb\xbfsecret\r\n", "secret"),
        (b" spaces stay \t\n", " spaces stay \t"),
        ("grüße".encode(), "grüße"),
        # In another encoding: the octets, as they are.
        (b"gr\xfc\xdfe\n", b"gr\xfc\xdfe"),
        (b"x" * 65536 + b"\r\n", "x" * 65536),
    ],
)
def test_the_first_line_is_the_password(
    content: bytes, password: str | bytes, tmp_path: Path
) -> None:
    (tmp_path / "password").write_bytes(content)
    assert secret(tmp_path / "password", "", "").reveal() == password


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "first line is empty"),
        (b"\r\nsecret\r\n", "first line is empty"),
        (b"\xef\xbb\xbf", "first line is empty"),
        ("\ufeffsecret\n".encode("utf-16-le"), "UTF-16"),
        ("secret\n".encode("utf-16-be"), "UTF-16"),
        (b"x" * 65537, "more than 65536 octets"),
        (b"\xef\xbb\xbf" + b"x" * 1_000_000, "more than 65536 octets"),
    ],
)
def test_files_that_hold_no_password(content: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "p\x1b"
    path.write_bytes(content)
    with pytest.raises(LocalProtocolError, match=problem) as caught:
        secret(path, "", "")
    assert r"--password-file" in str(caught.value)
    assert r"p\x1b" in str(caught.value)
    assert "x" * 20 not in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="needs the file system of a UNIX")
def test_a_file_without_an_end() -> None:
    endless = Path("/dev/zero")
    if not endless.exists():
        pytest.skip("only POSIX has this file")
    with pytest.raises(LocalProtocolError, match="--password-file /dev/zero"):
        secret(endless, "", "")


@pytest.mark.skipif(os.name != "posix", reason="other systems have text in variables")
@pytest.mark.parametrize(
    ("octets", "password"),
    [(b"secret", "secret"), ("grüße".encode(), "grüße"), (b"gr\xfc\xdfe", b"gr\xfc\xdfe")],
)
def test_the_variable(
    octets: bytes, password: str | bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environb, PASSWORD_VARIABLE.encode(), octets)
    assert secret(None, "", "").reveal() == password


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def refused(monkeypatch: pytest.MonkeyPatch, error: Exception) -> str:
    def ask(prompt: str) -> str:
        assert prompt == r"Password of a\x1b: "
        raise error

    monkeypatch.setenv(PASSWORD_VARIABLE, "")
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", ask)
    with pytest.raises(LocalProtocolError) as caught:
        secret(None, "Password", "a\x1b")
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return str(caught.value)


def test_nothing_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(monkeypatch, EOFError()) == "no password was typed"


def test_something_strange_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    error = UnicodeDecodeError("utf-8", b"hunter\xff", 6, 7, "invalid")
    assert refused(monkeypatch, error) == "what was typed is not utf-8"


@pytest.mark.parametrize("stdin", [None, io.StringIO()])
def test_there_is_nobody_to_ask(stdin: io.StringIO | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(LocalProtocolError, match="there is no password: see --password-file"):
        secret(None, "", "")


def fetch(folder: Path, script: list[Turn | Entry], *arguments: str, login: str = "user") -> int:
    with serve_script(script) as server:
        url = f"pop://{login}@{server.host}:{server.port}"
        plain = ["--no-tls", "--allow-plaintext-auth"]
        return main(["fetch", url, str(folder / "mail"), *plain, *arguments])


def test_octets_that_are_not_utf_8_reach_the_server(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_bytes(b"gr\xfc\xdfe\n")
    script: list[Turn | Entry] = [
        (b"CAPA", b"+OK\r\nUSER\r\n.\r\n"),
        (b"USER user", b"+OK\r\n"),
        (b"PASS gr\xfc\xdfe", b"+OK\r\n"),
        (b"CAPA", b"+OK\r\n.\r\n"),
        (b"STAT", b"+OK 0 0\r\n"),
        (b"QUIT", b"+OK\r\n"),
    ]
    assert fetch(tmp_path, script, "--password-file", str(path)) == 0


def test_a_token_is_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"ya29.\xff\n")
    arguments = ["--password-file", str(path), "--no-tls"]
    url = "pop://user;AUTH=XOAUTH2@pop.example.org"
    assert main(["fetch", url, str(tmp_path / "mail"), *arguments]) == 1
    error = capsys.readouterr().err
    assert "the access token is not text in UTF-8" in error
    assert str(path) in error
    assert "ya29" not in error


@pytest.mark.parametrize("name", ["missing", "folder"])
@pytest.mark.parametrize("option", ["--password-file", "--ca", "--cert"])
def test_files_that_cannot_be_read(
    option: str,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Certificates are read before anybody is asked for a password.
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    (tmp_path / "folder").mkdir()
    arguments = [option, str(tmp_path / name)]
    assert main(["fetch", "pops://user@pop.example.org", str(tmp_path / "mail"), *arguments]) == 1
    error = capsys.readouterr().err
    assert f"{option} {tmp_path / name}: " in error
    assert {"missing": "No such file", "folder": "directory"}[name] in error


@pytest.mark.skipif(os.name != "posix" or not os.geteuid(), reason="root may read everything")
@pytest.mark.parametrize("option", ["--password-file", "--ca", "--cert"])
def test_files_that_nobody_may_read(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine"
    path.touch(0o000)
    arguments = [option, str(path)]
    assert main(["fetch", "pops://user@pop.example.org", str(tmp_path / "mail"), *arguments]) == 1
    assert f"{option} {path}: Permission denied" in capsys.readouterr().err


AUTHORITY = trustme.CA()
ONE, OTHER = (AUTHORITY.issue_cert(name) for name in ("a.example.org", "b.example.org"))
KEY = ONE.private_key_pem.bytes()
LEAF = ONE.cert_chain_pems[0].bytes()
BROKEN = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("option", "content", "problem"),
    [
        ("--ca", b"", "no certificates"),
        ("--ca", b"hello\n", "no certificates"),
        ("--ca", KEY, "no certificates"),
        ("--ca", BROKEN, "no certificates"),
        ("--cert", b"", "not a certificate and its key"),
        ("--cert", KEY, "not a certificate and its key"),
        ("--cert", LEAF, "not a certificate and its key"),
        ("--cert", BROKEN, "not a certificate and its key"),
        ("--cert", LEAF + OTHER.private_key_pem.bytes(), "the key is that of another certificate"),
    ],
)
def test_files_that_hold_no_certificate(
    option: str,
    content: bytes,
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    path = tmp_path / "some.pem"
    path.write_bytes(content)
    (tmp_path / "mail").mkdir()
    commands = [["fetch", "pops://user@pop.example.org"], ["serve"]]
    for command in commands if option == "--cert" else commands[:1]:
        assert main([*command, str(tmp_path / "mail"), option, str(path)]) == 1
        error = capsys.readouterr().err
        assert f"{option} {path}: {problem}" in error
        assert "Hint" not in error


def test_no_traceback_shows_a_password(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_bytes(b"\0hunter2" * 3)
    with pytest.raises(LocalProtocolError) as caught:
        secret(path, "", "")
    step = caught.value.__traceback__
    while step is not None:
        if "pop3proto" in step.tb_frame.f_code.co_filename:
            held = [*step.tb_frame.f_locals.values()]
            assert not any(b"hunter2" in each for each in held if isinstance(each, bytes))
        step = step.tb_next
