"""The report of ``pop3proto check`` as text, in which nothing of the server's reaches the terminal
unescaped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..errors import printable

__all__ = ["lines"]

_SECURITY = {"tls": "TLS", "stls": "STLS", "plaintext": "no TLS"}
_STATES = {
    "before_tls": "Capabilities without TLS",
    "after_tls": "Capabilities under TLS",
    "after_login": "Capabilities after the login",
}
# Characters of a text that are shown.
_LONGEST = 1000


def lines(report: dict[str, Any], *, only_problems: bool = False) -> Iterator[str]:
    """Yield the report line by line, or the problems in it."""
    for line in _problems(report) if only_problems else _lines(report):
        yield printable(line, _LONGEST)


def _lines(report: dict[str, Any]) -> Iterator[str]:
    security = _SECURITY[report["security"]]
    yield f"Server: {report['host']} port {report['port']}, {security}"
    yield f"Time: {report['time']}, pop3proto {report['version']}"
    if (greeting := report["greeting"]) is not None:
        apop = " (with a timestamp for APOP)" if greeting["apop"] else ""
        yield f"Greeting: {greeting['text']}{apop}"
        yield from _tls(report)
        yield from _capabilities(report["capabilities"])
        yield from _logins(report)
    if (seconds := report["round_trip_seconds"]) is not None:
        yield f"Round trip: {seconds * 1000:.1f} ms"
    for deviation in report["deviations"]:
        yield f"Fault: {deviation['first']} [{deviation['fault']}, {deviation['count']} in all]"
    yield from _problems(report)
    for advice in report["advice"]:
        yield f"To do: {advice}"
    yield f"Result: {'the server can be used' if report['ok'] else 'there are problems'}"


def _problems(report: dict[str, Any]) -> Iterator[str]:
    for problem in report["problems"]:
        yield f"Problem: {problem['error']}, {problem['at']}: {problem['text']}"


def _tls(report: dict[str, Any]) -> Iterator[str]:
    if (tls := report["tls"]) is None:
        return
    yield f"TLS: {tls['version']}, {tls['cipher']}, {tls['bits']} bits"
    found = report["certificate"]
    yield f"Certificate: {'verified' if found['verified'] else 'NOT TRUSTED'}"
    if found["problem"] is not None:
        yield f"  Problem: {found['problem']}"
    yield f"  Subject: {_known(found['subject'])}"
    yield f"  Names: {', '.join(found['names']) or 'none'}"
    yield f"  Issuer: {_known(found['issuer'])}"
    left = "" if found["days_left"] is None else f" ({found['days_left']} days left)"
    yield f"  Valid: {_known(found['not_before'])} to {_known(found['not_after'])}{left}"
    yield f"  SHA-256: {found['sha256']}"


def _known(text: str | None) -> str:
    return text or "unknown"


def _capabilities(capabilities: dict[str, list[str] | None]) -> Iterator[str]:
    for state, title in _STATES.items():
        found = capabilities[state]
        if found is not None:
            yield f"{title}:{'' if found else ' none'}"
            for line in found:
                yield f"  {line}"


def _logins(report: dict[str, Any]) -> Iterator[str]:
    mechanisms = report["mechanisms"]
    if mechanisms["offered"] is not None:
        yield f"SASL mechanisms: {', '.join(mechanisms['offered']) or 'none'}"
    if mechanisms["chosen"] is not None:
        chosen = "USER and PASS" if mechanisms["chosen"] == "USER" else mechanisms["chosen"]
        yield f"A login would use: {chosen}"
    if (login := report["login"]) is not None:
        bound = ", tied to the TLS connection" if login["channel_bound"] else ""
        yield f"Login: {login['user']}, by {login['mechanism']}{bound}"
