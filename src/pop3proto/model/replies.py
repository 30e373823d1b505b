"""The server's answers: events of a client's engine, which a server's engine sends.

The first field of an answer is its command. ``text`` is what follows the status indicator, as
UTF-8, with surrogate escapes for octets that are not.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast

from .._value import field, value
from ..errors import LocalProtocolError
from .capabilities import Capabilities
from .grammar import MAX_LINE, MAX_SIZE, encode_base64, has_control, is_unique_id
from .listings import Listing, Listings
from .stuffing import BodyWriter

if TYPE_CHECKING:
    from email.message import EmailMessage

    from .command import Command

# An RFC 822 msg-id of printable ASCII, without comments and quoted strings (RFC 1939 section 7).
# Anything laxer lets an attacker between client and server choose octets that make MD5 collide
# (CVE-2007-1558). No part can match the octets of another part, so the search is linear.
_ATOM = r"[!#$%&'*+\-/0-9=?A-Z^_`a-z{|}~]+"
TIMESTAMP = rf"<{_ATOM}(?:\.{_ATOM})*@(?:{_ATOM}(?:\.{_ATOM})*|\[[!-Z^-~]+\])>"
# RFC 2449 section 3: resp-code, of one or more levels.
_CODE = r"[!-.0-\\^-~]+(?:/[!-.0-\\^-~]+)*"
_RESPONSE_CODE = rf"\[({_CODE})\][ \t]?"


def _encoded(text: str) -> bytes:
    try:
        octets = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise LocalProtocolError("a line of a reply may not hold a lone surrogate") from None
    if has_control(octets):
        raise LocalProtocolError("a line of a reply may not hold control characters")
    return octets


@value
class ResponseCode:
    """A response code (RFC 2449 section 8, RFC 3206), known or not."""

    name: str
    """In upper case, whatever was given; ``SYS/TEMP`` is within ``SYS``."""

    def __post_init__(self) -> None:
        if not (isinstance(cast(Any, self.name), str) and re.fullmatch(_CODE, self.name)):
            raise LocalProtocolError("the name is not a response code (RFC 2449 section 3)")
        object.__setattr__(self, "name", self.name.upper())

    IN_USE: ClassVar[ResponseCode]
    LOGIN_DELAY: ClassVar[ResponseCode]
    SYS_TEMP: ClassVar[ResponseCode]
    SYS_PERM: ClassVar[ResponseCode]
    AUTH: ClassVar[ResponseCode]
    UTF8: ClassVar[ResponseCode]

    def within(self, other: ResponseCode) -> bool:
        """Return whether this is ``other`` or one of its sublevels."""
        return self.name == other.name or self.name.startswith(other.name + "/")

    def __str__(self) -> str:
        return self.name


ResponseCode.IN_USE = ResponseCode("IN-USE")
ResponseCode.LOGIN_DELAY = ResponseCode("LOGIN-DELAY")
ResponseCode.SYS_TEMP = ResponseCode("SYS/TEMP")
ResponseCode.SYS_PERM = ResponseCode("SYS/PERM")
ResponseCode.AUTH = ResponseCode("AUTH")
ResponseCode.UTF8 = ResponseCode("UTF8")


def split_response_code(text: str) -> tuple[ResponseCode | None, str]:
    """Return the response code at the start of the text of an ``-ERR``, and what follows it."""
    match = re.match(_RESPONSE_CODE, text) if text.startswith("[") else None
    return (ResponseCode(match[1]), text[match.end() :]) if match else (None, text)


class _OnTheWire:
    """A reply that is sent as a status line, with rows after it if it has any."""

    __slots__ = ()
    _indicator: ClassVar[bytes] = b"+OK"

    def to_bytes(self) -> bytes:
        """Return the wire form; raise ``LocalProtocolError`` for text that a line cannot hold."""
        text, rows = _encoded(self._status()), self._rows()
        line = self._indicator + b" " + text if text else self._indicator
        # RFC 1939 section 3. A challenge is the exception (RFC 5034 section 4).
        if len(line) > MAX_LINE - 2:
            raise LocalProtocolError(f"a status line has at most {MAX_LINE} octets")
        if rows is None:
            return line + b"\r\n"
        # RFC 1939 section 3: a line that begins with the termination octet gets a second one.
        stuffed = [b"." + row if row.startswith(b".") else row for row in rows]
        return b"\r\n".join([line, *stuffed, b".\r\n"])

    def _status(self) -> str:
        """Return what follows the status indicator: by default, the field ``text``."""
        return str(cast(Any, self).text)

    def _rows(self) -> Iterable[bytes] | None:
        return None


@value
class _Answer(_OnTheWire):
    """A reply of the server to a command."""

    command: Command[Any]


@value
class Greeting(_OnTheWire):
    """The first line of a session (RFC 1939 section 4)."""

    text: str = ""

    @property
    def timestamp(self) -> str | None:
        """The APOP timestamp with its angle brackets, the last one in ``text``, or ``None``."""
        found = re.findall(TIMESTAMP, self.text)
        return str(found[-1]) if found else None


@value
class Ok(_Answer):
    """``+OK`` to a command whose answer is only a status line (RFC 1939 section 3)."""

    text: str = ""


@value
class ErrorReply(_OnTheWire):
    """``-ERR``: the command failed; the session goes on (RFC 1939 section 3)."""

    _indicator = b"-ERR"
    command: Command[Any] | None
    """``None`` if the server refused the connection itself, or a line that was not a command."""
    text: str = ""
    """The server's text, without the response code."""
    code: ResponseCode | None = None

    def _status(self) -> str:
        return self.text if self.code is None else f"[{self.code}] {self.text}".rstrip(" ")


@value
class StatReply(_Answer):
    """The drop listing (RFC 1939 section 5, STAT)."""

    count: int
    """How many messages the maildrop holds."""
    octets: int | None
    """Their total size, which is only a hint; ``None`` if the server did not send a number."""

    def _status(self) -> str:
        return f"{_number(self.count)} {_number(self.octets)}"


@value
class _ListingReply(_Answer):
    listings: Listings
    """One row if the command names a message."""
    text: str = ""
    """The text after ``+OK``, if the rows come on lines of their own."""

    def _status(self) -> str:
        if self.command.multiline:
            return self.text
        if len(self.listings) != 1 or self.text:
            raise LocalProtocolError("a reply about one message has one row, and no text")
        return self._row(self.listings[0]).decode("ascii")

    def _rows(self) -> Iterable[bytes] | None:
        return map(self._row, self.listings) if self.command.multiline else None

    @abstractmethod
    def _row(self, row: Listing) -> bytes:
        """Return a row as it is written."""


@value
class ListReply(_ListingReply):
    """Sizes of messages, one or all (RFC 1939 section 5, LIST)."""

    def _row(self, row: Listing) -> bytes:
        return b"%d %d" % (row.number, _number(row.octets))


@value
class UidlReply(_ListingReply):
    """Unique-ids of messages, one or all (RFC 1939 section 7, UIDL)."""

    def _row(self, row: Listing) -> bytes:
        if row.unique_id is None or not is_unique_id(row.unique_id):
            raise LocalProtocolError("a unique-id has 1 to 70 printable ASCII characters, no blank")
        return b"%d %s" % (row.number, row.unique_id)


@value
class LastReply(_Answer):
    """The highest message number accessed so far, or 0 if none was (RFC 1460, LAST)."""

    number: int

    def _status(self) -> str:
        return str(_number(self.number))


@value
class CapaReply(_Answer):
    """The capability list (RFC 2449 section 5)."""

    capabilities: Capabilities
    text: str = ""

    def _rows(self) -> Iterable[bytes]:
        return map(_encoded, self.capabilities.lines)


@value
class Language:
    """A language of the server's texts: its tag (RFC 5646), and its name (RFC 6856 section 3)."""

    tag: str
    description: str = ""


@value
class LangReply(_Answer):
    """The language that was set, or the languages that a server speaks (RFC 6856 section 3)."""

    languages: tuple[Language, ...] = ()
    """Empty if the command names a language."""
    text: str = ""

    def _rows(self) -> Iterable[bytes] | None:
        if self.command.multiline:
            lines = (f"{each.tag} {each.description}".rstrip(" ") for each in self.languages)
            return map(_encoded, lines)
        if self.languages:
            raise LocalProtocolError("a reply to LANG with a tag lists no languages")
        return None


@value
class MechanismsReply(_Answer):
    """The mechanisms listed in answer to AUTH without an argument, as servers did before CAPA."""

    mechanisms: tuple[str, ...]
    text: str = ""

    def _rows(self) -> Iterable[bytes]:
        return map(_encoded, self.mechanisms)


@value
class Challenge(_Answer):
    """A server's challenge within AUTH (RFC 5034 section 4); its command is the ``Auth``."""

    data: bytes = b""
    text: str = ""
    """The server's text if it was not base64; ``data``, the decoded challenge, is empty then."""

    def to_bytes(self) -> bytes:
        """Return the wire form, as long as the challenge needs."""
        return b"+ " + (_encoded(self.text) if self.text else encode_base64(self.data)) + b"\r\n"


@value
class MessageStart(_Answer):
    """A dot-terminated text follows (RETR, TOP, and extensions with such a reply)."""

    text: str = ""


@value
class MessageData:
    """The next octets of the text, at least one, ending anywhere, with dot-stuffing undone."""

    data: bytes


@value
class MessageEnd:
    """The text is complete."""

    command: Command[Any]
    octets: int = field(default=0, compare=False)
    """The total number of octets in its ``MessageData`` events."""


@value
class Message(_OnTheWire):
    """A whole message, or other text that ended with a dot."""

    command: Command[Any]
    content: bytes = field(repr=False)
    """The octets, with line ends as the server sent them (CRLF) and dot-stuffing undone."""
    text: str = ""

    @property
    def number(self) -> int:
        """The message number, from 1, of its command. Raises ``AttributeError`` if that has none:
        if it is an extension, or names the message by a text."""
        command: Any = self.command
        if type(number := command.message) is int:
            return number
        raise AttributeError(f"not a number: {number!r}")

    def to_bytes(self) -> bytes:
        """Return the wire form: the status line, the dot-stuffed text and its terminator."""
        writer = BodyWriter()
        return b"".join((super().to_bytes(), writer.write(self.content), writer.finish()))

    def __len__(self) -> int:
        """Return the length of ``content`` in octets."""
        return len(self.content)

    def __bool__(self) -> bool:
        """Return ``True``, even for an empty message."""
        return True

    def __bytes__(self) -> bytes:
        """Return ``content``."""
        return self.content

    def as_email(self) -> EmailMessage:
        """Return ``content``, whatever it is, for reading, as ``pop3proto.mail.parse()`` does."""
        # The email package takes longer to load than this whole package.
        from ..mail import parse

        return parse(self.content)


ServerReply: TypeAlias = (
    Greeting
    | Ok
    | ErrorReply
    | StatReply
    | ListReply
    | UidlReply
    | LastReply
    | CapaReply
    | LangReply
    | MechanismsReply
    | Challenge
    | MessageStart
    | MessageData
    | MessageEnd
)
"""The replies that a server may send."""


def _number(number: int | None) -> int:
    if number is None or not 0 <= number <= MAX_SIZE:
        raise LocalProtocolError(f"a listing needs a number from 0 to {MAX_SIZE}")
    return number
