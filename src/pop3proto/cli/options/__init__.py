"""The options of each command, in a module of its own with a function ``add()``.

They load nothing else, so that ``--help`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

__all__ = ["add_options"]


def add_options(command: str, parser: argparse.ArgumentParser) -> None:
    """Add to ``parser`` what ``command`` says of itself, its arguments and its options."""
    add: Callable[[argparse.ArgumentParser], None] = import_module(f"{__name__}.{command}").add
    add(parser)
