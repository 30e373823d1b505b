"""SASL mechanisms (RFC 4422) as small objects: octets in, octets out.

The client's are here; the server's are in ``pop3proto.sasl.server``.
"""

from ._by_name import PASSWORD_MECHANISMS, SHOWS_SECRET, by_name, shows_secret
from ._channel_binding import channel_bindings
from ._cram_md5 import CramMd5
from ._digest_md5 import DigestMd5
from ._mechanism import ChannelBinding, Mechanism, ReportsDetails, ShowsSecret
from ._oauth import OAuthBearer, XOAuth2
from ._plain import Anonymous, External, Login, Plain
from ._scram import ScramSha1, ScramSha256, ScramSha512
from ._spnego import Gssapi, Ntlm

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
