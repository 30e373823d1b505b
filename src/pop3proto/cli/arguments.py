"""The arguments of each command, in a module of their own, so that ``--help`` loads nothing
else."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..testing import Quirk

__all__ = ["ADD"]


def _fetch(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Copy the messages of a maildrop into a folder, each into a file of its own, octet for"
        " octet, or into a Maildir or an mbox. Messages that were stored before are not fetched"
        " again. Nothing is deleted, unless an option says so."
    )
    parser.epilog = (
        "The exit code is 0 if everything was done, 1 if something was not, and 2 if the command"
        " line is wrong. The next run goes on with what is left. It needs no terminal: with cron,"
        " use --password-file."
    )
    parser.add_argument(
        "url",
        metavar="URL",
        help="pops://user@host (TLS, port 995) or pop://user@host (STLS, port 110); another port"
        " can follow the host, and ;AUTH=MECHANISM the user",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the messages go")
    parser.add_argument(
        "--format",
        choices=("files", "maildir", "mbox"),
        default="files",
        help="what FOLDER is: a folder of .eml files, a Maildir, or an mbox (default: files)",
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="the records of the messages that were stored (default: pop3proto/fetched.sqlite3 in"
        " XDG_STATE_HOME, which is ~/.local/state, or in LOCALAPPDATA on Windows)",
    )
    _add_policy(parser)
    _add_access(parser)
    parser.add_argument(
        "--no-pipelining", action="store_true", help="ask for one message at a time"
    )


def _add_access(parser: argparse.ArgumentParser) -> None:
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
        type=_fingerprint,
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
        type=_positive_seconds,
        metavar="SECONDS",
        help="how long to wait for each answer of the server (default: 10 to 120, depending on"
        " the answer)",
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
        type=_days,
        metavar="DAYS",
        help="delete stored messages after this many days",
    )
    parser.add_argument(
        "--keep-newest",
        type=_number,
        metavar="N",
        help="delete stored messages, except for the newest N on the server",
    )
    parser.add_argument(
        "--max-octets",
        type=_number,
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


def _check(parser: argparse.ArgumentParser) -> None:
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
    _add_json(parser)
    _add_access(parser)


def _list(parser: argparse.ArgumentParser) -> None:
    parser.description = "Print the number, the size in octets and the unique-id of each message."
    _add_url(parser)
    _add_json(parser)
    _add_access(parser)


def _show(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write a message to the standard output, octet for octet. For a terminal, control"
        " characters are escaped."
    )
    _add_url(parser)
    parser.add_argument("message", metavar="N", help="the number of the message")
    parser.add_argument("--header", action="store_true", help="only its header, which TOP asks for")
    _add_unique_id(parser, "N is a unique-id")
    _add_access(parser)


def _delete(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Delete messages from the server: all that are named, or none of them. You are not asked"
        " again, and they cannot be brought back."
    )
    _add_url(parser)
    parser.add_argument("messages", metavar="N", nargs="+", help="the number of a message")
    _add_unique_id(parser, "each N is a unique-id: numbers change when messages are deleted")
    _add_access(parser)


def _add_url(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "url", metavar="URL", help="pop://user@host or pops://user@host, with ;AUTH=MECHANISM"
    )


def _add_unique_id(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--unique-id", action="store_true", help=f"{what}, as the command list prints it"
    )


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def _serve(parser: argparse.ArgumentParser) -> None:
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
    parser.add_argument("--port", type=_port, default=0, help="default: a free one")
    parser.add_argument(
        "--latency",
        type=_seconds,
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
        type=_quirk,
        default=[],
        metavar="NAME",
        help="a way to misbehave on purpose, for example no-capa; may be repeated",
    )


def _replay(parser: argparse.ArgumentParser) -> None:
    parser.description = "Put a recorded session through the engine and print its events."
    parser.add_argument("file", type=Path, metavar="FILE", help="a transcript as text")
    parser.add_argument(
        "--role",
        choices=("client", "server"),
        default="client",
        help="whose engine to use (default: client)",
    )
    parser.add_argument(
        "--chunk-size",
        type=_positive,
        metavar="N",
        help="feed the engine N octets at a time (default: as many as there are)",
    )
    parser.add_argument(
        "--multiline",
        action="append",
        default=[],
        metavar="VERB",
        help="an extension whose answer is a text, for example 'XTND XLST'; may be repeated",
    )


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.description = "Run a server and a client on this machine and show what they do."
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="where the messages go (default: a new one)"
    )


def _quirk(text: str) -> Quirk:
    from ..errors import LocalProtocolError
    from ..testing import Quirk  # here, because only this option needs it

    try:
        return Quirk.named(text)
    except LocalProtocolError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _positive(text: str) -> int:
    # argparse would print the name of this function for a ValueError, and int() accepts too much.
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise argparse.ArgumentTypeError("expected a number of octets from 1")
    return int(text)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise argparse.ArgumentTypeError("expected a number, 0 or more")
    return int(text)


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days < 100_000:
        raise argparse.ArgumentTypeError("expected a number of days, 0 or more")
    return days


def _fingerprint(text: str) -> str:
    digits = text.replace(":", "").lower()
    if len(digits) != 64 or not {*digits} <= {*"0123456789abcdef"}:
        raise argparse.ArgumentTypeError("expected 64 hexadecimal digits, with or without colons")
    return digits


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65536):
        raise argparse.ArgumentTypeError("expected a port from 0 to 65,535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 3600:
        raise argparse.ArgumentTypeError("expected a number of seconds from 0")
    return seconds


def _positive_seconds(text: str) -> float:
    seconds = _seconds(text)
    if not seconds:
        raise argparse.ArgumentTypeError("expected a number of seconds above 0")
    return seconds


ADD: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "fetch": _fetch,
    "check": _check,
    "list": _list,
    "show": _show,
    "delete": _delete,
    "serve": _serve,
    "replay": _replay,
    "demo": _demo,
}
"""For each command, the function that adds its arguments to a parser."""
