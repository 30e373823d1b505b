"""``servers``: the server's role, beside other servers, with a client that does next to nothing."""

from __future__ import annotations

import argparse
import platform
import sys
from contextlib import AbstractContextManager, ExitStack

from benchmarks import dovecot_server as dovecot
from benchmarks import peers
from benchmarks.measuring import Contestant, Figure, Goal, number, run_apart, turns
from benchmarks.meter import process_cpu
from benchmarks.reporting import Report, say
from benchmarks.server import Address, Maildrop, serving, started

HELP = "the embedded server beside Twisted's, Dovecot, and one that only sends"

_JOBS = {"retr": "one at a time", "retr_many": "pipelined"}
_OURS, _TWISTED, _DOVECOT, _LIMIT = "embedded, threads", "Twisted", "Dovecot", "from memory"
_TO_TWISTED, _OF_LIMIT = "to Twisted", "of the limit"
_GOAL = Goal(1, unit="x")
# How much more than the mail the client may have counted: status lines, dots.
_AROUND = 0.07


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
    report.add(
        f"{count:,} messages of 4 KiB, in one session, with a client that only looks for the end of"
        " each. CPU is that of the server's process. The server that sends from memory is the"
        " limit. Dovecot is included for orientation: it has a Maildir, several processes and logs"
        " to look after, and its CPU is not known."
    )
    names = [_LIMIT, _OURS]
    for name, missing in ((_TWISTED, peers.missing("Twisted")), (_DOVECOT, dovecot.missing())):
        if missing:
            report.add(f"{name} is not installed: {missing}")
        else:
            names.append(name)
    samples: dict[tuple[str, str], list[dict[str, float]]] = {}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(_serving(name, maildrop)) for name in names}
        for other in args.other:
            name, _, port = other.rpartition("=")
            servers[name] = Address(int(port))
        for about, name in turns(list(servers), rounds):
            for job, manner in _JOBS.items():
                say(f"{about}: {name}, {manner}")
                sample = _sample(name, job, servers[name], maildrop)
                samples.setdefault((job, name), []).append(sample)
    for job in _JOBS:
        _table(report, job, {name: _figures(samples[job, name]) for name in servers})
    return report


def _serving(name: str, maildrop: Maildrop) -> AbstractContextManager[Address]:
    if name == _LIMIT:
        return serving(maildrop)
    if name == _DOVECOT:
        return dovecot.serving(maildrop)
    command = [sys.executable, "-m", "benchmarks.server_contestants", name, str(maildrop.count)]
    return started(command)


def _sample(name: str, job: str, server: Address, maildrop: Maildrop) -> dict[str, float]:
    arguments = {"name": "raw socket", "job": job, "count": maildrop.count}
    contestant = Contestant(name, "peers:run", {**arguments, "address": server.arguments()})
    before = process_cpu(server.pid) if server.pid else None
    sample = run_apart(contestant)
    after = process_cpu(server.pid) if server.pid else None
    if not 0 <= sample["got"] - maildrop.total <= _AROUND * maildrop.total:
        raise AssertionError(f"{name} sent {sample['got']} octets of {maildrop.total}")
    figures = {"messages/s": maildrop.count / sample["seconds"]}
    if before is not None and after is not None:
        figures["CPU"] = (after - before) / maildrop.count * 1e6
    return figures


def _figures(samples: list[dict[str, float]]) -> dict[str, Figure]:
    return {name: Figure(tuple(sample[name] for sample in samples)) for name in samples[0]}


def _table(report: Report, job: str, figures: dict[str, dict[str, Figure]]) -> None:
    for name, found in figures.items():
        for what, other in ((_TO_TWISTED, _TWISTED), (_OF_LIMIT, _LIMIT)):
            if other in figures and other != name:
                found[what] = found["messages/s"] / figures[other]["messages/s"]
    report.data[_JOBS[job]] = {
        name: {what: figure.as_json() for what, figure in found.items()}
        for name, found in figures.items()
    }
    rows = [
        [name, *_cells(found), *_judged(report, job, name, found)]
        for name, found in figures.items()
    ]
    header = ["server", "messages/s", "its CPU, µs a message", _TO_TWISTED, _OF_LIMIT]
    report.table([*header, "goal", "met"], rows, _JOBS[job].capitalize())


def _cells(found: dict[str, Figure]) -> list[str]:
    return [
        found["messages/s"].spread(),
        number(found["CPU"].median) if "CPU" in found else "",
        found[_TO_TWISTED].spread("x") if _TO_TWISTED in found else "",
        found[_OF_LIMIT].scaled(100).spread(" %") if _OF_LIMIT in found else "",
    ]


def _judged(report: Report, job: str, name: str, found: dict[str, Figure]) -> tuple[str, str]:
    if name != _OURS:
        return "", ""
    what = f"{_OURS}, {_JOBS[job]}, {_TO_TWISTED}"
    if _TO_TWISTED in found:
        return str(_GOAL), report.verdict(_GOAL, found[_TO_TWISTED], what)
    report.not_measured(_GOAL, what)
    return str(_GOAL), ""
