"""Parts of a Maildir other than its messages: safe names, unique-ids, and a lock for a session.

The standard library's ``mailbox.Maildir`` has the same keys, and the tests deliver with it, but a
server cannot use it. Its ``lock()`` locks nothing. It mistakes symbolic links and FIFOs for
messages, and opens them. It reads a folder again only if the folder's time has changed, and never
twice, so it can miss a message that a mail program renames at that moment, and then considers the
message deleted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from errno import EBUSY, EINVAL, ENOENT
from pathlib import Path
from stat import S_ISREG
from typing import TypeVar

from .._arguments import require
from ..errors import MaildropError, MaildropLockedError
from ..model.grammar import is_unique_id, parse_number

__all__ = ["FolderLock", "MaildirFiles", "delivery_order", "folder_name", "unique_id"]

T = TypeVar("T")

LOCK_NAME = "pop3proto.lock"
# File systems allow names of 255 octets.
_MAX_NAME = 255
# Upper case is not among them: on some file systems "A" and "a" are one file.
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_@+=.")
_HASHED = b"~"
# On Windows, these are devices, in each folder and with any suffix.
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))]
)
# A symbolic link can lead out of the Maildir, and opening a FIFO would wait for its writer.
_NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
_READ: int = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | _NOFOLLOW
# How often the folders are read, at most, until two results agree. Mail programs rename many files
# at once, and then none for a while.
_LOOKS = 16


def folder_name(user: str) -> str:
    """Return the name of a user's folder: one path component, a different one for every user.

    Lower-case letters, digits, and ``-_@+=.`` stand for themselves, except for a full stop at
    either end, and the first letter of a name that is a device on Windows, such as ``con``; every
    other octet of the UTF-8 form is written as ``%`` and two hexadecimal digits. Raises
    ``MaildropError`` for a name that is empty, is not Unicode text, or becomes longer than 255
    octets.
    """
    require("user", user, str, "a str")
    try:
        octets = user.encode("utf-8")
    except UnicodeEncodeError:
        raise MaildropError("a user name that is not text has no maildrop") from None
    if not 1 <= len(octets) <= _MAX_NAME:
        raise MaildropError("a user name that is empty or too long has no maildrop")
    last = len(octets) - 1
    name = "".join(
        chr(octet)
        if octet in _PLAIN and not (octet == 0x2E and i in (0, last))
        else f"%{octet:02x}"
        for i, octet in enumerate(octets)
    )
    if name.partition(".")[0] in _DEVICES:
        name = f"%{octets[0]:02x}{name[1:]}"
    if len(name) > _MAX_NAME:
        raise MaildropError("a user name that is too long has no maildrop")
    return name


def unique_id(name: str) -> bytes:
    """Return the unique-id of the message whose file is called ``name`` (RFC 1939 section 7).

    It is the name itself if that consists of 1 to 70 characters in the range 0x21 to 0x7E and does
    not begin with a tilde; otherwise a tilde and the SHA-256 of the name in hexadecimal.
    """
    octets = os.fsencode(name)
    fits = is_unique_id(octets)
    if fits and not octets.startswith(_HASHED):
        return octets
    # Imported here, because few names need it, and it loads OpenSSL's library.
    from hashlib import sha256

    return _HASHED + sha256(octets).hexdigest().encode("ascii")


def delivery_order(name: str) -> tuple[int, str]:
    """Return a sort key for unique names, which begin with the second of the delivery."""
    seconds = parse_number(os.fsencode(name.partition(".")[0]))
    return (seconds or 0, name)


class MaildirFiles:
    """The messages of a Maildir by their unique names, wherever its other users put them.

    The unique name is the part of a file's name before the colon; flags follow it. A mail program
    can change the flags, and move messages from ``new`` to ``cur``, at any time. A folder that is
    read at that moment may show neither the old name nor the new one (POSIX, ``readdir()``). So a
    message counts as deleted only if the folders were read twice with the same result.

    Every method raises ``OSError``, and ``FileNotFoundError`` for a message that is gone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        before = self._paths = self._look()
        # True if the last two readings found the same messages, so that all others are gone.
        self._settled: bool
        for _ in range(_LOOKS):
            before = self._paths
            self._look_again()
            if self._settled:
                return
        # The folder keeps changing. A message that one reading missed is probably in the other.
        self._paths = before | self._paths

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __contains__(self, name: str) -> bool:
        return name in self._paths

    def _look(self) -> dict[str, Path]:
        paths: dict[str, Path] = {}
        for subfolder in ("new", "cur"):
            with os.scandir(self._folder / subfolder) as entries:
                for entry in entries:
                    if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                        paths[entry.name.partition(":")[0]] = Path(entry.path)
        return paths

    def _look_again(self) -> None:
        before, self._paths = self._paths, self._look()
        self._settled = before.keys() == self._paths.keys()

    def _at_its_place(self, name: str, act: Callable[[Path], T]) -> T:
        for _ in range(_LOOKS):
            if name in self._paths:
                with suppress(FileNotFoundError):
                    return act(self._paths[name])
            elif self._settled:
                raise FileNotFoundError(ENOENT, "a message is not in its Maildir any more", name)
            self._look_again()
        raise OSError(EBUSY, "a message is renamed faster than it can be opened", name)

    def read(self, name: str, chunk: int) -> Iterator[bytes]:
        """Yield a message, ``chunk`` octets at a time. Closing the generator closes the file."""
        descriptor = self._at_its_place(name, lambda path: os.open(path, _READ))
        try:
            if not S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(EINVAL, "a message is not a regular file", name)
            while data := os.read(descriptor, chunk):
                yield data
        finally:
            os.close(descriptor)

    def remove(self, name: str) -> None:
        """Delete a message."""
        self._at_its_place(name, os.unlink)
        del self._paths[name]


def _platform_lock() -> Callable[[int], None] | None:
    """Return a function that locks an open file without waiting, or ``None`` if there is none."""
    if sys.platform == "win32":
        return None
    import fcntl

    return lambda descriptor: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FolderLock:
    """A lock on a Maildir, against other threads and other processes.

    It is a ``flock()`` on a file in the folder, which ends with the process, however the process
    ends. On systems without ``flock()``, the file's existence is the lock: if the process is
    killed, the file stays, and somebody has to remove it.

    Raises ``MaildropLockedError`` if another session holds it, and ``OSError``.
    """

    def __init__(self, folder: Path) -> None:
        lock = _platform_lock()
        self._path = folder / LOCK_NAME
        self._remove = lock is None
        flags = os.O_RDWR | os.O_CREAT | (os.O_EXCL if lock is None else _NOFOLLOW)
        try:
            self._descriptor: int | None = os.open(self._path, flags, 0o600)
        except FileExistsError:
            raise MaildropLockedError("another session holds the maildrop") from None
        if lock is None:
            return
        try:
            lock(self._descriptor)
        except BlockingIOError:
            self.release()
            raise MaildropLockedError("another session holds the maildrop") from None
        except OSError:
            self.release()
            raise

    def release(self) -> None:
        """Let others in. Calling it again does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        os.close(descriptor)
        if self._remove:
            with suppress(FileNotFoundError):
                self._path.unlink()
