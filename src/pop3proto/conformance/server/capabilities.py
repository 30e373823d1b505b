"""Cases about CAPA."""

from __future__ import annotations

import re

from ..case import NotOfferedError, Severity, demand
from ..wire import Wire, printable_line
from .facts import capabilities
from .run import CASES, ServerRun

_LINE = re.compile(rb"[\x21-\x7e]+(?: [\x21-\x7e]+)*")
_MOST_OCTETS = 512
# What only a connection without TLS, or without a login, can offer.
_ONLY_BEFORE = {"STLS"}


def lines_of(wire: Wire) -> list[bytes]:
    """Return the lines of the answer to CAPA, without their ends."""
    answer = wire.ask(b"CAPA")
    if not answer.ok:
        raise NotOfferedError(f"CAPA is answered with {answer}")
    return [line.rstrip(b"\r\n") for line in wire.text()]


@CASES.case(
    "S601",
    "RFC 2449 section 5",
    "A line of CAPA is words of printable ASCII with single spaces, at most 512 octets.",
)
def _(run: ServerRun) -> None:
    wires = [run.secured(), *([run.logged_in()] if run.target.user is not None else [])]
    for wire in wires:
        for line in lines_of(wire):
            demand(_LINE.fullmatch(line), f"a line of CAPA is {printable_line(line)}")
            demand(len(line) + 2 <= _MOST_OCTETS, f"a line of CAPA has {len(line) + 2} octets")


@CASES.case("S602", "RFC 2449 section 5", "CAPA can be used before and after the login.")
def _(run: ServerRun) -> None:
    run.credentials()
    clear, before, after = (
        capabilities(w) for w in (run.greeted(), run.secured(), run.logged_in())
    )
    if clear is before is after is None:
        raise NotOfferedError("CAPA is not known")
    demand(clear is not None, "CAPA is refused at the beginning, and not later")
    demand(before is not None, "CAPA is refused before the login, and not otherwise")
    demand(after is not None, "CAPA is refused after the login, and not before it")


@CASES.case(
    "S603",
    "RFC 2449 section 5",
    "What is announced before the login is announced after it as well.",
)
def _(run: ServerRun) -> None:
    run.credentials()
    before = capabilities(run.secured())
    after = capabilities(run.logged_in())
    if before is None or after is None:
        raise NotOfferedError("CAPA is not known in both states")
    missing = sorted({*before} - {*after} - _ONLY_BEFORE)
    demand(not missing, f"after the login, these are missing: {', '.join(missing)}")


@CASES.case("S604", "RFC 2449 section 6", "The commands that are announced are known.")
def _(run: ServerRun) -> None:
    run.readable()
    wire = run.filled()
    known = capabilities(wire)
    if known is None:
        raise NotOfferedError("CAPA is not known")
    for name, command in (("TOP", b"TOP 1 0"), ("UIDL", b"UIDL")):
        if name in known:
            answer = wire.ask(command)
            demand(answer.ok, f"{name} is announced, and {command.decode()} gets {answer}")
            wire.text()
    run.bye(wire)


# It says that some users may not have it.
@CASES.case(
    "S605",
    "RFC 2449 section 6.2",
    "If USER is announced before the login, USER is accepted.",
    severity=Severity.WARNING,
)
def _(run: ServerRun) -> None:
    user, _ = run.credentials()
    run.need("USER", before_login=True)
    answer = run.secured().ask(b"USER " + user)
    demand(answer.ok, f"USER is announced, and answered with {answer}")


@CASES.case(
    "S606",
    "RFC 2449 section 5",
    "No capability is announced on two lines.",
    severity=Severity.WARNING,
)
def _(run: ServerRun) -> None:
    names = [line.split(b" ")[0].upper() for line in lines_of(run.secured())]
    twice = sorted({name for name in names if names.count(name) > 1})
    demand(not twice, f"these are on several lines: {printable_line(b' '.join(twice))}")


@CASES.case("S607", "RFC 2449 section 5", "CAPA takes no argument.")
def _(run: ServerRun) -> None:
    wire = run.secured()
    lines_of(wire)
    answer = wire.ask(b"CAPA x")
    demand(not answer.ok, f"'CAPA x' is answered with {answer}")


@CASES.case(
    "S608",
    "RFC 2449 sections 6.3, 6.5 and 6.7",
    "EXPIRE and LOGIN-DELAY say a number (or NEVER), and SASL names mechanisms.",
)
def _(run: ServerRun) -> None:
    wire = run.secured() if run.target.user is None else run.logged_in()
    found = capabilities(wire)
    if found is None:
        raise NotOfferedError("CAPA is not known")
    for name in ("EXPIRE", "LOGIN-DELAY"):
        words = found.get(name)
        if words is not None:
            number = bool(words) and (
                words[0].isdigit() or (name == "EXPIRE" and words[0].upper() == "NEVER")
            )
            demand(number, f"{name} has the arguments {' '.join(words)!r}")
    demand(found.get("SASL", ["x"]), "SASL is announced without a mechanism")
