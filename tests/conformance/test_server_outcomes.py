"""What a server need not have is not offered, and what nobody can see is not tested."""

from __future__ import annotations

from typing import Any

import pytest

from pop3proto.conformance import Verdict, server_cases
from pop3proto.conformance.running import run_case
from pop3proto.conformance.server import facts, mail
from pop3proto.conformance.server import run as running
from pop3proto.transports import Security
from tests.conformance.faulty import GREETING, Fault, Moment, certified, on, subject

ERR = b"-ERR no\r\n"
HERE = ("localhost", "127.0.0.1")
PROOF = "Yz.*"
TLS: dict[str, Any] = {"security": Security.TLS}
CASES = {each.number: each for each in server_cases().all}
PASS, OFFERED, TESTED = Verdict.PASS, Verdict.NOT_OFFERED, Verdict.NOT_TESTED
FAIL = Verdict.FAIL


def accepted(moment: Moment) -> bytes:
    return b"+OK\r\n" if moment.refused else moment.octets


@pytest.mark.parametrize(
    ("number", "fault", "verdict", "reason"),
    [
        ("S310", on(GREETING, b"+OK ready\r\n"), OFFERED, "no timestamp"),
        ("S412", Fault(), PASS, ""),
        ("S412", on("LAST", ERR), OFFERED, "RFC 1725 has removed LAST"),
        ("S601", on("CAPA", ERR), OFFERED, "CAPA is answered"),
        ("S602", on("CAPA", ERR), OFFERED, "CAPA is not known"),
        ("S603", on("CAPA", ERR), OFFERED, "CAPA is not known"),
        ("S604", on("CAPA", ERR), OFFERED, "CAPA is not known"),
        ("S608", on("CAPA", ERR), OFFERED, "CAPA is not known"),
        ("S653", on("PASS .*", accepted), TESTED, "allows two sessions"),
        ("S801", on("STLS", ERR, security=Security.STLS), FAIL, "STLS is announced"),
        ("S802", on("CAPA", ERR, security=Security.STLS), FAIL, "STLS works, and CAPA"),
        ("S803", on("CAPA", ERR, security=Security.STLS), OFFERED, "CAPA is not known"),
        ("S803", Fault(), TESTED, "about TLS"),
        ("S810", Fault(), TESTED, "about TLS"),
        ("S810", on("STLS", ERR, security=Security.STLS), TESTED, "refuses STLS"),
        ("S811", Fault(context=lambda: certified(*HERE, ends=-1), **TLS), TESTED, "expired"),
        ("S812", Fault(context=lambda: certified(*HERE, own=True), **TLS), PASS, ""),
        ("S813", Fault(context=lambda: certified(*HERE, ends=-1), **TLS), PASS, ""),
        ("S813", Fault(context=lambda: certified(*HERE, own=True), **TLS), FAIL, ""),
        ("S814", Fault(), TESTED, "implicit TLS"),
        ("S816", Fault(), TESTED, "port 110"),
        ("S866", Fault(), OFFERED, "-PLUS"),
        ("S861", on(PROOF, b"+OK\r\n"), FAIL, "has not proved"),
        ("S861", on("AUTH SCRAM-.*", b"+ !\r\n"), FAIL, "no base64"),
        ("S861", on("AUTH SCRAM-.*", b"+ \r\n"), FAIL, "not a SCRAM challenge"),
        # The reason as a message of its own, as RFC 5802 section 7 has it.
        ("S864", on(PROOF, b"+ ZT1pbnZhbGlkLXByb29m\r\n"), PASS, ""),
        ("S870", on("AUTH OAUTH.*", b"+ bm8=\r\n"), FAIL, "no JSON"),
        ("S870", on("AUTH OAUTH.*", b"+ WzFd\r\n"), FAIL, "no JSON"),
        ("S875", Fault(), TESTED, "about STLS"),
        ("S883", on("LANG", ERR), TESTED, "lists no languages"),
        ("S886", on(r"LANG \*", ERR), TESTED, "is refused"),
        ("S888", on("UTF8", ERR), TESTED, "which is allowed"),
        ("S892", on("USER .*\xc3", None), PASS, ""),
        ("S801", Fault(), TESTED, "about STLS"),
        ("S806", on("STLS", ERR, security=Security.STLS), TESTED, "refuses STLS"),
        ("S807", on("USER .*", ERR, security=Security.STLS), TESTED, "USER without TLS"),
        ("S807", on("STLS", ERR, security=Security.STLS), TESTED, "refuses STLS after USER"),
        ("S809", on("STLS", ERR, security=Security.STLS), TESTED, "refuses STLS"),
        ("S809", Fault(security=Security.TLS), PASS, ""),
        ("S809", Fault(security=Security.TLS, old_tls=True), FAIL, "TLS 1.1"),
        ("S855", on("AUTH PLAIN .*", b"-ERR [IN-USE] wait\r\n"), TESTED, "IN-USE"),
        ("S703", on("PASS .*", lambda m: b"-ERR [LOGIN-DELAY] x\r\n"), TESTED, "LOGIN-DELAY"),
        ("S908", Fault(), PASS, ""),
        # A server may close after it has refused something.
        ("S110", on("X{20000}", None), PASS, ""),
        ("S113", on("NOOP\0x", None), PASS, ""),
        ("S309", on("STAT", None), PASS, ""),
        ("S853", on("USER .*", None), PASS, ""),
        ("S401", Fault(login="PLAIN"), PASS, ""),
        ("S952", on("DELE 1", b"+OK\r\n-ERR too late\r\n", idle=0.2), FAIL, "too late"),
        ("S952", Fault(idle=60.0), TESTED, "has not closed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_outcomes(
    number: str,
    fault: Fault,
    verdict: Verdict,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "_RELEASE", 0.0)
    monkeypatch.setattr("pop3proto.conformance.server.endurance._LONG_IDLE", 0.1)
    # Of what does not close, nobody waits for the end.
    patience = 0.2 if reason == "has not closed" else 5.0
    with subject(fault, timeout=patience) as server:
        result = run_case(CASES[number], server.run())
    assert (result.verdict, reason in result.reason) == (verdict, True), result.reason


def test_what_is_optional_and_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """With CAPA unknown, an optional command is tried: if it is refused, it is not offered."""
    with subject(on("UIDL", ERR, "TOP .*", ERR, "CAPA", ERR)) as server:
        server.facts = facts.Facts(login="USER")
        for number in ("S501", "S409", "S207", "S208", "S701", "S855", "S881", "S883", "S605"):
            result = run_case(CASES[number], server.run())
            assert result.verdict is OFFERED, number


class Losing:
    """A way to deliver by which nothing arrives, or which fails."""

    exact = False

    def __init__(self, error: OSError | None = None) -> None:
        self.error = error
        self.count = 0

    def deliver(self, message: bytes) -> None:
        self.count += 1
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (None, "mail could not be delivered: it has not arrived within 0.01 s"),
        (ConnectionRefusedError("nobody listens"), "mail could not be delivered: nobody listens"),
    ],
)
def test_mail_that_does_not_arrive_is_waited_for_once(
    error: OSError | None, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "_ARRIVAL", 0.01)
    monkeypatch.setattr(mail, "_PAUSE", 0.01)
    losing = Losing(error)
    with subject(Fault(), deliver=losing) as server:
        for number in ("S421", "S422", "S426"):
            result = run_case(CASES[number], server.run())
            assert (result.verdict, result.reason) == (TESTED, reason)
        delivered = losing.count
        assert delivered in (1, 3)
        assert "no end" in run_case(CASES["S424"], server.run()).reason


def test_mail_that_arrives_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something has arrived, and it is not what was delivered."""
    with subject(on("TOP .*", b"+OK\r\nSubject: other\r\n\r\n.\r\n")) as server:
        result = run_case(CASES["S421"], server.run())
    assert result.verdict is TESTED
    assert "is not in the maildrop" in result.reason


def test_a_message_is_found_without_top() -> None:
    with subject(on("TOP .*", ERR)) as server:
        assert run_case(CASES["S421"], server.run()).verdict is PASS


def test_a_maildrop_that_was_released_late() -> None:
    """The login is tried again, and what was refused is not in the report."""
    refusals = iter([True, True])

    def late(moment: Moment) -> bytes:
        return b"-ERR [IN-USE] wait\r\n" if next(refusals, False) else moment.octets

    with subject(on("PASS .*", late)) as server:
        result = run_case(CASES["S401"], server.run())
    assert result.verdict is PASS
    assert not any("IN-USE" in line for each in result.conversations for line in each.lines)


def test_messages_that_are_missing_are_delivered() -> None:
    with subject(Fault(messages=0)) as server:
        assert run_case(CASES["S906"], server.run()).verdict is PASS
    with subject(Fault(messages=0), deliver=None) as server:
        result = run_case(CASES["S906"], server.run())
    assert (result.verdict, result.reason) == (
        TESTED,
        "it needs 3 messages, and the maildrop has 0",
    )


def test_reading_needs_leave_where_it_deletes() -> None:
    with subject(Fault(), destructive=False) as server:
        server.facts = facts.Facts(after={"EXPIRE": ["0"]}, login="USER")
        result = run_case(CASES["S406"], server.run())
    assert (result.verdict, "EXPIRE 0" in result.reason) == (TESTED, True)
    with subject(Fault()) as server:
        server.facts = facts.Facts(after={"EXPIRE": ["0"]}, login="USER")
        assert run_case(CASES["S909"], server.run()).verdict is TESTED
