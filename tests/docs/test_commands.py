"""The page of the commands is that of the state table, and leaves none out."""

from __future__ import annotations

import runpy
from pathlib import Path

from tests.samples import COMMAND_CLASSES

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCRIPT = runpy.run_path(str(DOCS / "make_commands.py"))
PAGE = (DOCS / "commands.md").read_text("utf-8")


def test_the_page_is_current() -> None:
    assert SCRIPT["page"]() == PAGE


def test_every_command_has_a_row() -> None:
    for each in COMMAND_CLASSES:
        assert f"| `{each.__name__}` |" in PAGE
        for state in each.legal_states:
            (row,) = [line for line in PAGE.splitlines() if f"| `{each.__name__}` |" in line]
            assert state.name in row
