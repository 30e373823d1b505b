"""Mail programs fail the cases that docs/conformance.md says, and no others."""

from __future__ import annotations

import pytest

from tests.interop.conformance_clients import PROGRAMS, installed, run
from tests.interop.packages import REQUIRED
from tests.interop.table import SetCell

# Only that a program ends, or says that something failed, after some seconds in which nothing
# comes: on a busy machine, both take longer.
SLOW = ["C131", "C132", "C133", "C142", "C203", "C431", "C457"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_fails_what_is_known(name: str, cell: SetCell) -> None:
    cell("conformance of clients", name, "cases")
    if not installed(name):
        problem = f"{name} is not installed"
        pytest.fail(problem) if REQUIRED else pytest.skip(problem)
    # The others' are run in full for the table of the document.
    report = run(name, [] if name == "pop3proto" else ["C10", "C12", "C20", "C30"])
    counts = ", ".join(f"{count} {outcome}" for outcome, count in report.counts.items() if count)
    cell("conformance of clients", name, "cases", counts)
    unexpected = {
        r.case.number: r.reason
        for r in report.results
        if report.outcome(r) in ("fail", "warning") and r.case.number not in SLOW
    }
    assert unexpected == {}
