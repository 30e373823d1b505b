"""Delivery to somebody else, who says of each message that it is stored: not to a folder."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence

from .._arguments import require, require_path, require_seconds
from ..client.files import wait_for_disk
from .delivery import Delivery, DeliveryError, sync_folder, write_whole
from .values import Record

__all__ = ["Handover"]

_READ: int = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_APPEND: int = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)


class Handover(Delivery):
    """Messages are handed over one by one, from drafts that are whole and on the disk.

    Each that was taken is noted in a journal at once, and the note is on the disk before the next
    message. So a run that ends in the middle of a group does not make the next one hand over what
    was taken.
    """

    # A server closes a session in which nothing happens for ten minutes (RFC 1939 section 3), and
    # each of these messages can take seconds.
    largest_group = 32
    # Files that belong to no draft, and that no run removes.
    _lasting: frozenset[str] = frozenset()

    def __init__(self, spool: os.PathLike[str] | str, tag: str, timeout: float) -> None:
        require_path("spool", spool)
        require("tag", tag, str, "a str")
        require_seconds("timeout", timeout, zero=False)
        super().__init__(os.fspath(spool), tag)
        self._timeout = timeout
        self._journal_name = f"taken-{tag}"
        self._journal: int | None = None
        self._taken: set[str] = set()

    def begin(self, kept: Collection[str]) -> None:
        """Remove what earlier runs have left, except for what the messages ``kept`` need."""
        super().begin({*kept, *self._lasting, *([self._journal_name] if kept else [])})
        self._wait_for([os.path.join(self._drafts, name) for name in kept])
        self._journal = os.open(os.path.join(self._drafts, self._journal_name), _APPEND, 0o600)
        with open(self._journal, "rb", closefd=False) as file:
            # What comes after the last line end was not written completely.
            lines, _, rest = file.read().rpartition(b"\n")
        self._taken = {line.decode("ascii", "replace") for line in lines.splitlines()}
        if rest:
            write_whole(self._journal, b"\n")

    def store(self, records: Iterable[Record]) -> list[Record]:
        """Hand the messages over; return those that were not taken, and that have got lost."""
        records = [*records]
        assert self._journal is not None  # noqa: S101 - begin() comes first
        if self._taken.isdisjoint(record.draft for record in records):
            # All that it holds is recorded since.
            os.ftruncate(self._journal, 0)
            self._taken.clear()
        failures: dict[str, DeliveryError] = {}
        self.failures: Mapping[str, DeliveryError] = failures
        lost: list[Record] = []
        try:
            for record in records:
                if record.draft in self._taken:
                    continue
                try:
                    failure = self._try(record, self._journal)
                except FileNotFoundError:
                    lost.append(record)
                    continue
                if failure is not None:
                    failures[record.draft] = failure
                    lost.append(record)
        finally:
            self._rest()
        self.discard(record.draft for record in records)
        sync_folder(self._drafts)
        return lost

    def _try(self, record: Record, journal: int) -> DeliveryError | None:
        draft = os.open(os.path.join(self._drafts, record.draft), _READ)
        try:
            failure = self._hand_over(record, draft, journal)
            wait_for_disk(journal)
        finally:
            os.close(draft)
        return failure

    def close(self) -> None:
        """Close all files."""
        super().close()
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None

    def _wait_for(self, drafts: Sequence[str]) -> None:
        """Wait until nothing that an earlier run has begun takes a draft any more."""

    def _hand_over(self, record: Record, draft: int, journal: int) -> DeliveryError | None:
        """Hand a message over, and add its draft's name to the journal if it was taken.

        Return the error if it was not. After an error that is raised, no other message is tried.
        """
        raise NotImplementedError

    def _rest(self) -> None:
        """End what was kept open from one message to the next."""

    def _note(self, record: Record, journal: int) -> None:
        write_whole(journal, f"{record.draft}\n".encode("ascii"))
