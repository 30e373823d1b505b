"""The options that several commands have."""

from __future__ import annotations

import argparse
from pathlib import Path

from .values import proxy

__all__ = ["add_json", "add_output", "add_proxy", "add_recording", "add_unique_id", "add_url"]


def add_url(parser: argparse.ArgumentParser) -> None:
    """Add the URL of a maildrop."""
    parser.add_argument(
        "url", metavar="URL", help="pop://user@host or pops://user@host, with ;AUTH=MECHANISM"
    )


def add_unique_id(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the option that makes ``N`` a unique-id; ``what`` says which."""
    parser.add_argument(
        "--unique-id", action="store_true", help=f"{what}, as the command list prints it"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option that prints JSON."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_output(
    parser: argparse.ArgumentParser,
    quiet: str = "print results and problems alone",
    verbose: str = "show the conversation with the server, without secrets",
) -> None:
    """Add the options that say how much is printed, and in which form."""
    add_json(parser)
    much = parser.add_mutually_exclusive_group()
    much.add_argument("-q", "--quiet", action="store_true", help=quiet)
    much.add_argument("-v", "--verbose", action="store_true", help=verbose)


def add_proxy(parser: argparse._ActionsContainer) -> None:  # pyright: ignore[reportPrivateUsage]
    """Add the option for a proxy."""
    parser.add_argument(
        "--proxy",
        type=proxy,
        metavar="URL",
        help="a proxy on the way to the server: socks5://, socks4a:// or http://, then"
        " [user:password@]host:port (default: the variable POP3PROTO_PROXY)",
    )


def add_recording(parser: argparse.ArgumentParser) -> None:
    """Add the options that write down the session of a client."""
    group = parser.add_argument_group("recording")
    group.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="write the session into this new file, without secrets but with the messages",
    )
    group.add_argument(
        "--no-bodies",
        action="store_true",
        help="with --record: write x in place of each character of a message",
    )
    parser.set_defaults(recordings=None)
