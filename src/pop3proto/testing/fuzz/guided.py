"""Fuzzing with Atheris, which chooses inputs that reach new code. It is imported only here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from ...transcript.recorded import Role
from ...transcript.recorder import Transcript
from .loop import MOST_OCTETS, target_of
from .seeds import seed_of, seeds

__all__ = ["guided", "main"]


def guided(
    target: Callable[[bytes], None],
    start: Iterable[bytes],
    *,
    seconds: int = 0,
    runs: int = -1,
    corpus: str = "",
) -> None:
    """Fuzz ``target`` from the inputs ``start`` on; does not return.

    It ends after ``seconds``, if not 0, or ``runs``, if not -1.

    The process ends with an error, and writes the input that caused it, if ``target`` raises. New
    inputs are kept in the folder ``corpus``, if it is not empty.
    """
    import atheris

    run = cast(Any, atheris)
    with TemporaryDirectory() as scratch:
        begin, found = Path(scratch, "seeds"), corpus or str(Path(scratch, "found"))
        begin.mkdir()
        Path(found).mkdir(exist_ok=True)
        for number, data in enumerate(start):
            (begin / str(number)).write_bytes(data)
        arguments = [
            sys.argv[0],
            f"-max_total_time={seconds}",
            f"-runs={runs}",
            f"-max_len={MOST_OCTETS}",
            # It goes by the clock, and a machine can be busy: ten seconds were too few.
            "-timeout=120",
            "-print_final_stats=1",
            # An input that fails stays where the process was started, if nothing else is kept.
            f"-artifact_prefix={corpus or '.'}/",
            found,
            str(begin),
        ]
        run.Setup(arguments, target)
        run.Fuzz()


def main(role: Role, seconds: str, corpus: str, *transcripts: str) -> None:
    """Fuzz an engine from the package's seeds and from transcripts in files."""
    start = seeds(role)
    for path in transcripts:
        with open(path, encoding="utf-8") as file:
            start.append(seed_of(Transcript.load(file), role))
    guided(target_of(role, None), start, seconds=int(seconds), corpus=corpus)
