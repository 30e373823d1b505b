import pickle
import tracemalloc
from array import array
from collections.abc import Callable, Sequence
from time import process_time
from typing import Any

import pytest

from pop3proto import Listing, Listings, LocalProtocolError
from pop3proto.model.listings import NO_SIZE

SIZES = [(1, 120), (2, None), (7, 0), (9, 2**63 - 1), (9, 3)]
IDS = [
    (1, None, b"a"),
    (2, None, None),
    (7, None, b"\xff id with blanks"),
    (9, None, b"a"),
    (9, None, b"x" * 70),
]
# Python refuses to print it, and so an error message has to do without.
HUGE = pytest.param(10**5_000, id="5001 digits")
NO_NUMBERS = [0, -1, 2**31, 2**80, True, 1.0, "1", None, HUGE]
SCAN, UNIQUE = Listings(SIZES), Listings(IDS)
BOTH = pytest.mark.parametrize(
    ("listings", "rows"),
    [
        (SCAN, [Listing(*row) for row in SIZES]),
        (UNIQUE, [Listing(*row) for row in IDS]),
        (
            SCAN.joined(UNIQUE),
            [
                Listing(1, 120, b"a"),
                Listing(2, None, None),
                Listing(7, 0, b"\xff id with blanks"),
                Listing(9, 2**63 - 1, b"a"),
                Listing(9, 3, b"x" * 70),
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


def test_empty() -> None:
    listings = Listings()
    assert list(listings) == []
    assert not listings
    assert listings.numbers == ()
    assert listings[:] == []
    assert listings.octets == 0
    assert listings.get(1) is None
    with pytest.raises(IndexError):
        listings[0]


def test_a_message_is_found_by_its_number() -> None:
    assert SCAN.numbers == UNIQUE.numbers == (1, 2, 7, 9, 9)
    assert SCAN.get(1) == (1, 120, None)
    assert SCAN.get(2) == (2, None, None)
    assert SCAN.get(7) == (7, 0, None)
    assert UNIQUE.get(7) == (7, None, b"\xff id with blanks")
    assert SCAN.get(9) == (9, 2**63 - 1, None)
    assert UNIQUE.get(9) == (9, None, b"a")
    without_gaps = Listings([(1, 5), (2, 6), (3, 7)])
    assert [without_gaps.get(number) for number in (1, 2, 3)] == [*without_gaps]


def test_the_greatest_number_is_a_number() -> None:
    assert Listings([(2**31 - 1, 5)]).get(2**31 - 1) == (2**31 - 1, 5, None)


@pytest.mark.parametrize("number", [0, -1, 3, 8, 2**31, 2**70, -(2**70)])
@pytest.mark.parametrize("listings", [SCAN, UNIQUE])
def test_a_message_that_is_not_listed(listings: Listings, number: int) -> None:
    assert listings.get(number) is None


def test_octets_are_the_sizes_that_are_known_together() -> None:
    assert SCAN.octets == 120 + 2**63 - 1 + 3
    assert UNIQUE.octets == 0
    assert Listings([(1, None), (2, None)]).octets == 0


@pytest.mark.parametrize("number", NO_NUMBERS)
@pytest.mark.parametrize("rest", [(None,), (None, b"a"), ()])
def test_no_message_number(rest: tuple[Any, ...], number: Any) -> None:
    with pytest.raises(LocalProtocolError, match="a message number is 1 to 2147483647"):
        Listings([(number, *rest)])


@pytest.mark.parametrize("octets", [-1, 2**63, 2**80, HUGE])
def test_no_size(octets: int) -> None:
    with pytest.raises(LocalProtocolError, match="a size is 0 to 9223372036854775807 octets"):
        Listings([(1, octets)])


def test_rows_can_come_from_anywhere() -> None:
    assert Listings(iter(SIZES)) == SCAN
    assert Listings(SCAN) == SCAN
    assert Listings(UNIQUE) == UNIQUE
    joined = SCAN.joined(UNIQUE)
    assert Listings(joined) == joined


def test_columns_are_taken_over() -> None:
    scan = Listings.from_columns(array("i", [3, 4]), array("q", [NO_SIZE, 9]))
    assert scan == Listings([(3, None), (4, 9)])
    ids = Listings.from_columns(
        array("i", [3, 4, 5]), None, array("q", [2, 2, 3]), bytearray(b"abc")
    )
    assert ids == Listings([(3, None, b"ab"), (4, None), (5, None, b"c")])


def test_a_column_with_nothing_in_it_is_as_good_as_none() -> None:
    numbers, sizes, ends = array("i", [3, 4]), array("q", [NO_SIZE, NO_SIZE]), array("q", [0, 0])
    empty = Listings.from_columns(numbers, sizes, ends, bytearray())
    assert empty == Listings([(3,), (4,)])
    assert hash(empty) == hash(Listings([(3,), (4,)]))
    assert list(empty) == [Listing(3), Listing(4)]
    assert empty[1] == Listing(4)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SCAN, Listings(SIZES[:-1])),
        (SCAN, Listings([*SIZES[:-1], (9, 4)])),
        (SCAN, Listings([*SIZES[:-1], (6, 3)])),
        (SCAN, Listings(SIZES[::-1])),
        (Listings([(1, 0)]), Listings([(1, None)])),
        (UNIQUE, Listings(IDS[:-1])),
        (UNIQUE, Listings([*IDS[:-1], (6, None, b"x" * 70)])),
        (UNIQUE, Listings([*IDS[:-1], (9, None, b"y" * 70)])),
        (
            Listings([(1, None, b"ab"), (2, None, b"c")]),
            Listings([(1, None, b"a"), (2, None, b"bc")]),
        ),
        (SCAN, UNIQUE),
        (SCAN, SCAN.joined(UNIQUE)),
        (SCAN, SIZES),
        (UNIQUE, IDS),
    ],
)
def test_different_listings_are_not_equal(one: object, other: object) -> None:
    assert one != other
    assert other != one


@pytest.mark.parametrize(
    ("one", "same"),
    [
        (SCAN, Listings(SIZES)),
        (UNIQUE, Listings(IDS)),
        (SCAN.joined(UNIQUE), Listings(SCAN.joined(UNIQUE))),
    ],
)
def test_equal_listings_have_equal_hashes(one: Listings, same: object) -> None:
    assert one == same
    assert hash(one) == hash(same)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(one, protocol))
        assert again == one
        assert [*again] == [*one]


def test_hashes_tell_listings_apart() -> None:
    one, other = Listings([(1, None, b"a")]), Listings([(1, None, b"b")])
    different = [SCAN, UNIQUE, Listings(SIZES[:-1]), Listings([(1, 120)]), one, other]
    assert len({*different}) == len({*map(hash, different)}) == len(different)


def test_join_in_either_order() -> None:
    assert SCAN.joined(UNIQUE) == UNIQUE.joined(SCAN)
    assert SCAN.joined(Listings()) == SCAN
    assert UNIQUE.joined(Listings()) == UNIQUE
    assert Listings().joined(SCAN) == Listings()
    # What is there already stays.
    assert SCAN.joined(Listings((number, 1) for number in SCAN.numbers)) == SCAN


def test_join_where_the_maildrop_changed_between_the_commands() -> None:
    sizes, ids = Listings([(1, 10), (3, 30)]), Listings([(2, None, b"b"), (3, None, b"c")])
    assert list(sizes.joined(ids)) == [Listing(1, 10, None), Listing(3, 30, b"c")]
    assert list(ids.joined(sizes)) == [Listing(2, None, b"b"), Listing(3, 30, b"c")]


def test_join_takes_the_first_row_of_a_number_that_repeats() -> None:
    ids = Listings([(1, None, b"a"), (1, None, b"b")])
    assert list(Listings([(1, 10)]).joined(ids)) == [Listing(1, 10, b"a")]


def test_a_join_takes_linear_time_where_the_numbers_have_a_gap() -> None:
    def seconds(rows: int) -> float:
        sizes = Listings((n, 1) for n in range(2, rows + 2))
        ids = Listings((n, None, b"x") for n in range(3, rows + 3))
        start = process_time()
        assert len(list(sizes.joined(ids))) == rows
        return process_time() - start

    # In the square of the rows it would be a hundred times as long.
    assert min(seconds(20_000), seconds(20_000)) < 40 * min(seconds(2_000), seconds(2_000))


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


@pytest.mark.slow
def test_a_million_scan_listings_are_small() -> None:
    rows = ((number, 3_000 + number) for number in range(1, 1_000_001))
    assert held(lambda: Listings(rows)) < 16 * 2**20


@pytest.mark.slow
def test_a_million_unique_id_listings_are_small() -> None:
    rows = ((number, None, b"whqtswO00WBw418f9t%06d" % number) for number in range(1, 1_000_001))
    # 24 octets of unique-id, 12 beside it, and an eighth of both that columns grow ahead.
    assert held(lambda: Listings(rows)) < 1_000_000 * 36 * 9 // 8


@pytest.mark.parametrize("number", ["1", b"1", None])
def test_a_number_is_an_int(number: Any) -> None:
    with pytest.raises(LocalProtocolError, match=f"number is an int, not {type(number).__name__}"):
        Listings([(1, 120)]).get(number)


def test_rows_and_other_listings_are_what_they_are_called() -> None:
    wrong: Any
    for wrong in (5, b"ab", [5], [(1, 2, b"", 4)], [(1, "2")], [(1, 2, 3)], [(1, 1.5)]):
        with pytest.raises(LocalProtocolError, match=r"rows are tuples \(number, octets"):
            Listings(wrong)
    wrong = 5
    with pytest.raises(LocalProtocolError, match="other is a Listings, not int"):
        Listings([(1, 2)]).joined(wrong)
