"""``layers``: where the time of a session goes, found by adding one layer after the other."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from benchmarks.measuring import Contestant, Figure, number, run_apart, turns
from benchmarks.reporting import Report, say
from benchmarks.server import Maildrop, serving

HELP = "where the time of a session goes, layer by layer"

_KIB = 1024
# Each layer contains the one before it.
_LAYERS = {
    "scan": "a bare loop: bytes.find() for the end of each answer, and a copy of it",
    "engine": "events: ClientConnection.receive_data() and next_event()",
    "commands": "commands: built, checked and sent; answers matched with them",
    "client": "the client: outcomes, messages, limits, deadlines",
    "socket": "the socket: receiving, and waiting for the server",
}
_JOBS = {"retr": "RETR of 4 KiB, pipelined", "noop": "NOOP, pipelined"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--job", choices=_JOBS, action="append", help="only this one")


def run(args: argparse.Namespace) -> Report:
    title = f"Where the time goes, CPython {platform.python_version()}"
    report = Report("layers", title, judge_goals=not args.quick)
    rounds, scale = (1, 100) if args.quick else (args.rounds, 1)
    for job in args.job or _JOBS:
        # As many as in the contests of the clients.
        count = {"retr": 10_000, "noop": 20_000}[job] // scale
        maildrop = Maildrop(count, 4 * _KIB, 4 * _KIB, text=True)
        with serving(maildrop) as address:
            arguments = {"job": job, "count": count, "address": address.arguments()}
            _measure(report, job, arguments, rounds)
    report.add(
        "The blocking client, in microseconds of wall time for each message or command. The last"
        " layer talks to the server of the clients' contests, all others work on octets in memory."
        " A layer's own time is the time that it adds to the layer before it."
    )
    return report


def _measure(report: Report, job: str, arguments: dict[str, Any], rounds: int) -> None:
    samples: dict[str, list[float]] = {layer: [] for layer in _LAYERS}
    for about, layer in turns(list(_LAYERS), rounds):
        say(f"{about}: {job}, {layer}")
        contestant = Contestant(layer, "layer_contestants:run", {"layer": layer, **arguments})
        samples[layer].append(run_apart(contestant) * 1e6)
    figures = {layer: Figure(tuple(found)) for layer, found in samples.items()}
    own = {first: figures[first] for first in list(_LAYERS)[:1]}
    for before, layer in pairwise(_LAYERS):
        own[layer] = _difference(figures[layer], figures[before])
    report.data[job] = {
        layer: {"own": own[layer].as_json(), "up to here": figures[layer].as_json()}
        for layer in _LAYERS
    }
    whole = figures[list(_LAYERS)[-1]]
    columns: list[tuple[str, Callable[[str], str]]] = [
        (f"layer ({_JOBS[job]})", lambda layer: _LAYERS[layer]),
        ("its own, µs", lambda layer: own[layer].spread()),
        ("of all", lambda layer: number(100 * own[layer].median / whole.median) + " %"),
        ("up to here, µs", lambda layer: figures[layer].spread()),
    ]
    rows = [[cell(layer) for _, cell in columns] for layer in _LAYERS]
    report.table([name for name, _ in columns], rows)


def _difference(larger: Figure, smaller: Figure) -> Figure:
    pairs = zip(larger.values, smaller.values, strict=True)
    return Figure(tuple(a - b for a, b in pairs))
