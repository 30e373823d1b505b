"""The options of ``pop3proto show``."""

from __future__ import annotations

import argparse

from .access import add_access
from .common import add_output, add_recording, add_unique_id, add_url

__all__ = ["add"]


def add(parser: argparse.ArgumentParser) -> None:
    """Add what the command says of itself, its arguments and its options."""
    parser.description = (
        "Write a message to the standard output, octet for octet. For a terminal, control"
        " characters are escaped."
    )
    add_url(parser)
    parser.add_argument("message", metavar="N", help="the number of the message")
    parser.add_argument("--header", action="store_true", help="only its header, which TOP asks for")
    add_unique_id(parser, "N is a unique-id")
    add_output(parser)
    add_access(parser)
    add_recording(parser)
