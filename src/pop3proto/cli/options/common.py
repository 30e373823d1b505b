"""The options that several commands have."""

from __future__ import annotations

import argparse

__all__ = ["add_json", "add_unique_id", "add_url"]


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
