"""Who may log in to a server's session, and how: passwords, and SASL mechanisms as a hook."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import md5
from secrets import token_bytes, token_urlsafe
from typing import Protocol, TypeAlias, runtime_checkable

from ..errors import LocalProtocolError
from ..model.value import value

__all__ = [
    "Attempt",
    "Authenticator",
    "LoggedIn",
    "PasswordSource",
    "Passwords",
    "ServerMechanism",
    "ServerPlain",
    "Verdict",
    "apop_digest_matches",
    "as_text",
]

# What an unknown user's password is compared with, so that the work is the same.
_NOBODYS = token_urlsafe()
_KEY = token_bytes()


class Authenticator(Protocol):
    """Knows which password is whose."""

    def check(self, user: str, password: str) -> bool:
        """Whether ``password`` is that of ``user``.

        An unknown user has to take as long as a wrong password. Octets that are not UTF-8 come
        as surrogate escapes.
        """
        ...


@runtime_checkable
class PasswordSource(Authenticator, Protocol):
    """An ``Authenticator`` that can show the passwords themselves, as APOP needs."""

    def password_for(self, user: str) -> str | None:
        """The password of ``user``, or ``None`` for an unknown one."""
        ...


class Passwords:
    """A ``PasswordSource`` on a mapping from users to passwords, which may change at any time."""

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = passwords

    def password_for(self, user: str) -> str | None:
        """The password of ``user``, or ``None`` for an unknown one."""
        return self._passwords.get(user)

    def check(self, user: str, password: str) -> bool:
        """Whether ``password`` is that of ``user``, as it is or after SASLprep (RFC 4013).

        The time it takes does not tell.
        """
        known = self._passwords.get(user)
        expected = _NOBODYS if known is None else known
        # Digests have one length, so that not even that of the password shows. Clients may have
        # prepared what they send, and must for PLAIN (RFC 4616 section 2).
        same = hmac.compare_digest(_digest(_prepared(expected)), _digest(_prepared(password)))
        return same and known is not None


def _prepared(password: str) -> str:
    """``password`` after SASLprep (RFC 4013), or as it is if that does not take it."""
    if password.isascii():
        return password
    from .saslprep import saslprep

    try:
        return saslprep(password)
    except LocalProtocolError:
        return password


def _digest(password: str) -> bytes:
    return hmac.digest(_KEY, password.encode("utf-8", "surrogateescape"), "sha256")


def as_text(octets: str | bytes) -> str:
    """A name or a password as it came, with what is not UTF-8 as surrogate escapes."""
    return octets if isinstance(octets, str) else octets.decode("utf-8", "surrogateescape")


def apop_digest_matches(digest: str, timestamp: str, password: str | None) -> bool:
    """Whether ``digest`` is APOP's for ``password``; never for ``None``, after the same work.

    The password counts as it is and as SASLprep prepares it, which some clients do, and have to
    where a server takes UTF-8 (RFC 6856 section 2.2).
    """
    stored = _NOBODYS if password is None else password
    # Compared under a key that nobody knows, so that the time it takes tells nothing.
    right = [_digest(_apop_digest(timestamp, form)) for form in (stored, _prepared(stored))]
    return _digest(digest) in right and password is not None


def _apop_digest(timestamp: str, password: str) -> str:
    octets = timestamp.encode("ascii") + password.encode("utf-8", "surrogateescape")
    return md5(octets, usedforsecurity=False).hexdigest()


@value
class LoggedIn:
    """The end of an exchange: the client has proved to be ``user``."""

    user: str
    """Whose maildrop is opened."""


Verdict: TypeAlias = bytes | LoggedIn | None
"""What a mechanism makes of a response: the next challenge, a login, or ``None``, a refusal."""


class Attempt(Protocol):
    """One attempt to log in with one mechanism."""

    def respond(self, data: bytes | None) -> Verdict:
        """What follows the client's response.

        ``data`` is ``None`` once, at the start, if the client sent no initial response. All
        refusals look the same to the client, and are answered late.
        """
        ...


class ServerMechanism(Protocol):
    """A SASL mechanism, the server's side (RFC 4422, RFC 5034)."""

    @property
    def name(self) -> str:
        """The name, in upper case, as CAPA lists it."""
        ...

    @property
    def shows_password(self) -> bool:
        """Whether whoever can read the octets learns the secret: needs TLS (RFC 8314)."""
        ...

    def begin(self) -> Attempt:
        """Begin an exchange."""
        ...


class ServerPlain:
    """PLAIN (RFC 4616). A user can only act as that user."""

    name = "PLAIN"
    shows_password = True

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def begin(self) -> Attempt:
        """Begin an exchange."""
        return self

    def respond(self, data: bytes | None) -> Verdict:
        """An empty challenge if there is no response yet, else the outcome."""
        if data is None:
            return b""
        # RFC 4616 section 2: [authzid] NUL authcid NUL passwd.
        parts = data.split(b"\0")
        if len(parts) != 3 or not parts[1] or parts[0] not in (b"", parts[1]):
            return None
        user = as_text(parts[1])
        return LoggedIn(user) if self._authenticator.check(user, as_text(parts[2])) else None
