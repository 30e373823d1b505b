"""``pop3proto fetch``: the messages of a maildrop, to where they are wanted."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LocalProtocolError
from ..model.url import PopUrl
from ..sync import Fetching, Policy, State
from .access import Access
from .messages import fate
from .places import Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from ..sync import Account, Delivery
    from ..transports.blocking import Client

__all__ = ["run"]


def run(console: Console, arguments: argparse.Namespace) -> int:
    """Fetch the messages that are not stored yet; return the exit code.

    Raises ``Pop3Error`` and ``OSError`` if it cannot go on.
    """
    access = Access(arguments)
    maildrop = maildrop_name(access.url)
    # What is wrong with files is found before anybody is asked for a password.
    place = Place(
        arguments.format,
        arguments.place,
        arguments.recipient,
        arguments.sender,
        arguments.delivery_timeout,
        not arguments.crlf,
    )
    place.check()
    path = _default_state() if arguments.state is None else arguments.state
    state = State(path)
    with state, access.session(pipelining=not arguments.no_pipelining) as client:
        # Not before the login: a mistyped user name would tie the folder to it, and keep out the
        # right one.
        name = f"{maildrop} {place.name(maildrop)}"
        with state.account(name) as account, _naming_place(place.where):
            delivery = place.delivery(account.tag, f"{path}-drafts")
            return _fetch(console, client, delivery, account, _policy(arguments))


def _policy(arguments: argparse.Namespace) -> Policy:
    return Policy(
        delete_after=0 if arguments.delete else arguments.delete_after,
        keep_newest=arguments.keep_newest,
        max_octets=arguments.max_octets,
        headers_only=arguments.headers_only,
        compare_sizes=not arguments.ignore_sizes,
    )


def _fetch(
    console: Console, client: Client, delivery: Delivery, account: Account, policy: Policy
) -> int:
    with _progress_bar(console) as progress:
        fetching = Fetching(client, delivery, account, policy, now=time.time(), progress=progress)
        try:
            fetching.run()
        except BaseException:
            if fetching.new:
                # This much is kept, whatever has happened.
                _report(console, fetching)
            raise
    _report(console, fetching)
    if fetching.deletions:
        told = fate(fetching.deletions, confirmed=fetching.confirmed)
        console.print(told, highlight=False)
    failed = fetching.refused or fetching.undelivered or fetching.misfits
    return 1 if failed or (fetching.deletions and not fetching.confirmed) else 0


@contextmanager
def _naming_place(place: str) -> Generator[None]:
    """Name the place of an ``OSError`` without a file's name, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, place) from error


def _report(console: Console, fetching: Fetching) -> None:
    for number, error in fetching.refused.items():
        text = f"message {number}: {error}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    for number, failure in fetching.undelivered.items():
        text = f"message {number}: not delivered: {failure}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    for number, record in fetching.misfits.items():
        console.print(
            f"message {number}: not deleted, because the server lists {record.listed} octets, and"
            f" {record.octets} came",
            highlight=False,
            soft_wrap=True,
        )
    console.print(f"{fetching.new} fetched, {fetching.there} were already there", highlight=False)


@contextmanager
def _progress_bar(console: Console) -> Generator[Callable[[int, int], None] | None]:
    if not console.is_terminal:
        yield None
        return
    from rich.progress import Progress

    with Progress(console=console) as bar:
        task = bar.add_task("Fetching")
        yield lambda arrived, total: bar.update(task, completed=arrived, total=total)


def maildrop_name(url: PopUrl) -> str:
    """Return a name for the maildrop: the same for each way to it."""
    # The two registered ports lead to one maildrop, by TLS and by STLS.
    port = None if url.effective_port in (110, 995) else url.port
    return str(PopUrl(url.host.lower(), port, url.user)).removeprefix("pop://")


def _default_state() -> Path:
    """Return the file for the records, in the folder that this system has for such files."""
    if sys.platform == "win32":
        base, default = "LOCALAPPDATA", "~/AppData/Local"
    else:
        base, default = "XDG_STATE_HOME", "~/.local/state"
    folder = os.environ.get(base) or os.path.expanduser(default)
    if folder.startswith("~"):
        raise LocalProtocolError(
            "this user has no home folder for the records", hint="name a file: --state FILE"
        )
    return Path(folder) / "pop3proto" / "fetched.sqlite3"
