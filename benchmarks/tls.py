"""``tls``: the same under TLS, beside a server in Python."""

from __future__ import annotations

import argparse
import platform
import ssl

from benchmarks.clients import GROWTH_IS, ONE, STREAM, ours
from benchmarks.contests import Aim, Contest, Entry
from benchmarks.measuring import Goal
from benchmarks.reporting import Report
from benchmarks.server import Maildrop, serving

HELP = "clients under TLS: large mail, small mail, memory"

_MIB = 1024 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--contest", choices=("small", "large"), action="append", help="only this one"
    )


def run(args: argparse.Namespace) -> Report:
    rounds, scale = (1, 100) if args.quick else (args.rounds, 1)
    about = f"CPython {platform.python_version()}, {ssl.OPENSSL_VERSION}"
    report = Report("tls", f"Clients under TLS, no delay, {about}")
    report.judge_goals = not args.quick
    for name in args.contest or ("large", "small"):
        contest, maildrop = {"large": _large, "small": _small}[name](scale)
        with serving(maildrop, tls=True) as address:
            contest.run(report, address, maildrop, rounds)
    report.add(
        "Timed from the login to the last answer; for pycurl, which logs in when it retrieves the"
        " first message, from connecting. The server is written in Python."
    )
    return report


def _large(scale: int) -> tuple[Contest, Maildrop]:
    size = 1024 * _MIB // scale
    entries = ours("stream")
    aims = [
        Aim(entries[0].label, Goal(95, unit=" %"), STREAM.label),
        *(Aim(entry.label, Goal(2, True, " MiB"), figure="MiB") for entry in entries),
    ]
    title = f"Streaming one message of {size // _MIB:,} MiB under TLS"
    contest = Contest(title, [STREAM, *entries], aims, unit="MB/s", memory=True, note=GROWTH_IS)
    return contest, Maildrop(1, size, size)


def _small(scale: int) -> tuple[Contest, Maildrop]:
    count = 10_000 // scale
    entries = [
        ONE,
        *(Entry(name, limit=ONE.label) for name in ("poplib", "Twisted", "pycurl")),
        *ours("retr", "retr_many"),
    ]
    contest = Contest(f"{count:,} messages of 4 KiB under TLS", entries, [], count)
    return contest, Maildrop(count, 4096, 4096, text=True)
