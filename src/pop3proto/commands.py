"""What a client asks: one immutable class a command.

``Command[R]`` is a command whose positive answer is an ``R``. Its class attributes (verb, states
in which it is legal, shape of the reply, state after success, barrier, secrecy) are the state
table of both engines; there is no other. Arguments are checked when a command is built, so that
what may not stand on a command line never gets near one.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import md5
from typing import Any, ClassVar, Generic, TypeVar

from ._wire import BodyWriter
from .errors import LocalProtocolError
from .numbers import MAX_MESSAGE_NUMBER
from .replies import (
    CapaReply,
    Challenge,
    LanguagesReply,
    LastReply,
    ListOneReply,
    ListReply,
    MechanismsReply,
    Message,
    Ok,
    StatReply,
    UidlOneReply,
    UidlReply,
)
from .states import ReplyShape, State

__all__ = [
    "Apop",
    "Auth",
    "AuthCancel",
    "AuthList",
    "AuthResponse",
    "Capa",
    "Command",
    "Dele",
    "Extension",
    "Lang",
    "Languages",
    "Last",
    "List",
    "ListOne",
    "Noop",
    "Pass",
    "Quit",
    "Retr",
    "Rpop",
    "Rset",
    "Stat",
    "Stls",
    "Top",
    "Uidl",
    "UidlOne",
    "Upload",
    "User",
    "Utf8",
]

R_co = TypeVar("R_co", covariant=True)

_AUTHORIZATION = frozenset({State.AUTHORIZATION})
_AUTHENTICATING = frozenset({State.AUTHENTICATING})
_TRANSACTION = frozenset({State.TRANSACTION})
_BOTH = _AUTHORIZATION | _TRANSACTION

# RFC 2449 section 4 asks every server to take 255 octets. Many take more, and long user names
# are real, so a client may go up to what this package's own server takes.
_MAX_LINE = 512
# Access tokens are used as passwords, and they have no bound worth the name.
_MAX_SECRET_LINE = 8192

_CONTROL_IN_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_IN_OCTETS = re.compile(b"[\x00-\x1f\x7f]")
# RFC 4422 section 3.1: 1 to 20 letters, digits, hyphens and underscores.
_MECHANISM = re.compile(r"[A-Z0-9_-]{1,20}", re.IGNORECASE)
_DIGEST = re.compile(r"[0-9a-f]{32}")


def _octets(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8")


def _problem(what: str, text: object, room: int, *, empty: bool = False) -> str | None:
    """Why ``text`` cannot be an argument, without a word of ``text`` itself in the answer."""
    if isinstance(text, str):
        if _CONTROL_IN_TEXT.search(text):
            return f"{what} holds a control character or a lone surrogate"
    elif not isinstance(text, bytes):
        return f"{what} must be str or bytes, not {type(text).__name__}"
    elif _CONTROL_IN_OCTETS.search(text):
        return f"{what} holds a control character"
    if not text and not empty:
        return f"{what} is empty"
    if len(_octets(text)) > room:
        return f"{what} is too long for a command line: more than {room} octets"
    return None


def _check(what: str, text: object, room: int = _MAX_LINE - 32) -> None:
    problem = _problem(what, text, room)
    if problem is not None:
        raise LocalProtocolError(problem)


def _check_message(message: object) -> None:
    if type(message) is int:
        if not 1 <= message <= MAX_MESSAGE_NUMBER:
            raise LocalProtocolError(
                f"a message number is 1 to {MAX_MESSAGE_NUMBER}, not {message!r}"
            )
    elif isinstance(message, str):
        _check("the message argument", message)
    else:
        raise LocalProtocolError(
            f"a message is an int, or a str for odd servers, not {type(message).__name__}"
        )


def _line(verb: bytes, argument: int | str | bytes) -> bytes:
    if isinstance(argument, int):
        return b"%s %d\r\n" % (verb, argument)
    return b"%s %s\r\n" % (verb, _octets(argument))


class Command(Generic[R_co]):
    """A command whose positive answer is an ``R_co``; see the subclasses."""

    __slots__ = ()

    verb: ClassVar[str]
    """The command's keyword."""
    legal_states: ClassVar[frozenset[State]]
    """The states in which it may be sent."""
    next_state: ClassVar[State | None] = None
    """The state that a positive answer leads to; ``None`` where it leads nowhere else."""
    barrier: ClassVar[bool] = False
    """Whether nothing may be sent behind it before it is answered."""
    alone: ClassVar[bool] = False
    """Whether it may not be sent behind anything that is still unanswered."""
    secret: ClassVar[bool] = False
    """Whether its arguments must never be shown."""
    shape: ReplyShape = ReplyShape.STATUS
    """What its positive answer looks like; a class attribute everywhere but in ``Extension``,
    where the caller says it."""

    def to_bytes(self) -> bytes:
        """The command line with its CRLF."""
        return self.verb.encode("ascii") + b"\r\n"


@dataclass(frozen=True, slots=True)
class User(Command[Ok]):
    """USER: the name of the maildrop (RFC 1939 section 7)."""

    verb = "USER"
    legal_states = _AUTHORIZATION
    name: str | bytes
    """Sent as UTF-8 (RFC 6856); octets are sent as they are, for servers of another mind."""

    def __post_init__(self) -> None:
        _check("the user name", self.name)

    def to_bytes(self) -> bytes:
        """The command line with its CRLF."""
        return _line(b"USER", self.name)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Pass(Command[Ok]):
    """PASS: the password (RFC 1939 section 7). It shows in no repr and no error."""

    verb = "PASS"
    legal_states = _AUTHORIZATION
    next_state = State.TRANSACTION
    secret = True
    password: str | bytes
    """Sent as UTF-8 (RFC 6856); octets are sent as they are. Blanks are part of it."""

    def __init__(self, password: str | bytes) -> None:
        problem = _problem("the password", password, _MAX_SECRET_LINE - 32, empty=True)
        object.__setattr__(self, "password", password)
        # A traceback shows the locals of this frame: the secret must not be one of them.
        del password
        if problem is not None:
            raise LocalProtocolError(problem)

    def __repr__(self) -> str:
        return "Pass(<secret>)"

    def to_bytes(self) -> bytes:
        """The command line with its CRLF."""
        return _line(b"PASS", self.password)


@dataclass(frozen=True, slots=True)
class Apop(Command[Ok]):
    """APOP: a name and a digest made from the greeting's timestamp (RFC 1939 section 7).

    MD5 is broken and a man in the middle can choose the timestamp (CVE-2007-1558): no
    substitute for TLS.
    """

    verb = "APOP"
    legal_states = _AUTHORIZATION
    next_state = State.TRANSACTION
    secret = True
    name: str | bytes
    digest: str = field(repr=False)
    """32 lower-case hexadecimal digits."""

    def __post_init__(self) -> None:
        _check("the user name", self.name)
        if not _DIGEST.fullmatch(self.digest):
            raise LocalProtocolError("an APOP digest is 32 lower-case hexadecimal digits")

    @classmethod
    def respond(cls, name: str | bytes, timestamp: str, password: str | bytes) -> Apop:
        """The command that proves knowledge of ``password`` for a greeting's ``timestamp``.

        Raises ``LocalProtocolError`` for a password that is no text, or a timestamp that is not
        ASCII.
        """
        problem = _problem("the password", password, _MAX_SECRET_LINE, empty=True)
        if problem is None and not timestamp.isascii():
            problem = "the timestamp is not ASCII"
        secret = b"" if problem is not None else _octets(password)
        del password
        if problem is not None:
            raise LocalProtocolError(problem)
        digest = md5(timestamp.encode("ascii") + secret, usedforsecurity=False).hexdigest()
        del secret
        return cls(name, digest)

    def to_bytes(self) -> bytes:
        """The command line with its CRLF."""
        return b"APOP %s %s\r\n" % (_octets(self.name), self.digest.encode("ascii"))


@dataclass(frozen=True, slots=True)
class Rpop(Command[Ok]):
    """RPOP: a user trusted by host, in place of PASS (RFC 1460 section 7). Obsolete."""

    verb = "RPOP"
    legal_states = _AUTHORIZATION
    next_state = State.TRANSACTION
    secret = True
    user: str | bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check("the remote user", self.user)

    def to_bytes(self) -> bytes:
        """The command line with its CRLF."""
        return _line(b"RPOP", self.user)


@dataclass(frozen=True, slots=True)
class Stat(Command[StatReply]):
    """STAT: how many messages, how many octets (RFC 1939 section 5)."""

    verb = "STAT"
    legal_states = _TRANSACTION
    shape = ReplyShape.DROP_LISTING


@dataclass(frozen=True, slots=True)
class List(Command[ListReply]):
    """LIST without an argument: the size of every message (RFC 1939 section 5)."""

    verb = "LIST"
    legal_states = _TRANSACTION
    shape = ReplyShape.SCAN_LISTINGS


@dataclass(frozen=True, slots=True)
class _MessageCommand(Command[R_co]):
    """A command with a message as its one argument."""

    message: int | str
    """The message number, from 1; text is sent as it is, for servers that take other names."""

    def __post_init__(self) -> None:
        _check_message(self.message)

    def to_bytes(self) -> bytes:
        """The command line with its CRLF."""
        return _line(self.verb.encode("ascii"), self.message)


@dataclass(frozen=True, slots=True)
class ListOne(_MessageCommand[ListOneReply]):
    """LIST with an argument: the size of one message (RFC 1939 section 5)."""

    verb = "LIST"
    legal_states = _TRANSACTION
    shape = ReplyShape.SCAN_LISTING


@dataclass(frozen=True, slots=True)
class Retr(_MessageCommand[Message]):
    """RETR: a whole message (RFC 1939 section 5)."""

    verb = "RETR"
    legal_states = _TRANSACTION
    shape = ReplyShape.MESSAGE

    def to_bytes(self) -> bytes:
        """The command line with its CRLF."""
        return _line(b"RETR", self.message)


@dataclass(frozen=True, slots=True)
class Dele(_MessageCommand[Ok]):
    """DELE: mark a message as deleted; QUIT makes it so (RFC 1939 section 5)."""

    verb = "DELE"
    legal_states = _TRANSACTION


@dataclass(frozen=True, slots=True)
class Noop(Command[Ok]):
    """NOOP: nothing, positively (RFC 1939 section 5)."""

    verb = "NOOP"
    legal_states = _TRANSACTION

    def to_bytes(self) -> bytes:
        """The command line with its CRLF."""
        return b"NOOP\r\n"


@dataclass(frozen=True, slots=True)
class Rset(Command[Ok]):
    """RSET: unmark every message marked as deleted (RFC 1939 section 5)."""

    verb = "RSET"
    legal_states = _TRANSACTION


@dataclass(frozen=True, slots=True)
class Quit(Command[Ok]):
    """QUIT: end the session, and in TRANSACTION make the deletions (RFC 1939 section 6)."""

    verb = "QUIT"
    legal_states = _BOTH
    barrier = True


@dataclass(frozen=True, slots=True)
class Top(Command[Message]):
    """TOP: a message's header and the first lines of its body (RFC 1939 section 7)."""

    verb = "TOP"
    legal_states = _TRANSACTION
    shape = ReplyShape.MESSAGE
    message: int | str
    """The message number, from 1; text is sent as it is, for servers that take other names."""
    lines: int
    """How many lines of the body, from 0."""

    def __post_init__(self) -> None:
        _check_message(self.message)
        if type(self.lines) is not int or not 0 <= self.lines <= MAX_MESSAGE_NUMBER:
            raise LocalProtocolError(f"TOP takes 0 to {MAX_MESSAGE_NUMBER} lines")

    def to_bytes(self) -> bytes:
        """The command line with its CRLF."""
        return _line(b"TOP", self.message)[:-2] + b" %d\r\n" % self.lines


@dataclass(frozen=True, slots=True)
class Uidl(Command[UidlReply]):
    """UIDL without an argument: the unique-id of every message (RFC 1939 section 7)."""

    verb = "UIDL"
    legal_states = _TRANSACTION
    shape = ReplyShape.UNIQUE_ID_LISTINGS


@dataclass(frozen=True, slots=True)
class UidlOne(_MessageCommand[UidlOneReply]):
    """UIDL with an argument: the unique-id of one message (RFC 1939 section 7)."""

    verb = "UIDL"
    legal_states = _TRANSACTION
    shape = ReplyShape.UNIQUE_ID_LISTING


@dataclass(frozen=True, slots=True)
class Last(Command[LastReply]):
    """LAST: the highest message number accessed (RFC 1460 section 5). Obsolete."""

    verb = "LAST"
    legal_states = _TRANSACTION
    shape = ReplyShape.LAST_MESSAGE


@dataclass(frozen=True, slots=True)
class Capa(Command[CapaReply]):
    """CAPA: what the server can do (RFC 2449 section 5)."""

    verb = "CAPA"
    legal_states = _BOTH
    shape = ReplyShape.CAPABILITIES


@dataclass(frozen=True, slots=True)
class Stls(Command[Ok]):
    """STLS: begin TLS on this connection (RFC 2595 section 4)."""

    verb = "STLS"
    legal_states = _AUTHORIZATION
    next_state = State.TLS_NEGOTIATION
    barrier = True
    alone = True


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Auth(Command[Ok | Challenge]):
    """AUTH: log in with a SASL mechanism (RFC 5034)."""

    verb = "AUTH"
    legal_states = _AUTHORIZATION
    shape = ReplyShape.AUTHENTICATION
    next_state = State.TRANSACTION
    barrier = True
    secret = True
    # RFC 5034 section 4: with an initial response the line keeps to 255 octets.
    max_line: ClassVar[int] = 255

    mechanism: str
    """The mechanism's name, in upper case."""
    initial_response: bytes | None
    """What the mechanism sends first; ``None`` to wait for a challenge. Empty is not ``None``."""
    complete: bool = field(compare=False)
    """Whether the mechanism has had its say after this. If not, an ``+OK`` with a base64 text is
    taken for a challenge, as some servers write it (``Fault.OK_CHALLENGE``)."""

    def __init__(
        self, mechanism: str, initial_response: bytes | None = None, *, complete: bool = True
    ) -> None:
        object.__setattr__(self, "mechanism", mechanism.upper())
        object.__setattr__(self, "initial_response", initial_response)
        object.__setattr__(self, "complete", complete)
        del initial_response
        if not _MECHANISM.fullmatch(mechanism):
            raise LocalProtocolError(f"no name of a SASL mechanism: {mechanism!r}")

    @property
    def fits_line(self) -> bool:
        """Whether the initial response may go on the command line (RFC 5034 section 4)."""
        return len(self._line()) <= self.max_line

    def __repr__(self) -> str:
        response = "" if self.initial_response is None else ", <secret>"
        return f"Auth({self.mechanism!r}{response})"

    def _line(self) -> bytes:
        line = b"AUTH " + self.mechanism.encode("ascii")
        if self.initial_response is not None:
            # RFC 5034 section 4: an initial response of no octets is a single equals sign.
            line += b" " + (b64encode(self.initial_response) or b"=")
        return line + b"\r\n"

    def to_bytes(self) -> bytes:
        """The command line with its CRLF.

        Raises ``LocalProtocolError`` if it is longer than 255 octets: then the initial response
        has to wait for the server's first challenge.
        """
        if not self.fits_line:
            raise LocalProtocolError(
                f"AUTH with this initial response is longer than {self.max_line} octets",
                command=self,
                hint="send Auth(mechanism) and answer its challenge",
            )
        return self._line()


@dataclass(frozen=True, slots=True, repr=False)
class AuthResponse(Command[Ok | Challenge]):
    """The answer to a ``Challenge`` within AUTH (RFC 5034 section 4)."""

    verb = ""
    legal_states = _AUTHENTICATING
    shape = ReplyShape.AUTHENTICATION
    next_state = State.TRANSACTION
    barrier = True
    secret = True
    data: bytes
    """The answer, not yet in base64; may be empty."""
    complete: bool = field(default=True, compare=False)
    """Whether the mechanism has had its say after this; see ``Auth.complete``."""

    def __repr__(self) -> str:
        return "AuthResponse(<secret>)"

    def to_bytes(self) -> bytes:
        """The line with its CRLF."""
        return b64encode(self.data) + b"\r\n"


@dataclass(frozen=True, slots=True)
class AuthCancel(Command[Ok]):
    """Give up an AUTH exchange; the server answers ``-ERR`` (RFC 5034 section 4)."""

    verb = "*"
    legal_states = _AUTHENTICATING
    shape = ReplyShape.AUTHENTICATION
    barrier = True


@dataclass(frozen=True, slots=True)
class AuthList(Command[MechanismsReply]):
    """AUTH without an argument: list the mechanisms, on servers older than CAPA."""

    verb = "AUTH"
    legal_states = _AUTHORIZATION
    shape = ReplyShape.MECHANISMS


@dataclass(frozen=True, slots=True)
class Utf8(Command[Ok]):
    """UTF8: messages and texts may be UTF-8 from now on (RFC 6856 section 2)."""

    verb = "UTF8"
    legal_states = _AUTHORIZATION


@dataclass(frozen=True, slots=True)
class Lang(Command[Ok]):
    """LANG with an argument: the language of the server's texts (RFC 6856 section 3)."""

    verb = "LANG"
    legal_states = _BOTH
    tag: str
    """A language tag (RFC 5646), or ``*`` for the server's default."""

    def __post_init__(self) -> None:
        _check("the language tag", self.tag)

    def to_bytes(self) -> bytes:
        """The command line with its CRLF."""
        return _line(b"LANG", self.tag)


@dataclass(frozen=True, slots=True)
class Languages(Command[LanguagesReply]):
    """LANG without an argument: the languages that the server speaks (RFC 6856 section 3)."""

    verb = "LANG"
    legal_states = _BOTH
    shape = ReplyShape.LANGUAGES


@dataclass(frozen=True, slots=True)
class Extension(Command[R_co]):
    """A command that this package has no class for, as ``XTND XLST Subject``.

    Only the caller knows the shape of its answer: build it with ``single()`` or ``multi()``.
    """

    verb = ""
    legal_states = _BOTH
    line: str | bytes
    """The whole command line, without its CRLF."""
    shape: ReplyShape = field(default=ReplyShape.STATUS, compare=False)
    """``STATUS``, or ``MESSAGE`` where a dot-terminated text follows a positive status line. A
    server cannot see this from the line, so it does not count in comparisons."""

    def __post_init__(self) -> None:
        if self.shape not in (ReplyShape.STATUS, ReplyShape.MESSAGE):
            raise LocalProtocolError("the shape of an extension's answer is STATUS or MESSAGE")
        _check("the command line", self.line, _MAX_SECRET_LINE - 2)
        verb = _octets(self.line).split(b" ", 1)[0]
        if not verb:
            raise LocalProtocolError("a command line begins with the command's name")
        # A known command under this guise would slip past the state table and its barriers.
        if verb.upper() in KNOWN_VERBS:
            name = verb.decode("ascii").upper()
            raise LocalProtocolError(f"{name} has a class of its own")

    @classmethod
    def single(cls, line: str | bytes) -> Extension[Ok]:
        """A command that is answered by a status line alone."""
        return Extension[Ok](line)

    @classmethod
    def multi(cls, line: str | bytes) -> Extension[Message]:
        """A command that is answered by a status line and a dot-terminated text."""
        return Extension[Message](line, ReplyShape.MESSAGE)

    def to_bytes(self) -> bytes:
        """The command line with its CRLF."""
        return _octets(self.line) + b"\r\n"


@dataclass(frozen=True, slots=True)
class Upload(Command[Ok]):
    """The message that follows a positive answer to an extension such as ``XTND XMIT``."""

    verb = ""
    legal_states = _TRANSACTION
    barrier = True
    alone = True
    content: bytes = field(repr=False)
    """The octets of the message; bare LFs are sent as CRLF, dots are stuffed."""

    def to_bytes(self) -> bytes:
        """The dot-stuffed text with its terminator."""
        writer = BodyWriter()
        return writer.write(self.content) + writer.finish()


def _known_verbs() -> frozenset[bytes]:
    def below(cls: type[Command[Any]]) -> set[type[Command[Any]]]:
        return {cls}.union(*(below(sub) for sub in cls.__subclasses__()))

    verbs = (getattr(cls, "verb", "") for cls in below(Command))
    return frozenset(verb.encode("ascii") for verb in verbs if verb)


KNOWN_VERBS = _known_verbs()
"""Every verb that has a class of its own, in upper case."""
