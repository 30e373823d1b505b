"""Delivery into an mbox."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from errno import EINVAL
from stat import S_ISREG

from .._arguments import require, require_path
from ..client.files import wait_for_disk
from ..errors import Pop3Error, printable
from .delivery import Delivery, Draft, sync_folder, write_whole
from .values import Record

__all__ = ["Mbox", "MboxInUseError"]

# A line that would look like the beginning of a message, also if it was quoted before: the variant
# of the format that is called mboxrd, which can be read back without loss.
_FROM = re.compile(rb"^(>*From )", re.MULTILINE)
_BLOCK = 1024 * 1024
# How long to wait for another program that writes to the file, in seconds.
_PATIENCE = 30.0
_PAUSE = 0.2
# A lock that is older than this was left by a program that is gone, in seconds.
_STALE = 300.0


class Part(Enum):
    """How much of what was to be added is in the file."""

    ALL = "all of it, and perhaps other messages after it"
    BEGINNING = "its beginning, or nothing, and then the file ends"
    NOTHING = "nothing, and something else is there"


class MboxInUseError(Pop3Error):
    """Another program has locked the mbox."""

    transient = True


class Mbox(Delivery):
    """An mbox with LF line ends, locked by ``name.lock`` and ``lockf()`` while messages are added.

    Drafts are in a folder beside it, those of a group in one file. The length of the mbox is on the
    disk before messages are added. So the next run can tell how much a run that was killed has
    added, unless another program has altered the mbox in between.
    """

    line_feeds = True

    def __init__(self, file: os.PathLike[str] | str, tag: str) -> None:
        require_path("file", file)
        require("tag", tag, str, "a str")
        # Other programs lock the file itself, too, and not a link to it.
        self._file = os.path.realpath(file)
        folder, name = os.path.split(self._file)
        super().__init__(os.path.join(folder, f".{name}.pop3proto-drafts"), tag)
        self._length = f"length-{tag}"
        self._group: Draft | None = None
        # The drafts in each file that are neither stored nor discarded.
        self._open: dict[str, set[str]] = {}

    def begin(self, kept: Collection[str]) -> None:
        """Remove what earlier runs have left, except for what tells how far they came."""
        files = {*map(_file_of, kept)}
        super().begin({*files, self._length} if files else files)

    def draft(self) -> Draft:
        """Return a new draft, at the end of the file that the group has."""
        if self._group is None:
            self._group = super().draft()
        start = os.fstat(self._group.descriptor).st_size
        name = f"{self._group.name}:{start}"
        return Draft(name, self._group.descriptor, line_feeds=True)

    def written(self, draft: Draft) -> None:
        """Take a draft that is finished."""
        start = int(draft.name.partition(":")[2])
        draft.name += f"-{start + draft.octets}"
        self._open.setdefault(_file_of(draft.name), set()).add(draft.name)

    def drop(self, draft: Draft) -> None:
        """Leave a draft that is not complete: nothing refers to it."""

    def settle(self) -> None:
        """Wait until all drafts are on the disk."""
        self._end_group()
        super().settle()

    def _end_group(self) -> None:
        if self._group is not None:
            super().written(self._group)
            self._group = None

    def close(self) -> None:
        """Close all files."""
        self._end_group()
        self._open.clear()
        super().close()

    def discard(self, drafts: Iterable[str]) -> None:
        """Remove the files of these drafts, unless other drafts are in them."""
        for draft in drafts:
            file = _file_of(draft)
            others = self._open.get(file, set())
            others.discard(draft)
            if not others:
                self._open.pop(file, None)
                super().discard([file])

    def store(self, records: Iterable[Record]) -> list[Record]:
        """Add the drafts to the file, all of them or none; return those that have got lost."""
        records = [*records]
        if not records:
            return []
        if os.path.exists(self._path_of(records[0])):
            with _locked(self._file) as mbox:
                self._add(mbox, records)
        elif self._length_before(records[0]) is None:
            # The length is noted before they are added, and stays when they are removed after that.
            return records
        self.discard(record.draft for record in records)
        sync_folder(self._drafts)
        return []

    def _path_of(self, record: Record) -> str:
        return os.path.join(self._drafts, _file_of(record.draft))

    def _add(self, mbox: int, records: list[Record]) -> None:
        length = os.fstat(mbox).st_size
        before = self._length_before(records[0])
        if before is not None and before <= length:
            os.lseek(mbox, before, os.SEEK_SET)
            there = self._there(mbox, records)
            if there is Part.ALL:
                wait_for_disk(mbox)
                return
            if there is Part.BEGINNING:
                # What is there is written once more, and then the rest.
                length = before
        length = _with_blank_line(mbox, length)
        self._remember(length, records[0])
        os.lseek(mbox, length, os.SEEK_SET)
        for block in self._blocks(records):
            write_whole(mbox, block)
        wait_for_disk(mbox)
        sync_folder(os.path.dirname(self._file))

    def _length_before(self, first: Record) -> int | None:
        """Return the length of the file before an earlier run added these messages, if one did."""
        try:
            with open(os.path.join(self._drafts, self._length), "rb") as file:
                length, _, draft = file.read().partition(b" ")
        except FileNotFoundError:
            return None
        return int(length) if length.isdigit() and draft == first.draft.encode("ascii") else None

    def _remember(self, length: int, first: Record) -> None:
        from ..client.files import replacing

        path = os.path.join(self._drafts, self._length)
        with replacing(path, durable=True, mode=0o600) as file:
            file.write(f"{length} {first.draft}".encode("ascii"))
        sync_folder(self._drafts)

    def _there(self, mbox: int, records: list[Record]) -> Part:
        """Compare the rest of the file with what was to be added there."""
        for block in self._blocks(records):
            found = _read(mbox, len(block))
            if found != block:
                # It is shorter at the end of the file only.
                ends = len(found) < len(block) and block.startswith(found)
                return Part.BEGINNING if ends else Part.NOTHING
        return Part.ALL

    def _blocks(self, records: list[Record]) -> Iterator[bytes]:
        """Yield what is added to the file; the same each time."""
        with open(self._path_of(records[0]), "rb") as drafts:
            for record in records:
                date = time.asctime(time.gmtime(record.stored))
                yield f"From MAILER-DAEMON {date}\n".encode("ascii")
                start, end = map(int, record.draft.partition(":")[2].split("-"))
                drafts.seek(start)
                last = b"\n"
                # In whole lines, so that none of them is taken for the beginning of another.
                while start < end and (lines := drafts.readlines(min(_BLOCK, end - start))):
                    block = b"".join(lines)[: end - start]
                    start, last = start + len(block), block[-1:]
                    yield _FROM.sub(rb">\1", block)
                yield b"\n" if last == b"\n" else b"\n\n"


def _file_of(draft: str) -> str:
    return draft.partition(":")[0]


def _read(descriptor: int, octets: int) -> bytes:
    data = b""
    while len(data) < octets and (more := os.read(descriptor, octets - len(data))):
        data += more
    return data


def _with_blank_line(mbox: int, length: int) -> int:
    """Return the length of the file after a blank line at its end, which is added if need be.

    Without it, the first line of a message would be part of the message before it.
    """
    os.lseek(mbox, max(length - 2, 0), os.SEEK_SET)
    end = _read(mbox, min(length, 2))
    missing = 0 if not end or end == b"\n\n" else 1 if end.endswith(b"\n") else 2
    if missing:
        write_whole(mbox, b"\n" * missing)
        wait_for_disk(mbox)
    return length + missing


@contextmanager
def _locked(path: str) -> Generator[int]:
    """Open a file, with the locks that programs for mail use, both of them."""
    deadline = time.monotonic() + _PATIENCE
    lock = f"{path}.lock"
    while not _made(lock):
        if time.monotonic() > deadline:
            raise MboxInUseError(f"{printable(path)} is locked by {printable(lock)}")
        time.sleep(_PAUSE)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        try:
            if not S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(EINVAL, "this is not a file that keeps what is written to it", path)
            _lock(descriptor, path, deadline)
            yield descriptor
        finally:
            # This ends the lock, too.
            os.close(descriptor)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(lock)


def _made(lock: str) -> bool:
    """Make a lock file; return ``False`` if there is one."""
    try:
        os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        with suppress(FileNotFoundError):
            if time.time() - os.stat(lock).st_mtime > _STALE:
                os.unlink(lock)
        return False
    return True


def _lock(descriptor: int, path: str, deadline: float) -> None:
    try:
        from fcntl import LOCK_EX, LOCK_NB, lockf
    except ImportError:
        # Only where there is fcntl do other programs use it.
        return
    while True:
        try:
            lockf(descriptor, LOCK_EX | LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:
                raise MboxInUseError(f"{printable(path)} is locked") from None
            time.sleep(_PAUSE)
        else:
            return
