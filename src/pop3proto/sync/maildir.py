"""Delivery into a Maildir."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable
from itertools import count

from .._arguments import require, require_path
from .delivery import Delivery, make_folder, sync_folder
from .values import Record

__all__ = ["Maildir"]


class Maildir(Delivery):
    """A Maildir, whose messages have LF line ends. Drafts are in its ``tmp``.

    Other programs can take messages out of it at any time.
    """

    line_feeds = True

    def __init__(self, folder: os.PathLike[str] | str, tag: str) -> None:
        require_path("folder", folder)
        require("tag", tag, str, "a str")
        self._folder = os.fspath(folder)
        super().__init__(os.path.join(self._folder, "tmp"), tag)
        end = f"_{tag}.{_host()}"
        self._names = (f"{_beginning()}Q{serial}{end}" for serial in count())

    def begin(self, kept: Collection[str]) -> None:
        """Remove what earlier runs have left; make the folders."""
        for name in ("", "cur", "new", "tmp"):
            make_folder(os.path.join(self._folder, name), 0o700)
        super().begin(kept)

    def store(self, records: Iterable[Record]) -> list[Record]:
        """Move the drafts to ``new``; return those that have got lost."""
        new = os.path.join(self._folder, "new")
        lost: list[Record] = []
        for record in records:
            try:
                os.rename(os.path.join(self._drafts, record.draft), os.path.join(new, record.draft))
            except FileNotFoundError:
                if not self._has(record.draft):
                    lost.append(record)
        sync_folder(new)
        sync_folder(self._drafts)
        return lost

    def _has(self, name: str) -> bool:
        """Return ``True`` if there is a message of that name, whatever its flags."""
        return any(
            found.partition(":")[0] == name
            for folder in ("new", "cur")
            for found in os.listdir(os.path.join(self._folder, folder))
        )


def _beginning() -> str:
    """Return the first part of a name that no other message has: time and process."""
    seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{seconds}.M{microseconds}P{os.getpid()}"


def _host() -> str:
    host = os.uname().nodename if hasattr(os, "uname") else "localhost"
    return host.replace("/", "\\057").replace(":", "\\072")
