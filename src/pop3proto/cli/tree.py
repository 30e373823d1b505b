"""The options of all commands, as a tree to walk through."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

__all__ = ["all_actions", "subcommands"]


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the commands of ``parser`` by their names."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action.choices, dict):
            found |= action.choices  # pyright: ignore[reportUnknownMemberType]
    return found


def all_actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments and options of ``parser`` and of its commands."""
    yield from (action for action in parser._actions if not isinstance(action.choices, dict))
    for command in subcommands(parser).values():
        yield from all_actions(command)
