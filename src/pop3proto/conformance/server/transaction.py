"""Cases about STAT, LIST, RETR, TOP, RSET and LAST in a maildrop as it is."""

from __future__ import annotations

import re

from ..case import NotOfferedError, NotTestedError, Severity, demand
from ..wire import Wire, printable_line
from .run import CASES, ServerRun

_ROW = re.compile(rb"([1-9]\d*) (\d+)(?: .*)?")
_STAT = re.compile(rb"\+OK (\d+) (\d+)(?: .*)?")
# Messages that are read to compare them: small ones, to be quick.
_LARGE = 1024 * 1024
_COMPARED = 3
_ALL_LINES = 100_000_000


def listing(wire: Wire) -> list[tuple[int, int]]:
    """Return the rows of LIST; raise ``CaseFailedError`` for one that is malformed."""
    answer = wire.ask(b"LIST")
    demand(answer.ok, f"LIST is answered with {answer}")
    rows: list[tuple[int, int]] = []
    for line in wire.text():
        found = _ROW.fullmatch(line.rstrip(b"\r\n"))
        demand(found, f"a row of LIST is {printable_line(line)}")
        if found is not None:
            rows.append((int(found[1]), int(found[2])))
    return rows


def small_ones(run: ServerRun, wire: Wire) -> list[tuple[int, int]]:
    """Return numbers and sizes of a few messages that are quickly read."""
    run.readable()
    rows = [row for row in listing(wire) if row[1] <= _LARGE]
    if not rows:
        raise NotTestedError("the maildrop has no message of less than a MiB")
    return rows[-_COMPARED:]


def retrieved(wire: Wire, command: bytes) -> list[bytes]:
    """Return the lines of a message, without the dots that were added."""
    answer = wire.ask(command)
    demand(answer.ok, f"{command.decode()} is answered with {answer}")
    return [line[1:] if line.startswith(b".") else line for line in wire.text()]


@CASES.case(
    "S401", "RFC 1939 section 5", "STAT is answered with +OK, the number and the size of all mail."
)
def _(run: ServerRun) -> None:
    wire = run.logged_in()
    answer = wire.ask(b"STAT")
    demand(_STAT.fullmatch(answer.content), f"the answer is {answer}")
    run.bye(wire)


@CASES.case(
    "S402", "RFC 1939 section 5", "LIST has a row for each message: its number and its size."
)
def _(run: ServerRun) -> None:
    wire = run.logged_in()
    count = run.count(wire)
    numbers = [number for number, _ in listing(wire)]
    demand(len(numbers) == count, f"STAT counts {count} messages, LIST has {len(numbers)} rows")
    demand(len({*numbers}) == len(numbers), "LIST names a number twice")
    demand({*numbers} <= {*range(1, count + 1)}, f"LIST has a number that is not in 1 to {count}")
    run.bye(wire)


@CASES.case("S403", "RFC 1939 section 5", "The size in STAT is the sum of the sizes in LIST.")
def _(run: ServerRun) -> None:
    wire = run.logged_in()
    _, octets = run.stat(wire)
    total = sum(size for _, size in listing(wire))
    demand(total == octets, f"STAT says {octets} octets, and the sizes in LIST add up to {total}")
    run.bye(wire)


@CASES.case("S404", "RFC 1939 section 5", "LIST with a number is answered with the row of LIST.")
def _(run: ServerRun) -> None:
    wire = run.filled()
    number, size = listing(wire)[-1]
    answer = wire.ask(b"LIST %d" % number)
    row = _ROW.fullmatch(answer.text)
    demand(
        answer.ok and row is not None and (int(row[1]), int(row[2])) == (number, size),
        f"LIST has the row '{number} {size}', and 'LIST {number}' is answered with {answer}",
    )
    run.bye(wire)


@CASES.case("S405", "RFC 1939 section 5", "NOOP and RSET are answered with +OK.")
def _(run: ServerRun) -> None:
    wire = run.logged_in()
    for command in (b"NOOP", b"RSET"):
        answer = wire.ask(command)
        demand(answer.ok, f"{command.decode()} is answered with {answer}")
    run.bye(wire)


@CASES.case("S406", "RFC 1939 section 5", "RETR sends a message, whose lines end with CRLF.")
def _(run: ServerRun) -> None:
    wire = run.filled()
    for number, _ in small_ones(run, wire):
        lines = retrieved(wire, b"RETR %d" % number)
        bare = [line for line in lines if not line.endswith(b"\r\n")]
        demand(not bare, f"a line of message {number} ends with LF alone")
    run.bye(wire)


@CASES.case(
    "S407",
    "RFC 1939 sections 5 and 11",
    "The size in LIST is exact: with CRLF as line ends, without the dots that are added.",
)
def _(run: ServerRun) -> None:
    wire = run.filled()
    for number, size in small_ones(run, wire):
        sent = len(b"".join(retrieved(wire, b"RETR %d" % number)))
        # The line end that a server adds to a last line without one may belong to the final dot.
        demand(
            sent - size in (0, 2),
            f"LIST says {size} octets for message {number}, and RETR sends {sent}",
        )
    run.bye(wire)


@CASES.case("S408", "RFC 1939 section 5", "RETR sends the same message again.")
def _(run: ServerRun) -> None:
    wire = run.filled()
    number, _ = small_ones(run, wire)[-1]
    first = retrieved(wire, b"RETR %d" % number)
    demand(first == retrieved(wire, b"RETR %d" % number), f"message {number} comes back changed")
    run.bye(wire)


def topped(run: ServerRun) -> tuple[Wire, int, list[bytes]]:
    """Return a connection, the number of a message, and its lines."""
    wire = run.filled()
    number, _ = small_ones(run, wire)[-1]
    run.offered(wire, "TOP", b"TOP %d 0" % number)
    wire.text()
    return wire, number, retrieved(wire, b"RETR %d" % number)


@CASES.case("S409", "RFC 1939 section 7", "TOP n 0 sends the header and the line after it.")
def _(run: ServerRun) -> None:
    wire, number, message = topped(run)
    top = retrieved(wire, b"TOP %d 0" % number)
    end = next((i for i, line in enumerate(message) if not line.strip(b"\r\n")), len(message))
    demand(top[:end] == message[:end], "the header is not that of RETR")
    demand(len(top) <= end + 1, f"TOP {number} 0 sends {len(top) - end - 1} lines of the body")
    demand(len(top) == min(end + 1, len(message)), "the line between header and body is missing")
    run.bye(wire)


@CASES.case("S410", "RFC 1939 section 7", "TOP n 1 sends the header and one line of the body.")
def _(run: ServerRun) -> None:
    wire, number, message = topped(run)
    top = retrieved(wire, b"TOP %d 1" % number)
    end = next((i for i, line in enumerate(message) if not line.strip(b"\r\n")), len(message))
    wanted = message[: end + 2]
    demand(top == wanted, f"TOP {number} 1 sends {len(top)} lines, and not {len(wanted)}")
    run.bye(wire)


@CASES.case(
    "S411", "RFC 1939 section 7", "TOP for more lines than there are sends the whole message."
)
def _(run: ServerRun) -> None:
    wire, number, message = topped(run)
    top = retrieved(wire, b"TOP %d %d" % (number, _ALL_LINES))
    demand(top == message, f"TOP sends {len(top)} lines, and RETR {len(message)}")
    run.bye(wire)


def last(wire: Wire) -> int:
    """Return the number that LAST says; raise ``NotOfferedError`` if it is refused."""
    answer = wire.ask(b"LAST")
    if not answer.ok:
        raise NotOfferedError(f"the answer is {answer}; RFC 1725 has removed LAST")
    number = number_of(answer.text)
    demand(number is not None, f"the answer is {answer}")
    return number or 0


@CASES.case("S412", "RFC 1460 section 5", "LAST is the highest number that was read.")
def _(run: ServerRun) -> None:
    run.readable()
    wire = run.filled()
    before = last(wire)
    retrieved(wire, b"RETR 1")
    after = last(wire)
    demand(after == max(1, before), f"LAST is {before}, and {after} after RETR 1")
    run.bye(wire)


@CASES.case("S414", "RFC 1460 section 5", "After RSET, LAST is 0.")
def _(run: ServerRun) -> None:
    run.readable()
    wire = run.filled()
    last(wire)
    retrieved(wire, b"RETR 1")
    demand(wire.ask(b"RSET").ok, "RSET is refused")
    after = last(wire)
    demand(after == 0, f"LAST is {after} after RSET")
    run.bye(wire)


@CASES.case(
    "S413",
    "RFC 1939 section 5",
    "STAT and LIST say nothing but the numbers.",
    severity=Severity.WARNING,
)
def _(run: ServerRun) -> None:
    wire = run.filled()
    for command in (b"STAT", b"LIST 1"):
        answer = wire.ask(command)
        demand(len(answer.text.split()) <= 2, f"{command.decode()} is answered with {answer}")
    demand(wire.ask(b"LIST").ok, "LIST is refused")
    for row in wire.text():
        demand(len(row.split()) <= 2, f"a row of LIST is {printable_line(row)}")
    run.bye(wire)


def number_of(text: bytes) -> int | None:
    """Return the number that a text begins with."""
    word = text.split(b" ")[0]
    return int(word) if word.isdigit() else None
