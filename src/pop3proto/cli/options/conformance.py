"""The options of ``pop3proto conformance``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...conformance.client.target import PLACEHOLDERS
from ...transports import Security
from .access import add_access
from .common import add_output

__all__ = ["add"]


def add(parser: argparse.ArgumentParser) -> None:
    """Add what the command says of itself, its arguments and its options."""
    parser.description = "Test POP3 software case by case, each of them a clause of an RFC."
    roles = parser.add_subparsers(dest="role", required=True, metavar="ROLE")
    _add_server(roles.add_parser("server", help="test a server"))
    _add_client(roles.add_parser("client", help="test a program that fetches mail"))


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Test a server case by case, each of them a clause of an RFC, on a connection of its own."
        " Without a user in the URL, only what comes before a login is tested. Mail is deleted only"
        " with --destructive."
    )
    parser.epilog = (
        "The exit code is 0 if no case has failed that the baseline does not know, 1 if one has, or"
        " if the server cannot be tested, and 2 if the command line is wrong."
    )
    parser.add_argument(
        "url", metavar="URL", help="pop://user@host (with STLS) or pops://user@host (with TLS)"
    )
    parser.add_argument(
        "--destructive",
        action="store_true",
        help="test deletions too, which delete mail: for an account that is there for tests",
    )
    parser.add_argument(
        "--slow", action="store_true", help="test idle time as well, which takes up to 25 minutes"
    )
    add_cases(parser)
    _add_delivery(parser)
    add_reports(parser)
    add_access(parser)


def _add_client(parser: argparse.ArgumentParser) -> None:
    names = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    parser.description = (
        "Run a program that fetches mail against servers on this machine, case by case: servers"
        " that are right, that break off, that have another certificate, or that have the faults"
        " of real ones. Judge what it has stored in its output folder, what it has deleted, and how"
        " it ended."
    )
    parser.epilog = (
        f"In the command, {names} are replaced; the environment has the same texts, as POP3_HOST"
        " and so on. Everything below the output folder counts as stored: files with one message"
        " each, Maildirs, and mbox files. The exit code is 0 if no case has failed that the"
        " baseline does not know, 1 if one has, or if the program cannot be run, and 2 if the"
        " command line is wrong."
    )
    parser.add_argument("program", nargs="+", metavar="COMMAND", help="the program, after --")
    parser.add_argument(
        "--security",
        choices=[each.value for each in Security],
        default=Security.TLS.value,
        help="how the program connects (default: %(default)s)",
    )
    parser.add_argument(
        "--deletes", action="store_true", help="the program deletes what it has stored: test that"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="end the program after this time (default: %(default)g)",
    )
    parser.add_argument("--name", default="", help="what the report calls the program")
    parser.add_argument(
        "--slow", action="store_true", help="test what takes a minute and a half, too"
    )
    add_cases(parser)
    add_reports(parser)


def add_cases(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose cases."""
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NUMBER",
        help="a case, such as S401, or all that begin so, such as S4; may be repeated",
    )
    parser.add_argument(
        "--skip",
        action="append",
        default=[],
        metavar="NUMBER",
        help="a case that is left out, or all that begin so; may be repeated",
    )


def _add_delivery(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "delivering mail",
        "With one of these, the cases that need mail with a known content are run, too.",
    )
    ways = group.add_mutually_exclusive_group()
    ways.add_argument("--deliver-smtp", metavar="HOST[:PORT]", help="by SMTP (default port: 25)")
    ways.add_argument("--deliver-lmtp", metavar="HOST:PORT", help="by LMTP")
    ways.add_argument("--deliver-maildir", type=Path, metavar="FOLDER", help="into this Maildir")
    ways.add_argument(
        "--deliver-command",
        metavar="COMMAND",
        help="by a command, which reads a message with UNIX line ends",
    )
    group.add_argument(
        "--recipient",
        metavar="ADDRESS",
        help="the address of the account, for SMTP and LMTP (default: the user, if it has an @)",
    )


def add_reports(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is written, and what counts."""
    group = parser.add_argument_group("reports")
    add_output(
        parser,
        quiet="print nothing unless a case fails that counts",
        verbose="print the cases that pass, too",
    )
    group.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML")
    group.add_argument("--html", type=Path, metavar="FILE", help="write a page for a browser")
    group.add_argument(
        "--baseline", type=Path, metavar="FILE", help="the failures that are known, and count not"
    )
    group.add_argument(
        "--write-baseline", type=Path, metavar="FILE", help="write all failures of this run there"
    )
    group.add_argument(
        "--strict", action="store_true", help="let warnings, which are about a SHOULD, count"
    )
