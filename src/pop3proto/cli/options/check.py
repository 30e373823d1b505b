"""The options of ``pop3proto check``."""

from __future__ import annotations

import argparse

from .access import add_access
from .common import add_output, add_recording

__all__ = ["add"]


def add(parser: argparse.ArgumentParser) -> None:
    """Add what the command says of itself, its arguments and its options."""
    parser.description = (
        "Connect to a server and report what it says and can do: greeting, TLS, certificate,"
        " capabilities, ways to log in, and faults. With a user in the URL, log in as well. Nothing"
        " is fetched or deleted."
    )
    parser.add_argument(
        "url",
        metavar="HOST|URL",
        help="a host, for TLS on port 995; or pop://host or pops://host, or with user@ before the"
        " host to log in",
    )
    add_output(parser)
    add_access(parser)
    add_recording(parser)
