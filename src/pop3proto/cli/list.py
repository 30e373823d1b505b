"""``pop3proto list``: the numbers, sizes and unique-ids of the messages of a maildrop."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from .access import Access
from .messages import shown

if TYPE_CHECKING:
    from rich.console import Console

    from ..model.listings import Listing

__all__ = ["run"]


def run(console: Console, arguments: argparse.Namespace) -> int:
    """Print a line for each message; return the exit code.

    Raises ``Pop3Error`` and ``OSError`` if it cannot go on.
    """
    with Access(arguments).session() as client:
        listings = client.messages()
    if arguments.json:
        rows = [_row(listing) for listing in listings]
        text = json.dumps({"messages": rows, "octets": listings.octets}, indent=2)
        console.print(text, soft_wrap=True, highlight=False)
        return 0
    for listing in listings:
        octets = "?" if listing.octets is None else listing.octets
        line = f"{listing.number:>6} {octets:>12}  {_shown_id(listing) or ''}"
        console.print(line.rstrip(), soft_wrap=True, highlight=False)
    summary = f"{len(listings)} messages, {listings.octets} octets"
    console.print(summary, soft_wrap=True, highlight=False)
    return 0


def _row(listing: Listing) -> dict[str, Any]:
    return {
        "number": listing.number,
        "octets": listing.octets,
        "unique_id": _shown_id(listing),
    }


def _shown_id(listing: Listing) -> str | None:
    return None if listing.unique_id is None else shown(listing.unique_id)
