"""Listings whose rows are parsed many at once are what they are row by row."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import Command, Fault, Limits, List, RemoteProtocolError, Uidl
from pop3proto.engine import collectors as _collectors
from pop3proto.engine.parsing import Faults, note, parse_scan_row, parse_unique_id_row
from pop3proto.testing.strategies import chunkings
from tests.engine.collecting import Feed
from tests.property.effort import effort
from tests.property.engines import Cut, by, whole

COMMANDS: list[List | Uidl] = [List(), Uidl()]
NUMBERS = [
    *[b"1000000000", b"2147483647", b"2147483648", b"9999999999", b"10000000000", b"9" * 5_000],
    *[b"0", b"00", b"01", b"007", b"000000007", b"0000000007", b"00000000007"],
    *[b"-1", b"+1", b"1_0", b"1.0", b"x", b"", "٣".encode(), "\uff13".encode(), b"1\0", b"\xb2"],
]
SEPARATORS = [b"", b"  ", b"\t", b" \t", b"\v", b"\f", b"\r", b"\n", b"\x1c", b"\xa0", b" 5\n8 "]
WORDS = [
    *[b"9" * 19, b"0" * 19, b"0" * 20, b"%d" % (2**63 - 1), b"%d" % 2**63, b"9" * 5_000],
    *[b"-1", b"+1", b"1_0", b"1.5", "٣".encode(), b"", b"a", b"...", b"!", b"~", b"x" * 70],
    *[b"x" * 71, b"\x7f", b"\xe9", b"\0", b"a\rb", b"a\tb", b"a\x0bb", b"a b", b"1 2", b"\x85"],
]
BEHIND = [b" ", b"  ", b"\t", b"\r", b"\n", b"\v", b"\x1f", b"\0", b"\xa0", b" and more"]
# Each is in one way what not nearly all rows are; not all of them are faults.
ODD = [
    *[b"%s 5" % number for number in NUMBERS],
    *[b"7%s5" % separator for separator in SEPARATORS],
    *[b"7 %s" % word for word in WORDS],
    *[b"7 5%s" % behind for behind in BEHIND],
    *[b"", b" ", b"7", b" 7 5", b"\t7 5", b"\r7 5", b"\v7 5", b"\x007 5", b"+OK 7 5", b"..7 5"],
]
WELL = [b"%d" % (10_000 + 7 * i) for i in range(20)]


def numbered(first: int, words: Sequence[bytes]) -> list[bytes]:
    return [b"%d %s" % (first + i, word) for i, word in enumerate(words)]


# Rows as nearly all are, whether they count on, ascend and differ, or not.
USUAL = st.builds(
    numbered,
    st.integers(1, 12) | st.integers(95, 105) | st.integers(10**9 - 10, 10**9 - 5),
    st.lists(st.from_regex(rb"[0-9]{1,18}", fullmatch=True), max_size=12)
    | st.lists(st.sampled_from([b"1", b"2", b"10", b"x" * 70]), max_size=8)
    | st.integers(10, 10**18 - 12).map(lambda n: [b"%d" % (n + i) for i in range(12)]),
)
ANYTHING = st.builds(bytes, st.lists(st.sampled_from(b"0179 \t\r\v_+-a~\x7f\xff"), max_size=9))
LISTINGS = st.lists(
    st.one_of(USUAL, USUAL, (st.sampled_from(ODD) | ANYTHING).map(lambda row: [row])), max_size=6
).map(lambda parts: [row for part in parts for row in part])


def lines(rows: Iterable[bytes], end: bytes) -> bytes:
    stuffed = (b"." + row if row.startswith(b".") else row for row in rows)
    return b"".join(row + end for row in (*stuffed, b"."))


def in_bulk(block: int = 16 * 1024) -> Any:
    """Not even short pieces go row by row, and the blocks and parts are small."""
    return mock.patch.multiple(_collectors, _SEVERAL=0, _BLOCK=block, _PART=3)


def row_by_row() -> Any:
    return mock.patch.multiple(_collectors, _SEVERAL=sys.maxsize)


Outcome: TypeAlias = tuple[list[list[int] | bytes], list[tuple[Fault, tuple[int, bytes]]], object]
"""The columns, the faults in the order in which they came, and the error if there was one."""


def outcome(
    command: Command[Any], chunks: Iterable[bytes], end: bytes, limits: Limits | None = None
) -> Outcome:
    feed = Feed(command, limits, b"+OK" + end)
    collector: Any = feed.collector
    error: object = None
    try:
        feed.reply(chunks)
    except RemoteProtocolError as caught:
        error = type(caught), str(caught), getattr(caught, "limit", None)
    columns: list[list[int] | bytes] = [list(collector._numbers), list(collector._column)]
    if isinstance(command, Uidl):
        columns.append(bytes(collector._ids))
    return columns, list(collector.faults.items()), error


def parsed(command: List | Uidl, rows: Iterable[bytes]) -> Outcome:
    """What is expected of ``rows``, where each of them is parsed by itself and all are kept."""
    faults: Faults = {}
    numbers: list[int] = []
    sizes: list[int] = []
    ids: list[bytes] = []
    error: object = None
    try:
        for row in rows:
            if isinstance(command, List):
                number, size = parse_scan_row(row, faults)
                sizes.append(-1 if size is None else size)
            else:
                number, unique_id = parse_unique_id_row(row, faults)
                ids.append(unique_id or b"")
            numbers.append(number)
    except RemoteProtocolError as caught:
        error = type(caught), str(caught), None
    else:
        for i, unique_id in enumerate(ids):
            if unique_id and unique_id in ids[:i]:
                note(faults, Fault.DUPLICATE_UNIQUE_ID, b"%d %s" % (numbers[i], unique_id))
    if isinstance(command, List):
        return [numbers, sizes], list(faults.items()), error
    ends = [sum(map(len, ids[: i + 1])) for i in range(len(ids))]
    return [numbers, ends, b"".join(ids)], list(faults.items()), error


@pytest.mark.parametrize("command", COMMANDS)
# By names with backslashes, mutmut would not find these tests again.
@pytest.mark.parametrize("odd", ODD, ids=[ascii(row[:30]).replace("\\", "/") for row in ODD])
def test_one_odd_row_among_usual_ones(command: List | Uidl, odd: bytes) -> None:
    rows = [*numbered(1, WELL[:9]), odd, *numbered(11, WELL[9:]), *numbered(1, WELL[8:10])]
    with in_bulk():
        for chunks in ([lines(rows, b"\r\n")], by(90)(lines(rows, b"\r\n"))):
            assert outcome(command, chunks, b"\r\n") == parsed(command, rows)


@pytest.mark.parametrize("command", COMMANDS)
@effort(300)
@given(data=st.data(), rows=LISTINGS, block=st.sampled_from([100, 300, 16 * 1024]))
def test_it_is_what_each_row_is_by_itself(
    command: List | Uidl, data: st.DataObject, rows: list[bytes], block: int
) -> None:
    wire = lines(rows, b"\r\n")
    with in_bulk(block):
        assert outcome(command, data.draw(chunkings(wire)), b"\r\n") == parsed(command, rows)


LIMITS = st.builds(
    Limits,
    listing_line=st.sampled_from([20, 79, 80, 81, 1_000]),
    listing_lines=st.integers(1, 60),
    listing_octets=st.integers(1, 1_500),
)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
@effort(300)
@given(
    data=st.data(),
    rows=LISTINGS,
    ends=st.sampled_from([(b"\r\n", b"\r\n"), (b"\n", b"\n"), (b"\n", b"\r\n")]),
    limits=st.just(Limits()) | LIMITS,
)
def test_it_is_what_it_is_row_by_row(
    command: Command[Any],
    data: st.DataObject,
    rows: list[bytes],
    ends: tuple[bytes, bytes],
    limits: Limits,
) -> None:
    status_end, end = ends
    wire = lines(rows, end)
    with row_by_row():
        expected = outcome(command, [wire], status_end, limits)
    for chunks in ([wire], data.draw(chunkings(wire)), data.draw(chunkings(wire))):
        assert outcome(command, chunks, status_end, limits) == expected
        with in_bulk(200):
            assert outcome(command, chunks, status_end, limits) == expected


def on_the_verge(name: str, values: Iterable[int]) -> list[Limits]:
    limits: list[dict[str, Any]] = [{name: value} for value in values]
    return [Limits(**each) for each in limits]


LONGEST = [b"123456789 " + b"5" * 70, b"999999999 " + b"9" * 18]
VERGES = [
    *on_the_verge("listing_lines", range(1, 14)),
    *on_the_verge("listing_octets", range(1, 300)),
    *on_the_verge("listing_line", [5, *range(26, 32), *range(78, 84)]),
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("more", [[], [b"7 5 "], [b"x"], [b"9" * 100]])
def test_whichever_limit_is_passed(command: Command[Any], more: list[bytes]) -> None:
    wire = lines([*numbered(1, WELL[:5]), *LONGEST, *more, *numbered(10, WELL[:5])], b"\r\n")
    for limits in VERGES:
        with row_by_row():
            expected = outcome(command, [wire], b"\r\n", limits)
        for cut in (whole, by(50), by(101)):
            with in_bulk(100):
                assert outcome(command, cut(wire), b"\r\n", limits) == expected, limits


def usual(command: Command[Any], count: int, end: bytes = b"\r\n") -> bytes:
    form = b"%d unique-%09d" if isinstance(command, Uidl) else b"%d %d"
    return lines((form % (i, count - i) for i in range(1, count + 1)), end)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("cut", [by(1_000), whole])
def test_usual_rows_are_not_parsed_one_by_one(command: Command[Any], end: bytes, cut: Cut) -> None:
    chunks = cut(usual(command, 2_000, end))
    refused = mock.Mock(side_effect=AssertionError)
    with (
        in_bulk(),
        mock.patch.multiple(_collectors, parse_scan_row=refused, parse_unique_id_row=refused),
    ):
        columns, faults, error = outcome(command, chunks, end)
    assert (columns[0], faults, error) == (list(range(1, 2_001)), [], None)


@pytest.mark.parametrize("several", [0, sys.maxsize])
def test_unique_ids_that_ascend_are_not_compared(several: int) -> None:
    rows = [b"1 a", b"2 ab", b"3 b", b"4", b"5 ba", b"6 c", b"7 d"]
    refused = mock.Mock(side_effect=AssertionError)
    with mock.patch.multiple(_collectors, create=True, _SEVERAL=several, hash=refused):
        for cut in (whole, by(10)):
            chunks = cut(lines(rows, b"\r\n"))
            assert outcome(Uidl(), chunks, b"\r\n") == parsed(Uidl(), rows)


def test_unique_ids_that_are_missing_are_not_equal() -> None:
    feed = Feed(Uidl())
    with mock.patch.object(feed.collector, "_note_duplicates", side_effect=AssertionError):
        feed.reply([lines([b"1 b", b"2", b"3 a", b"4", b"5"], b"\r\n")])
    assert feed.collector.faults == {Fault.MISSING_UNIQUE_ID: (3, b"2")}


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_long_listing_takes_little_memory_while_it_comes(command: Command[Any]) -> None:
    count = 200_000
    chunks = [usual(command, count)]
    tracemalloc.start()
    try:
        assert len(Feed(command).reply(chunks).listings) == count
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # A row has 12 octets of columns, and perhaps a unique-id of 16; beside them come one copy of
    # what was fed, and for a while the hashes, and the words or a set of a part of the rows.
    assert peak < count * (115 if isinstance(command, Uidl) else 50)
