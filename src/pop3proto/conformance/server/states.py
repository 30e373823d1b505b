"""Cases about states: which command is possible when."""

from __future__ import annotations

import re

from ..case import CaseFailedError, NotOfferedError, demand
from ..wire import Wire, printable_line
from .run import CASES, ServerRun, refuses

_TIMESTAMP = re.compile(rb"<[^<>@ ]+@[^<> ]+>")
_AFTER_LOGIN = (b"STAT", b"LIST", b"NOOP", b"RSET", b"RETR 1", b"DELE 1")
_OPTIONAL_AFTER_LOGIN = (b"UIDL", b"TOP 1 0", b"LAST")


@CASES.case(
    "S301", "RFC 1939 sections 3 and 5", "STAT, LIST, RETR, DELE, NOOP and RSET need a login."
)
def _(run: ServerRun) -> None:
    refuses(run, run.secured, *_AFTER_LOGIN)


@CASES.case("S302", "RFC 1939 sections 3 and 7", "UIDL, TOP and LAST need a login.")
def _(run: ServerRun) -> None:
    refuses(run, run.secured, *_OPTIONAL_AFTER_LOGIN)


@CASES.case("S303", "RFC 1939 sections 3 and 7", "After a login, USER, PASS and APOP are refused.")
def _(run: ServerRun) -> None:
    digest = b"0" * 32
    refuses(run, run.logged_in, b"USER user", b"PASS x", b"APOP user " + digest)


@CASES.case("S304", "RFC 5034 section 4", "After a login, AUTH is refused.")
def _(run: ServerRun) -> None:
    refuses(run, run.logged_in, b"AUTH PLAIN")


@CASES.case("S305", "RFC 2595 section 4", "After a login, STLS is refused.")
def _(run: ServerRun) -> None:
    refuses(run, run.logged_in, b"STLS")


@CASES.case("S306", "RFC 1939 sections 3 and 7", "PASS without a USER before it is refused.")
def _(run: ServerRun) -> None:
    _, password = run.credentials()
    refuses(run, run.secured, b"PASS " + password)


@CASES.case(
    "S307", "RFC 1939 section 4", "QUIT before a login is answered with +OK, and the server closes."
)
def _(run: ServerRun) -> None:
    quits(run, run.secured())


@CASES.case(
    "S308", "RFC 1939 section 6", "QUIT after a login is answered with +OK, and the server closes."
)
def _(run: ServerRun) -> None:
    quits(run, run.logged_in())


def quits(run: ServerRun, wire: Wire) -> None:
    """Send QUIT and demand what follows it."""
    answer = wire.ask(b"QUIT")
    demand(answer.ok, f"QUIT is answered with {answer}")
    demand(wire.closes(), f"the connection is open {run.target.timeout:g} s after QUIT")


@CASES.case("S309", "RFC 1939 section 4", "A wrong password is refused, and nobody is logged in.")
def _(run: ServerRun) -> None:
    wire = run.secured()
    answer = run.log_in(wire, b"not-the-password")
    demand(not answer.ok, f"a wrong password is answered with {answer}")
    try:
        answer = wire.ask(b"STAT", timeout=run.patience)
    except CaseFailedError:
        demand(wire.ended, "STAT after a refused login has no answer")
        return
    demand(not answer.ok, f"STAT after a refused login is answered with {answer}")
    run.bye(wire)


def timestamp(run: ServerRun) -> bytes:
    """Return the timestamp of a new greeting; raise ``NotOfferedError`` if there is none."""
    greeting = run.connect("a greeting").status(run.patience)
    found = _TIMESTAMP.search(greeting.content)
    if found is None:
        raise NotOfferedError("the greeting has no timestamp, so that APOP is not offered")
    return found[0]


@CASES.case("S310", "RFC 1939 section 7", "Each greeting has another timestamp for APOP.")
def _(run: ServerRun) -> None:
    first, second = timestamp(run), timestamp(run)
    demand(first != second, f"two greetings have the timestamp {printable_line(first)}")


@CASES.case("S311", "RFC 1939 section 7", "APOP with a wrong digest is refused.")
def _(run: ServerRun) -> None:
    user, _ = run.credentials()
    timestamp(run)
    wire = run.secured()
    answer = wire.ask(b"APOP " + user + b" " + b"0" * 32, timeout=run.patience)
    demand(answer.content.startswith(b"-"), f"it is answered with {answer}")
