from pathlib import Path
from typing import Any

import pytest

import pop3proto
from pop3proto import Deviation, Fault, Leniency, List, LocalProtocolError, Pass, Uidl


def test_lenient_tolerates_all_and_strict_none() -> None:
    assert all(fault in Leniency() for fault in Fault)
    assert not any(fault in Leniency.none() for fault in Fault)


@pytest.mark.parametrize("fault", Fault)
def test_each_fault_is_a_switch_of_its_own(fault: Fault) -> None:
    others = set(Fault) - {fault}
    refusing, tolerating = Leniency().refusing(fault), Leniency.none().tolerating(fault)
    assert {f for f in Fault if f in refusing} == others
    assert {f for f in Fault if f in tolerating} == {fault}
    assert refusing.tolerating(fault) == Leniency()
    assert tolerating.refusing(fault) == Leniency.none()


def test_several_switches_at_once() -> None:
    two = Leniency.none().tolerating(Fault.BARE_LF, Fault.BLANK_LINE)
    assert two == Leniency(frozenset({Fault.BLANK_LINE, Fault.BARE_LF}))
    assert Leniency().refusing(*Fault) == Leniency.none()
    assert hash(Leniency().refusing()) == hash(Leniency())


def test_what_is_no_fault_is_not_tolerated() -> None:
    assert "line ended by LF alone" not in Leniency()
    assert None not in Leniency()
    wrong: Any
    for wrong in ("BARE_LF", None, {"BARE_LF"}):
        with pytest.raises(LocalProtocolError, match=r"^tolerated are members of Fault, "):
            Leniency(wrong)
    wrong = "BARE_LF"
    with pytest.raises(LocalProtocolError, match=r"^tolerated are members of Fault, and str is"):
        Leniency().tolerating(wrong)
    with pytest.raises(LocalProtocolError, match=r"^faults are members of Fault, and str is"):
        Leniency().refusing(wrong)


def test_any_collection_of_faults_will_do() -> None:
    some: Any = [Fault.BARE_LF]
    assert Leniency(some) == Leniency(frozenset({Fault.BARE_LF}))


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_is_met_somewhere(fault: Fault) -> None:
    package = Path(pop3proto.__file__).parent
    users = [path for path in package.rglob("*.py") if path.name != "deviations.py"]
    assert any(f"Fault.{fault.name}" in path.read_text("utf-8") for path in users)


@pytest.mark.parametrize(
    ("deviation", "text"),
    [
        (Deviation(Fault.BARE_LF), "line ended by LF alone"),
        (Deviation(Fault.BARE_LF, List()), "line ended by LF alone at List()"),
        (Deviation(Fault.BARE_LF, sample=b"+OK hi"), "line ended by LF alone: +OK hi"),
        (Deviation(Fault.BARE_LF, count=2), "line ended by LF alone (2 times)"),
        (
            Deviation(Fault.MISSING_UNIQUE_ID, Uidl(), b"1 \x1b[2J\xff", 3),
            r"unique-id listing without a unique-id at Uidl(): 1 \x1b[2J\xff (3 times)",
        ),
        (
            Deviation(Fault.BARE_LF, Pass("tanstaaf")),
            "line ended by LF alone at Pass(password=<secret>)",
        ),
    ],
)
def test_what_a_deviation_says(deviation: Deviation, text: str) -> None:
    assert str(deviation) == text


def test_deviations_compare_by_all_they_say() -> None:
    deviation = Deviation(Fault.BARE_LF, List(), b"x", 2)
    assert deviation == Deviation(Fault.BARE_LF, List(), b"x", 2)
    assert deviation != Deviation(Fault.BARE_LF, List(), b"x", 3)
    assert deviation in {deviation}
