"""Cases about DELE, RSET and QUIT, and about two sessions at a time: they need a test account."""

from __future__ import annotations

from ..case import CaseFailedError, NotTestedError, Severity, demand
from ..wire import Wire
from .run import CASES, ServerRun, answer_to, refuses
from .transaction import listing, retrieved
from .unique_ids import unique_ids


def deleted(run: ServerRun, title: str = "after the login") -> tuple[Wire, int]:
    """Return a connection on which message 1 is marked, and the number of messages before."""
    wire = run.filled(title, least=3)
    count = run.count(wire)
    answer = wire.ask(b"DELE 1")
    demand(answer.ok, f"DELE 1 is answered with {answer}")
    return wire, count


@CASES.case(
    "S901",
    "RFC 1939 section 5",
    "A message that is marked as deleted can no longer be named.",
    destructive=True,
)
def _(run: ServerRun) -> None:
    wire, _ = deleted(run)
    for command in (b"RETR 1", b"LIST 1", b"DELE 1"):
        answer = answer_to(wire, command)
        demand(not answer.ok, f"{command.decode()} after DELE 1 is answered with {answer}")
    wire.ask(b"RSET")
    run.bye(wire)


@CASES.case(
    "S902",
    "RFC 1939 section 5",
    "STAT and LIST leave out what is marked, and the other numbers stay.",
    destructive=True,
)
def _(run: ServerRun) -> None:
    wire = run.filled(least=3)
    (count, octets), size = run.stat(wire), dict(listing(wire)).get(1, 0)
    demand(wire.ask(b"DELE 1").ok, "DELE 1 is refused")
    left = run.stat(wire)
    demand(left[0] == count - 1, f"STAT counts {count} messages, and {left[0]} after DELE 1")
    demand(left[1] == octets - size, "STAT still has the octets of what is marked")
    numbers = sorted(number for number, _ in listing(wire))
    demand(numbers == [*range(2, count + 1)], "LIST has not the numbers from 2 on after DELE 1")
    wire.ask(b"RSET")
    run.bye(wire)


@CASES.case("S903", "RFC 1939 section 7", "UIDL leaves out what is marked.", destructive=True)
def _(run: ServerRun) -> None:
    wire, count = deleted(run)
    found = unique_ids(run, wire)
    demand([*sorted(found)] == [*range(2, count + 1)], "UIDL has not the numbers from 2 on")
    answer = wire.ask(b"UIDL 1")
    demand(not answer.ok, f"UIDL 1 after DELE 1 is answered with {answer}")
    wire.ask(b"RSET")
    run.bye(wire)


@CASES.case("S904", "RFC 1939 section 5", "RSET takes back all marks.", destructive=True)
def _(run: ServerRun) -> None:
    wire, count = deleted(run)
    answer = wire.ask(b"RSET")
    demand(answer.ok, f"RSET is answered with {answer}")
    demand(run.count(wire) == count, "STAT does not count all messages after RSET")
    demand(wire.ask(b"LIST 1").ok, "LIST 1 is refused after RSET")
    run.bye(wire)
    wire = run.logged_in("the next session")
    demand(run.count(wire) == count, "a message is gone although RSET took back the mark")
    run.bye(wire)


@CASES.case(
    "S905", "RFC 1939 section 6", "A connection that is lost deletes nothing.", destructive=True
)
def _(run: ServerRun) -> None:
    wire, count = deleted(run)
    wire.close()
    wire = run.logged_in("the next session")
    left = run.count(wire)
    demand(left == count, f"of {count} messages {left} are left, without any QUIT")
    run.bye(wire)


@CASES.case(
    "S906",
    "RFC 1939 section 6",
    "QUIT deletes what is marked, and nothing else.",
    destructive=True,
)
def _(run: ServerRun) -> None:
    wire = run.filled(least=3)
    count, sizes = run.count(wire), sorted(listing(wire))
    for number in (1, count):
        answer = wire.ask(b"DELE %d" % number)
        demand(answer.ok, f"DELE {number} is answered with {answer}")
    answer = wire.ask(b"QUIT")
    demand(answer.ok, f"QUIT is answered with {answer}")
    wire.closes()
    wire = run.logged_in("the next session")
    left = [size for _, size in sorted(listing(wire))]
    demand(left == [size for _, size in sizes[1:-1]], "other messages are left than were to be")
    run.bye(wire)


@CASES.case(
    "S907",
    "RFC 1939 section 7",
    "The other messages keep their unique-ids when one is deleted.",
    destructive=True,
)
def _(run: ServerRun) -> None:
    wire = run.filled(least=3)
    before = unique_ids(run, wire)
    demand(wire.ask(b"DELE 1").ok, "DELE 1 is refused")
    wire.ask(b"QUIT")
    wire.closes()
    wire = run.logged_in("the next session")
    after = unique_ids(run, wire)
    wanted = [before[number] for number in sorted(before)[1:]]
    demand([after[number] for number in sorted(after)] == wanted, "unique-ids have changed")
    run.bye(wire)


@CASES.case(
    "S908",
    "RFC 1939 section 4",
    "No other session removes a message while this one has the maildrop.",
    destructive=True,
)
def _(run: ServerRun) -> None:
    first = run.filled("the first session", least=3)
    count = run.count(first)
    second = run.secured("the second session")
    try:
        answer = run.log_in(second)
        if not answer.ok:
            run.bye(first)
            return
        second.ask(b"DELE %d" % count)
        second.ask(b"QUIT")
        # Some servers answer before they delete.
        second.closes()
    except CaseFailedError:
        # Refused without a word, or made to wait until the first is over.
        run.bye(first)
        return
    try:
        answer = first.ask(b"RETR %d" % count)
    except CaseFailedError as error:
        raise CaseFailedError(f"RETR of a message that another session deleted: {error}") from error
    demand(answer.ok, f"RETR of a message that another session deleted is answered with {answer}")
    first.text()


@CASES.case(
    "S909",
    "RFC 1939 sections 6 and 8",
    "What was read and not marked as deleted stays, unless EXPIRE 0 says otherwise.",
    severity=Severity.WARNING,
    destructive=True,
)
def _(run: ServerRun) -> None:
    if (run.facts.after or {}).get("EXPIRE", [])[:1] == ["0"]:
        raise NotTestedError("EXPIRE 0 says that it does not stay")
    wire = run.filled()
    count = run.count(wire)
    retrieved(wire, b"RETR 1")
    demand(wire.ask(b"QUIT").ok, "QUIT is refused")
    wire.closes()
    wire = run.logged_in("the next session")
    left = run.count(wire)
    demand(left == count, f"of {count} messages {left} are left after RETR and QUIT")
    run.bye(wire)


@CASES.case(
    "S919",
    "RFC 1939 section 5",
    "An empty maildrop has '0 0' in STAT, and empty answers to LIST and UIDL.",
    destructive=True,
)
def _(run: ServerRun) -> None:
    wire = run.logged_in()
    numbers = [number for number, _ in listing(wire)]
    for number in numbers:
        demand(wire.ask(b"DELE %d" % number).ok, f"DELE {number} is refused")
    if numbers:
        wire.ask(b"QUIT")
        wire.closes()
        wire = run.logged_in("the next session")
    if run.count(wire):
        raise NotTestedError("mail has come again")
    demand(run.stat(wire) == (0, 0), "STAT has a size for no messages")
    demand(listing(wire) == [], "LIST has rows for no messages")
    answer = wire.ask(b"UIDL")
    demand(not answer.ok or wire.text() == [], "UIDL has rows for no messages")
    run.bye(wire)
    refuses(run, run.logged_in, b"RETR 1", b"LIST 1")
