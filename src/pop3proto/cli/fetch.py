"""``pop3proto fetch``: the messages of a maildrop, to where they are wanted."""

from __future__ import annotations

import argparse
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias

from ..model.url import PopUrl
from ..sync import Fetching, Policy, State
from .access import Access
from .codes import code_for
from .messages import fate
from .output import problem
from .places import Place
from .state_folder import state_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .access import Credential
    from .output import Output

    # It gets a function to call with the octets so far, and those that are expected.
    _Showing: TypeAlias = AbstractContextManager[Callable[[int, int | None], object] | None]

__all__ = ["Job", "lines", "numbers", "problems", "run", "succeeded", "sums"]


# Seconds that a command, or an LMTP server, has for a message, if no option says it.
_PATIENCE = 300.0


def run(output: Output, arguments: argparse.Namespace) -> int:
    """Fetch the messages that are not stored yet; return the exit code.

    Raises ``Pop3Error`` and ``OSError`` if it cannot go on.
    """
    if arguments.accounts is not None:
        from .fetch_accounts import run as run_accounts

        return run_accounts(output, arguments)
    job = Job(arguments)
    report = output.reports(url=str(job.access.url), **numbers(None))
    try:
        fetching = job.run(progress=lambda: output.progress("Fetching"))
    except BaseException:
        report |= numbers(job.fetching)
        if job.fetching is not None and job.fetching.new:
            # This much is kept, whatever has happened.
            output.kept = f"{job.fetching.new} fetched"
            _tell(output, job.fetching)
        raise
    report |= numbers(fetching)
    for found in problems(fetching):
        output.failed(found)
    _tell(output, fetching)
    if fetching.deletions:
        told = fate(fetching.deletions, confirmed=fetching.confirmed)
        (output.summary if fetching.confirmed else output.result)(told)
    return 0 if succeeded(fetching) else code_for(report["problems"])


class Job:
    """What is to be fetched, and to where, as the arguments say.

    Raises ``LocalProtocolError`` and ``OSError``: what is wrong with arguments and files is found
    before anybody is asked for a password.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.access: Access = Access(arguments)
        """The way to the maildrop."""
        self.maildrop: str = maildrop_name(self.access.url)
        """A name for the maildrop: the same for each way to it."""
        self.fetching: Fetching | None = None
        """What was done, from the login on."""
        self._pipelining: bool = not arguments.no_pipelining
        self._policy = _policy(arguments)
        self._place = Place(
            arguments.format,
            arguments.place,
            arguments.recipient,
            arguments.sender,
            _PATIENCE if arguments.delivery_timeout is None else arguments.delivery_timeout,
            not arguments.crlf,
        )
        self._place.check()
        given: Path | None = arguments.state
        self._state = state_folder("--state FILE") / "fetched.sqlite3" if given is None else given

    def run(
        self,
        credential: Credential | None = None,
        *,
        progress: Callable[[], _Showing] = nullcontext,
    ) -> Fetching:
        """Fetch, delete as the policy says, and quit; return what was done.

        Without a ``credential``, it comes from its source. ``progress`` is shown from the login on:
        before that, the user may have to type a password. Raises ``Pop3Error`` and ``OSError``;
        ``fetching`` then tells what was done until then.
        """
        place = self._place
        state = State(self._state)
        session = self.access.session(credential, pipelining=self._pipelining)
        with state, session as client:
            # Not before the login: a mistyped user name would tie the folder to it, and keep out
            # the right one.
            name = f"{self.maildrop} {place.name(self.maildrop)}"
            with state.account(name) as account, _naming_place(place.where), progress() as shown:
                delivery = place.delivery(account.tag, f"{self._state}-drafts")
                self.fetching = Fetching(
                    client, delivery, account, self._policy, now=time.time(), progress=shown
                )
                self.fetching.run()
                return self.fetching


def succeeded(fetching: Fetching) -> bool:
    """Return ``True`` if everything was done."""
    failed = fetching.refused or fetching.undelivered or fetching.misfits
    return not failed and (fetching.confirmed or not fetching.deletions)


def _policy(arguments: argparse.Namespace) -> Policy:
    return Policy(
        delete_after=0 if arguments.delete else arguments.delete_after,
        keep_newest=arguments.keep_newest,
        max_octets=arguments.max_octets,
        headers_only=arguments.headers_only,
        compare_sizes=not arguments.ignore_sizes,
    )


@contextmanager
def _naming_place(place: str) -> Generator[None]:
    """Name the place of an ``OSError`` without a file's name, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, place) from error


def numbers(fetching: Fetching | None) -> dict[str, int]:
    """Return how much was done, as it stands in a report; ``None`` means nothing yet."""
    deletions = 0 if fetching is None else fetching.deletions
    confirmed = fetching is not None and fetching.confirmed
    return {
        "fetched": 0 if fetching is None else fetching.new,
        "already_there": 0 if fetching is None else fetching.there,
        "deleted": deletions if confirmed else 0,
        "perhaps_deleted": 0 if confirmed else deletions,
    }


def problems(fetching: Fetching) -> list[dict[str, Any]]:
    """Return what went wrong with single messages, as it stands in a report."""
    found = [problem(e, f"message {number}") for number, e in fetching.refused.items()]
    for number, failure in fetching.undelivered.items():
        told = problem(failure, f"message {number}")
        found.append({**told, "text": f"not delivered: {told['text']}"})
    for number, record in fetching.misfits.items():
        text = (
            f"not deleted, because the server lists {record.listed} octets, and {record.octets}"
            " came"
        )
        found.append(
            {"at": f"message {number}", "error": None, "text": text, "hint": "", "transient": False}
        )
    return found


def lines(fetching: Fetching) -> list[str]:
    """Return what is told of the messages that made trouble."""
    return [f"{found['at']}: {found['text']}" for found in problems(fetching)]


def sums(fetching: Fetching) -> str:
    """Return what is told of all messages together."""
    return f"{fetching.new} fetched, {fetching.there} were already there"


def _tell(output: Output, fetching: Fetching) -> None:
    for line in lines(fetching):
        output.result(line)
    output.summary(sums(fetching))


def maildrop_name(url: PopUrl) -> str:
    """Return a name for the maildrop: the same for each way to it."""
    # The two registered ports lead to one maildrop, by TLS and by STLS.
    port = None if url.effective_port in (110, 995) else url.port
    return str(PopUrl(url.host.lower(), port, url.user)).removeprefix("pop://")
