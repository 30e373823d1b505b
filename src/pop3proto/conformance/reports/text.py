"""A report as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from ..._arguments import require
from ..report import Report, Result

__all__ = ["result_line", "text_lines"]

# Lines of conversations that are shown of each failure; JSON and HTML have more.
_SHOWN = 14


def result_line(report: Report, result: Result) -> str:
    """Return the line of a result."""
    line = f"{result.case.number}  {report.outcome(result):11}  {result.case.title}"
    return f"{line.removesuffix('.')}: {result.reason}" if result.reason else line


def text_lines(report: Report, *, verbose: bool = False) -> Iterator[str]:
    """Yield the lines of a report, in ASCII as far as the target wrote them.

    Only what has not passed is listed, unless ``verbose``. After each failure come the clause, and
    the end of what was said.
    """
    require("report", report, Report, "a Report")
    require("verbose", verbose, bool, "True or False")
    yield f"{report.role} {report.target}"
    for name, text in report.facts:
        yield f"{name}: {text}"
    yield ""
    for result in report.results:
        outcome = report.outcome(result)
        if verbose or outcome != "pass":
            yield result_line(report, result)
        if outcome in ("fail", "warning") or (verbose and outcome == "known"):
            yield f"      {result.clause}"
            yield from (f"      {line}" for line in _conversation(result))
    yield ""
    yield ", ".join(f"{count} {outcome}" for outcome, count in report.counts.items())
    if report.mended:
        yield f"pass now, so the baseline need not have them: {', '.join(report.mended)}"


def _conversation(result: Result) -> Iterator[str]:
    lines = [line for each in result.conversations for line in (f"-- {each.title}", *each.lines)]
    if len(lines) > _SHOWN:
        yield f"({len(lines) - _SHOWN} lines before)"
    yield from lines[-_SHOWN:]
