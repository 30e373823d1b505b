"""What quirks make of the lines that a server sends: pure functions, for each kind of line."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TypeAlias

from ...model.commands import Auth, Noop
from ...model.events import ServerReply
from ...model.replies import (
    Challenge,
    Greeting,
    LastReply,
    ListReply,
    Ok,
    StatReply,
    UidlReply,
)
from .names import Quirk

__all__ = ["capabilities", "listing", "mail", "next_connection", "status"]

Quirks: TypeAlias = frozenset[Quirk]

_GREETINGS = {
    Quirk.ERROR_GREETING: b"-ERR too busy",
    Quirk.IMAP_GREETING: b"* OK IMAP4rev1 ready",
    Quirk.SMTP_GREETING: b"220 mail.example.org ESMTP ready",
    Quirk.MALFORMED_TIMESTAMP: b"+OK ready <no msg-id>",
}
_UNIQUE_IDS: dict[Quirk, Callable[[bytes], bytes]] = {
    Quirk.DUPLICATE_UNIQUE_IDS: lambda _: b"same",
    Quirk.MALFORMED_UNIQUE_IDS: lambda unique_id: b"with space " + unique_id,
    Quirk.LONG_UNIQUE_IDS: lambda unique_id: b"long-" * 20 + unique_id,
    Quirk.NON_ASCII_UNIQUE_IDS: lambda unique_id: b"\xe9" + unique_id,
}
_SIZES: dict[Quirk, Callable[[bytes], bytes]] = {
    Quirk.NEGATIVE_SIZES: lambda _: b"-1",
    Quirk.HUGE_SIZES: lambda _: b"9" * 25,
    Quirk.WORDY_SIZES: lambda _: b"unknown",
    Quirk.SMALL_SIZES: lambda size: b"%d" % (int(size) // 2),
    Quirk.ROUNDED_SIZES: lambda size: b"%d" % (-(-int(size) // 1024) * 1024),
}
_HIDDEN = {
    Quirk.HIDDEN_CAPABILITIES: {b"TOP", b"UIDL", b"PIPELINING"},
    Quirk.HIDDEN_STLS: {b"STLS"},
    Quirk.HIDDEN_MECHANISMS: {b"SASL"},
    Quirk.NO_UIDL: {b"UIDL"},
    # It has another one.
    Quirk.ODD_CAPABILITIES: {b"EXPIRE"},
}
_ADDED = {
    Quirk.ODD_CAPABILITIES: (b"EXPIRE 31 USER", b"LOGIN-DELAY 300 USER", b"X-UNKNOWN tag"),
    Quirk.BLANK_CAPABILITY: (b"",),
    Quirk.NON_ASCII_CAPABILITY: (b"X-\xe9",),
    Quirk.MISSPELT_CAPABILITY: (b"EXPIRENEVER",),
}
_NO_UTF8 = (b"Subject: a message that cannot be shown", b"", b"Send UTF8 first.")
_MARK = b"Status: RO"
_CONTENT = {
    Quirk.CR_IN_MAIL: b"one\rtwo\r\rthree",
    Quirk.NUL_IN_MAIL: b"one\0two\0\0",
    Quirk.LONG_LINE_IN_MAIL: b"x" * 120_000,
}

next_connection = count().__next__
"""A number for each connection, for what is different at each of them."""


def status(quirks: Quirks, line: bytes, reply: ServerReply) -> bytes:
    """The first line of an answer."""
    match reply:
        case Greeting():
            line = _greeting(quirks, line)
        case Challenge():
            line = _challenge(quirks, line)
        case Ok(command=Noop()) if Quirk.NOT_A_STATUS in quirks:
            return b"done"
        case Ok(command=Noop()) if Quirk.NUL_STATUS in quirks:
            return b"+OK \0"
        case StatReply() | ListReply() | UidlReply() if not reply.command.shape.multiline:
            line = b"+OK " + listing(quirks, line.removeprefix(b"+OK "), reply)
        case _:
            pass
    if Quirk.PLUS_ERR in quirks and line.startswith(b"-ERR"):
        line = b"+" + line[1:]
    indicator, space, text = line.partition(b" ")
    if Quirk.LOWER_CASE_STATUS in quirks:
        indicator = indicator.lower()
    return indicator + _text(quirks, space + text, reply)


def _text(quirks: Quirks, text: bytes, reply: ServerReply) -> bytes:
    """What stands behind the status indicator, with the space before it."""
    if isinstance(reply, Challenge) or (
        isinstance(reply, Greeting) and quirks & {Quirk.IMAP_GREETING, Quirk.SMTP_GREETING}
    ):
        return text
    success = isinstance(reply, Ok) and isinstance(reply.command, Auth)
    if success and Quirk.BARE_AUTH_SUCCESS in quirks:
        return b""
    numbers = (
        isinstance(reply, StatReply | ListReply | UidlReply | LastReply)
        and not reply.command.shape.multiline
    )
    if Quirk.BARE_STATUS in quirks and not numbers:
        return b""
    return text + b"  " if Quirk.TRAILING_SPACES in quirks else text


def _greeting(quirks: Quirks, line: bytes) -> bytes:
    line = next((text for quirk, text in _GREETINGS.items() if quirk in quirks), line)
    if Quirk.SECOND_TIMESTAMP in quirks:
        line = line.replace(b"+OK ", b"+OK <stale@example.org> ", 1)
    return line


def _challenge(quirks: Quirks, line: bytes) -> bytes:
    empty = line == b"+ "
    prose = Quirk.PROSE_CHALLENGES in quirks and empty
    if prose or Quirk.ONLY_PROSE_CHALLENGES in quirks:
        line = b"+ Go on, please"
    elif empty and Quirk.BARE_CHALLENGES in quirks:
        line = b"+"
    return b"+OK" + line[1:] if Quirk.OK_CHALLENGES in quirks else line


def listing(quirks: Quirks, line: bytes, reply: ServerReply) -> bytes:
    """What the answer to LIST or UIDL says of one message, or that to STAT of all."""
    number, _, value = line.partition(b" ")
    if isinstance(reply, StatReply):
        number = b"%d" % (int(number) + (Quirk.WRONG_COUNT in quirks))
        return number + b" " + _size(quirks, value)
    if Quirk.NUMBERS_FROM_ZERO in quirks:
        number = b"%d" % (int(number) - 1)
    elif Quirk.HUGE_NUMBERS in quirks:
        number = b"%d" % (int(number) + 2**31 - 1)
    if isinstance(reply, ListReply):
        value = _size(quirks, value)
    elif Quirk.MISSING_UNIQUE_IDS in quirks:
        return number
    else:
        for quirk, change in _UNIQUE_IDS.items():
            value = change(value) if quirk in quirks else value
    space = b"   " if Quirk.SPACED_LISTINGS in quirks else b" "
    indent = b"  " if Quirk.INDENTED_LISTINGS in quirks else b""
    return indent + number + space + value


def _size(quirks: Quirks, size: bytes) -> bytes:
    size = next((change(size) for quirk, change in _SIZES.items() if quirk in quirks), size)
    return size + b" octets" if Quirk.LISTING_TEXT in quirks else size


def capabilities(
    quirks: Quirks, lines: list[bytes], *, logged_in: bool, connection: int
) -> list[bytes]:
    """The list that answers CAPA, on the connection with this number."""
    if Quirk.NO_CAPABILITIES in quirks:
        return []
    hidden = {word for quirk, words in _HIDDEN.items() if quirk in quirks for word in words}
    if Quirk.HIDDEN_UNTIL_LOGIN in quirks and not logged_in:
        hidden |= _HIDDEN[Quirk.HIDDEN_CAPABILITIES]
    if Quirk.FORGOTTEN_CAPABILITIES in quirks and logged_in:
        hidden |= {b"USER", b"SASL", b"UTF8"}
    lines = [line for line in lines if line.partition(b" ")[0] not in hidden]
    if Quirk.MISSPELT_CAPABILITY in quirks:
        lines = [b"PIPELINE" if line == b"PIPELINING" else line for line in lines]
    if Quirk.REPEATED_CAPABILITIES in quirks:
        lines = [line for line in lines for _ in range(2)]
    lines += [line for quirk, more in _ADDED.items() if quirk in quirks for line in more]
    if Quirk.LOWER_CASE_CAPABILITIES in quirks:
        lines = [line.lower() for line in lines]
    if Quirk.SHUFFLED_CAPABILITIES in quirks and lines:
        first = connection % len(lines)
        lines = lines[first:] + lines[:first]
    return lines[::-1] if Quirk.REVERSED_CAPABILITIES in quirks else lines


def mail(
    quirks: Quirks, lines: list[bytes], *, top: bool, utf8: bool, retrieved: bool
) -> list[bytes]:
    """A message, or its beginning, with its dots doubled as they should be.

    ``utf8`` says whether UTF8 was sent, ``retrieved`` whether this is not the first time.
    """
    header = lines[: lines.index(b"")] if b"" in lines else lines
    if Quirk.NEEDS_UTF8 in quirks and not utf8 and not b"".join(header).isascii():
        lines = list(_NO_UTF8)
    if Quirk.RETR_MARKS in quirks and retrieved:
        lines = [_MARK, *lines]
    if top:
        lines = lines[:1] if Quirk.TRUNCATED_TOP in quirks else lines
    else:
        lines = lines + [line for quirk, line in _CONTENT.items() if quirk in quirks]
    return _with_single_dots(quirks, lines)


def _with_single_dots(quirks: Quirks, lines: list[bytes]) -> list[bytes]:
    dotted = [number for number, line in enumerate(lines) if line.startswith(b".")]
    if Quirk.SOME_DOT_STUFFING in quirks:
        dotted = dotted[::2]
    elif Quirk.NO_DOT_STUFFING not in quirks:
        return lines
    single = set(dotted)
    return [line[1:] if number in single else line for number, line in enumerate(lines)]
