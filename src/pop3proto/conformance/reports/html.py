"""A report as one HTML page, which needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from ..._arguments import require
from ..report import Report, Result

__all__ = ["as_html"]

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: #1c1c1e; background: #fff; }
h1 { font-size: 1.5rem; }
dl { display: grid; grid-template-columns: max-content auto; gap: 0 1rem; }
dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top;
  padding: .35rem .6rem; border-top: 1px solid #ddd; } .o { white-space: nowrap; font-weight: 600; }
.pass { color: #1a7f37; } .fail { color: #c4191f; } .warning { color: #9a6700; }
.known { color: #8250df; } .not { color: #6e7781; } .clause { color: #57606a; font-size: .9em; }
pre { background: #f6f8fa; padding: .6rem; overflow-x: auto; font-size: 12.5px; margin: .4rem 0; }
summary { cursor: pointer; }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #16181c; }
  pre { background: #22252b; } td, th { border-color: #3a3f47; } .clause { color: #9aa4af; }
  .pass { color: #4ac26b; } .fail { color: #ff7b72; } .warning { color: #e3b341; }
  .known { color: #bc8cff; } .not { color: #9aa4af; } }
"""


def as_html(report: Report) -> str:
    """Return ``report`` as a page."""
    require("report", report, Report, "a Report")
    return "".join(f"{line}\n" for line in _lines(report))


def _lines(report: Report) -> Iterator[str]:
    title = escape(f"POP3 conformance: {report.role} {report.target}")
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    # What a server says must not become a part of the page, whatever it says.
    yield (
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    )
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
    yield f"<h1>{title}</h1>\n<dl>"
    facts = (("Time", report.time), ("pop3proto", report.version), *report.facts)
    for name, text in facts:
        yield f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>"
    yield "</dl>"
    counts = ", ".join(f"{count} {outcome}" for outcome, count in report.counts.items())
    yield f"<p><strong>{escape(counts)}</strong></p>"
    yield "<table>\n<tr><th>Case</th><th>Outcome</th><th>Demand</th></tr>"
    for result in report.results:
        yield from _row(report, result)
    yield "</table>\n</body>\n</html>"


def _row(report: Report, result: Result) -> Iterator[str]:
    case, outcome = result.case, report.outcome(result)
    yield f'<tr id="{escape(case.number)}"><td>{escape(case.number)}</td>'
    yield f'<td class="o {outcome.split()[0]}">{escape(outcome)}</td><td>{escape(case.title)}'
    yield f'<div class="clause">{escape(result.clause)}</div>'
    if result.reason:
        yield f"<div>{escape(result.reason)}</div>"
    if result.conversations:
        opened = " open" if outcome in ("fail", "warning") else ""
        yield f"<details{opened}><summary>What was said</summary>"
        for each in result.conversations:
            yield f"<div>{escape(each.title)}</div><pre>{escape(chr(10).join(each.lines))}</pre>"
        yield "</details>"
    yield "</td></tr>"
