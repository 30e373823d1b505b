"""Fuzzes with Atheris: ``python -m tests.fuzz.run --role client --seconds 60``.

The roles are those of the engines, and ``mail``, the reader of messages. It starts from the seeds,
keeps what it finds in a temporary folder (or in ``--corpus``), and ends with an error, and the
input that caused it, if something is done that may not be done.
"""

from __future__ import annotations

import argparse
import sys


def main() -> None:
    """Fuzz for a while; does not return."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--role", choices=("client", "server", "mail"), required=True)
    parser.add_argument("--seconds", type=int, default=0, help="by default without end")
    parser.add_argument("--runs", type=int, default=-1, help="by default without end")
    parser.add_argument("--corpus", default="", help="a folder to keep new inputs in")
    options = parser.parse_args()
    try:
        from atheris.import_hook import instrument_imports
    except ImportError:
        sys.exit("fuzzing takes Atheris: pip install 'pop3proto[dev]' (Linux, Python below 3.14)")
    with instrument_imports(include=["pop3proto"]):
        from pop3proto.testing.fuzz.guided import guided
        from tests.fuzz.targets import SEEDS, TARGETS
    guided(
        TARGETS[options.role],
        SEEDS[options.role],
        seconds=options.seconds,
        runs=options.runs,
        corpus=options.corpus,
    )


if __name__ == "__main__":
    main()
