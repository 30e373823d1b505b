"""``pop3proto completion``: what a shell needs to complete the command line."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import shtab

from .main import whole_parser
from .tree import all_actions

if TYPE_CHECKING:
    from .output import Output

__all__ = ["run", "script"]

# The names that arguments have in the help, which say what they are.
_FOLDERS = ("FOLDER", "DIR")
_FILES = ("FILE", "FILE|keyring", "MAILDIR|MBOX|FOLDER", "PLACE")


def run(output: Output, arguments: argparse.Namespace) -> int:
    """Print the script for the shell; return the exit code."""
    output.write(script(arguments.shell).rstrip("\n"))
    return 0


def script(shell: str) -> str:
    """Return the script that makes ``shell`` complete the options of all commands."""
    parser = whole_parser()
    for action in all_actions(parser):
        # Of an option with several values, the first one.
        name = action.metavar[0] if isinstance(action.metavar, tuple) else action.metavar
        if name in _FOLDERS:
            vars(action)["complete"] = shtab.DIRECTORY
        elif name in _FILES:
            vars(action)["complete"] = shtab.FILE
    text: str = shtab.complete(parser, shell)
    return text
