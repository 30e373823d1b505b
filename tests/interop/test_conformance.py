"""Real servers fail the cases that docs/conformance.md says, and no others."""

from __future__ import annotations

import pytest

from tests.interop.conformance import SERVERS, known, run
from tests.interop.table import SetCell


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_fails_what_is_known(name: str, cell: SetCell) -> None:
    cell("conformance", name, "cases")
    report = run(name)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in report.counts.items() if count)
    cell("conformance", name, "cases", counts)
    outcomes = {r.case.number: report.outcome(r) for r in report.results}
    unexpected = {
        r.case.number: r.reason
        for r in report.results
        if outcomes[r.case.number] in ("fail", "warning")
    }
    assert unexpected == {}, f"not in {known(name).name}"
    assert report.mended == []
