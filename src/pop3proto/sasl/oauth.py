"""XOAUTH2 and OAUTHBEARER (RFC 7628), both sides: access tokens in place of passwords."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, cast

from .._arguments import require
from ..errors import LocalProtocolError, SaslError
from ..model.grammar import has_control
from ..model.secret import Secret
from .saslprep import octets_of
from .users import Attempt, LoggedIn, Verdict, as_text

__all__ = ["OAuthBearer", "ServerOAuthBearer", "ServerXOAuth2", "TokenSource", "XOAuth2"]

_MAX_PORT = 65535
# An explanation of a refusal has a few short strings; anything larger is not read.
_MAX_DETAILS = 8192
_MAX_BRACKETS = 32
_TOKEN_OCTETS = bytes(range(0x20, 0x7F))


def _is_token(token: Secret) -> bool:
    # RFC 6749 appendix A.12.
    return bool(token) and not token.octets().translate(None, _TOKEN_OCTETS)


def _token_of(token: Secret) -> Secret:
    octets = Secret(octets_of("the access token", token))
    if not _is_token(octets):
        raise LocalProtocolError("an access token is printable ASCII")
    return octets


def _decoded(challenge: bytes) -> Mapping[str, object]:
    brackets = challenge.count(b"{") + challenge.count(b"[")
    if len(challenge) > _MAX_DETAILS or brackets > _MAX_BRACKETS:
        return {}
    import json

    try:
        details: object = json.loads(challenge.decode("utf-8"))
    except ValueError:
        return {}
    return cast("dict[str, object]", details) if isinstance(details, dict) else {}


class _OAuth:
    """A message with the token, and a dummy reply if the server explains its refusal."""

    __slots__ = ("_details", "_message", "_sent")

    name: str
    shows_secret = True
    _dummy: bytes

    def __init__(self, message: Secret) -> None:
        self._message = message
        self._sent = False
        self._details: Mapping[str, object] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<secret>)"

    @property
    def complete(self) -> bool:
        """True if the message was handed out."""
        return self._sent

    @property
    def details(self) -> Mapping[str, object]:
        """The server's explanation of its refusal, decoded from JSON; empty if it gave none."""
        return self._details or {}

    def initial(self) -> bytes:
        """Return the message with the access token."""
        self._sent = True
        return self._message.octets()

    def respond(self, challenge: bytes) -> bytes:
        """Return a dummy reply to the server's explanation, which ``details`` then holds.

        The server refuses the login after this reply. Raises ``SaslError`` for a second challenge.
        """
        if self._details is not None:
            raise SaslError(f"the server sent a second challenge, and {self.name} has one")
        self._details = _decoded(challenge)
        return self._dummy


class XOAuth2(_OAuth):
    """XOAUTH2, as Google and Microsoft document it: an OAuth 2.0 access token for ``user``.

    Anybody who reads the octets sees the token, so it needs TLS. Raises ``LocalProtocolError`` for
    control characters, an empty name, and a token that is empty or not printable ASCII.
    """

    __slots__ = ()

    name = "XOAUTH2"
    _dummy = b""

    def __init__(self, user: str | bytes, token: str | bytes | Secret) -> None:
        token = Secret(token)
        name = octets_of("the user name", user)
        token = _token_of(token)
        super().__init__(Secret(b"user=%b\x01auth=Bearer %b\x01\x01" % (name, token.octets())))


class OAuthBearer(_OAuth):
    """OAUTHBEARER (RFC 7628): an OAuth 2.0 access token (RFC 6750) for ``user``.

    ``host`` and ``port`` are those that the client has connected to; some servers ask for them.
    With an empty ``user``, the token decides which maildrop is opened. Anybody who reads the octets
    sees the token, so it needs TLS. Raises ``LocalProtocolError`` for control characters, a number
    that is not a port, and a token that is empty or not printable ASCII.
    """

    __slots__ = ()

    name = "OAUTHBEARER"
    _dummy = b"\x01"

    def __init__(
        self,
        user: str | bytes,
        token: str | bytes | Secret,
        *,
        host: str | None = None,
        port: int | None = None,
    ) -> None:
        token = Secret(token)
        name = octets_of("the user name", user, empty=True)
        # RFC 5801 section 4: a comma ends the name.
        name = name.replace(b"=", b"=3D").replace(b",", b"=2C")
        fields = [b"n,%b," % (b"a=" + name if name else b"")]
        if host is not None:
            fields.append(b"host=" + octets_of("the host", host))
        if port is not None:
            if type(port) is not int or not 1 <= port <= _MAX_PORT:
                raise LocalProtocolError(f"a port is a number from 1 to {_MAX_PORT}")
            fields.append(b"port=" + str(port).encode("ascii"))
        token = _token_of(token)
        last = b"auth=Bearer %b\x01\x01"
        super().__init__(Secret(b"\x01".join([*fields, last % token.octets()])))


_XOAUTH2 = rb"user=([^\x01]*)\x01auth=([^\x01]*)\x01\x01"
# RFC 7628 section 3.1; without channel binding, which OAUTHBEARER does not have.
_OAUTHBEARER = rb"[ny],(?:a=([^,\x01]*))?,\x01((?:[a-zA-Z]+=[^\x01]*\x01)*)\x01"


class TokenSource(Protocol):
    """Decides which access tokens open the maildrop of which user."""

    def check_token(self, user: str, token: str) -> bool:
        """Return whether ``token`` opens the maildrop of ``user``.

        This has to take as long for an unknown user as for a wrong token. ``token`` is printable
        ASCII; octets of ``user`` that are not UTF-8 come as surrogate escapes.
        """
        ...


def _read_xoauth2(data: bytes) -> tuple[bytes, bytes] | None:
    """Return the user and the credentials, or ``None`` if the message breaks the grammar."""
    from re import fullmatch

    message = fullmatch(_XOAUTH2, data)
    return message and (message[1], message[2])


def _read_oauthbearer(data: bytes) -> tuple[bytes, bytes] | None:
    """Return the user and the credentials, or ``None`` if the message breaks the grammar."""
    from re import fullmatch, search

    message = fullmatch(_OAUTHBEARER, data)
    if message is None or message[1] is None or search(rb"=(?!2C|3D)", message[1]):
        return None
    fields = [field.partition(b"=") for field in message[2].split(b"\x01")[:-1]]
    credentials = [value for key, _, value in fields if key == b"auth"]
    if len(credentials) != 1:
        return None
    user = message[1].replace(b"=2C", b",").replace(b"=3D", b"=")
    return user, credentials[0]


class _ServerOAuth:
    """The part that both mechanisms share: checking the user and the credentials."""

    name: str
    shows_password = True
    _status: str
    _read: Callable[[bytes], tuple[bytes, bytes] | None]

    def __init__(self, tokens: TokenSource, *, scope: str = "", schemes: str = "") -> None:
        require("scope", scope, str, "a str")
        require("schemes", schemes, str, "a str")
        # Loaded here, because most servers have no OAuth mechanism.
        import json

        details = {"status": self._status, "schemes": schemes, "scope": scope}
        said = {name: value for name, value in details.items() if value}
        self._tokens = tokens
        self._explanation = json.dumps(said, separators=(",", ":")).encode("ascii")

    def begin(self) -> Attempt:
        """Begin an attempt."""
        return _OAuthAttempt(self._verdict)

    def _verdict(self, data: bytes) -> Verdict:
        """Return what follows the client's message; ``bytes`` explain a refusal that follows."""
        parts = self._read(data)
        if parts is None or not parts[0] or has_control(parts[0]):
            return None
        user = as_text(parts[0])
        scheme, _, token = parts[1].partition(b" ")
        # A client without a token asks for the explanation (RFC 7628 section 4.3).
        bears = scheme.lower() == b"bearer" and _is_token(Secret(token))
        if bears and self._tokens.check_token(user, token.decode("ascii")):
            return LoggedIn(user)
        return self._explanation


class _OAuthAttempt:
    __slots__ = ("_refused", "_verdict")

    def __init__(self, verdict: Callable[[bytes], Verdict]) -> None:
        self._verdict = verdict
        self._refused = False

    def respond(self, data: bytes | None) -> Verdict:
        """Return the verdict, or first an explanation, after which any response is accepted."""
        if self._refused:
            return None
        if data is None:
            return b""
        verdict = self._verdict(data)
        self._refused = not isinstance(verdict, LoggedIn)
        return verdict


class ServerXOAuth2(_ServerOAuth):
    """XOAUTH2, as Google and Microsoft document it, the server's side.

    A client whose token is refused is told ``schemes`` and ``scope``, where they are not empty:
    the authentication schemes, and the scope that a token needs.
    """

    name = "XOAUTH2"
    _status = "401"
    _read = staticmethod(_read_xoauth2)


class ServerOAuthBearer(_ServerOAuth):
    """OAUTHBEARER (RFC 7628), the server's side, for access tokens of RFC 6750.

    A client whose token is refused is told ``schemes`` and ``scope``, where they are not empty:
    the authentication schemes, and the scope that a token needs. A client that names no user is
    refused; the host and port that it names are not looked at.
    """

    name = "OAUTHBEARER"
    _status = "invalid_token"
    _read = staticmethod(_read_oauthbearer)
