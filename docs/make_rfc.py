"""Write docs/rfc-conformance.md: each clause of the RFCs, and the tests and cases that show it.

``python docs/make_rfc.py`` writes the page from docs/rfc-conformance.toml. With ``--check`` it
writes nothing, and exits with 1 if the page is out of date. A test or a case that does not exist,
and a case of the conformance suites that no clause names, is an error.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "rfc-conformance.md"
TABLE = ROOT / "docs" / "rfc-conformance.toml"
HOME = "https://github.com/pop3proto/pop3proto/blob/main/tests/"
HEAD = """# RFC conformance

This page goes through the standards of POP3, clause by clause: what each demands of the client or
of the server, what pop3proto does, and how that is shown. The clauses are in our words; the RFCs
count. Where nothing stands beside a clause, pop3proto does what it says. What it forgives the other
end is on the page about [deviations](deviations.md).

The last column has tests, and cases of [`pop3proto conformance`](conformance.md). The embedded
server passes each S that its security mode allows; how `pop3proto fetch` does with each C is in
[a table](conformance.md#what-mail-programs-do) there. `python docs/make_rfc.py` writes this page
from `docs/rfc-conformance.toml`, and checks that all of these tests and cases exist, and that no
case is missing here.

"""
WHO = {"client": "client", "server": "server", "both": "both ends"}

Rfc = dict[str, Any]


def rfcs() -> list[Rfc]:
    """Return the RFCs of the table, each with its clauses."""
    found: list[Rfc] = tomllib.loads(TABLE.read_text("utf-8"))["rfc"]
    return found


def cases() -> set[str]:
    """Return the numbers of the cases that are about a clause of an RFC."""
    from pop3proto.conformance import client_cases, server_cases

    chosen = [*server_cases().chosen([], []), *client_cases().chosen([], [])]
    # RFC 5322 is about mail, and RFC 9293 about TCP: they are not the business of this page.
    return {case.number for case in chosen if case.clause.startswith("RFC")} - {"C107"}


def faults(of: list[Rfc], known: set[str]) -> Iterator[str]:
    """Yield what is wrong with the table; ``known`` has the numbers of the cases."""
    shown: Counter[str] = Counter()
    for rfc in of:
        for clause in rfc["clause"]:
            what = f"RFC {rfc['number']}: {clause['what']}"
            if clause["who"] not in WHO:
                yield f"neither client, server nor both: {what}"
            if not clause["shown"] and "does" not in clause:
                yield f"neither shown nor said to be missing: {what}"
            for each in clause["shown"]:
                if re.fullmatch(r"[CS]\d+", each):
                    shown[each] += 1
                    if each not in known:
                        yield f"there is no case {each}: {what}"
                elif told := _missing(each):
                    yield f"{told}: {what}"
    yield from (f"the case {number} is shown nowhere" for number in sorted(known - shown.keys()))
    yield from (f"the case {each} is shown twice" for each, often in shown.items() if often > 1)


def _missing(test: str) -> str | None:
    """Return what is wrong with the name of a test, if anything is."""
    file, _, name = test.partition("::")
    path = ROOT / "tests" / file
    if not path.is_file():
        return f"{file} does not exist"
    if name and not re.search(rf"\bdef {name}\(", path.read_text("utf-8")):
        return f"{test} is not in its file"
    return None


def page(of: list[Rfc]) -> str:
    """Return the page."""
    return HEAD + "\n".join(line for rfc in of for line in _lines(rfc)).rstrip("\n") + "\n"


def _lines(rfc: Rfc) -> Iterator[str]:
    yield f"## RFC {rfc['number']}: {rfc['title']}"
    yield ""
    yield "| Section | For | Clause | pop3proto | Shown by |"
    yield "|---|---|---|---|---|"
    for clause in rfc["clause"]:
        shown = ", ".join(map(_link, clause["shown"]))
        sections = _sections(rfc["number"], clause["section"])
        told = clause.get("does", "")
        yield f"| {sections} | {WHO[clause['who']]} | {clause['what']} | {told} | {shown} |"
    yield ""


def _sections(number: str, sections: str) -> str:
    url = f"https://www.rfc-editor.org/rfc/rfc{number}#section-"
    return ", ".join(f"[{each}]({url}{each})" for each in sections.split(", ") if each)


def _link(shown: str) -> str:
    if re.fullmatch(r"[CS]\d+", shown):
        return shown
    file, _, name = shown.partition("::")
    text = name.removeprefix("test_") or file.rpartition("/")[2]
    return f"[{text}]({HOME}{file})"


def main() -> int:
    """Write the page, or check it."""
    table = rfcs()
    if wrong := list(faults(table, cases())):
        print(*wrong, sep="\n", file=sys.stderr)
        return 1
    text = page(table)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, "utf-8")
    elif text != PAGE.read_text("utf-8"):
        print(f"{PAGE.name} is out of date: run python docs/make_rfc.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
