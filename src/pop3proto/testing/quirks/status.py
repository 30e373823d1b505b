"""Quirks of greetings and status lines."""

from __future__ import annotations

from collections.abc import Callable

from ...model.commands import Noop, Stat
from ...model.login_commands import Auth
from ...model.replies import (
    Challenge,
    Greeting,
    LastReply,
    ListReply,
    Ok,
    ServerReply,
    StatReply,
    UidlReply,
)
from .row import Row

_INDICATORS = (b"+OK", b"-ERR", b"+ERR")


def _greeting(text: bytes) -> Callable[[bytes, ServerReply], bytes]:
    return lambda line, reply: text if isinstance(reply, Greeting) else line


def _noop(text: bytes) -> Callable[[bytes, ServerReply], bytes]:
    def change(line: bytes, reply: ServerReply) -> bytes:
        return text if isinstance(reply, Ok) and isinstance(reply.command, Noop) else line

    return change


def _is_text(line: bytes, reply: ServerReply) -> bool:
    """Return ``True`` if a status line has text for people, and is not a challenge."""
    numbers = StatReply | ListReply | UidlReply | LastReply
    return line.startswith(_INDICATORS) and not isinstance(reply, Challenge | numbers)


def _bare(line: bytes, reply: ServerReply) -> bytes:
    many = isinstance(reply, ListReply | UidlReply) and reply.command.multiline
    return line.partition(b" ")[0] if many or _is_text(line, reply) else line


def _with_spaces(line: bytes, reply: ServerReply) -> bytes:
    plain = line.startswith(_INDICATORS) and not isinstance(reply, Challenge)
    return line + b"  " if plain else line


def _lower(line: bytes, reply: ServerReply) -> bytes:
    indicator, space, text = line.partition(b" ")
    return indicator.lower() + space + text


ERROR_GREETING = Row(
    "greets with -ERR and closes",
    "busy servers everywhere",
    "greeting",
    status=_greeting(b"-ERR too busy"),
    closes=lambda reply: isinstance(reply, Greeting),
)
IMAP_GREETING = Row(
    "speaks IMAP on this port",
    "a wrong port",
    "greeting",
    status=_greeting(b"* OK IMAP4rev1 ready"),
)
SMTP_GREETING = Row(
    "speaks SMTP on this port",
    "a wrong port",
    "greeting",
    status=_greeting(b"220 mail.example.org ESMTP ready"),
)
MALFORMED_TIMESTAMP = Row(
    "greets with angle brackets that hold no msg-id",
    "several",
    "greeting greeting-text",
    status=_greeting(b"+OK ready <no msg-id>"),
)
SECOND_TIMESTAMP = Row(
    "greets with a stale timestamp before the one that counts",
    "several",
    "greeting greeting-text",
    status=lambda line, reply: (
        line.replace(b"+OK ", b"+OK <stale@example.org> ", 1)
        if isinstance(reply, Greeting)
        else line
    ),
)
PLUS_ERR = Row(
    "writes +ERR where -ERR belongs",
    "hMailServer",
    status=lambda line, reply: b"+" + line[1:] if line.startswith(b"-ERR") else line,
)
BARE_AUTH_SUCCESS = Row(
    "ends AUTH with a bare +OK",
    "o2.pl",
    status=lambda line, reply: (
        b"+OK" if isinstance(reply, Ok) and isinstance(reply.command, Auth) else line
    ),
)
BARE_STATUS = Row(
    "sends status lines without any text", "many", "greeting-text status-text", status=_bare
)
TRAILING_SPACES = Row(
    "has spaces at the end of its status lines", "many", "status-text", status=_with_spaces
)
LOWER_CASE_STATUS = Row("writes the status indicator in lower case", "small servers", status=_lower)
NUL_STATUS = Row(
    "has a NUL in its answer to NOOP", "broken string handling", "noop", status=_noop(b"+OK \0")
)
NOT_A_STATUS = Row(
    "answers NOOP with a line that begins with neither + nor -",
    "several",
    "noop",
    status=_noop(b"done"),
)
CLOSES_WHEN_IDLE = Row(
    "closes when the first NOOP comes, as if after a long silence",
    "Outlook, after a minute",
    "noop",
    hangs_up=lambda command: isinstance(command, Noop),
)
NO_STAT = Row(
    "refuses STAT, as if the last login was too recent",
    "Hotmail, web.de, OVH",
    "stat",
    refuses=lambda command, _: isinstance(command, Stat),
)
