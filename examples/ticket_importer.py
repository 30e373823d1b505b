"""Turn new mail into tickets, in a database, on asyncio.

    POP_PASSWORD=... python examples/ticket_importer.py pops://help%40example.org@pop.example.org

Every message becomes a ticket; a message with "[#12]" in its subject is added to ticket 12. A
message is confirmed after the commit of the database, so that none is lost, and its digest is
unique there, so that none is there twice. Two weeks later it is deleted from the server.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import re
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import closing

from pop3proto import Pop3Error, PopUrl
from pop3proto.mail import parse
from pop3proto.sync import NewMessage, Policy, State, fetch_new, seconds_to_next_poll
from pop3proto.transports.asyncio import connect

TABLES = """
CREATE TABLE IF NOT EXISTS tickets (id INTEGER PRIMARY KEY, subject TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS messages (
    digest BLOB PRIMARY KEY,
    ticket INTEGER NOT NULL REFERENCES tickets,
    sender TEXT NOT NULL,
    body TEXT NOT NULL,
    original BLOB NOT NULL
);
"""
log = logging.getLogger("ticket_importer")


def import_message(database: str, message: NewMessage) -> None:
    """Store a message, as a new ticket or with the one that its subject names."""
    email = parse(message.content)
    subject = str(email["Subject"] or "(no subject)")
    body = email.get_body(("plain", "html"))
    text = body.get_content() if body is not None else ""
    with closing(sqlite3.connect(database)) as tickets, tickets:
        if tickets.execute("SELECT 1 FROM messages WHERE digest = ?", [message.digest]).fetchone():
            return  # The program was stopped between its commit and the confirmation.
        named = re.search(r"\[#([0-9]{1,9})\]", subject)
        query = "SELECT id FROM tickets WHERE id = ?"
        found = tickets.execute(query, [int(named[1])]).fetchone() if named else None
        if found is None:
            inserted = tickets.execute("INSERT INTO tickets (subject) VALUES (?)", [subject])
            found = (inserted.lastrowid,)
        row = (message.digest, found[0], str(email["From"] or ""), text, message.content)
        tickets.execute("INSERT INTO messages VALUES (?, ?, ?, ?, ?)", row)


async def import_new(url: str, password: str, database: str, state: State) -> float:
    """Import what is new; return in how many seconds to look again."""
    user = PopUrl.parse(url).user or ""
    with state.account(f"{url} {database}") as account:
        async with connect(url) as client:
            await client.login(user, password)
            pause = seconds_to_next_poll(client.capabilities, every=60)
            messages = fetch_new(client, account, Policy(delete_after=14), now=time.time())
            async for message in messages:
                # sqlite3 blocks, so it gets a thread.
                await asyncio.to_thread(import_message, database, message)
                message.confirm()
    return pause


async def run(url: str, password: str, database: str, *, once: bool) -> None:
    """Import again and again; wait longer after each error in a row that may pass."""
    with closing(sqlite3.connect(database)) as tickets:
        tickets.executescript(TABLES)
    failures = 0
    with State(f"{database}.state") as state:
        while True:
            try:
                pause = await import_new(url, password, database, state)
                failures = 0
            except Pop3Error as error:
                if once or not error.transient:
                    raise
                failures += 1
                pause = min(60 * 2**failures, 3600)
                log.warning("%s; again in %d seconds", error, pause)
            if once:
                return
            await asyncio.sleep(pause)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url", help="pops://USER@HOST; the password is in POP_PASSWORD")
    parser.add_argument("--database", default="tickets.sqlite3")
    parser.add_argument("--once", action="store_true", help="import once, and end")
    options = parser.parse_args(arguments)
    password = os.environ.get("POP_PASSWORD") or parser.error("POP_PASSWORD is not set")
    logging.basicConfig(level=logging.INFO)
    try:
        asyncio.run(run(options.url, password, options.database, once=options.once))
    except Pop3Error as error:
        sys.exit(f"{error}\n{error.hint or ''}")


if __name__ == "__main__":
    main()
