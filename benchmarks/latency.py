"""``latency``: clients whose server is far away."""

from __future__ import annotations

import argparse
import platform

from benchmarks.clients import AHEAD, ONE, PROGRAM, UNLIKE, ours
from benchmarks.contests import Aim, Contest, Entry
from benchmarks.measuring import Goal
from benchmarks.relay import delayed
from benchmarks.reporting import Report
from benchmarks.server import Maildrop, serving

HELP = "small mail from a server that is 50 ms away"

# Who sends one command at a time gets one in so many messages: it takes the same time for each.
_SHARE = 100
_SEQUENTIAL = ("Twisted", "pycurl", "curl", "fetchmail", "getmail6", "Net::POP3", "net/pop")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--milliseconds", type=float, default=50.0, help="of round trip (default: 50)"
    )


def run(args: argparse.Namespace) -> Report:
    rounds, count = (1, 200) if args.quick else (args.rounds, 10_000)
    about = f"{args.milliseconds:g} ms away, CPython {platform.python_version()}"
    report = Report("latency", f"Clients, plain, {about}")
    report.judge_goals = not args.quick
    maildrop = Maildrop(count, 4096, 4096, text=True)
    with serving(maildrop) as server, delayed(server, args.milliseconds) as far:
        contest(args.milliseconds, count).run(report, far, maildrop, rounds)
    report.add(
        "Timed from connecting, or from the start of a program, to the end of QUIT. Contestants"
        f" that send one command at a time fetch {max(1, count // _SHARE)} of the messages."
    )
    return report


def contest(milliseconds: float, count: int) -> Contest:
    """So many messages from so far away."""
    entries = [
        Entry("raw socket", "retr", _SHARE, about="one at a time"),
        AHEAD,
        Entry("poplib", share=_SHARE, limit=ONE.label),
        Entry("pop3proto, blocking", "retr", _SHARE, ONE.label, "one at a time"),
        *ours("retr_many"),
        PROGRAM,
        Entry("mpop", limit=AHEAD.label),
        *(Entry(name, share=_SHARE, limit=ONE.label) for name in (*_SEQUENTIAL, "node-pop3")),
    ]
    first, *others = (entry.label for entry in ours("retr_many"))
    mpop = Goal(10, unit="x")
    aims = [Aim(first, mpop, "mpop", beside=PROGRAM.label)]
    aims += [Aim(label, mpop, "mpop") for label in others]
    return Contest(
        f"{count:,} messages of 4 KiB, {milliseconds:g} ms of round trip",
        entries,
        aims,
        count,
        session=True,
        references=("poplib", "mpop"),
        note=UNLIKE,
    )
