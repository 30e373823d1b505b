"""The client's mechanisms by their registered names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._arguments import require
from ..errors import MechanismError
from ..model.secret import Secret

if TYPE_CHECKING:
    from .mechanism import ChannelBinding, Mechanism

__all__ = ["PASSWORD_MECHANISMS", "SHOWS_SECRET", "by_name", "shows_secret"]

_PLUS = "-PLUS"
_SCRAM = ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512")
PASSWORD_MECHANISMS = frozenset(
    {"PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "NTLM", *_SCRAM, *(n + _PLUS for n in _SCRAM)}
)
"""The mechanisms that prove a user's password."""
SHOWS_SECRET = frozenset({"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"})
"""The mechanisms that send something with which a reader can log in again (RFC 8314)."""
_HIDES_SECRET = (PASSWORD_MECHANISMS - SHOWS_SECRET) | {"EXTERNAL", "ANONYMOUS", "GSSAPI"}


def shows_secret(mechanism: Mechanism | str) -> bool:
    """Return True if somebody who reads what ``mechanism`` sends could log in with it.

    Such a mechanism needs TLS. ``mechanism`` can be a name. An unknown name counts as one that
    shows its secret, and so does an object with an unknown name, unless its ``shows_secret`` is
    ``False``.
    """
    if not isinstance(mechanism, str):
        from .mechanism import ShowsSecret

        if isinstance(mechanism, ShowsSecret):
            return mechanism.shows_secret is not False
        name = getattr(mechanism, "name", None)
        require("the name of mechanism", name, str, "a str")
        mechanism = mechanism.name
    return mechanism.upper() not in _HIDES_SECRET


def by_name(
    name: str,
    user: str | bytes = "",
    secret: str | bytes | Secret = "",
    *,
    host: str | None = None,
    channel_binding: ChannelBinding | None = None,
    can_bind: bool = False,
) -> Mechanism:
    """Return the client's mechanism called ``name``, in any case, for one login.

    ``secret`` is the password or, for XOAUTH2 and OAUTHBEARER, the access token. For EXTERNAL,
    ``user`` is the user to act as; for ANONYMOUS, it is the trace. ``host`` is the server's name,
    for DIGEST-MD5, GSSAPI and NTLM, in ASCII, with A-labels for other characters. The ``-PLUS``
    forms take ``channel_binding``; ``can_bind`` says that this side has a binding, but the server
    does not offer to use one (RFC 5802 section 6).

    Raises ``MechanismError`` for a name that is not known, and ``LocalProtocolError`` for a
    user, a secret or a host that the mechanism cannot carry.
    """
    secret = Secret(secret)
    require("name", name, str, "a str")
    upper = name.upper()
    base = upper.removesuffix(_PLUS)
    if upper.endswith(_PLUS) != (channel_binding is not None) or (
        channel_binding and base not in _SCRAM
    ):
        raise MechanismError(f"{upper}: only SCRAM's -PLUS forms bind to the channel")
    # A program uses one or two of them, so their modules are loaded here.
    if base in _SCRAM:
        from . import scram

        cls = {each.base: each for each in scram.CLIENTS}[base]
        return cls(user, secret, channel_binding=channel_binding, can_bind=can_bind)
    match upper:
        case "PLAIN" | "LOGIN":
            from . import plain

            simple = plain.Plain if upper == "PLAIN" else plain.LoginMechanism
            return simple(user, secret)
        case "EXTERNAL" | "ANONYMOUS":
            from . import plain

            return plain.External(user) if upper == "EXTERNAL" else plain.Anonymous(user)
        case "CRAM-MD5":
            from .cram_md5 import CramMd5

            return CramMd5(user, secret)
        case "DIGEST-MD5":
            from .digest_md5 import DigestMd5

            return DigestMd5(user, secret, host=host or "")
        case "XOAUTH2":
            from .oauth import XOAuth2

            return XOAuth2(user, secret)
        case "OAUTHBEARER":
            from .oauth import OAuthBearer

            return OAuthBearer(user, secret, host=host)
        case "GSSAPI":
            from .spnego import Gssapi
            from .users import as_text

            return Gssapi(host or "", user=as_text(user) or None, password=secret or None)
        case "NTLM":
            from .spnego import Ntlm

            return Ntlm(user, secret, host=host or "")
        case _:
            raise MechanismError(f"no mechanism is known by the name {name!r}")
