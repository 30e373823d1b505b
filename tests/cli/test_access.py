"""The options that all commands which connect have in common: which certificate is trusted."""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from pop3proto.cli.inputs import PASSWORD_VARIABLE
from pop3proto.cli.main import main
from pop3proto.testing import LoopbackServer, serve

NAME = "pop.example.org"


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return made


@pytest.fixture
def certificate(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert(NAME)


@pytest.fixture(params=["tls", "stls"])
def server(
    request: pytest.FixtureRequest,
    certificate: trustme.LeafCert,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[LoopbackServer]:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    with serve(
        {"user": [b"one\r\n"]}, password="secret", security=request.param, tls_context=context
    ) as running:
        yield running


def fetched(server: LoopbackServer, folder: Path, *arguments: str) -> int:
    scheme = "pops" if server.security.value == "tls" else "pop"
    url = f"{scheme}://user@{server.host}:{server.port}"
    return main(["fetch", url, str(folder / "mail"), *arguments])


def test_the_certificate_with_the_fingerprint_is_trusted(
    server: LoopbackServer, certificate: trustme.LeafCert, tmp_path: Path
) -> None:
    der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode("ascii"))
    assert fetched(server, tmp_path, "--fingerprint", hashlib.sha256(der).hexdigest()) == 0


def test_another_certificate_is_not_trusted_even_if_it_is_verified(
    server: LoopbackServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verified = ["--ca", str(tmp_path / "ca.pem"), "--server-name", NAME]
    assert fetched(server, tmp_path, *verified, "--fingerprint", "0" * 64) == 1
    assert "TlsError: the server's certificate has the fingerprint " in capsys.readouterr().err
    assert not (tmp_path / "mail").exists()
    # Nothing was sent that depends on the password.
    (session,) = server.sessions
    assert session.user is None
    assert not {"USER", "AUTH", "APOP"} & {command.split()[0] for command in server.commands}
    assert fetched(server, tmp_path, *verified) == 0


def test_the_name_to_verify(
    server: LoopbackServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = ["--ca", str(tmp_path / "ca.pem")]
    assert fetched(server, tmp_path, *authority) == 1
    assert "give that as --server-name" in capsys.readouterr().err
    assert fetched(server, tmp_path, *authority, "--server-name", "other.example.org") == 1
    assert fetched(server, tmp_path, *authority, "--server-name", NAME) == 0


COMMANDS = [["check"], ["list"], ["show", "1"], ["fetch", "mail"], ["delete", "1"]]
Command = list[str]


def on_every(server: LoopbackServer, command: Command, folder: Path, *options: str) -> int:
    """Run a command in a folder, against a server whose certificate has another name."""
    scheme = "pops" if server.security.value == "tls" else "pop"
    name, *rest = command
    trust = ["--ca", str(folder / "ca.pem"), "--server-name", NAME]
    where = f"{scheme}://user@{server.host}:{server.port}"
    return main([name, where, *rest, *trust, *options])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_knows_the_options_in_common(
    command: Command,
    server: LoopbackServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert on_every(server, command, tmp_path) == 0
    before = len(server.commands)
    assert on_every(server, command, tmp_path, "--server-name", "other.example.org") == 1
    assert on_every(server, command, tmp_path, "--fingerprint", "0" * 64) == 1
    # Nothing was sent that depends on the password.
    sent = {line.split()[0].upper() for line in server.commands[before:]}
    assert not {"USER", "PASS", "AUTH", "APOP"} & sent
    capsys.readouterr()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_can_do_without_capabilities(
    command: Command,
    server: LoopbackServer,
    certificate: trustme.LeafCert,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode("ascii"))
    pinned = ["--fingerprint", hashlib.sha256(der).hexdigest(), "--server-name", "x.example.org"]
    options = [*pinned, "--no-capa", "--no-initial-response", "--timeout", "20"]
    scheme = "pops" if server.security.value == "tls" else "pop"
    where = f"{scheme}://user@{server.host}:{server.port}"
    assert main([command[0], where, *command[1:], *options]) == 0
    assert not any(line.upper().startswith("CAPA") for line in server.commands)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_has_an_end(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"pop://user@127.0.0.1:{silent.getsockname()[1]}"
        assert main([command[0], url, *command[1:], "--timeout", "0.1"]) == 75
    told = capsys.readouterr()
    assert "DeadlineError" in told.err + told.out
