"""The embedded server passes all cases, in each security mode, and nothing is deleted unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from pop3proto import LocalProtocolError
from pop3proto.conformance import (
    Baseline,
    MaildirDelivery,
    Report,
    Result,
    ServerTarget,
    Verdict,
    check_server,
)
from pop3proto.conformance.server import facts
from pop3proto.model.secret import Secret
from pop3proto.sasl.server import Passwords, password_mechanisms
from pop3proto.server import MaildirMaildrops, ServerOptions
from pop3proto.testing import LoopbackServer, Quirk, serve
from pop3proto.transports import Security

USERS = {"user": "pa55word"}
AT_ONCE = ServerOptions(failed_login_delay=0.0)
MODES = [*Security]
# What is about STLS, about TLS, or takes minutes.
ONLY_WITH_STLS = {"S801", "S802", "S805", "S806", "S807", "S808", "S875"}
ONLY_WITH_TLS = {"S803", "S804", "S809", "S810", "S811", "S812", "S813", "S815"}
ONLY_WITH_IMPLICIT_TLS = {"S814"}
# They need channel binding, access tokens, and the ports 110 and 995.
NOWHERE = {"S866", "S870", "S871", "S816"}
SLOW, MARKED = {"S951", "S952"}, {"S807"}


def target(server: LoopbackServer, **more: object) -> ServerTarget:
    clear = server.security is Security.PLAINTEXT
    settings: dict[str, object] = {
        "host": server.host,
        "port": server.port,
        "security": server.security,
        "user": "user",
        "secret": Secret("pa55word"),
        "ssl_context": None if clear else server.client_context(),
        "allow_plaintext_auth": clear,
        **more,
    }
    return ServerTarget(**settings)  # type: ignore[arg-type]


def untested(report: Report) -> set[str]:
    return {r.case.number for r in report.results if r.verdict is not Verdict.PASS}


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_it_passes_all_cases(mode: Security, tmp_path: Path) -> None:
    folder = tmp_path / "user"
    for name in ("tmp", "new", "cur"):
        (folder / name).mkdir(parents=True)
    options = ServerOptions(allow_plaintext_auth=mode is Security.PLAINTEXT, failed_login_delay=0.0)
    with serve(
        MaildirMaildrops(tmp_path),
        users=USERS,
        security=mode,
        options=options,
        mechanisms=password_mechanisms(Passwords(USERS), host="127.0.0.1"),
    ) as server:
        told: list[Result] = []
        where = target(server, destructive=True, deliver=MaildirDelivery(folder))
        report = check_server(where, server.url, tell=told.append)
    assert report.results == (*told,)
    assert [(r.case.number, r.reason) for r in report.results if r.verdict is Verdict.FAIL] == []
    expected = {
        Security.PLAINTEXT: ONLY_WITH_STLS | ONLY_WITH_TLS | ONLY_WITH_IMPLICIT_TLS,
        Security.TLS: ONLY_WITH_STLS,
        Security.STLS: MARKED | ONLY_WITH_IMPLICIT_TLS,
    }
    assert untested(report) == expected[mode] | SLOW | NOWHERE
    told_of = dict(report.facts)
    assert told_of["login"] == "USER"
    assert told_of["security"].startswith(mode.value)
    assert told_of["implementation"] == "pop3proto"


@pytest.mark.slow
def test_nothing_is_deleted_unless_that_is_wanted() -> None:
    messages = [b"Subject: %d\r\n\r\nText.\r\n" % number for number in range(3)]
    # Not even by a server that deletes what it should refuse.
    with serve({"user": messages}, users=USERS, options=AT_ONCE) as server:
        report = check_server(target(server), server.url)
        assert server.messages("user") == messages
        # That one is sent before the login.
        assert {line for line in server.commands if line.startswith("DELE")} == {"DELE 1"}
    unwanted = {r.case.number for r in report.results if "--destructive" in r.reason}
    assert unwanted == {r.case.number for r in report.results if r.case.destructive}


def test_without_a_user_only_what_comes_before_a_login_is_tested() -> None:
    with serve({"user": []}, users=USERS, options=AT_ONCE) as server:
        report = check_server(target(server, user=None, secret=None), server.url)
        assert not any(line.startswith("PASS ") for line in server.commands)
    outcomes = {r.case.number: r.verdict for r in report.results}
    assert outcomes["S101"] is outcomes["S301"] is outcomes["S806"] is Verdict.PASS
    assert outcomes["S401"] is Verdict.NOT_TESTED
    assert Verdict.FAIL not in outcomes.values()


@pytest.mark.slow
def test_an_empty_maildrop_without_a_way_to_deliver() -> None:
    with serve({"user": []}, users=USERS, options=AT_ONCE) as server:
        report = check_server(target(server), server.url)
    reasons = {r.case.number: r.reason for r in report.results if r.verdict is Verdict.NOT_TESTED}
    assert reasons["S406"] == "it needs 1 messages, and the maildrop has 0"
    assert "known" in reasons["S421"]
    assert report.ok


def test_a_maildrop_that_stays_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "_RELEASE", 0.01)
    monkeypatch.setattr(facts, "_PAUSE", 0.01)
    with serve({"user": []}, users=USERS, quirks=[Quirk.LOGIN_IN_USE]) as server:
        where = target(server)
        with pytest.raises(ConnectionError, match=r"the login is refused.*IN-USE"):
            check_server(where, server.url, only=["S401"])


def test_a_wrong_password_ends_the_run_before_the_first_case() -> None:
    with serve({"user": []}, users=USERS, options=AT_ONCE) as server:
        where = target(server, secret=Secret("wrong"))
        with pytest.raises(ConnectionError, match="the login is refused") as caught:
            check_server(where, server.url)
    assert "wrong" not in str(caught.value)


def test_a_certificate_that_is_not_trusted_ends_the_run() -> None:
    import ssl

    with serve({"user": []}, users=USERS, security="tls") as server:
        where = target(server, ssl_context=ssl.create_default_context())
        with pytest.raises(ConnectionError, match="the TLS handshake failed"):
            check_server(where, server.url)


@pytest.mark.parametrize(("name", "right"), [("right", True), ("wrong", False)])
def test_a_fingerprint(name: str, right: bool) -> None:
    import ssl
    from hashlib import sha256

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with serve({"user": []}, users=USERS, security="tls") as server:
        with server.connect() as client:
            assert client.tls is not None
            certificate = client.tls.getpeercert(binary_form=True) or b""
        found = sha256(certificate).hexdigest() if right else "0" * 64
        where = target(server, ssl_context=context, fingerprint=found)
        if right:
            assert check_server(where, server.url, only=["S401"]).ok
        else:
            with pytest.raises(ConnectionError, match="does not have the fingerprint"):
                check_server(where, server.url, only=["S401"])
            assert not any("PASS" in line for line in server.commands)


@pytest.mark.parametrize(
    ("quirk", "numbers"),
    [
        (Quirk.NO_DOT_STUFFING, {"S421", "S422", "S423"}),
        (Quirk.BARE_LF, {"S102", "S406"}),
        (Quirk.LOWER_CASE_STATUS, {"S103"}),
        (Quirk.SKIPPED_NUMBERS, {"S402"}),
        (Quirk.DUPLICATE_UNIQUE_IDS, {"S503"}),
        (Quirk.MALFORMED_UNIQUE_IDS, {"S502"}),
        (Quirk.SMALL_SIZES, {"S407", "S425"}),
        (Quirk.BARE_CHALLENGES, {"S852"}),
        (Quirk.NO_INITIAL_RESPONSE, {"S855"}),
        (Quirk.CLOSES_WHEN_IDLE, {"S405"}),
        (Quirk.RETR_DELETES, {"S909"}),
        (Quirk.PIPELINED_BACKWARDS, {"S701"}),
        (Quirk.FORGOTTEN_CAPABILITIES, {"S603"}),
        (Quirk.REPEATED_CAPABILITIES, {"S606"}),
        (Quirk.SECOND_END, {"S409"}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_quirks_are_found(quirk: Quirk, numbers: set[str], tmp_path: Path) -> None:
    folder = tmp_path / "user"
    for name in ("tmp", "new", "cur"):
        (folder / name).mkdir(parents=True)
    deliver = MaildirDelivery(folder)
    for number in range(4):
        deliver.deliver(b"Subject: %d\r\n\r\nText.\r\n" % number)
    with serve(MaildirMaildrops(tmp_path), users=USERS, quirks=[quirk]) as server:
        where = target(server, destructive=True, deliver=deliver)
        report = check_server(where, server.url, only=numbers)
    assert {r.case.number for r in report.results if r.verdict is Verdict.FAIL} == numbers


def test_what_is_known_does_not_count() -> None:
    with serve({"user": []}, users=USERS, quirks=[Quirk.LOWER_CASE_STATUS]) as server:
        where = target(server)
        assert not check_server(where, server.url, only=["S103"]).ok
        known = Baseline({"S103": "known"})
        assert check_server(where, server.url, only=["S103"], baseline=known).ok


def test_wrong_arguments() -> None:
    clear = {"host": "pop.example.org", "port": 110, "security": Security.PLAINTEXT}
    with pytest.raises(LocalProtocolError, match="show the password"):
        ServerTarget(**clear, user="user", secret=Secret("x"))  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match="ssl_context"):
        ServerTarget(host="pop.example.org", port=995, security=Security.TLS)
    with pytest.raises(LocalProtocolError, match="no case"):
        check_server(ServerTarget(**clear), "url", only=["X1"])  # type: ignore[arg-type]
    for wrong in ({"only": "S101"}, {"skip": "S101"}, {"only": [401]}, {"strict": "no"}):
        with pytest.raises(LocalProtocolError, match=next(iter(wrong))):
            check_server(ServerTarget(**clear), "url", **wrong)  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match="target"):
        check_server("pop://pop.example.org", "url")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("argument", "wrong"),
    [
        ("host", 1),
        ("port", "110"),
        ("port", 0),
        ("security", "tls"),
        ("user", b"user"),
        ("secret", "pa55word"),
        ("secret", None),
        ("user", "user\r\nQUIT"),
        ("secret", Secret("pa55\nQUIT")),
        ("timeout", 0),
        ("timeout", "5"),
        ("destructive", "no"),
        ("slow", 1),
        ("allow_plaintext_auth", "no"),
    ],
)
def test_an_argument_that_is_wrong_is_named(argument: str, wrong: object) -> None:
    settings: dict[str, object] = {
        "host": "pop.example.org",
        "port": 110,
        "security": Security.PLAINTEXT,
        "user": "user",
        "secret": Secret("pa55word"),
        "allow_plaintext_auth": True,
    }
    ServerTarget(**settings)  # type: ignore[arg-type]
    settings[argument] = wrong
    with pytest.raises(LocalProtocolError, match=argument) as caught:
        ServerTarget(**settings)  # type: ignore[arg-type]
    assert "pa55" not in str(caught.value)
