"""Cases about lines: status lines, the ends of lines and of texts, commands in any case."""

from __future__ import annotations

import re

from ..case import CaseFailedError, NotOfferedError, Severity, demand
from ..wire import Wire, printable_line
from .run import CASES, ServerRun

_MOST_OCTETS = 512
# A long line for a command: RFC 2449 section 4 allows 255 octets with CRLF.
_LONG = b"X" * 253
_TOO_LONG = b"X" * 20_000
_FEW_SECONDS = 1.0
_NUMBERS = re.compile(rb"\+OK \d+ \d+(?: [^ ]|\Z)")


def walk(run: ServerRun) -> list[bytes]:
    """Return the status lines of a session: of the greeting, of successes, and of refusals."""
    wire = run.secured("a session")
    lines: list[bytes] = []
    commands: list[tuple[bytes, bool]] = [(b"CAPA", True), (b"STAT", False)]
    if run.target.user is not None:
        run.close()
        wire = run.logged_in("a session")
        plain = (b"STAT", b"NOOP", b"RETR 99999999", b"RSET")
        commands = [(b"CAPA", True), (b"LIST", True), (b"UIDL", True)]
        commands += [(command, False) for command in plain]
    for command, has_text in commands:
        answer = wire.ask(command)
        lines.append(answer.line)
        if answer.ok and has_text:
            wire.text()
    lines.append(wire.ask(b"QUIT").line)
    return [run.connect("the greeting").line(run.patience), *lines]


@CASES.case("S101", "RFC 1939 section 4", "The server greets with a positive status line.")
def _(run: ServerRun) -> None:
    line = run.connect().line(run.patience)
    demand(line.startswith(b"+OK"), f"the greeting is {printable_line(line)}")


@CASES.case("S102", "RFC 1939 section 3", "Each line of an answer ends with CRLF.")
def _(run: ServerRun) -> None:
    wrong = [line for line in walk(run) if not line.endswith(b"\r\n")]
    demand(not wrong, f"a status line ends otherwise: {printable_line(b''.join(wrong[:1]))}")
    wire = run.secured() if run.target.user is None else run.logged_in()
    for command in (b"CAPA", b"LIST", b"UIDL"):
        rows = wire.text() if wire.ask(command).ok else []
        bare = [row for row in rows if not row.endswith(b"\r\n")]
        demand(not bare, f"a line of the answer to {command.decode()} ends with LF alone")


@CASES.case("S103", "RFC 1939 section 3", "The status indicators are +OK and -ERR, in upper case.")
def _(run: ServerRun) -> None:
    for line in walk(run):
        indicator = line.rstrip(b"\r\n").partition(b" ")[0]
        demand(
            indicator in (b"+OK", b"-ERR"), f"this line begins otherwise: {printable_line(line)}"
        )


@CASES.case("S104", "RFC 1939 section 3", "A status line has at most 512 octets with its CRLF.")
def _(run: ServerRun) -> None:
    longest = max(walk(run), key=len)
    demand(len(longest) <= _MOST_OCTETS, f"a status line has {len(longest)} octets")


@CASES.case("S105", "RFC 1939 section 3", "After the dot that ends a text, nothing comes unasked.")
def _(run: ServerRun) -> None:
    wire = run.logged_in()
    for command in (b"LIST", b"UIDL", b"CAPA"):
        if wire.ask(command).ok:
            wire.text()
            answer = wire.ask(b"NOOP")
            demand(answer.ok, f"NOOP after {command.decode()} is answered with {answer}")
    rest = wire.unasked(_FEW_SECONDS)
    demand(not rest, f"this came unasked: {printable_line(rest)}")
    run.bye(wire)


@CASES.case("S106", "RFC 1939 section 3", "Commands are understood in upper and lower case.")
def _(run: ServerRun) -> None:
    wire = run.logged_in()
    for command in (b"noop", b"NoOp", b"stat"):
        answer = wire.ask(command)
        demand(answer.ok, f"{command.decode()} is answered with {answer}")
    run.bye(wire)
    wire = run.secured()
    demand(wire.ask(b"quit").ok, "quit in small letters is refused")


@CASES.case(
    "S107",
    "RFC 1939 section 3",
    "A command that the server does not know is refused, and the session goes on.",
)
def _(run: ServerRun) -> None:
    wire = run.logged_in()
    for command in (b"XPOP3PROTO", b"XYZZ 1 2"):
        answer = wire.ask(command)
        demand(not answer.ok, f"{command.decode()} is answered with {answer}")
    answer = wire.ask(b"NOOP")
    demand(answer.ok, f"NOOP after unknown commands is answered with {answer}")
    run.bye(wire)


@CASES.case(
    "S108",
    "RFC 1939 section 3",
    "An empty line, which is no command, is refused.",
    severity=Severity.WARNING,
)
def _(run: ServerRun) -> None:
    wire = run.logged_in()
    wire.send(b"", b"NOOP")
    first = wire.status()
    demand(not first.ok, f"after an empty line and NOOP, the first answer is {first}")
    demand(wire.status().ok, "NOOP after an empty line is refused")
    run.bye(wire)


def extended(run: ServerRun) -> None:
    """Raise ``NotOfferedError`` for a server without CAPA, which may have shorter lines."""
    if run.facts.before is None:
        raise NotOfferedError("without CAPA, a command has 47 octets (RFC 1939 section 3)")


@CASES.case("S109", "RFC 2449 section 4", "A command line may have 255 octets with its CRLF.")
def _(run: ServerRun) -> None:
    extended(run)
    wire = run.logged_in()
    answer = wire.ask(_LONG)
    demand(not answer.ok, f"an unknown command is answered with {answer}")
    answer = wire.ask(b"NOOP")
    demand(answer.ok, f"NOOP after a line of 255 octets is answered with {answer}")
    run.bye(wire)


@CASES.case(
    "S110",
    "RFC 2449 section 4",
    "A line of 20,000 octets is refused once, or ends the session; its end is no command.",
    severity=Severity.WARNING,
)
def _(run: ServerRun) -> None:
    wire = run.logged_in()
    wire.send(_TOO_LONG)
    try:
        answer = wire.status()
    except CaseFailedError:
        demand(wire.ended, "a long line gets no answer")
        return
    demand(not answer.ok, f"the line is answered with {answer}")
    try:
        answer = wire.ask(b"NOOP")
    except CaseFailedError:
        demand(wire.ended, "the server is silent after a long line")
        return
    demand(answer.ok, f"the line has a second answer: {answer}")
    run.bye(wire)


@CASES.case(
    "S115",
    "RFC 2449 section 4",
    "A line of 255 octets with a command that is known is one command.",
)
def _(run: ServerRun) -> None:
    extended(run)
    # What is cut off a name would be a command of its own, or be missing in the next one.
    wire = run.secured()
    wire.ask(b"USER " + b"x" * 248, timeout=run.patience)
    answered_once(run, wire)


def answered_once(run: ServerRun, wire: Wire) -> None:
    """Demand that the last command has no second answer, and that the session goes on."""
    answer = wire.ask(b"XPOP3PROTO", timeout=run.patience)
    demand(not answer.ok, f"an unknown command after it is answered with {answer}")
    rest = wire.unasked(_FEW_SECONDS)
    demand(not rest, f"it has a second answer: {printable_line(rest)}")


def in_pieces(run: ServerRun, *pieces: bytes) -> None:
    """Send a NOOP in pieces, and demand one positive answer."""
    wire = run.logged_in()
    for piece in pieces:
        wire.send_raw(piece)
        early = wire.unasked(0.2)
        demand(not early or piece == pieces[-1], f"an incomplete line has an answer: {early!r}")
    answer = wire.status()
    demand(answer.ok, f"NOOP is answered with {answer}")
    demand(not wire.unasked(0.2), "NOOP has a second answer")
    run.bye(wire)


@CASES.case("S111", "RFC 1939 section 3", "A command that comes in pieces is one command.")
def _(run: ServerRun) -> None:
    in_pieces(run, b"NO", b"O", b"P\r\n")


@CASES.case("S112", "RFC 1939 section 3", "CR and LF that come apart end one line.")
def _(run: ServerRun) -> None:
    in_pieces(run, b"NOOP\r", b"\n")


@CASES.case(
    "S113", "RFC 1939 section 3", "A command with a NUL in it, which is not printable, is refused."
)
def _(run: ServerRun) -> None:
    wire = run.logged_in()
    try:
        answer = wire.ask(b"NOOP\0x")
    except CaseFailedError:
        demand(wire.ended, "a line with a NUL gets no answer")
        return
    demand(not answer.ok, f"it is answered with {answer}")
    run.bye(wire)


@CASES.case(
    "S114", "RFC 1939 section 5", "The fields of STAT and LIST are separated by single spaces."
)
def _(run: ServerRun) -> None:
    wire = run.filled()
    for command in (b"STAT", b"LIST 1"):
        answer = wire.ask(command)
        demand(_NUMBERS.match(answer.content), f"{command.decode()} is answered with {answer}")
    run.bye(wire)
