"""Each clause of the RFCs has tests and cases that exist, or says that it is not kept."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCRIPT = runpy.run_path(str(DOCS / "make_rfc.py"))
CLAUSE: dict[str, Any] = {"section": "3", "who": "client", "what": "This.", "shown": ["S101"]}


def faults(**changes: Any) -> list[str]:
    clause = {k: v for k, v in {**CLAUSE, **changes}.items() if v is not None}
    return list(SCRIPT["faults"]([{"number": "1939", "clause": [clause]}], {"S101"}))


def test_the_table_is_in_order() -> None:
    assert list(SCRIPT["faults"](SCRIPT["rfcs"](), SCRIPT["cases"]())) == []


def test_the_page_is_that_of_the_table() -> None:
    assert (DOCS / "rfc-conformance.md").read_text("utf-8") == SCRIPT["page"](SCRIPT["rfcs"]())


def test_the_page_is_about_each_rfc_that_the_suites_are_about() -> None:
    about = {rfc["number"] for rfc in SCRIPT["rfcs"]()}
    wanted = {"1939", "2384", "2449", "2595", "3206", "5034", "6856", "7817", "8314"}
    assert wanted <= about


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, []),
        ({"who": "nobody"}, ["neither client, server nor both: RFC 1939: This."]),
        ({"shown": ["S102"]}, ["there is no case S102: RFC 1939: This.", "the case S101 is shown"]),
        (
            {"shown": []},
            ["neither shown nor said to be missing: RFC 1939: This.", "the case S101 is shown"],
        ),
        ({"shown": [], "does": "Not done."}, ["the case S101 is shown nowhere"]),
        ({"shown": ["S101", "S101"]}, ["the case S101 is shown twice"]),
        ({"shown": ["S101", "test_no.py"]}, ["test_no.py does not exist: RFC 1939: This."]),
        (
            {"shown": ["S101", "test_errors.py::test_x"]},
            ["test_errors.py::test_x is not in its file: RFC 1939: This."],
        ),
    ],
)
def test_what_is_wrong_with_a_clause(changes: dict[str, Any], told: list[str]) -> None:
    found = faults(**changes)
    assert len(found) == len(told)
    for line, beginning in zip(found, told, strict=True):
        assert line.startswith(beginning)


def test_a_clause_leads_to_its_section_and_its_tests() -> None:
    clause = {
        **CLAUSE,
        "section": "6.1, 6.8",
        "shown": ["test_errors.py", "engine/test_x.py::test_y"],
    }
    text = SCRIPT["page"]([{"number": "2449", "title": "Extensions", "clause": [clause]}])
    row = text.splitlines()[-1]
    assert "[6.8](https://www.rfc-editor.org/rfc/rfc2449#section-6.8)" in row
    assert "[y](https://github.com/pop3proto/pop3proto/blob/main/tests/engine/test_x.py)" in row
