"""XOAUTH2 and OAUTHBEARER (RFC 7628), the server's side."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from .users import Attempt, LoggedIn, Verdict, as_text

__all__ = ["ServerOAuthBearer", "ServerXOAuth2", "TokenSource"]

_TOKEN = re.compile(rb"[ -~]+")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_XOAUTH2 = re.compile(rb"user=([^\x01]*)\x01auth=([^\x01]*)\x01\x01")
# RFC 7628 section 3.1; without channel binding, which OAUTHBEARER does not have.
_OAUTHBEARER = re.compile(rb"[ny],(?:a=([^,\x01]*))?,\x01((?:[a-zA-Z]+=[^\x01]*\x01)*)\x01")
_STRAY = re.compile(rb"=(?!2C|3D)")


class TokenSource(Protocol):
    """Knows which access tokens are good for whose maildrop."""

    def check_token(self, user: str, token: str) -> bool:
        """Whether ``token`` opens the maildrop of ``user``.

        An unknown user has to take as long as a wrong token. ``token`` is printable ASCII; octets
        of ``user`` that are not UTF-8 come as surrogate escapes.
        """
        ...


def _read_xoauth2(data: bytes) -> tuple[bytes, bytes] | None:
    """The user and the credentials, or ``None`` if the message breaks the grammar."""
    message = _XOAUTH2.fullmatch(data)
    return message and (message[1], message[2])


def _read_oauthbearer(data: bytes) -> tuple[bytes, bytes] | None:
    """The user and the credentials, or ``None`` if the message breaks the grammar."""
    message = _OAUTHBEARER.fullmatch(data)
    if message is None or message[1] is None or _STRAY.search(message[1]):
        return None
    fields = [field.partition(b"=") for field in message[2].split(b"\x01")[:-1]]
    credentials = [value for key, _, value in fields if key == b"auth"]
    if len(credentials) != 1:
        return None
    user = message[1].replace(b"=2C", b",").replace(b"=3D", b"=")
    return user, credentials[0]


class _OAuth:
    """What both mechanisms do with the user and the credentials that they find."""

    name: str
    shows_password = True
    _status: str
    _read: Callable[[bytes], tuple[bytes, bytes] | None]

    def __init__(self, tokens: TokenSource, *, scope: str = "", schemes: str = "") -> None:
        # Loaded with the first mechanism only: most servers have none of OAuth.
        import json

        details = {"status": self._status, "schemes": schemes, "scope": scope}
        said = {name: value for name, value in details.items() if value}
        self._tokens = tokens
        self._explanation = json.dumps(said, separators=(",", ":")).encode("ascii")

    def begin(self) -> Attempt:
        """Begin an exchange."""
        return _Attempt(self._outcome)

    def _outcome(self, data: bytes) -> Verdict:
        """What follows the client's message: ``bytes`` explain a refusal that is to come."""
        parts = self._read(data)
        if parts is None or not parts[0] or _CONTROL.search(parts[0]):
            return None
        user = as_text(parts[0])
        scheme, _, token = parts[1].partition(b" ")
        # A client without a token asks for the explanation (RFC 7628 section 4.3).
        bears = scheme.lower() == b"bearer" and _TOKEN.fullmatch(token) is not None
        if bears and self._tokens.check_token(user, token.decode("ascii")):
            return LoggedIn(user)
        return self._explanation


class _Attempt:
    __slots__ = ("_outcome", "_refused")

    def __init__(self, outcome: Callable[[bytes], Verdict]) -> None:
        self._outcome = outcome
        self._refused = False

    def respond(self, data: bytes | None) -> Verdict:
        """The outcome, or first an explanation, to which any response is taken."""
        if self._refused:
            return None
        if data is None:
            return b""
        outcome = self._outcome(data)
        self._refused = not isinstance(outcome, LoggedIn)
        return outcome


class ServerXOAuth2(_OAuth):
    """XOAUTH2, as Google and Microsoft document it.

    A client whose token is refused is told ``schemes`` and ``scope``, where they are not empty:
    the authentication schemes, and the scope that a token needs.
    """

    name = "XOAUTH2"
    _status = "401"
    _read = staticmethod(_read_xoauth2)


class ServerOAuthBearer(_OAuth):
    """OAUTHBEARER (RFC 7628), for access tokens of RFC 6750.

    A client whose token is refused is told ``schemes`` and ``scope``, where they are not empty:
    the authentication schemes, and the scope that a token needs. A client that names no user is
    refused; the host and port that it names are not looked at.
    """

    name = "OAUTHBEARER"
    _status = "invalid_token"
    _read = staticmethod(_read_oauthbearer)
