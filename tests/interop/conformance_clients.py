"""The second table of docs/conformance.md: what mail programs do with the cases for clients.

``python -m tests.interop.conformance_clients --write`` runs each program as
``tests/conformance/programs.sh`` says, and writes the table into the document. A program that is
not installed is left out, and said to be. Root is not needed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pop3proto import __version__
from pop3proto.conformance import Baseline, ClientTarget, Report, Verdict, check_client, text_lines
from pop3proto.transports import Security
from tests.interop.conformance import KNOWN, OUTCOMES, PAGE, outcome, tell

SCRIPT = Path(__file__).resolve().parents[1] / "conformance" / "programs.sh"
BEGIN, END = "<!-- clients: begin -->\n", "<!-- clients: end -->\n"
# What says its version, and how it connects: STLS where it can, because that has more cases.
PROGRAMS = {
    "curl": (("curl", "--version"), Security.STLS),
    "fetchmail": (("fetchmail", "--version"), Security.STLS),
    "mpop": (("mpop", "--version"), Security.STLS),
    "getmail": (("getmail", "--version"), Security.TLS),
    "poplib": ((), Security.STLS),
    "pop3proto": ((), Security.STLS),
}


def installed(name: str) -> bool:
    """Say if a program is there."""
    command, _ = PROGRAMS[name]
    return not command or shutil.which(command[0]) is not None


def version_of(name: str) -> str:
    """Return the version of a program."""
    command, _ = PROGRAMS[name]
    if not command:
        python = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
        return __version__ if name == "pop3proto" else f"Python {python}"
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout
    found = re.search(r"\d+\.[\d.]*\d", said)
    return found[0] if found is not None else "unknown"


def known(name: str) -> Path:
    """Return the file with the failures that are known of a program."""
    return KNOWN / f"client-{name}.txt"


def run(name: str, only: list[str] | None = None) -> Report:
    """Test a program with all cases, or with some."""
    os.environ["PYTHON"] = sys.executable
    lines = known(name).read_text("utf-8").splitlines() if known(name).exists() else []
    target = ClientTarget(
        ("sh", str(SCRIPT), name, "delete"), security=PROGRAMS[name][1], deletes=True, timeout=30
    )
    baseline = Baseline.load(lines)
    return check_client(target, name=name, only=only or [], baseline=baseline, tell=tell)


def rows(reports: dict[str, Report]) -> Iterator[str]:
    """Yield the lines of the table and of the list after it."""
    yield "| Program | Version | Security | " + " | ".join(OUTCOMES) + " |"
    yield "|---" * (3 + len(OUTCOMES)) + "|"
    for name, report in reports.items():
        found = Counter(map(outcome, report.results))
        counts = " | ".join(str(found[each]) for each in OUTCOMES)
        yield f"| {name} | {version_of(name)} | {PROGRAMS[name][1].value} | {counts} |"
    yield ""
    yield "| Case | Program | Outcome | Demand | What was seen |"
    yield "|---|---|---|---|---|"
    for name, report in reports.items():
        for result in report.results:
            if result.verdict is Verdict.FAIL:
                reason = re.sub(r"([|<>*_`\[\]])", r"\\\1", result.reason)
                demand = f"{result.case.title} ({result.case.clause})"
                yield f"| {result.case.number} | {name} | {outcome(result)} | {demand} | {reason} |"


def main() -> int:
    """Test the programs that are named, or all, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", nargs="*", help=f"{', '.join(PROGRAMS)} (default: all)")
    parser.add_argument("--only", action="append", default=[], metavar="NUMBER")
    parser.add_argument(
        "--write", action="store_true", help="write the table, and what is known to fail"
    )
    arguments = parser.parse_args()
    reports: dict[str, Report] = {}
    for name in arguments.program or PROGRAMS:
        if not installed(name):
            print(f"{name} is not installed")
            continue
        reports[name] = run(name, arguments.only)
        print(*text_lines(reports[name]), sep="\n", flush=True)
    table = "".join(f"{row}\n" for row in rows(reports))
    print(table)
    if arguments.write:
        for name, report in reports.items():
            known(name).write_text(report.baseline().dumps(), "utf-8")
        head, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
