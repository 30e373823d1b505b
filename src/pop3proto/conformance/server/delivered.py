"""Cases about mail whose content is known, because it was delivered for them."""

from __future__ import annotations

from ..case import CaseFailedError, demand
from ..wire import Wire, printable_line
from .mail import BODIES, UNENDED
from .run import CASES, ServerRun
from .transaction import listing, retrieved


def body(lines: list[bytes]) -> bytes:
    """Return the body of a message, without empty lines at its end.

    Some ways to store mail add or remove such lines.
    """
    content = b"".join(lines).replace(b"\r\n", b"\n")
    return content.partition(b"\n\n")[2].rstrip(b"\n") + b"\n"


def comes_back(wire: Wire, command: bytes, name: str) -> None:
    """Demand that the body of a message is what was delivered."""
    got, wanted = body(retrieved(wire, command)), body([b"\n\n", BODIES[name]])
    if got == wanted:
        return
    for number, (one, other) in enumerate(
        zip(got.split(b"\n"), wanted.split(b"\n"), strict=False), 1
    ):
        demand(
            one == other,
            f"line {number} of the body is {printable_line(one)}, not {printable_line(other)}",
        )
    lines = got.count(b"\n"), wanted.count(b"\n")
    raise CaseFailedError(f"the body has {lines[0]} lines, not {lines[1]}")


@CASES.case("S421", "RFC 1939 section 3", "Lines that begin with dots come back as they were.")
def _(run: ServerRun) -> None:
    wire, number = run.mail.open(run, "dots")
    comes_back(wire, b"RETR %d" % number, "dots")
    demand(wire.ask(b"NOOP").ok, "NOOP after RETR is refused")
    run.bye(wire)


@CASES.case("S422", "RFC 1939 section 3", "A message whose last line is a dot comes back whole.")
def _(run: ServerRun) -> None:
    wire, number = run.mail.open(run, "last-dot")
    comes_back(wire, b"RETR %d" % number, "last-dot")
    demand(wire.ask(b"NOOP").ok, "NOOP after RETR is refused")
    run.bye(wire)


@CASES.case("S423", "RFC 1939 section 7", "TOP doubles dots as RETR does.")
def _(run: ServerRun) -> None:
    wire, number = run.mail.open(run, "dots")
    run.offered(wire, "TOP", b"TOP %d 0" % number)
    wire.text()
    comes_back(wire, b"TOP %d 1000" % number, "dots")
    run.bye(wire)


@CASES.case(
    "S424",
    "RFC 1939 section 3",
    "A message whose last line has no end gets one before the final dot.",
)
def _(run: ServerRun) -> None:
    wire, number = run.mail.open(run, UNENDED)
    lines = retrieved(wire, b"RETR %d" % number)
    demand(b"the end\r\n" in lines, f"its last line is {printable_line((lines or [b''])[-1])}")
    demand(wire.ask(b"NOOP").ok, "NOOP after RETR is refused")
    run.bye(wire)


@CASES.case("S425", "RFC 1939 section 11", "Dots that are added do not count in the size of LIST.")
def _(run: ServerRun) -> None:
    wire, number = run.mail.open(run, "dots")
    size = dict(listing(wire)).get(number)
    sent = len(b"".join(retrieved(wire, b"RETR %d" % number)))
    demand(size == sent, f"LIST says {size} octets, and the message has {sent}")
    run.bye(wire)


@CASES.case("S426", "RFC 1939 section 5", "A message of plain lines comes back as it was.")
def _(run: ServerRun) -> None:
    wire, number = run.mail.open(run, "plain")
    comes_back(wire, b"RETR %d" % number, "plain")
    run.bye(wire)
