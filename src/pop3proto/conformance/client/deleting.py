"""Cases about messages that the program deletes on the server."""

from __future__ import annotations

from ...server import MemoryMaildrops
from ...testing.quirks.names import Quirk
from ..case import Severity, demand
from .hooks import CutOff, LosesQuit, Stray
from .judge import complete, failed, survived
from .mail import MAIL, message, token_of
from .run import CASES, USER, ClientRun

_FEW = MAIL[:4]


@CASES.case(
    "C201",
    "RFC 1939 section 6",
    "What is stored is deleted, and QUIT makes it so.",
    destructive=True,
)
def _(run: ClientRun) -> None:
    result = run.fetch(_FEW)
    complete(result, _FEW)
    demand(result.sent("QUIT"), "QUIT was not sent")
    demand(not result.left, f"still on the server: {', '.join(sorted(result.left))}")


@CASES.case(
    "C202",
    "RFC 1939 section 6",
    "If the connection ends before QUIT is answered, nothing is lost.",
    destructive=True,
)
def _(run: ClientRun) -> None:
    drops = MemoryMaildrops({USER: _FEW})
    result = run.fetch(_FEW, title="without an answer to QUIT", hooks=LosesQuit, drops=drops)
    failed(result, "QUIT was not answered")
    again = run.fetch(_FEW, title="the next run", drops=drops)
    survived(again)
    missing = [token_of(each) for each in _FEW if not again.stored.whole.get(token_of(each))]
    demand(not missing, f"neither stored nor on the server: {', '.join(missing)}")


@CASES.case(
    "C203",
    "RFC 1939 section 5",
    "A message that did not come whole is not deleted.",
    destructive=True,
)
def _(run: ClientRun) -> None:
    cuts = iter([CutOff("within", 2)])
    survived(run.fetch(_FEW, hooks=lambda: next(cuts, CutOff("", 0))))


@CASES.case(
    "C204",
    "RFC 1939 section 5",
    "A message that the server refused to send is not deleted.",
    destructive=True,
)
def _(run: ClientRun) -> None:
    result = run.fetch(_FEW, quirks=[Quirk.REFUSED_MESSAGE])
    # Some programs fetch with TOP, which is not refused. Then there is nothing to lose.
    survived(result)


@CASES.case(
    "C205",
    "RFC 1939 section 6",
    "A QUIT that is refused, because not all could be deleted, is told.",
    severity=Severity.WARNING,
    destructive=True,
)
def _(run: ClientRun) -> None:
    failed(run.fetch(_FEW, quirks=[Quirk.CLOSES_BEFORE_QUIT]), "QUIT could not be sent")


@CASES.case(
    "C206",
    "RFC 1939 section 3",
    "An answer that came before its command does not count.",
    severity=Severity.WARNING,
    destructive=True,
)
def _(run: ClientRun) -> None:
    result = run.fetch(_FEW, hooks=Stray)
    survived(result)
    demand(result.code != 0, "exit code 0, although the server refused to delete")


@CASES.case(
    "C207",
    "RFC 1939 section 7",
    "A message that arrives between two runs is fetched, and only what was stored is deleted.",
    destructive=True,
)
def _(run: ClientRun) -> None:
    late = message("late", b"Late.\r\n")
    drops = MemoryMaildrops({USER: _FEW})
    mail = [*_FEW, late]
    survived(run.fetch(mail, title="the first run", drops=drops))
    drops.add(USER, late)
    again = run.fetch(mail, title="the next run", drops=drops)
    complete(again, mail)
