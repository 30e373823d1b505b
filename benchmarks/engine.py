"""``engine``: parsing from memory, without a socket."""

from __future__ import annotations

import argparse
import platform

from benchmarks import corpora, linearity
from benchmarks.measuring import Contestant, Goal, markdown, measure, number
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
LEAST = Goal(200)
"""MB/s, whatever the input."""
COMMAND = Goal(0.7, at_most=True)
"""Microseconds for a command and its reply."""
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
        verdict = report.verdict(goal, times.median, f"{corpus}, ratio to poplib")
        floor = report.verdict(LEAST, ours.median, f"{corpus}, MB/s")
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
    report.add(markdown([*header, f"{LEAST} MB/s", "of memchr"], rows))


def _command(report: Report, rounds: int, commands: int) -> None:
    contestant = Contestant(
        "a command and its reply", "engine_contestants:command_and_reply", {"commands": commands}
    )
    figure = measure([contestant], rounds, say)[contestant.name].scaled(1e6)
    report.data[contestant.name] = {"microseconds": figure.as_json()}
    verdict = report.verdict(COMMAND, figure.median, f"{contestant.name}, microseconds")
    header = ["what", "microseconds", "goal", "met"]
    report.add(markdown(header, [[contestant.name, figure.spread(), str(COMMAND), verdict]]))


def _linearity(report: Report) -> None:
    say("linearity")
    rows: list[list[str]] = []
    for found in linearity.scalings():
        chunk = f"{found.chunk:,}" if found.chunk else "all at once"
        feed = "pulled" if found.pulled else "whole"
        rows.append([found.body, chunk, feed, number(found.work), number(found.growth)])
        if not found.linear:
            report.failures.append(
                f"not linear: {found.body}, chunks of {chunk}, {feed}:"
                f" {found.work:.1f} an octet, growth {found.growth:.2f}"
            )
    report.data["linearity"] = rows
    header = ["body", "chunk, octets", "feed", "work an octet", "growth when doubled"]
    report.add(
        "Work is counted, not timed: operations, and octets looked at or copied. Linear is at most"
        f" {linearity.MOST_WORK} an octet, and at most {linearity.MOST_GROWTH} times as much for"
        " twice the octets.\n\n" + markdown(header, rows)
    )
