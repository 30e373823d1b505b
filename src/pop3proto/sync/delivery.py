"""Messages on the way to the disk: drafts, which become durable many at a time.

A draft is a file with a whole message, in a place where nobody looks for messages. If the power
fails, a draft can be damaged, but never a message, because a message gets its name only when its
octets are on the disk.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from errno import ENOTDIR
from itertools import count
from stat import S_ISDIR
from types import MappingProxyType
from typing import TYPE_CHECKING

from .._arguments import require
from ..client.files import wait_for_disk
from ..errors import Pop3Error
from .file_system import FileSystem
from .values import LARGEST_GROUP, Record

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["Delivery", "DeliveryError", "Draft", "make_folder", "sync_folder", "write_whole"]

# For fewer files than a slice, and where a file system cannot be synced as a whole: if several
# threads wait for the disk, file systems write their files together.
_THREADS = 4
# From so many files on, one call for the whole file system is cheaper than one for each file, even
# if other programs' files are written with them. Without it, so many files are written before the
# threads begin with them, each with a part: to make a file waits for the file system's journal,
# which each fsync() writes, so that the two together are slow. Up to twice as many are open at a
# time, and some systems allow 256.
_SLICE = 64
# For this many files or fewer, a thread is not worth it.
_FEW = 2
_CREATE: int = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class DeliveryError(Pop3Error):
    """A program or a server did not take a message. The message stays where it was.

    ``transient`` is true if it may take the message later.
    """

    def __init__(self, message: str, *, transient: bool, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.transient: bool = transient


class Draft:
    """A message that is being written to an open file."""

    def __init__(self, name: str, descriptor: int, *, line_feeds: bool) -> None:
        require("name", name, str, "a str")
        require("descriptor", descriptor, int, "an int")
        require("line_feeds", line_feeds, bool, "True or False")
        self.name: str = name
        """The name of the draft, final when the draft was ``written()``."""
        self.descriptor: int = descriptor
        """The open file."""
        self.octets: int = 0
        """How many octets were written."""
        self._line_feeds = line_feeds
        self._held = b""

    def write(self, data: bytes) -> None:
        """Write the next octets of the message, with CRLF line ends. Raises ``OSError``."""
        if self._line_feeds:
            data = self._held + data
            # The next octets show if this one belongs to a line end.
            self._held = data[-1:] if data.endswith(b"\r") else b""
            data = data.removesuffix(self._held).replace(b"\r\n", b"\n")
        self.octets += len(data)
        write_whole(self.descriptor, data)

    def finish(self) -> None:
        """Write what is left, after the whole message."""
        self.octets += len(self._held)
        write_whole(self.descriptor, self._held)


class Delivery:
    """A place for messages. Its drafts are in ``drafts``, under names that contain ``tag``.

    A tag belongs to one account, and one process at a time uses the account. Everything here raises
    ``OSError``.
    """

    line_feeds = False
    """True if lines end with LF there, and not with CRLF."""
    largest_group: int = LARGEST_GROUP
    """How many messages are stored together at most."""
    failures: Mapping[str, DeliveryError] = MappingProxyType({})
    """What was not taken by the last ``store()``: the errors by draft."""

    def __init__(self, drafts: str, tag: str) -> None:
        self._drafts = drafts
        self._tag = tag
        run = os.urandom(4).hex()
        self._names: Iterator[str] = (f"{tag}-{run}-{serial}" for serial in count())
        self._written: list[int] = []
        self._syncing: deque[Future[None]] = deque()
        self._pool: ThreadPoolExecutor | None = None
        self._file_system: FileSystem | None = None
        # True if some drafts are closed, and only the whole file system can be synced for them.
        self._together = False

    def begin(self, kept: Collection[str]) -> None:
        """Remove the drafts that earlier runs have left, except for ``kept``.

        Raises ``NotADirectoryError`` if the place of the drafts is not a folder of its own.
        """
        _refuse_link(self._drafts)
        with suppress(FileNotFoundError):
            names = os.listdir(self._drafts)
            self.discard(name for name in names if self._tag in name and name not in kept)
        make_folder(self._drafts, 0o700)
        if self._file_system is None:
            self._file_system = FileSystem(self._drafts)

    def draft(self) -> Draft:
        """Return a new draft; pass it to ``written()`` when it is finished, or to ``drop()``."""
        name = next(self._names)
        descriptor = os.open(os.path.join(self._drafts, name), _CREATE, 0o600)
        return Draft(name, descriptor, line_feeds=self.line_feeds)

    def written(self, draft: Draft) -> None:
        """Take a draft that is finished, to bring it to the disk."""
        self._written.append(draft.descriptor)
        if len(self._written) < _SLICE:
            return
        if self._file_system is not None and self._file_system.can_sync():
            self._together = True
            self._close_written()
        else:
            self._sync()

    def drop(self, draft: Draft) -> None:
        """Remove a draft that is not complete."""
        os.close(draft.descriptor)
        self.discard([draft.name])

    def settle(self) -> None:
        """Wait until all drafts are on the disk."""
        if self._together and self._file_system is not None:
            self._close_written()
            self._file_system.sync()
            self._together = False
            return
        if self._pool is None and len(self._written) <= _FEW:
            descriptors, self._written = self._written, []
            _to_disk(descriptors)
        self._sync()
        while self._syncing:
            self._syncing.popleft().result()
        sync_folder(self._drafts)

    def _sync(self) -> None:
        from concurrent.futures import ThreadPoolExecutor

        if not self._written:
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS, "pop3proto-fsync")
        while self._syncing:
            self._syncing.popleft().result()
        written, self._written = self._written, []
        part = -(-len(written) // _THREADS)
        self._syncing.extend(
            self._pool.submit(_to_disk, written[begin : begin + part])
            for begin in range(0, len(written), part)
        )

    def store(self, records: Iterable[Record]) -> list[Record]:
        """Make messages of drafts; when this returns, they are on the disk under their names.

        Return the records whose messages are not there: those without a draft, because somebody has
        removed the drafts, or this is another disk than that of the run before, and those in
        ``failures``.
        """
        raise NotImplementedError

    def discard(self, drafts: Iterable[str]) -> None:
        """Remove drafts."""
        for draft in drafts:
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(self._drafts, draft))

    def close(self) -> None:
        """Close all files; drafts that are not settled stay, for ``begin()`` of the next run."""
        self._close_written()
        self._together = False
        if self._file_system is not None:
            self._file_system.close()
            self._file_system = None
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _close_written(self) -> None:
        written, self._written = self._written, []
        for descriptor in written:
            os.close(descriptor)


def write_whole(descriptor: int, data: bytes) -> None:
    """Write all of ``data``, which a system may take piece by piece."""
    while data:
        data = data[os.write(descriptor, data) :]


def make_folder(path: str, mode: int = 0o777) -> None:
    """Make a folder, unless it is there. Raises ``NotADirectoryError`` if something else is."""
    try:
        os.makedirs(path, mode=mode, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(
            ENOTDIR, "this is not a folder, but messages are to go into it", error.filename
        ) from None


def _refuse_link(folder: str) -> None:
    """Refuse a symbolic link in place of a hidden folder.

    In a folder that others can write to, it would lead messages to where they can read them.
    """
    with suppress(FileNotFoundError):
        if not S_ISDIR(os.lstat(folder).st_mode):
            raise NotADirectoryError(ENOTDIR, "drafts need a folder of their own here", folder)


def sync_folder(path: str) -> None:
    """Wait until the names in a folder are on the disk."""
    if os.name != "posix":
        # Folders cannot be opened there; file systems write names in order.
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        wait_for_disk(descriptor)
    finally:
        os.close(descriptor)


def _to_disk(descriptors: list[int]) -> None:
    """Wait until files are on the disk, and close them, whatever happens."""
    try:
        for descriptor in descriptors:
            wait_for_disk(descriptor)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
