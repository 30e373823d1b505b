"""The options that all commands which connect have in common: which certificate is trusted."""

from __future__ import annotations

import hashlib
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
