"""Cases about UIDL."""

from __future__ import annotations

import re

from ..case import Severity, demand
from ..wire import Wire, printable_line
from .run import CASES, ServerRun

_ROW = re.compile(rb"([1-9]\d*) ([^ ]+)")
_UNIQUE_ID = re.compile(rb"[\x21-\x7e]{1,70}")


def unique_ids(run: ServerRun, wire: Wire) -> dict[int, bytes]:
    """Return the unique-ids by numbers; raise ``NotOfferedError`` if there is no UIDL."""
    run.offered(wire, "UIDL", b"UIDL")
    found: dict[int, bytes] = {}
    for line in wire.text():
        number, _, unique_id = line.rstrip(b"\r\n").partition(b" ")
        demand(number.isdigit(), f"a row of UIDL is {printable_line(line)}")
        found[int(number)] = unique_id
    return found


@CASES.case("S501", "RFC 1939 section 7", "UIDL has a row for each message.")
def _(run: ServerRun) -> None:
    wire = run.logged_in()
    found, count = unique_ids(run, wire), run.count(wire)
    demand([*sorted(found)] == [*range(1, count + 1)], f"{count} messages, {len(found)} rows")
    run.bye(wire)


@CASES.case("S502", "RFC 1939 section 7", "A unique-id has 1 to 70 characters from 0x21 to 0x7E.")
def _(run: ServerRun) -> None:
    wire = run.filled()
    for number, unique_id in unique_ids(run, wire).items():
        demand(
            _UNIQUE_ID.fullmatch(unique_id),
            f"the unique-id of message {number} is {printable_line(unique_id)}",
        )
    run.bye(wire)


@CASES.case(
    "S503",
    "RFC 1939 section 7",
    "No two messages have the same unique-id, unless they are copies.",
    severity=Severity.WARNING,
)
def _(run: ServerRun) -> None:
    wire = run.filled(least=2)
    seen: dict[bytes, int] = {}
    for number, unique_id in unique_ids(run, wire).items():
        other = seen.setdefault(unique_id, number)
        demand(other == number, f"messages {other} and {number} have the same unique-id")
    run.bye(wire)


@CASES.case("S504", "RFC 1939 section 7", "Unique-ids are the same in the next session.")
def _(run: ServerRun) -> None:
    wire = run.filled()
    before = unique_ids(run, wire)
    run.bye(wire)
    wire = run.logged_in("the next session")
    after = unique_ids(run, wire)
    changed = [n for n, unique_id in before.items() if after.get(n) != unique_id]
    demand(not changed, f"{len(changed)} of {len(before)} unique-ids have changed")
    run.bye(wire)


@CASES.case("S505", "RFC 1939 section 7", "UIDL with a number is answered with the row of UIDL.")
def _(run: ServerRun) -> None:
    wire = run.filled()
    unique_id = unique_ids(run, wire).get(1, b"")
    answer = wire.ask(b"UIDL 1")
    row = _ROW.fullmatch(answer.text)
    demand(
        answer.ok and row is not None and (row[1], row[2]) == (b"1", unique_id),
        f"UIDL has the row {printable_line(b'1 ' + unique_id)}, and the answer is {answer}",
    )
    run.bye(wire)
