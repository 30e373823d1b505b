"""Quirks of messages, pipelining, deletions and the end."""

from __future__ import annotations

from typing import Any

from ...model.command import Command
from ...model.commands import Dele, List, Retr, Top, Uidl
from ...model.replies import Ok
from ...server.actions import NeedData
from .row import Row, Situation

_NO_UTF8 = [b"Subject: a message that cannot be shown", b"", b"Send UTF8 first."]


def _shown_with_utf8(
    lines: list[bytes], command: Command[Any], situation: Situation
) -> list[bytes]:
    header = lines[: lines.index(b"")] if b"" in lines else lines
    return lines if situation.utf8 or b"".join(header).isascii() else _NO_UTF8


def _marked(lines: list[bytes], command: Command[Any], situation: Situation) -> list[bytes]:
    again = isinstance(command, Retr) and command.message in situation.retrieved
    return [b"Status: RO", *lines] if again else lines


def _hidden(lines: list[bytes], situation: Situation) -> list[bytes]:
    numbers = {b"%d" % number for number in situation.retrieved}
    return [line for line in lines if line.partition(b" ")[0] not in numbers]


def _together(data: bytes, situation: Situation) -> bool:
    """Return ``True`` for several whole commands at once, after the login."""
    return data.count(b"\n") > 1 and not situation.pieces and situation.logged_in


def _backwards(data: bytes, situation: Situation) -> bytes:
    if not _together(data, situation):
        return data
    return b"".join(line + b"\n" for line in reversed(data.split(b"\n")[:-1]))


def _mixed(data: bytes, situation: Situation) -> bytes:
    situation.mixing = _together(data, situation)
    return data


NEEDS_UTF8 = Row(
    "replaces a message with 8-bit header fields unless UTF8 was sent",
    "Courier",
    mail=_shown_with_utf8,
)
RETR_MARKS = Row(
    "adds a field to the header of a message that was retrieved before",
    "qpopper, `Status: RO`",
    mail=_marked,
)
TRUNCATED_TOP = Row(
    "sends one line of a message for TOP",
    "Maillennium, MailMax",
    mail=lambda lines, command, _: lines[:1] if isinstance(command, Top) else lines,
)
RETR_DELETES = Row(
    "deletes messages that were retrieved, as soon as the client quits",
    "Gmail, Mercury",
    deletes=lambda numbers, situation: numbers | situation.retrieved,
)
RETR_HIDES = Row(
    "leaves messages that were retrieved out of its listings",
    "Gmail, in later sessions",
    listed=_hidden,
    refuses=lambda command, situation: (
        isinstance(command, List | Uidl) and command.message in situation.retrieved
    ),
)
REFUSED_MESSAGE = Row(
    "refuses RETR of message 1, and of no other message",
    "Exchange",
    refuses=lambda command, _: command == Retr(1),
)
CLOSES_ON_PIPELINING = Row(
    "advertises PIPELINING and closes when it is used",
    "o2.pl",
    "pipelining",
    arrives=lambda data, _: None if data.count(b"\n") > 1 else data,
)
PIPELINED_BACKWARDS = Row(
    "answers commands that arrive together in reverse order",
    "servers that work on several at once",
    "pipelining",
    arrives=_backwards,
)
PIPELINED_MIXED = Row(
    "mixes the lines of the answers to commands that arrive together",
    "WildDuck",
    "pipelining",
    arrives=_mixed,
)
CLOSES_BEFORE_QUIT = Row(
    "closes after the answer to DELE",
    "every server at times",
    "after-dele",
    closes=lambda reply: isinstance(reply, Ok) and isinstance(reply.command, Dele),
)
SILENT_QUIT = Row("never answers QUIT", "several", "quit", quits=(NeedData(),))
CLOSES_ON_QUIT = Row("closes on QUIT without an answer", "several", "quit", quits=())
