"""Fuzzes with Atheris: ``python -m tests.fuzz.run --role client --seconds 60``.

The roles are those of the engines, and ``mail``, the reader of messages. It starts from the seed
corpus, keeps what it finds in a temporary folder (or in ``--corpus``), and ends with an error, and
the input that caused it, if something is done that may not be done.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

SEEDS = Path(__file__).parent / "corpus"
# More than the default limits of a status line and of a line within AUTH.
_MAX_OCTETS = 20_000


def main() -> None:
    """Fuzz for a while; does not return."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--role", choices=("client", "server", "mail"), required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", help="a folder to keep new inputs in")
    options = parser.parse_args()
    try:
        from atheris import Fuzz, Setup
        from atheris.import_hook import instrument_imports
    except ImportError:
        sys.exit("fuzzing takes Atheris: pip install 'pop3proto[dev]' (Linux, Python below 3.14)")
    with instrument_imports(include=["pop3proto"]):
        from tests.fuzz.targets import TARGETS
    with tempfile.TemporaryDirectory() as scratch:
        found = options.corpus or scratch
        arguments = [
            sys.argv[0],
            f"-max_total_time={options.seconds}",
            f"-max_len={_MAX_OCTETS}",
            "-timeout=10",
            "-print_final_stats=1",
            f"-artifact_prefix={found}/",
            found,
            str(SEEDS / options.role),
        ]
        Setup(arguments, TARGETS[options.role])
        Fuzz()


if __name__ == "__main__":
    main()
