import pickle
import tracemalloc
from array import array
from collections.abc import Callable, Sequence
from time import process_time
from typing import Any

import pytest

from pop3proto import (
    LocalProtocolError,
    MessageListing,
    MessageListings,
    ScanListing,
    ScanListings,
    UniqueIdListing,
    UniqueIdListings,
)
from pop3proto.model.listings import NO_SIZE

SIZES = [(1, 120), (2, None), (7, 0), (9, 2**63 - 1), (9, 3)]
IDS = [(1, b"a"), (2, None), (7, b"\xff id with blanks"), (9, b"a"), (9, b"x" * 70)]
# Python refuses to print it, and so an error message has to do without.
HUGE = pytest.param(10**5_000, id="5001 digits")
NO_NUMBERS = [0, -1, 2**31, 2**80, True, 1.0, "1", None, HUGE]
SCAN, UNIQUE = ScanListings(SIZES), UniqueIdListings(IDS)
BOTH = pytest.mark.parametrize(
    ("listings", "rows"),
    [
        (SCAN, [ScanListing(*row) for row in SIZES]),
        (UNIQUE, [UniqueIdListing(*row) for row in IDS]),
        (
            MessageListings(SCAN, UNIQUE),
            [
                MessageListing(1, 120, b"a"),
                MessageListing(2, None, None),
                MessageListing(7, 0, b"\xff id with blanks"),
                MessageListing(9, 2**63 - 1, b"a"),
                MessageListing(9, 3, b"a"),
            ],
        ),
    ],
    ids=["scan", "unique-id", "joined"],
)


@BOTH
def test_gaps_disorder_and_repeated_numbers_stay_as_they_came(
    listings: Sequence[Any], rows: list[Any]
) -> None:
    assert isinstance(listings, Sequence)
    assert len(listings) == len(rows)
    assert list(listings) == rows
    assert [listings[i] for i in range(len(rows))] == rows
    assert list(map(type, listings)) == list(map(type, rows))


@BOTH
def test_it_is_a_sequence(listings: Sequence[Any], rows: list[Any]) -> None:
    assert list(reversed(listings)) == rows[::-1]
    for row in rows:
        assert row in listings
        assert listings.index(row) == rows.index(row)
        assert listings.count(row) == 1
    assert (99, 99) not in listings
    assert None not in listings


@BOTH
@pytest.mark.parametrize("index", range(-5, 5))
def test_index(listings: Sequence[Any], rows: list[Any], index: int) -> None:
    assert listings[index] == rows[index]


@BOTH
@pytest.mark.parametrize("index", [5, -6, 2**70, -(2**70)])
def test_index_out_of_range(listings: Sequence[Any], rows: list[Any], index: int) -> None:
    with pytest.raises(IndexError):
        listings[index]


@BOTH
@pytest.mark.parametrize(
    "part",
    [slice(None), slice(1, 3), slice(-2, None), slice(None, None, -2), slice(4, 1), slice(9)],
)
def test_slice(listings: Sequence[Any], rows: list[Any], part: slice) -> None:
    assert listings[part] == rows[part]


@BOTH
def test_repr_is_short(listings: Sequence[Any], rows: list[Any]) -> None:
    assert repr(listings) == f"<{type(listings).__name__}: 5 messages>"


@pytest.mark.parametrize("listings", [ScanListings(), UniqueIdListings()])
def test_empty(listings: ScanListings | UniqueIdListings) -> None:
    assert list(listings) == []
    assert not listings
    assert listings.numbers == ()
    assert listings[:] == []
    with pytest.raises(IndexError):
        listings[0]


def test_a_message_is_found_by_its_number() -> None:
    assert SCAN.numbers == UNIQUE.numbers == (1, 2, 7, 9, 9)
    assert (SCAN.octets(1), SCAN.octets(2), SCAN.octets(7)) == (120, None, 0)
    assert (UNIQUE.unique_id(1), UNIQUE.unique_id(2)) == (b"a", None)
    assert UNIQUE.unique_id(7) == b"\xff id with blanks"
    assert SCAN.octets(9) == 2**63 - 1
    assert UNIQUE.unique_id(9) == b"a"


@pytest.mark.parametrize("number", [0, -1, 3, 8, 2**31, 2**70, -(2**70)])
@pytest.mark.parametrize("find", [SCAN.octets, UNIQUE.unique_id])
def test_a_message_that_is_not_listed(find: Callable[[int], object], number: int) -> None:
    with pytest.raises(KeyError, match=str(number)):
        find(number)


@pytest.mark.parametrize("number", NO_NUMBERS)
@pytest.mark.parametrize("make", [ScanListings, UniqueIdListings])
def test_no_message_number(make: Callable[[Any], object], number: object) -> None:
    with pytest.raises(LocalProtocolError, match="a message number is 1 to 2147483647"):
        make([(number, None)])


@pytest.mark.parametrize("octets", [-1, 2**63, 2**80, HUGE])
def test_no_size(octets: int) -> None:
    with pytest.raises(LocalProtocolError, match="a size is 0 to 9223372036854775807 octets"):
        ScanListings([(1, octets)])


def test_rows_can_come_from_anywhere() -> None:
    assert ScanListings(iter(SIZES)) == SCAN
    assert ScanListings(SCAN) == SCAN
    assert UniqueIdListings(UNIQUE) == UNIQUE


def test_columns_are_taken_over() -> None:
    scan = ScanListings.from_columns(array("i", [3, 4]), array("q", [NO_SIZE, 9]))
    assert scan == ScanListings([(3, None), (4, 9)])
    ids = UniqueIdListings.from_columns(
        array("i", [3, 4, 5]), array("q", [2, 2, 3]), bytearray(b"abc")
    )
    assert ids == UniqueIdListings([(3, b"ab"), (4, None), (5, b"c")])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SCAN, ScanListings(SIZES[:-1])),
        (SCAN, ScanListings([*SIZES[:-1], (9, 4)])),
        (SCAN, ScanListings([*SIZES[:-1], (6, 3)])),
        (SCAN, ScanListings(SIZES[::-1])),
        (ScanListings([(1, 0)]), ScanListings([(1, None)])),
        (UNIQUE, UniqueIdListings(IDS[:-1])),
        (UNIQUE, UniqueIdListings([*IDS[:-1], (6, b"x" * 70)])),
        (UNIQUE, UniqueIdListings([*IDS[:-1], (9, b"y" * 70)])),
        (UniqueIdListings([(1, b"ab"), (2, b"c")]), UniqueIdListings([(1, b"a"), (2, b"bc")])),
        (ScanListings(), UniqueIdListings()),
        (SCAN, SIZES),
        (UNIQUE, IDS),
    ],
)
def test_different_listings_are_not_equal(one: object, other: object) -> None:
    assert one != other
    assert other != one


@pytest.mark.parametrize(
    ("one", "same"), [(SCAN, ScanListings(SIZES)), (UNIQUE, UniqueIdListings(IDS))]
)
def test_equal_listings_have_equal_hashes(one: object, same: object) -> None:
    assert one == same
    assert hash(one) == hash(same)
    again = pickle.loads(pickle.dumps(one))
    assert again == one


def test_hashes_tell_listings_apart() -> None:
    assert len({SCAN, ScanListings(SIZES[:-1]), ScanListings([(1, 120)]), UNIQUE}) == 4
    assert len({UNIQUE, UniqueIdListings([(1, b"a")]), UniqueIdListings([(1, b"b")])}) == 3


def test_join_without_uidl() -> None:
    listings = MessageListings(SCAN)
    assert listings.unique_id_listings is None
    assert listings[0] == MessageListing(1, 120, None)
    assert {row.unique_id for row in listings} == {None}


def test_join_where_the_maildrop_changed_between_the_commands() -> None:
    listings = MessageListings(
        ScanListings([(1, 10), (3, 30)]), UniqueIdListings([(2, b"b"), (3, b"c"), (4, b"d")])
    )
    assert list(listings) == [MessageListing(1, 10, None), MessageListing(3, 30, b"c")]
    assert listings.scan_listings.numbers == (1, 3)


def test_a_join_takes_linear_time_where_the_numbers_have_a_gap() -> None:
    def seconds(first: int) -> float:
        numbers = range(first, first + 10_000)
        listings = MessageListings(
            ScanListings((n, 1) for n in numbers), UniqueIdListings((n, b"x") for n in numbers)
        )
        start = process_time()
        assert len(list(listings)) == 10_000
        return process_time() - start

    # In the square of the rows it would be some fifty times as long.
    assert min(seconds(2), seconds(2)) < 15 * min(seconds(1), seconds(1))


def held(make: Callable[[], Sequence[Any]]) -> int:
    """How many octets of memory stay taken by what ``make`` returns; it has a million rows."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        listings = make()
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(listings) == 1_000_000
    return taken


def test_a_million_scan_listings_are_small() -> None:
    rows = ((number, 3_000 + number) for number in range(1, 1_000_001))
    assert held(lambda: ScanListings(rows)) < 16 * 2**20


def test_a_million_unique_id_listings_are_small() -> None:
    rows = ((number, b"whqtswO00WBw418f9t%06d" % number) for number in range(1, 1_000_001))
    # 24 octets of unique-id, 12 beside it, and an eighth of both that columns grow ahead.
    assert held(lambda: UniqueIdListings(rows)) < 1_000_000 * 36 * 9 // 8
