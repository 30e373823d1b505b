from typing import Any

import pytest

from pop3proto import LocalProtocolError, Secret, State
from pop3proto.model.grammar import (
    MAX_MESSAGE_NUMBER,
    MAX_SIZE,
    MAX_SIZE_DIGITS,
    check_message,
    check_text,
    check_word,
    decode,
    encode,
    has_control,
    is_unique_id,
    parse_message_number,
    parse_number,
)
from tests.samples import ASCII_CONTROLS, OTHER_CONTROLS, with_control

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


def problem(what: str, text: object, room: int, *, empty: bool = False) -> str | None:
    try:
        check_text(what, text, room, empty=empty)
    except LocalProtocolError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    "text", ["a", "two words", " ", "ümläut", "漢字", b"octets", b"\x80\xff", "x" * 10, b"x" * 10]
)
def test_arguments_that_may_be_sent(text: str | bytes) -> None:
    assert problem("it", text, 10) is None


@pytest.mark.parametrize("control", ASCII_CONTROLS)
def test_no_control_in_an_argument(control: str) -> None:
    for text in with_control(control):
        assert problem("it", text, 10) == ("it holds a control character or a lone surrogate")
        assert problem("it", text.encode(), 10) == "it holds a control character"


@pytest.mark.parametrize("control", OTHER_CONTROLS)
def test_no_c1_control_and_no_lone_surrogate_in_text(control: str) -> None:
    for text in with_control(control):
        assert problem("it", text, 10) == ("it holds a control character or a lone surrogate")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        (b"", "it is empty"),
        ("x" * 11, "it is too long for a command line: more than 10 octets"),
        (b"x" * 11, "it is too long for a command line: more than 10 octets"),
        ("ä" * 6, "it is too long for a command line: more than 10 octets"),
        (None, "it must be str or bytes, not NoneType"),
        (5, "it must be str or bytes, not int"),
        (bytearray(b"x"), "it must be str or bytes, not bytearray"),
        (memoryview(b"x"), "it must be str or bytes, not memoryview"),
        (["x"], "it must be str or bytes, not list"),
    ],
)
def test_what_is_wrong_is_said_without_the_text(text: object, said: str) -> None:
    assert problem("it", text, 10) == said


@pytest.mark.parametrize("text", ["", b""])
def test_an_empty_argument_can_be_allowed(text: str | bytes) -> None:
    assert problem("it", text, 10, empty=True) is None


def test_check() -> None:
    check_text("it", "x" * 480)
    check_text("it", b"x" * 10, 10)
    with pytest.raises(LocalProtocolError, match="it is too long"):
        check_text("it", "x" * 481)
    with pytest.raises(LocalProtocolError, match="it is too long"):
        check_text("it", "x" * 11, 10)


@pytest.mark.parametrize("message", [1, 2**31 - 1, "x", "unread mail"])
def test_messages(message: int | str) -> None:
    check_message(message)


@pytest.mark.parametrize(
    "message",
    [
        0,
        -1,
        2**31,
        pytest.param(10**5_000, id="5001 digits"),
        pytest.param(-(10**5_000), id="minus 5001 digits"),
        True,
        1.0,
        None,
        b"1",
        [1],
        State.DEAD,
        "",
        "1\r\n",
        "x" * 481,
    ],
)
def test_no_message(message: object) -> None:
    with pytest.raises(LocalProtocolError):
        check_message(message)


@pytest.mark.parametrize("word", ["en", "*", " en ", "two words"])
def test_words(word: str) -> None:
    check_word("it", word)


@pytest.mark.parametrize("word", ["", " ", "   ", "\t", "en\n", "x" * 481, None])
def test_no_words(word: Any) -> None:
    with pytest.raises(LocalProtocolError, match="it "):
        check_word("it", word)


@pytest.mark.parametrize("text", ["x" * 11, b"x" * 11, "\r", b"\n", ""])
def test_a_secret_is_checked_as_its_text_is(text: str | bytes) -> None:
    assert problem("it", Secret(text), 10) == problem("it", text, 10)
    assert problem("it", Secret("x"), 10) is None


def test_octets_and_text() -> None:
    assert encode("jörg") == encode(Secret("jörg")) == b"j\xc3\xb6rg"
    assert encode(b"j\xf6rg") == encode(Secret(b"j\xf6rg")) == b"j\xf6rg"
    assert decode(b"j\xc3\xb6rg \xff") == "jörg \udcff"
    assert has_control(b"a\tb")
    assert not has_control(b"a b\xff")


@pytest.mark.parametrize("octets", [b"!", b"~", b"x" * 70, b".", b"a/b:c<d>"])
def test_unique_ids(octets: bytes) -> None:
    assert is_unique_id(octets)


@pytest.mark.parametrize("octets", [b"", b" ", b"a b", b"\x7f", b"\xe9", b"\x00", b"x" * 71])
def test_no_unique_ids(octets: bytes) -> None:
    assert not is_unique_id(octets)
