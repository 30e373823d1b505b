"""``pop3proto conformance``: its options, its reports and its exit codes."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pop3proto.cli.inputs import PASSWORD_VARIABLE
from pop3proto.cli.main import main
from pop3proto.server import ServerOptions
from pop3proto.testing import LoopbackServer, Quirk, serve

SECRET = "pa55word"
Captured = pytest.CaptureFixture[str]
Trust = Callable[[LoopbackServer], list[str]]
OPTIONS = ServerOptions(failed_login_delay=0.0)


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with serve({"user": []}, password=SECRET, options=OPTIONS) as running:
        yield running


@pytest.fixture
def faulty() -> Iterator[LoopbackServer]:
    quirks = [Quirk.LOWER_CASE_STATUS, Quirk.REPEATED_CAPABILITIES]
    with serve({"user": []}, password=SECRET, options=OPTIONS, quirks=quirks) as running:
        yield running


@pytest.fixture
def authority(tmp_path: Path) -> Trust:
    def trust(server: LoopbackServer) -> list[str]:
        path = tmp_path / "ca.pem"
        (found,) = server.client_context().get_ca_certs(binary_form=True)
        path.write_text(ssl.DER_cert_to_PEM_cert(found))
        return ["conformance", "server", server.url, "--ca", str(path)]

    return trust


def test_a_server_that_passes(authority: Trust, server: LoopbackServer, capsys: Captured) -> None:
    assert main([*authority(server), "--only", "S10"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"server {server.url}\n")
    assert "9 pass, 0 fail" in out
    assert "S101" not in out
    assert SECRET not in out
    assert main([*authority(server), "--only", "S10", "--skip", "S109", "--verbose"]) == 0
    out = capsys.readouterr().out
    assert "S101  pass" in out
    assert "S109" not in out


def test_json(authority: Trust, faulty: LoopbackServer, capsys: Captured) -> None:
    assert main([*authority(faulty), "--only", "S103", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["counts"]["fail"] == 1
    (result,) = report["results"]
    assert (result["number"], result["outcome"]) == ("S103", "fail")
    assert "+ok" in result["reason"]
    assert any(
        "PASS <redacted>" in line for each in result["conversations"] for line in each["lines"]
    )


def test_files(authority: Trust, faulty: LoopbackServer, tmp_path: Path, capsys: Captured) -> None:
    junit, page = tmp_path / "junit.xml", tmp_path / "report.html"
    files = ["--junit", str(junit), "--html", str(page)]
    assert main([*authority(faulty), "--only", "S103", *files]) == 1
    (suite,) = ElementTree.parse(junit).getroot()
    assert suite.get("failures") == "1"
    assert "S103" in page.read_text("utf-8")
    assert SECRET not in junit.read_text("utf-8") + page.read_text("utf-8")


def test_a_baseline(
    authority: Trust, faulty: LoopbackServer, tmp_path: Path, capsys: Captured
) -> None:
    known = tmp_path / "known.txt"
    wanted = [*authority(faulty), "--only", "S103", "--only", "S606"]
    assert main([*wanted, "--write-baseline", str(known)]) == 1
    assert [line[:4] for line in known.read_text().splitlines()[1:]] == ["S103", "S606"]
    assert main([*wanted, "--baseline", str(known)]) == 0
    assert "0 fail, 2 known" in capsys.readouterr().out
    known.write_text("nonsense\n")
    assert main([*wanted, "--baseline", str(known)]) == 1
    assert "baseline, line 1" in capsys.readouterr().err
    assert main([*wanted, "--baseline", str(tmp_path / "none")]) == 1


def test_warnings_count_if_that_is_wanted(
    authority: Trust, faulty: LoopbackServer, capsys: Captured
) -> None:
    wanted = [*authority(faulty), "--only", "S606"]
    assert main(wanted) == 0
    assert "S606  warning" in capsys.readouterr().out
    assert main([*wanted, "--strict"]) == 1


def test_deliveries(
    authority: Trust, server: LoopbackServer, tmp_path: Path, capsys: Captured
) -> None:
    wanted = [*authority(server), "--only", "S101"]
    for name in ("tmp", "new", "cur"):
        (tmp_path / name).mkdir()
    for option in (
        ["--deliver-maildir", str(tmp_path)],
        ["--deliver-command", "true"],
        ["--deliver-smtp", "127.0.0.1", "--recipient", "user@example.org"],
        ["--deliver-lmtp", "[::1]:24", "--recipient", "user@example.org"],
    ):
        assert main([*wanted, *option]) == 0
    capsys.readouterr()
    for option, complaint in (
        (["--deliver-maildir", str(tmp_path / "none")], "not a Maildir"),
        (["--deliver-smtp", "127.0.0.1"], "--recipient"),
        (["--deliver-lmtp", "127.0.0.1", "--recipient", "a@b"], "--deliver-lmtp"),
        (["--deliver-smtp", "host:x", "--recipient", "a@b"], "--deliver-smtp"),
    ):
        assert main([*wanted, *option]) == 1
        assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["server"], ["other", "pop://example.org"], ["server", "x", "--nonsense"]]
)
def test_a_command_line_that_cannot_be_used(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["conformance", *arguments])
    assert caught.value.code == 2


def test_a_server_that_is_not_there(
    server: LoopbackServer, authority: Trust, capsys: Captured
) -> None:
    wanted = authority(server)
    server.close()
    assert main(wanted) == 1
    assert "no connection" in capsys.readouterr().err


def test_a_number_that_no_case_has(
    server: LoopbackServer, authority: Trust, capsys: Captured
) -> None:
    assert main([*authority(server), "--only", "S1000"]) == 1
    assert "no case" in capsys.readouterr().err


def test_another_login_than_the_cases_have(capsys: Captured) -> None:
    url = "pops://user;AUTH=XOAUTH2@pop.example.org"
    assert main(["conformance", "server", url]) == 1
    assert "the cases log in with USER and PASS" in capsys.readouterr().err


def test_no_tls_needs_leave_to_show_the_password(capsys: pytest.CaptureFixture[str]) -> None:
    options = ServerOptions(allow_plaintext_auth=True)
    with serve({"user": []}, password=SECRET, security="plaintext", options=options) as server:
        wanted = ["conformance", "server", server.url, "--no-tls", "--only", "S401"]
        assert main(wanted) == 1
        assert "would show the password" in capsys.readouterr().err
        assert main([*wanted, "--allow-plaintext-auth"]) == 0
        assert main([*wanted, "--allow-plaintext-auth", "--timeout", "3"]) == 0


def test_quiet(
    authority: Trust, server: LoopbackServer, faulty: LoopbackServer, capsys: Captured
) -> None:
    assert main([*authority(server), "--only", "S10", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert main([*authority(faulty), "--only", "S103", "-q"]) == 1
    assert "S103" in capsys.readouterr().out


def test_a_baseline_that_is_not_text(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "known").write_bytes(b"\xff\xfe")
    arguments = ["client", "--baseline", str(tmp_path / "known"), "--", "true"]
    assert main(["conformance", *arguments]) == 1
    assert "--baseline: this is not text in UTF-8" in capsys.readouterr().err
