"""DIGEST-MD5 (RFC 2831), both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import urandom

from .._arguments import require
from ..errors import LocalProtocolError, SaslError, ServerVerificationError
from ..model.secret import Secret
from .cram_md5 import is_host
from .saslprep import is_controlling, octets_of
from .users import NOBODYS, Attempt, LoggedIn, PasswordSource, Verdict, as_octets

__all__ = ["DigestMd5", "ServerDigestMd5", "parse"]

# RFC 2831 sections 2.1.1 and 2.1.2: both are less than this.
_MAX_CHALLENGE = 2048
_MAX_RESPONSE = 4096

# Section 7.1, with the white space of RFC 2616 section 2.1: name = token or "quoted string".
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TEXT = rb'(?:[^"\\\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\\[\x00-\x7f])*'
_DIRECTIVE = rb'(%b)[ \t\r\n]*=[ \t\r\n]*(?:"(%b)"|(%b))[ \t\r\n]*(?:,[ \t\r\n,]*|\Z)' % (
    _TOKEN,
    _TEXT,
    _TOKEN,
)


def parse(message: bytes, *, repeated: str = "") -> dict[str, list[bytes]]:
    """Return the directives of ``message``, without quotes, keyed by their names in lower case.

    Raises ``ValueError``, which does not quote the message, if it breaks the grammar, or if a
    directive other than ``repeated`` comes twice.
    """
    import re

    directives = re.compile(_DIRECTIVE)
    found: dict[str, list[bytes]] = {}
    position = len(message) - len(message.lstrip(b" \t\r\n,"))
    while position < len(message):
        directive = directives.match(message, position)
        if directive is None:
            raise ValueError(f"breaks the grammar at octet {position}")
        name, text, token = directive.groups()
        values = found.setdefault(name.decode("ascii").lower(), [])
        values.append(token if text is None else re.sub(rb"(?s)\\(.)", rb"\1", text))
        position = directive.end()
    for name, values in found.items():
        if len(values) > 1 and name != repeated:
            raise ValueError("repeats a directive")
    return found


def _charset_of(directives: Mapping[str, Sequence[bytes]]) -> str:
    """Return the charset of the names; raise ``ValueError`` for one that RFC 2831 does not know."""
    charset = directives.get("charset")
    if charset is None:
        return "iso-8859-1"
    if charset[0].lower() != b"utf-8":
        raise ValueError("names an unknown charset")
    return "utf-8"


def _quoted(value: bytes) -> bytes:
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _secret_hash(user: bytes, realm: bytes, password: Secret, charset: str) -> Secret:
    """Return the 16 octets that stand for the password (section 2.1.2.1).

    Each of the three is in ``charset``, and hashed in ISO 8859-1 if all its characters belong
    to that.
    """
    forms = [_for_hash(part, charset) for part in (Secret(user), Secret(realm), password)]
    return _hash(Secret(b":".join(form.octets() for form in forms)))


def _for_hash(text: Secret, charset: str) -> Secret:
    try:
        return Secret(text.octets().decode(charset).encode("iso-8859-1"))
    except UnicodeError:
        return text


def _digests(
    secret: Secret, nonce: bytes, cnonce: bytes, digest_uri: bytes, authorization_id: bytes
) -> tuple[bytes, bytes]:
    """Return the ``response`` and the ``rspauth`` of an authentication (section 2.1.2.1).

    ``secret`` comes from ``_secret_hash()``. The qop is ``auth``, and the nonce count 1.
    """
    identity = b":" + authorization_id if authorization_id else b""
    a1 = _hex(Secret(b"%b:%b:%b%b" % (secret.octets(), nonce, cnonce, identity)))
    # Whoever knows A1 can log in with it, so it is not in a local variable by itself.
    middle = Secret(b"%b:%b:00000001:%b:auth:" % (a1.octets(), nonce, cnonce))
    return (
        _digest(middle, b"AUTHENTICATE:" + digest_uri),
        _digest(middle, b":" + digest_uri),
    )


def _digest(middle: Secret, a2: bytes) -> bytes:
    return _hex(Secret(middle.octets() + _hex(Secret(a2)).octets())).octets()


def _hash(octets: Secret) -> Secret:
    from hashlib import md5

    return Secret(md5(octets.octets(), usedforsecurity=False).digest())


def _hex(octets: Secret) -> Secret:
    return Secret(_hash(octets).octets().hex().encode("ascii"))


class DigestMd5:
    """DIGEST-MD5 (RFC 2831): both sides prove that they know the password. Obsolete (RFC 6331).

    ``host`` is the server's name as the client knows it, and ``service`` its protocol. ``realm``
    has to be one that the server offers, if it offers any; without one it is ``host`` if that is
    offered, or else the first. ``authorization_id`` is the user to act as, if not ``user``. ``str``
    is sent as UTF-8 or ISO 8859-1, as the server asks; octets are sent as they are. ``cnonce`` is
    for tests: printable ASCII that nobody can guess.

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
        password: str | bytes | Secret,
        *,
        service: str = "pop",
        host: str,
        authorization_id: str | bytes = "",
        realm: str | bytes | None = None,
        cnonce: str | None = None,
    ) -> None:
        password = Secret(password)
        self._complete = False
        self._rspauth: bytes | None = None
        self._user, self._password, self._realm, self._host = user, password, realm, host
        self._cnonce = _ascii("the cnonce", urandom(24).hex() if cnonce is None else cnonce)
        self._digest_uri = b"%b/%b" % (
            _ascii("the service", service),
            _ascii("the host", host, ", A-labels (xn--...) for other characters"),
        )
        octets_of("the password", password, empty=True)
        what = "the authorization identity"
        self._authorization_id = octets_of(what, authorization_id, empty=True)
        octets_of("the user name", user)
        octets_of("the realm", b"" if realm is None else realm, empty=True)

    def __repr__(self) -> str:
        return "DigestMd5(<secret>)"

    @property
    def complete(self) -> bool:
        """True if the server has proved that it knows the password."""
        return self._complete

    def initial(self) -> None:
        """Return nothing: the server has to begin."""

    def respond(self, challenge: bytes) -> bytes:
        """Return the digest, and then an empty answer to the server's proof.

        Raises ``SaslError`` for a challenge that breaks RFC 2831, or demands something that this
        mechanism does not have, and for a third one; ``ServerVerificationError`` for a second one
        that does not prove knowledge of the password.
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
        """Return the response to a challenge; raise ``ValueError`` if there is none."""
        charset = _charset_of(directives)
        user, secret = (
            _in_charset(Secret(self._user), charset),
            _in_charset(self._password, charset),
        )
        name, nonce = user.octets(), directives["nonce"][0]
        realm = self._choose_realm(directives.get("realm", []), charset)
        response, rspauth = _digests(
            _secret_hash(name, realm or b"", secret, charset),
            nonce,
            self._cnonce,
            self._digest_uri,
            self._authorization_id,
        )
        fields = [
            b"charset=utf-8" if charset == "utf-8" else b"",
            b"username=" + _quoted(name),
            b"" if realm is None else b"realm=" + _quoted(realm),
            b"nonce=" + _quoted(nonce),
            b"nc=00000001",
            b"cnonce=" + _quoted(self._cnonce),
            b"digest-uri=" + _quoted(self._digest_uri),
            b"response=" + response,
            b"qop=auth",
            b"authzid=" + _quoted(self._authorization_id) if self._authorization_id else b"",
        ]
        message = b",".join(filter(None, fields))
        if len(message) >= _MAX_RESPONSE:
            raise ValueError("asks for an answer that is too long")
        self._rspauth = rspauth
        return message

    def _choose_realm(self, offered: list[bytes], charset: str) -> bytes | None:
        # A realm that the server offers is sent back, and hashed, in the octets that the server
        # sent.
        if self._realm is not None:
            wanted = _in_charset(Secret(self._realm), charset).octets()
            if offered and wanted not in offered:
                raise ValueError("does not offer the realm that was asked for")
            return wanted
        host = self._host.lower().encode("ascii")
        return next((realm for realm in offered if realm.lower() == host), (*offered, None)[0])

    def _verify(self, challenge: bytes, rspauth: bytes) -> None:
        from hmac import compare_digest

        try:
            proof = parse(challenge).get("rspauth", [b""])[0]
        except ValueError:
            proof = b""
        if not compare_digest(proof, rspauth):
            raise ServerVerificationError("the server did not prove that it knows the password")
        self._complete = True


def _checked(challenge: bytes) -> dict[str, list[bytes]]:
    """Return the directives of a challenge; raise ``ValueError`` if it cannot be answered."""
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
    try:
        if _charset_of(directives) == "utf-8":
            for realm in directives.get("realm", []):
                realm.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("has a realm that is not UTF-8") from None
    return directives


def _in_charset(text: Secret, charset: str) -> Secret:
    """Return ``text`` as octets of ``charset``; octets as they are."""
    if issubclass(text.kind, bytes):
        return text
    try:
        return Secret(str(text.reveal()).encode(charset))
    except UnicodeEncodeError:
        # Left before the next line, because the codec's error would show the text.
        pass
    raise ValueError("allows only ISO 8859-1, and a name or the password is not")


def _ascii(what: str, text: str, instead: str = "") -> bytes:
    if not is_host(text):
        raise LocalProtocolError(f"{what} is printable ASCII without blanks{instead}")
    return text.encode("ascii")


class ServerDigestMd5:
    """DIGEST-MD5 (RFC 2831) with passwords that the server can read. Obsolete (RFC 6331).

    ``host`` is the name under which clients reach the server. ``realm`` is the realm of its users,
    by default ``host``. ``service`` is the protocol. Users can only act as themselves. Raises
    ``LocalProtocolError`` for a host or a service that is not printable ASCII, and a realm that
    holds control characters.
    """

    name = "DIGEST-MD5"
    shows_password = False

    def __init__(
        self,
        passwords: PasswordSource,
        *,
        host: str,
        realm: str | None = None,
        service: str = "pop",
    ) -> None:
        realm = host if realm is None else realm
        self._digest_uri = b"%b/%b" % (_ascii("the service", service), _ascii("the host", host))
        require("realm", realm, str, "a str")
        if any(map(is_controlling, realm)):
            raise LocalProtocolError("a realm holds no control characters")
        self._passwords = passwords
        self._realm = realm

    def begin(self) -> Attempt:
        """Begin an attempt, with a nonce that was never used before."""
        return _DigestMd5Attempt(self._passwords, self._realm, self._digest_uri)


class _DigestMd5Attempt:
    __slots__ = ("_digest_uri", "_nonce", "_passwords", "_realm", "_step", "_user")

    def __init__(self, passwords: PasswordSource, realm: str, digest_uri: bytes) -> None:
        self._passwords = passwords
        self._realm = realm
        self._digest_uri = digest_uri
        self._nonce = urandom(24).hex().encode("ascii")
        self._step = 0
        self._user: str | None = None

    def respond(self, data: bytes | None) -> Verdict:
        """Return the challenge, the server's proof, then the verdict.

        There is no initial response.
        """
        self._step += 1
        if self._step == 1 and data is None:
            return self._challenge()
        if self._step == 2 and data is not None and len(data) < _MAX_RESPONSE:
            try:
                return self._verify(parse(data))
            except ValueError:
                # A response that breaks the grammar, or is not in the charset that it names.
                return None
        user, self._user = self._user, None
        return LoggedIn(user) if user is not None and data == b"" else None

    def _challenge(self) -> bytes:
        return b'realm=%b,nonce=%b,qop="auth",algorithm=md5-sess,charset=utf-8' % (
            _quoted(self._realm.encode("utf-8")),
            _quoted(self._nonce),
        )

    def _verify(self, directives: dict[str, list[bytes]]) -> bytes | None:
        """Return the server's proof if the response is right, else ``None``.

        Raises ``ValueError`` for text that is not in the charset that the response names.
        """
        from hmac import compare_digest

        charset = _charset_of(directives)
        given = {name: values[0] for name, values in directives.items()}
        octets, realm = given.get("username", b""), given.get("realm", b"")
        user = octets.decode(charset)
        if not self._is_answer(given) or realm.decode(charset) != self._realm:
            return None
        # A quoted pair can hold a control character (section 7.1).
        if not user or any(map(is_controlling, user)):
            return None
        if given.get("authzid", b"").decode("utf-8") not in ("", user):
            return None
        password = self._passwords.password_for(user)
        stored = Secret(_stored(NOBODYS if password is None else password, charset))
        expected, rspauth = _digests(
            _secret_hash(octets, realm, stored, charset),
            self._nonce,
            given["cnonce"],
            given["digest-uri"],
            given.get("authzid", b""),
        )
        if not compare_digest(expected, given.get("response", b"")) or password is None:
            return None
        self._user = user
        return b"rspauth=" + rspauth

    def _is_answer(self, given: dict[str, bytes]) -> bool:
        """Return whether a response belongs to the challenge."""
        return (
            given.get("nonce") == self._nonce
            and given.get("nc") == b"00000001"
            and given.get("qop", b"auth").lower() == b"auth"
            and given.get("digest-uri", b"").lower() == self._digest_uri.lower()
            and bool(given.get("cnonce"))
        )


def _stored(password: str, charset: str) -> bytes:
    try:
        return password.encode(charset, "surrogateescape")
    except UnicodeEncodeError:
        # A client that keeps to ISO 8859-1 cannot know such a password.
        return as_octets(password)
