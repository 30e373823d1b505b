"""SASLprep (RFC 4013): user names and passwords in one form, however they were typed."""

from __future__ import annotations

import stringprep
from unicodedata import ucd_3_2_0

from ..errors import LocalProtocolError

__all__ = ["saslprep"]

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str, *, stored: bool = False) -> str:
    """``text`` in the form in which it is compared (RFC 4013 section 2).

    ``stored`` is for what a server keeps: there code points that Unicode 3.2 does not know are
    refused, while a client's may hold them (RFC 3454 section 7). Raises ``LocalProtocolError`` for
    text that may not be; no word of it is in the message, for it can be a password.
    """
    if text.isascii() and text.isprintable():
        return text
    prepared = ucd_3_2_0.normalize("NFKC", "".join(map(_mapped, text)))
    problem = _problem(prepared, stored=stored)
    # A traceback shows the locals of this frame.
    del text
    if problem is not None:
        del prepared
        raise LocalProtocolError(problem)
    return prepared


def _mapped(character: str) -> str:
    if stringprep.in_table_c12(character):
        return " "
    return "" if stringprep.in_table_b1(character) else character


def _problem(text: str, *, stored: bool) -> str | None:
    if any(prohibited(c) for c in text for prohibited in _PROHIBITED):
        return "it holds a character that SASLprep prohibits (RFC 4013 section 2.3)"
    if stored and any(map(stringprep.in_table_a1, text)):
        return "it holds a character that SASLprep does not know (RFC 4013 section 2.5)"
    if any(map(stringprep.in_table_d1, text)):
        # RFC 3454 section 6.
        ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
        if not ends or any(map(stringprep.in_table_d2, text)):
            return "it mixes directions of writing (RFC 4013 section 2.4)"
    return None
