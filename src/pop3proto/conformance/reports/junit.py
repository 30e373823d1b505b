"""A report as JUnit XML, which CI systems show."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from ..._arguments import require
from ..report import Report, Result

__all__ = ["as_junit"]

_SKIPPED = ("known", "warning", "not offered", "not tested")


def as_junit(report: Report) -> str:
    """Return ``report`` as JUnit XML.

    Only new failures are failures there. What was not offered or not tested is skipped, and so are
    warnings and known failures: JUnit has no word for those.
    """
    require("report", report, Report, "a Report")
    return "".join(f"{line}\n" for line in _lines(report))


def _lines(report: Report) -> Iterator[str]:
    skipped = sum(report.outcome(result) in _SKIPPED for result in report.results)
    # Warnings are failures if they count.
    skipped -= sum(result.warned for result in report.new)
    seconds = sum(result.seconds for result in report.results)
    name = quoteattr(f"pop3proto conformance {report.role} {report.target}")
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield "<testsuites>"
    yield (
        f'<testsuite name={name} tests="{len(report.results)}" failures="{len(report.new)}"'
        f' errors="0" skipped="{skipped}" time="{seconds:.3f}" timestamp="{report.time}">'
    )
    for result in report.results:
        yield from _case(report, result)
    yield "</testsuite>"
    yield "</testsuites>"


def _case(report: Report, result: Result) -> Iterator[str]:
    case, outcome = result.case, report.outcome(result)
    name, group = quoteattr(f"{case.number} {case.title}"), quoteattr(case.clause)
    yield f'<testcase name={name} classname={group} time="{result.seconds:.3f}">'
    if result in report.new:
        yield f'<failure message={quoteattr(result.reason)} type="{result.severity.value}">'
        for conversation in result.conversations:
            yield escape(f"{conversation.title}:")
            yield from map(escape, conversation.lines)
        yield "</failure>"
    elif outcome in _SKIPPED:
        yield f"<skipped message={quoteattr(f'{outcome}: {result.reason}')}/>"
    yield "</testcase>"
