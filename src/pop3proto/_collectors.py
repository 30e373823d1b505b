"""Multi-line replies that are collected: rows are parsed as they come, within the limits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from itertools import islice
from operator import eq
from typing import Any, TypeAlias

from ._parsing import Faults, decode, note, parse_scan_row, parse_unique_id_row
from ._wire import BodyReader
from .capabilities import Capabilities
from .commands import Command
from .deviations import Fault
from .errors import LimitExceeded
from .limits import Limits
from .listings import NO_SIZE, ScanListings, UniqueIdListings
from .replies import (
    CapaReply,
    Language,
    LanguagesReply,
    ListReply,
    MechanismsReply,
    UidlReply,
)
from .states import ReplyShape

__all__ = ["COLLECTORS", "Collector"]

CollectedReply: TypeAlias = ListReply | UidlReply | CapaReply | LanguagesReply | MechanismsReply


class Collector(ABC):
    """Reads one dot-terminated reply row by row."""

    def __init__(self, command: Command[Any], text: str, body: BodyReader, limits: Limits) -> None:
        self.command = command
        self.text = text
        self.body = body
        self.faults: Faults = {}
        self._limits = limits
        self._partial = b""
        self._rows = 0

    def collect(self) -> bool:
        """Take what the buffer holds; whether the reply is complete now.

        Raises ``LimitExceeded`` for a listing that is too long, and ``RemoteProtocolError`` for a
        row that cannot be read: whichever comes first, however the octets are cut.
        """
        limits = self._limits
        while chunk := self.body.read():
            start = self.body.octets - len(chunk) - len(self._partial)
            *rows, self._partial = (self._partial + chunk).split(self.body.newline)
            longest = max(len(self._partial), max(map(len, rows), default=0))
            if (
                longest > limits.listing_line
                or self._rows + len(rows) > limits.listing_lines
                or self.body.octets > limits.listing_octets
            ):
                self._check(rows, start)
            self._rows += len(rows)
            self.take(self._contents(rows))
        return self.body.complete

    def _contents(self, rows: list[bytes]) -> list[bytes]:
        if self.body.newline != b"\n":
            return rows
        # Who ends status lines with LF can still end rows with CRLF.
        return [row.removesuffix(b"\r") for row in rows]

    def _check(self, rows: list[bytes], start: int) -> None:
        """Take the rows before the one that passes a limit, if one does, and raise.

        ``start`` octets come before ``rows``. Of several limits it is the one that is passed
        first, as if the octets came one by one.
        """
        limits = self._limits
        for count, row in enumerate([*rows, self._partial]):
            complete = count < len(rows)
            octets = len(row) + len(self.body.newline) * complete
            passed: list[tuple[int, str]] = []
            [content] = self._contents([row])
            if len(content) > limits.listing_line:
                passed.append((limits.listing_line, "listing_line"))
            if complete and self._rows + count == limits.listing_lines:
                passed.append((octets - 1, "listing_lines"))
            if start + octets > limits.listing_octets:
                passed.append((limits.listing_octets - start, "listing_octets"))
            if passed:
                self.take(self._contents(rows[:count]))
                raise self._too_long(min(passed)[1])
            start += octets

    def _too_long(self, name: str) -> LimitExceeded:
        limit: int = getattr(self._limits, name)
        what = name.replace("_", " ")
        message = f"the answer passes the limit for {what}: {limit}"
        return LimitExceeded(message, command=self.command, limit=name, value=limit)

    @abstractmethod
    def take(self, rows: list[bytes]) -> None:
        """Parse the next rows, given without their line ends."""

    @abstractmethod
    def reply(self) -> CollectedReply:
        """The reply, once ``collect()`` has said that it is complete."""


class ScanListingsCollector(Collector):
    """LIST without an argument (RFC 1939 section 5)."""

    def __init__(self, command: Command[Any], text: str, body: BodyReader, limits: Limits) -> None:
        super().__init__(command, text, body, limits)
        self._columns = array("i"), array("q")

    def take(self, rows: list[bytes]) -> None:
        numbers, sizes = self._columns
        for row in rows:
            number, octets = parse_scan_row(row, self.command, self.faults)
            numbers.append(number)
            sizes.append(NO_SIZE if octets is None else octets)

    def reply(self) -> ListReply:
        return ListReply(self.command, ScanListings.from_columns(*self._columns), self.text)


class UniqueIdListingsCollector(Collector):
    """UIDL without an argument (RFC 1939 section 7)."""

    def __init__(self, command: Command[Any], text: str, body: BodyReader, limits: Limits) -> None:
        super().__init__(command, text, body, limits)
        self._columns = array("i"), array("q"), bytearray()
        self._hashes = array("q")

    def take(self, rows: list[bytes]) -> None:
        numbers, ends, ids = self._columns
        for row in rows:
            number, unique_id = parse_unique_id_row(row, self.command, self.faults)
            numbers.append(number)
            if unique_id is not None:
                ids += unique_id
                self._hashes.append(hash(unique_id))
            ends.append(len(ids))

    def reply(self) -> UidlReply:
        listings = UniqueIdListings.from_columns(*self._columns)
        self._note_duplicates(listings)
        return UidlReply(self.command, listings, self.text)

    def _note_duplicates(self, listings: UniqueIdListings) -> None:
        # A set of a million unique-ids would take far more memory than the listing itself, so
        # hashes are compared first: nearly always there is no pair, and it ends there.
        ordered = sorted(self._hashes)
        if not any(map(eq, ordered, islice(ordered, 1, None))):
            return
        seen: set[bytes] = set()
        for number, unique_id in listings:
            if unique_id is None:
                continue
            if unique_id in seen:
                note(self.faults, Fault.DUPLICATE_UNIQUE_ID, b"%d %s" % (number, unique_id))
            seen.add(unique_id)


class _Lines(Collector):
    """A reply of few lines, each of them kept."""

    def __init__(self, command: Command[Any], text: str, body: BodyReader, limits: Limits) -> None:
        super().__init__(command, text, body, limits)
        self.lines: list[bytes] = []

    def take(self, rows: list[bytes]) -> None:
        self.lines += rows


class CapabilitiesCollector(_Lines):
    """CAPA (RFC 2449 section 5)."""

    def reply(self) -> CapaReply:
        names: set[bytes] = set()
        for line in self.lines:
            if not line.strip() or not line.isascii():
                note(self.faults, Fault.MALFORMED_CAPABILITY, line)
            name = line.split(None, 1)[0].upper() if line.strip() else b""
            if name in names:
                note(self.faults, Fault.REPEATED_CAPABILITY, line)
            names.add(name)
        return CapaReply(self.command, Capabilities(tuple(map(decode, self.lines))), self.text)


class LanguagesCollector(_Lines):
    """LANG without an argument (RFC 6856 section 3)."""

    def reply(self) -> LanguagesReply:
        words = (line.partition(b" ") for line in self.lines)
        languages = (Language(decode(tag), decode(name.strip())) for tag, _, name in words)
        return LanguagesReply(self.command, tuple(languages), self.text)


class MechanismsCollector(_Lines):
    """AUTH without an argument, on servers older than CAPA."""

    def reply(self) -> MechanismsReply:
        return MechanismsReply(self.command, tuple(map(decode, self.lines)), self.text)


COLLECTORS: dict[ReplyShape, type[Collector]] = {
    ReplyShape.SCAN_LISTINGS: ScanListingsCollector,
    ReplyShape.UNIQUE_ID_LISTINGS: UniqueIdListingsCollector,
    ReplyShape.CAPABILITIES: CapabilitiesCollector,
    ReplyShape.LANGUAGES: LanguagesCollector,
    ReplyShape.MECHANISMS: MechanismsCollector,
}
