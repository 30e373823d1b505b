import pytest

from pop3proto.model.grammar import (
    MAX_MESSAGE_NUMBER,
    MAX_SIZE,
    MAX_SIZE_DIGITS,
    parse_message_number,
    parse_number,
)

NO_NUMBERS = [
    b"",
    b" ",
    b"-1",
    b"+1",
    b"1_000",
    b"1 ",
    b" 1",
    b"1\n",
    b"\t1",
    b"1.0",
    b"1e3",
    b"0x10",
    b"a",
    b"1a",
    b"\x00",
    b"1\x00",
    b"\xb2",
    "٣".encode(),
    "\uff13".encode(),
    "²".encode(),
    "१२".encode(),
]


@pytest.mark.parametrize("word", NO_NUMBERS)
def test_only_ascii_digits_are_a_number(word: bytes) -> None:
    assert parse_number(word) is None
    assert parse_message_number(word) is None


@pytest.mark.parametrize(
    ("word", "number"),
    [
        (b"0", 0),
        (b"1", 1),
        (b"007", 7),
        (b"9" * 18, 10**18 - 1),
        (b"%d" % (2**63 - 1), 2**63 - 1),
        (b"%d" % 2**63, None),
        (b"9" * 19, None),
        (b"0" * 19, 0),
        (b"0" * 20, None),
        (b"1" * 20, None),
        (b"9" * 5_000, None),
        (b"0" * 5_000 + b"1", None),
    ],
)
def test_sizes_have_at_most_19_digits_and_63_bits(word: bytes, number: int | None) -> None:
    assert parse_number(word) == number


@pytest.mark.parametrize(
    ("word", "digits", "number"),
    [(b"99", 2, 99), (b"100", 2, None), (b"0099", 2, None), (b"5", 1, 5)],
)
def test_fewer_digits_can_be_asked_for(word: bytes, digits: int, number: int | None) -> None:
    assert parse_number(word, digits) == number


@pytest.mark.parametrize(
    ("word", "number"),
    [
        (b"0", None),
        (b"1", 1),
        (b"0000000001", 1),
        (b"00000000001", None),
        (b"2147483647", 2**31 - 1),
        (b"2147483648", None),
        (b"9999999999", None),
        (b"1" * 11, None),
        (b"1" * 5_000, None),
    ],
)
def test_message_numbers_are_1_to_31_bits(word: bytes, number: int | None) -> None:
    assert parse_message_number(word) == number


def test_the_bounds_are_those_of_the_columns_they_go_into() -> None:
    assert (MAX_MESSAGE_NUMBER, MAX_SIZE, MAX_SIZE_DIGITS) == (2**31 - 1, 2**63 - 1, 19)
