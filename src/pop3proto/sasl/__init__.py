"""SASL mechanisms (RFC 4422) as small objects: octets in, octets out.

``Login`` drives a whole login with them. The client's mechanisms are here; the server's are in
``pop3proto.sasl.server``. A mechanism that a program does not use is not loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import loads_when_asked

if TYPE_CHECKING:
    from .apop import apop_command
    from .channel_binding import channel_bindings
    from .cram_md5 import CramMd5
    from .digest_md5 import DigestMd5
    from .login import Login
    from .mechanism import ChannelBinding, Mechanism, ReportsDetails, ShowsSecret
    from .oauth import OAuthBearer, XOAuth2
    from .plain import Anonymous, External, LoginMechanism, Plain
    from .registry import PASSWORD_MECHANISMS, SHOWS_SECRET, by_name, shows_secret
    from .results import LoginResult, RefusedToken
    from .scram import ScramSha1, ScramSha256, ScramSha512
    from .spnego import Gssapi, Ntlm

__all__ = [
    "PASSWORD_MECHANISMS",
    "SHOWS_SECRET",
    "Anonymous",
    "ChannelBinding",
    "CramMd5",
    "DigestMd5",
    "External",
    "Gssapi",
    "Login",
    "LoginMechanism",
    "LoginResult",
    "Mechanism",
    "Ntlm",
    "OAuthBearer",
    "Plain",
    "RefusedToken",
    "ReportsDetails",
    "ScramSha1",
    "ScramSha256",
    "ScramSha512",
    "ShowsSecret",
    "XOAuth2",
    "apop_command",
    "by_name",
    "channel_bindings",
    "shows_secret",
]

_HOMES = {
    "registry": (
        "PASSWORD_MECHANISMS",
        "SHOWS_SECRET",
        "by_name",
        "shows_secret",
    ),
    "apop": ("apop_command",),
    "channel_binding": ("channel_bindings",),
    "cram_md5": ("CramMd5",),
    "digest_md5": ("DigestMd5",),
    "login": ("Login",),
    "mechanism": (
        "ChannelBinding",
        "Mechanism",
        "ReportsDetails",
        "ShowsSecret",
    ),
    "oauth": (
        "OAuthBearer",
        "XOAuth2",
    ),
    "results": (
        "LoginResult",
        "RefusedToken",
    ),
    "plain": (
        "Anonymous",
        "External",
        "LoginMechanism",
        "Plain",
    ),
    "scram": (
        "ScramSha1",
        "ScramSha256",
        "ScramSha512",
    ),
    "spnego": (
        "Gssapi",
        "Ntlm",
    ),
}

if not TYPE_CHECKING:  # or every name would be there for a type checker
    __getattr__, __dir__ = loads_when_asked(__name__, _HOMES)
