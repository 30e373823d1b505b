"""The server's side of the SASL mechanisms, for ``ServerSession`` and ``testing.serve()``.

Each class is named like the client's, with ``Server`` in front, and makes one ``Attempt`` for each
login.
"""

from __future__ import annotations

from collections.abc import Iterable

from .._arguments import listed
from .channel_binding import end_point
from .cram_md5 import ServerCramMd5
from .digest_md5 import ServerDigestMd5
from .mechanism import ChannelBinding
from .oauth import ServerOAuthBearer, ServerXOAuth2, TokenSource
from .plain import ServerAnonymous, ServerExternal, ServerLogin, ServerPlain
from .scram_messages import ScramKeys, ScramKeySource
from .scram_server import ServerScramSha1, ServerScramSha256, ServerScramSha512
from .users import (
    Attempt,
    LoggedIn,
    Passwords,
    PasswordSource,
    ServerMechanism,
    Verdict,
)

__all__ = [
    "Attempt",
    "ChannelBinding",
    "LoggedIn",
    "PasswordSource",
    "Passwords",
    "ScramKeySource",
    "ScramKeys",
    "ServerAnonymous",
    "ServerCramMd5",
    "ServerDigestMd5",
    "ServerExternal",
    "ServerLogin",
    "ServerMechanism",
    "ServerOAuthBearer",
    "ServerPlain",
    "ServerScramSha1",
    "ServerScramSha256",
    "ServerScramSha512",
    "ServerXOAuth2",
    "TokenSource",
    "Verdict",
    "end_point",
    "password_mechanisms",
]


def password_mechanisms(
    passwords: PasswordSource,
    *,
    host: str,
    channel_bindings: Iterable[ChannelBinding] = (),
) -> tuple[ServerMechanism, ...]:
    """Return every mechanism that checks a password, the best first.

    ``host`` is the server's name. With ``channel_bindings``, those of the client's connection,
    the ``-PLUS`` forms of SCRAM come first. On a server, ``end_point()`` makes a binding from the
    server's own certificate.
    """
    bindings = listed("channel_bindings are a list", channel_bindings, ChannelBinding)
    scram = (ServerScramSha512, ServerScramSha256, ServerScramSha1)
    bound = [each(passwords, channel_bindings=bindings) for each in scram] if bindings else []
    return (
        *bound,
        *(each(passwords, offers_plus=bool(bound)) for each in scram),
        ServerCramMd5(passwords, host=host),
        ServerDigestMd5(passwords, host=host),
        ServerPlain(passwords),
        ServerLogin(passwords),
    )
