"""The options of ``pop3proto delete``."""

from __future__ import annotations

import argparse

from .access import add_access
from .common import add_output, add_recording, add_unique_id, add_url

__all__ = ["add"]


def add(parser: argparse.ArgumentParser) -> None:
    """Add what the command says of itself, its arguments and its options."""
    parser.description = (
        "Delete messages from the server: all that are named, or none of them. You are not asked"
        " again, and they cannot be brought back."
    )
    add_url(parser)
    parser.add_argument("messages", metavar="N", nargs="+", help="the number of a message")
    add_unique_id(parser, "each N is a unique-id: numbers change when messages are deleted")
    add_output(parser)
    add_access(parser)
    add_recording(parser)
