"""The server's side of the SASL mechanisms, for ``ServerSession`` and ``testing.serve()``.

The classes have the names of the client's. Each makes one exchange for each login.
"""

from __future__ import annotations

from .._logins import Exchange, LoggedIn, Mechanism, Outcome, Passwords, PasswordSource
from .._logins import PlainMechanism as Plain
from ._server_digests import CramMd5, DigestMd5
from ._server_oauth import OAuthBearer, TokenSource, XOAuth2
from ._server_scram import ScramKeys, ScramKeySource, ScramSha1, ScramSha256, ScramSha512
from ._server_simple import Anonymous, External, Login

__all__ = [
    "Anonymous",
    "CramMd5",
    "DigestMd5",
    "Exchange",
    "External",
    "LoggedIn",
    "Login",
    "Mechanism",
    "OAuthBearer",
    "Outcome",
    "PasswordSource",
    "Passwords",
    "Plain",
    "ScramKeySource",
    "ScramKeys",
    "ScramSha1",
    "ScramSha256",
    "ScramSha512",
    "TokenSource",
    "XOAuth2",
    "password_mechanisms",
]


def password_mechanisms(passwords: PasswordSource, *, host: str) -> tuple[Mechanism, ...]:
    """Every mechanism that checks a password, the best first, for the server called ``host``."""
    return (
        ScramSha512(passwords),
        ScramSha256(passwords),
        ScramSha1(passwords),
        CramMd5(passwords, host=host),
        DigestMd5(passwords, host=host),
        Plain(passwords),
        Login(passwords),
    )
