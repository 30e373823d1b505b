"""XOAUTH2 and OAUTHBEARER (RFC 7628), the client's side: access tokens in place of passwords."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from ..errors import SaslError
from .plain import octets_of, raise_first

__all__ = ["OAuthBearer", "XOAuth2"]

# RFC 6749 appendix A.12.
_TOKEN = re.compile(rb"[ -~]+")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_MAX_PORT = 65535
# What a server says about a refusal is some strings; more than this is read by nobody.
_MAX_DETAILS = 8192
_MAX_BRACKETS = 32


def _name_of(what: str, text: str | bytes, problems: list[str], *, empty: bool) -> bytes:
    octets = octets_of(what, text, problems, empty=empty)
    # U+0001 ends a field.
    if _CONTROL.search(octets):
        problems.append(f"{what} holds a control character")
    return octets


def _token_of(token: str | bytes, problems: list[str]) -> bytes:
    octets = octets_of("the access token", token, problems)
    if octets and not _TOKEN.fullmatch(octets):
        problems.append("an access token is printable ASCII")
    return octets


def _decoded(challenge: bytes) -> Mapping[str, object]:
    brackets = challenge.count(b"{") + challenge.count(b"[")
    if len(challenge) > _MAX_DETAILS or brackets > _MAX_BRACKETS:
        return {}
    import json

    try:
        details: object = json.loads(challenge.decode("utf-8"))
    except ValueError:
        return {}
    return cast("dict[str, object]", details) if isinstance(details, dict) else {}


class _OAuth:
    """A message with the token, and a dummy reply if the server explains its refusal."""

    __slots__ = ("_details", "_message", "_sent")

    name: str
    shows_secret = True
    _dummy: bytes

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._sent = False
        self._details: Mapping[str, object] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<secret>)"

    @property
    def complete(self) -> bool:
        """Whether the message was taken."""
        return self._sent

    @property
    def details(self) -> Mapping[str, object]:
        """What the server said of its refusal, decoded from JSON; empty if it said nothing."""
        return self._details or {}

    def initial(self) -> bytes:
        """The message with the access token."""
        self._sent = True
        return self._message

    def respond(self, challenge: bytes) -> bytes:
        """A reply without meaning to the server's explanation, which ``details`` then holds.

        The server refuses the login after it. Raises ``SaslError`` for a second challenge.
        """
        if self._details is not None:
            raise SaslError(f"the server sent a second challenge, and {self.name} has one")
        self._details = _decoded(challenge)
        return self._dummy


class XOAuth2(_OAuth):
    """XOAUTH2, as Google and Microsoft document it: an OAuth 2.0 access token for ``user``.

    The token is shown to whoever reads along, so it belongs on TLS. Raises
    ``LocalProtocolError`` for control characters, an empty name, and a token that is empty or
    not printable ASCII.
    """

    __slots__ = ()

    name = "XOAUTH2"
    _dummy = b""

    def __init__(self, user: str | bytes, token: str | bytes) -> None:
        problems: list[str] = []
        name = _name_of("the user name", user, problems, empty=False)
        super().__init__(b"user=%s\x01auth=Bearer %s\x01\x01" % (name, _token_of(token, problems)))
        # A traceback shows the locals of this frame: the secret must not be one of them.
        del token
        raise_first(problems)


class OAuthBearer(_OAuth):
    """OAUTHBEARER (RFC 7628): an OAuth 2.0 access token (RFC 6750) for ``user``.

    ``host`` and ``port`` are those that the client connected to, for servers that ask for them.
    An empty ``user`` leaves it to the token whose maildrop it is. The token is shown to whoever
    reads along, so it belongs on TLS. Raises ``LocalProtocolError`` for control characters, a
    port that is none, and a token that is empty or not printable ASCII.
    """

    __slots__ = ()

    name = "OAUTHBEARER"
    _dummy = b"\x01"

    def __init__(
        self,
        user: str | bytes,
        token: str | bytes,
        *,
        host: str | None = None,
        port: int | None = None,
    ) -> None:
        problems: list[str] = []
        name = _name_of("the user name", user, problems, empty=True)
        # RFC 5801 section 4: a comma ends the name.
        name = name.replace(b"=", b"=3D").replace(b",", b"=2C")
        fields = [b"n,%s," % (b"a=" + name if name else b"")]
        if host is not None:
            fields.append(b"host=" + _name_of("the host", host, problems, empty=False))
        if port is not None:
            if type(port) is not int or not 1 <= port <= _MAX_PORT:
                problems.append(f"a port is a number from 1 to {_MAX_PORT}")
            fields.append(b"port=" + str(port).encode("ascii"))
        fields.append(b"auth=Bearer " + _token_of(token, problems))
        super().__init__(b"\x01".join([*fields, b"", b""]))
        del token, fields
        raise_first(problems)
