"""How a contest is run: turns, ratios, and what becomes of a contestant that is absent or fails."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from benchmarks import instructions, measuring
from benchmarks.goals import Goal
from benchmarks.measuring import Contest, Entry, Figure, Outcome, measure, turns
from benchmarks.reporting import as_json, tables

SECONDS = {"raw loop": [1.0, 1.0], "poplib": [10.0, 20.0], "pop3proto": [2.0, 2.0]}
ENTRIES = [Entry(who, "clients:run", {"name": who}) for who in SECONDS]


def contest(*entries: Entry, **more: Any) -> Contest:
    return Contest("test", "A test", entries or ENTRIES, count=100, **more)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Contestants with known figures, and the order in which they had their turns."""
    turns: list[str] = []

    def run_apart(target: str, arguments: Mapping[str, Any]) -> dict[str, float]:
        who = arguments["name"]
        seconds = SECONDS[who][turns.count(who)]
        turns.append(who)
        return {"seconds": seconds, "cpu": seconds / 2, "growth": 2 * 1024 * 1024}

    monkeypatch.setattr(measuring, "run_apart", run_apart)
    return turns


def row(outcome: Outcome, who: str) -> list[str]:
    text = tables(as_json([outcome], [], quick=False))
    line = next(line for line in text.splitlines() if line.startswith(f"| {who}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_turns() -> None:
    assert list(turns("abc", 2)) == [
        *(("round 1 of 2", one) for one in "abc"),
        *(("round 2 of 2", one) for one in "bca"),
    ]
    assert list(turns([], 2)) == []


def test_rounds_take_turns(played: list[str]) -> None:
    measure(contest(), 2)
    first, *others = SECONDS
    assert played == [first, *others, *others, first]


def test_a_contest_has_no_more_rounds_than_it_says(played: list[str]) -> None:
    measure(contest(rounds=1), 2)
    assert played == list(SECONDS)


def test_ratios_are_taken_pair_by_pair(played: list[str]) -> None:
    outcome = measure(contest(memory=True), 2)
    who, wall, cpu, growth, held, by_cpu, by_wall = row(outcome, "pop3proto")
    assert (who, wall, cpu, growth, held) == ("pop3proto", "20,000", "10,000", "2.00", "20,972")
    assert by_cpu == by_wall == "7.50x (5.00 to 10.0)"
    assert row(outcome, "poplib")[-1] == ""
    assert outcome.figures["poplib"]["wall"].rounds == (100_000.0, 200_000.0)


def test_memory_is_told_where_it_says_something(played: list[str]) -> None:
    assert measure(contest(), 1).figures["poplib"].keys() == {"wall", "cpu"}


def test_who_does_less_is_marked(played: list[str]) -> None:
    outcome = measure(contest(Entry("poplib", "", {"name": "poplib"}, share=20)), 1)
    assert row(outcome, "poplib")[:2] == ["poplib (5 of them)", "2,000,000"]


def test_units_may_be_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "run_apart", lambda *args: {"cpu": 1.0, "units": 4})
    outcome = measure(contest(Entry("pop3proto", "")), 1)
    assert outcome.figures["pop3proto"] == {"cpu": Figure((250_000.0,))}


def test_who_is_absent_is_named_with_what_installs_it(played: list[str]) -> None:
    absent = Entry("mpop", "", missing=lambda: "apt-get install mpop")
    outcome = measure(contest(absent, ENTRIES[1]), 1)
    assert outcome.notes == ["mpop is absent: apt-get install mpop"]
    assert played == ["poplib"]
    assert "mpop is absent: apt-get install mpop" in tables(as_json([outcome], [], quick=False))


@pytest.mark.parametrize(("who", "relied_on"), [("pop3proto", True), ("mpop", False)])
def test_who_fails_does_not_end_the_contest(who: str, relied_on: bool) -> None:
    entries = [Entry(who, "no_such_module:run"), Entry("bare python", "programs:start", START)]
    outcome = measure(contest(*entries), 1, quick=True)
    line = f"{who} failed: ModuleNotFoundError: No module named 'benchmarks.no_such_module'"
    assert (outcome.failures, outcome.notes) == (([line], []) if relied_on else ([], [line]))
    assert list(outcome.figures) == ["bare python"]
    assert as_json([outcome], [], quick=True)["failures"] == [
        f"test: {f}" for f in outcome.failures
    ]


START = {"who": "bare python"}


def test_a_process_may_keep_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in measuring.environment()


def test_instructions_are_those_of_a_unit(
    played: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instructions, "counter", lambda: "perf stat")
    monkeypatch.setattr(instructions, "count", lambda command, env: 1_000 + 7 * _count(command))
    outcome = measure(contest(*ENTRIES, counted=["poplib"]), 1)
    assert outcome.figures["poplib"]["instructions"].rounds == (7.0,)
    assert "instructions" not in outcome.figures["pop3proto"]
    assert "7.00" in row(outcome, "poplib")


def _count(command: list[str]) -> int:
    return int(command[-1].rpartition('"count": ')[2].strip("}"))


def test_a_command_is_counted_as_it_is(played: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instructions, "counter", lambda: "perf stat")
    counts = {("true",): 5, ("false",): None}
    monkeypatch.setattr(instructions, "count", lambda command, env: counts[command])
    entries = [
        Entry("poplib", "", {"name": "poplib"}, command=("true",)),
        Entry("pop3proto", "", {"name": "pop3proto"}, command=("false",)),
    ]
    outcome = measure(contest(*entries, counted=["poplib", "pop3proto"]), 1)
    assert outcome.figures["poplib"]["instructions"].rounds == (5,)
    assert "instructions" not in outcome.figures["pop3proto"]


def test_nothing_is_counted_where_nothing_can(
    played: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instructions, "counter", lambda: "")
    outcome = measure(contest(counted=["poplib"]), 1)
    assert "instructions" not in outcome.figures["poplib"]
    about = as_json([outcome], [], quick=False)["about"]
    assert about["Instructions"] == "not counted: neither perf stat nor valgrind"


@pytest.mark.parametrize("counter", ["perf stat", "callgrind"])
def test_counting(counter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = {
        "perf stat": "echo '1234,,instructions:u,1,100.00,,' > $7; shift 8",
        "callgrind": "echo '==1== Collected : 1234' > ${5#--log-file=}; shift 5",
    }
    monkeypatch.setattr(instructions, "counter", lambda: counter)
    command = ("sh", "-c", f'{written[counter]}; "$@"', "sh")
    monkeypatch.setattr(instructions, "_PERF", (*command, "1", "2", "3", "4", "5"))
    monkeypatch.setattr(instructions, "_CALLGRIND", (*command, "1", "2", "3", "4"))
    assert instructions.count(["true"], {"PATH": "/usr/bin:/bin"}) == 1234
    assert instructions.count(["false"], {"PATH": "/usr/bin:/bin"}) is None
    monkeypatch.setattr(instructions, "counter", lambda: "")
    assert instructions.count(["true"], {}) is None


def test_what_counts_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"perf", "valgrind"}
    monkeypatch.setattr(shutil, "which", lambda name: name if name in there else None)
    monkeypatch.setattr(instructions, "_run_perf", lambda command, env: 1)
    counter = instructions.counter.__wrapped__
    assert counter() == "perf stat"
    monkeypatch.setattr(instructions, "_run_perf", lambda command, env: None)
    assert counter() == "callgrind"
    there.clear()
    assert counter() == ""


FIGURES = {
    "pop3proto": {"cpu": Figure((3.0, 4.0)), "growth": Figure((512.0, 512.0))},
    "poplib": {"cpu": Figure((5.0, 13.0))},
    "bare python": {"cpu": Figure((1.0, 1.0))},
}


@pytest.mark.parametrize(
    ("goal", "rounds", "wanted", "met"),
    [
        ({"least": 2, "against": "poplib"}, (5 / 3, 13 / 4), "≥ 2x", True),
        ({"most": 0.4, "against": "poplib"}, (3 / 5, 4 / 13), "≤ 0.4x", False),
        ({"most": 0.5, "against": "poplib", "above": "bare python"}, (0.5, 0.25), "≤ 0.5x", True),
        ({"most": 2, "above": "bare python", "unit": " µs"}, (2.0, 3.0), "≤ 2 µs", False),
        (
            {"most": 1, "figure": "growth", "scale": 1 / 1024, "unit": " KiB"},
            (0.5, 0.5),
            "≤ 1 KiB",
            True,
        ),
    ],
)
def test_goals(goal: dict[str, Any], rounds: tuple[float, ...], wanted: str, met: bool) -> None:
    one = Goal("test", "pop3proto", "it is fast", **goal)
    value = one.value(FIGURES)
    assert value is not None
    assert (value.rounds, one.wanted, one.met(value.median)) == (rounds, wanted, met)


@pytest.mark.parametrize("goal", [{"against": "mpop"}, {"figure": "wall"}, {"above": "nobody"}])
def test_a_goal_beside_who_is_absent_is_not_measured(goal: dict[str, Any]) -> None:
    one = Goal("test", "pop3proto", "it is fast", least=1, **goal)
    assert one.value(FIGURES) is None
    outcome = Outcome(contest(), 100, FIGURES)
    (judged,) = as_json([outcome], [one], quick=False)["goals"]
    assert (judged["measured"], judged["median"], judged["met"]) == ("not measured", None, None)


@pytest.mark.parametrize(("quick", "met"), [(False, True), (True, None)])
def test_a_run_in_a_hurry_misses_no_goal(quick: bool, met: bool | None) -> None:
    goal = Goal("test", "pop3proto", "it is fast", least=2, against="poplib")
    other = Goal("another contest", "pop3proto", "it is fast", least=2, against="poplib")
    result = as_json([Outcome(contest(), 100, FIGURES)], [goal, other], quick)
    (judged,) = result["goals"]
    assert (judged["met"], judged["measured"]) == (met, "2.46x (1.67 to 3.25)")
    verdict = {True: "yes", None: "-"}[met]
    assert f"| it is fast (pop3proto) | ≥ 2x  | 2.46x (1.67 to 3.25) | {verdict}" in tables(result)


def test_a_child_that_fails_tells_why() -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        measuring.run_apart("programs:run", {"who": "nobody", "count": 1})
    assert b"TypeError" in caught.value.stderr
