"""``pop3proto check``: what it reports, and that no server can make it fail, hang or log in."""

from __future__ import annotations

import datetime
import json
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from pop3proto.cli import check
from pop3proto.cli.check_text import lines
from pop3proto.cli.inputs import PASSWORD_VARIABLE
from pop3proto.cli.main import main
from pop3proto.sasl.server import Passwords, password_mechanisms
from pop3proto.server import ServerOptions
from pop3proto.testing import LoopbackServer, Quirk, Turn, serve, serve_script
from pop3proto.transcript import EndOfStream, Entry

NAME = "pop.example.org"
SECRET = "pa55 word"
USERS = {"user": SECRET}
KEYS = {
    "url": str,
    "command": str,
    "host": str,
    "port": int,
    "security": str,
    "time": str,
    "version": str,
    "ok": bool,
    "greeting": dict,
    "tls": dict,
    "certificate": dict,
    "capabilities": dict,
    "mechanisms": dict,
    "login": dict,
    "round_trip_seconds": float,
    "deviations": list,
    "problems": list,
    "advice": list,
}


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)


@contextmanager
def certified(
    folder: Path,
    *names: str,
    security: str = "tls",
    not_after: datetime.datetime | None = None,
    quirks: Iterable[Quirk] = (),
) -> Iterator[tuple[LoopbackServer, str]]:
    """A server with a certificate for ``names``, and the file of its authority."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names, not_after=not_after).configure_cert(context)
    with serve(
        {"user": [b"one\r\n"]},
        users=USERS,
        security=security,  # type: ignore[arg-type]
        mechanisms=password_mechanisms(Passwords(USERS), host="127.0.0.1"),
        options=ServerOptions(failed_login_delay=0.0),
        tls_context=context,
        quirks=quirks,
    ) as server:
        yield server, str(folder / "ca.pem")


def url(server: LoopbackServer, login: str = "user@") -> str:
    scheme = "pops" if server.security.value == "tls" else "pop"
    return f"{scheme}://{login}{server.host}:{server.port}"


@pytest.fixture
def checked(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command; return its exit code and its report. The text is made, too."""

    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = main(["check", *arguments, "--json"])
        out = capsys.readouterr().out
        report: dict[str, Any] = json.loads(out)
        assert all(character == "\n" or " " <= character <= "~" for character in out)
        assert SECRET not in out
        assert set(report) == set(KEYS)
        for key, kind in KEYS.items():
            assert report[key] is None or isinstance(report[key], kind), key
        assert report["ok"] is (code == 0)
        assert report["ok"] is not bool(report["problems"])
        for line in lines(report):
            assert line.isprintable()
        return code, report

    return run


@pytest.mark.parametrize("security", ["tls", "stls"])
def test_all_is_well(security: str, tmp_path: Path, checked: Any) -> None:
    with certified(tmp_path, "127.0.0.1", security=security) as (server, ca):
        code, report = checked(url(server), "--ca", ca)
        (session,) = server.sessions
    assert code == 0
    assert session.user == "user"
    assert not session.deleted
    assert report["greeting"]["apop"]
    assert report["tls"]["version"] == "TLSv1.3"
    assert report["certificate"]["verified"]
    assert report["certificate"]["problem"] is None
    assert report["certificate"]["names"] == ["IP Address:127.0.0.1"]
    assert report["certificate"]["days_left"] > 0
    before, after, login = report["capabilities"].values()
    assert (before is None) is (security == "tls")
    assert before is None or "STLS" in before
    assert "USER" in after
    assert "IMPLEMENTATION pop3proto" in login
    assert "SCRAM-SHA-256" in report["mechanisms"]["offered"]
    chosen = report["mechanisms"]["chosen"]
    assert chosen.startswith("SCRAM-SHA-512")
    assert report["login"]["mechanism"] == chosen
    assert report["login"]["user"] == "user"
    assert report["round_trip_seconds"] > 0
    assert report["deviations"] == report["advice"] == []


def test_the_text_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with certified(tmp_path, "127.0.0.1") as (server, ca):
        assert main(["check", url(server), "--ca", ca]) == 0
    out = capsys.readouterr().out
    for beginning in (
        f"Server: 127.0.0.1 port {server.port}, TLS\n",
        "TLS: TLSv1.3, ",
        "Certificate: verified\n  Subject: ",
        "  Names: IP Address:127.0.0.1\n",
        "Capabilities under TLS:\n  TOP\n",
        "Capabilities after the login:\n",
        "A login would use: SCRAM-SHA-512",
        "Login: user, by SCRAM-SHA-512",
        "Round trip: ",
        "Result: the server can be used\n",
    ):
        assert beginning in out


def test_nobody_has_to_log_in(
    tmp_path: Path, checked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE)
    with certified(tmp_path, "127.0.0.1") as (server, ca):
        # A host is a host with TLS.
        code, report = checked(f"{server.host}:{server.port}", "--ca", ca)
        assert [session.user for session in server.sessions] == [None]
    assert code == 0
    assert report["login"] is None
    assert report["capabilities"]["after_login"] is None
    assert report["mechanisms"]["chosen"]
    assert report["round_trip_seconds"] is not None


@pytest.mark.parametrize("security", ["tls", "stls"])
def test_a_certificate_that_is_refused_is_shown(
    security: str, tmp_path: Path, checked: Any
) -> None:
    with certified(tmp_path, NAME, security=security) as (server, ca):
        code, report = checked(url(server), "--ca", ca)
        assert not any(session.user for session in server.sessions)
        assert checked(url(server), "--ca", ca, "--server-name", NAME)[0] == 0
    assert code == 1
    found = report["certificate"]
    assert not found["verified"]
    assert "127.0.0.1" in found["problem"]
    assert found["names"] == [f"DNS:{NAME}"]
    assert "trustme" in found["issuer"]
    assert report["capabilities"]["after_tls"]
    assert report["login"] is None
    (problem,) = report["problems"]
    assert problem["at"] == "tls"
    assert problem["error"] == "TlsError"
    assert any("--server-name" in advice for advice in report["advice"])


def test_the_end_of_a_certificate(tmp_path: Path, checked: Any) -> None:
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    with certified(tmp_path, "127.0.0.1", not_after=now + datetime.timedelta(days=3, hours=1)) as (
        server,
        ca,
    ):
        code, report = checked(url(server), "--ca", ca)
    assert code == 0
    assert report["certificate"]["days_left"] == 3
    assert any("ends in 3 days" in advice for advice in report["advice"])
    with certified(tmp_path, "127.0.0.1", not_after=now - datetime.timedelta(hours=1)) as (
        server,
        ca,
    ):
        code, report = checked(url(server), "--ca", ca)
    assert code == 1
    assert report["certificate"]["days_left"] == -1
    assert "expired" in report["certificate"]["problem"]


def test_a_fingerprint_stands_for_a_certificate(tmp_path: Path, checked: Any) -> None:
    with certified(tmp_path, NAME, security="stls") as (server, _):
        _, report = checked(url(server))
        fingerprint = report["certificate"]["sha256"]
        colons = ":".join(fingerprint[i : i + 2] for i in range(0, 64, 2)).upper()
        code, report = checked(url(server), "--fingerprint", colons)
        assert code == 0
        assert report["certificate"]["verified"]
        assert report["login"] is not None
        logins = [session.user for session in server.sessions].count("user")
        code, report = checked(url(server), "--fingerprint", "0" * 64)
        assert code == 1
        assert not report["certificate"]["verified"]
        assert "fingerprint" in report["certificate"]["problem"]
        assert report["login"] is None
        assert [session.user for session in server.sessions].count("user") == logins


def test_without_a_way_to_decode_it_the_fingerprint_is_left(
    tmp_path: Path, checked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("_ssl._test_decode_cert")
    with certified(tmp_path, NAME) as (server, _):
        code, report = checked(url(server))
    assert code == 1
    assert len(report["certificate"]["sha256"]) == 64
    assert report["certificate"]["subject"] is None
    assert report["certificate"]["names"] == []


PLAIN = ["--no-tls", "--allow-plaintext-auth"]


@pytest.mark.parametrize("quirk", Quirk, ids=lambda quirk: quirk.name)
def test_a_server_that_misbehaves(quirk: Quirk, checked: Any) -> None:
    with serve(
        {"user": [b"one\r\n"]},
        users=USERS,
        security="plaintext",
        options=ServerOptions(allow_plaintext_auth=True, failed_login_delay=0.0),
        quirks=[quirk],
    ) as server:
        code, report = checked(url(server), *PLAIN, "--timeout", "0.5")
    assert code in (0, 1, 75)
    assert any("not encrypted" in advice for advice in report["advice"]) is (
        report["greeting"] is not None
    )


def test_faults_are_counted(checked: Any) -> None:
    with serve({"user": []}, users=USERS, security="plaintext", quirks=[Quirk.BARE_LF]) as server:
        code, report = checked(url(server, ""), "--no-tls")
    assert code == 0
    (fault,) = report["deviations"]
    assert fault["fault"] == "BARE_LF"
    assert fault["count"] >= 2
    assert "which rules of POP3" in report["advice"][-1]


ESCAPES = "\x1b]0;x\x07\x1b[2J\u202e\x9b\udcff".encode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("greeting", "script", "step"),
    [
        (b"", [EndOfStream("server")], "connection"),
        (b"-ERR " + ESCAPES + b"\r\n", [], "connection"),
        (b"HTTP/1.1 400 " + ESCAPES + b"\r\n", [], "connection"),
        (b"+OK\r\n", [(b"CAPA", None)], "capabilities"),
        (b"+OK\r\n", [(b"CAPA", b"-ERR\r\n"), (b"AUTH", None)], "capabilities"),
        (b"+OK\r\n", [(b"CAPA", b"+OK\r\n.\r\n"), (b"USER user", b"-ERR no\r\n")], "login"),
    ],
)
def test_a_server_that_is_of_no_use(
    greeting: bytes, script: list[Turn | Entry], step: str, checked: Any
) -> None:
    with serve_script(script, greeting=greeting) as server:
        code, report = checked(f"pop://user@{server.host}:{server.port}", *PLAIN, "--timeout", "2")
    (problem,) = report["problems"]
    assert problem["at"] == step
    assert code == (75 if problem["transient"] else 1)
    assert problem["hint"] in report["advice"]


def test_capabilities_without_end(checked: Any) -> None:
    with serve_script([(b"CAPA", b"+OK\r\n" + b"A\r\n" * 600)]) as server:
        _, report = checked(f"pop://{server.host}:{server.port}", *PLAIN)
    assert [problem["error"] for problem in report["problems"]] == ["LimitError"]


def test_a_server_that_hangs_up_after_its_certificate_was_refused(
    tmp_path: Path, checked: Any
) -> None:
    with certified(tmp_path, NAME, quirks=[Quirk.CLOSES_ON_CAPA]) as (server, _):
        code, report = checked(url(server))
    assert code == 1
    assert [problem["at"] for problem in report["problems"]] == ["tls", "capabilities"]
    assert report["certificate"]["problem"]


def test_nothing_is_written_to_the_terminal_that_it_would_obey(
    checked: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    script: list[Turn | Entry] = [
        (b"CAPA", b"+OK\r\n" + ESCAPES + b"\r\nSASL " + ESCAPES + b"\r\n.\r\n"),
        (b"CAPA", b"+OK\r\n.\r\n"),
        (b"QUIT", b"+OK\r\n"),
    ]
    for run in (checked, lambda *arguments: main(["check", *arguments])):
        with serve_script(script, greeting=b"+OK " + ESCAPES + b"\r\n") as server:
            run(f"pop://{server.host}:{server.port}", "--no-tls")
    assert "\x1b" not in capsys.readouterr().out


def test_a_server_without_capa_is_asked_what_auth_knows(checked: Any) -> None:
    script: list[Turn | Entry] = [
        (b"CAPA", b"-ERR\r\n"),
        (b"AUTH", b"+OK\r\nPLAIN\r\n.\r\n"),
        (b"AUTH PLAIN <redacted>", b"+OK\r\n"),
        (b"CAPA", b"-ERR\r\n"),
        (b"NOOP", b"-ERR what?\r\n"),
        (b"QUIT", b"+OK\r\n"),
    ]
    with serve_script(script) as server:
        code, report = checked(f"pop://user@{server.host}:{server.port}", *PLAIN)
    assert code == 0
    assert report["mechanisms"]["offered"] == ["PLAIN"]
    assert report["login"]["mechanism"] == "PLAIN"
    assert report["round_trip_seconds"] is not None


def test_a_server_that_hangs_up_on_capa(checked: Any) -> None:
    with serve_script([(b"QUIT", b"+OK\r\n")]) as server:
        where = f"pop://{server.host}:{server.port}"
        code, report = checked(where, "--no-capa", *PLAIN)
    assert code == 0
    assert report["mechanisms"] == {"offered": None, "chosen": "USER", "problem": None}
    assert report["round_trip_seconds"] is None


def test_a_password_is_not_shown_to_the_network(checked: Any) -> None:
    script: list[Turn | Entry] = [(b"CAPA", b"+OK\r\nUSER\r\n.\r\n")]
    with serve_script(script) as server:
        code, report = checked(f"pop://user@{server.host}:{server.port}", "--no-tls")
    assert code == 1
    assert report["problems"][0]["error"] == "PlaintextAuthError"
    assert report["mechanisms"]["chosen"] is None
    assert "--allow-plaintext-auth" in report["advice"][0]


def test_a_token_is_used_as_the_url_says(checked: Any) -> None:
    script: list[Turn | Entry] = [
        (b"CAPA", b"+OK\r\nUIDL\r\n.\r\n"),
        (b"AUTH XOAUTH2", b"+ \r\n"),
        (b"<redacted>", b"+OK\r\n"),
        (b"CAPA", b"+OK\r\nUIDL\r\n.\r\n"),
        (b"NOOP", b"+OK\r\n"),
        (b"QUIT", b"-ERR no\r\n"),
    ]
    with serve_script(script) as server:
        where = f"pop://user;AUTH=XOAUTH2@{server.host}:{server.port}"
        code, report = checked(where, *PLAIN)
    assert report["mechanisms"]["chosen"] == report["login"]["mechanism"] == "XOAUTH2"
    # QUIT deletes nothing here, and still should work.
    assert code == 1
    assert report["problems"][0]["at"] == "quit"


def test_all_of_it_has_a_deadline(checked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "_LONGEST", 0.2)
    with serve_script([(b"CAPA", b"")]) as server:
        code, report = checked(f"pop://{server.host}:{server.port}", *PLAIN)
    assert code == 75
    (problem,) = report["problems"]
    assert problem["error"] == "DeadlineError"
    assert "longer than 0.2 s" in problem["text"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["pops://pop.example.org", "--no-tls"], "--no-tls is for a pop:// URL"),
        (["pop://x", "--no-tls", "--fingerprint", "0" * 64], "--fingerprint needs TLS"),
        (["pop://user:secret@pop.example.org"], "a password has no place"),
        (["pop.example.org", "--ca", "no-such-file"], "--ca no-such-file"),
    ],
)
def test_what_cannot_be_meant(
    arguments: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    unusable = error.startswith(("--no-tls", "--fingerprint"))
    assert main(["check", *arguments]) == (2 if unusable else 1)
    captured = capsys.readouterr()
    assert error in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("fingerprint", ["", "0" * 63, "g" * 64])
def test_a_fingerprint_is_64_digits(fingerprint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["check", "pop.example.org", "--fingerprint", fingerprint])
    assert caught.value.code == 2
    assert "64 hexadecimal digits" in capsys.readouterr().err
