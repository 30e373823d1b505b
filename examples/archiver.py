"""Copy a maildrop into folders by year and month, with progress, and go on where it was stopped.

    POP_PASSWORD=... python examples/archiver.py pops://user%40example.org@pop.example.org archive

Nothing is deleted on the server. A file is called by the digest of the message's unique-id, and
appears only when the message is complete and on the disk; what is there is not fetched again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path

import pop3proto
from pop3proto import Listing, Pop3Error, PopUrl
from pop3proto.mail import parse
from pop3proto.transports.blocking import Client


def file_name(row: Listing) -> str:
    """Return the name of a message's file. Unique-ids can hold any printable octet."""
    return hashlib.sha256(row.unique_id or b"").hexdigest() + ".eml"


def month_of(content: bytes) -> str:
    """Return the folder for a message: "2026/11", or "undated"."""
    try:
        return parsedate_to_datetime(str(parse(content)["Date"])).strftime("%Y/%m")
    except ValueError:
        return "undated"


def store(archive: Path, row: Listing, content: bytes) -> None:
    """Write a message so that its file is there whole, or not at all."""
    folder = archive / month_of(content)
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = archive / (file_name(row) + ".part")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(folder / file_name(row))


def archived(client: Client, archive: Path) -> Iterator[tuple[int, int]]:
    """Fetch what is missing; yield the octets that are done, and those that there are to do."""
    there = {path.name for path in archive.rglob("*.eml")}
    rows = {row.number: row for row in client.messages() if row.unique_id is not None}
    missing = [number for number, row in rows.items() if file_name(row) not in there]
    total = sum(rows[number].octets or 0 for number in missing)
    done = 0
    yield done, total
    for message in client.retr_many(missing):
        store(archive, rows[message.number], message.content)
        done += rows[message.number].octets or 0
        yield done, total


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url", help="pops://USER@HOST; the password is in POP_PASSWORD")
    parser.add_argument("archive", type=Path)
    options = parser.parse_args(arguments)
    password = os.environ.get("POP_PASSWORD") or parser.error("POP_PASSWORD is not set")
    options.archive.mkdir(parents=True, exist_ok=True)
    try:
        with pop3proto.connect(options.url) as client:
            client.login(PopUrl.parse(options.url).user or "", password)
            for done, total in archived(client, options.archive):
                share = done / total if total else 1
                print(f"\r{done:,} of {total:,} octets, {share:.0%}", end="", file=sys.stderr)
            print(file=sys.stderr)
    except Pop3Error as error:
        sys.exit(f"\n{error}\n{error.hint or ''}")
    except KeyboardInterrupt:
        sys.exit("\nstopped; run it again to go on")


if __name__ == "__main__":
    main()
