"""The tables of what is measured and of the goals, and each contest on little.

How fast anything is does not matter here.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import __main__, clients, programs
from benchmarks import contests as table
from benchmarks.contests import BY_NAME, CONTESTS
from benchmarks.goals import GOALS
from benchmarks.measuring import Contest, Outcome, measure
from benchmarks.reporting import as_json


def test_names_are_of_one_contest_each() -> None:
    assert len(BY_NAME) == len(CONTESTS)


@pytest.mark.parametrize("contest", CONTESTS, ids=lambda contest: contest.name)
def test_who_is_compared_takes_part(contest: Contest) -> None:
    names = [entry.who for entry in contest.entries]
    assert len(names) == len(set(names))
    assert {*contest.references, *contest.counted} <= set(names)
    goals = [goal for goal in GOALS if goal.contest == contest.name]
    assert {who for goal in goals for who in (goal.who, goal.against, goal.above)} <= {*names, ""}


def test_goals_are_of_contests_and_say_one_limit() -> None:
    assert {goal.contest for goal in GOALS} <= set(BY_NAME)
    assert all((goal.least is None) != (goal.most is None) for goal in GOALS)


def test_the_page_has_ten_rows() -> None:
    assert len([goal for goal in GOALS if goal.page]) == 10


@pytest.mark.parametrize("name", BY_NAME)
def test_a_contest_runs(name: str) -> None:
    outcome = measure(BY_NAME[name], 1, quick=True)
    assert outcome.failures == []
    assert any(who.startswith("pop3proto") for who in outcome.figures)
    result = as_json([outcome], GOALS, quick=True)
    assert all(goal["met"] is None for goal in result["goals"])
    assert json.loads(json.dumps(result)) == result


def test_all_is_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stub(contest: Contest, rounds: int, quick: bool = False) -> Outcome:
        failed = contest.name == "retr" and rounds == 5
        return Outcome(contest, rounds, failures=["broken"] if failed else [])

    monkeypatch.setattr(__main__, "measure", stub)
    path = tmp_path / "all.json"
    assert __main__.main(["all", "--json", str(path)]) == 1
    result = json.loads(path.read_text("utf-8"))
    assert list(result["contests"]) == list(BY_NAME)
    assert (result["failures"], result["quick"]) == (["retr: broken"], False)
    assert "This takes about" in capsys.readouterr().err
    assert __main__.main(["all", "--quick"]) == 0
    assert __main__.main(["noop", "--rounds", "3"]) == 0
    assert "NOOP, one at a time" in capsys.readouterr().out


def test_what_is_absent_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = programs.Program(("no-such-program",), "apt-get install it")
    monkeypatch.setitem(programs.PROGRAMS, "gone", gone)
    lacking = programs.Program(("sh",), module="no_such_module")
    monkeypatch.setitem(programs.PROGRAMS, "lacking", lacking)
    assert programs.missing("gone") == "apt-get install it"
    assert programs.missing("lacking") == "python -m pip install no_such_module"
    assert programs.missing("poplib") == ""
    assert all(
        entry.missing() == ""
        for entry in BY_NAME["retr"].entries
        if entry.who not in {"pop3proto, uvloop", "pop3proto, trio"}
    )
    assert set(clients.CLIENTS) == {entry.who for entry in table.BY_NAME["retr"].entries}
