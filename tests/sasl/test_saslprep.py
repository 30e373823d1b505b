import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import LocalProtocolError, Secret
from pop3proto.sasl.saslprep import octets_of, prepared, saslprep
from tests.tracebacks import shown

PROHIBITED = [
    "\x07",
    "\x7f",
    "\x80",
    "\u200e",
    "\u2028",
    "\ue000",
    "\ufffe",
    "\ud800",
    "\ufffc",
    "\ufffd",
    "\u2ff0",
    "\u206a",
    "\U000e0001",
    "\U000f0000",
]


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        # RFC 4013 section 3.
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        # Spaces of other kinds, and what is mapped to nothing.
        ("a\u00a0b\u3000c", "a b c"),
        ("\u2060a\ufe0f", "a"),
        ("pa\u0308ss", "p\u00e4ss"),
        ("", ""),
        ("\u00ad", ""),
        # All of it from right to left, digits in between.
        ("\u06271\u0628", "\u06271\u0628"),
    ],
)
def test_text_is_prepared(text: str, prepared: str) -> None:
    assert saslprep(text) == prepared
    assert saslprep(text, stored=True) == prepared


@pytest.mark.parametrize("character", PROHIBITED)
def test_what_is_prohibited(character: str) -> None:
    with pytest.raises(LocalProtocolError, match="prohibits") as caught:
        saslprep(f"pa55{character}word")
    assert "pa55" not in shown(caught.value)


@pytest.mark.parametrize("text", ["\u06271", "1\u0627", "\u0627a\u0628"])
def test_directions_are_not_mixed(text: str) -> None:
    with pytest.raises(LocalProtocolError, match="directions") as caught:
        saslprep(text)
    assert text not in shown(caught.value)


def test_what_is_stored_is_known_to_unicode_3_2() -> None:
    # Assigned in Unicode 4.0.
    assert saslprep("\u0221") == "\u0221"
    with pytest.raises(LocalProtocolError, match="does not know"):
        saslprep("\u0221", stored=True)


@given(st.text())
def test_any_text_is_prepared_or_refused(text: str) -> None:
    try:
        prepared = saslprep(text)
    except LocalProtocolError:
        return
    assert unicodedata.ucd_3_2_0.normalize("NFKC", prepared) == prepared


def test_what_cannot_be_prepared_is_compared_as_it_is() -> None:
    assert prepared("I\u00adX") == "IX"
    assert prepared("a\x07") == "a\x07"


@pytest.mark.parametrize("hide", [str, Secret])
def test_octets_of_text(hide: Any) -> None:
    assert octets_of("it", hide("I\u00adX"), prepare=True) == b"IX"
    assert octets_of("it", hide("I\u00adX")) == "I\u00adX".encode()
    assert octets_of("it", hide(""), empty=True) == b""
    assert octets_of("it", Secret(b"\xff"), prepare=True) == b"\xff"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("pa55\0word", "the password holds a control character"),
        (b"pa55\0word", "the password holds a control character"),
        ("pa55\x07word", "the password: it holds a character that SASLprep prohibits"),
        ("pa55word\u0627", "the password: it mixes directions"),
        ("", "the password is empty"),
        (["pa55word"], "the password must be str or bytes, not list"),
    ],
)
def test_what_has_no_octets_does_not_show(text: Any, problem: str) -> None:
    with pytest.raises(LocalProtocolError, match=problem) as caught:
        octets_of("the password", Secret(text), prepare=isinstance(text, str) and "\0" not in text)
    assert "pa55" not in shown(caught.value)


def test_a_lone_surrogate_does_not_show_either() -> None:
    with pytest.raises(LocalProtocolError, match="the password holds a lone surrogate") as caught:
        octets_of("the password", Secret("pa55word\ud800"))
    assert "pa55" not in shown(caught.value)


@pytest.mark.parametrize("odd", ["\r", "\n", "\0", "\t", "\x1f", "\x7f", "\x80", "\x9f"])
def test_nothing_holds_a_control_character(odd: str) -> None:
    for text in (f"pa55{odd}word", Secret(f"pa55{odd}word"), Secret(f"pa55{odd}word".encode())):
        if odd >= "\x80" and isinstance(text, Secret) and text.kind is bytes:
            # Octets from 0x80 on are letters, or parts of them.
            assert octets_of("the password", text)
            continue
        with pytest.raises(LocalProtocolError, match="the password holds a control char") as caught:
            octets_of("the password", text)
        if isinstance(text, Secret):
            assert "pa55" not in shown(caught.value)


def test_what_is_no_control_character() -> None:
    for fine in (" ", "~", "\xa0", "\xff"):
        assert octets_of("it", f"a{fine}b") == f"a{fine}b".encode()
