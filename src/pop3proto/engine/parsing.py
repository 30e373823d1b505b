"""Status lines and listing rows to typed values, for the client's role.

A parser notes the faults that it found; its caller decides if they are tolerated, and adds the
command to the ``RemoteProtocolError`` for a line that cannot be parsed at all.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from ..errors import RemoteProtocolError, printable
from ..model.command import Command
from ..model.grammar import (
    MAX_SIZE_DIGITS,
    decode,
    is_unique_id,
    parse_message_number,
    parse_number,
)
from ..model.leniency import Fault
from ..model.listings import Listings, Row
from ..model.replies import (
    ErrorReply,
    LangReply,
    LastReply,
    ListReply,
    StatReply,
    UidlReply,
    split_response_code,
)

Faults: TypeAlias = dict[Fault, tuple[int, bytes]]
"""For each fault, how often it was seen, and the first line with it."""


def note(faults: Faults, fault: Fault, line: bytes) -> None:
    """Count one more occurrence of ``fault``, first seen in ``line``."""
    count, sample = faults.get(fault, (0, line[:200]))
    faults[fault] = (count + 1, sample)


def split_status_line(line: bytes) -> tuple[bytes, bytes]:
    """Return the status indicator (``+OK``, ``-ERR``, ``+``, or nothing) and the text after it.

    The indicator keeps its case. A word that only begins like one does not count: ``+ERR`` and
    ``+OKAY`` give no indicator.
    """
    if line == b"+OK" or line.startswith(b"+OK "):
        # Nearly every line of every server has this form.
        return b"+OK", line[4:].rstrip(b" \t")
    if line.startswith(b"+ ") or line == b"+":
        return b"+", line[2:]
    for indicator in (b"+OK", b"-ERR"):
        size = len(indicator)
        if line[:size].upper() == indicator and not line[size : size + 1].isalnum():
            text = line[size + 1 :] if line[size : size + 1] in (b" ", b"\t") else line[size:]
            return line[:size], text.rstrip(b" \t")
    return b"", line


def parse_error_reply(command: Command[Any] | None, text: bytes) -> ErrorReply:
    """Return an ``-ERR``, with its response code removed from the text (RFC 2449 section 8)."""
    code, rest = split_response_code(decode(text))
    return ErrorReply(command, rest, code)


_STRANGERS = {
    (b"* OK", b"* PREAUTH", b"* BYE"): "this is an IMAP server",
    (b"220 ", b"220-", b"554 "): "this is an SMTP or FTP server",
    (b"HTTP/", b"SSH-"): "this is an HTTP or SSH server",
    (b"\x15\x03", b"\x16\x03"): "this server speaks TLS from the start: use implicit TLS",
}


def explain_greeting(line: bytes) -> str:
    """Return what kind of server may have sent ``line`` instead of a POP3 greeting."""
    found = (what for beginnings, what in _STRANGERS.items() if line.startswith(beginnings))
    return next(found, "this is not a POP3 server")


def _checked(number: int | None, what: str, text: bytes) -> int:
    """Return ``number``; if it is ``None``, raise because ``text`` is not a ``what``."""
    if number is None:
        raise RemoteProtocolError(f"the answer is not a {what}: {printable(text) or 'nothing'}")
    return number


def _words(text: bytes, count: int) -> list[bytes]:
    """Return the first ``count`` words, with empty ones at the end if there are fewer."""
    return [*text.split(None, count)[:count], b"", b""][:count]


def _size(word: bytes, line: bytes, faults: Faults) -> int | None:
    size = parse_number(word)
    if size is None:
        note(faults, Fault.UNUSABLE_SIZE, line)
    return size


def parse_scan_row(row: bytes, faults: Faults) -> tuple[int, int | None]:
    """Return a scan listing; text after the two numbers is ignored (RFC 1939 section 5)."""
    first, _, second = row.partition(b" ")
    if second.isdigit() and len(second) < MAX_SIZE_DIGITS:
        # Nearly every row of every server has this form.
        number = parse_message_number(first)
        if number is not None:
            return number, int(second)
    first, second = _words(row, 2)
    number = _checked(parse_message_number(first), "scan listing", row)
    if b" ".join(row.split(None, 2)) != row:
        note(faults, Fault.LISTING_SPACING, row)
    return number, _size(second, row, faults)


def parse_unique_id_row(row: bytes, faults: Faults) -> tuple[int, bytes | None]:
    """Return a unique-id listing; the unique-id is everything after the first blanks."""
    word, _, rest = row.lstrip(b" \t").partition(b" ")
    number = _checked(parse_message_number(word), "unique-id listing", row)
    unique_id = rest.lstrip(b" ")
    if not unique_id:
        note(faults, Fault.MISSING_UNIQUE_ID, row)
        return number, None
    if row != word + b" " + unique_id:
        note(faults, Fault.LISTING_SPACING, row)
    if not is_unique_id(unique_id):
        note(faults, Fault.MALFORMED_UNIQUE_ID, row)
    return number, unique_id


def _one(command: Command[Any], row: Row, text: bytes) -> Listings:
    # If the answers are out of step, one about another message must not be mistaken for this one.
    asked = getattr(command, "message", None)
    if isinstance(asked, int) and asked != row[0]:
        raise RemoteProtocolError(f"the answer is about another message: {printable(text)}")
    return Listings([row])


SingleLineReply: TypeAlias = StatReply | ListReply | UidlReply | LastReply | LangReply


def parse_single_line(command: Command[Any], text: bytes, faults: Faults) -> SingleLineReply:
    """Return the answer in the ``text`` of a status line, to a command that has no other lines.

    Text after the numbers of a drop listing is ignored (RFC 1939 section 5).
    """
    answer = command.answer
    if answer is StatReply:
        first, second = _words(text, 2)
        count = _checked(parse_number(first), "drop listing", text)
        return StatReply(command, count, _size(second, text, faults))
    if answer is UidlReply:
        number, unique_id = parse_unique_id_row(text, faults)
        return UidlReply(command, _one(command, (number, None, unique_id), text))
    if answer is ListReply:
        return ListReply(command, _one(command, parse_scan_row(text, faults), text))
    if answer is LangReply:
        return LangReply(command, (), decode(text))
    [word] = _words(text, 1)
    return LastReply(command, _checked(parse_number(word), "message number", text))
