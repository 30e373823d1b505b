"""``pop3proto conformance``: test a server, or a program that fetches, case by case."""

from __future__ import annotations

import argparse

from rich.console import Console

from ..conformance import (
    Baseline,
    ClientTarget,
    CommandDelivery,
    Deliver,
    MaildirDelivery,
    Report,
    ServerTarget,
    SmtpDelivery,
    as_html,
    as_json,
    as_junit,
    check_client,
    check_server,
    text_lines,
)
from ..errors import LocalProtocolError
from ..model.url import PopUrl
from ..transports import Security
from .access import Access

__all__ = ["run", "write_reports"]

_SMTP_PORT = 25
# What a URL can say, and what the cases try in turn anyway.
_LOGINS = (None, "*", "+USER", "PLAIN")
_SECONDS = 10.0


def run(console: Console, arguments: argparse.Namespace) -> int:
    """Run the cases for a role and print the report; return 1 if a case failed that was not known.

    Raises ``LocalProtocolError`` for arguments that cannot be used, and ``OSError`` if the server,
    the program or a file cannot be reached.
    """
    report = _REPORTS[arguments.role](arguments)
    write_reports(console, arguments, report)
    return 0 if report.ok else 1


def _server(arguments: argparse.Namespace) -> Report:
    """Test the server that the arguments describe."""
    access = Access(arguments, without_login=True)
    url = access.url
    if url.auth not in _LOGINS:
        raise LocalProtocolError("the cases log in with USER and PASS, or with PLAIN", hint="")
    secret = access.direct_password()
    deliver = _delivery(arguments, url)
    known = baseline(arguments)
    security = Security.TLS if url.implicit_tls else Security.STLS
    target = ServerTarget(
        host=url.host,
        port=url.effective_port,
        security=Security.PLAINTEXT if access.clear else security,
        user=url.user,
        secret=None if url.user is None else secret,
        ssl_context=access.context,
        server_hostname=arguments.server_name,
        fingerprint=arguments.fingerprint,
        allow_plaintext_auth=arguments.allow_plaintext_auth,
        timeout=_SECONDS if arguments.timeout is None else arguments.timeout,
        destructive=arguments.destructive,
        slow=arguments.slow,
        deliver=deliver,
    )
    # On a terminal it shows that something happens; elsewhere it shows nothing.
    with Console(stderr=True).status("testing") as status:
        return check_server(
            target,
            str(url),
            only=arguments.only,
            skip=arguments.skip,
            baseline=known,
            strict=arguments.strict,
            tell=lambda result: status.update(f"testing: {result.case.number} is done"),
        )


def _client(arguments: argparse.Namespace) -> Report:
    """Test the program that the arguments describe."""
    target = ClientTarget(
        tuple(arguments.program),
        security=arguments.security,
        deletes=arguments.deletes,
        timeout=arguments.timeout,
    )
    with Console(stderr=True).status("testing") as status:
        return check_client(
            target,
            name=arguments.name,
            only=arguments.only,
            skip=arguments.skip,
            slow=arguments.slow,
            baseline=baseline(arguments),
            strict=arguments.strict,
            tell=lambda result: status.update(f"testing: {result.case.number} is done"),
        )


_REPORTS = {"server": _server, "client": _client}


def baseline(arguments: argparse.Namespace) -> Baseline:
    """Return the failures that are known; raise ``LocalProtocolError`` for a malformed file."""
    if arguments.baseline is None:
        return Baseline()
    try:
        with arguments.baseline.open(encoding="utf-8-sig") as file:
            return Baseline.load(file)
    except UnicodeDecodeError:
        raise LocalProtocolError("--baseline: this is not text in UTF-8", hint="") from None


def write_reports(console: Console, arguments: argparse.Namespace, report: Report) -> None:
    """Print the report, and write the files that are wanted."""
    if arguments.json:
        console.print(as_json(report), soft_wrap=True, highlight=False)
    elif not (arguments.quiet and report.ok):
        for line in text_lines(report, verbose=arguments.verbose):
            console.print(line, soft_wrap=True, highlight=False)
    if arguments.junit is not None:
        arguments.junit.write_text(as_junit(report), encoding="utf-8")
    if arguments.html is not None:
        arguments.html.write_text(as_html(report), encoding="utf-8")
    if arguments.write_baseline is not None:
        arguments.write_baseline.write_text(report.baseline().dumps(), encoding="utf-8")


def _delivery(arguments: argparse.Namespace, url: PopUrl) -> Deliver | None:
    if arguments.deliver_maildir is not None:
        return MaildirDelivery(arguments.deliver_maildir)
    if arguments.deliver_command is not None:
        return CommandDelivery(arguments.deliver_command)
    place = arguments.deliver_smtp or arguments.deliver_lmtp
    if place is None:
        return None
    lmtp = arguments.deliver_lmtp is not None
    option = "--deliver-lmtp" if lmtp else "--deliver-smtp"
    host, port = _place(option, place, None if lmtp else _SMTP_PORT)
    return SmtpDelivery(host, port, arguments.recipient or url.user or "", lmtp=lmtp)


def _place(option: str, text: str, default: int | None) -> tuple[str, int]:
    """Return the host and the port of ``HOST:PORT``; an IPv6 address is in brackets."""
    host, mark, port = text.rpartition(":")
    if not mark or text.endswith("]"):
        host, port = text, "" if default is None else str(default)
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise LocalProtocolError(f"{option} is HOST:PORT", hint="")
    return host.strip("[]"), int(port)
