"""The options of all commands that are a client: how to connect, and how to log in."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import add_proxy
from .values import descriptor, fingerprint, positive_seconds

__all__ = ["add_access"]


def add_access(parser: argparse.ArgumentParser) -> None:
    """Add the options of all commands that are a client: how to connect, and how to log in."""
    _add_password(parser)
    group = parser.add_argument_group("connecting and logging in")
    group.add_argument(
        "--ca", metavar="FILE", help="certificates to trust, instead of the system's"
    )
    group.add_argument("--cert", metavar="FILE", help="a client's certificate with its key")
    group.add_argument(
        "--fingerprint",
        type=fingerprint,
        metavar="SHA256",
        help="the SHA-256 of the server's certificate, which is then trusted without any other"
        " check, unless --ca is given, too; the command check shows it",
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
    add_proxy(group)
    _add_oauth(parser)


def _add_password(parser: argparse.ArgumentParser) -> None:
    sources = parser.add_argument_group(
        "password", "Without these, POP3PROTO_PASSWORD is read, or else you are asked."
    ).add_mutually_exclusive_group()
    sources.add_argument(
        "--password-file",
        type=Path,
        metavar="FILE",
        help="a file whose first line is the password, or the access token",
    )
    sources.add_argument(
        "--password-command",
        metavar="COMMAND",
        help="a command that prints the password, or the access token, for example 'pass show"
        " mail'; no shell sees it",
    )
    sources.add_argument(
        "--password-fd",
        type=descriptor,
        metavar="N",
        help="an open file, by its number, whose next line is the password, or the access token",
    )
    sources.add_argument(
        "--password-variable",
        metavar="NAME",
        default="POP3PROTO_PASSWORD",
        help="another variable than POP3PROTO_PASSWORD",
    )
    sources.add_argument(
        "--keyring",
        metavar="SERVICE",
        help="take the password from this system's keyring, where the command keyring set SERVICE"
        " USER has stored it",
    )
    # A file with accounts can hold it; a command line cannot.
    parser.set_defaults(password=None)


def _add_oauth(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "OAuth", "Get access tokens, and new ones before they expire, in place of a password."
    )
    group.add_argument(
        "--oauth",
        choices=("google", "microsoft", "other"),
        help="who gives the tokens; other needs --oauth-token-url",
    )
    group.add_argument(
        "--oauth-client-id", metavar="ID", help="the name that your program is registered with"
    )
    group.add_argument(
        "--oauth-client-secret-file",
        type=Path,
        metavar="FILE",
        help="a file whose first line is the secret of your program, if it has one",
    )
    group.add_argument(
        "--oauth-refresh-token-file",
        type=Path,
        metavar="FILE",
        help="a file whose first line is a refresh token, to begin with",
    )
    group.add_argument(
        "--oauth-client-credentials",
        action="store_true",
        help="the program logs in for itself, and no user has to agree",
    )
    group.add_argument(
        "--oauth-tokens",
        metavar="FILE|keyring",
        help="where tokens are kept: a file, or this system's keyring (default: a file in"
        " XDG_STATE_HOME or LOCALAPPDATA)",
    )
    group.add_argument("--oauth-tenant", metavar="NAME", help="whose users they are, for microsoft")
    group.add_argument(
        "--oauth-scope", metavar="SCOPE", help="what the tokens are for (default: the provider's)"
    )
    group.add_argument("--oauth-token-url", metavar="URL", help="where tokens come from, for other")
    group.add_argument(
        "--oauth-device-url",
        metavar="URL",
        help="where codes come from that a user types elsewhere, for other",
    )
    group.add_argument(
        "--oauth-authorize-url",
        metavar="URL",
        help="where a user agrees in a browser on this machine, for other, or in place of codes",
    )
    parser.set_defaults(oauth_client_secret=None, oauth_refresh_token=None)
