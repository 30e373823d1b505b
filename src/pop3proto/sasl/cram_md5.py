"""CRAM-MD5 (RFC 2195), the client's side."""

from __future__ import annotations

import hmac
from functools import partial
from hashlib import md5

from ..errors import SaslError
from .plain import octets_of, raise_first

__all__ = ["CramMd5", "cram_md5"]

# The mechanism's choice, and refused by some builds of OpenSSL if it were for security.
_MD5 = partial(md5, usedforsecurity=False)


def cram_md5(secret: bytes, challenge: bytes) -> bytes:
    """HMAC-MD5 of ``challenge`` in hexadecimal (RFC 2195 section 2)."""
    return hmac.new(secret, challenge, _MD5).hexdigest().encode("ascii")


class CramMd5:
    """CRAM-MD5 (RFC 2195): proves knowledge of the password without showing it.

    Whoever listens can try passwords against the answer, and the server proves nothing: SCRAM
    is better. ``user`` and ``password`` are prepared with SASLprep (RFC 4013) if they are
    ``str``; octets are used as they are. Raises ``LocalProtocolError`` for a NUL, an empty user
    name, and text that SASLprep forbids.
    """

    __slots__ = ("_password", "_user")

    name = "CRAM-MD5"
    shows_secret = False

    def __init__(self, user: str | bytes, password: str | bytes) -> None:
        problems: list[str] = []
        self._user = octets_of("the user name", user, problems, prepare=True)
        self._password: bytes | None = octets_of(
            "the password", password, problems, prepare=True, empty=True
        )
        # A traceback shows the locals of this frame: the secret must not be one of them.
        del password
        raise_first(problems)

    def __repr__(self) -> str:
        return "CramMd5(<secret>)"

    @property
    def complete(self) -> bool:
        """Whether the challenge was answered."""
        return self._password is None

    def initial(self) -> None:
        """Nothing: the server has to begin."""

    def respond(self, challenge: bytes) -> bytes:
        """User name and digest; raises ``SaslError`` for an empty or a second challenge."""
        if self._password is None:
            raise SaslError("the server sent a second challenge, and CRAM-MD5 has one")
        if not challenge:
            raise SaslError("the server's CRAM-MD5 challenge is empty")
        digest = cram_md5(self._password, challenge)
        self._password = None
        return self._user + b" " + digest
