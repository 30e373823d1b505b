"""``python -m benchmarks``: measure, write the pages of it, and find out whether they are old."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks import document, freshness
from benchmarks.contests import CONTESTS
from benchmarks.goals import GOALS
from benchmarks.measuring import Contest, measure, say
from benchmarks.reporting import as_json, tables

_COUNTING = 4.0
"""About how many seconds it takes to count the instructions of one contestant."""


def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    result: int = args.run(args)
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="WHAT")
    everything = commands.add_parser("all", help="everything that follows, and one JSON of it")
    everything.set_defaults(run=partial(_measured, contests=CONTESTS))
    _add_options(everything)
    for contest in CONTESTS:
        command = commands.add_parser(contest.name, help=contest.title)
        command.set_defaults(run=partial(_measured, contests=[contest]))
        _add_options(command)
    writer = commands.add_parser("document", help=document.HELP)
    document.add_arguments(writer)
    writer.set_defaults(run=document.run)
    checker = commands.add_parser("check", help=freshness.HELP)
    freshness.add_arguments(checker)
    checker.set_defaults(run=freshness.run)
    return parser


def _add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--quick",
        action="store_true",
        help="little of everything: whether it runs, and never how fast",
    )
    command.add_argument("--rounds", type=int, default=5, help="how often at most (default: 5)")
    command.add_argument("--json", type=Path, metavar="FILE", help="where to keep the result")


def _measured(args: argparse.Namespace, contests: Sequence[Contest]) -> int:
    begin = time.monotonic()
    if args.quick:
        # It is of no matter then that they disturb one another, and many of them wait.
        with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
            outcomes = list(pool.map(lambda one: measure(one, 1, quick=True), contests))
    else:
        say(f"This takes about {_minutes(contests, args.rounds):.0f} minutes.")
        outcomes = [measure(contest, args.rounds) for contest in contests]
    result = as_json(outcomes, GOALS, args.quick)
    print(tables(result))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    say(f"It took {time.monotonic() - begin:.0f} seconds.")
    return 1 if result["failures"] else 0


def _minutes(contests: Sequence[Contest], rounds: int) -> float:
    seconds = sum(
        one.seconds * min(rounds, one.rounds) + _COUNTING * len(one.counted) for one in contests
    )
    return seconds / 60


if __name__ == "__main__":
    sys.exit(main())
