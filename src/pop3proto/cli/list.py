"""``pop3proto list``: the numbers, sizes and unique-ids of the messages of a maildrop."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .access import Access
from .messages import shown

if TYPE_CHECKING:
    from ..model.listings import Listing
    from .output import Output

__all__ = ["run"]


def run(output: Output, arguments: argparse.Namespace) -> int:
    """Print a line for each message; return the exit code.

    Raises ``Pop3Error`` and ``OSError`` if it cannot go on.
    """
    report = output.reports(messages=[], octets=None)
    with Access(arguments).session() as client:
        listings = client.messages()
    report["messages"] = [_row(listing) for listing in listings]
    report["octets"] = listings.octets
    for listing in listings:
        octets = "?" if listing.octets is None else listing.octets
        output.result(f"{listing.number:>6} {octets:>12}  {_shown_id(listing) or ''}".rstrip())
    output.summary(f"{len(listings)} messages, {listings.octets} octets")
    return 0


def _row(listing: Listing) -> dict[str, Any]:
    return {
        "number": listing.number,
        "octets": listing.octets,
        "unique_id": _shown_id(listing),
    }


def _shown_id(listing: Listing) -> str | None:
    return None if listing.unique_id is None else shown(listing.unique_id)
