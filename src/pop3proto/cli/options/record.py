"""The options of ``pop3proto record``."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import add_output, add_proxy
from .values import address, count, fingerprint, positive_seconds

__all__ = ["add"]


def add(parser: argparse.ArgumentParser) -> None:
    """Add what the command says of itself, its arguments and its options."""
    parser.description = (
        "Stand between any mail program and its server, and record each session in a file of its"
        " own, without secrets. Let the mail program connect to this command instead of the"
        " server."
    )
    parser.epilog = (
        "pop3proto replay shows what is in a recording. The messages are in it, unless --no-bodies"
        " leaves them out."
    )
    parser.add_argument(
        "server",
        metavar="HOST|URL",
        help="the server: a host, or pops://host, for TLS on port 995; pop://host for STLS on port"
        " 110; another port can follow the host",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the recordings go")
    parser.add_argument(
        "--listen",
        type=address,
        default=("127.0.0.1", 0),
        metavar="ADDRESS:PORT",
        help="where the mail program connects to (default: 127.0.0.1 and a free port)",
    )
    parser.add_argument(
        "--security",
        choices=("tls", "stls", "plaintext", "pass-through"),
        help="how the connection of the mail program is secured (default: like that of the"
        " server); pass-through records what comes before STLS, and leaves TLS to the two ends",
    )
    parser.add_argument(
        "--cert",
        type=Path,
        metavar="FILE",
        help="a certificate with its key, for the mail program (default: one is made)",
    )
    parser.add_argument(
        "--write-ca",
        type=Path,
        metavar="FILE",
        help="where to write the certificate that the mail program has to trust",
    )
    parser.add_argument(
        "--ca", metavar="FILE", help="certificates to trust, instead of the system's"
    )
    parser.add_argument(
        "--server-name",
        metavar="NAME",
        help="the name that the server's certificate has to be valid for (default: the host)",
    )
    parser.add_argument(
        "--fingerprint",
        type=fingerprint,
        metavar="SHA256",
        help="the SHA-256 of the server's certificate, which is then trusted without any other"
        " check, unless --ca is given, too; the command check shows it",
    )
    add_proxy(parser)
    parser.add_argument(
        "--no-tls", action="store_true", help="do not ask the server for TLS (with pop:// only)"
    )
    parser.add_argument(
        "--no-bodies",
        action="store_true",
        help="write x in place of each character of a message",
    )
    parser.add_argument(
        "--sessions", type=count, metavar="N", help="end after N sessions (default: never)"
    )
    parser.add_argument(
        "--timeout",
        type=positive_seconds,
        default=600.0,
        metavar="SECONDS",
        help="how long a session may be silent (default: 600)",
    )
    add_output(
        parser, quiet="print nothing but problems", verbose="show what passes, without secrets"
    )
