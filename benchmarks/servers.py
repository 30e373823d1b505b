"""``servers``: the server's role, beside Twisted's, with a client that does as good as nothing."""

from __future__ import annotations

import argparse
import platform
import sys
from contextlib import ExitStack

from benchmarks import peers
from benchmarks.measuring import Contestant, Figure, markdown, number, run_apart
from benchmarks.reporting import Report, say
from benchmarks.server import Address, Maildrop, serving, started

HELP = "the embedded server beside Twisted's, and beside one that only sends"

_JOBS = {"retr": "one at a time", "retr_many": "pipelined"}
_EMBEDDED, _TWISTED, _LIMIT = "embedded, threads", "Twisted", "from memory, in C"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--other",
        action="append",
        default=[],
        metavar="NAME=PORT",
        help="a server on this machine, with as many messages for the user 'user' with the"
        " password 'secret' over a connection without TLS; may be repeated",
    )


def run(args: argparse.Namespace) -> Report:
    rounds, count = (1, 50) if args.quick else (args.rounds, 5_000)
    report = Report("servers", f"Servers, plain, no delay, CPython {platform.python_version()}")
    report.judge_goals = not args.quick
    maildrop = Maildrop(count, 4096, 4096, text=True)
    with ExitStack() as stack:
        ports = {_LIMIT: stack.enter_context(serving(maildrop)).port}
        for name, missing in ((_EMBEDDED, ""), (_TWISTED, peers.missing("Twisted"))):
            if missing:
                report.add(f"{name} is not installed: {missing}")
                continue
            command = [sys.executable, "-m", "benchmarks.server_contestants", name, str(count)]
            ports[name] = stack.enter_context(started(command))
        for other in args.other:
            name, _, port = other.partition("=")
            ports[name] = int(port)
        figures = _measured(ports, count, rounds)
    rows = [
        [name, *(cell for job in _JOBS for cell in _cells(figures, name, job))] for name in ports
    ]
    columns = [f"{what} {about}" for about in _JOBS.values() for what in ("messages/s,", "times,")]
    report.data["messages/s"] = {
        name: {about: figures[name, job].as_json() for job, about in _JOBS.items()}
        for name in ports
    }
    report.add(
        f"{count:,} messages of 4 KiB, in one session, by a client that only looks for the end of"
        " each. Behind each figure, how many times Twisted's it is.\n\n"
        + markdown(["server", *columns], rows)
    )
    return report


def _measured(ports: dict[str, int], count: int, rounds: int) -> dict[tuple[str, str], Figure]:
    samples: dict[tuple[str, str], list[float]] = {}
    for turn in range(rounds):
        for name, port in ports.items():
            for job, about in _JOBS.items():
                say(f"round {turn + 1} of {rounds}: {name}, {about}")
                where = {"count": count, "address": Address(port).arguments()}
                arguments = {"name": "raw socket", "job": job, **where}
                sample = run_apart(Contestant(name, "peers:run", arguments))
                samples.setdefault((name, job), []).append(count / sample["seconds"])
    return {key: Figure(tuple(found)) for key, found in samples.items()}


def _cells(figures: dict[tuple[str, str], Figure], name: str, job: str) -> tuple[str, str]:
    figure = figures[name, job]
    if (_TWISTED, job) not in figures:
        return figure.spread(), ""
    return figure.spread(), f"{number((figure / figures[_TWISTED, job]).median)}x"
