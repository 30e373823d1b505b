"""The options of ``pop3proto serve``."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import add_output
from .values import port, quirk, seconds

__all__ = ["add"]


def add(parser: argparse.ArgumentParser) -> None:
    """Add what the command says of itself, its arguments and its options."""
    parser.description = (
        "Serve the messages of a Maildir, an mbox or a folder of files, to test mail programs"
        " with. They are copied into memory, so that deletions change nothing."
    )
    parser.add_argument(
        "source", type=Path, metavar="MAILDIR|MBOX|FOLDER", help="where the messages are"
    )
    parser.add_argument(
        "--user",
        action="append",
        metavar="NAME[:PASSWORD]",
        help="a user, who has a maildrop of the same messages; may be repeated"
        " (default: user, with a password that is printed)",
    )
    parser.add_argument(
        "--security",
        choices=("stls", "tls", "plaintext"),
        default="stls",
        help="how connections are secured (default: stls)",
    )
    parser.add_argument(
        "--allow-plaintext-auth",
        action="store_true",
        help="accept passwords without TLS as well",
    )
    parser.add_argument(
        "--cert",
        type=Path,
        metavar="FILE",
        help="the server's certificate with its key (default: one is made)",
    )
    parser.add_argument(
        "--write-ca",
        type=Path,
        metavar="FILE",
        help="where to write the certificate that clients have to trust",
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
    parser.add_argument("--port", type=port, default=0, help="default: a free one")
    parser.add_argument(
        "--latency",
        type=seconds,
        default=0.0,
        metavar="SECONDS",
        help="how long every answer takes",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="serve the Maildir itself, for one user: deleted messages are gone",
    )
    parser.add_argument(
        "--quirk",
        action="append",
        type=quirk,
        default=[],
        metavar="NAME",
        help="a way to misbehave on purpose, for example no-capa; may be repeated",
    )
    add_output(
        parser,
        quiet="print nothing but problems",
        verbose="show what clients send and get, without secrets",
    )
