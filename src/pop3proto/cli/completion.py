"""``pop3proto completion``: what a shell needs to complete the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

import shtab

from .main import whole_parser

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
    for action in _actions(parser):
        if action.metavar in _FOLDERS:
            vars(action)["complete"] = shtab.DIRECTORY
        elif action.metavar in _FILES:
            vars(action)["complete"] = shtab.FILE
    text: str = shtab.complete(parser, shell)
    return text


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action
