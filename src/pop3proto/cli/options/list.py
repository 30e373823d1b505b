"""The options of ``pop3proto list``."""

from __future__ import annotations

import argparse

from .access import add_access
from .common import add_output, add_recording, add_url

__all__ = ["add"]


def add(parser: argparse.ArgumentParser) -> None:
    """Add what the command says of itself, its arguments and its options."""
    parser.description = "Print the number, the size in octets and the unique-id of each message."
    add_url(parser)
    add_output(parser)
    add_access(parser)
    add_recording(parser)
