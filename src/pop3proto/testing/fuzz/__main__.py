"""``python -m pop3proto.testing.fuzz``: fuzz an engine, on transcripts of your own if you like.

Without Atheris, seeds and transcripts are changed at random; the same --seed makes the same inputs.
With --atheris, Atheris chooses inputs that reach new code, which finds more in a long run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...errors import Pop3Error, printable
from ...transcript.recorder import Transcript
from .loop import Finding, check_input, fuzz

# Atheris has to be there before what it watches is loaded, so it gets a process of its own.
_GUIDED = """
import sys
from atheris.import_hook import instrument_imports
with instrument_imports(include=["pop3proto"]):
    from pop3proto.testing.fuzz.guided import main
main(*sys.argv[1:])
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0 if nothing was found, 1 if something was, 2 if it is wrong."""
    options = _parser().parse_args(argv)
    try:
        return _run(options)
    except (Pop3Error, OSError, UnicodeDecodeError) as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    first, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m pop3proto.testing.fuzz",
        description=first.partition(": ")[2] + rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("role", choices=("client", "server"), help="the engine that is fuzzed")
    add("transcripts", nargs="*", metavar="TRANSCRIPT", help="a file to start from, besides seeds")
    add("--runs", type=int, metavar="N", help="end after so many inputs")
    add("--seconds", type=float, metavar="N", help="end after so many seconds (default: 10)")
    add("--seed", type=int, default=0, metavar="N", help="which inputs are made (default: 0)")
    add("--engine", metavar="MODULE:NAME", help="what makes an engine in place of pop3proto's")
    add("--input", metavar="FILE", help="try this input, which --save wrote, and no other")
    add("--save", metavar="FILE", help="write an input that fails to this file")
    add("--atheris", action="store_true", help="let Atheris choose the inputs")
    add("--corpus", metavar="FOLDER", help="with --atheris: where to keep inputs that it finds")
    return parser


def _run(options: argparse.Namespace) -> int:
    engine = _engine(options.engine)
    if options.input is not None:
        check_input(options.role, data := Path(options.input).read_bytes(), engine)
        print(f"{len(data)} octets tried, nothing found")
        return 0
    if options.atheris:
        return _guided(options)
    transcripts = list(map(_transcript, options.transcripts))
    result = fuzz(
        options.role,
        transcripts,
        runs=options.runs,
        seconds=options.seconds,
        seed=options.seed,
        engine=engine,
    )
    if result.finding is None:
        print(f"{result.runs} inputs tried, nothing found")
        return 0
    print(f"found with input {result.runs}:", file=sys.stderr)
    _show(result.finding, options)
    return 1


def _show(finding: Finding, options: argparse.Namespace) -> None:
    error = finding.error
    print(f"{type(error).__name__}: {error}\nthe input: {finding.data!r}", file=sys.stderr)
    if options.save is not None:
        Path(options.save).write_bytes(finding.data)
        engine = f" --engine {options.engine}" if options.engine else ""
        again = f"python -m pop3proto.testing.fuzz {options.role}{engine} --input {options.save}"
        print(f"to see its traceback: {again}", file=sys.stderr)


def _engine(name: str | None) -> Callable[..., Any] | None:
    if name is None:
        return None
    module, colon, attribute = name.partition(":")
    if not colon:
        raise SystemExit("--engine takes MODULE:NAME")
    # As with python -m, modules in the current folder count.
    sys.path.insert(0, "")
    try:
        engine: Callable[..., Any] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise SystemExit(f"--engine {name}: {error}") from None
    return engine


def _transcript(path: str) -> Transcript:
    with open(path, encoding="utf-8") as file:
        return Transcript.load(file)


def _guided(options: argparse.Namespace) -> int:
    if options.engine is not None or options.runs is not None or options.seed:
        raise SystemExit("--engine, --runs and --seed cannot be combined with --atheris")
    if find_spec("atheris") is None:
        raise SystemExit(
            "--atheris needs Atheris: pip install atheris (Linux, Python 3.11 to 3.13). "
            "Without --atheris, nothing more is needed."
        )
    seconds, corpus = str(int(options.seconds or 10)), options.corpus or ""
    command = [sys.executable, "-c", _GUIDED, options.role, seconds, corpus, *options.transcripts]
    # This very Python, and what its user wrote on the command line.
    return 1 if subprocess.run(command, check=False).returncode else 0  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
