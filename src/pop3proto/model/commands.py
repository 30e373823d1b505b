"""The client's commands: one immutable class for each, which checks its arguments.

The keywords of a class are its row of the state table; see ``Command`` for the columns. A new
command begins as a class here; ``docs/design.md`` names the other places that know it.
"""

from __future__ import annotations

from typing import Any, cast

from .._value import field, value
from ..errors import LocalProtocolError
from .command import AUTHORIZATION, AUTHORIZATION_OR_TRANSACTION, Command, Effect, R_co
from .grammar import (
    MAX_MESSAGE_NUMBER,
    MAX_SECRET_LINE,
    check_message,
    check_text,
    check_word,
    encode,
)
from .replies import CapaReply, LangReply, LastReply, ListReply, Message, Ok, StatReply, UidlReply
from .states import State
from .stuffing import BodyWriter


@value
class Stat(Command[StatReply]):
    """STAT: how many messages, how many octets (RFC 1939 section 5)."""


@value
class _MessageCommand(Command[R_co]):
    """A command whose only argument is a message."""

    message: int | str
    """The message number, from 1; text is sent as it is, for servers that take other names."""

    def __post_init__(self) -> None:
        check_message(self.message)

    def to_bytes(self) -> bytes:
        """Return the command line with its CRLF."""
        message = self.message
        return self._line_with_number % message if type(message) is int else super().to_bytes()


@value
class _ListingCommand(Command[R_co]):
    """A command about one message, which is its only argument, or about all messages."""

    message: int | str | None = None
    """The message, as in ``Retr``; ``None`` for every message."""

    def __post_init__(self) -> None:
        if self.message is not None:
            check_message(self.message)

    @property
    def multiline(self) -> bool:
        """True if the answer has a row for each message."""
        return self.message is None


@value
class List(_ListingCommand[ListReply]):
    """LIST: the size of one message or of each (RFC 1939 section 5)."""


@value
class Uidl(_ListingCommand[UidlReply]):
    """UIDL: the unique-id of one message or of each (RFC 1939 section 7)."""


@value
class Retr(_MessageCommand[Message]):
    """RETR: a whole message (RFC 1939 section 5)."""


@value
class Dele(_MessageCommand[Ok], effect=Effect.MARK):
    """DELE: mark a message as deleted; QUIT deletes it (RFC 1939 section 5)."""


@value
class Noop(Command[Ok]):
    """NOOP: do nothing, and get a positive answer (RFC 1939 section 5)."""

    def to_bytes(self) -> bytes:
        """Return the command line with its CRLF."""
        # In one step: no command is sent as often by programs that keep a session open.
        return b"NOOP\r\n"


@value
class Rset(Command[Ok], effect=Effect.UNMARK):
    """RSET: unmark every message marked as deleted (RFC 1939 section 5)."""


@value
class Quit(Command[Ok], legal_states=AUTHORIZATION_OR_TRANSACTION, effect=Effect.END, barrier=True):
    """QUIT: end the session, and in TRANSACTION delete the marked messages (RFC 1939 section 6)."""


@value
class Top(Command[Message]):
    """TOP: a message's header and the first lines of its body (RFC 1939 section 7)."""

    message: int | str
    """The message, as in ``Retr``."""
    lines: int
    """How many lines of the body, from 0."""

    def __post_init__(self) -> None:
        check_message(self.message)
        if type(self.lines) is not int or not 0 <= self.lines <= MAX_MESSAGE_NUMBER:
            raise LocalProtocolError(f"TOP takes 0 to {MAX_MESSAGE_NUMBER} lines")


@value
class Last(Command[LastReply]):
    """LAST: the highest message number accessed (RFC 1460 section 5). Obsolete."""


@value
class Capa(
    Command[CapaReply], legal_states=AUTHORIZATION_OR_TRANSACTION, effect=Effect.CAPABILITIES
):
    """CAPA: the server's capabilities (RFC 2449 section 5)."""


@value
class Stls(
    Command[Ok],
    legal_states=AUTHORIZATION,
    next_state=State.TLS_NEGOTIATION,
    barrier=True,
    alone=True,
):
    """STLS: begin TLS on this connection (RFC 2595 section 4)."""


@value
class Utf8(Command[Ok], legal_states=AUTHORIZATION, effect=Effect.UTF8):
    """UTF8: messages and texts may be UTF-8 from now on (RFC 6856 section 2)."""


@value
class Lang(Command[LangReply], legal_states=AUTHORIZATION_OR_TRANSACTION):
    """LANG: set the language of the server's texts, or list its languages (RFC 6856 section 3)."""

    tag: str | None = None
    """A language tag (RFC 5646), ``*`` for the server's default, or ``None`` to ask for a list."""

    def __post_init__(self) -> None:
        if self.tag is not None:
            check_word("the language tag", self.tag)

    @property
    def multiline(self) -> bool:
        """True if the answer is a list of languages."""
        return self.tag is None


@value
class Extension(Command[R_co], verb="", legal_states=AUTHORIZATION_OR_TRANSACTION):
    """A command that this package has no class for, such as ``XTND XLST Subject``.

    Only the caller knows the form of its answer: build it with ``single()`` or ``multi()``.
    """

    line: str | bytes
    """The whole command line, without its CRLF."""
    answer: type[Any] = field(default=Ok, compare=False)
    """``Ok``, or ``Message`` if a dot-terminated text follows a positive status line. A server
    cannot see this from the line, so comparisons ignore it."""

    def __post_init__(self) -> None:
        if self.answer not in (Ok, Message):
            raise LocalProtocolError("the answer to an extension is Ok or Message")
        check_text("the command line", self.line, MAX_SECRET_LINE - 2)
        verb = encode(self.line).split(b" ", 1)[0]
        if not verb:
            raise LocalProtocolError("a command line begins with the command's name")
        # A known command, sent as an extension, would get past the state table and its barriers.
        if verb.upper() in KNOWN_VERBS:
            name = verb.decode("ascii").upper()
            raise LocalProtocolError(f"{name} has a class of its own")

    @classmethod
    def single(cls, line: str | bytes) -> Extension[Ok]:
        """Return a command that is answered by a status line alone."""
        return cast(Extension[Ok], cls(line))

    @classmethod
    def multi(cls, line: str | bytes) -> Extension[Message]:
        """Return a command that is answered by a status line and a dot-terminated text."""
        return cast(Extension[Message], cls(line, Message))

    def to_bytes(self) -> bytes:
        """Return the command line with its CRLF."""
        return encode(self.line) + b"\r\n"


@value
class Upload(Command[Ok], verb="", barrier=True, alone=True):
    """The message that follows a positive answer to an extension such as ``XTND XMIT``."""

    content: bytes = field(repr=False)
    """The octets of the message; bare LFs are sent as CRLF, dots are stuffed."""

    def __post_init__(self) -> None:
        if type(self.content) is not bytes:
            raise LocalProtocolError(f"an upload is bytes, not {type(self.content).__name__}")

    def to_bytes(self) -> bytes:
        """Return the dot-stuffed text with its terminator."""
        writer = BodyWriter()
        return writer.write(self.content) + writer.finish()


KNOWN_VERBS = frozenset(
    b"* APOP AUTH CAPA DELE LANG LAST LIST NOOP PASS QUIT RETR RPOP RSET STAT STLS TOP UIDL USER "
    b"UTF8".split()
)
"""Every verb that has a class of its own, in upper case."""
