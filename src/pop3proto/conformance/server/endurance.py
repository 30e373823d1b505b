"""Cases about time, and the last one of all: the server is still there."""

from __future__ import annotations

from ..case import CaseFailedError, NotTestedError, Severity, demand
from ..wire import printable_line
from .deletions import deleted
from .run import CASES, ServerRun

# RFC 1939 section 3 demands at least ten minutes.
_IDLE = 595.0
# Many servers wait so long, and not much longer.
_LONG_IDLE = 840.0


@CASES.case(
    "S951",
    "RFC 1939 section 3",
    "The server waits ten minutes for a command before it closes.",
    slow=True,
)
def _(run: ServerRun) -> None:
    wire = run.logged_in()
    unasked = wire.unasked(_IDLE)
    demand(not wire.ended, "the server has closed before ten minutes were over")
    demand(not unasked, "the server has said something unasked")
    demand(wire.ask(b"NOOP").ok, "NOOP after ten minutes is refused")
    run.bye(wire)


@CASES.case(
    "S952",
    "RFC 1939 sections 3 and 6",
    "When nobody says anything, the server closes without a word, and deletes nothing.",
    destructive=True,
    slow=True,
)
def _(run: ServerRun) -> None:
    wire, count = deleted(run)
    said = wire.unasked(_LONG_IDLE)
    if not wire.closes():
        raise NotTestedError(f"the server has not closed within {_LONG_IDLE:g} s")
    wire = run.logged_in("the next session")
    left = run.count(wire)
    demand(left == count, f"of {count} messages {left} are left, without any QUIT")
    demand(not said, f"before it closed, it said {printable_line(said)}", Severity.WARNING)
    run.bye(wire)


@CASES.case("S999", "RFC 1939 section 3", "After all of this, the server still takes a connection.")
def _(run: ServerRun) -> None:
    try:
        wire = run.greeted()
    except NotTestedError as error:
        raise CaseFailedError(str(error)) from error
    demand(wire.ask(b"QUIT").ok, "QUIT is refused")
