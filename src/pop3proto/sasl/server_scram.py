"""SCRAM, the server's side (RFC 5802, RFC 7677)."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterable
from secrets import token_bytes, token_urlsafe
from typing import ClassVar, Protocol, runtime_checkable

from ..errors import LocalProtocolError
from ..model.grammar import decode_base64
from .mechanism import ChannelBinding
from .saslprep import saslprep
from .scram_messages import HASHES, ScramKeys, attributes, keys_for, proves, signature
from .users import Attempt, LoggedIn, PasswordSource, Verdict, as_text

__all__ = [
    "ScramKeySource",
    "ScramKeys",
    "ServerScramSha1",
    "ServerScramSha256",
    "ServerScramSha512",
]

_ITERATIONS = 4096
_SALT_OCTETS = 16
# As many as SHA-256 has.
_MAX_SALT_OCTETS = 32
_NO_KEYS = ScramKeys(b"", 1, b"", b"")
# A user's salt has to be the same each time, on each connection, and so has that of one who is
# not known.
_SECRET = token_bytes()
# RFC 5802 section 7.
_UNSUPPORTED_BINDING = b"e=unsupported-channel-binding-type"


@runtime_checkable
class ScramKeySource(Protocol):
    """Knows the keys of users whose passwords it does not keep."""

    def scram_keys(self, user: str, mechanism: str) -> ScramKeys | None:
        """The keys of ``user`` for ``mechanism``, without ``-PLUS``; ``None`` if unknown."""
        ...


class _Scram:
    """SCRAM on passwords, or on the keys derived from them.

    With ``channel_bindings``, those of the connection that the client is on, it is the ``-PLUS``
    form. ``offers_plus`` says of the other form that the ``-PLUS`` form is offered beside it: then
    a client that says that it could have bound, and saw no offer, is refused, because somebody
    has stripped the offer (RFC 5802 section 6).

    A user can only act as that user. An unknown user is asked like a known one: with
    ``iterations`` and a salt of ``salt_octets`` octets, which should be those of the keys of a
    ``ScramKeySource``, if that is where ``users`` come from; its users have their own. Salts that
    are made here, those of unknown users among them, come from ``secret``, which by default lasts
    as long as the process. A server with a ``ScramKeySource`` should keep one: an unknown user is
    one whose salt changes when it is started again.

    Raises ``LocalProtocolError`` for numbers below 1, for a salt of more than 32 octets, and for
    a secret that is empty.
    """

    base: ClassVar[str]
    shows_password = False

    def __init__(
        self,
        users: PasswordSource | ScramKeySource,
        *,
        channel_bindings: Iterable[ChannelBinding] = (),
        offers_plus: bool = False,
        iterations: int = _ITERATIONS,
        salt_octets: int = _SALT_OCTETS,
        secret: bytes | None = None,
    ) -> None:
        if iterations < 1 or not 1 <= salt_octets <= _MAX_SALT_OCTETS or secret == b"":
            raise LocalProtocolError(
                f"SCRAM takes an iteration, a salt of 1 to {_MAX_SALT_OCTETS} octets, and a secret"
            )
        self._users = users
        self._bindings = {binding.type: binding.data for binding in channel_bindings}
        self._offers_plus = offers_plus or bool(self._bindings)
        self._iterations = iterations
        self._salt_octets = salt_octets
        self._secret = _SECRET if secret is None else secret
        self.name = self.base + ("-PLUS" if self._bindings else "")

    def begin(self) -> Attempt:
        """Begin an exchange."""
        return _ScramExchange(self)

    def keys(self, user: str) -> tuple[ScramKeys, bool]:
        """The keys of ``user``, and whether there is such a user."""
        if isinstance(self._users, ScramKeySource):
            found = self._users.scram_keys(user, self.base)
            return (self._nobodys(user) if found is None else found), found is not None
        password = self._users.password_for(user)
        # For an unknown user too, so that the work is the same.
        octets = self._secret if password is None else as_octets(_prepared(password))
        hash_name = HASHES[self.base]
        keys = keys_for(hash_name, octets, self._salt(user), self._iterations)
        return keys, password is not None

    def _nobodys(self, user: str) -> ScramKeys:
        """Keys that nobody can know; made without a derivation, as those found are."""
        hash_name = HASHES[self.base]
        stored_key, server_key = (
            hmac.digest(self._secret, what + as_octets(user), hash_name)
            for what in (b"stored key\0", b"server key\0")
        )
        return ScramKeys(self._salt(user), self._iterations, stored_key, server_key)

    def _salt(self, user: str) -> bytes:
        message = f"salt\0{self.base}\0".encode("ascii") + as_octets(user)
        return hmac.digest(self._secret, message, "sha256")[: self._salt_octets]

    def accepts(self, header: bytes) -> bool:
        """Whether the client's flag for channel binding fits what is offered here."""
        if header.startswith(b"p="):
            return header[2:].decode("ascii", "replace") in self._bindings
        if self._bindings:
            return False
        return header == b"n" or (header == b"y" and not self._offers_plus)

    def misses(self, flag: bytes) -> bool:
        """Whether the client wants to bind, to something that this side does not have."""
        return bool(self._bindings) and flag.startswith(b"p=") and not self.accepts(flag)

    def binding(self, flag: bytes) -> bytes:
        """The data that the client has to have bound to."""
        return self._bindings.get(flag[2:].decode("ascii"), b"")


class _ScramExchange:
    __slots__ = (
        "_auth_message",
        "_header",
        "_keys",
        "_known",
        "_mechanism",
        "_nonce",
        "_proved",
        "_step",
        "_user",
    )

    def __init__(self, mechanism: _Scram) -> None:
        self._mechanism = mechanism
        self._step = 0
        self._header = b""
        self._nonce = b""
        self._auth_message = b""
        self._user = ""
        self._keys = _NO_KEYS
        self._known = False
        self._proved = False

    def respond(self, data: bytes | None) -> Verdict:
        """The server's first message, its proof, and then the login."""
        if data is None:
            # Asked for once, before the client has said anything.
            outcome: Verdict = b"" if self._step == 0 else None
            self._step = max(self._step, 1)
            return outcome
        self._step = max(self._step, 1) + 1
        if self._step == 2:
            return self._first(data)
        if self._step == 3:
            return self._final(data)
        # RFC 5034 section 4: +OK carries no data, so the proof went before and is acknowledged.
        return LoggedIn(self._user) if self._step == 4 and self._proved and not data else None

    def _first(self, data: bytes) -> Verdict:
        flag, _, rest = data.partition(b",")
        identity, _, bare = rest.partition(b",")
        values = attributes(bare, "nr")
        if values is None:
            return None
        if not self._mechanism.accepts(flag):
            # The client may know another type of binding; all that follows is refused.
            return _UNSUPPORTED_BINDING if self._mechanism.misses(flag) else None
        name, nonce = _unescaped(values[0]), values[1]
        if name is None or not nonce or identity not in (b"", b"a=" + values[0]):
            return None
        self._user = as_text(name)
        self._header = flag + b"," + identity + b","
        self._nonce = nonce + token_urlsafe(18).encode("ascii")
        self._keys, self._known = self._mechanism.keys(self._user)
        first = b"r=%s,s=%s,i=%d" % (
            self._nonce,
            b64encode(self._keys.salt),
            self._keys.iterations,
        )
        self._auth_message = bare + b"," + first
        self._header += self._mechanism.binding(flag) if flag.startswith(b"p=") else b""
        return first

    def _final(self, data: bytes) -> Verdict:
        without_proof, _, _ = data.rpartition(b",p=")
        values = attributes(without_proof, "cr")
        proof = data[len(without_proof) + 3 :]
        # Without a nonce the first message was refused, and nothing that follows is any better.
        if values is None or not self._nonce or values[1] != self._nonce:
            return None
        if decode_base64(values[0]) != self._header:
            return None
        auth_message = self._auth_message + b"," + without_proof
        hash_name = HASHES[self._mechanism.base]
        right = proves(hash_name, self._keys.stored_key, auth_message, proof)
        self._proved = right and self._known
        if not self._proved:
            return None
        return b"v=" + signature(hash_name, self._keys.server_key, auth_message)


class ServerScramSha1(_Scram):
    """SCRAM-SHA-1 (RFC 5802)."""

    base = "SCRAM-SHA-1"


class ServerScramSha256(_Scram):
    """SCRAM-SHA-256 (RFC 7677)."""

    base = "SCRAM-SHA-256"


class ServerScramSha512(_Scram):
    """SCRAM-SHA-512."""

    base = "SCRAM-SHA-512"


def as_octets(text: str) -> bytes:
    """``text`` as it would come over the wire."""
    return text.encode("utf-8", "surrogateescape")


def _prepared(password: str) -> str:
    try:
        return saslprep(password)
    except LocalProtocolError:
        return password


def _unescaped(name: bytes) -> bytes | None:
    """The user behind a saslname; ``None`` if it is none (RFC 5802 section 5.1)."""
    if not name or name.count(b"=") != name.count(b"=2C") + name.count(b"=3D"):
        return None
    return name.replace(b"=2C", b",").replace(b"=3D", b"=")
