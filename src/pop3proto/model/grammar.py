"""What lines consist of: numbers, unique-ids, texts and base64, and how long these may be."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, b2a_base64
from typing import cast

from .._arguments import require
from ..errors import LocalProtocolError
from .secret import Secret

# A listing stores message numbers in four octets each; no maildrop comes near this.
MAX_MESSAGE_NUMBER = 2**31 - 1
_MESSAGE_NUMBER_DIGITS = 10
# A listing stores sizes in eight octets each: 19 digits, and not more than 2**63 - 1.
MAX_SIZE_DIGITS = 19
MAX_SIZE = 2**63 - 1
# RFC 1939 section 7: a unique-id has 1 to 70 characters from 0x21 to 0x7E.
MAX_UNIQUE_ID = 70
_UNIQUE_ID_OCTETS = bytes(range(0x21, 0x7F))

# Octets of a line with its CRLF. RFC 1939 section 3: a response has at most 512. RFC 2449 section 4
# asks every server to accept commands of 255; many accept more, and long user names are real, so a
# client may send up to what this package's own server accepts.
MAX_LINE = 512
# Room for a verb, blanks and the line end.
_ROOM = MAX_LINE - 32
# Access tokens are used as passwords, and have no practical limit.
MAX_SECRET_LINE = 8192
# RFC 5034 section 4: AUTH with its initial response has at most 255 octets.
MAX_AUTH_LINE = 255

_CONTROL_IN_TEXT = "[\x00-\x1f\x7f-\x9f\ud800-\udfff]"
_CONTROL_OCTETS = bytes([*range(0x20), 0x7F])


def parse_number(word: bytes, digits: int = MAX_SIZE_DIGITS) -> int | None:
    """Return the number that ``word`` spells in at most ``digits`` digits, or else ``None``."""
    # int() alone would accept signs, underscores and blanks, and the time that it takes grows with
    # the square of the length (CVE-2020-10735).
    if len(word) > digits or not word.isdigit():
        return None
    number = int(word)
    return number if number <= MAX_SIZE else None


def parse_message_number(word: bytes) -> int | None:
    """Return the message number that ``word`` spells, from 1 to 2**31 - 1, or ``None``."""
    number = parse_number(word, _MESSAGE_NUMBER_DIGITS)
    return number if number is not None and 1 <= number <= MAX_MESSAGE_NUMBER else None


def is_unique_id(octets: bytes) -> bool:
    """Return whether ``octets`` are a unique-id as RFC 1939 section 7 defines it."""
    return 1 <= len(octets) <= MAX_UNIQUE_ID and not octets.translate(None, _UNIQUE_ID_OCTETS)


def decode_base64(text: bytes) -> bytes | None:
    """Return the octets that ``text`` encodes, or ``None`` if it is not strictly base64."""
    try:
        data = a2b_base64(text, strict_mode=True)
    except Error:
        return None
    # The strict mode of Python 3.11 accepts superfluous padding.
    return data if len(data) == len(text) // 4 * 3 - text[-2:].count(b"=") else None


def encode_base64(data: bytes) -> bytes:
    """Return ``data`` in base64, without a line end."""
    return b2a_base64(data, newline=False)


def decode(octets: bytes) -> str:
    """Return the peer's octets as text: UTF-8, with surrogate escapes for octets that are not."""
    return octets.decode("utf-8", "surrogateescape")


def encode(argument: str | bytes | int | Secret) -> bytes:
    """Return an argument as octets: text as UTF-8 (RFC 6856), octets unchanged."""
    if isinstance(argument, Secret):
        return argument.octets()
    return argument if isinstance(argument, bytes) else str(argument).encode("utf-8")


def has_control(octets: bytes) -> bool:
    """Return whether an ASCII control character is among ``octets``."""
    return len(octets.translate(None, _CONTROL_OCTETS)) != len(octets)


def check_text(what: str, text: object, room: int = _ROOM, *, empty: bool = False) -> None:
    """Raise ``LocalProtocolError`` unless ``text`` can be an argument of at most ``room`` octets.

    The error does not show any part of the text, which may be a secret.
    """
    problem = _problem_with(text, room, empty)
    if problem is not None:
        raise LocalProtocolError(f"{what} {problem}")


def _problem_with(text: object, room: int, empty: bool) -> str | None:
    # No local variable holds it, as tracebacks show them.
    secret = Secret(cast("str | bytes", text))
    if not issubclass(secret.kind, str | bytes):
        return f"must be str or bytes, not {secret.kind.__name__}"
    if issubclass(secret.kind, bytes):
        if has_control(secret.octets()):
            return "holds a control character"
    # Nearly every text is printable, and then no pattern is compiled.
    elif not str(secret.reveal()).isprintable() and re.search(
        _CONTROL_IN_TEXT, str(secret.reveal())
    ):
        return "holds a control character or a lone surrogate"
    if not secret and not empty:
        return "is empty"
    if len(secret.octets()) > room:
        return f"is too long for a command line: more than {room} octets"
    return None


def check_word(what: str, text: object) -> None:
    """Raise ``LocalProtocolError`` unless ``text`` can be an argument that is not blank."""
    check_text(what, text)
    if not isinstance(text, str) or not text.strip(" "):
        raise LocalProtocolError(f"{what} is not a str, or is blank")


def check_message(message: object) -> None:
    """Raise ``LocalProtocolError`` unless ``message`` names a message."""
    if type(message) is not int:
        require("a message", message, str, "an int, or a str for unusual servers")
        check_word("the message argument", message)
    elif not 1 <= message <= MAX_MESSAGE_NUMBER:
        raise LocalProtocolError(f"a message number is 1 to {MAX_MESSAGE_NUMBER}")
