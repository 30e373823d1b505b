"""The pages of the results: made from the JSON of any run, whole or not."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks import reporting
from benchmarks.__main__ import main
from benchmarks.contests import BY_NAME
from benchmarks.freshness import stale
from benchmarks.goals import Goal
from benchmarks.measuring import ROOT, Figure, Outcome
from benchmarks.reporting import NOT_ASKED, as_json

GOALS = [
    Goal(
        "small",
        "pop3proto, blocking",
        "small mail is fast",
        least=7,
        against="poplib",
        page="small mail",
    ),
    Goal("small", "pop3proto, blocking", "a mail is cheap", most=11, unit=" µs", page="a mail"),
    Goal("small", "pop3proto, trio", "on trio too", least=7, against="poplib", page="on trio"),
    Goal("small", "pop3proto, blocking", "faster than C", least=3, against="mpop"),
]
CPU = {"poplib": 90.0, "pop3proto, blocking": 12.0, "mpop": 30.0}


def result(cpu: Mapping[str, float] = CPU, quick: bool = False) -> dict[str, Any]:
    """A run of one contest."""
    figures = {who: {"cpu": Figure((taken, taken, 2 * taken))} for who, taken in cpu.items()}
    outcome = Outcome(BY_NAME["small"], 10_000, figures, notes=["curl is absent: install it"])
    return as_json([outcome], GOALS, quick)


def written(tmp_path: Path, result: dict[str, Any]) -> tuple[str, str]:
    """The page and the full page."""
    path = tmp_path / "result.json"
    path.write_text(json.dumps(result), "utf-8")
    assert main(["document", str(path), "--to", str(tmp_path)]) == 0
    return (
        (tmp_path / "performance.md").read_text("utf-8"),
        (tmp_path / "performance-full.md").read_text("utf-8"),
    )


def rows(text: str, begin: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith(f"| {begin}")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_page_has_the_rows_that_are_for_it(tmp_path: Path) -> None:
    page, _ = written(tmp_path, result())
    assert rows(page, "small mail") == [
        ["small mail", "poplib 90.0, here 12.0 µs a message", "7.50x", "≥ 7x", "yes"]
    ]
    assert rows(page, "a mail") == [["a mail", "", "12.0 µs", "≤ 11 µs", "**no**"]]
    assert rows(page, "on trio") == [["on trio", "poplib", "not measured", "≥ 7x", "-"]]
    assert "faster than C" not in page
    assert "1 of 4 goals are met; 1 were not judged." in page
    assert "(hot-path.md#goals-that-are-not-met)" in page
    assert "(performance-full.md)" in page


def test_the_full_page_has_everything(tmp_path: Path) -> None:
    _, full = written(tmp_path, result())
    assert rows(full, "faster than C")[0][1:] == ["≥ 3x", "2.50x (2.50 to 2.50)", "**no**"]
    assert "## Programs that fetch 10,000 mails of 4 KiB" in full
    assert rows(full, "mpop")[0][:2] == ["mpop", "30.0"]
    assert "curl is absent: install it" in full
    assert rows(full, "Date") == [["Date", reporting.machine()["Date"]]]


def test_the_page_names_the_commit_that_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"rev-parse": "a" * 40, "status": ""}
    monkeypatch.setattr(reporting, "ROOT", tmp_path)
    monkeypatch.setattr(reporting, "_git", lambda command, *rest: said[command])
    assert reporting.commit() == reporting.UNKNOWN  # this is no clone
    (tmp_path / ".git").mkdir()
    page, _ = written(tmp_path, result())
    assert f"at commit\n`{'a' * 40}`" in page
    said["status"] = " M src/pop3proto/errors.py"
    assert reporting.commit() == f"{'a' * 40}, with changes"
    page, _ = written(tmp_path, result())
    assert stale(tmp_path / "performance.md", ROOT) == [
        "performance.md is of code that was not committed"
    ]


def test_no_name_of_the_host_and_no_path(tmp_path: Path) -> None:
    import platform

    for text in written(tmp_path, result()):
        assert str(ROOT) not in text
        assert str(tmp_path) not in text
        assert platform.node() not in text.split()


def test_the_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="python -m pip install -e '.[benchmark]'")
    page, _ = written(tmp_path, result())
    assert "(performance.png)" in page
    assert (tmp_path / "performance.png").exists()


def test_the_page_without_matplotlib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    page, _ = written(tmp_path, result())
    assert "performance.png" not in page
    assert "pip install -e '.[benchmark]'" in capsys.readouterr().err


def test_a_run_without_programs_has_no_plot(tmp_path: Path) -> None:
    outcome = Outcome(BY_NAME["noop"], 10_000, {"poplib": {"cpu": Figure((9.0,))}})
    page, _ = written(tmp_path, as_json([outcome], GOALS, quick=False))
    assert "performance.png" not in page
    assert "0 of 0 goals are met." in page


def test_a_run_in_a_hurry_is_not_judged(tmp_path: Path) -> None:
    page, _ = written(tmp_path, result(quick=True))
    assert rows(page, "small mail")[0][-1] == "-"
    assert "0 of 4 goals are met; 4 were not judged." in page


@pytest.mark.parametrize(
    ("arguments", "pgo", "lto"),
    [
        (None, "unknown", "unknown"),
        ("'--prefix=/usr' 'LDFLAGS=-L/lib -flto'", NOT_ASKED, NOT_ASKED),
        ("'--enable-optimizations' '--with-lto'", "yes", "yes"),
        ("'--with-lto=thin'", NOT_ASKED, "yes"),
        ("'--with-lto' '--without-lto'", NOT_ASKED, NOT_ASKED),
        ("'--with-lto=no'", NOT_ASKED, NOT_ASKED),
    ],
)
def test_how_python_was_built(arguments: str | None, pgo: str, lto: str) -> None:
    told = reporting.build(arguments)
    assert told["Profile-guided optimisation"] == pgo
    assert told["Link-time optimisation"] == lto
    assert told["Compiler of Python"]
    assert told.keys() <= reporting.machine().keys()
