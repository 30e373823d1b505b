"""What works with what, as tables at the end of a test run."""

from __future__ import annotations

from collections.abc import Iterator

Cell = tuple[str, str, str]
"""A table's title, a row, a column."""

_NOTHING = "-"
# Where more than one test belongs to a cell, the worst counts.
_ORDER = ("ok", "skipped", "FAILED")


class Tables:
    """Filled test by test."""

    def __init__(self) -> None:
        self._cells: dict[Cell, str] = {}

    def add(self, cell: Cell, outcome: str) -> None:
        """``outcome`` is what pytest calls it."""
        found = {"passed": "ok", "failed": "FAILED"}.get(outcome, outcome)
        self._cells[cell] = max(found, self._cells.get(cell, "ok"), key=_ORDER.index)

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
