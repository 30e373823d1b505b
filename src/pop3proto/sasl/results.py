"""The result of a login, and an access token that was refused."""

from __future__ import annotations

from .._value import value
from ..errors import AuthenticationError
from ..model.secret import Secret

__all__ = ["LoginResult", "RefusedToken"]


@value
class LoginResult:
    """How a login was done."""

    mechanism: str
    """The name of a SASL mechanism, ``APOP``, ``RPOP``, or ``USER`` for USER and PASS."""
    channel_bound: bool
    """True if the login is tied to the TLS connection (RFC 5056)."""
    text: str = ""
    """The server's text."""


@value
class RefusedToken:
    """An access token that the server has refused, and why."""

    token: Secret
    """The token."""
    error: AuthenticationError
    """An ``OAuthError``, with the server's explanation, or a ``CredentialsError``."""
