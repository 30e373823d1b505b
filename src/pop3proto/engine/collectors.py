"""Multi-line replies that are collected: rows are parsed as they arrive, within the limits."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from array import array
from functools import cache
from itertools import accumulate, islice
from operator import lt
from typing import Any, ClassVar, TypeAlias

from ..errors import LimitError
from ..model.capabilities import Capabilities
from ..model.command import Command
from ..model.grammar import MAX_UNIQUE_ID, decode
from ..model.leniency import Fault
from ..model.limits import Limits
from ..model.listings import NO_SIZE, Listings
from ..model.replies import CapaReply, LangReply, Language, ListReply, MechanismsReply, UidlReply
from .parsing import Faults, note, parse_scan_row, parse_unique_id_row
from .wire import BodyReader

CollectedReply: TypeAlias = ListReply | UidlReply | CapaReply | LangReply | MechanismsReply

# Regular expressions for the form that nearly all rows of every server have. The parsers find
# no fault in such rows, and would also split them at white space; their numbers have so few digits
# that they are in range. The expressions never backtrack.
_USUAL_SCAN_ROW = rb"[1-9][0-9]{0,8}+ [0-9]{1,18}+"
_USUAL_UNIQUE_ID_ROW = rb"[1-9][0-9]{0,8}+ [!-~]{1,%d}+" % MAX_UNIQUE_ID
_LONGEST_USUAL_ROW = len(b"123456789 ") + MAX_UNIQUE_ID
# How many octets there have to be to parse rows many at once; fewer are faster one by one.
_SEVERAL = 80
# The most octets that are parsed at once, so that not all words of a long chunk exist together.
_BLOCK = 16 * 1024
# Roughly how many hashes are compared at once.
_PART = 64 * 1024


class Collector(ABC):
    """Reads one dot-terminated reply row by row: by default, keeps its few lines."""

    def __init__(self, command: Command[Any], text: str, body: BodyReader, limits: Limits) -> None:
        self.command = command
        self.text = text
        self.body = body
        self.faults: Faults = {}
        self.lines: list[bytes] = []
        self._limits, self._partial, self._rows = limits, b"", 0

    def collect(self) -> bool:
        """Take the octets in the buffer; return whether the reply is complete now.

        Raises ``LimitError``, or ``RemoteProtocolError`` for a row that cannot be read: the first
        problem in the listing, however the octets are cut into chunks.
        """
        limits = self._limits
        while chunk := self.body.read():
            octets = self._partial + chunk
            taken = self._take_usual(octets) if len(octets) >= _SEVERAL else 0
            rows = octets[taken:].split(self.body.newline)
            longest = max(map(len, rows))
            self._partial = rows.pop()
            if (
                longest > limits.listing_line
                or self._rows + len(rows) > limits.listing_lines
                or self.body.octets > limits.listing_octets
            ):
                self._check(rows, self.body.octets - len(octets) + taken)
            self._rows += len(rows)
            self.take(self._contents(rows))
        return self.body.complete

    def _take_usual(self, octets: bytes) -> int:
        """Take the first rows that need no closer look and exceed no limit; return their octets."""
        return 0

    def _contents(self, rows: list[bytes]) -> list[bytes]:
        if self.body.newline != b"\n":
            return rows
        # A server that ends status lines with LF can still end rows with CRLF.
        return [row.removesuffix(b"\r") for row in rows]

    def _check(self, rows: list[bytes], start: int) -> None:
        """If a row exceeds a limit, take the rows before it, and raise.

        ``start`` octets come before ``rows``. If several limits are exceeded, the error names the
        first one, as if the octets arrived one by one.
        """
        limits = self._limits
        for count, row in enumerate([*rows, self._partial]):
            complete = count < len(rows)
            octets = len(row) + len(self.body.newline) * complete
            # After how many octets of the row each limit is exceeded.
            passed: list[tuple[int, str]] = []
            if len(self._contents([row])[0]) > limits.listing_line:
                passed.append((limits.listing_line, "listing_line"))
            if complete and self._rows + count == limits.listing_lines:
                passed.append((octets - 1, "listing_lines"))
            if start + octets > limits.listing_octets:
                passed.append((limits.listing_octets - start, "listing_octets"))
            if passed:
                self.take(self._contents(rows[:count]))
                name = min(passed)[1]
                what, limit = name.replace("_", " "), getattr(limits, name)
                message = f"the answer exceeds the limit for {what}: {limit}"
                raise LimitError(message, limit=name, value=limit)
            start += octets

    def take(self, rows: list[bytes]) -> None:
        """Keep the next rows, given without their line ends, or parse them."""
        self.lines += rows

    @abstractmethod
    def reply(self) -> CollectedReply:
        """Return the reply, after ``collect()`` has returned ``True``."""


@cache
def _rows_of(form: bytes, newline: bytes) -> re.Pattern[bytes]:
    return re.compile(b"(?:" + form + newline + b")+")


class _NumberedRows(Collector):
    """Rows of a number and a word. Nearly all have one form, and are parsed many at once.

    A row of another form goes to ``take()``, with everything that was received after it.
    """

    usual: ClassVar[bytes]
    """The usual form of a row: one of the patterns in ``parsing``."""

    def __init__(self, command: Command[Any], text: str, body: BodyReader, limits: Limits) -> None:
        super().__init__(command, text, body, limits)
        # The columns of the listing: numbers, and sizes or ends of unique-ids.
        self._numbers, self._column = array("i"), array("q")
        self._ids: bytearray = bytearray()

    def _take_usual(self, octets: bytes) -> int:
        limits, taken = self._limits, 0
        if limits.listing_line < _LONGEST_USUAL_ROW or limits.listing_octets < self.body.octets:
            return 0
        usual = _rows_of(self.usual, self.body.newline)
        while found := usual.match(octets, taken, taken + _BLOCK):
            words = found[0].split()
            rows = self._rows + len(words) // 2
            if rows > limits.listing_lines:
                break
            self._rows, taken = rows, found.end()
            # Through a list, because arrays take lists more quickly than iterators.
            self._numbers.fromlist(list(map(int, words[::2])))
            self._take_words(words[1::2])
        return taken

    @abstractmethod
    def _take_words(self, words: list[bytes]) -> None:
        """Take what follows the numbers in one or more rows of the usual form."""


class _ScanListings(_NumberedRows):
    """LIST without an argument (RFC 1939 section 5)."""

    usual = _USUAL_SCAN_ROW

    def _take_words(self, words: list[bytes]) -> None:
        self._column.fromlist(list(map(int, words)))

    def take(self, rows: list[bytes]) -> None:
        for row in rows:
            number, octets = parse_scan_row(row, self.faults)
            self._numbers.append(number)
            self._column.append(NO_SIZE if octets is None else octets)

    def reply(self) -> ListReply:
        listings = Listings.from_columns(self._numbers, self._column)
        return ListReply(self.command, listings, self.text)


class _UniqueIdListings(_NumberedRows):
    """UIDL without an argument (RFC 1939 section 7)."""

    usual = _USUAL_UNIQUE_ID_ROW
    # True if each unique-id is greater than the one before; and the last of them.
    _ascending, _last = True, b""

    def _take_words(self, words: list[bytes]) -> None:
        self._column.fromlist(list(accumulate(map(len, words), initial=len(self._ids)))[1:])
        self._ids += b"".join(words)
        if self._ascending:
            ascending = all(map(lt, words, islice(words, 1, None)))
            self._ascending = ascending and self._last < words[0]
            self._last = words[-1]

    def take(self, rows: list[bytes]) -> None:
        for row in rows:
            number, unique_id = parse_unique_id_row(row, self.faults)
            self._numbers.append(number)
            if unique_id is not None:
                self._ids += unique_id
                self._ascending = self._ascending and self._last < unique_id
                self._last = unique_id
            self._column.append(len(self._ids))

    def reply(self) -> UidlReply:
        listings = Listings.from_columns(self._numbers, None, self._column, self._ids)
        # If each unique-id is greater than the one before, as with many servers, none repeats.
        if not self._ascending and self._hashes_repeat():
            self._note_duplicates(listings)
        return UidlReply(self.command, listings, self.text)

    def _hashes_repeat(self) -> bool:
        # A set of a million unique-ids would take far more memory than the listing itself, so
        # hashes are compared first, in parts: nearly always no two are equal, and then nothing else
        # has to be compared.
        parts = [array("q") for _ in range(1 + len(self._column) // _PART)]
        octets, start = bytes(self._ids), 0
        for end in self._column:
            if end > start:
                value = hash(octets[start:end])
                parts[value % len(parts)].append(value)
            start = end
        return any(len(set(part)) < len(part) for part in parts)

    def _note_duplicates(self, listings: Listings) -> None:
        seen: set[bytes] = set()
        for number, _, unique_id in listings:
            if unique_id is None:
                continue
            if unique_id in seen:
                note(self.faults, Fault.DUPLICATE_UNIQUE_ID, b"%d %s" % (number, unique_id))
            seen.add(unique_id)


class _Capabilities(Collector):
    """CAPA (RFC 2449 section 5)."""

    def reply(self) -> CapaReply:
        names: set[bytes] = set()
        for line in self.lines:
            name = b"".join(line.upper().split(None, 1)[:1])
            if not name or not line.isascii():
                note(self.faults, Fault.MALFORMED_CAPABILITY, line)
            if name in names:
                note(self.faults, Fault.REPEATED_CAPABILITY, line)
            names.add(name)
        return CapaReply(self.command, Capabilities(tuple(map(decode, self.lines))), self.text)


class _Languages(Collector):
    """LANG without an argument (RFC 6856 section 3)."""

    def reply(self) -> LangReply:
        words = (line.partition(b" ") for line in self.lines)
        languages = (Language(decode(tag), decode(name.strip())) for tag, _, name in words)
        return LangReply(self.command, tuple(languages), self.text)


class _Mechanisms(Collector):
    """AUTH without an argument, on servers older than CAPA."""

    def reply(self) -> MechanismsReply:
        return MechanismsReply(self.command, tuple(map(decode, self.lines)), self.text)


COLLECTORS: dict[type[CollectedReply], type[Collector]] = {
    ListReply: _ScanListings,
    UidlReply: _UniqueIdListings,
    CapaReply: _Capabilities,
    LangReply: _Languages,
    MechanismsReply: _Mechanisms,
}
