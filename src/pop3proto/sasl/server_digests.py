"""CRAM-MD5 (RFC 2195) and DIGEST-MD5 (RFC 2831), the server's side."""

from __future__ import annotations

import hmac
import re
from contextlib import suppress
from secrets import token_hex, token_urlsafe

from ..errors import LocalProtocolError
from .cram_md5 import cram_md5
from .digest_md5 import MAX_RESPONSE, digests, is_utf8, parse, quoted, secret_hash
from .saslprep import saslprep
from .users import Attempt, LoggedIn, PasswordSource, Verdict, as_text

__all__ = ["ServerCramMd5", "ServerDigestMd5"]

# What an unknown user's password is taken for, so that the work is the same.
_NOBODYS = token_urlsafe()
_CRAM = re.compile(rb"([^\x00]+) ([0-9a-f]{32})", re.DOTALL)
_HOST = re.compile(r"[!-~]+")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def _octets(password: str) -> bytes:
    return password.encode("utf-8", "surrogateescape")


def _check_host(host: object) -> None:
    if not isinstance(host, str) or not _HOST.fullmatch(host):
        raise LocalProtocolError("a host name is printable ASCII without blanks")


class ServerCramMd5:
    """CRAM-MD5 (RFC 2195) on passwords that the server can read; ``host`` is the server's name.

    A password counts as it is stored and as SASLprep (RFC 4013) prepares it. Raises
    ``LocalProtocolError`` for a host name that is not printable ASCII.
    """

    name = "CRAM-MD5"
    shows_password = False

    def __init__(self, passwords: PasswordSource, *, host: str) -> None:
        _check_host(host)
        self._passwords = passwords
        self._host = host

    def begin(self) -> Attempt:
        """Begin an exchange, with a challenge that was never used before."""
        # RFC 2195 section 2 wants a msg-id. Random digits say no less than a time does.
        challenge = f"<{token_hex()}.{token_hex(4)}@{self._host}>"
        return _CramMd5(self._passwords, challenge.encode("ascii"))


class _CramMd5:
    __slots__ = ("_challenge", "_passwords", "_step")

    def __init__(self, passwords: PasswordSource, challenge: bytes) -> None:
        self._passwords = passwords
        self._challenge = challenge
        self._step = 0

    def respond(self, data: bytes | None) -> Verdict:
        """The challenge, then the outcome; there is no initial response."""
        self._step += 1
        if self._step == 1 and data is None:
            return self._challenge
        answer = _CRAM.fullmatch(data) if self._step == 2 and data is not None else None
        if answer is None:
            return None
        user = as_text(answer[1])
        password = self._passwords.password_for(user)
        stored = _NOBODYS if password is None else password
        right = [
            hmac.compare_digest(cram_md5(_octets(form), self._challenge), answer[2])
            for form in (stored, _prepared(stored))
        ]
        return LoggedIn(user) if any(right) and password is not None else None


def _prepared(password: str) -> str:
    # As a client prepares what it is given, and not as for storing it: the two are compared.
    try:
        return saslprep(password)
    except LocalProtocolError:
        return password


class ServerDigestMd5:
    """DIGEST-MD5 (RFC 2831) on passwords that the server can read. Obsolete (RFC 6331).

    ``host`` is the name under which clients reach the server, and ``realm`` what its users
    belong to: ``host``, if it is not given. ``service`` is the protocol. A user can only act as
    that user. Raises ``LocalProtocolError`` for a host or a service that is not printable ASCII,
    and a realm that holds control characters.
    """

    name = "DIGEST-MD5"
    shows_password = False

    def __init__(
        self,
        passwords: PasswordSource,
        *,
        host: str,
        realm: str | None = None,
        service: str = "pop",
    ) -> None:
        _check_host(host)
        _check_host(service)
        realm = host if realm is None else realm
        if _CONTROL.search(realm):
            raise LocalProtocolError("a realm holds no control characters")
        self._passwords = passwords
        self._realm = realm
        self._digest_uri = f"{service}/{host}".encode("ascii")

    def begin(self) -> Attempt:
        """Begin an exchange, with a nonce that was never used before."""
        return _DigestMd5(self._passwords, self._realm, self._digest_uri)


class _DigestMd5:
    __slots__ = ("_digest_uri", "_nonce", "_passwords", "_realm", "_step", "_user")

    def __init__(self, passwords: PasswordSource, realm: str, digest_uri: bytes) -> None:
        self._passwords = passwords
        self._realm = realm
        self._digest_uri = digest_uri
        self._nonce = token_urlsafe().encode("ascii")
        self._step = 0
        self._user: str | None = None

    def respond(self, data: bytes | None) -> Verdict:
        """The challenge, the server's proof, then the outcome; there is no initial response."""
        self._step += 1
        if self._step == 1 and data is None:
            return self._challenge()
        if self._step == 2 and data is not None and len(data) < MAX_RESPONSE:
            # Whatever breaks the grammar, and all that is not in the charset it claims to be in.
            with suppress(ValueError):
                return self._verify(parse(data))
        user, self._user = self._user, None
        return LoggedIn(user) if user is not None and data == b"" else None

    def _challenge(self) -> bytes:
        return b'realm=%b,nonce=%b,qop="auth",algorithm=md5-sess,charset=utf-8' % (
            quoted(self._realm.encode("utf-8")),
            quoted(self._nonce),
        )

    def _verify(self, directives: dict[str, list[bytes]]) -> bytes | None:
        """The server's proof for a right response, else ``None``; or ``ValueError``."""
        charset = "utf-8" if is_utf8(directives) else "iso-8859-1"
        given = {name: values[0] for name, values in directives.items()}
        octets, realm = given.get("username", b""), given.get("realm", b"")
        user = octets.decode(charset)
        if not self._is_answer(given) or not user or realm.decode(charset) != self._realm:
            return None
        if given.get("authzid", b"").decode("utf-8") not in ("", user):
            return None
        password = self._passwords.password_for(user)
        stored = _NOBODYS if password is None else password
        expected, rspauth = digests(
            secret_hash(octets, realm, _encoded(stored, charset), charset),
            self._nonce,
            given["cnonce"],
            given["digest-uri"],
            given.get("authzid", b""),
        )
        if not hmac.compare_digest(expected, given.get("response", b"")) or password is None:
            return None
        self._user = user
        return b"rspauth=" + rspauth

    def _is_answer(self, given: dict[str, bytes]) -> bool:
        """Whether a response belongs to the challenge."""
        return (
            given.get("nonce") == self._nonce
            and given.get("nc") == b"00000001"
            and given.get("qop", b"auth").lower() == b"auth"
            and given.get("digest-uri", b"").lower() == self._digest_uri.lower()
            and bool(given.get("cnonce"))
        )


def _encoded(password: str, charset: str) -> bytes:
    try:
        return password.encode(charset, "surrogateescape")
    except UnicodeEncodeError:
        # A client that keeps to ISO 8859-1 cannot know such a password.
        return _octets(password)
