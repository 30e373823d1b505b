"""The options of ``pop3proto replay``."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import add_output
from .values import positive

__all__ = ["add"]


def add(parser: argparse.ArgumentParser) -> None:
    """Add what the command says of itself, its arguments and its options."""
    parser.description = "Put a recorded session through the engine and print its events."
    parser.add_argument("file", type=Path, metavar="FILE", help="a transcript as text")
    parser.add_argument(
        "--role",
        choices=("client", "server"),
        default="client",
        help="whose engine to use (default: client)",
    )
    parser.add_argument(
        "--chunk-size",
        type=positive,
        metavar="N",
        help="feed the engine N octets at a time (default: as many as there are)",
    )
    parser.add_argument(
        "--multiline",
        action="append",
        default=[],
        metavar="VERB",
        help="an extension whose answer is a text, for example 'XTND XLST'; may be repeated",
    )
    add_output(parser, quiet="print only how the session ended", verbose="print events in full")
