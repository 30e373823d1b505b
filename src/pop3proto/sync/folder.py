"""A folder with a file for each message, octet for octet as it came."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from itertools import count, islice
from stat import S_ISREG

from .._arguments import require, require_path
from ..client.files import wait_for_disk
from ..errors import LocalProtocolError, printable
from .delivery import Delivery, make_folder, sync_folder, write_whole
from .values import Record

__all__ = ["FileFolder", "claim", "file_name"]

# The file that says which maildrop a folder belongs to. In another maildrop the same unique-id can
# be another message (RFC 1939 section 7), and would get the same name.
_OWNER = ".pop3proto-maildrop"
_DRAFTS = ".pop3proto-drafts"
_LONGEST_NAME = 100
# Capitals are escaped, too: on a file system that treats "a" and "A" alike, a message would be
# lost.
_PLAIN_OCTETS = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")
# Files that the first version left when it was killed.
_LEFTOVER = re.compile(r"(uid|sha256)-.+\.eml\.[0-9a-f]{8}")
_BLOCK = 1024 * 1024
_READ: int = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


class FileFolder(Delivery):
    """A folder of ``.eml`` files, whose names come from the unique-ids; see ``file_name()``.

    If there is a file of that name already, and it holds the same octets, it is the message. If it
    holds anything else, it stays as it is, and the message gets another name.
    """

    def __init__(self, folder: os.PathLike[str] | str, tag: str) -> None:
        require_path("folder", folder)
        require("tag", tag, str, "a str")
        self._folder = os.fspath(folder)
        super().__init__(os.path.join(self._folder, _DRAFTS), tag)

    def begin(self, kept: Collection[str]) -> None:
        """Remove what earlier runs have left; make the folder."""
        make_folder(self._folder)
        super().begin(kept)

    def store(self, records: Iterable[Record]) -> list[Record]:
        """Give the drafts their names; return those that have got lost."""
        lost = [record for record in records if not self._store(record)]
        sync_folder(self._folder)
        sync_folder(self._drafts)
        return lost

    def _store(self, record: Record) -> bool:
        draft = os.path.join(self._drafts, record.draft)
        old = os.path.join(self._folder, f"uid-{_sha256(record.unique_id or b'')}.eml")
        if os.path.exists(old) and _holds(old, record):
            # The first version gave long unique-ids this name, which others can have, too.
            self.discard([record.draft])
            return True
        names = _names(record)
        while True:
            path = os.path.join(self._folder, next(names))
            try:
                _rename(draft, path)
            except FileExistsError:
                if not _holds(path, record):
                    continue
            except FileNotFoundError:
                return self._has(record)
            break
        self.discard([record.draft])
        return True

    def _has(self, record: Record) -> bool:
        """Return ``True`` if there is a file with the message of ``record``."""
        paths = (os.path.join(self._folder, name) for name in islice(_names(record), 4))
        return any(os.path.lexists(path) and _holds(path, record) for path in paths)

    def close(self) -> None:
        """Remove the folder of the drafts, if it is empty."""
        super().close()
        with suppress(OSError):
            os.rmdir(self._drafts)


def file_name(unique_id: bytes) -> str:
    """Return a file name for a unique-id: harmless on every system, and another one for each."""
    name = "".join(chr(o) if o in _PLAIN_OCTETS else f"%{o:02x}" for o in unique_id)
    if len(name) > _LONGEST_NAME:
        # No other name has a tilde.
        name = f"~{_sha256(unique_id)}"
    return f"uid-{name}.eml"


def _names(record: Record) -> Iterator[str]:
    """Yield the names that the file may have, the best one first."""
    digest = record.digest.hex()
    first = f"sha256-{digest}.eml" if record.unique_id is None else file_name(record.unique_id)
    stem = first.removesuffix(".eml") + (".header" if record.header else "")
    yield f"{stem}.eml"
    yield f"{stem}.{digest[:16]}.eml"
    yield f"{stem}.{digest}.eml"
    yield from (f"{stem}.{digest}-{serial}.eml" for serial in count(2))


def _sha256(octets: bytes) -> str:
    from hashlib import sha256

    return sha256(octets).hexdigest()


def _rename(draft: str, path: str) -> None:
    """Rename a file. Raises ``FileExistsError`` if there is another one."""
    try:
        # Unlike renaming, this never replaces a file that somebody has just made.
        os.link(draft, path)
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError:
        # Some file systems have no links.
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        os.rename(draft, path)
    else:
        os.unlink(draft)


def _holds(path: str, record: Record) -> bool:
    """Return ``True`` if the file at ``path`` holds the message of ``record``."""
    from hashlib import sha256

    status = os.lstat(path)
    if not S_ISREG(status.st_mode) or status.st_size != record.octets:
        return False
    digest = sha256()
    try:
        descriptor = os.open(path, _READ)
    except PermissionError:
        return False
    try:
        while block := os.read(descriptor, _BLOCK):
            digest.update(block)
        if digest.digest() != record.digest:
            return False
        # Whoever has put it there may not have waited for the disk.
        wait_for_disk(descriptor)
    finally:
        os.close(descriptor)
    return True


def claim(folder: os.PathLike[str] | str, maildrop: str) -> str:
    """Tie a folder to one maildrop; return a name for the folder that no other folder has.

    Raises ``LocalProtocolError`` if it is tied to another maildrop, and ``OSError``.
    """
    make_folder(os.fspath(folder))
    path = os.path.join(folder, _OWNER)
    mine = f"{maildrop}\n{os.urandom(8).hex()}\n".encode()
    try:
        found = _content(path)
    except FileNotFoundError:
        found = _create(path, mine)
    try:
        owner, *more = found.decode("utf-8").splitlines() or [""]
    except UnicodeDecodeError:
        raise LocalProtocolError(f"{printable(path)} is damaged: it is not text") from None
    if not owner:
        raise LocalProtocolError(
            f"{printable(path)} is empty: it does not say which maildrop the folder belongs to",
            hint="remove it, if the folder holds the messages of this maildrop",
        )
    if owner != maildrop:
        raise LocalProtocolError(
            f"{printable(os.fspath(folder))} holds the messages of {printable(owner)}",
            hint="give every maildrop a folder of its own",
        )
    if not more:
        # The first version did not give folders a name. Later on, files with such names are the
        # user's own.
        from ..client.files import replacing

        for name in os.listdir(folder):
            if _LEFTOVER.fullmatch(name):
                os.unlink(os.path.join(folder, name))
        with replacing(path, durable=True) as new:
            new.write(mine)
        return mine.decode().splitlines()[1]
    return more[0]


def _content(path: str) -> bytes:
    # In a folder that others can write to, it could be a pipe, and reading it would never end.
    flags = getattr(os, "O_NONBLOCK", 0)
    with open(path, "rb", opener=lambda name, how: os.open(name, how | flags)) as file:
        return file.read()


def _create(path: str, content: bytes) -> bytes:
    """Make a file as a whole, unless somebody else makes it first; return what it holds."""
    beside = f"{path}.{os.urandom(4).hex()}"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        write_whole(descriptor, content)
        wait_for_disk(descriptor)
    finally:
        os.close(descriptor)
    try:
        _rename(beside, path)
    except FileExistsError:
        os.unlink(beside)
        return _content(path)
    sync_folder(os.path.dirname(path))
    return content
