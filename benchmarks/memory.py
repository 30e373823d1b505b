"""``memory``: what large mail and long listings take, and what loading the package takes."""

from __future__ import annotations

import argparse
import platform

from benchmarks import imports
from benchmarks.clients import COMPAT, GROWTH, GROWTH_IS, RUNTIMES, STREAM
from benchmarks.contests import Aim, Contest, Entry
from benchmarks.measuring import Goal
from benchmarks.reporting import Report
from benchmarks.server import Maildrop, serving

HELP = "memory for large mail and long listings, and the cost of importing"

_MIB = 1024 * 1024
_TO_FILE = Entry("raw socket", "file", about="recv and write")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--contest", choices=(*_CONTESTS, "import"), action="append")


def run(args: argparse.Namespace) -> Report:
    rounds, scale = (1, 100) if args.quick else (args.rounds, 1)
    report = Report("memory", f"Memory, CPython {platform.python_version()}")
    report.judge_goals = not args.quick
    for name in args.contest or (*_CONTESTS, "import"):
        if name == "import":
            imports.measured(report, rounds)
            continue
        contest, maildrop = _CONTESTS[name](scale)
        with serving(maildrop) as address:
            contest.run(report, address, maildrop, rounds)
    report.add(GROWTH_IS)
    return report


def _file(scale: int) -> tuple[Contest, Maildrop]:
    return _saving(1024 * _MIB // scale)


def _smaller_file(scale: int) -> tuple[Contest, Maildrop]:
    contest, maildrop = _saving(100 * _MIB // scale, Entry("poplib", "file", limit=_TO_FILE.label))
    contest.note = "The same again with poplib, which has to hold all the lines of a message."
    return contest, maildrop


def _saving(size: int, *more: Entry) -> tuple[Contest, Maildrop]:
    ours = Entry("pop3proto, blocking", "file", limit=_TO_FILE.label, about="saved")
    programs = [Entry(name, limit=_TO_FILE.label) for name in ("curl", "mpop")]
    aims = [
        Aim(ours.label, Goal(80, unit=" %"), _TO_FILE.label),
        Aim(ours.label, GROWTH, figure="MiB"),
    ]
    title = f"One message of {size // _MIB:,} MiB to a file"
    entries = [_TO_FILE, *more, ours, *programs]
    return Contest(title, entries, aims, unit="MB/s", memory=True), Maildrop(1, size, size)


def _whole(scale: int) -> tuple[Contest, Maildrop]:
    size = 100 * _MIB // scale
    entries = [Entry(f"pop3proto, {name}", "whole", limit=STREAM.label) for name in RUNTIMES]
    aims = [
        aim
        for entry in entries
        for aim in (
            Aim(entry.label, Goal(4, unit="x"), "poplib"),
            Aim(entry.label, Goal(1.15, True, "x"), figure="of its size"),
        )
    ]
    lines = [Entry(name, "whole", limit=STREAM.label) for name in ("poplib", COMPAT)]
    aims.append(Aim(COMPAT, Goal(3, unit="x"), "poplib"))
    title = f"A whole message of {size // _MIB:,} MiB in memory"
    note = f"poplib and {COMPAT} return a list of lines."
    entries = [STREAM, *lines, *entries]
    contest = Contest(title, entries, aims, unit="MB/s", memory=True, note=note)
    return contest, Maildrop(1, size, size)


def _listings(scale: int) -> tuple[Contest, Maildrop]:
    count = 1_000_000 // scale
    rows = Entry("poplib", "rows", about="its lines taken apart")
    ours = Entry("pop3proto, blocking", "listings")
    aims = [
        Aim(ours.label, Goal(1, unit="x"), "poplib"),
        Aim(ours.label, Goal(2, unit="x"), rows.label),
        Aim(ours.label, Goal(0.5, True, "x"), "poplib", "MiB"),
        Aim(ours.label, Goal(60, True, " octets"), figure="a message"),
    ]
    contest = Contest(
        f"STAT, LIST and UIDL of {count:,} messages",
        [Entry("poplib", "listings"), rows, ours],
        aims,
        count,
        references=("poplib", rows.label),
        memory=True,
        note="poplib returns the lines as they arrived; pop3proto returns numbers, sizes and"
        " unique-ids, and has checked them. The second row of poplib adds the split() and the int()"
        " or two for each line that every caller needs, without any checks.",
    )
    return contest, Maildrop(count, 2_000, 50_000)


_CONTESTS = {
    "file": _file,
    "smaller-file": _smaller_file,
    "whole": _whole,
    "listings": _listings,
}
