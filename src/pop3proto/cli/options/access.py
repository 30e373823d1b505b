"""The options of all commands that are a client: how to connect, and how to log in."""

from __future__ import annotations

import argparse
from pathlib import Path

from .values import fingerprint, positive_seconds

__all__ = ["add_access"]


def add_access(parser: argparse.ArgumentParser) -> None:
    """Add the options of all commands that are a client: how to connect, and how to log in."""
    group = parser.add_argument_group("connecting and logging in")
    group.add_argument(
        "--password-file",
        type=Path,
        metavar="FILE",
        help="a file whose first line is the password, or the access token"
        " (default: the variable POP3PROTO_PASSWORD, or else you are asked)",
    )
    group.add_argument(
        "--ca", metavar="FILE", help="certificates to trust, instead of the system's"
    )
    group.add_argument("--cert", metavar="FILE", help="a client's certificate with its key")
    group.add_argument(
        "--fingerprint",
        type=fingerprint,
        metavar="SHA256",
        help="the SHA-256 of the server's certificate, which is then trusted without any other"
        " check; the command check shows it",
    )
    group.add_argument(
        "--server-name",
        metavar="NAME",
        help="the name that the server's certificate has to be valid for (default: the host)",
    )
    group.add_argument(
        "--no-tls", action="store_true", help="do not ask for TLS (with pop:// only)"
    )
    group.add_argument(
        "--allow-plaintext-auth",
        action="store_true",
        help="without TLS, send a password that the network can read",
    )
    group.add_argument(
        "--no-capa",
        action="store_true",
        help="do not ask what the server can do, for servers that hang up on CAPA",
    )
    group.add_argument(
        "--initial-response",
        action=argparse.BooleanOptionalAction,
        help="send the first message of a login with AUTH, or only when the server asks for it"
        " (default: what most servers understand)",
    )
    group.add_argument(
        "--timeout",
        type=positive_seconds,
        metavar="SECONDS",
        help="how long to wait for each answer of the server (default: 10 to 120, depending on"
        " the answer)",
    )
