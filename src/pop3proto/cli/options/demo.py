"""The options of ``pop3proto demo``."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["add"]


def add(parser: argparse.ArgumentParser) -> None:
    """Add what the command says of itself, its arguments and its options."""
    parser.description = "Run a server and a client on this machine and show what they do."
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="where the messages go (default: a new one)"
    )
