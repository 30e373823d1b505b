"""``engine``: parsing from memory, without a socket."""

from __future__ import annotations

import argparse
import platform
from dataclasses import asdict

from benchmarks import corpora, linearity
from benchmarks.measuring import Contestant, Goal, measure, number
from benchmarks.reporting import Report, say

HELP = "the engine alone, on octets in memory"

GOALS = {
    "small": Goal(7, unit="x"),
    "real": Goal(40, unit="x"),
    "big": Goal(120, unit="x"),
    "dots": Goal(3.6, unit="x"),
    "dotonly": Goal(20, unit="x"),
    "short": Goal(70, unit="x"),
    "text": Goal(10, unit="x"),
}
LEAST = Goal(200, unit=" MB/s")
"""Whatever the input."""
COMMAND = Goal(0.7, True, " µs")
"""For a command and its reply."""
_NAMES = ("pop3proto", "poplib", "memchr")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--corpus", choices=corpora.NAMES, action="append", help="only this one; can be repeated"
    )


def run(args: argparse.Namespace) -> Report:
    rounds, scale = (1, 64) if args.quick else (args.rounds, 1)
    report = Report("engine", f"Parsing from memory, CPython {platform.python_version()}")
    report.judge_goals = not args.quick
    _parsing(report, args.corpus or corpora.NAMES, rounds, scale)
    _command(report, rounds, 2_000 if args.quick else 50_000)
    _linearity(report)
    return report


def _parsing(report: Report, names: tuple[str, ...], rounds: int, scale: int) -> None:
    rows: list[list[str]] = []
    for corpus in names:
        contestants = [
            Contestant(
                name,
                "engine_contestants:parse",
                {"contestant": name, "corpus": corpus, "scale": scale},
            )
            for name in _NAMES
        ]
        say(corpus)
        speeds = measure(contestants, rounds, say)
        ours, poplib, memchr = (speeds[name].scaled(1e-6) for name in _NAMES)
        times, share, goal = ours / poplib, (ours / memchr).scaled(100), GOALS[corpus]
        report.data[corpus] = {
            "MB/s": {
                "pop3proto": ours.as_json(),
                "poplib": poplib.as_json(),
                "memchr": memchr.as_json(),
            },
            "ratio to poplib": times.as_json(),
            "percent of memchr": share.as_json(),
        }
        verdict = report.verdict(goal, times, f"parsing {corpus}, to poplib's way")
        floor = report.verdict(LEAST, ours, f"parsing {corpus}, speed")
        rows.append(
            [
                corpus,
                number(ours.median),
                number(poplib.median),
                number(memchr.median),
                times.spread(),
                str(goal),
                verdict,
                floor,
                number(share.median) + " %",
            ]
        )
    header = ["corpus", "MB/s", "poplib's way", "memchr", "ratio to poplib's way", "goal", "met"]
    report.table([*header, str(LEAST), "of memchr"], rows)


def _command(report: Report, rounds: int, commands: int) -> None:
    contestant = Contestant(
        "a command and its reply", "engine_contestants:command_and_reply", {"commands": commands}
    )
    figure = measure([contestant], rounds, say)[contestant.name].scaled(1e6)
    report.data[contestant.name] = {"microseconds": figure.as_json()}
    verdict = report.verdict(COMMAND, figure, contestant.name)
    header = ["what", "microseconds", "goal", "met"]
    report.table(header, [[contestant.name, figure.spread(), str(COMMAND), verdict]])


def _linearity(report: Report) -> None:
    say("linearity")
    found = list(linearity.scalings())
    rows = [
        [one.body, one.chunks, one.feed, f"{one.octets:,}", number(one.work), number(one.growth)]
        for one in found
    ]
    report.data["linearity"] = [asdict(one) for one in found]
    report.add(
        "Work is counted, not timed: operations, and octets that are read or copied. Linear means"
        f" at most {linearity.MOST_WORK} for each octet, and at most {linearity.MOST_GROWTH} times"
        " as much for twice the octets. Each input consists of several chunks, except in the rows"
        " in which all of it arrives at once."
    )
    header = ["body", "chunk, octets", "feed", "octets", "work an octet", "growth when doubled"]
    report.table(header, rows)
    wrong = [f"{one.body}, chunks of {one.chunks}, {one.feed}" for one in found if not one.linear]
    measured = f"up to {max(one.growth for one in found):.2f} times"
    report.require(
        not wrong,
        "parsing is linear in the octets, at every chunk size",
        f"at most {linearity.MOST_GROWTH} times the work for twice the octets",
        f"{measured}; not linear: {'; '.join(wrong)}" if wrong else measured,
    )
