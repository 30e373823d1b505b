"""The server of a run: how to reach it, and what may be done to it."""

from __future__ import annotations

import ssl
from types import NoneType

from ..._arguments import require, require_count, require_seconds
from ..._value import options
from ...errors import LocalProtocolError
from ...model.grammar import has_control
from ...model.secret import Secret
from ...transports import Security
from ..delivery import Deliver

__all__ = ["ServerTarget"]


@options
class ServerTarget:
    """A server to test, and the account for it.

    Raises ``LocalProtocolError``, which names the argument, for a value of another type, if TLS is
    wanted and there is no context, or if a password is to be sent in the clear although that is not
    allowed.
    """

    host: str
    """The server's name or address."""
    port: int
    """Its port."""
    security: Security
    """How connections are secured before a login."""
    user: str | None = None
    """The account; without it, only what can be seen before a login is tested."""
    secret: Secret | None = None
    """Its password."""
    ssl_context: ssl.SSLContext | None = None
    """How TLS is made."""
    server_hostname: str | None = None
    """The name that the certificate is for, if it is not ``host``."""
    fingerprint: str | None = None
    """The SHA-256 of the certificate in hexadecimal, if it is trusted for that alone."""
    allow_plaintext_auth: bool = False
    """True if the password may be sent without TLS."""
    timeout: float = 10.0
    """Seconds that an answer may take; an answer to a login has three times as long."""
    destructive: bool = False
    """True if mail of the account may be deleted."""
    slow: bool = False
    """True if cases that take minutes are wanted."""
    deliver: Deliver | None = None
    """How to put mail into the account."""

    def __post_init__(self) -> None:
        require("host", self.host, str, "a str")
        require_count("port", self.port)
        require("security", self.security, Security, "a Security")
        require("user", self.user, (str, NoneType), "a str")
        require("secret", self.secret, (Secret, NoneType), "a Secret")
        require_seconds("timeout", self.timeout, zero=False)
        for name in ("allow_plaintext_auth", "destructive", "slow"):
            # Text such as "no" would count as true.
            require(name, getattr(self, name), bool, "True or False")
        if (self.user is None) is not (self.secret is None):
            raise LocalProtocolError("user and secret are given together, or neither of them")
        octets = (self.user or "").encode(), b"" if self.secret is None else self.secret.octets()
        if any(map(has_control, octets)):
            raise LocalProtocolError("user and secret have no control characters")
        if self.security is not Security.PLAINTEXT and self.ssl_context is None:
            raise LocalProtocolError("TLS needs an ssl_context")
        clear = self.security is Security.PLAINTEXT and not self.allow_plaintext_auth
        if self.user is not None and clear:
            raise LocalProtocolError("without TLS, a login would show the password to the network")
