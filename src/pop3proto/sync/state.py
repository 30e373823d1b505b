"""What is remembered from session to session: one SQLite file for many accounts.

It holds no messages, so that these can be moved away. Any number of processes may use the file at
once, each with an account of its own.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from errno import EISDIR
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ..errors import Pop3Error, printable
from .values import Record, Remember, Standing

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Account", "AccountInUseError", "State", "StateError"]

# For each version of the file, the steps from the one before it.
_MIGRATIONS = (
    """
    CREATE TABLE accounts (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        tag TEXT NOT NULL
    );
    CREATE TABLE records (
        account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
        key INTEGER NOT NULL,
        octets INTEGER NOT NULL,
        digest BLOB NOT NULL,
        unique_id BLOB,
        listed INTEGER,
        stored REAL NOT NULL,
        seen REAL NOT NULL,
        standing TEXT NOT NULL,
        fits INTEGER NOT NULL,
        header INTEGER NOT NULL,
        draft TEXT NOT NULL,
        PRIMARY KEY (account, key)
    ) WITHOUT ROWID;
    """,
)
# "pop3" in ASCII. The file of another program is refused, and not altered.
_APPLICATION = 0x706F7033
_COLUMNS = ", ".join(Record._fields)
_SELECT = f"SELECT {_COLUMNS} FROM records WHERE account = ? ORDER BY key"  # noqa: S608 - no input
_INSERT = (
    f"INSERT OR REPLACE INTO records (account, {_COLUMNS})"  # noqa: S608 - no input
    f" VALUES (?{', ?' * len(Record._fields)})"
)
_DELETE = "DELETE FROM records WHERE account = ? AND key = ?"
# How long to wait for another process that writes, in seconds. Each write takes milliseconds.
_PATIENCE = 60.0
_STANDINGS = {standing.value: standing for standing in Standing}
_STANDING = Record._fields.index("standing")
_FLAGS = slice(Record._fields.index("fits"), Record._fields.index("header") + 1)


class StateError(Pop3Error):
    """The state file cannot be used: it is damaged, it belongs to another program or to a newer
    version, or the disk is full."""


class AccountInUseError(StateError):
    """Another process is fetching the same account."""

    transient = True


class State:
    """An SQLite file with the records of many accounts; made if it is not there.

    Raises ``StateError`` and ``OSError``.
    """

    def __init__(self, path: os.PathLike[str] | str) -> None:
        self._path = os.fspath(path)
        folder = os.path.dirname(self._path)
        if folder:
            os.makedirs(folder, mode=0o700, exist_ok=True)
        # Whose mail there is, and when it came, is nobody else's business.
        if os.path.isdir(self._path):
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR), self._path)
        # A file that is there is not opened: closing it would end the locks on it that SQLite has
        # in this process.
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with _errors_of(self._path):
            self._database = _connected(self._path)
            try:
                # On the disk when a transaction ends, and the folder's entry of the journal too.
                self._database.execute("PRAGMA synchronous = EXTRA")
                # On macOS, not only in the drive's memory.
                self._database.execute("PRAGMA fullfsync = ON")
                self._database.execute("PRAGMA foreign_keys = ON")
                self._migrate()
            except BaseException:
                self._database.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _migrate(self) -> None:
        """Bring the file to the newest version."""
        database = self._database
        with _transaction(database):
            (version,) = database.execute("PRAGMA user_version").fetchone()
            (application,) = database.execute("PRAGMA application_id").fetchone()
            (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if application != _APPLICATION and (version or application or tables):
                raise StateError(f"{printable(self._path)} is a database of another program")
            if version > len(_MIGRATIONS):
                raise StateError(f"{printable(self._path)} is of a newer version of pop3proto")
            for steps in _MIGRATIONS[version:]:
                for step in steps.split(";"):
                    database.execute(step)
            if version < len(_MIGRATIONS):
                # Pragmas take no parameters.
                database.execute(f"PRAGMA application_id = {_APPLICATION}")
                database.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    @contextmanager
    def account(self, name: str) -> Generator[Account]:
        """Return the records of the account ``name``, which nobody else can use in the meantime.

        Raises ``AccountInUseError`` if another process uses them, and ``StateError``.
        """
        with _errors_of(self._path):
            with _transaction(self._database):
                self._database.execute(
                    "INSERT OR IGNORE INTO accounts (name, tag) VALUES (?, ?)",
                    (_storable(name), os.urandom(6).hex()),
                )
            number, tag = self._database.execute(
                "SELECT id, tag FROM accounts WHERE name = ?", (_storable(name),)
            ).fetchone()
            locks = f"{self._path}-locks"
            os.makedirs(locks, mode=0o700, exist_ok=True)
            lock = closing(_locked(os.path.join(locks, str(number)), name))
        with lock:
            yield Account(self._database, self._path, number, tag)


class Account:
    """The records of one account; ``State.account()`` makes it."""

    def __init__(self, database: sqlite3.Connection, path: str, number: int, tag: str) -> None:
        self.tag: str = tag
        """A name for the account that no other account has, for the names of drafts."""
        self._database = database
        self._path = path
        self._number = number

    def records(self) -> list[Record]:
        """Return all records. Raises ``StateError``."""
        with _errors_of(self._path):
            return [_record(row) for row in self._database.execute(_SELECT, (self._number,))]

    def remember(self, action: Remember) -> None:
        """Carry out ``action``; when this returns, it is on the disk. Raises ``StateError``."""
        number = self._number
        with _errors_of(self._path), _transaction(self._database):
            self._database.executemany(_DELETE, ((number, key) for key in action.forgotten))
            self._database.executemany(
                _INSERT,
                (
                    (number, *record[:_STANDING], record.standing.value, *record[_STANDING + 1 :])
                    for record in action.records
                ),
            )


def _record(row: tuple[object, ...]) -> Record:
    columns = [*row]
    columns[_STANDING] = _STANDINGS[str(columns[_STANDING])]
    columns[_FLAGS] = map(bool, columns[_FLAGS])
    return Record._make(columns)


def _storable(name: str) -> str | bytes:
    """Return a name as SQLite takes it: names of files can have octets that are not UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return name.encode(errors="surrogatepass")
    return name


def _connected(path: str) -> sqlite3.Connection:
    # Loaded here, because not every program that plans keeps its records in a file.
    from sqlite3 import connect

    # Transactions begin and end where _transaction() says.
    return connect(path, timeout=_PATIENCE, isolation_level=None)


def _locked(path: str, name: str) -> sqlite3.Connection:
    """Return an open connection that locks the file at ``path``.

    The lock is one of SQLite's, since it works on every system, and ends with the process.
    """
    from sqlite3 import OperationalError

    lock = _connected(path)
    try:
        lock.execute("PRAGMA busy_timeout = 0")
        lock.execute("BEGIN EXCLUSIVE")
    except BaseException as error:
        lock.close()
        if isinstance(error, OperationalError) and "locked" in str(error):
            raise AccountInUseError(
                f"another process is fetching {printable(name)}",
                hint="wait until it has ended",
            ) from None
        raise
    return lock


@contextmanager
def _transaction(database: sqlite3.Connection) -> Generator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        # After a full disk, SQLite may have done so already.
        with suppress(_error_class()):
            database.execute("ROLLBACK")
        raise


@contextmanager
def _errors_of(path: str) -> Generator[None]:
    try:
        yield
    except (_error_class(), UnicodeError, KeyError) as error:
        # A damaged file makes the module sqlite3 itself, and the standing of a record, fail.
        raise StateError(f"{printable(path)} cannot be used: {printable(str(error))}") from error


def _error_class() -> type[sqlite3.Error]:
    from sqlite3 import Error

    return Error
