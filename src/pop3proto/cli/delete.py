"""``pop3proto delete``: delete messages from the server, all that are named or none of them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..errors import CommandError, Pop3Error
from .access import Access
from .messages import fate, find

if TYPE_CHECKING:
    from .output import Output

__all__ = ["run"]


def run(output: Output, arguments: argparse.Namespace) -> int:
    """Delete the messages; return the exit code.

    Raises ``Pop3Error`` and ``OSError``. Nothing is deleted then, unless the error says that it is
    not known.
    """
    report = output.reports(numbers=[], deletions=0, confirmed=None)
    output.kept = "nothing was deleted"
    with Access(arguments).session() as client:
        report["numbers"] = find(client, arguments.messages, by_id=arguments.unique_id)
        for number in report["numbers"]:
            try:
                client.dele(number)
            except CommandError as error:
                # It ends the session without QUIT.
                error.hint = "nothing was deleted"
                raise
        marked = report["deletions"] = client.pending_deletions
        # From here on, Ctrl+C comes when QUIT may have been sent.
        output.kept = fate(marked, confirmed=False)
        report["confirmed"] = False
        try:
            result = client.quit()
        except (Pop3Error, OSError) as error:
            output.result(output.kept)
            _no_second_time(error)
            raise
    report["deletions"], report["confirmed"] = result.deletions, result.confirmed
    told = fate(result.deletions, confirmed=result.confirmed)
    if result.confirmed:
        output.summary(told)
    else:
        output.result(told)
    if result.error is not None:
        _no_second_time(result.error)
        raise result.error
    return 0


def _no_second_time(error: Pop3Error | OSError) -> None:
    """Let an error of QUIT not ask for the same command again: it could delete other messages."""
    if isinstance(error, Pop3Error):
        error.transient = False
