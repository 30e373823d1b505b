"""Scan listings and unique-id listings that stay small at a million rows.

A row is kept in 12 octets (scan listing), or 12 octets and the unique-id itself (unique-id
listing), where a list of tuples would take ten times as much; the rows that callers see are
made when they are looked at.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, overload

from ..errors import LocalProtocolError
from .grammar import MAX_MESSAGE_NUMBER, MAX_SIZE

__all__ = [
    "NO_SIZE",
    "MessageListing",
    "MessageListings",
    "ScanListing",
    "ScanListings",
    "UniqueIdListing",
    "UniqueIdListings",
]

NO_SIZE = -1
"""What stands in the column of sizes for a size that was no number."""


class ScanListing(NamedTuple):
    """A message's number and its size (RFC 1939 section 5, LIST)."""

    number: int
    """The message number, from 1."""
    octets: int | None
    """The size that the server claims, or ``None`` if it was no number. A hint, not a promise:
    servers round it, and count line ends differently from what they send."""


class UniqueIdListing(NamedTuple):
    """A message's number and its unique-id (RFC 1939 section 7, UIDL)."""

    number: int
    """The message number, from 1."""
    unique_id: bytes | None
    """The unique-id, octet for octet, or ``None`` if the server left it out."""


class MessageListing(NamedTuple):
    """What LIST and UIDL say of a message, in one row."""

    number: int
    """The message number, from 1."""
    octets: int | None
    """The size that the server claims, or ``None``. A hint."""
    unique_id: bytes | None
    """The unique-id, octet for octet, or ``None`` if the server has none for it."""


class _Listings:
    """What both kinds share: the numbers, in the server's order."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers = array("i")

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def numbers(self) -> Sequence[int]:
        """The message numbers, in the order in which the server listed them."""
        return tuple(self._numbers)

    def index_of(self, number: int) -> int | None:
        """Where the row of message ``number`` stands, from 0; ``None`` if there is none."""
        # Nearly every listing counts 1, 2, 3, so the place of a number is known without a search.
        if 0 < number <= len(self._numbers) and self._numbers[number - 1] == number:
            return number - 1
        try:
            return self._numbers.index(number)
        except (ValueError, OverflowError):
            return None


def _check_number(number: int) -> None:
    if type(number) is not int or not 1 <= number <= MAX_MESSAGE_NUMBER:
        raise LocalProtocolError(f"a message number is 1 to {MAX_MESSAGE_NUMBER}")


class ScanListings(_Listings, Sequence[ScanListing]):
    """Every row of a LIST, in the server's order; numbers can have gaps and repeat.

    >>> listings = ScanListings([(1, 120), (2, 200)])
    >>> listings.octets(2)
    200
    """

    __slots__ = ("_octets",)

    def __init__(self, rows: Iterable[tuple[int, int | None]] = ()) -> None:
        super().__init__()
        self._octets = array("q")
        for number, octets in rows:
            _check_number(number)
            if octets is not None and not 0 <= octets <= MAX_SIZE:
                raise LocalProtocolError(f"a size is 0 to {MAX_SIZE} octets")
            self._numbers.append(number)
            self._octets.append(NO_SIZE if octets is None else octets)

    @classmethod
    def from_columns(cls, numbers: array[int], octets: array[int]) -> ScanListings:
        """Take over columns that are already checked; ``NO_SIZE`` marks a size that is none."""
        listings = cls()
        listings._numbers, listings._octets = numbers, octets
        return listings

    def octets(self, number: int) -> int | None:
        """The size of message ``number`` in octets; ``None`` if the server gave no usable one.

        Raises ``KeyError`` if the listing has no such message.
        """
        index = self.index_of(number)
        if index is None:
            raise KeyError(number)
        return self[index].octets

    def __contains__(self, item: object) -> bool:
        return any(row == item for row in self)

    @overload
    def __getitem__(self, index: int) -> ScanListing: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ScanListing]: ...
    def __getitem__(self, index: int | slice) -> ScanListing | Sequence[ScanListing]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        octets = self._octets[index]
        return ScanListing(self._numbers[index], None if octets == NO_SIZE else octets)

    def __iter__(self) -> Iterator[ScanListing]:
        for number, octets in zip(self._numbers, self._octets, strict=True):
            yield ScanListing(number, None if octets == NO_SIZE else octets)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ScanListings):
            return NotImplemented
        return self._numbers == other._numbers and self._octets == other._octets

    def __hash__(self) -> int:
        return hash((self._numbers.tobytes(), self._octets.tobytes()))

    def __repr__(self) -> str:
        return f"<ScanListings: {len(self)} messages>"


class UniqueIdListings(_Listings, Sequence[UniqueIdListing]):
    """Every row of a UIDL, in the server's order; numbers and unique-ids can repeat.

    >>> listings = UniqueIdListings([(1, b"whqtswO00WBw418f9t5JxYwZ")])
    >>> listings.unique_id(1)
    b'whqtswO00WBw418f9t5JxYwZ'
    """

    __slots__ = ("_ends", "_ids")

    def __init__(self, rows: Iterable[tuple[int, bytes | None]] = ()) -> None:
        super().__init__()
        # All unique-ids in one run of octets, and where each of them ends. An id that is
        # missing takes no octets: an id of no octets cannot be written on the wire.
        self._ids = bytearray()
        self._ends = array("q")
        for number, unique_id in rows:
            _check_number(number)
            self._numbers.append(number)
            self._ids += unique_id or b""
            self._ends.append(len(self._ids))

    @classmethod
    def from_columns(
        cls, numbers: array[int], ends: array[int], ids: bytearray
    ) -> UniqueIdListings:
        """Take over columns that are already checked: where each unique-id in ``ids`` ends."""
        listings = cls()
        listings._numbers, listings._ends, listings._ids = numbers, ends, ids
        return listings

    def unique_id(self, number: int) -> bytes | None:
        """The unique-id of message ``number``; ``None`` if the server left it out.

        Raises ``KeyError`` if the listing has no such message.
        """
        index = self.index_of(number)
        if index is None:
            raise KeyError(number)
        return self[index].unique_id

    def __contains__(self, item: object) -> bool:
        return any(row == item for row in self)

    @overload
    def __getitem__(self, index: int) -> UniqueIdListing: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[UniqueIdListing]: ...
    def __getitem__(self, index: int | slice) -> UniqueIdListing | Sequence[UniqueIdListing]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = self._numbers[index]
        place = index if index >= 0 else index + len(self)
        start = self._ends[place - 1] if place else 0
        return UniqueIdListing(number, bytes(self._ids[start : self._ends[place]]) or None)

    def __iter__(self) -> Iterator[UniqueIdListing]:
        start = 0
        for number, end in zip(self._numbers, self._ends, strict=True):
            yield UniqueIdListing(number, bytes(self._ids[start:end]) or None)
            start = end

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, UniqueIdListings):
            return NotImplemented
        return (
            self._numbers == other._numbers
            and self._ends == other._ends
            and self._ids == other._ids
        )

    def __hash__(self) -> int:
        return hash((self._numbers.tobytes(), self._ends.tobytes(), bytes(self._ids)))

    def __repr__(self) -> str:
        return f"<UniqueIdListings: {len(self)} messages>"


class MessageListings(Sequence[MessageListing]):
    """LIST and UIDL joined by message number, in the order of LIST."""

    __slots__ = ("scan_listings", "unique_id_listings")

    def __init__(
        self, scan_listings: ScanListings, unique_id_listings: UniqueIdListings | None = None
    ) -> None:
        self.scan_listings = scan_listings
        """What LIST said."""
        self.unique_id_listings = unique_id_listings
        """What UIDL said; ``None`` if the server does not know it."""

    def __len__(self) -> int:
        return len(self.scan_listings)

    @overload
    def __getitem__(self, index: int) -> MessageListing: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[MessageListing]: ...
    def __getitem__(self, index: int | slice) -> MessageListing | Sequence[MessageListing]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number, octets = self.scan_listings[index]
        unique_ids = self.unique_id_listings
        # A message can arrive, or go, between the two commands.
        if unique_ids is None or (place := unique_ids.index_of(number)) is None:
            return MessageListing(number, octets, None)
        return MessageListing(number, octets, unique_ids[place].unique_id)

    def __iter__(self) -> Iterator[MessageListing]:
        unique_ids = self.unique_id_listings or UniqueIdListings()
        numbers = unique_ids.numbers
        places: dict[int, int] | None = None
        for number, octets in self.scan_listings:
            place = number - 1
            if place >= len(numbers) or numbers[place] != number:
                # The listing does not count 1, 2, 3: one table is better than many searches.
                if places is None:
                    places = {n: i for i, n in reversed(tuple(enumerate(numbers)))}
                place = places.get(number, -1)
            unique_id = unique_ids[place].unique_id if place >= 0 else None
            yield MessageListing(number, octets, unique_id)

    def __repr__(self) -> str:
        return f"<MessageListings: {len(self)} messages>"
