"""What importing takes, and which modules come with it that must not."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from tempfile import TemporaryDirectory

from benchmarks.measuring import Figure, number, turns
from benchmarks.reporting import Report, say
from benchmarks.tools import with_bytecode

_LOAD = """
import json, sys, time
present = set(sys.modules)
begin = time.perf_counter()
__import__(sys.argv[1])
seconds = time.perf_counter() - begin
print(json.dumps([seconds, sorted(set(sys.modules) - present)]))
"""
_RUNTIMES = ("asyncio", "trio", "anyio")
_TOLD = ("socket", "ssl", *_RUNTIMES)
# What is imported, and which modules must not come with it: none that the core can do without, and
# with each adapter no runtime but its own. Below them, what the runtimes take by themselves.
_IMPORTS: dict[str, tuple[str, ...]] = {
    "pop3proto": ("ssl", "socket", *_RUNTIMES),
    "pop3proto.transports.blocking": ("ssl", *_RUNTIMES),
    "pop3proto.transports.asyncio": ("trio", "anyio"),
    "pop3proto.transports.trio": ("asyncio", "anyio"),
    "pop3proto.transports.anyio": ("asyncio", "trio"),
    "pop3proto.compat.poplib": _RUNTIMES,
    "poplib": (),
    **dict.fromkeys(_RUNTIMES, ()),
}
_BASE = "poplib"


def load(module: str, folder: str) -> tuple[float, list[str]]:
    """Seconds of importing ``module`` in a fresh interpreter, and what was loaded with it.

    ``folder`` is where compiled modules are kept.
    """
    command = [sys.executable, "-c", _LOAD, module]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=with_bytecode(folder))
    loaded: tuple[float, list[str]] = json.loads(done.stdout)
    return loaded


def measured(report: Report, rounds: int) -> None:
    """Add the table of imports, and judge each."""
    say("import")
    samples: dict[str, list[tuple[float, list[str]]]] = {}
    for name in _IMPORTS:
        runtime = name.rpartition(".")[2]
        if runtime in _RUNTIMES and importlib.util.find_spec(runtime) is None:
            report.add(f"{runtime} is not installed: python -m pip install {runtime}")
        else:
            samples[name] = []
    with TemporaryDirectory() as folder:
        for name in samples:
            # What is installed is compiled already: the first time is for that.
            load(name, folder)
        for about, name in turns(list(samples), rounds):
            say(f"{about}: import {name}")
            samples[name].append(load(name, folder))
    times = {
        name: Figure(tuple(sample[0] for sample in found)).scaled(1000)
        for name, found in samples.items()
    }
    rows: list[list[str]] = []
    for name, found in samples.items():
        loaded, ratio = found[0][1], times[name] / times[_BASE]
        told = ", ".join(one for one in _TOLD if one in loaded)
        cells = [times[name].spread(), ratio.spread("x"), number(len(loaded)), told]
        rows.append([name, *cells, *_judged(report, name, set(loaded))])
        report.data[f"import {name}"] = {
            "ms": times[name].as_json(),
            f"to {_BASE}": ratio.as_json(),
            "modules": loaded,
        }
    header = ["what", "ms", f"to {_BASE}", "modules", "among them", "goal", "met"]
    report.table(header, rows, "Importing")


def _judged(report: Report, name: str, loaded: set[str]) -> tuple[str, str]:
    unwanted = _IMPORTS[name]
    if not unwanted:
        return "", ""
    wrong = [one for one in unwanted if one in loaded]
    goal = f"without {', '.join(unwanted)}"
    found = f"with {', '.join(wrong)}" if wrong else "with none of them"
    return goal, report.require(not wrong, f"import {name}", goal, found)
