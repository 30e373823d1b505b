"""``pop3proto fetch --accounts``: many accounts side by side, by a file that describes them."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ..errors import LocalProtocolError, Pop3Error, printable
from ..sync import fetch_many
from .accounts import RUN_OPTIONS, AccountsFile, NamedAccount, options_of_fetch
from .codes import UsageError, code_for
from .fetch import Job, lines, numbers, problems, succeeded, sums
from .idle import refuse_idle
from .main import missing_package
from .messages import fate
from .output import INTERRUPTED, problem

if TYPE_CHECKING:
    from ..sync import AccountResult, Fetching
    from .access import Credential
    from .output import Output

__all__ = ["run"]

# How many accounts are fetched at the same time, if no option says it.
_CONCURRENCY, _PER_HOST = 8, 2
# Seconds that a delivery to a command or a server has to end after Ctrl+C. The sessions themselves
# end at once, because their connections are closed.
_LAST_WORDS = 5.0
# Characters of an error's text that are shown.
_LONGEST = 4000


def run(output: Output, arguments: argparse.Namespace) -> int:
    """Fetch the accounts that are named, or all of them; return 0 if everything was done.

    Raises ``LocalProtocolError`` for a file that cannot be used. The failure of an account is told,
    and ends no other one.
    """
    path, *names = arguments.accounts
    _refuse_others(arguments)
    # A name can follow another option.
    names += [name for name in (arguments.url, arguments.place) if name is not None]
    chosen = AccountsFile(path).chosen(names)
    report = Report(output)
    for account in chosen:
        # Each session has a file of its own.
        account.arguments.recordings = arguments.recordings
    work = [Work(account) for account in chosen]
    for each in work:
        each.prepare()
    results = fetch_many(
        work,
        Work.run,
        host=lambda each: each.host,
        concurrency=arguments.concurrency or _CONCURRENCY,
        per_host=arguments.per_host or _PER_HOST,
        patience=_LAST_WORDS,
    )
    try:
        with closing(results):
            for result in results:
                report.add(result)
    finally:
        report.end(work)
    return report.code


def _refuse_others(arguments: argparse.Namespace) -> None:
    """Raise ``LocalProtocolError`` for options that belong into the file."""
    usual = vars(options_of_fetch().parse_args(["", ""]))
    for name, given in vars(arguments).items():
        option = name.replace("_", "-")
        ours = option in RUN_OPTIONS or name in ("url", "place", "command", "recordings")
        if not ours and given != usual.get(name):
            raise UsageError(
                f"--{option} and --accounts exclude each other",
                hint="put it into the file: for all accounts, under [defaults]",
            )


class Work:
    """One of the accounts, and what came of it."""

    def __init__(self, account: NamedAccount) -> None:
        self.name: str = account.name
        """Its name in the file."""
        self.job: Job | None = None
        """What is to be fetched; ``None`` if that cannot be said."""
        self._arguments, self._given = account.arguments, account.given
        self._credential: Credential | None = None
        self._problem: Exception | None = None

    def prepare(self) -> None:
        """Find mistakes, and ask the user what has to be asked: no two accounts at a time."""
        try:
            refuse_idle(self._arguments, self._given)
            self.job = Job(self._arguments)
            if self.job.access.asks_user:
                self._credential = self.job.access.secret()
        except (Pop3Error, OSError, ImportError) as error:
            # The others go on.
            self._problem = error

    @property
    def host(self) -> str:
        """The host of its server, for the limit of sessions on each."""
        return "" if self.job is None else self.job.access.url.host.lower()

    def run(self) -> Fetching:
        """Fetch once; raise what went wrong."""
        if self._problem is not None or self.job is None:
            raise self._problem or LocalProtocolError("there is nothing to fetch")
        return self.job.run(self._credential)


class Report:
    """What is told of the accounts, as they end: lines, or a report in JSON."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._accounts: list[dict[str, Any]] = []
        self._ended: list[Work] = []
        output.reports(accounts=self._accounts)

    @property
    def code(self) -> int:
        """The exit code: 0 if everything was done for all accounts."""
        failed = [account for account in self._accounts if not account["ok"]]
        # An account without a problem of its own had a QUIT that was not confirmed.
        return code_for(p for account in failed for p in account["problems"]) if failed else 0

    def add(self, result: AccountResult[Work, Fetching]) -> None:
        """Tell the result of an account."""
        work = result.account
        # After an error, too: what was stored is kept.
        done = None if work.job is None else work.job.fetching
        found = [] if done is None else problems(done)
        if result.error is not None:
            found.append(_problem(result.error))
        self._ended.append(work)
        self._account(work, done, found, result.attempts)
        name = printable(work.name)
        for line in [] if done is None else lines(done):
            self._output.result(f"{name}: {line}")
        if done is not None and (result.error is None or done.new):
            self._output.summary(f"{name}: {sums(done)}")
        if done is not None and done.deletions:
            told = fate(done.deletions, confirmed=done.confirmed)
            (self._output.summary if done.confirmed else self._output.result)(f"{name}: {told}")
        if result.error is not None:
            self._tell_error(name, found[-1])

    def _account(
        self, work: Work, done: Fetching | None, found: list[dict[str, Any]], attempts: int
    ) -> None:
        self._accounts.append(
            {
                "name": work.name,
                "url": None if work.job is None else str(work.job.access.url),
                "ok": done is not None and not found and succeeded(done),
                **numbers(done),
                "attempts": attempts,
                "problems": found,
            }
        )

    def _tell_error(self, name: str, found: dict[str, Any]) -> None:
        text = printable(found["text"], _LONGEST)
        self._output.result(f"{name}: {found['error']}: {text}")
        if found["hint"]:
            self._output.result(f"{name}: Hint: {printable(found['hint'], _LONGEST)}")

    def end(self, accounts: list[Work]) -> None:
        """Tell the sum of all accounts, and what is kept of those that were interrupted."""
        failed = sum(not account["ok"] for account in self._accounts)
        left = [work for work in accounts if work not in self._ended]
        for work in left:
            done = None if work.job is None else work.job.fetching
            if done is not None:
                self._account(work, done, [INTERRUPTED], attempts=1)
                self._output.summary(f"{printable(work.name)}: {sums(done)}, not ended")
        fetched = sum(account["fetched"] for account in self._accounts)
        text = f"{len(accounts)} accounts: {fetched} fetched, {failed} failed"
        self._output.summary(text + (f", {len(left)} not ended" if left else ""))
        self._output.kept = f"{fetched} fetched"


def _problem(error: Exception) -> dict[str, Any]:
    """Return an error that has ended the session of an account, as it stands in a report."""
    found = problem(error)
    if isinstance(error, ImportError):
        found["text"] = missing_package(error) or found["text"]
    return found
