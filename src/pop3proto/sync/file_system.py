"""A file system that is brought to the disk as a whole: one call for many files."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress

__all__ = ["FileSystem", "reports_errors"]

# syncfs() returns an error of a file since Linux 5.8, and one of the journal since 5.17. Before
# that, it could succeed although something was not written.
_LINUX = (5, 17)
# Here syncfs() does at least what fsync() of each file and of its folder does: it writes the files,
# commits the journal, and makes the disk empty its own cache. FUSE and 9p only write the files, and
# the error of a file below an overlay is not that of the overlay.
_KINDS = frozenset({"ext4", "xfs"})
_MOUNTS = "/proc/self/mountinfo"


class FileSystem:
    """The file system of a folder. Errors of what is written from now on are those of ``sync()``.

    Other programs' files are on it, too: ``sync()`` waits for them, and raises their errors.
    """

    def __init__(self, folder: str) -> None:
        # The kernel remembers for this descriptor which errors it has not told yet.
        self._descriptor = os.open(folder, os.O_RDONLY) if reports_errors(folder) else -1
        self._call: Callable[[int], int] | None = None

    def can_sync(self) -> bool:
        """Return ``True`` if it can be brought to the disk as a whole, errors included."""
        if self._call is None and self._descriptor >= 0:
            # Loaded here, because a run that fetches little does not need it. Some systems have no
            # ctypes, or a C library that does not know the call.
            with suppress(ImportError, OSError, AttributeError):
                import ctypes

                self._call = ctypes.CDLL(None, use_errno=True).syncfs
        return self._call is not None

    def sync(self) -> None:
        """Wait until all that was written to it is on the disk. Raises ``OSError``."""
        if not self.can_sync() or self._call is None:
            raise OSError("this file system cannot be brought to the disk as a whole")
        if self._call(self._descriptor):
            import ctypes

            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def close(self) -> None:
        """Let go of it; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._call = -1, None


def reports_errors(folder: str) -> bool:
    """Return ``True`` if ``syncfs()`` is as safe as ``fsync()`` for the files of ``folder``."""
    if sys.platform != "linux":
        return False
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if release is None or (int(release[1]), int(release[2])) < _LINUX:
        return False
    device = os.stat(folder).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError), open(_MOUNTS, "rb") as mounts:
        for line in mounts:
            # Numbers, paths and options; after a hyphen, the kind (proc(5)).
            fields = os.fsdecode(line).split(" ")
            if fields[2] == number:
                return fields[fields.index("-") + 1] in _KINDS
    return False
