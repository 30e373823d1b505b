"""What works with what, as tables at the end of a test run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

Cell = tuple[str, str, str]
"""A table's title, a row, a column."""


class SetCell(Protocol):
    """Takes a cell, and what to write there if all goes well."""

    def __call__(self, title: str, row: str, column: str, passed: str = "ok") -> None:
        """Say where the outcome belongs."""
        ...


_NOTHING = "-"


def _badness(found: str) -> int:
    # Where more than one test belongs to a cell, the worst counts.
    return ("skipped", "FAILED").index(found) + 1 if found in ("skipped", "FAILED") else 0


class Tables:
    """Filled test by test."""

    def __init__(self) -> None:
        self._cells: dict[Cell, str] = {}

    def add(self, cell: Cell, outcome: str, passed: str = "ok") -> None:
        """``outcome`` is what pytest calls it; ``passed`` is what to write for a good one."""
        found = {"passed": passed, "failed": "FAILED"}.get(outcome, outcome)
        self._cells[cell] = max(self._cells.get(cell, found), found, key=_badness)

    def titles(self) -> list[str]:
        """Of the tables that have a cell."""
        return list(dict.fromkeys(title for title, _, _ in self._cells))

    def lines(self, title: str) -> Iterator[str]:
        """A table as text."""
        mine = {cell[1:]: outcome for cell, outcome in self._cells.items() if cell[0] == title}
        rows = list(dict.fromkeys(row for row, _ in mine))
        columns = list(dict.fromkeys(column for _, column in mine))
        grid = [["", *columns]]
        grid += [[row, *(mine.get((row, column), _NOTHING) for column in columns)] for row in rows]
        widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
        for line in grid:
            yield "  ".join(map(str.ljust, line, widths)).rstrip()
