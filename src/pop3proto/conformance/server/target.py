"""The server of a run: how to reach it, and what may be done to it."""

from __future__ import annotations

import ssl

from ...errors import LocalProtocolError
from ...model.secret import Secret
from ...model.value import options
from ...transports import Security
from ..delivery import Deliver

__all__ = ["ServerTarget"]


@options
class ServerTarget:
    """A server to test, and the account for it.

    Raises ``LocalProtocolError`` if TLS is wanted and there is no context, or a password is to be
    sent in the clear although that is not allowed.
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
        if self.security is not Security.PLAINTEXT and self.ssl_context is None:
            raise LocalProtocolError("TLS needs an ssl_context")
        clear = self.security is Security.PLAINTEXT and not self.allow_plaintext_auth
        if self.user is not None and clear:
            raise LocalProtocolError("without TLS, a login would show the password to the network")
