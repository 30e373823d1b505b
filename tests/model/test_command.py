from typing import Any

import pytest

from pop3proto import LocalProtocolError, ReplyShape, State
from pop3proto.model.command import (
    AUTHENTICATING,
    AUTHORIZATION,
    AUTHORIZATION_OR_TRANSACTION,
    TRANSACTION,
    Command,
    check,
    check_message,
    check_word,
    line,
    octets,
    problem_with,
)
from tests.samples import ASCII_CONTROLS, OTHER_CONTROLS, with_control


class Plain(Command[Any]):
    __slots__ = ()

    verb = "XPLAIN"
    legal_states = TRANSACTION


def test_what_a_command_is_unless_it_says_otherwise() -> None:
    command = Plain()
    assert command.to_bytes() == b"XPLAIN\r\n"
    assert command.shape is ReplyShape.STATUS
    assert command.next_state is None
    assert not command.barrier
    assert not command.alone
    assert not command.secret


def test_states() -> None:
    assert {State.AUTHORIZATION} == AUTHORIZATION
    assert {State.AUTHENTICATING} == AUTHENTICATING
    assert {State.TRANSACTION} == TRANSACTION
    assert {State.AUTHORIZATION, State.TRANSACTION} == AUTHORIZATION_OR_TRANSACTION


@pytest.mark.parametrize(
    "text", ["a", "two words", " ", "ümläut", "漢字", b"octets", b"\x80\xff", "x" * 10, b"x" * 10]
)
def test_arguments_that_may_be_sent(text: str | bytes) -> None:
    assert problem_with("it", text, 10) is None


@pytest.mark.parametrize("control", ASCII_CONTROLS)
def test_no_control_in_an_argument(control: str) -> None:
    for text in with_control(control):
        assert problem_with("it", text, 10) == ("it holds a control character or a lone surrogate")
        assert problem_with("it", text.encode(), 10) == "it holds a control character"


@pytest.mark.parametrize("control", OTHER_CONTROLS)
def test_no_c1_control_and_no_lone_surrogate_in_text(control: str) -> None:
    for text in with_control(control):
        assert problem_with("it", text, 10) == ("it holds a control character or a lone surrogate")


@pytest.mark.parametrize(
    ("text", "problem"),
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
def test_what_is_wrong_is_said_without_the_text(text: object, problem: str) -> None:
    assert problem_with("it", text, 10) == problem


@pytest.mark.parametrize("text", ["", b""])
def test_an_empty_argument_can_be_allowed(text: str | bytes) -> None:
    assert problem_with("it", text, 10, empty=True) is None


def test_check() -> None:
    check("it", "x" * 480)
    check("it", b"x" * 10, 10)
    with pytest.raises(LocalProtocolError, match="it is too long"):
        check("it", "x" * 481)
    with pytest.raises(LocalProtocolError, match="it is too long"):
        check("it", "x" * 11, 10)


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


def test_lines() -> None:
    assert line(b"RETR", 5) == b"RETR 5\r\n"
    assert line(b"RETR", "five") == b"RETR five\r\n"
    assert line(b"USER", "jörg") == b"USER j\xc3\xb6rg\r\n"
    assert line(b"USER", b"j\xf6rg") == b"USER j\xf6rg\r\n"
    assert octets("jörg") == b"j\xc3\xb6rg"
    assert octets(b"j\xf6rg") == b"j\xf6rg"
