"""Quirks of drop listings: counts, numbers, sizes and unique-ids."""

from __future__ import annotations

from ...model.commands import Uidl
from ...model.replies import ListReply, ServerReply, UidlReply
from .row import Row


def _refused_if_empty(octets: bytes, reply: ServerReply) -> bytes:
    listing = isinstance(reply, ListReply | UidlReply)
    return (
        b"-ERR not now\r\n"
        if listing and octets.endswith(b"\r\n.\r\n") and octets.count(b"\n") == 2
        else octets
    )


WRONG_COUNT = Row(
    "counts one message more in STAT than it lists in LIST",
    "servers where mail arrives between the two",
    "stat",
    count=lambda count: count + 1,
)
SKIPPED_NUMBERS = Row(
    "leaves message 1 out of its listings",
    "any server, after DELE",
    "numbers",
    listed=lambda lines, _: [line for line in lines if not line.startswith(b"1 ")],
)
REVERSED_LISTINGS = Row(
    "lists the last message first", "several", listed=lambda lines, _: lines[::-1]
)
NUMBERS_FROM_ZERO = Row(
    "numbers the messages of its listings from 0",
    "servers written by beginners",
    "numbers",
    number=lambda number: number - 1,
)
HUGE_NUMBERS = Row(
    "numbers the messages of its listings from 2,147,483,648",
    "servers that list numbers which no message can have",
    "numbers",
    number=lambda number: number + 2**31 - 1,
)
NEGATIVE_SIZES = Row("lists sizes of -1", "Exchange", "sizes", size=lambda size: b"-1")
HUGE_SIZES = Row("lists sizes of 25 digits", "OpenMail", "sizes", size=lambda size: b"9" * 25)
WORDY_SIZES = Row("lists words in place of sizes", "several", "sizes", size=lambda size: b"unknown")
SMALL_SIZES = Row(
    "lists half of the octets that it sends",
    "Dovecot, Courier",
    "sizes",
    size=lambda size: b"%d" % (int(size) // 2),
)
ROUNDED_SIZES = Row(
    "lists sizes that are rounded up to 1,024 octets",
    "several",
    "sizes",
    size=lambda size: b"%d" % (-(-int(size) // 1024) * 1024),
)
LISTING_TEXT = Row(
    "has text after the sizes of a listing", "Comcast", size=lambda size: size + b" octets"
)
NO_UIDL = Row(
    "does not know UIDL",
    "old servers",
    "same-ids odd-ids long-ids wide-ids",
    refuses=lambda command, _: isinstance(command, Uidl),
    capabilities=lambda lines, _: [line for line in lines if line != b"UIDL"],
)
MISSING_UNIQUE_IDS = Row(
    "lists messages without their unique-ids",
    "servers that read blank X-UIDL fields",
    "same-ids odd-ids long-ids wide-ids",
    unique_id=lambda unique_id: b"",
)
DUPLICATE_UNIQUE_IDS = Row(
    "gives every message the same unique-id", "GMX", "same-ids", unique_id=lambda _: b"same"
)
MALFORMED_UNIQUE_IDS = Row(
    "has spaces in its unique-ids",
    "several",
    "odd-ids",
    unique_id=lambda unique_id: b"with space " + unique_id,
)
LONG_UNIQUE_IDS = Row(
    "has unique-ids of more than 70 octets",
    "several",
    "long-ids",
    unique_id=lambda unique_id: b"long-" * 20 + unique_id,
)
NON_ASCII_UNIQUE_IDS = Row(
    "has unique-ids of octets that are not ASCII",
    "several",
    "wide-ids",
    unique_id=lambda unique_id: b"\xe9" + unique_id,
)
SPACED_LISTINGS = Row(
    "puts several spaces between the fields of listings",
    "Maillennium",
    row=lambda row: row.replace(b" ", b"   ", 1),
)
INDENTED_LISTINGS = Row(
    "has spaces at the beginning of the rows of listings",
    "Maillennium",
    row=lambda row: b"  " + row,
)
NO_EMPTY_LISTINGS = Row(
    "refuses LIST and UIDL if there is no message", "several", replaces=_refused_if_empty
)
