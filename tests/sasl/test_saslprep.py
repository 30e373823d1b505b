import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import LocalProtocolError
from pop3proto.sasl.saslprep import saslprep
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
