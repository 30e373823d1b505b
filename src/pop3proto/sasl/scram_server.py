"""SCRAM (RFC 5802, RFC 7677), the server's side."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from os import urandom
from typing import ClassVar

from .._arguments import listed, require
from ..errors import LocalProtocolError
from ..model.grammar import decode_base64, has_control
from ..model.secret import Secret
from .mechanism import ChannelBinding
from .saslprep import prepared
from .scram_messages import (
    HASHES,
    MIN_ITERATIONS,
    UNSUPPORTED_BINDING,
    ScramKeys,
    ScramKeySource,
    attributes,
    fresh_nonce,
    is_nonce,
    keys_for,
    proves,
    signature,
    unescaped,
)
from .users import Attempt, LoggedIn, PasswordSource, Verdict, as_octets, as_text

__all__ = ["ServerScramSha1", "ServerScramSha256", "ServerScramSha512"]

_SALT_OCTETS = 16
# As many octets as SHA-256 has.
_MAX_SALT_OCTETS = 32
_NO_KEYS = ScramKeys(b"", 1, b"", b"")
# A user's salt has to be the same each time, on each connection. So has the salt of an unknown
# user.
_SECRET = urandom(32)


class _ServerScram:
    """SCRAM with passwords, or with the keys derived from them.

    With ``channel_bindings``, those of the client's connection, it is the ``-PLUS`` form. For the
    other form, ``offers_plus`` says that the ``-PLUS`` form is offered as well: then a client is
    refused if it says that it could have bound and saw no offer, because somebody has removed the
    offer (RFC 5802 section 6).

    Users can only act as themselves. An unknown user gets the same kind of challenge as a known
    one, with ``iterations`` and a salt of ``salt_octets`` octets. If ``users`` is a
    ``ScramKeySource``, these should be the numbers that its keys have. Salts that are made here,
    including those of unknown users, are derived from ``secret``, which by default lasts as long as
    the process. A server with a ``ScramKeySource`` should store a secret; otherwise the salts of
    unknown users change when it restarts, which shows who is unknown.

    Raises ``LocalProtocolError`` for numbers below 1, for a salt of more than 32 octets, and for an
    empty secret.
    """

    base: ClassVar[str]
    shows_password = False

    def __init__(
        self,
        users: PasswordSource | ScramKeySource,
        *,
        channel_bindings: Iterable[ChannelBinding] = (),
        offers_plus: bool = False,
        iterations: int = MIN_ITERATIONS,
        salt_octets: int = _SALT_OCTETS,
        secret: bytes | None = None,
    ) -> None:
        require("iterations", iterations, int, "an int")
        require("salt_octets", salt_octets, int, "an int")
        if secret is not None:
            require("secret", secret, bytes, "bytes")
        bindings = listed("channel_bindings are a list", channel_bindings, ChannelBinding)
        if iterations < 1 or not 1 <= salt_octets <= _MAX_SALT_OCTETS or secret == b"":
            raise LocalProtocolError(
                f"SCRAM needs an iteration, 1 to {_MAX_SALT_OCTETS} octets of salt, and a secret"
            )
        self._users = users
        self._bindings = {binding.type: binding.data for binding in bindings}
        self._offers_plus = offers_plus or bool(self._bindings)
        self._iterations = iterations
        self._salt_octets = salt_octets
        self._secret = _SECRET if secret is None else secret
        self.name: str = self.base + ("-PLUS" if self._bindings else "")

    def begin(self) -> Attempt:
        """Begin an attempt."""
        return _ScramAttempt(self)

    def keys(self, user: str) -> tuple[ScramKeys, bool]:
        """Return the keys of ``user``, and whether there is such a user."""
        if isinstance(self._users, ScramKeySource):
            found = self._users.scram_keys(user, self.base)
            return (self._nobodys(user) if found is None else found), found is not None
        password = self._users.password_for(user)
        # For an unknown user too, so that the work is the same.
        octets = self._secret if password is None else as_octets(prepared(password))
        hash_name = HASHES[self.base]
        keys = keys_for(hash_name, Secret(octets), self._salt(user), self._iterations)
        return keys, password is not None

    def _nobodys(self, user: str) -> ScramKeys:
        """Return keys that no password fits. Like stored keys, they need no key derivation."""
        from hmac import digest

        hash_name = HASHES[self.base]
        stored_key, server_key = (
            digest(self._secret, what + as_octets(user), hash_name)
            for what in (b"stored key\0", b"server key\0")
        )
        return ScramKeys(self._salt(user), self._iterations, stored_key, server_key)

    def _salt(self, user: str) -> bytes:
        from hmac import digest

        message = f"salt\0{self.base}\0".encode("ascii") + as_octets(user)
        return digest(self._secret, message, "sha256")[: self._salt_octets]

    def accepts(self, header: bytes) -> bool:
        """Return whether the client's flag for channel binding fits what is offered here."""
        if header.startswith(b"p="):
            return header[2:].decode("ascii", "replace") in self._bindings
        if self._bindings:
            return False
        return header == b"n" or (header == b"y" and not self._offers_plus)

    def misses(self, flag: bytes) -> bool:
        """Return whether the client wants a binding that this side does not have."""
        return bool(self._bindings) and flag.startswith(b"p=") and not self.accepts(flag)

    def binding(self, flag: bytes) -> bytes:
        """Return the data to which the client must have bound."""
        return self._bindings.get(flag[2:].decode("ascii"), b"")


class _ScramAttempt:
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

    def __init__(self, mechanism: _ServerScram) -> None:
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
        """Return the server's first message, its proof, then the verdict."""
        if data is None:
            # This happens at most once, before the client has sent anything.
            verdict: Verdict = b"" if self._step == 0 else None
            self._step = max(self._step, 1)
            return verdict
        self._step = max(self._step, 1) + 1
        if self._step == 2:
            return self._first(data)
        if self._step == 3:
            return self._final(data)
        # RFC 5034 section 4: +OK carries no data, so the proof was sent before, and the client has
        # acknowledged it.
        return LoggedIn(self._user) if self._step == 4 and self._proved and not data else None

    def _first(self, data: bytes) -> Verdict:
        flag, _, rest = data.partition(b",")
        identity, _, bare = rest.partition(b",")
        values = attributes(bare, "nr")
        if values is None:
            return None
        if not self._mechanism.accepts(flag):
            # The client may know another type of binding. Everything after this is refused.
            return b"e=" + UNSUPPORTED_BINDING if self._mechanism.misses(flag) else None
        name, nonce = unescaped(values[0]), values[1]
        if name is None or has_control(name) or not is_nonce(nonce):
            return None
        if identity not in (b"", b"a=" + values[0]):
            return None
        self._user = as_text(name)
        self._header = flag + b"," + identity + b","
        self._nonce = nonce + fresh_nonce()
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
        # Without a nonce, the first message was refused, so everything after it is refused, too.
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
        return b"v=" + signature(hash_name, Secret(self._keys.server_key), auth_message)


class ServerScramSha1(_ServerScram):
    """SCRAM-SHA-1 (RFC 5802), the server's side."""

    base = "SCRAM-SHA-1"


class ServerScramSha256(_ServerScram):
    """SCRAM-SHA-256 (RFC 7677), the server's side."""

    base = "SCRAM-SHA-256"


class ServerScramSha512(_ServerScram):
    """SCRAM-SHA-512, the server's side."""

    base = "SCRAM-SHA-512"
