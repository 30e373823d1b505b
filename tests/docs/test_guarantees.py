"""Each guarantee has tests that exist, and a figure; the page is that of the table."""

from __future__ import annotations

import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCRIPT = runpy.run_path(str(DOCS / "make_guarantees.py"))
GUARANTEE: dict[str, Any] = {"what": "This.", "tests": ["test_errors.py"], "counted": "cases"}
RECORDED = {"figure": "3 runs", "command": "run", "date": "2026-01-01", "commit": "0123456"}


def faults(**changes: Any) -> list[str]:
    changed = {k: v for k, v in {**GUARANTEE, **changes}.items() if v is not None}
    return list(SCRIPT["faults"]([changed]))


def test_the_table_is_in_order() -> None:
    assert list(SCRIPT["faults"](SCRIPT["guarantees"]())) == []


def test_the_page_has_each_guarantee_and_each_recorded_figure() -> None:
    page = (DOCS / "guarantees.md").read_text("utf-8")
    assert page.startswith(SCRIPT["HEAD"])
    for guarantee in SCRIPT["guarantees"]():
        assert f"| {guarantee['what']} |" in page
        for figure in guarantee.get("recorded", ()):
            assert f"{figure['figure']} ({figure['date']}, {figure['commit']})" in page
            assert f"`{figure['command']}`" in page
    # No line without a figure.
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    assert not [line for line in lines if line.endswith("|  |")]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tests": []}, "no test: This."),
        ({"tests": ["test_nothing.py"]}, "test_nothing.py does not exist: This."),
        ({"tests": ["test_errors.py::test_x"]}, "test_errors.py::test_x is not in its file: This."),
        ({"counted": None}, "no figure: This."),
        ({"counted": "sheep"}, "no way to count sheep: This."),
        ({"recorded": [{**RECORDED} | {"x": 1}]}, None),
        ({"recorded": [{"figure": "3"}]}, "a figure without command, commit, date: This."),
        (
            {"recorded": [{**RECORDED} | {"command": "tools/mutate.py engine/wire.py x/y.py"}]},
            "x/y.py does not exist: tools/mutate.py engine/wire.py x/y.py",
        ),
    ],
)
def test_what_is_wrong_with_a_guarantee(changes: dict[str, Any], told: str | None) -> None:
    assert faults(**changes) == ([] if told is None else [told])


def test_cases_are_counted() -> None:
    found = SCRIPT["collected"](["tests/docs/test_guarantees.py"])
    assert found["tests/docs/test_guarantees.py"] >= 11
    one = "tests/docs/test_guarantees.py::test_what_is_wrong_with_a_guarantee"
    assert found[one] == 8


@pytest.mark.parametrize(
    ("number", "shown"), [(1, "1 case"), (99, "99 cases"), (457, "at least 450 cases")]
)
def test_the_figure_of_the_cases(number: int, shown: str) -> None:
    rows = list(SCRIPT["rows"]([GUARANTEE], Counter({"tests/test_errors.py": number})))
    assert rows[2].endswith(f"| {shown} |")
    with pytest.raises(SystemExit):
        list(SCRIPT["rows"]([GUARANTEE], Counter[str]()))
