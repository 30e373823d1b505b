"""The server's side of the SASL mechanisms, for ``ServerSession`` and ``testing.serve()``.

The classes have the names of the client's. Each makes one exchange for each login.
"""

from __future__ import annotations

from collections.abc import Iterable

from .channel_binding import end_point
from .mechanism import ChannelBinding
from .server_digests import CramMd5, DigestMd5
from .server_oauth import OAuthBearer, TokenSource, XOAuth2
from .server_scram import ScramKeys, ScramKeySource, ScramSha1, ScramSha256, ScramSha512
from .server_simple import Anonymous, External, Login
from .users import Exchange, LoggedIn, Mechanism, Outcome, Passwords, PasswordSource
from .users import PlainMechanism as Plain

__all__ = [
    "Anonymous",
    "ChannelBinding",
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
    "end_point",
    "password_mechanisms",
]


def password_mechanisms(
    passwords: PasswordSource,
    *,
    host: str,
    channel_bindings: Iterable[ChannelBinding] = (),
) -> tuple[Mechanism, ...]:
    """Every mechanism that checks a password, the best first, for the server called ``host``.

    With ``channel_bindings``, those of the client's connection, the ``-PLUS`` forms of SCRAM come
    first. On a server, ``end_point()`` makes one of the server's own certificate.
    """
    bindings = tuple(channel_bindings)
    scram = (ScramSha512, ScramSha256, ScramSha1)
    bound = [each(passwords, channel_bindings=bindings) for each in scram] if bindings else []
    return (
        *bound,
        *(each(passwords, offers_plus=bool(bound)) for each in scram),
        CramMd5(passwords, host=host),
        DigestMd5(passwords, host=host),
        Plain(passwords),
        Login(passwords),
    )
