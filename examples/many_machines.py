"""Fetch 100,000 accounts on many machines, which Dask looks after.

    pip install pop3proto distributed
    dask scheduler                              # on one machine
    dask worker tcp://scheduler:8786            # on each of the others
    python examples/many_machines.py accounts.csv /mail --scheduler tcp://scheduler:8786

accounts.csv has a POP URL and the file with its password on each line. /mail is a folder that all
machines share; so are the files with the passwords. "--local 2" starts two workers on this machine.

Accounts are dealt out in shards. All accounts of a server are in the same shard, or in shards that
follow one another, so that no server is ever asked by more than "per_host" sessions, however many
machines there are. If a machine dies, Dask gives its shards to another one. That one finds what was
stored, because a message and its record are on the disk before it is confirmed.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pop3proto import PopUrl
from pop3proto.sync import Policy, Record, Remember, Standing, fetch_many_async, fetch_new
from pop3proto.transports.asyncio import connect

if TYPE_CHECKING:
    from distributed import Client, Future

SHARD = 1000  # accounts; some minutes of work for a machine
POLICY = Policy(delete_after=14)


class Account(NamedTuple):
    """One line of the file with the accounts."""

    url: str
    password_file: str

    @property
    def host(self) -> str:
        """The server."""
        url = PopUrl.parse(self.url)
        return f"{url.host}:{url.port}"

    def password(self) -> str:
        """Read the password, which is not in the results or in Dask's messages."""
        return Path(self.password_file).read_text("utf-8").removesuffix("\n")


class Result(NamedTuple):
    """What became of an account: an error, or the number of new messages."""

    account: Account
    new: int
    error: str = ""


class Log:
    """The records of an account in a file to which lines are appended; it implements ``Records``.

    A shared folder is no good place for a database. A line that a crash has cut off is not counted:
    its message comes again, and gets the same name.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def records(self) -> list[Record]:
        """Return all records."""
        found: dict[int, Record] = {}
        for line in self._path.read_bytes().splitlines() if self._path.exists() else []:
            try:
                written, forgotten = json.loads(line)
            except ValueError:
                continue
            for row in written:
                record = Record(*row)
                unique_id = None if record.unique_id is None else bytes.fromhex(row[3])
                found[record.key] = record._replace(
                    digest=bytes.fromhex(row[2]), unique_id=unique_id, standing=Standing(row[7])
                )
            for key in forgotten:
                found.pop(key, None)
        return list(found.values())

    def remember(self, action: Remember) -> None:
        """Write what changes, and wait until it is on the disk."""
        rows: list[list[Any]] = []
        for record in action.records:
            unique_id = None if record.unique_id is None else record.unique_id.hex()
            texts = {"digest": record.digest.hex(), "standing": record.standing.value}
            rows.append([*{**record._asdict(), **texts, "unique_id": unique_id}.values()])
        with self._path.open("ab") as file:
            # First a line end, in case the last line was cut off.
            file.write(b"\n" + json.dumps([rows, action.forgotten]).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def store(folder: Path, digest: bytes, content: bytes) -> None:
    """Write a message. Two machines that do so at the same time write the same octets."""
    draft = folder / f"{digest.hex()}.{os.getpid()}"
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / f"{digest.hex()}.eml")
    if os.name == "posix":
        # Its name has to be on the disk, too. Windows cannot open a folder.
        directory = os.open(folder, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)


async def fetch_account(account: Account, root: Path) -> int:
    """Fetch the new messages of an account; return how many there were."""
    user, password = PopUrl.parse(account.url).user or "", account.password()
    folder = root / account.host.replace(":", "_") / user.encode().hex()
    folder.mkdir(parents=True, exist_ok=True)
    new = 0
    async with connect(account.url) as client:
        await client.login(user, password)
        async for message in fetch_new(client, Log(folder / "records"), POLICY, now=time.time()):
            await asyncio.to_thread(store, folder, message.digest, message.content)
            message.confirm()
            new += 1
    return new


async def fetch_shard(accounts: Sequence[Account], root: Path) -> list[Result]:
    """Fetch many accounts at once, none of which disturbs another one."""

    async def fetch(account: Account) -> int:
        return await fetch_account(account, root)

    results: list[Result] = []
    async with fetch_many_async(
        accounts, fetch, host=lambda account: account.host, concurrency=100, per_host=4
    ) as ended:
        async for result in ended:
            error = "" if result.error is None else str(result.error)
            results.append(Result(result.account, result.value or 0, error))
    return results


def work(accounts: Sequence[Account], root: str, before: object) -> list[Result]:
    """Do a shard, on a worker, after the shard ``before`` of the same server."""
    return asyncio.run(fetch_shard(accounts, Path(root)))


def shards(accounts: Iterable[Account]) -> Iterator[list[list[Account]]]:
    """Yield chains of shards; the shards of a chain have to follow one another."""
    by_host: defaultdict[str, list[Account]] = defaultdict(list)
    for account in accounts:
        by_host[account.host].append(account)
    small: list[Account] = []
    for same in by_host.values():
        if len(same) >= SHARD:
            yield [same[start : start + SHARD] for start in range(0, len(same), SHARD)]
            continue
        small += same
        if len(small) >= SHARD:
            yield [small]
            small = []
    if small:
        yield [small]


def submit(cluster: Client, accounts: Iterable[Account], root: str) -> list[Future[list[Result]]]:
    """Hand out all shards."""
    futures: list[Future[list[Result]]] = []
    for chain in shards(accounts):
        before: Future[list[Result]] | None = None
        for shard in chain:
            before = cluster.submit(work, shard, root, before, pure=False, retries=2)
            futures.append(before)
    return futures


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program."""
    from distributed import Client, LocalCluster, as_completed

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("accounts", help="a CSV file: POP URL, file with the password")
    parser.add_argument("root", help="a folder that all machines share")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--scheduler", help="tcp://HOST:PORT of Dask's scheduler")
    where.add_argument("--local", type=int, metavar="N", help="start N workers on this machine")
    options = parser.parse_args(arguments)
    with open(options.accounts, encoding="utf-8", newline="") as file:
        accounts = [Account(*row) for row in csv.reader(file)]
    address = options.scheduler or LocalCluster(
        n_workers=options.local, threads_per_worker=1, dashboard_address=None
    )
    new = failed = 0
    with Client(address) as cluster:
        for future in as_completed(submit(cluster, accounts, options.root)):
            if (error := future.exception()) is not None:
                # Three machines died while they worked on it, or the one before it failed.
                print("a shard failed:", error, file=sys.stderr)
                failed += 1
                continue
            for result in future.result():
                new += result.new
                if result.error:
                    failed += 1
                    print(f"{result.account.url}: {result.error}", file=sys.stderr)
    if options.local:
        address.close()
    print(f"{len(accounts)} accounts, {new} new messages, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
