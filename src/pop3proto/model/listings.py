"""The rows of LIST and UIDL, in 12 octets each and the unique-id, a tenth of what tuples take."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat, starmap
from operator import eq
from typing import Any, NamedTuple, TypeAlias, overload

from .._arguments import require
from ..errors import LocalProtocolError
from .grammar import MAX_MESSAGE_NUMBER, MAX_SIZE

NO_SIZE = -1
"""A size that was not a number, in the column of sizes."""


class Listing(NamedTuple):
    """A message's number, with its size from LIST and its unique-id from UIDL (RFC 1939)."""

    number: int
    """The message number, from 1."""
    octets: int | None = None
    """The size that the server claims, which is only a hint; ``None`` if LIST was not sent, or its
    answer had no number."""
    unique_id: bytes | None = None
    """The unique-id, octet for octet; ``None`` if UIDL was not sent, or its answer had none."""


Row: TypeAlias = tuple[int] | tuple[int, int | None] | tuple[int, int | None, bytes | None]


class Listings(Sequence[Listing]):
    """The rows of LIST or UIDL, or of both, in the server's order.

    Numbers can have gaps, and numbers and unique-ids can repeat.

    >>> listings = Listings([(1, 120), (2, 200)])
    >>> listings.octets
    320
    >>> listings.joined(Listings([(1, None, b"abc")])).get(1)
    Listing(number=1, octets=120, unique_id=b'abc')
    """

    __slots__ = ("_ends", "_ids", "_numbers", "_sizes")

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        numbers, sizes, ends, ids = array("i"), array("q"), array("q"), bytearray()
        try:
            for number, octets, unique_id in starmap(Listing, rows):
                if type(number) is not int or not 1 <= number <= MAX_MESSAGE_NUMBER:
                    raise LocalProtocolError(f"a message number is 1 to {MAX_MESSAGE_NUMBER}")
                if octets is not None and not 0 <= octets <= MAX_SIZE:
                    raise LocalProtocolError(f"a size is 0 to {MAX_SIZE} octets")
                numbers.append(number)
                sizes.append(NO_SIZE if octets is None else octets)
                ids += unique_id or b""
                ends.append(len(ids))
        except TypeError as error:
            raise LocalProtocolError("rows are tuples (number, octets, unique_id)") from error
        self._numbers = numbers
        # None for an empty column.
        self._sizes = sizes if sizes.count(NO_SIZE) < len(sizes) else None
        self._ends = ends if ids else None
        # All unique-ids in one run of octets, and the end of each of them. A missing id takes no
        # octets; an empty one could not be written on the wire.
        self._ids = ids

    @classmethod
    def from_columns(
        cls,
        numbers: array[int],
        sizes: array[int] | None = None,
        ends: array[int] | None = None,
        ids: bytearray | None = None,
    ) -> Listings:
        """Return listings of columns that are checked; ``ends`` is where each unique-id ends."""
        listings = cls()
        listings._numbers, listings._sizes, listings._ends = numbers, sizes, ends
        listings._ids = bytearray() if ids is None else ids
        return listings

    @property
    def numbers(self) -> Sequence[int]:
        """The message numbers, in the order in which the server listed them."""
        return tuple(self._numbers)

    @property
    def octets(self) -> int:
        """The total size of all messages whose size is known."""
        sizes = self._sizes or array("q")
        return sum(sizes) - NO_SIZE * sizes.count(NO_SIZE)

    def get(self, number: int) -> Listing | None:
        """Return the row of message ``number``, the first if it has several, or ``None``."""
        try:
            # In nearly every listing the numbers are 1, 2, 3 and so on.
            if 0 < number <= len(self) and self._numbers[number - 1] == number:
                return self[number - 1]
            return self[self._numbers.index(number)]
        except (ValueError, OverflowError):
            return None
        except TypeError:
            raise LocalProtocolError(f"number is an int, not {type(number).__name__}") from None

    def joined(self, other: Listings) -> Listings:
        """Return these rows with the sizes or unique-ids that ``other`` has for them.

        ``other`` can be the answer to UIDL, if this is the answer to LIST, or the other way round.
        A message can arrive or disappear between the two: these rows' numbers and order stay.
        """
        require("other", other, Listings, "a Listings")
        if self._numbers != other._numbers:
            known = {row.number: row for row in reversed(other)}
            other = Listings(known.get(number, Listing(number)) for number in self._numbers)
        ids = self if self._ends else other
        return self.from_columns(self._numbers, self._sizes or other._sizes, ids._ends, ids._ids)

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Listing: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Listing]: ...
    def __getitem__(self, index: int | slice) -> Listing | Sequence[Listing]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number, octets, unique_id = self._numbers[index], NO_SIZE, b""
        if self._sizes:
            octets = self._sizes[index]
        if self._ends:
            place = index if index >= 0 else index + len(self)
            start = self._ends[place - 1] if place else 0
            unique_id = bytes(self._ids[start : self._ends[place]])
        return Listing(number, None if octets == NO_SIZE else octets, unique_id or None)

    def __iter__(self) -> Iterator[Listing]:
        start, ids = 0, self._ids
        columns = self._numbers, self._sizes or repeat(NO_SIZE), self._ends or repeat(0)
        for number, octets, end in zip(*columns, strict=False):
            unique_id = bytes(ids[start:end]) if ids else None
            yield Listing(number, None if octets == NO_SIZE else octets, unique_id or None)
            start = end

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Listings):
            return NotImplemented
        if self._numbers != other._numbers or self._ids != other._ids:
            return False
        # An empty column is equal to a missing one.
        same = (self._sizes, self._ends) == (other._sizes, other._ends)
        return same or all(map(eq, self, other))

    def __hash__(self) -> int:
        return hash((self._numbers.tobytes(), self.octets, bytes(self._ids)))

    def __reduce__(self) -> tuple[Any, ...]:
        # The oldest protocols of pickle cannot do this for a class with slots.
        return self.from_columns, (self._numbers, self._sizes, self._ends, self._ids)

    def __repr__(self) -> str:
        return f"<Listings: {len(self)} messages>"
