"""``clients``: whole clients beside a server that is as near as it can be."""

from __future__ import annotations

import argparse
import platform

from benchmarks.contests import Aim, Contest, Entry
from benchmarks.measuring import Goal
from benchmarks.reporting import Report
from benchmarks.server import Maildrop, serving

HELP = "clients on a plain connection: small mail, real mail, large mail, commands"

_KIB = 1024
_MIB = 1024 * 1024
RAW = "raw socket"
ONE = Entry(RAW, "retr", about="one at a time")
AHEAD = Entry(RAW, "retr_many", about="pipelined")
STREAM = Entry(RAW, "stream", about="recv loop")
COMPAT = "pop3proto.compat.poplib"
RUNTIMES = ("blocking", "asyncio", "uvloop", "trio")
GROWTH = Goal(6, True, " MiB")
"""While a message passes that is not kept, however large it is."""
GROWTH_IS = (
    "Growth is the peak of resident memory minus the resident memory after the login. It includes"
    " the mail or the listings that are kept. It is not known for other programs."
)
PROGRAM = Entry("pop3proto, a program", limit=AHEAD.label)
UNLIKE = (
    "The contestants within Python read each message as a whole and add up the lengths. Programs do"
    " more: each appends every message to a file, as an mbox with LF line ends, except that curl"
    " writes them unchanged and fetchmail as batched SMTP. mpop and getmail6 also keep a list of"
    " unique-ids. The goal relative to mpop is for the client within Python; the ratio after it is"
    " the fair comparison, one program with another, including the start of Python and the file."
)
"""What the contestants at small mail do that others do not."""


def ours(*jobs: str, runtimes: tuple[str, ...] = RUNTIMES) -> list[Entry]:
    """This package on each runtime, at each of the jobs."""
    about = {
        "retr": ("one at a time", ONE.label),
        "retr_many": ("pipelined", AHEAD.label),
        "stream": ("streamed", STREAM.label),
    }
    return [
        Entry(f"pop3proto, {runtime}", job, limit=about[job][1], about=about[job][0])
        for job in jobs
        for runtime in runtimes
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--contest",
        choices=("small", "real", "large", "noop"),
        action="append",
        help="only this one; can be repeated",
    )


def run(args: argparse.Namespace) -> Report:
    rounds, scale = (1, 100) if args.quick else (args.rounds, 1)
    report = Report("clients", f"Clients, plain, no delay, CPython {platform.python_version()}")
    report.judge_goals = not args.quick
    chosen = args.contest or ("small", "real", "large", "noop")
    for name in chosen:
        contest, maildrop = _CONTESTS[name](scale)
        with serving(maildrop) as address:
            contest.run(report, address, maildrop, rounds)
    report.add(
        "Programs are timed from their start, contestants within Python from connecting to the end"
        " of QUIT (commands and large mail: from the login to the last answer). Median (least to"
        " most)."
    )
    return report


def _small(scale: int) -> tuple[Contest, Maildrop]:
    count = 10_000 // scale
    entries = [
        ONE,
        AHEAD,
        Entry("poplib", limit=ONE.label),
        *ours("retr", "retr_many"),
        Entry("Twisted", limit=ONE.label),
        Entry("pycurl", limit=ONE.label),
        PROGRAM,
        Entry("poplib, a program", limit=ONE.label),
        Entry("mpop", limit=AHEAD.label),
        *(Entry(name, limit=ONE.label) for name in ("curl", "fetchmail", "Net::POP3", "net/pop")),
        Entry("node-pop3", limit=ONE.label),
        # It starts a process for each message.
        Entry("getmail6", share=20, limit=ONE.label),
    ]
    aims = [
        Aim("pop3proto, blocking, pipelined", Goal(10, unit="x"), "poplib"),
        Aim("pop3proto, blocking, pipelined", Goal(3.5, unit="x"), "mpop", beside=PROGRAM.label),
        Aim("pop3proto, asyncio, pipelined", Goal(7, unit="x"), "poplib"),
        Aim("pop3proto, trio, pipelined", Goal(5, unit="x"), "poplib"),
        Aim("pop3proto, blocking, one at a time", Goal(95, unit=" %"), ONE.label),
    ]
    contest = Contest(
        f"{count:,} messages of 4 KiB",
        entries,
        aims,
        count,
        session=True,
        references=("poplib", "mpop"),
        note=UNLIKE,
    )
    return contest, Maildrop(count, 4 * _KIB, 4 * _KIB, text=True)


def _real(scale: int) -> tuple[Contest, Maildrop]:
    count = 1_000 // scale
    compat = Entry(COMPAT, limit=ONE.label)
    entries = [
        ONE,
        AHEAD,
        Entry("poplib", limit=ONE.label),
        compat,
        *ours("retr", "retr_many", runtimes=("blocking", "asyncio")),
        Entry("pycurl", limit=ONE.label),
        Entry("mpop", limit=AHEAD.label),
    ]
    aims = [
        Aim(compat.label, Goal(3, unit="x"), "poplib"),
        # By the clock, both of them wait as long for the server, as neither can ask ahead.
        Aim(compat.label, Goal(33.3, True, " %"), "poplib", "CPU"),
    ]
    title = f"{count:,} messages of 20 to 100 KiB, base64"
    contest = Contest(title, entries, aims, count, session=True, references=("poplib", "mpop"))
    return contest, Maildrop(count, 20 * _KIB, 100 * _KIB)


def _large(scale: int) -> tuple[Contest, Maildrop]:
    size = 1024 * _MIB // scale
    entries = ours("stream")
    aims = [
        Aim(entries[0].label, Goal(90, unit=" %"), STREAM.label),
        *(Aim(entry.label, GROWTH, figure="MiB") for entry in entries),
    ]
    title = f"Streaming one message of {size // _MIB:,} MiB"
    contest = Contest(title, [STREAM, *entries], aims, unit="MB/s", memory=True, note=GROWTH_IS)
    return contest, Maildrop(1, size, size)


def _noop(scale: int) -> tuple[Contest, Maildrop]:
    count = 20_000 // scale
    raw = Entry(RAW, "noop", about="ping-pong")
    entries = [
        raw,
        Entry("poplib", "noop", limit=raw.label),
        *(Entry(f"pop3proto, {name}", "noop", limit=raw.label) for name in RUNTIMES),
        Entry("pop3proto, blocking", "noop_many", limit=raw.label, about="pipelined"),
    ]
    aims = [
        Aim("pop3proto, blocking", Goal(93, unit=" %"), raw.label),
        Aim("pop3proto, blocking, pipelined", Goal(80, unit="x"), raw.label),
    ]
    contest = Contest(f"{count:,} NOOP", entries, aims, count, unit="commands/s")
    return contest, Maildrop(1, 1, 1)


_CONTESTS = {"small": _small, "real": _real, "large": _large, "noop": _noop}
