"""The benchmarks' tables: ratios, verdicts, and what becomes of a contestant that fails."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from benchmarks import clients, contests, latency, memory, peers, tls
from benchmarks.contests import Aim, Contest, Entry
from benchmarks.measuring import Contestant, Goal
from benchmarks.reporting import Report
from benchmarks.server import Address, Maildrop, serving

MAILDROP = Maildrop(count=100, least=1_000, most=1_000)
OURS = Entry("pop3proto, blocking", "retr_many", limit="raw socket", about="pipelined")
ENTRIES = [Entry("raw socket"), Entry("poplib", limit="raw socket"), OURS]
SECONDS = {"raw socket": [1.0, 1.0], "poplib": [10.0, 20.0], OURS.label: [2.0, 2.0]}


def contest(*aims: Aim) -> Contest:
    return Contest("A hundred", ENTRIES, aims, 100, memory=True)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Contestants with known figures, and the order in which they had their turns."""
    turns: list[str] = []

    def run_apart(contestant: Contestant) -> dict[str, float]:
        seconds = SECONDS[contestant.name][turns.count(contestant.name)]
        turns.append(contestant.name)
        growth = 2 * 1024 * 1024
        return {"seconds": seconds, "cpu": 0.5, "growth": growth, "got": MAILDROP.total}

    monkeypatch.setattr(contests, "run_apart", run_apart)
    return turns


def run(contest: Contest, *, judge: bool = True, rounds: int = 2) -> Report:
    report = Report("test", "A test", judge)
    contest.run(report, Address(1), MAILDROP, rounds)
    return report


def row(report: Report, who: str) -> list[str]:
    line = next(line for line in report.markdown().splitlines() if line.startswith(f"| {who}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_rounds_take_turns(played: list[str]) -> None:
    run(contest())
    labels = [entry.label for entry in ENTRIES]
    assert played == [*labels, *labels[1:], labels[0]]


def test_ratios_are_taken_pair_by_pair(played: list[str]) -> None:
    report = run(contest())
    who, speed, cpu, growth, to_poplib, of_limit, goals = row(report, OURS.label)
    assert (who, speed) == (OURS.label, "50.0 (50.0 to 50.0)")
    assert (cpu, growth, goals) == ("5,000", "2.00", "")
    assert of_limit == "50.0 % (50.0 to 50.0)"
    assert to_poplib == "7.50x (5.00 to 10.0)"
    assert row(report, "poplib")[4] == "1.00x"
    kept = report.data["A hundred"]
    assert kept["poplib"]["speed"]["rounds"] == [10.0, 5.0]
    assert kept[OURS.label]["to poplib"] == {"median": 7.5, "rounds": [5.0, 10.0]}
    assert kept[OURS.label]["of the limit"] == {"median": 0.5, "rounds": [0.5, 0.5]}
    assert "of the limit" not in kept["raw socket"]


def test_goals(played: list[str]) -> None:
    aims = [
        Aim(OURS.label, Goal(7, unit="x"), "poplib"),
        Aim(OURS.label, Goal(95, unit=" %"), "raw socket"),
        Aim(OURS.label, Goal(1, True, " MiB"), figure="MiB"),
        Aim(OURS.label, Goal(100, unit="x"), "who is not there"),
    ]
    report = run(contest(*aims))
    assert row(report, OURS.label)[-1] == (
        "7.50x to poplib, ≥ 7.00x: yes; 50.0 % to raw socket, ≥ 95.0 %: NO;"
        " 2.00 MiB of growth, ≤ 1.00 MiB: NO"
    )
    assert report.missed == [
        f"A hundred: {OURS.label}, to raw socket: 50.0 % where ≥ 95.0 % is the goal",
        f"A hundred: {OURS.label}, of growth: 2.00 MiB where ≤ 1.00 MiB is the goal",
    ]
    assert not report.failures
    assert [(goal["met"], goal["measured"]) for goal in report.goals] == [
        (True, "7.50x (5.00 to 10.0)"),
        (False, "50.0 % (50.0 to 50.0)"),
        (False, "2.00 MiB (2.00 to 2.00)"),
        (None, "not measured"),
    ]
    assert report.goals[0]["what"] == f"A hundred: {OURS.label}, to poplib"
    assert (report.goals[0]["goal"], report.goals[0]["rounds"]) == ("≥ 7.00x", [5.0, 10.0])


def test_a_goal_about_growth_beside_another_ones(played: list[str]) -> None:
    report = run(contest(Aim(OURS.label, Goal(1, True, "x"), "poplib", "MiB")))
    assert row(report, OURS.label)[-1] == "1.00x of the growth of poplib, ≤ 1.00x: yes"


def test_what_is_like_for_like_is_told_with_the_goal(played: list[str]) -> None:
    aim = Aim(OURS.label, Goal(7, unit="x"), "poplib", beside="raw socket")
    report = run(contest(aim))
    assert [goal["measured"] for goal in report.goals] == [
        "7.50x (5.00 to 10.0); raw socket: 15.0x (10.0 to 20.0)"
    ]


def test_a_program_has_no_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "missing", lambda name: "")
    sample = {"seconds": 1.0, "cpu": 0.5, "got": MAILDROP.total}
    monkeypatch.setattr(contests, "run_apart", lambda contestant: dict(sample))
    report = Report("test", "A test")
    Contest("A hundred", [Entry("curl")], [], 100, memory=True).run(report, Address(1), MAILDROP, 1)
    assert row(report, "curl")[1:4] == ["100", "5,000", ""]


def test_who_gets_fewer_messages_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    report = Report("test", "A test")
    entries = [Entry("poplib", share=20), OURS]
    with serving(MAILDROP) as address:
        Contest("A hundred", entries, [], 100).run(report, address, MAILDROP, rounds=1)
    assert row(report, "poplib")[0] == "poplib (5 of them)"
    assert report.data["A hundred"]["poplib"]["count"] == 5
    assert row(report, OURS.label)[0] == OURS.label


@pytest.mark.parametrize("name", ["clients", "latency"])
def test_getmail_gets_fewer(name: str) -> None:
    contest = clients._small(1)[0] if name == "clients" else latency.contest(50, 10_000)
    getmail = next(entry for entry in contest.entries if entry.peer == "getmail6")
    assert contest._who(getmail) == f"getmail6 ({500 if name == 'clients' else 100} of them)"


def test_a_run_in_a_hurry_misses_no_goal(played: list[str]) -> None:
    report = run(contest(Aim(OURS.label, Goal(1000, unit="x"), "poplib")), judge=False)
    assert row(report, OURS.label)[-1] == "7.50x to poplib, ≥ 1,000x: -"
    assert not report.missed


def test_who_is_not_installed_is_left_out(
    played: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "missing", {"poplib": "get poplib"}.get)
    report = run(contest(Aim(OURS.label, Goal(7, unit="x"), "poplib")))
    assert "poplib is not installed: get poplib" in report.markdown()
    assert "poplib" not in played
    assert not report.failures
    assert "to poplib" not in report.markdown()


def test_who_gets_other_octets_fails() -> None:
    report = Report("test", "A test")
    with serving(Maildrop(100, 2_000, 2_000)) as address:
        contest().run(report, address, MAILDROP, rounds=1)
    assert [failure.split(" failed: ")[0] for failure in report.failures] == [
        f"A hundred: {entry.label}" for entry in ENTRIES
    ]


def test_who_crashes_does_not_end_the_contest(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [Entry("poplib", "no_such_job"), OURS]
    report = Report("test", "A test")
    with serving(MAILDROP) as address:
        Contest("A hundred", entries, [], 100).run(report, address, MAILDROP, rounds=2)
    assert len(report.failures) == 2  # one a round
    assert list(report.data["A hundred"]) == [OURS.label]


def test_other_peoples_programs_may_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "missing", lambda name: "")
    monkeypatch.setitem(peers.PEERS, "pycurl", peers.PEERS["poplib"])
    report = Report("test", "A test")
    with serving(MAILDROP) as address:
        contest = Contest("A hundred", [Entry("pycurl", "no_such_job"), OURS], [], 100)
        contest.run(report, address, MAILDROP, rounds=1)
    assert report.failures == []
    assert "A hundred: pycurl failed: " in report.markdown()


@pytest.mark.parametrize(
    ("module", "options"),
    [
        (clients, ["--contest", "noop"]),
        (clients, ["--contest", "large"]),
        (latency, ["--milliseconds", "5"]),
        (tls, ["--contest", "large"]),
        (memory, ["--contest", "whole"]),
        (memory, ["--contest", "listings"]),
        (memory, ["--contest", "file"]),
        (memory, ["--contest", "smaller-file"]),
        (memory, ["--contest", "import"]),
    ],
)
def test_sub_commands(module: Any, options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # Programs of other people's have a test of their own.
    there = peers.missing
    monkeypatch.setattr(peers, "missing", lambda name: there(name) if name in peers.PEERS else "-")
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    module.add_arguments(parser)
    report = module.run(parser.parse_args(["--quick", *options]))
    assert report.failures == []
    assert report.missed == []
    assert "| poplib" in report.markdown() or "| raw socket" in report.markdown()
    assert report.as_json()["data"]
