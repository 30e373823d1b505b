"""The commands that log in."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import md5
from typing import ClassVar

from ._command import (
    AUTHENTICATING,
    AUTHORIZATION,
    MAX_SECRET_LINE,
    Command,
    check,
    line,
    octets,
    problem_with,
)
from .errors import LocalProtocolError, printable
from .replies import Challenge, MechanismsReply, Ok
from .states import ReplyShape, State

__all__ = ["Apop", "Auth", "AuthCancel", "AuthList", "AuthResponse", "Pass", "Rpop", "User"]

# RFC 4422 section 3.1: 1 to 20 letters, digits, hyphens and underscores.
_MECHANISM = re.compile(r"[A-Z0-9_-]{1,20}", re.IGNORECASE)
_DIGEST = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class User(Command[Ok]):
    """USER: the name of the maildrop (RFC 1939 section 7)."""

    verb = "USER"
    legal_states = AUTHORIZATION
    name: str | bytes
    """Sent as UTF-8 (RFC 6856); octets are sent as they are, for servers of another mind."""

    def __post_init__(self) -> None:
        check("the user name", self.name)

    def to_bytes(self) -> bytes:
        """The command line with its CRLF."""
        return line(b"USER", self.name)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Pass(Command[Ok]):
    """PASS: the password (RFC 1939 section 7). It shows in no repr and no error."""

    verb = "PASS"
    legal_states = AUTHORIZATION
    next_state = State.TRANSACTION
    secret = True
    password: str | bytes
    """Sent as UTF-8 (RFC 6856); octets are sent as they are. Blanks are part of it."""

    def __init__(self, password: str | bytes) -> None:
        problem = problem_with("the password", password, MAX_SECRET_LINE - 32, empty=True)
        object.__setattr__(self, "password", password)
        # A traceback shows the locals of this frame: the secret must not be one of them.
        del password
        if problem is not None:
            raise LocalProtocolError(problem)

    def __repr__(self) -> str:
        return "Pass(<secret>)"

    def to_bytes(self) -> bytes:
        """The command line with its CRLF."""
        return line(b"PASS", self.password)


@dataclass(frozen=True, slots=True)
class Apop(Command[Ok]):
    """APOP: a name and a digest made from the greeting's timestamp (RFC 1939 section 7).

    MD5 is broken and a man in the middle can choose the timestamp (CVE-2007-1558): no
    substitute for TLS.
    """

    verb = "APOP"
    legal_states = AUTHORIZATION
    next_state = State.TRANSACTION
    secret = True
    name: str | bytes
    digest: str = field(repr=False)
    """32 lower-case hexadecimal digits."""

    def __post_init__(self) -> None:
        check("the user name", self.name)
        if not _DIGEST.fullmatch(self.digest):
            raise LocalProtocolError("an APOP digest is 32 lower-case hexadecimal digits")

    @classmethod
    def respond(cls, name: str | bytes, timestamp: str, password: str | bytes) -> Apop:
        """The command that proves knowledge of ``password`` for a greeting's ``timestamp``.

        Raises ``LocalProtocolError`` for a password that is no text, or a timestamp that is not
        ASCII.
        """
        problem = problem_with("the password", password, MAX_SECRET_LINE, empty=True)
        if problem is None and not timestamp.isascii():
            problem = "the timestamp is not ASCII"
        secret = b"" if problem is not None else octets(password)
        del password
        if problem is not None:
            raise LocalProtocolError(problem)
        digest = md5(timestamp.encode("ascii") + secret, usedforsecurity=False).hexdigest()
        del secret
        return cls(name, digest)

    def to_bytes(self) -> bytes:
        """The command line with its CRLF."""
        return b"APOP %s %s\r\n" % (octets(self.name), self.digest.encode("ascii"))


@dataclass(frozen=True, slots=True)
class Rpop(Command[Ok]):
    """RPOP: a user trusted by host, in place of PASS (RFC 1460 section 7). Obsolete."""

    verb = "RPOP"
    legal_states = AUTHORIZATION
    next_state = State.TRANSACTION
    secret = True
    user: str | bytes = field(repr=False)

    def __post_init__(self) -> None:
        check("the remote user", self.user)

    def to_bytes(self) -> bytes:
        """The command line with its CRLF."""
        return line(b"RPOP", self.user)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Auth(Command[Ok | Challenge]):
    """AUTH: log in with a SASL mechanism (RFC 5034)."""

    verb = "AUTH"
    legal_states = AUTHORIZATION
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
            raise LocalProtocolError(f"no name of a SASL mechanism: {printable(mechanism, 40)}")

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
    legal_states = AUTHENTICATING
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
    legal_states = AUTHENTICATING
    shape = ReplyShape.AUTHENTICATION
    barrier = True


@dataclass(frozen=True, slots=True)
class AuthList(Command[MechanismsReply]):
    """AUTH without an argument: list the mechanisms, on servers older than CAPA."""

    verb = "AUTH"
    legal_states = AUTHORIZATION
    shape = ReplyShape.MECHANISMS
