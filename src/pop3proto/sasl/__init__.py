"""SASL mechanisms (RFC 4422) as small objects: octets in, octets out.

``Login`` drives a whole login with them. The client's mechanisms are here; the server's are in
``pop3proto.sasl.server``.
"""

from .by_name import PASSWORD_MECHANISMS, SHOWS_SECRET, by_name, shows_secret
from .channel_binding import channel_bindings
from .cram_md5 import CramMd5
from .digest_md5 import DigestMd5
from .login import Login, LoginResult
from .mechanism import ChannelBinding, Mechanism, ReportsDetails, ShowsSecret
from .oauth import OAuthBearer, XOAuth2
from .plain import Anonymous, External, LoginMechanism, Plain
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
    "ReportsDetails",
    "ScramSha1",
    "ScramSha256",
    "ScramSha512",
    "ShowsSecret",
    "XOAuth2",
    "by_name",
    "channel_bindings",
    "shows_secret",
]
