"""Serve mail from an SQLite database, over TLS, with a thread for each session.

    python examples/database_server.py mail.sqlite3 --certificate server.pem --port 1995

The table "users" has names and passwords, the table "messages" the mail; --add-user and --deliver
fill them. A server for the public would keep what SCRAM needs instead of passwords, as
docs/authentication.md shows, and limit how many connections an address may have.
"""

from __future__ import annotations

import argparse
import hmac
import os
import signal
import socket
import sqlite3
import ssl
import sys
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from pop3proto.errors import MaildropLockedError
from pop3proto.server import (
    Close,
    Delay,
    Maildrop,
    NeedData,
    Send,
    ServerSession,
    StoredMessage,
    wire_octets,
)

TABLES = """
CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, password TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again, so it can be the unique-id
    user TEXT NOT NULL REFERENCES users,
    octets INTEGER NOT NULL,
    content BLOB NOT NULL
);
"""


class Mailbox:
    """The messages of one user, for one session. It implements ``Maildrop``."""

    def __init__(self, path: str, user: str, lock: threading.Lock) -> None:
        self._lock: threading.Lock | None = lock
        self._database = sqlite3.connect(path)
        query = "SELECT id, octets FROM messages WHERE user = ? ORDER BY id"
        rows = self._database.execute(query, [user]).fetchall()
        self._ids = [row[0] for row in rows]
        self.messages: Sequence[StoredMessage] = [
            StoredMessage(octets=octets, unique_id=b"%d" % key) for key, octets in rows
        ]

    def open(self, number: int) -> Iterator[bytes]:
        """Yield the content of a message; the session doubles its dots."""
        with self._database.blobopen(
            "messages", "content", self._ids[number - 1], readonly=True
        ) as content:
            while chunk := content.read(65536):
                yield chunk

    def commit(self, deleted: Collection[int]) -> None:
        """Delete messages, all of them or none."""
        with self._database:
            keys = [(self._ids[number - 1],) for number in deleted]
            self._database.executemany("DELETE FROM messages WHERE id = ?", keys)

    def close(self) -> None:
        """Let the next session in."""
        lock, self._lock = self._lock, None
        if lock is not None:
            self._database.close()
            lock.release()


class Mailboxes:
    """Opens the messages of a user, and knows the passwords."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._locks: dict[str, threading.Lock] = {}
        with closing(sqlite3.connect(path)) as database:
            database.executescript(TABLES)

    def check(self, user: str, password: str) -> bool:
        """Say if this is the user's password."""
        with closing(sqlite3.connect(self._path)) as database:
            query = "SELECT password FROM users WHERE name = ?"
            row = database.execute(query, [user]).fetchone()
        # An unknown user takes as long as a wrong password.
        known = row[0].encode() if row else os.urandom(16)
        return hmac.compare_digest(known, password.encode()) and row is not None

    def open(self, user: str) -> Maildrop:
        """Lock the user's messages for a session."""
        lock = self._locks.setdefault(user, threading.Lock())
        if not lock.acquire(blocking=False):
            raise MaildropLockedError("another session has it")
        try:
            return Mailbox(self._path, user, lock)
        except BaseException:
            lock.release()
            raise

    def add_user(self, name: str, password: str) -> None:
        """Add a user, or change the password."""
        with closing(sqlite3.connect(self._path)) as database, database:
            database.execute("INSERT OR REPLACE INTO users VALUES (?, ?)", [name, password])

    def deliver(self, user: str, content: bytes) -> None:
        """Add a message."""
        row = (user, wire_octets([content]), content)
        with closing(sqlite3.connect(self._path)) as database, database:
            database.execute("INSERT INTO messages (user, octets, content) VALUES (?, ?, ?)", row)


def talk(connection: socket.socket, mailboxes: Mailboxes, context: ssl.SSLContext) -> None:
    """Run one session, from the TLS handshake to its end."""
    connection.settimeout(600)  # RFC 1939 section 3: ten minutes at the least
    session = ServerSession(mailboxes, mailboxes, secure=True)
    try:
        with context.wrap_socket(connection, server_side=True) as tls:
            while not isinstance(action := session.next_action(), Close):
                match action:
                    case Send(data):
                        tls.sendall(data)
                    case NeedData():
                        session.receive_data(tls.recv(65536))
                    case Delay(seconds):
                        time.sleep(seconds)
    except OSError as error:
        print("a connection has failed:", error, file=sys.stderr)
    finally:
        session.close()
        connection.close()


def serve(listener: socket.socket, mailboxes: Mailboxes, context: ssl.SSLContext) -> None:
    """Accept connections until the program is ended."""
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=talk, args=(connection, mailboxes, context), daemon=True).start()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("database")
    parser.add_argument("--add-user", metavar="NAME", help="with the password in POP_PASSWORD")
    parser.add_argument("--deliver", nargs=2, metavar=("USER", "FILE"), help="add a message")
    parser.add_argument("--certificate", help="a PEM file with the chain and the key")
    parser.add_argument("--port", type=int, default=995)
    options = parser.parse_args(arguments)
    mailboxes = Mailboxes(options.database)
    if options.add_user is not None:
        mailboxes.add_user(options.add_user, os.environ["POP_PASSWORD"])
    if options.deliver is not None:
        user, path = options.deliver
        mailboxes.deliver(user, Path(path).read_bytes())
    if options.certificate is None:
        return
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options.certificate)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with socket.create_server(("127.0.0.1", options.port)) as listener:
        print("port", listener.getsockname()[1], flush=True)
        try:
            serve(listener, mailboxes, context)
        except KeyboardInterrupt:
            print("ended")


if __name__ == "__main__":
    main()
