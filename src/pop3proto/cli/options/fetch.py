"""The options of ``pop3proto fetch``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import cast

from .access import add_access
from .common import add_output, add_recording
from .values import count, days, number, positive_seconds

__all__ = ["add"]


def add(parser: argparse.ArgumentParser) -> None:
    """Add what the command says of itself, its arguments and its options."""
    parser.description = (
        "Copy the messages of a maildrop into a folder, each into a file of its own, octet for"
        " octet, or into a Maildir or an mbox, or hand them to a command or an LMTP server."
        " Messages that were stored before are not fetched again. Nothing is deleted, unless an"
        " option says so."
    )
    parser.epilog = (
        "The exit code is 0 if everything was done, 1 if something was not, 75 if all of that may"
        " be done later, and 2 if the command line is wrong. The next run goes on with what is"
        " left. It needs no terminal: with cron, use --password-file."
    )
    url = parser.add_argument(
        "url",
        metavar="URL",
        help="pops://user@host (TLS, port 995) or pop://user@host (STLS, port 110); another port"
        " can follow the host, and ;AUTH=MECHANISM the user",
    )
    place = parser.add_argument("place", metavar="PLACE", help="where the messages go")
    _add_accounts(parser, url, place)
    parser.add_argument(
        "--format",
        choices=("files", "maildir", "mbox", "command", "lmtp"),
        default="files",
        help="what PLACE is: a folder of .eml files, a Maildir, an mbox, a command that takes a"
        " message on its standard input, or the HOST:PORT or the socket of an LMTP server"
        " (default: files)",
    )
    _add_delivery(parser)
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="the records of the messages that were stored (default: pop3proto/fetched.sqlite3 in"
        " XDG_STATE_HOME, which is ~/.local/state, or in LOCALAPPDATA on Windows)",
    )
    _add_policy(parser)
    add_output(parser)
    add_access(parser)
    add_recording(parser)
    parser.add_argument(
        "--no-pipelining", action="store_true", help="ask for one message at a time"
    )


def _add_accounts(parser: argparse.ArgumentParser, *replaced: argparse.Action) -> None:
    """Add the options for many accounts, which come from a file in place of a URL."""

    class Accounts(argparse.Action):
        def __call__(
            self,
            parser: argparse.ArgumentParser,
            namespace: argparse.Namespace,
            values: object,
            option_string: str | None = None,
        ) -> None:
            path, *names = cast("list[str]", values)
            setattr(namespace, self.dest, (Path(path), *names))
            for action in replaced:
                action.required = False

    group = parser.add_argument_group("many accounts")
    group.add_argument(
        "--accounts",
        action=Accounts,
        nargs="+",
        metavar=("FILE", "NAME"),
        help="a TOML file with accounts, in place of URL and PLACE; and the names of those that are"
        " wanted (default: all)",
    )
    group.add_argument(
        "--concurrency",
        type=count,
        metavar="N",
        help="how many accounts to fetch at the same time (default: 8)",
    )
    group.add_argument(
        "--per-host",
        type=count,
        metavar="N",
        help="how many of them on the same host (default: 2)",
    )


def _add_delivery(parser: argparse.ArgumentParser) -> None:
    """Add the options for messages that are handed over."""
    parser.add_argument(
        "--recipient",
        action="append",
        metavar="ADDRESS",
        help="a recipient at the LMTP server (lmtp only); may be repeated: a message is delivered"
        " when all of them have got it",
    )
    parser.add_argument(
        "--sender",
        metavar="ADDRESS",
        default="",
        help="who gets a notice from the LMTP server if it delivers a message later on, and fails"
        " (default: nobody)",
    )
    parser.add_argument(
        "--crlf",
        action="store_true",
        help="give a command lines that end with CRLF (default: LF)",
    )
    parser.add_argument(
        "--delivery-timeout",
        type=positive_seconds,
        metavar="SECONDS",
        help="how long a command, or an LMTP server, may take for a message (default: 300)",
    )


def _add_policy(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which messages are fetched, and which deleted."""
    when = parser.add_mutually_exclusive_group()
    when.add_argument(
        "--delete",
        action="store_true",
        help="delete messages from the server as soon as they are stored safely",
    )
    when.add_argument(
        "--delete-after",
        type=days,
        metavar="DAYS",
        help="delete stored messages after this many days",
    )
    parser.add_argument(
        "--keep-newest",
        type=number,
        metavar="N",
        help="delete stored messages, except for the newest N on the server",
    )
    parser.add_argument(
        "--max-octets",
        type=number,
        metavar="N",
        help="do not fetch messages with more than N octets",
    )
    parser.add_argument(
        "--headers-only", action="store_true", help="fetch only headers, and delete nothing"
    )
    parser.add_argument(
        "--ignore-sizes",
        action="store_true",
        help="delete a message even if its size is not the one that the server lists",
    )
