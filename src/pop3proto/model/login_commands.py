"""The commands that log in. Their secrets show in no repr and no error."""

from __future__ import annotations

import re
from typing import cast

from .._value import field, value
from ..errors import LocalProtocolError
from .command import AUTHENTICATING, AUTHORIZATION, Command
from .grammar import MAX_AUTH_LINE, MAX_LINE, MAX_SECRET_LINE, check_text, encode_base64
from .replies import Challenge, MechanismsReply, Ok
from .secret import Secret
from .states import State

# What this package's server accepts, less the verb, two blanks, the digest and the line end.
_MAX_APOP_NAME = MAX_LINE - len(b"APOP  \r\n") - 32


@value
class User(Command[Ok], legal_states=AUTHORIZATION):
    """USER: the name of the maildrop (RFC 1939 section 7)."""

    name: str | bytes
    """Text is sent as UTF-8 (RFC 6856); octets are sent unchanged, for servers that need another
    encoding."""

    def __post_init__(self) -> None:
        check_text("the user name", self.name)


@value
class Pass(Command[Ok], legal_states=AUTHORIZATION, next_state=State.TRANSACTION, secret=True):
    """PASS: the password (RFC 1939 section 7)."""

    password: Secret
    """Text is sent as UTF-8 (RFC 6856); octets are sent unchanged. Blanks are part of it."""

    def __init__(self, password: str | bytes | Secret) -> None:
        password = Secret(password)
        check_text("the password", password, MAX_SECRET_LINE - 32, empty=True)
        object.__setattr__(self, "password", password)


@value
class Apop(Command[Ok], legal_states=AUTHORIZATION, next_state=State.TRANSACTION, secret=True):
    """APOP: a name and a digest made from the greeting's timestamp (RFC 1939 section 7).

    ``pop3proto.sasl.apop_command()`` makes it. It is no substitute for TLS: MD5 is broken, and an
    attacker in the middle can choose the timestamp (CVE-2007-1558).
    """

    name: str | bytes
    digest: Secret
    """32 lower-case hexadecimal digits."""

    def __init__(self, name: str | bytes, digest: str | Secret) -> None:
        digest = Secret(digest)
        check_text("the user name", name, _MAX_APOP_NAME)
        # Patterns are compiled on demand: nearly all sessions log in once, or need none.
        if digest.kind is not str or not re.fullmatch("[0-9a-f]{32}", str(digest.reveal())):
            raise LocalProtocolError("an APOP digest is 32 lower-case hexadecimal digits")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "digest", digest)


@value
class Rpop(Command[Ok], legal_states=AUTHORIZATION, next_state=State.TRANSACTION, secret=True):
    """RPOP: log in from a trusted host, in place of PASS (RFC 1460 section 7). Obsolete."""

    user: Secret

    def __init__(self, user: str | bytes | Secret) -> None:
        user = Secret(user)
        check_text("the remote user", user)
        object.__setattr__(self, "user", user)


@value
class _InAuth(Command[Ok | Challenge], answer=Challenge, barrier=True):
    """A command of an AUTH exchange, which two replies can follow."""


@value
class Auth(_InAuth, legal_states=AUTHORIZATION, next_state=State.TRANSACTION, secret=True):
    """AUTH: log in with a SASL mechanism (RFC 5034)."""

    max_line = MAX_AUTH_LINE

    mechanism: str
    """The mechanism's name, in upper case."""
    initial_response: Secret | None
    """The mechanism's first message, which may be empty; ``None`` to wait for a challenge."""
    complete: bool = field(repr=False, compare=False)
    """True if the mechanism has nothing more to send after this. If it has more, a base64 text
    after ``+OK`` counts as a challenge (``Fault.OK_CHALLENGE``)."""

    def __init__(
        self,
        mechanism: str,
        initial_response: bytes | Secret | None = None,
        *,
        complete: bool = True,
    ) -> None:
        if initial_response is not None:
            initial_response = Secret(initial_response)
            _check_response(initial_response)
        # RFC 4422 section 3.1.
        given = cast(object, mechanism)
        if not (isinstance(given, str) and re.fullmatch("[A-Za-z0-9_-]{1,20}", given)):
            what = "a SASL mechanism has 1 to 20 letters, digits, hyphens and underscores"
            raise LocalProtocolError(what)
        object.__setattr__(self, "mechanism", mechanism.upper())
        object.__setattr__(self, "initial_response", initial_response)
        object.__setattr__(self, "complete", complete)

    @property
    def fits_line(self) -> bool:
        """True if the initial response may go on the command line (RFC 5034 section 4)."""
        return len(self._whole_line()) <= self.max_line

    def _whole_line(self) -> bytes:
        name, first = self.mechanism.encode("ascii"), self.initial_response
        if first is None:
            return b"AUTH %b\r\n" % name
        # RFC 5034 section 4: an initial response of no octets is a single equals sign.
        return b"AUTH %b %b\r\n" % (name, encode_base64(first.octets()) or b"=")

    def to_bytes(self) -> bytes:
        """Return the command line with its CRLF; raise ``LocalProtocolError`` if it is too long."""
        if not self.fits_line:
            raise LocalProtocolError(
                f"AUTH with this initial response is longer than {self.max_line} octets",
                command=self,
                hint="send Auth(mechanism) and answer its challenge",
            )
        return self._whole_line()


@value
class AuthResponse(
    _InAuth, verb="", legal_states=AUTHENTICATING, next_state=State.TRANSACTION, secret=True
):
    """The answer to a ``Challenge`` within AUTH (RFC 5034 section 4)."""

    data: Secret
    """The octets of the answer, not yet in base64; may be empty."""
    complete: bool = field(repr=False, compare=False)
    """True if the mechanism has nothing more to send after this; see ``Auth.complete``."""

    def __init__(self, data: bytes | Secret, *, complete: bool = True) -> None:
        data = Secret(data)
        _check_response(data)
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "complete", complete)

    def to_bytes(self) -> bytes:
        """Return the line with its CRLF."""
        return encode_base64(self.data.octets()) + b"\r\n"


def _check_response(data: Secret) -> None:
    if not issubclass(data.kind, bytes):
        raise LocalProtocolError(f"a response to a challenge is bytes, not {data.kind.__name__}")


@value
class AuthCancel(
    Command[Ok], verb="*", answer=Challenge, legal_states=AUTHENTICATING, barrier=True
):
    """Give up an AUTH exchange; the server answers ``-ERR`` (RFC 5034 section 4)."""


@value
class AuthList(Command[MechanismsReply], verb="AUTH", legal_states=AUTHORIZATION):
    """AUTH without an argument: list the mechanisms, on servers older than CAPA."""
