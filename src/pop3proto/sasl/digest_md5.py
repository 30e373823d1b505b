"""DIGEST-MD5 (RFC 2831), the client's side; the grammar and the digests serve both sides."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import md5
from secrets import token_urlsafe

from ..errors import SaslError, ServerVerificationError
from .plain import octets_of, raise_first

__all__ = [
    "MAX_RESPONSE",
    "DigestMd5",
    "digests",
    "is_utf8",
    "parse",
    "quoted",
    "secret_hash",
]

# RFC 2831 sections 2.1.1 and 2.1.2: both are less than this.
_MAX_CHALLENGE = 2048
MAX_RESPONSE = 4096

# Section 7.1, with the white space of RFC 2616 section 2.1: name = token or "quoted string".
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TEXT = rb'(?:[^"\\\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\\[\x00-\x7f])*'
_DIRECTIVE = re.compile(
    rb'(%b)[ \t\r\n]*=[ \t\r\n]*(?:"(%b)"|(%b))[ \t\r\n]*(?:,[ \t\r\n,]*|\Z)'
    % (_TOKEN, _TEXT, _TOKEN)
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_SPECIAL = re.compile(rb'(["\\])')
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_ASCII = re.compile(r"[!-~]+")


def parse(message: bytes, *, repeated: str = "") -> dict[str, list[bytes]]:
    """The directives of ``message`` by their names in lower case, without quotes.

    Raises ``ValueError``, which quotes nothing of it, if it breaks the grammar, or if a
    directive other than ``repeated`` comes twice.
    """
    found: dict[str, list[bytes]] = {}
    position = len(message) - len(message.lstrip(b" \t\r\n,"))
    while position < len(message):
        directive = _DIRECTIVE.match(message, position)
        if directive is None:
            raise ValueError(f"breaks the grammar at octet {position}")
        name, text, token = directive.groups()
        values = found.setdefault(name.decode("ascii").lower(), [])
        values.append(token if text is None else _ESCAPED.sub(rb"\1", text))
        position = directive.end()
    for name, values in found.items():
        if len(values) > 1 and name != repeated:
            raise ValueError("repeats a directive")
    return found


def is_utf8(directives: Mapping[str, Sequence[bytes]]) -> bool:
    """Whether names are in UTF-8, and not in ISO 8859-1; ``ValueError`` for other charsets."""
    charset = directives.get("charset")
    if charset is not None and charset[0].lower() != b"utf-8":
        raise ValueError("names an unknown charset")
    return charset is not None


def quoted(value: bytes) -> bytes:
    """``value`` as a quoted string."""
    return b'"' + _SPECIAL.sub(rb"\\\1", value) + b'"'


def secret_hash(user: bytes, realm: bytes, password: bytes, charset: str) -> bytes:
    """The 16 octets that stand for the password (section 2.1.2.1).

    Each of the three is in ``charset``, and hashed in ISO 8859-1 if all its characters belong
    to that.
    """
    return _hash(b":".join(_for_hash(octets, charset) for octets in (user, realm, password)))


def _for_hash(octets: bytes, charset: str) -> bytes:
    try:
        return octets.decode(charset).encode("iso-8859-1")
    except UnicodeError:
        return octets


def digests(
    secret: bytes, nonce: bytes, cnonce: bytes, digest_uri: bytes, authorization_id: bytes
) -> tuple[bytes, bytes]:
    """The ``response`` and the ``rspauth`` of an authentication (section 2.1.2.1).

    ``secret`` comes from ``secret_hash()``. The qop is ``auth``, and the nonce count 1.
    """
    a1 = b"%b:%b:%b" % (secret, nonce, cnonce)
    if authorization_id:
        a1 += b":" + authorization_id
    middle = b"%b:%b:00000001:%b:auth:" % (_hex(a1), nonce, cnonce)
    return (
        _hex(middle + _hex(b"AUTHENTICATE:" + digest_uri)),
        _hex(middle + _hex(b":" + digest_uri)),
    )


def _hash(octets: bytes) -> bytes:
    return md5(octets, usedforsecurity=False).digest()


def _hex(octets: bytes) -> bytes:
    return _hash(octets).hex().encode("ascii")


class DigestMd5:
    """DIGEST-MD5 (RFC 2831): both sides prove to know the password. Obsolete (RFC 6331).

    ``host`` is the server's name as the client knows it, and ``service`` its protocol.
    ``realm`` has to be one that the server offers, if it offers any; without one it is ``host``
    if that is offered, or else the first. ``authorization_id`` is whom to act as, if not
    ``user``. ``str`` is sent as UTF-8 or ISO 8859-1, as the server asks; octets are sent as they
    are. ``cnonce`` is for tests: printable ASCII that nobody can guess.

    Raises ``LocalProtocolError`` for control characters, an empty name, and a host, a service or
    a cnonce that is not printable ASCII.
    """

    __slots__ = (
        "_authorization_id",
        "_cnonce",
        "_complete",
        "_digest_uri",
        "_host",
        "_password",
        "_realm",
        "_rspauth",
        "_user",
    )

    name = "DIGEST-MD5"
    shows_secret = False

    def __init__(
        self,
        user: str | bytes,
        password: str | bytes,
        *,
        service: str = "pop",
        host: str,
        authorization_id: str | bytes = "",
        realm: str | bytes | None = None,
        cnonce: str | None = None,
    ) -> None:
        problems: list[str] = []
        self._complete = False
        self._rspauth: bytes | None = None
        self._user, self._password, self._realm, self._host = user, password, realm, host
        cnonce = token_urlsafe() if cnonce is None else cnonce
        self._cnonce = _ascii("the cnonce", cnonce, problems)
        self._digest_uri = b"%b/%b" % (
            _ascii("the service", service, problems),
            _ascii("the host", host, problems, "A-labels (xn--...) for other characters"),
        )
        octets_of("the password", password, problems, empty=True)
        what = "the authorization identity"
        self._authorization_id = _name(what, authorization_id, problems, empty=True)
        _name("the user name", user, problems)
        _name("the realm", b"" if realm is None else realm, problems, empty=True)
        # A traceback shows the locals of this frame: the secret must not be one of them.
        del password
        raise_first(problems)

    def __repr__(self) -> str:
        return "DigestMd5(<secret>)"

    @property
    def complete(self) -> bool:
        """Whether the server has proved that it knows the password."""
        return self._complete

    def initial(self) -> None:
        """Nothing: the server has to begin."""

    def respond(self, challenge: bytes) -> bytes:
        """The digest, and then nothing for the server's proof.

        Raises ``SaslError`` for a challenge that breaks RFC 2831, or wants what this mechanism
        does not have, and for a third one; ``ServerVerificationError`` for a second one that does
        not prove knowledge of the password.
        """
        if self._complete:
            raise SaslError("the server sent a third challenge, and DIGEST-MD5 has two")
        if self._rspauth is not None:
            self._verify(challenge, self._rspauth)
            return b""
        try:
            return self._answer(_checked(challenge))
        except ValueError as error:
            problem = str(error)
        raise SaslError(f"the server's DIGEST-MD5 challenge {problem}")

    def _answer(self, directives: dict[str, list[bytes]]) -> bytes:
        """The response to a challenge; ``ValueError`` says why there is none."""
        charset = "utf-8" if is_utf8(directives) else "iso-8859-1"
        user, password = _encoded(self._user, charset), _encoded(self._password, charset)
        realm = self._choose_realm(directives.get("realm", []), charset)
        response, rspauth = digests(
            secret_hash(user, realm or b"", password, charset),
            directives["nonce"][0],
            self._cnonce,
            self._digest_uri,
            self._authorization_id,
        )
        fields = [
            b"charset=utf-8" if charset == "utf-8" else b"",
            b"username=" + quoted(user),
            b"" if realm is None else b"realm=" + quoted(realm),
            b"nonce=" + quoted(directives["nonce"][0]),
            b"nc=00000001",
            b"cnonce=" + quoted(self._cnonce),
            b"digest-uri=" + quoted(self._digest_uri),
            b"response=" + response,
            b"qop=auth",
            b"authzid=" + quoted(self._authorization_id) if self._authorization_id else b"",
        ]
        message = b",".join(filter(None, fields))
        if len(message) >= MAX_RESPONSE:
            raise ValueError("asks for an answer that is too long")
        self._rspauth = rspauth
        return message

    def _choose_realm(self, offered: list[bytes], charset: str) -> bytes | None:
        # Those of the server go back to it, and are hashed, in its own octets.
        if self._realm is not None:
            wanted = _encoded(self._realm, charset)
            if offered and wanted not in offered:
                raise ValueError("does not offer the realm that was asked for")
            return wanted
        host = self._host.lower().encode("ascii")
        return next((realm for realm in offered if realm.lower() == host), (*offered, None)[0])

    def _verify(self, challenge: bytes, rspauth: bytes) -> None:
        proof = b""
        with suppress(ValueError):
            proof = parse(challenge).get("rspauth", [b""])[0]
        if not hmac.compare_digest(proof, rspauth):
            raise ServerVerificationError("the server did not prove that it knows the password")
        self._complete = True


def _checked(challenge: bytes) -> dict[str, list[bytes]]:
    """The directives of a challenge that this mechanism can answer, or ``ValueError``."""
    if len(challenge) >= _MAX_CHALLENGE:
        raise ValueError(f"has {_MAX_CHALLENGE} octets or more")
    directives = parse(challenge, repeated="realm")
    if not directives.get("nonce", [b""])[0]:
        raise ValueError("has no nonce")
    if directives.get("algorithm", [b""])[0].lower() != b"md5-sess":
        raise ValueError("does not name the algorithm md5-sess")
    qop = directives.get("qop", [b"auth"])[0].lower().split(b",")
    if b"auth" not in [option.strip() for option in qop]:
        raise ValueError("does not offer the qop auth")
    if is_utf8(directives) and not all(map(_is_utf8_text, directives.get("realm", []))):
        raise ValueError("has a realm that is not UTF-8")
    return directives


def _is_utf8_text(octets: bytes) -> bool:
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _encoded(text: str | bytes, charset: str) -> bytes:
    if isinstance(text, bytes):
        return text
    try:
        return text.encode(charset)
    except UnicodeEncodeError:
        # Its text would show a character of the password.
        raise ValueError("allows only ISO 8859-1, and a name or the password is not") from None


def _ascii(what: str, text: object, problems: list[str], instead: str = "") -> bytes:
    if isinstance(text, str) and _ASCII.fullmatch(text):
        return text.encode("ascii")
    problems.append(", ".join(filter(None, [f"{what} is printable ASCII without blanks", instead])))
    return b""


def _name(what: str, text: object, problems: list[str], *, empty: bool = False) -> bytes:
    octets = octets_of(what, text, problems, empty=empty)
    if _CONTROL.search(octets):
        problems.append(f"{what} holds a control character")
    return octets
