"""Cases: how they are chosen and run, and what becomes of their outcomes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pop3proto import LocalProtocolError
from pop3proto.conformance import Case, Cases, Conversation, Severity, Verdict, server_cases
from pop3proto.conformance.case import CaseFailedError, NotOfferedError, NotTestedError, demand
from pop3proto.conformance.running import run_case, run_cases


class Room:
    """The context of a case."""

    def __init__(self, refused: str = "") -> None:
        self.refused = refused
        self.closed = False

    def refusal(self, case: Case[object]) -> str:
        return self.refused

    def conversations(self) -> tuple[Conversation, ...]:
        return (Conversation("here", ("C: NOOP",)),)

    def without_secrets(self, text: str) -> str:
        return text.replace("pa55word", "...")

    def close(self) -> None:
        self.closed = True


def some(run: Callable[[Room], None], severity: Severity = Severity.ERROR) -> Case[Room]:
    return Case("S101", "RFC 1939", "A title.", run=run, severity=severity)


def raising(error: Exception) -> Callable[[Room], None]:
    def run(room: Room) -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (CaseFailedError("why"), Verdict.FAIL),
        (NotOfferedError("why"), Verdict.NOT_OFFERED),
        (NotTestedError("why"), Verdict.NOT_TESTED),
    ],
)
def test_the_error_of_a_case_is_its_verdict(error: Exception, verdict: Verdict) -> None:
    room = Room()
    result = run_case(some(raising(error)), room)
    assert (result.verdict, result.reason, room.closed) == (verdict, "why", True)
    assert result.conversations == room.conversations()


def test_a_case_that_returns_passes() -> None:
    result = run_case(some(lambda _: demand(True, "never")), Room())
    assert (result.verdict, result.reason) == (Verdict.PASS, "")
    assert not result.failed
    assert not result.warned


def test_a_case_that_may_not_be_run_is_not_run() -> None:
    result = run_case(some(raising(CaseFailedError("it ran"))), Room("not now"))
    assert (result.verdict, result.reason) == (Verdict.NOT_TESTED, "not now")


def test_a_failure_has_the_severity_of_its_case_or_its_own() -> None:
    fails = raising(CaseFailedError("why"))
    assert run_case(some(fails), Room()).failed
    assert run_case(some(fails, Severity.WARNING), Room()).warned
    result = run_case(some(raising(CaseFailedError("why", Severity.WARNING))), Room())
    assert (result.failed, result.warned) == (False, True)


def test_a_reason_is_ascii_and_harmless() -> None:
    result = run_case(some(raising(CaseFailedError("gr\u00fc\u00dfe \x1b[2J\u202e"))), Room())
    assert result.reason == "gr\\xfc\\xdfe \\x1b[2J\\u202e"


def test_a_reason_has_no_secrets() -> None:
    result = run_case(some(raising(CaseFailedError("it said pa55word"))), Room())
    assert result.reason == "it said ..."


def test_a_fault_of_the_tool_itself_is_no_verdict() -> None:
    room = Room()
    with pytest.raises(ZeroDivisionError):
        run_case(some(raising(ZeroDivisionError())), room)
    assert room.closed


def test_each_case_has_a_context_to_itself() -> None:
    rooms: list[Room] = []

    def enter() -> Room:
        rooms.append(Room())
        return rooms[-1]

    cases = [some(lambda _: None)] * 3
    assert len([*run_cases(cases, enter)]) == len(rooms) == 3


def test_cases_are_chosen_by_the_beginnings_of_their_numbers() -> None:
    cases: Cases[Room] = Cases()
    for number in ("S201", "S101", "S102"):
        cases.case(number, "RFC 1939", "A title.")(lambda _: None)
    assert [each.number for each in cases.chosen([], [])] == ["S101", "S102", "S201"]
    assert [each.number for each in cases.chosen(["S1"], ["S102"])] == ["S101"]
    for only, skip in ((["S3"], []), ([], ["S9"]), ([""], [])):
        with pytest.raises(LocalProtocolError, match="no case"):
            cases.chosen(only, skip)


def test_the_numbers_of_the_cases_for_servers_are_unique() -> None:
    numbers = [each.number for each in server_cases().all]
    assert len({*numbers}) == len(numbers) > 100
    for each in server_cases().all:
        assert each.title.endswith(".")
        assert each.clause.startswith("RFC ")
        assert repr(each) == f"<Case {each.number}: {each.title}>"
