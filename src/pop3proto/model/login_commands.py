"""The commands that log in."""

from __future__ import annotations

import re
from base64 import b64encode

from ..errors import LocalProtocolError
from .command import (
    AUTHENTICATING,
    AUTHORIZATION,
    MAX_LINE,
    MAX_SECRET_LINE,
    Command,
    check,
    line,
    octets,
    problem_with,
)
from .replies import Challenge, MechanismsReply, Ok
from .states import ReplyShape, State
from .value import field, value

__all__ = ["Apop", "Auth", "AuthCancel", "AuthList", "AuthResponse", "Pass", "Rpop", "User"]

# RFC 4422 section 3.1: 1 to 20 letters, digits, hyphens and underscores.
_MECHANISM = re.compile(r"[A-Z0-9_-]{1,20}", re.IGNORECASE | re.ASCII)
_ASCII = re.compile(r"[ -~]*")
_DIGEST = re.compile(r"[0-9a-f]{32}")


# What the server takes, less the verb, two blanks, the digest and the line end.
_MAX_APOP_NAME = MAX_LINE - len(b"APOP  \r\n") - 32


def _matches(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def _no_octets(data: object) -> str | None:
    if isinstance(data, bytes):
        return None
    return f"a response to a challenge is bytes, not {type(data).__name__}"


@value
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


@value
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


@value
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

    def __init__(self, name: str | bytes, digest: str) -> None:
        problem = problem_with("the user name", name, _MAX_APOP_NAME)
        if problem is None and not _matches(_DIGEST, digest):
            problem = "an APOP digest is 32 lower-case hexadecimal digits"
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "digest", digest)
        del digest
        if problem is not None:
            raise LocalProtocolError(problem)

    @classmethod
    def respond(cls, name: str | bytes, timestamp: str, password: str | bytes) -> Apop:
        """The command that proves knowledge of ``password`` for a greeting's ``timestamp``.

        Raises ``LocalProtocolError`` for a name or a password that is no text, or a timestamp
        that is not ASCII.
        """
        problem = problem_with("the user name", name, _MAX_APOP_NAME)
        problem = problem or problem_with("the password", password, MAX_SECRET_LINE, empty=True)
        if problem is None and not _matches(_ASCII, timestamp):
            problem = "a timestamp is printable ASCII"
        if problem is not None:
            del password
            raise LocalProtocolError(problem)
        # Here, because few logins need it, and it loads OpenSSL's library.
        from hashlib import md5

        proof = md5(timestamp.encode("ascii") + octets(password), usedforsecurity=False)
        del password
        return cls(name, proof.hexdigest())

    def to_bytes(self) -> bytes:
        """The command line with its CRLF."""
        return b"APOP %s %s\r\n" % (octets(self.name), self.digest.encode("ascii"))


@value
class Rpop(Command[Ok]):
    """RPOP: a user trusted by host, in place of PASS (RFC 1460 section 7). Obsolete."""

    verb = "RPOP"
    legal_states = AUTHORIZATION
    next_state = State.TRANSACTION
    secret = True
    user: str | bytes = field(repr=False)

    def __init__(self, user: str | bytes) -> None:
        problem = problem_with("the remote user", user, MAX_LINE - 32)
        object.__setattr__(self, "user", user)
        del user
        if problem is not None:
            raise LocalProtocolError(problem)

    def to_bytes(self) -> bytes:
        """The command line with its CRLF."""
        return line(b"RPOP", self.user)


@value
class Auth(Command[Ok | Challenge]):
    """AUTH: log in with a SASL mechanism (RFC 5034)."""

    verb = "AUTH"
    legal_states = AUTHORIZATION
    shape = ReplyShape.AUTHENTICATION
    next_state = State.TRANSACTION
    barrier = True
    secret = True
    # RFC 5034 section 4: with an initial response the line keeps to 255 octets.
    max_line = 255

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
        problem = _no_octets(initial_response) if initial_response is not None else None
        if not _matches(_MECHANISM, mechanism):
            problem = "a SASL mechanism has 1 to 20 letters, digits, hyphens and underscores"
        object.__setattr__(self, "initial_response", initial_response)
        object.__setattr__(self, "complete", complete)
        del initial_response
        if problem is not None:
            # The repr of a command that has no mechanism shall be possible.
            object.__setattr__(self, "mechanism", "")
            raise LocalProtocolError(problem)
        object.__setattr__(self, "mechanism", mechanism.upper())

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


@value
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
    complete: bool = field(compare=False)
    """Whether the mechanism has had its say after this; see ``Auth.complete``."""

    def __init__(self, data: bytes, *, complete: bool = True) -> None:
        problem = _no_octets(data)
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "complete", complete)
        del data
        if problem is not None:
            raise LocalProtocolError(problem)

    def __repr__(self) -> str:
        return "AuthResponse(<secret>)"

    def to_bytes(self) -> bytes:
        """The line with its CRLF."""
        return b64encode(self.data) + b"\r\n"


@value
class AuthCancel(Command[Ok]):
    """Give up an AUTH exchange; the server answers ``-ERR`` (RFC 5034 section 4)."""

    verb = "*"
    legal_states = AUTHENTICATING
    shape = ReplyShape.AUTHENTICATION
    barrier = True


@value
class AuthList(Command[MechanismsReply]):
    """AUTH without an argument: list the mechanisms, on servers older than CAPA."""

    verb = "AUTH"
    legal_states = AUTHORIZATION
    shape = ReplyShape.MECHANISMS
