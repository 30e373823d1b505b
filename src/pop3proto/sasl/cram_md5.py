"""CRAM-MD5 (RFC 2195), both sides."""

from __future__ import annotations

from os import urandom

from ..errors import LocalProtocolError, SaslError
from ..model.grammar import has_control
from ..model.secret import Secret
from .saslprep import octets_of, prepared
from .users import NOBODYS, Attempt, LoggedIn, PasswordSource, Verdict, as_octets, as_text

__all__ = ["CramMd5", "ServerCramMd5", "is_host"]


def _answer(secret: Secret, challenge: bytes) -> bytes:
    """Return HMAC-MD5 of ``challenge`` in hexadecimal (RFC 2195 section 2)."""
    import hmac
    from functools import partial
    from hashlib import md5

    # The mechanism demands MD5, and some builds of OpenSSL refuse it for security purposes.
    hashed = partial(md5, usedforsecurity=False)
    return hmac.new(secret.octets(), challenge, hashed).hexdigest().encode("ascii")


def is_host(host: object) -> bool:
    """Return whether ``host`` is printable ASCII without blanks, as all host names are."""
    if not isinstance(host, str) or not host.isascii() or not host.isprintable():
        return False
    return bool(host) and " " not in host


class CramMd5:
    """CRAM-MD5 (RFC 2195): proves knowledge of the password without showing it.

    An eavesdropper can test guesses of the password against the answer, and the server proves
    nothing; SCRAM is better. ``user`` and ``password`` are prepared with SASLprep (RFC 4013) if
    they are ``str``; octets are used as they are. Raises ``LocalProtocolError`` for a control
    character, an empty user name, and text that SASLprep forbids.
    """

    __slots__ = ("_password", "_user")

    name = "CRAM-MD5"
    shows_secret = False

    def __init__(self, user: str | bytes, password: str | bytes | Secret) -> None:
        password = Secret(password)
        self._user = octets_of("the user name", user, prepare=True)
        octets = Secret(octets_of("the password", password, prepare=True, empty=True))
        self._password: Secret | None = octets

    def __repr__(self) -> str:
        return "CramMd5(<secret>)"

    @property
    def complete(self) -> bool:
        """True if the challenge was answered."""
        return self._password is None

    def initial(self) -> None:
        """Return nothing: the server has to begin."""

    def respond(self, challenge: bytes) -> bytes:
        """Return user name and digest; raise ``SaslError`` for an empty or a second challenge."""
        if self._password is None:
            raise SaslError("the server sent a second challenge, and CRAM-MD5 has one")
        if not challenge:
            raise SaslError("the server's CRAM-MD5 challenge is empty")
        digest = _answer(self._password, challenge)
        # A mechanism is used for one login only.
        self._password = None
        return self._user + b" " + digest


class ServerCramMd5:
    """CRAM-MD5 (RFC 2195) with passwords that the server can read; ``host`` is the server's name.

    A password is accepted as it is stored, and as SASLprep (RFC 4013) prepares it. Raises
    ``LocalProtocolError`` for a host name that is not printable ASCII.
    """

    name = "CRAM-MD5"
    shows_password = False

    def __init__(self, passwords: PasswordSource, *, host: str) -> None:
        if not is_host(host):
            raise LocalProtocolError("a host name is printable ASCII without blanks")
        self._passwords = passwords
        self._host = host

    def begin(self) -> Attempt:
        """Begin an attempt, with a challenge that was never used before."""
        # RFC 2195 section 2 demands a msg-id. Random digits are as good as a time.
        challenge = f"<{urandom(32).hex()}.{urandom(4).hex()}@{self._host}>"
        return _CramMd5Attempt(self._passwords, challenge.encode("ascii"))


class _CramMd5Attempt:
    __slots__ = ("_challenge", "_passwords", "_step")

    def __init__(self, passwords: PasswordSource, challenge: bytes) -> None:
        self._passwords = passwords
        self._challenge = challenge
        self._step = 0

    def respond(self, data: bytes | None) -> Verdict:
        """Return the challenge, then the verdict; there is no initial response."""
        from hmac import compare_digest
        from re import DOTALL, fullmatch

        self._step += 1
        if self._step == 1 and data is None:
            return self._challenge
        if self._step != 2 or data is None:
            return None
        answer = fullmatch(rb"(.+) ([0-9a-f]{32})", data, DOTALL)
        if answer is None or has_control(answer[1]):
            return None
        user = as_text(answer[1])
        password = self._passwords.password_for(user)
        stored = NOBODYS if password is None else password
        # Compared in the form that clients prepare, not in the form for stored strings.
        right = [
            compare_digest(_answer(Secret(as_octets(form)), self._challenge), answer[2])
            for form in (stored, prepared(stored))
        ]
        return LoggedIn(user) if any(right) and password is not None else None
