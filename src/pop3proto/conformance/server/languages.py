"""Cases about UTF8 and LANG (RFC 6856), with which a server MAY refuse a good deal."""

from __future__ import annotations

import re

from ..case import CaseFailedError, NotOfferedError, NotTestedError, Severity, demand
from ..wire import Status, Wire, printable_line
from .facts import capabilities
from .framing import answered_once
from .run import CASES, ServerRun, refuses

_TAG = re.compile(rb"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*(?: .*)?")
_CHOSEN = re.compile(rb"\+OK [A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})* ")


def accepts(run: ServerRun, capability: str, command: bytes) -> None:
    """Demand that a command of a capability is accepted before the login."""
    run.need(capability, before_login=True)
    answer = run.secured().ask(command)
    demand(answer.ok, f"the answer is {answer}")


# "The server MAY respond to the UTF8 command with an -ERR response."
@CASES.case(
    "S881",
    "RFC 6856 section 2.1",
    "UTF8 is accepted before the login, if it is announced.",
    severity=Severity.WARNING,
)
def _(run: ServerRun) -> None:
    accepts(run, "UTF8", b"UTF8")


@CASES.case("S882", "RFC 6856 section 2", "UTF8 is refused after the login.")
def _(run: ServerRun) -> None:
    run.need("UTF8")
    refuses(run, run.logged_in, b"UTF8")


def listed(run: ServerRun) -> tuple[Wire, list[bytes]]:
    """Return a connection and the rows of LANG; section 3.3 allows a server to list none."""
    run.need("LANG", before_login=True)
    wire = run.secured()
    answer = wire.ask(b"LANG")
    if not answer.ok:
        raise NotTestedError(f"the server lists no languages: {answer}")
    return wire, [row.rstrip(b"\r\n") for row in wire.text()]


@CASES.case("S883", "RFC 6856 section 3.2", "LANG lists languages, each with its tag.")
def _(run: ServerRun) -> None:
    for row in listed(run)[1]:
        demand(_TAG.fullmatch(row), f"a row is {printable_line(row)}")


@CASES.case("S884", "RFC 6856 section 3.2", "LANG * is accepted.", severity=Severity.WARNING)
def _(run: ServerRun) -> None:
    accepts(run, "LANG", b"LANG *")


@CASES.case("S885", "RFC 6856 section 3.2", "LANG of a language that nobody has is refused.")
def _(run: ServerRun) -> None:
    run.need("LANG", before_login=True)
    refuses(run, run.secured, b"LANG x-pop3proto")


@CASES.case("S886", "RFC 6856 section 3.1", "LANG is known in both states.")
def _(run: ServerRun) -> None:
    run.need("LANG")
    answers = [wire.ask(b"LANG *") for wire in (run.secured(), run.logged_in())]
    if not any(answer.ok for answer in answers):
        raise NotTestedError(f"LANG * is refused: {answers[0]}")
    for answer in answers:
        demand(answer.ok, f"in one of the states, the answer is {answer}")


@CASES.case("S887", "RFC 6856 section 3.2", "Each language that LANG lists can be chosen.")
def _(run: ServerRun) -> None:
    for tag, answer in chosen(run):
        demand(answer.ok, f"LANG {printable_line(tag)} is answered with {answer}")


def chosen(run: ServerRun) -> list[tuple[bytes, Status]]:
    """Return the languages that LANG lists, and the answers if each is asked for."""
    wire, rows = listed(run)
    tags = [row.partition(b" ")[0] for row in rows]
    return [(tag, wire.ask(b"LANG " + tag)) for tag in tags]


@CASES.case(
    "S889",
    "RFC 6856 section 3.2",
    "The answer to LANG with a language is +OK, a space, the tag that was chosen, and a space.",
)
def _(run: ServerRun) -> None:
    for _, answer in chosen(run):
        right = not answer.ok or _CHOSEN.match(answer.content)
        demand(right, f"the answer is {answer}")


@CASES.case("S888", "RFC 6856 section 2.1", "After UTF8, a login and RETR go as before.")
def _(run: ServerRun) -> None:
    run.need("UTF8", before_login=True)
    run.readable()
    run.bye(run.filled())
    wire = run.secured()
    if not wire.ask(b"UTF8").ok:
        raise NotTestedError("UTF8 is refused, which is allowed")
    run.demand_login(run.log_in(wire), "the login is")
    answer = wire.ask(b"RETR 1")
    demand(answer.ok, f"RETR 1 is answered with {answer}")
    wire.text()
    run.bye(wire)


@CASES.case("S890", "RFC 6856 section 2.1", "UTF8 with an argument is refused.")
def _(run: ServerRun) -> None:
    run.need("UTF8", before_login=True)
    refuses(run, run.secured, b"UTF8 USER")


@CASES.case(
    "S891",
    "RFC 6856 sections 2 and 3.1",
    "In CAPA, UTF8 has the argument USER or none, and LANG has none.",
)
def _(run: ServerRun) -> None:
    run.need("UTF8", before_login=True)
    found = capabilities(run.secured()) or {}
    known: dict[str, tuple[list[str], ...]] = {"UTF8": ([], ["USER"]), "LANG": ([],)}
    for name, allowed in known.items():
        words = [word.upper() for word in found.get(name, [])]
        demand(words in allowed, f"{name} has the arguments {printable_line(str(words).encode())}")


def with_utf8_names(run: ServerRun) -> Wire:
    """Return a connection to a server that takes user names in UTF-8."""
    words = run.need("UTF8", before_login=True)
    if "USER" not in [word.upper() for word in words]:
        raise NotOfferedError("UTF8 is announced without USER")
    return run.secured()


@CASES.case("S892", "RFC 6856 section 2.2", "A user name or password that is not UTF-8 is refused.")
def _(run: ServerRun) -> None:
    user, password = run.credentials()
    for name, secret in ((user, password + b"\xff"), (user + b"\xc3", password)):
        wire = with_utf8_names(run)
        try:
            answer = wire.ask(b"USER " + name, timeout=run.patience)
            if answer.ok:
                answer = wire.ask(b"PASS " + secret, timeout=run.patience)
        except CaseFailedError:
            demand(wire.ended, "it has no answer")
            continue
        demand(not answer.ok, f"it is answered with {answer}")


@CASES.case(
    "S893",
    "RFC 6856 section 2.2",
    "With UTF8 USER, a user name in UTF-8 has one answer, even before UTF8.",
)
def _(run: ServerRun) -> None:
    wire = with_utf8_names(run)
    wire.ask("USER gr\u00fc\u00dfe".encode(), timeout=run.patience)
    answered_once(run, wire)
