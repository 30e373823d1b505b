"""SCRAM (RFC 5802, RFC 7677), the client's side."""

from __future__ import annotations

from base64 import b64encode
from typing import ClassVar

from .._arguments import require
from ..errors import (
    CredentialsError,
    LocalProtocolError,
    SaslError,
    ServerVerificationError,
    printable,
)
from ..model.grammar import decode_base64
from ..model.secret import Secret
from .mechanism import ChannelBinding
from .saslprep import octets_of
from .scram_messages import (
    HASHES,
    MIN_ITERATIONS,
    UNSUPPORTED_BINDING,
    attributes,
    client_proof,
    derive,
    escaped,
    fresh_nonce,
    is_nonce,
    signature,
)

__all__ = ["CLIENTS", "ScramSha1", "ScramSha256", "ScramSha512"]

# With more, the server keeps the client busy for seconds.
_MAX_ITERATIONS = 1_000_000
# A number with more digits is above the upper bound.
_MAX_DIGITS = 9
# The reasons that a server can give (RFC 5802 section 7) if it refuses the binding, and if it
# refuses the user or the password.
_BINDING_ERRORS = frozenset({UNSUPPORTED_BINDING, b"channel-bindings-dont-match"})
_CREDENTIAL_ERRORS = frozenset({b"invalid-proof", b"unknown-user"})


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
        min_iterations: int = MIN_ITERATIONS,
        max_iterations: int = _MAX_ITERATIONS,
    ) -> None:
        password = Secret(password)
        name = octets_of("the user name", user, prepare=True)
        self._password = Secret(octets_of("the password", password, prepare=True, empty=True))
        what = "the authorization identity"
        authorization = octets_of(what, authorization_id, prepare=True, empty=True)
        require("min_iterations", min_iterations, int, "an int")
        require("max_iterations", max_iterations, int, "an int")
        if channel_binding is not None:
            require("channel_binding", channel_binding, ChannelBinding, "a ChannelBinding")
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

    @property
    def binding_doubted(self) -> bool:
        """True if a refusal now may be due to the binding, or to the password.

        The server has seen the proof, has not answered it with its own, and has not said that the
        password is wrong. Cyrus, for example, says the same in both cases.
        """
        unanswered = self._step in (1, 2) and bool(self._expected)
        return (
            self.channel_bound
            and unanswered
            and self._server_error not in _BINDING_ERRORS | _CREDENTIAL_ERRORS
        )

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
        raise SaslError("SCRAM is complete, but the server sent another challenge")

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
