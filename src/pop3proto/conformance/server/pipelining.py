"""Cases about commands that are sent ahead."""

from __future__ import annotations

from ..case import CaseFailedError, demand
from .run import CASES, ServerRun
from .transaction import retrieved, small_ones

_MANY = 200


@CASES.case("S701", "RFC 2449 section 6.6", "Commands that are sent ahead are answered in turn.")
def _(run: ServerRun) -> None:
    run.need("PIPELINING")
    wire = run.logged_in()
    stat = wire.ask(b"STAT")
    wire.send(b"NOOP", b"STAT", b"LIST", b"XPOP3PROTO", b"STAT", b"NOOP")
    demand(wire.status().ok, "NOOP is refused")
    demand(wire.status().text == stat.text, "the second answer is not that to STAT")
    demand(wire.status().ok, "LIST is refused")
    wire.text()
    demand(not wire.status().ok, "the fourth answer is not that to an unknown command")
    demand(wire.status().text == stat.text, "the fifth answer is not that to STAT")
    demand(wire.status().ok, "the last answer is not that to NOOP")
    run.bye(wire)


@CASES.case("S702", "RFC 2449 section 6.6", "Two hundred commands in one write are all answered.")
def _(run: ServerRun) -> None:
    run.need("PIPELINING")
    wire = run.logged_in()
    wire.send(*[b"NOOP"] * _MANY)
    for number in range(_MANY):
        demand(wire.status().ok, f"NOOP number {number + 1} is refused")
    demand(not wire.unasked(0.2), "there is one answer too many")
    run.bye(wire)


@CASES.case("S703", "RFC 2449 section 6.6", "USER, PASS and STAT can be sent in one write.")
def _(run: ServerRun) -> None:
    run.need("PIPELINING", before_login=True)
    run.need("USER", before_login=True)
    user, password = run.credentials()
    run.bye(run.logged_in("a session before, so that nobody else has the maildrop"))
    wire = run.secured()
    wire.send(b"USER " + user, b"PASS " + password, b"STAT")
    for name in ("USER", "PASS", "STAT"):
        try:
            answer = wire.status(run.patience)
        except CaseFailedError as error:
            raise CaseFailedError(f"{name}: {error}") from error
        run.demand_login(answer, f"{name} is")
    run.bye(wire)


@CASES.case("S704", "RFC 2449 section 6.6", "QUIT sent ahead is answered after what precedes it.")
def _(run: ServerRun) -> None:
    run.need("PIPELINING")
    wire = run.logged_in()
    wire.send(b"NOOP", b"LIST", b"QUIT")
    demand(wire.status().ok, "NOOP is refused")
    demand(wire.status().ok, "LIST is refused")
    wire.text()
    demand(wire.status().ok, "QUIT is refused")
    demand(wire.closes(), "the server does not close after QUIT")


@CASES.case("S705", "RFC 2449 section 6.6", "RETR can be sent ahead, and its texts come in turn.")
def _(run: ServerRun) -> None:
    run.need("PIPELINING")
    run.readable()
    wire = run.filled()
    number = small_ones(run, wire)[-1][0]
    alone = retrieved(wire, b"RETR %d" % number)
    wire.send(b"RETR %d" % number, b"NOOP", b"RETR %d" % number, b"NOOP")
    for _ in range(2):
        demand(wire.status().ok, "RETR is refused")
        text = [line[1:] if line.startswith(b".") else line for line in wire.text()]
        demand(text == alone, "the message is another one than without sending ahead")
        demand(wire.status().ok, "NOOP after RETR is refused")
    run.bye(wire)


@CASES.case("S706", "RFC 2449 section 6.6", "DELE and QUIT in one write delete.", destructive=True)
def _(run: ServerRun) -> None:
    run.need("PIPELINING")
    wire = run.filled(least=2)
    count = run.count(wire)
    wire.send(b"DELE 1", b"NOOP", b"QUIT")
    for name in ("DELE", "NOOP", "QUIT"):
        answer = wire.status()
        demand(answer.ok, f"{name} is answered with {answer}")
    wire.closes()
    wire = run.logged_in("the next session")
    left = run.count(wire)
    demand(left == count - 1, f"of {count} messages {left} are left")
    run.bye(wire)
