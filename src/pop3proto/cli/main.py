"""The command line: fetch mail, serve it, replay a transcript, see a demonstration.

It needs the extra ``cli``; without it, a message says so. This module knows only the names of the
commands: ``arguments`` and a command's own module are loaded when the command is used.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

__all__ = ["main"]

_COMMANDS = {
    "fetch": "put the messages of a maildrop into a folder",
    "serve": "serve messages for testing mail programs",
    "replay": "put a recorded session through the engine",
    "demo": "run a server and a client on this machine",
}
_FAILED, _UNUSABLE, _INTERRUPTED = 1, 2, 130
# The packages that the user has to install, and the extras that they belong to.
_EXTRAS = {"rich": "cli", "trustme": "demo"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv``, by default that of the process, and return the exit code.

    0 means success, 1 a command that failed, 2 a command line or an installation that cannot be
    used. As always with ``argparse``, ``--help``, ``--version`` and usage errors raise
    ``SystemExit``.
    """
    given = sys.argv[1:] if argv is None else argv
    arguments = _parser(given).parse_args(given)
    try:
        return _run(arguments)
    except ImportError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        print(
            f'This needs the package {error.name}: pip install "pop3proto[{extra}]"',
            file=sys.stderr,
        )
        return _UNUSABLE
    except KeyboardInterrupt:
        return _INTERRUPTED


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser that knows the arguments of the commands that ``given`` may name."""
    parser = argparse.ArgumentParser(
        prog="pop3proto", description="POP3 as a sans-I/O protocol engine."
    )
    parser.add_argument("--version", action="version", version=f"pop3proto {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in _COMMANDS.items():
        command = commands.add_parser(name, help=summary)
        if name in given:
            from .arguments import ADD

            ADD[name](command)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    """Run the command and print its errors; return the exit code."""
    from importlib import import_module

    from rich.console import Console

    from ..errors import Pop3Error

    module = import_module(f"{__package__}.{arguments.command}")
    run: Callable[[Console, argparse.Namespace], int] = module.run
    try:
        return run(Console(), arguments)
    except (OSError, Pop3Error) as error:
        _complain(Console(stderr=True), error)
        return _FAILED


def _complain(errors: Console, error: Exception) -> None:
    from rich.text import Text

    message = Text(f"{type(error).__name__}: ", style="bold red")
    message.append(str(error).encode("ascii", "backslashreplace").decode("ascii"), style="not bold")
    errors.print(message, soft_wrap=True)
    hint = getattr(error, "hint", "")
    if hint:
        errors.print(Text(f"Hint: {hint}"), soft_wrap=True)
