"""``pop3proto delete``: delete messages from the server, all that are named or none of them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..errors import CommandError
from .access import Access
from .messages import fate, find

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["run"]


def run(console: Console, arguments: argparse.Namespace) -> int:
    """Delete the messages; return the exit code.

    Raises ``Pop3Error`` and ``OSError``. Nothing is deleted then, unless the error says that it is
    not known.
    """
    with Access(arguments).session() as client:
        for number in find(client, arguments.messages, by_id=arguments.unique_id):
            try:
                client.dele(number)
            except CommandError as error:
                # It ends the session without QUIT.
                error.hint = "nothing was deleted"
                raise
        marked = client.pending_deletions
        try:
            result = client.quit()
        except BaseException:
            # Ctrl+C, for example: QUIT may have been sent.
            console.print(fate(marked, confirmed=False), highlight=False)
            raise
    console.print(fate(result.deletions, confirmed=result.confirmed), highlight=False)
    if result.error is not None:
        raise result.error
    return 0
