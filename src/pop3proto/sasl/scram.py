"""SCRAM (RFC 5802, RFC 7677), both sides."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from os import urandom
from typing import ClassVar

from ..errors import (
    CredentialsError,
    LocalProtocolError,
    SaslError,
    ServerVerificationError,
    printable,
)
from ..model.grammar import decode_base64, has_control
from ..model.secret import Secret
from .mechanism import ChannelBinding
from .saslprep import octets_of, prepared
from .scram_messages import (
    HASHES,
    ScramKeys,
    ScramKeySource,
    attributes,
    client_proof,
    derive,
    escaped,
    fresh_nonce,
    is_nonce,
    keys_for,
    proves,
    signature,
    unescaped,
)
from .users import Attempt, LoggedIn, PasswordSource, Verdict, as_octets, as_text

# RFC 7677 section 4 for SHA-256. With fewer iterations, an eavesdropper can try passwords too fast;
# with more, the server keeps the client busy for seconds.
_MIN_ITERATIONS = 4096
_MAX_ITERATIONS = 1_000_000
# A number with more digits is above the upper bound.
_MAX_DIGITS = 9
# The reasons that a server can give (RFC 5802 section 7) if it refuses the binding, and if it
# refuses the user or the password.
_UNSUPPORTED_BINDING = b"unsupported-channel-binding-type"
_BINDING_ERRORS = frozenset({_UNSUPPORTED_BINDING, b"channel-bindings-dont-match"})
_CREDENTIAL_ERRORS = frozenset({b"invalid-proof", b"unknown-user"})
_SALT_OCTETS = 16
# As many octets as SHA-256 has.
_MAX_SALT_OCTETS = 32
_NO_KEYS = ScramKeys(b"", 1, b"", b"")
# A user's salt has to be the same each time, on each connection. So has the salt of an unknown
# user.
_SECRET = urandom(32)


class _Scram:
    """SCRAM: the password never leaves the client, and the server proves that it knows it.

    With ``channel_binding`` it is the ``-PLUS`` form, which an attacker in the middle cannot pass
    on. ``can_bind`` says that this side could have bound and the server does not offer it: if
    somebody has removed the offer, the server notices (RFC 5802 section 6). ``authorization_id``
    names the user whose maildrop is opened, if that is not ``user``. Text is prepared with
    SASLprep; octets are sent as they are. ``nonce`` is for tests.

    ``max_iterations`` bounds what the server can make this side compute: the key derivation runs
    without a break, within ``respond()``.

    Raises ``LocalProtocolError`` for a name or a password that the mechanism cannot carry, and if
    ``min_iterations`` is less than 1 or more than ``max_iterations``.
    """

    __slots__ = (
        "_authorization",
        "_bare",
        "_binding",
        "_expected",
        "_header",
        "_nonce",
        "_password",
        "_server_error",
        "_step",
        "channel_bound",
        "max_iterations",
        "min_iterations",
        "name",
    )

    base: ClassVar[str]
    shows_secret = False

    def __init__(
        self,
        user: str | bytes,
        password: str | bytes | Secret,
        *,
        authorization_id: str | bytes = "",
        channel_binding: ChannelBinding | None = None,
        can_bind: bool = False,
        nonce: str | None = None,
        min_iterations: int = _MIN_ITERATIONS,
        max_iterations: int = _MAX_ITERATIONS,
    ) -> None:
        password = Secret(password)
        name = octets_of("the user name", user, prepare=True)
        self._password = Secret(octets_of("the password", password, prepare=True, empty=True))
        what = "the authorization identity"
        authorization = octets_of(what, authorization_id, prepare=True, empty=True)
        if not 1 <= min_iterations <= max_iterations:
            raise LocalProtocolError("min_iterations has to be from 1 to max_iterations")
        self._nonce = fresh_nonce() if nonce is None else octets_of("the nonce", nonce)
        if not is_nonce(self._nonce):
            raise LocalProtocolError("a nonce is printable ASCII without commas")
        self.channel_bound: bool = channel_binding is not None
        """True if the login is tied to the TLS connection."""
        self.name: str = self.base + ("-PLUS" if self.channel_bound else "")
        """The mechanism's name."""
        self.min_iterations: int = min_iterations
        """The least number of iterations of the key derivation that the server may ask for."""
        self.max_iterations: int = max_iterations
        """The greatest number that it may ask for."""
        flag = b"y" if can_bind else b"n"
        self._binding = b""
        if channel_binding is not None:
            flag = b"p=" + channel_binding.type.encode("ascii")
            self._binding = channel_binding.data
        identity = b"a=" + escaped(authorization) if authorization else b""
        self._header = flag + b"," + identity + b","
        self._bare = b"n=" + escaped(name) + b",r=" + self._nonce
        # The signature that the server has to send at the end.
        self._expected = b""
        self._server_error = b""
        self._step = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<secret>)"

    @property
    def complete(self) -> bool:
        """True if the server has proved that it knows the password."""
        return self._step == 3

    @property
    def binding_refused(self) -> bool:
        """True if a refusal now would be due to the type or the data of the binding.

        That is certain if the server says so, and assumed if it has not sent a challenge yet,
        because then it has not seen the proof of the password either (RFC 5802 section 6).
        """
        return self.channel_bound and (self._step == 0 or self._server_error in _BINDING_ERRORS)

    def initial(self) -> bytes | None:
        """Return the client's first message: its name and its nonce."""
        return self._header + self._bare

    def respond(self, challenge: bytes) -> bytes:
        """Return the proof of the password, then an empty answer to the server's own proof.

        Raises ``SaslError`` if the challenge makes no sense, would make the exchange unsafe, or
        reports an error; ``CredentialsError`` if that error is about the user or the password;
        ``ServerVerificationError`` if the server's proof is wrong.
        """
        self._step += 1
        if self._step == 1:
            return self._prove(challenge)
        if self._step == 2:
            self._verify(challenge)
            self._step = 3
            return b""
        self._step = 4
        raise SaslError("SCRAM has ended, but the server goes on")

    def _prove(self, challenge: bytes) -> bytes:
        nonce, salt, iterations = self._server_first(challenge)
        final = b"c=" + b64encode(self._header + self._binding) + b",r=" + nonce
        auth_message = self._bare + b"," + challenge + b"," + final
        hash_name = HASHES[self.base]
        client_key, server_key = derive(hash_name, self._password, salt, iterations)
        # A mechanism is used for one login only.
        self._password = Secret(b"")
        self._expected = signature(hash_name, server_key, auth_message)
        return final + b",p=" + client_proof(hash_name, client_key, auth_message)

    def _server_first(self, challenge: bytes) -> tuple[bytes, bytes, int]:
        """Return nonce, salt and iterations, checked before any key is derived from them."""
        self._raise_error(challenge)
        values = attributes(challenge, "rsi")
        if values is None:
            raise SaslError(f"not a SCRAM challenge: {printable(challenge)}")
        nonce, encoded, count = values
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            raise SaslError("the server's nonce does not extend the client's")
        if not is_nonce(nonce):
            raise SaslError("the server's nonce is not printable ASCII")
        salt = decode_base64(encoded)
        if not salt:
            raise SaslError("the server's salt is not base64")
        number = len(count) <= _MAX_DIGITS and count.isdigit() and count[:1] != b"0"
        iterations = int(count) if number else 0
        if not self.min_iterations <= iterations <= self.max_iterations:
            raise SaslError(
                f"the server asks for {printable(count, 20)} iterations, where "
                f"{self.min_iterations} to {self.max_iterations} are safe"
            )
        return nonce, salt, iterations

    def _raise_error(self, challenge: bytes) -> None:
        """Raise an exception if the server reports an error (RFC 5802 section 7)."""
        error = attributes(challenge, "e")
        if error is None:
            return
        self._server_error = error[0]
        cls = CredentialsError if error[0] in _CREDENTIAL_ERRORS else SaslError
        raise cls(f"the server refuses: {printable(error[0])}")

    def _verify(self, challenge: bytes) -> None:
        from hmac import compare_digest

        self._raise_error(challenge)
        proof = attributes(challenge, "v")
        if proof is None or not compare_digest(proof[0], self._expected):
            raise ServerVerificationError(
                "the server's signature is wrong: it does not know the password"
            )


class ScramSha1(_Scram):
    """SCRAM-SHA-1 and SCRAM-SHA-1-PLUS (RFC 5802)."""

    __slots__ = ()
    base = "SCRAM-SHA-1"


class ScramSha256(_Scram):
    """SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 7677)."""

    __slots__ = ()
    base = "SCRAM-SHA-256"


class ScramSha512(_Scram):
    """SCRAM-SHA-512 and SCRAM-SHA-512-PLUS, which RFC 5802 defines with another hash."""

    __slots__ = ()
    base = "SCRAM-SHA-512"


CLIENTS: tuple[type[ScramSha1 | ScramSha256 | ScramSha512], ...] = (
    ScramSha1,
    ScramSha256,
    ScramSha512,
)
"""The client's classes, one for each hash function."""


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
        iterations: int = _MIN_ITERATIONS,
        salt_octets: int = _SALT_OCTETS,
        secret: bytes | None = None,
    ) -> None:
        if iterations < 1 or not 1 <= salt_octets <= _MAX_SALT_OCTETS or secret == b"":
            raise LocalProtocolError(
                f"SCRAM needs an iteration, 1 to {_MAX_SALT_OCTETS} octets of salt, and a secret"
            )
        self._users = users
        self._bindings = {binding.type: binding.data for binding in channel_bindings}
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
            return b"e=" + _UNSUPPORTED_BINDING if self._mechanism.misses(flag) else None
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
        return b"v=" + signature(hash_name, self._keys.server_key, auth_message)


class ServerScramSha1(_ServerScram):
    """SCRAM-SHA-1 (RFC 5802), the server's side."""

    base = "SCRAM-SHA-1"


class ServerScramSha256(_ServerScram):
    """SCRAM-SHA-256 (RFC 7677), the server's side."""

    base = "SCRAM-SHA-256"


class ServerScramSha512(_ServerScram):
    """SCRAM-SHA-512, the server's side."""

    base = "SCRAM-SHA-512"
