"""What the wire is made of: numbers and base64."""

from __future__ import annotations

from binascii import Error, a2b_base64

__all__ = [
    "MAX_MESSAGE_NUMBER",
    "MAX_SIZE",
    "MAX_SIZE_DIGITS",
    "decode_base64",
    "parse_message_number",
    "parse_number",
]

# Message numbers go into four octets each in a listing; no maildrop comes near this.
MAX_MESSAGE_NUMBER = 2**31 - 1
_MESSAGE_NUMBER_DIGITS = 10
# Sizes go into eight octets each: 19 digits, and not more than 2**63 - 1.
MAX_SIZE_DIGITS = 19
MAX_SIZE = 2**63 - 1


def parse_number(word: bytes, digits: int = MAX_SIZE_DIGITS) -> int | None:
    """The non-negative number that ``word`` spells in at most ``digits`` digits, else ``None``.

    ``int()`` alone would take signs, underscores, blanks and, from text, the digits of every
    script, and its time grows with the square of the length (CVE-2020-10735).
    """
    if len(word) > digits or not word.isdigit():
        return None
    number = int(word)
    return number if number <= MAX_SIZE else None


def parse_message_number(word: bytes) -> int | None:
    """The message number that ``word`` spells, from 1 to 2**31 - 1, else ``None``."""
    number = parse_number(word, _MESSAGE_NUMBER_DIGITS)
    return number if number is not None and 1 <= number <= MAX_MESSAGE_NUMBER else None


def decode_base64(text: bytes) -> bytes | None:
    """What ``text`` encodes, or ``None`` if it is no base64 to the letter."""
    try:
        data = a2b_base64(text, strict_mode=True)
    except Error:
        return None
    # The strict mode of Python 3.11 lets padding pass that nothing needs.
    return data if len(data) == len(text) // 4 * 3 - text[-2:].count(b"=") else None
