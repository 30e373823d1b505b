"""The cases for clients: a right program passes, and one that is wrong in one thing fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pop3proto.conformance import ClientTarget, Verdict, check_client, client_cases
from pop3proto.conformance.client.mail import MAIL, stored_in, token_of
from pop3proto.errors import LocalProtocolError
from pop3proto.transports import Security

PROGRAM = str(Path(__file__).with_name("mail_program.py"))
# What a right program need not cope with, and this one does not.
UNUSUAL = {"C402", "C424", "C425", "C426", "C428"}
FAULTS = {
    "C101": "never fails at most two",
    "C102": "keeps dots",
    "C103": "ends at a reply",
    "C104": "empty is nothing",
    "C105": "cuts long lines",
    "C106": "seven bits",
    "C107": "does nothing",
    "C108": "hangs",
    "C109": "hangs",
    "C110": "at most two",
    "C111": "hangs",
    "C112": "wants a text",
    "C113": "asks CAPA",
    "C114": "wants UIDL",
    "C115": "ends at a refusal",
    "C121": "never fails",
    "C122": "never fails",
    "C123": "never fails",
    "C131": "stores again",
    "C132": "stores what comes",
    "C133": "takes the end for the dot",
    "C141": "hangs",
    "C142": "reads for ever",
    "C201": "no QUIT",
    "C202": "never fails",
    "C203": "deletes first",
    "C204": "deletes what was refused",
    "C205": "never fails",
    "C206": "never fails",
    "C207": "by number",
    "C301": "takes any name",
    "C302": "trusts everybody",
    "C303": "trusts everybody",
    "C304": "goes on in the clear",
    "C305": "goes on in the clear",
    "C306": "believes",
    "C307": "no tls",
}


def target(fault: str, *, security: str = "stls", timeout: float = 20.0) -> ClientTarget:
    return ClientTarget(
        (sys.executable, PROGRAM, fault, "--delete"),
        security=Security.of(security),
        deletes=True,
        timeout=timeout,
    )


@pytest.mark.slow
@pytest.mark.parametrize("security", ["stls", "tls", "plaintext"])
def test_a_right_program_passes(security: str) -> None:
    report = check_client(target("right", security=security))
    outcomes = {result.case.number: result for result in report.results}
    assert {
        number for number, result in outcomes.items() if result.verdict is Verdict.FAIL
    } == UNUSUAL
    assert [result.reason for result in report.results if result.failed] == [
        outcomes[number].reason for number in ("C425", "C426")
    ]
    not_tested = {n for n, result in outcomes.items() if result.verdict is Verdict.NOT_TESTED}
    stls, tls = {"C304", "C305", "C306"}, {"C301", "C302", "C303", "C307"}
    unannounced = {"C113", "C407", "C414"}
    assert not_tested == {"stls": unannounced, "tls": stls, "plaintext": stls | tls}[security]


@pytest.mark.slow
@pytest.mark.parametrize("number", [case.number for case in client_cases().chosen([], [])])
def test_a_program_that_is_wrong_in_one_thing_fails(number: str) -> None:
    fault = FAULTS.get(number, "does nothing" if number < "C45" else "hangs")
    security = "tls" if number in ("C113", "C307", "C407", "C414") else "stls"
    wrong = target(fault, security=security, timeout=2.0 if fault == "hangs" else 20.0)
    report = check_client(wrong, only=[number], slow=False)
    if number == "C141":
        assert report.results == ()
        return
    (result,) = report.results
    assert result.verdict is Verdict.FAIL
    assert result.reason
    assert result.conversations


def test_every_number_is_there_once() -> None:
    numbers = [case.number for case in client_cases().chosen([], [])]
    assert numbers == sorted(set(numbers))
    assert set(FAULTS) <= set(numbers)


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        check_client(ClientTarget((str(tmp_path / "nothing"),)), only=["C109"])


def test_a_program_that_does_not_delete_is_not_tested_for_it() -> None:
    quiet = ClientTarget((sys.executable, PROGRAM, "does nothing"), security=Security.PLAINTEXT)
    report = check_client(quiet, only=["C201", "C109"], name="a program")
    assert [(r.case.number, r.verdict) for r in report.results] == [
        ("C109", Verdict.PASS),
        ("C201", Verdict.NOT_TESTED),
    ]
    assert report.target == "a program"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"command": ()}, "command"),
        ({"command": ("",)}, "command"),
        ({"command": "program"}, "command"),
        ({"command": ("a", 1)}, "command"),
        ({"command": ("a",), "timeout": 0}, "timeout"),
        ({"command": ("a",), "security": "ssl"}, "security"),
    ],
)
def test_a_wrong_target_is_named(settings: dict[str, object], named: str) -> None:
    with pytest.raises(LocalProtocolError, match=named):
        ClientTarget(**settings)  # type: ignore[arg-type]


def test_what_was_stored_is_found_in_every_form(tmp_path: Path) -> None:
    unix = [content.replace(b"\r\n", b"\n") for content in MAIL]
    (tmp_path / "one.eml").write_bytes(MAIL[0])
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "2").write_bytes(b"Received: by here\n" + unix[1])
    mbox = b"".join(
        b"From sender Mon Nov 30 00:00:00 2026\n"
        + content.replace(b"\n>From", b"\n>>From").replace(b"\nFrom", b"\n>From")
        + b"\n"
        for content in unix[2:]
    )
    (tmp_path / "mbox").write_bytes(mbox)
    (tmp_path / "log").write_bytes(b"no message\n")
    stored = stored_in(tmp_path, MAIL)
    assert stored.whole == {token_of(content): 1 for content in MAIL}
    assert stored.broken == {}
    (tmp_path / "part").write_bytes(MAIL[0][:-9])
    (tmp_path / "again").write_bytes(MAIL[0])
    stored = stored_in(tmp_path, MAIL)
    assert stored.broken == {"plain": 1}
    assert stored.whole["plain"] == 2


def test_an_mbox_whose_lines_are_not_quoted_is_read_too(tmp_path: Path) -> None:
    unix = MAIL[6].replace(b"\r\n", b"\n")
    (tmp_path / "mbox").write_bytes(b"From a Mon Nov 30 00:00:00 2026\n" + unix + b"\n")
    assert stored_in(tmp_path, MAIL).broken == {}


@pytest.mark.skipif(os.name != "posix", reason="there are other groups of processes")
def test_an_interruption_ends_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen[bytes]):
        def wait(self, timeout: float | None = None) -> int:
            if self not in started:
                started.append(self)
                raise KeyboardInterrupt
            return super().wait(timeout)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        check_client(
            ClientTarget((sys.executable, "-c", "import time; time.sleep(60)")), only=["C109"]
        )
    assert [process.returncode for process in started] == [-signal.SIGKILL]
