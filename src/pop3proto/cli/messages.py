"""Which messages are meant: the commands list, show and delete name them in the same way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import LocalProtocolError, printable
from ..model.listings import Listing

if TYPE_CHECKING:
    from ..transports.blocking import Client

__all__ = ["fate", "find", "shown"]


def shown(unique_id: bytes) -> str:
    """Return a unique-id as it is printed, and as it has to be given: printable."""
    # An octet takes four characters at most.
    return printable(unique_id, 4 * len(unique_id))


def find(client: Client, given: Iterable[str], *, by_id: bool) -> list[int]:
    """Return the numbers of the messages that are ``given``, each once, as numbers or unique-ids.

    Raises ``LocalProtocolError`` for one that is not there, and for one that stands for several
    messages; and what the client raises.
    """
    listings = client.messages() if by_id else map(Listing, client.numbers())
    there: dict[str, list[int]] = {}
    for number, _, unique_id in listings:
        if not by_id:
            there.setdefault(str(number), []).append(number)
        elif unique_id is not None:
            there.setdefault(shown(unique_id), []).append(number)
    what = "unique-id" if by_id else "number"
    numbers: dict[int, None] = {}
    for text in given:
        found = there.get(text, [])
        if len(found) != 1:
            problem = f"{len(found)} messages have" if found else "no message has"
            raise LocalProtocolError(
                f"{problem} the {what} {printable(text)}",
                hint="nothing was done; pop3proto list shows what there is",
            )
        numbers[found[0]] = None
    return [*numbers]


def fate(deletions: int, *, confirmed: bool) -> str:
    """Return what is known of messages that were marked as deleted, after QUIT."""
    unknown = "perhaps NOT deleted: the server has not confirmed it"
    return f"{deletions} {'deleted' if confirmed else unknown}"
