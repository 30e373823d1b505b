"""The options of ``pop3proto man``."""

from __future__ import annotations

import argparse

__all__ = ["add"]


def add(parser: argparse.ArgumentParser) -> None:
    """Add what the command says of itself, its arguments and its options."""
    parser.description = (
        "Print the manual page of this command line, made of its options: pop3proto man | man -l -"
    )
