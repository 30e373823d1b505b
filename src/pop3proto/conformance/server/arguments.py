"""Cases about arguments: missing, too many, no numbers, and numbers of no message."""

from __future__ import annotations

from ..case import demand
from ..wire import printable_line
from .run import CASES, ServerRun, refuses

# Numbers that become 1 where they are read into 32 or 64 bits.
_WRAPPED = (2**32 + 1, 2**64 + 1)


@CASES.case("S201", "RFC 1939 sections 3 and 5", "RETR without an argument is refused.")
def _(run: ServerRun) -> None:
    refuses(run, run.logged_in, b"RETR")


@CASES.case("S202", "RFC 1939 sections 3 and 5", "RETR of something that is no number is refused.")
def _(run: ServerRun) -> None:
    run.readable()
    refuses(run, run.logged_in, b"RETR x", b"RETR 1x", b"RETR -1", b"RETR 0x1", b"RETR 1.0")


@CASES.case("S203", "RFC 1939 sections 3 and 5", "RETR 0 is refused: messages are numbered from 1.")
def _(run: ServerRun) -> None:
    run.readable()
    refuses(run, run.logged_in, b"RETR 0")


@CASES.case("S204", "RFC 1939 sections 3 and 5", "RETR of a message that is not there is refused.")
def _(run: ServerRun) -> None:
    run.readable()
    wire = run.logged_in()
    count = run.count(wire)
    run.bye(wire)
    refuses(run, run.logged_in, b"RETR %d" % (count + 1), b"RETR 2147483647")


@CASES.case(
    "S205", "RFC 1939 sections 3 and 5", "A number too large for 32 or 64 bits is no other number."
)
def _(run: ServerRun) -> None:
    run.readable()
    commands = [b"%s %d" % (verb, n) for verb in (b"LIST", b"RETR") for n in _WRAPPED]
    refuses(run, run.filled, *commands)


@CASES.case("S206", "RFC 1939 sections 3 and 5", "LIST of no number, or of no message, is refused.")
def _(run: ServerRun) -> None:
    refuses(run, run.logged_in, b"LIST 0", b"LIST x", b"LIST -1", b"LIST 1x", b"LIST 99999999")


@CASES.case("S207", "RFC 1939 sections 3 and 7", "UIDL of no number, or of no message, is refused.")
def _(run: ServerRun) -> None:
    wire = run.logged_in()
    run.offered(wire, "UIDL", b"UIDL")
    wire.text()
    run.bye(wire)
    refuses(run, run.logged_in, b"UIDL 0", b"UIDL x", b"UIDL -1", b"UIDL 1x", b"UIDL 99999999")


@CASES.case("S208", "RFC 1939 sections 3 and 7", "TOP without two numbers of 0 or more is refused.")
def _(run: ServerRun) -> None:
    run.readable()
    wire = run.filled()
    run.offered(wire, "TOP", b"TOP 1 0")
    wire.text()
    run.bye(wire)
    refuses(run, run.logged_in, b"TOP", b"TOP 1", b"TOP 1 x", b"TOP 1 -1", b"TOP 0 1", b"TOP x 1")


@CASES.case("S209", "RFC 1939 sections 3 and 5", "More arguments than a command has are refused.")
def _(run: ServerRun) -> None:
    run.readable()
    refuses(run, run.filled, b"LIST 1 1", b"RETR 1 1")


@CASES.case("S210", "RFC 1939 sections 3 and 5", "STAT, NOOP and RSET take no argument.")
def _(run: ServerRun) -> None:
    refuses(run, run.logged_in, b"STAT 1", b"NOOP 1", b"RSET 1")


@CASES.case(
    "S211", "RFC 1939 section 3", "A number with leading zeros is refused, or is that number."
)
def _(run: ServerRun) -> None:
    wire = run.filled()
    plain, padded = wire.ask(b"LIST 1"), wire.ask(b"LIST 0001")
    demand(
        not padded.ok or padded.text.split()[1:2] == plain.text.split()[1:2],
        f"'LIST 1' is answered with {plain}, and 'LIST 0001' with {padded}",
    )
    run.bye(wire)


@CASES.case("S212", "RFC 1939 sections 3 and 7", "USER and PASS without an argument are refused.")
def _(run: ServerRun) -> None:
    refuses(run, run.secured, b"USER", b"PASS")


@CASES.case("S213", "RFC 1939 sections 3 and 7", "APOP without a name and a digest is refused.")
def _(run: ServerRun) -> None:
    refuses(run, run.secured, b"APOP", b"APOP user")


@CASES.case("S214", "RFC 1939 sections 3 and 5", "A tab is no space: it separates no argument.")
def _(run: ServerRun) -> None:
    wire = run.filled()
    answer = wire.ask(b"LIST\t1")
    demand(not answer.ok, f"{printable_line(b'LIST	1')} is answered with {answer}")
    run.bye(wire)


@CASES.case(
    "S215",
    "RFC 1939 sections 3 and 5",
    "DELE of no number, or of no message, is refused.",
    destructive=True,
)
def _(run: ServerRun) -> None:
    wrong = (b"DELE", b"DELE 0", b"DELE x", b"DELE -1", b"DELE 1x", b"DELE 99999999")
    refuses(run, run.logged_in, *wrong)
    wire = run.filled()
    before = run.count(wire)
    for number in _WRAPPED:
        answer = wire.ask(b"DELE %d" % number)
        demand(not answer.ok, f"'DELE {number}' is answered with {answer}")
    demand(run.count(wire) == before, "DELE of no message has deleted one")
    run.bye(wire)
