"""Write the list of all cases into docs/conformance.md.

``python docs/make_cases.py`` writes it. With ``--check`` it writes nothing, and exits with 1 if the
list is out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from pop3proto.conformance import server_cases

PAGE = Path(__file__).with_name("conformance.md")
BEGIN, END = "<!-- cases: begin -->\n", "<!-- cases: end -->\n"


def rows() -> Iterator[str]:
    """Yield the lines of the list."""
    yield "| Case | Clause | Demand | |"
    yield "|---|---|---|---|"
    for case in server_cases().chosen([], []):
        notes = [case.severity.value] if case.severity.value == "warning" else []
        notes += ["`--destructive`"] * case.destructive + ["`--slow`"] * case.slow
        yield f"| {case.number} | {case.clause} | {case.title} | {', '.join(notes)} |"


def page(text: str) -> str:
    """Return the page ``text`` with the list as it is now."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE.name} has no {BEGIN.strip()} and {END.strip()}")
    return head + BEGIN + "\n" + "".join(f"{row}\n" for row in rows()) + "\n" + END + tail


def main() -> int:
    """Write the list, or check it."""
    before = PAGE.read_text("utf-8")
    after = page(before)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(after, "utf-8")
    elif after != before:
        print(f"{PAGE.name} is out of date: run python docs/make_cases.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
