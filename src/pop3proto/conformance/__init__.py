"""Conformance: what servers and clients do with every clause of the standards, case by case.

``check_server()`` runs the cases against a server, and ``check_client()`` runs a program against
servers that test it. Both return a ``Report``, which ``as_json()``, ``as_junit()``, ``as_html()``
and ``text_lines()`` write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import loads_when_asked

if TYPE_CHECKING:
    from .baseline import Baseline
    from .case import Case, Cases, Severity, Verdict
    from .check import check_server
    from .client import client_cases
    from .client.check import check_client
    from .client.target import ClientTarget
    from .delivery import CommandDelivery, Deliver, MaildirDelivery, SmtpDelivery
    from .report import Conversation, Report, Result
    from .reports.html import as_html
    from .reports.json import as_json
    from .reports.junit import as_junit
    from .reports.text import text_lines
    from .server import server_cases
    from .server.target import ServerTarget

__all__ = [
    "Baseline",
    "Case",
    "Cases",
    "ClientTarget",
    "CommandDelivery",
    "Conversation",
    "Deliver",
    "MaildirDelivery",
    "Report",
    "Result",
    "ServerTarget",
    "Severity",
    "SmtpDelivery",
    "Verdict",
    "as_html",
    "as_json",
    "as_junit",
    "check_client",
    "check_server",
    "client_cases",
    "server_cases",
    "text_lines",
]

_HOMES = {
    "baseline": ("Baseline",),
    "case": ("Case", "Cases", "Severity", "Verdict"),
    "check": ("check_server",),
    "client": ("client_cases",),
    "client.check": ("check_client",),
    "client.target": ("ClientTarget",),
    "delivery": ("CommandDelivery", "Deliver", "MaildirDelivery", "SmtpDelivery"),
    "report": ("Conversation", "Report", "Result"),
    "reports.html": ("as_html",),
    "reports.json": ("as_json",),
    "reports.junit": ("as_junit",),
    "reports.text": ("text_lines",),
    "server": ("server_cases",),
    "server.target": ("ServerTarget",),
}

if not TYPE_CHECKING:  # or every name would be there for a type checker
    __getattr__, __dir__ = loads_when_asked(__name__, _HOMES)
