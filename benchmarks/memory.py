"""``memory``: what large things take, and what loading the package takes."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import peers
from benchmarks.clients import RUNTIMES, STREAM, ours
from benchmarks.contests import Aim, Contest, Entry
from benchmarks.measuring import Contestant, Figure, Goal, markdown, number, run_apart
from benchmarks.reporting import Report, say
from benchmarks.server import Maildrop, serving
from benchmarks.tools import with_bytecode

HELP = "memory for large mail and long listings, and the cost of importing"

_MIB = 1024 * 1024
_GROWTH = Goal(6, True, " MiB")
_LOAD = """
import json, sys, time
present = set(sys.modules)
begin = time.perf_counter()
__import__(sys.argv[1])
seconds = time.perf_counter() - begin
print(json.dumps([seconds, sorted(set(sys.modules) - present)]))
"""
# What is imported, and which modules must not come with it.
_IMPORTS = {
    "pop3proto": {"ssl", "socket", "asyncio", "trio", "anyio"},
    "pop3proto.transports.blocking": {"ssl", "asyncio", "trio", "anyio"},
    "pop3proto.transports.asyncio": {"trio", "anyio"},
    "pop3proto.transports.trio": {"asyncio", "anyio"},
    "pop3proto.compat.poplib": {"asyncio", "trio", "anyio"},
    "poplib": set[str](),
    "asyncio": set[str](),
    "trio": set[str](),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--contest", choices=(*_CONTESTS, "import"), action="append")


def run(args: argparse.Namespace) -> Report:
    rounds, scale = (1, 100) if args.quick else (args.rounds, 1)
    report = Report("memory", f"Memory, CPython {platform.python_version()}")
    report.judge_goals = not args.quick
    for name in args.contest or (*_CONTESTS, "import"):
        if name == "import":
            _import(report, rounds)
            continue
        contest, maildrop = _CONTESTS[name](scale)
        with serving(maildrop) as address:
            contest.run(report, address, maildrop, rounds)
    report.add(
        "Growth is the peak of what is resident above what was when the login was done. The octets"
        " of a whole message, and of listings, are among it."
    )
    return report


def _stream(scale: int) -> tuple[Contest, Maildrop]:
    size = 1024 * _MIB // scale
    entries = ours("stream")
    aims = [Aim(entry.label, _GROWTH, figure="MiB") for entry in entries]
    title = f"Streaming one message of {size // _MIB:,} MiB"
    contest = Contest(title, [STREAM, *entries], aims, unit="MB/s", memory=True)
    return contest, Maildrop(1, size, size)


def _file(scale: int) -> tuple[Contest, Maildrop]:
    size = 1024 * _MIB // scale
    entry = Entry("pop3proto, blocking", "file", limit=STREAM.label, about="saved")
    aims = [Aim(entry.label, _GROWTH, figure="MiB")]
    title = f"One message of {size // _MIB:,} MiB to a file"
    contest = Contest(title, [STREAM, entry], aims, unit="MB/s", memory=True)
    return contest, Maildrop(1, size, size)


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
    poplib = Entry("poplib", "whole", limit=STREAM.label)
    title = f"A whole message of {size // _MIB:,} MiB in memory"
    contest = Contest(title, [STREAM, poplib, *entries], aims, unit="MB/s", memory=True)
    return contest, Maildrop(1, size, size)


def _listings(scale: int) -> tuple[Contest, Maildrop]:
    count = 1_000_000 // scale
    entries = [Entry("poplib", "listings"), Entry("pop3proto, blocking", "listings")]
    contest = Contest(f"STAT, LIST and UIDL of {count:,} messages", entries, [], count, memory=True)
    return contest, Maildrop(count, 2_000, 50_000)


_CONTESTS = {"stream": _stream, "file": _file, "whole": _whole, "listings": _listings}


def load(module: str) -> tuple[float, list[str]]:
    """Seconds of importing ``module`` in a fresh interpreter, and what was loaded with it."""
    with TemporaryDirectory() as folder:
        command, env = [sys.executable, "-c", _LOAD, module], with_bytecode(folder)
        # What is installed is compiled already: the first time is for that.
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=env)
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=env)
    loaded: tuple[float, list[str]] = json.loads(done.stdout)
    return loaded


def _import(report: Report, rounds: int) -> None:
    say("import")
    samples: dict[str, list[Any]] = {
        name: [] for name in _IMPORTS if not (name == "trio" or ".trio" in name) or _trio()
    }
    for _ in range(rounds):
        for name, found in samples.items():
            found.append(run_apart(Contestant(name, "memory:load", {"module": name})))
    rows: list[list[str]] = []
    for name, found in samples.items():
        seconds = Figure(tuple(sample[0] for sample in found)).scaled(1000)
        loaded = set(found[0][1])
        wrong = sorted(_IMPORTS[name] & loaded)
        if wrong:
            report.failures.append(f"import {name} loads {', '.join(wrong)}")
        runtimes = [one for one in ("socket", "ssl", "asyncio", "trio") if one in loaded]
        rows.append([name, seconds.spread(), number(len(loaded)), ", ".join(runtimes)])
        report.data[f"import {name}"] = {"ms": seconds.as_json(), "modules": len(loaded)}
    report.add("### Importing\n\n" + markdown(["what", "ms", "modules", "among them"], rows))


def _trio() -> bool:
    return not peers.missing("pop3proto, trio")
