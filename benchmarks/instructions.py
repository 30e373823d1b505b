"""How many instructions a command takes, where that can be counted.

Unlike a time, the number is nearly the same each time, whatever else the machine does. ``perf``
asks the processor, which many virtual machines do not allow; callgrind does without, slowly.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

_PERF = ("perf", "stat", "-x,", "-e", "instructions:u")
_CALLGRIND = (
    "valgrind",
    "--tool=callgrind",
    "--trace-children=yes",
    "--callgrind-out-file=/dev/null",
)
ANY_PROCESSOR = "BENCHMARKS_ANY_PROCESSOR"
"""The variable that lets what is counted run on any processor."""


@cache
def counter() -> str:
    """What counts: ``perf stat``, ``callgrind``, or nothing."""
    if shutil.which("perf") and _run_perf(["true"], None) is not None:
        return "perf stat"
    return "callgrind" if shutil.which("valgrind") else ""


def count(command: Sequence[str], env: dict[str, str]) -> int | None:
    """The instructions of a command and of the processes that it starts, in user mode.

    ``None`` if the command fails, or nothing counts.
    """
    # The order of a set, for example, would be another one each time.
    env = {**env, "PYTHONHASHSEED": "0", ANY_PROCESSOR: "1"}
    if counter() == "perf stat":
        return _run_perf(command, env)
    return _run_callgrind(command, env) if counter() else None


def _run_perf(command: Sequence[str], env: dict[str, str] | None) -> int | None:
    with TemporaryDirectory() as folder:
        result = Path(folder, "result")
        done = subprocess.run(
            [*_PERF, "-o", str(result), "--", *command], check=False, capture_output=True, env=env
        )
        found = re.search(r"^(\d+),", result.read_text("ascii"), re.M) if result.exists() else None
    return int(found[1]) if found and not done.returncode else None


def _run_callgrind(command: Sequence[str], env: dict[str, str]) -> int | None:
    with TemporaryDirectory() as folder:
        log = f"--log-file={os.path.join(folder, '%p')}"
        done = subprocess.run(
            [*_CALLGRIND, log, *command], check=False, capture_output=True, env=env
        )
        logs = [path.read_text("utf-8", "replace") for path in Path(folder).iterdir()]
    counts = [int(number) for text in logs for number in re.findall(r"Collected : (\d+)", text)]
    return sum(counts) if counts and not done.returncode else None
