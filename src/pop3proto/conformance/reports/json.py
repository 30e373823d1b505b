"""A report as JSON."""

from __future__ import annotations

import json
from typing import Any

from ..._arguments import require
from ..report import FORMAT, Report, Result

__all__ = ["as_json"]


def as_json(report: Report) -> str:
    """Return ``report`` as one JSON object."""
    require("report", report, Report, "a Report")
    return json.dumps(
        {
            "format": FORMAT,
            "role": report.role,
            "target": report.target,
            "time": report.time,
            "version": report.version,
            "facts": dict(report.facts),
            "ok": report.ok,
            "counts": report.counts,
            "mended": report.mended,
            "results": [_result(report, each) for each in report.results],
        },
        indent=2,
    )


def _result(report: Report, result: Result) -> dict[str, Any]:
    case = result.case
    return {
        "number": case.number,
        "clause": case.clause,
        "title": case.title,
        "severity": result.severity.value,
        "destructive": case.destructive,
        "outcome": report.outcome(result),
        "verdict": result.verdict.value,
        "reason": result.reason,
        "seconds": round(result.seconds, 3),
        "conversations": [
            {"title": each.title, "lines": [*each.lines]} for each in result.conversations
        ],
    }
