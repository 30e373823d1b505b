"""Who may log in to a server's session, and how: passwords, and the server's SASL mechanisms."""

from __future__ import annotations

from collections.abc import Mapping
from os import urandom
from typing import Protocol, TypeAlias, runtime_checkable

from .._arguments import require
from .._value import value
from ..errors import LocalProtocolError
from ..model.grammar import decode
from ..model.secret import Secret
from .apop import apop_digest
from .saslprep import prepared

__all__ = [
    "NOBODYS",
    "Attempt",
    "Authenticator",
    "LoggedIn",
    "PasswordSource",
    "Passwords",
    "ServerMechanism",
    "Verdict",
    "apop_digest_matches",
    "as_octets",
    "as_text",
]

NOBODYS = urandom(24).hex()
"""Used as the password of an unknown user, so that the work is the same as for a known one."""
_KEY = urandom(32)


class Authenticator(Protocol):
    """Checks if a password belongs to a user."""

    def check(self, user: str, password: str) -> bool:
        """Return whether ``password`` is that of ``user``.

        This has to take as long for an unknown user as for a wrong password. Octets that are not
        UTF-8 come as surrogate escapes.
        """
        ...


@runtime_checkable
class PasswordSource(Authenticator, Protocol):
    """An ``Authenticator`` that can show the passwords themselves, as APOP needs."""

    def password_for(self, user: str) -> str | None:
        """Return the password of ``user``, or ``None`` for an unknown one."""
        ...


class Passwords:
    """A ``PasswordSource`` with a mapping from users to passwords, which may change at any time."""

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = passwords

    def password_for(self, user: str) -> str | None:
        """Return the password of ``user``, or ``None`` for an unknown one.

        Raises ``LocalProtocolError`` if the mapping has something else.
        """
        password = self._passwords.get(user)
        if password is not None:
            # A mapping can have many users and change at any time, so each is checked here.
            require("a password in users", password, str, "a str")
            if not _can_be_sent(password):
                raise LocalProtocolError("a password in users holds a lone surrogate")
        return password

    def check(self, user: str, password: str) -> bool:
        """Return whether ``password`` is that of ``user``, as it is or after SASLprep (RFC 4013).

        The time that this takes does not depend on the answer.
        """
        from hmac import compare_digest

        known = self.password_for(user)
        expected = NOBODYS if known is None else known
        # All digests have the same length, so the length of the password does not show either.
        same = compare_digest(_digest(prepared(expected)), _digest(prepared(password)))
        return same and known is not None


def _digest(password: str) -> bytes:
    from hmac import digest

    return digest(_KEY, as_octets(password), "sha256")


def _can_be_sent(text: str) -> bool:
    try:
        as_octets(text)
    except UnicodeEncodeError:
        return False
    return True


def as_text(octets: str | bytes) -> str:
    """Return a name or a password as text, with surrogate escapes for octets that are not UTF-8."""
    return octets if isinstance(octets, str) else decode(octets)


def as_octets(text: str) -> bytes:
    """Return ``text`` as it would come over the wire."""
    return text.encode("utf-8", "surrogateescape")


def apop_digest_matches(digest: str, timestamp: str, password: str | None) -> bool:
    """Return whether ``digest`` is the APOP digest of ``password``.

    For ``None`` it never is, but the work is the same. The password is tried as it is and after
    SASLprep, which some clients apply, and have to apply if the server accepts UTF-8 (RFC 6856
    section 2.2).
    """
    stored = NOBODYS if password is None else password
    # Compared as keyed digests, so that the time that the comparison takes shows nothing.
    forms = [Secret(as_octets(form)) for form in (stored, prepared(stored))]
    right = [_digest(apop_digest(timestamp, form)) for form in forms]
    return _digest(digest) in right and password is not None


@value
class LoggedIn:
    """The end of an attempt: the client has proved that it is ``user``."""

    user: str
    """The user whose maildrop is opened."""


Verdict: TypeAlias = bytes | LoggedIn | None
"""The result of a response: the next challenge, a login, or ``None``, which is a refusal."""


class Attempt(Protocol):
    """One attempt to log in with one mechanism."""

    def respond(self, data: bytes | None) -> Verdict:
        """Return what follows the client's response.

        ``data`` is ``None`` once, at the start, if the client sent no initial response. All
        refusals look the same to the client, and are sent after a delay.
        """
        ...


class ServerMechanism(Protocol):
    """The server's side of a SASL mechanism (RFC 4422, RFC 5034)."""

    @property
    def name(self) -> str:
        """The name, in upper case, as CAPA lists it."""
        ...

    @property
    def shows_password(self) -> bool:
        """True if anybody who reads the octets learns the secret: TLS is needed (RFC 8314)."""
        ...

    def begin(self) -> Attempt:
        """Begin an attempt."""
        ...
