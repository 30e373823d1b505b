"""Maildrops, from which a server's session answers: in memory, in Maildirs, or your own.

A ``MaildropProvider`` opens the ``Maildrop`` of a user, for one session at a time (RFC 1939
section 4).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from os import PathLike
from pathlib import Path
from threading import Lock
from typing import Protocol, TypeVar

from .._arguments import listed, require, require_items, require_path
from .._value import field, value
from ..errors import LocalProtocolError, MaildropError, MaildropLockedError
from ..model.grammar import is_unique_id
from ..model.stuffing import BodyWriter
from .maildir import FolderLock, MaildirFiles, delivery_order, folder_name, unique_id

__all__ = [
    "CHUNK",
    "MaildirMaildrops",
    "Maildrop",
    "MaildropProvider",
    "MemoryMaildrops",
    "ReadyContent",
    "StoredMessage",
    "UpdateError",
    "first_lines",
    "wire_octets",
]

T = TypeVar("T")

CHUNK = 64 * 1024
"""How many octets of a message are read at a time."""


@value
class StoredMessage:
    """A message as a maildrop lists it, before it is read."""

    octets: int
    """The size on the wire, with CRLF line ends and without stuffed dots (RFC 1939 section 11);
    see ``wire_octets()``."""
    unique_id: bytes
    """1 to 70 characters in the range 0x21 to 0x7E, the same in every session, and different from
    that of any other message of this maildrop (RFC 1939 section 7)."""


class UpdateError(MaildropError):
    """Some messages that were to be deleted are still there (RFC 1939 section 6)."""

    hint = "the messages that are named stay in the maildrop; delete them in another session"

    def __init__(self, *, deleted: Collection[int], failed: Collection[int]) -> None:
        numbers = ", ".join(map(str, sorted(failed)))
        super().__init__(f"{len(deleted)} messages were deleted, these were not: {numbers}")
        self.deleted: frozenset[int] = frozenset(deleted)
        """The numbers of the messages that are gone."""
        self.failed: frozenset[int] = frozenset(failed)
        """The numbers of the messages that are still there."""


class Maildrop(Protocol):
    """One session's view of one user's messages, which nobody else has open at the same time."""

    @property
    def messages(self) -> Sequence[StoredMessage]:
        """The messages that were there when the maildrop was opened; number 1 comes first.

        It never changes: a message that is delivered later belongs to the next session.
        """
        ...

    def open(self, number: int) -> Iterator[bytes]:
        """Return the content of message ``number``, from 1, in pieces of any length.

        Line ends may be of any kind, the last may be missing, and dots are not stuffed. A
        generator is closed when its reader leaves early. Raises ``MaildropError`` or ``OSError``,
        at the call or later.
        """
        ...

    def commit(self, deleted: Collection[int]) -> None:
        """Remove the messages with these numbers for good (UPDATE, RFC 1939 section 6).

        Called at most once, before ``close()``, and with at least one number. If some of them
        cannot be removed, raises ``UpdateError``, which names the messages that were removed and
        those that were not.
        """
        ...

    def close(self) -> None:
        """Let the next session in. Called however a session ends; calling it again does nothing."""
        ...


class MaildropProvider(Protocol):
    """Opens maildrops. Called from each thread or task in which a session runs."""

    def open(self, user: str) -> Maildrop:
        """Return the maildrop of ``user``, who has logged in, locked for one session.

        Raises ``MaildropLockedError`` if another session has it, and ``MaildropError`` or
        ``OSError`` if it cannot be opened.
        """
        ...


def wire_octets(chunks: Iterable[bytes]) -> int:
    """Return the size of a message on the wire in octets, without stuffed dots and terminator.

    A bare LF counts as CRLF, and so does a missing line end after the last line (RFC 1939 section
    3); a bare CR is an octet like any other.
    """
    octets = 0
    last = b"\n"
    for chunk in filter(None, _checked(chunks)):
        octets += len(chunk) + chunk.count(b"\n") - chunk.count(b"\r\n")
        if last == b"\r" and chunk.startswith(b"\n"):
            octets -= 1
        last = chunk[-1:]
    return octets if last == b"\n" else octets + 2


def _is_ready(content: bytes) -> bool:
    """Return ``True`` if a whole message is sent as it is, apart from the terminator."""
    writer = BodyWriter()
    return writer.write(content) == content and writer.finish() == b".\r\n"


class ReadyContent:
    """The content of a message that is known to go over the wire as it is.

    Each of its lines ends with CRLF, and none begins with a dot. The content itself says so, and
    not its maildrop: a maildrop around another one then cannot say it of octets that it changes.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._left = [content]

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._left:
            raise StopIteration
        return self._left.pop()


def _checked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks one by one, because they need not fit into memory together."""
    require_items("chunks are a list of bytes, not", chunks)
    for chunk in chunks:
        require("each of chunks", chunk, (bytes, bytearray), "bytes")
        yield chunk


def first_lines(chunks: Iterable[bytes], lines: int) -> Iterator[bytes]:
    """Yield a message's header, the blank line, and the first ``lines`` lines of its body.

    This is the part that TOP shows (RFC 1939 section 7), as it is stored, with line ends of either
    kind. No more of ``chunks`` is read than is needed.
    """
    in_header = True
    beginning = b""
    for chunk in _checked(chunks):
        position = 0
        while (end := chunk.find(b"\n", position)) >= 0:
            if in_header:
                # Two octets of a line are enough to see if it is blank.
                line = (beginning + chunk[position : min(end, position + 2)])[:2]
                beginning = b""
                in_header = line not in (b"", b"\r")
            else:
                lines -= 1
            position = end + 1
            if not in_header and lines <= 0:
                yield chunk[:position]
                return
        beginning = (beginning + chunk[position : position + 2])[:2]
        yield chunk


def _numbered(sequence: Sequence[T], number: int) -> T:
    if type(number) is int and 1 <= number <= len(sequence):
        return sequence[number - 1]
    require("a message number", number, int, "an int")
    raise MaildropError(f"there is no message {number}")


@value
class _Entry:
    stored: StoredMessage
    content: bytes = field(repr=False)
    ready: bool


class MemoryMaildrops:
    """Maildrops in memory, for tests and demonstrations. Thread-safe.

    ``messages`` are the initial messages of each user, as ``bytes``. A user who is not among the
    keys gets an empty maildrop at the first login. Raises ``LocalProtocolError`` for messages that
    are not ``bytes``.

    >>> maildrops = MemoryMaildrops({"user": [b"Subject: one\\r\\n\\r\\nText.\\r\\n"]})
    >>> maildrops.add("user", b"Subject: two\\n\\nText.\\n")
    b'message-2'
    """

    def __init__(self, messages: Mapping[str, Iterable[bytes]] | None = None) -> None:
        self.undeletable: set[bytes] = set()
        """Unique-ids of messages that cannot be deleted, to try what happens then."""
        self._lock = Lock()
        # By user and unique-id, in the order of their delivery.
        self._entries: dict[str, dict[bytes, _Entry]] = {}
        self._in_use: set[str] = set()
        self._serial = itertools.count(1)
        messages = {} if messages is None else messages
        require("messages", messages, Mapping, "a mapping from users to their messages")
        for user, contents in messages.items():
            require("a user", user, str, "a str")
            self._entries[user] = {}
            for content in listed(f"the messages of {user!r} are a list of bytes", contents, bytes):
                self.add(user, content)

    @property
    def users(self) -> tuple[str, ...]:
        """The users who have a maildrop."""
        with self._lock:
            return tuple(self._entries)

    def _of(self, user: str) -> dict[bytes, _Entry]:
        # A mistyped name must not look like an empty maildrop, or receive a message.
        require("user", user, str, "a str")
        if user not in self._entries:
            known = ", ".join(map(repr, self._entries)) or "nobody"
            raise LocalProtocolError(
                f"the user {user!r} has no maildrop here; there is one of {known}"
            )
        return self._entries[user]

    def add(self, user: str, content: bytes, *, unique_id: bytes | None = None) -> bytes:
        """Deliver a message, which open sessions do not see; return its unique-id.

        Raises ``LocalProtocolError`` for a user without a maildrop, for a unique-id that RFC 1939
        section 7 does not allow, or that another message of the maildrop has, and for a message or
        a unique-id that is not ``bytes``.
        """
        require(f"a message of {user!r}", content, bytes, "bytes")
        if unique_id is not None:
            require("unique_id", unique_id, bytes, "bytes")
        octets = wire_octets([content])
        # Looked into once, here: it takes a copy, and long messages are sent in pieces anyway.
        ready = len(content) <= CHUNK and _is_ready(content)
        with self._lock:
            entries = self._of(user)
            if unique_id is None:
                numbered = (b"message-%d" % serial for serial in self._serial)
                unique_id = next(candidate for candidate in numbered if candidate not in entries)
            elif not is_unique_id(unique_id):
                raise LocalProtocolError(f"unique_id is not a unique-id: {unique_id!r}")
            elif unique_id in entries:
                raise LocalProtocolError(f"another message has the unique-id {unique_id!r}")
            entries[unique_id] = _Entry(StoredMessage(octets, unique_id), content, ready)
        return unique_id

    def contents(self, user: str) -> list[bytes]:
        """Return the messages that are there now, as they were delivered.

        Raises ``LocalProtocolError`` for a user without a maildrop.
        """
        with self._lock:
            return [entry.content for entry in self._of(user).values()]

    def unique_ids(self, user: str) -> list[bytes]:
        """Return the unique-ids of the messages that are there now.

        Raises ``LocalProtocolError`` for a user without a maildrop.
        """
        with self._lock:
            return list(self._of(user))

    def in_use(self, user: str) -> bool:
        """Return ``True`` while a session has the maildrop open.

        Raises ``LocalProtocolError`` for a user without a maildrop.
        """
        with self._lock:
            self._of(user)
            return user in self._in_use

    def open(self, user: str) -> Maildrop:
        """Open the maildrop of ``user``; see ``MaildropProvider``."""
        require("user", user, str, "a str")
        with self._lock:
            if user in self._in_use:
                raise MaildropLockedError("another session holds the maildrop")
            self._in_use.add(user)
            entries = tuple(self._entries.setdefault(user, {}).values())
        return _MemoryMaildrop(entries, partial(self._remove, user), partial(self._release, user))

    def _remove(self, user: str, messages: Mapping[int, bytes]) -> set[int]:
        """Remove messages, given by number and unique-id; return the numbers of those that stay."""
        with self._lock:
            stuck = {n for n, unique_id in messages.items() if unique_id in self.undeletable}
            for number in messages.keys() - stuck:
                self._entries[user].pop(messages[number], None)
        return stuck

    def _release(self, user: str) -> None:
        with self._lock:
            self._in_use.discard(user)


class _MemoryMaildrop:
    def __init__(
        self,
        entries: Sequence[_Entry],
        remove: Callable[[Mapping[int, bytes]], set[int]],
        release: Callable[[], None],
    ) -> None:
        self._entries = entries
        self._remove = remove
        self._release = release
        self._closed = False
        self.messages = tuple(entry.stored for entry in entries)

    def open(self, number: int) -> Iterator[bytes]:
        content = (entry := _numbered(self._entries, number)).content
        if entry.ready:
            return ReadyContent(content)
        if len(content) <= CHUNK:
            return iter((content,))
        return (content[i : i + CHUNK] for i in range(0, len(content), CHUNK))

    def commit(self, deleted: Collection[int]) -> None:
        ids = {number: _numbered(self._entries, number).stored.unique_id for number in deleted}
        failed = self._remove(ids)
        if failed:
            raise UpdateError(deleted=ids.keys() - failed, failed=failed)

    def close(self) -> None:
        # A second call must not release the lock of the next session.
        if not self._closed:
            self._closed = True
            self._release()


class MaildirMaildrops:
    """The maildrops of all users as Maildirs below one folder.

    A user's Maildir has the user's name. Characters that could lead to another folder, or turn two
    names into one, are escaped: lower-case letters, digits and ``-_@+=.`` stand for themselves. Any
    other octet of the UTF-8 form, and a full stop at either end, is written as ``%`` and two
    hexadecimal digits. The Maildir is made when it is opened for the first time; only its owner can
    read it.

    Unique-ids are the unique names of the files, or, if RFC 1939 does not allow such a name, a
    tilde and its SHA-256. They stay the same when a mail program sets flags or moves a message to
    ``cur``, and are never used to find a file. Only regular files are messages, not symbolic links.
    Messages are numbered in the order of their delivery. A file ``pop3proto.lock`` in each Maildir
    keeps out a second session, even of another process.

    Mail programs may use a Maildir at the same time. If ``commit()`` cannot find a message, but
    cannot be sure that it is gone, it counts the message as still there.
    """

    def __init__(self, root: str | PathLike[str]) -> None:
        require_path("root", root)
        self._root = Path(root)
        # By user and unique name. Kept, because a size is known only after reading the message, and
        # content never changes.
        self._sizes: dict[str, dict[str, int]] = {}

    def folder(self, user: str) -> Path:
        """Return the Maildir of ``user``, which need not exist.

        Raises ``MaildropError`` for a name that cannot have one.
        """
        return self._root / folder_name(user)

    def open(self, user: str) -> Maildrop:
        """Open the Maildir of ``user``; see ``MaildropProvider``."""
        folder = self.folder(user)
        try:
            # The Maildir itself as well: a parent that mkdir() makes does not get the mode.
            for path in (folder, folder / "tmp", folder / "new", folder / "cur"):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = FolderLock(folder)
        except OSError as error:
            raise MaildropError(f"a Maildir cannot be opened: {error}") from error
        try:
            files = MaildirFiles(folder)
            # Only one session at a time gets here for a user, so the cache needs no lock.
            sizes = self._sizes[user] = _measured(files, self._sizes.get(user, {}))
        except OSError as error:
            lock.release()
            raise MaildropError(f"a Maildir cannot be read: {error}") from error
        return _Maildir(files, sizes, lock)


def _measured(files: MaildirFiles, known: Mapping[str, int]) -> dict[str, int]:
    """Return the sizes of all messages, in the order of their delivery."""
    sizes: dict[str, int] = {}
    for name in sorted(files, key=delivery_order):
        octets = known.get(name)
        # A message that somebody deletes at this moment is not part of this session.
        with suppress(FileNotFoundError):
            sizes[name] = wire_octets(files.read(name, CHUNK)) if octets is None else octets
    return sizes


class _Maildir:
    def __init__(self, files: MaildirFiles, sizes: Mapping[str, int], lock: FolderLock) -> None:
        self._files = files
        self._lock = lock
        self._names = tuple(sizes)
        self.messages = tuple(StoredMessage(sizes[name], unique_id(name)) for name in sizes)

    def open(self, number: int) -> Iterator[bytes]:
        return self._files.read(_numbered(self._names, number), CHUNK)

    def commit(self, deleted: Collection[int]) -> None:
        names = {number: _numbered(self._names, number) for number in deleted}
        failed = {number for number, name in names.items() if not self._removed(name)}
        if failed:
            raise UpdateError(deleted=names.keys() - failed, failed=failed)

    def _removed(self, name: str) -> bool:
        try:
            self._files.remove(name)
        except FileNotFoundError:
            # Somebody else has deleted it already, which is the wanted result.
            return True
        except OSError:
            # It is still there, or it is renamed so often that this cannot be found out.
            return False
        return True

    def close(self) -> None:
        self._lock.release()
