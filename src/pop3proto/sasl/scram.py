"""SCRAM, the client's side (RFC 5802, RFC 7677)."""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from secrets import token_urlsafe
from typing import ClassVar

from ..errors import CredentialsError, SaslError, ServerVerificationError, printable
from ..model.grammar import decode_base64
from .mechanism import ChannelBinding
from .plain import octets_of, raise_first
from .scram_messages import HASHES, attributes, client_proof, derive, signature

__all__ = ["ScramSha1", "ScramSha256", "ScramSha512"]

# RFC 7677 section 4 for SHA-256. With fewer, who listens can try passwords too fast; with more,
# the server keeps the client busy for seconds.
_MIN_ITERATIONS = 4096
_MAX_ITERATIONS = 1_000_000
_NUMBER = re.compile(rb"[1-9][0-9]{0,8}")
# RFC 5802 section 7: printable ASCII but the comma.
_NONCE = re.compile(rb"[!-+\--~]+")
# What a server names as its reason (section 7) where the binding is the matter, and where the
# user or the password is.
_BINDING_ERRORS = frozenset({b"unsupported-channel-binding-type", b"channel-bindings-dont-match"})
_CREDENTIAL_ERRORS = frozenset({b"invalid-proof", b"unknown-user"})


class _Scram:
    """SCRAM: the password never leaves the client, and the server proves that it knows it.

    With ``channel_binding`` it is the ``-PLUS`` form, which nobody in between can pass on.
    ``can_bind`` says that this side could have bound and the server does not offer it: if somebody
    has stripped the offer, the server sees it (RFC 5802 section 6). ``authorization_id`` is whose
    maildrop is opened, if it is not that of ``user``. Text is prepared with SASLprep; octets are
    sent as they are. ``nonce`` is for tests.

    ``max_iterations`` bounds what the server can make this side compute: the key derivation runs
    without a break, within ``respond()``.

    Raises ``LocalProtocolError`` for a name or a password that the mechanism cannot carry, and
    for bounds of which the lower one is less than 1 or more than the upper one.
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
    """Whether who reads the octets can log in with them."""

    def __init__(
        self,
        user: str | bytes,
        password: str | bytes,
        *,
        authorization_id: str | bytes = "",
        channel_binding: ChannelBinding | None = None,
        can_bind: bool = False,
        nonce: str | None = None,
        min_iterations: int = _MIN_ITERATIONS,
        max_iterations: int = _MAX_ITERATIONS,
    ) -> None:
        problems: list[str] = []
        name = octets_of("the user name", user, problems, prepare=True)
        self._password = octets_of("the password", password, problems, prepare=True, empty=True)
        del password
        authorization = octets_of(
            "the authorization identity", authorization_id, problems, prepare=True, empty=True
        )
        if not 1 <= min_iterations <= max_iterations:
            problems.append("min_iterations is from 1 to max_iterations")
        nonce = token_urlsafe(24) if nonce is None else nonce
        self._nonce = octets_of("the nonce", nonce, problems)
        if not _NONCE.fullmatch(self._nonce):
            problems.append("a nonce is printable ASCII without commas")
        raise_first(problems)
        self.channel_bound = channel_binding is not None
        """Whether the login is tied to the TLS connection."""
        self.name = self.base + ("-PLUS" if self.channel_bound else "")
        """The mechanism's name."""
        self.min_iterations = min_iterations
        """How many iterations of the key derivation the server has to ask for at the least."""
        self.max_iterations = max_iterations
        """How many it may ask for."""
        flag = b"y" if can_bind else b"n"
        self._binding = b""
        if channel_binding is not None:
            flag = b"p=" + channel_binding.type.encode("ascii")
            self._binding = channel_binding.data
        identity = b"a=" + _escaped(authorization) if authorization else b""
        self._header = flag + b"," + identity + b","
        self._bare = b"n=" + _escaped(name) + b",r=" + self._nonce
        # What the server has to say in the end.
        self._expected = b""
        self._server_error = b""
        self._step = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<secret>)"

    @property
    def complete(self) -> bool:
        """Whether the server has proved that it knows the password."""
        return self._step == 3

    @property
    def binding_refused(self) -> bool:
        """Whether a refusal, as things stand, is due to the type or the data of the binding.

        So it is if the server has said so, and taken to be so if it has not sent a challenge
        yet: then it has not seen the password's proof either (RFC 5802 section 6).
        """
        return self.channel_bound and (self._step == 0 or self._server_error in _BINDING_ERRORS)

    def initial(self) -> bytes | None:
        """The client's first message: who it is, and its nonce."""
        return self._header + self._bare

    def respond(self, challenge: bytes) -> bytes:
        """The proof of the password, and an empty answer to the server's own proof.

        Raises ``SaslError`` if the challenge makes no sense or would make the exchange unsafe, or
        holds an error of the server's; ``CredentialsError`` if that error is the user or the
        password; ``ServerVerificationError`` if the server's proof is wrong.
        """
        self._step += 1
        if self._step == 1:
            return self._prove(challenge)
        if self._step == 2:
            self._verify(challenge)
            self._step = 3
            return b""
        self._step = 4
        raise SaslError("SCRAM has ended, and the server goes on")

    def _prove(self, challenge: bytes) -> bytes:
        nonce, salt, iterations = self._server_first(challenge)
        final = b"c=" + b64encode(self._header + self._binding) + b",r=" + nonce
        auth_message = self._bare + b"," + challenge + b"," + final
        hash_name = HASHES[self.base]
        client_key, server_key = derive(hash_name, self._password, salt, iterations)
        # One login, one use.
        self._password = b""
        self._expected = signature(hash_name, server_key, auth_message)
        return final + b",p=" + client_proof(hash_name, client_key, auth_message)

    def _server_first(self, challenge: bytes) -> tuple[bytes, bytes, int]:
        """Nonce, salt and number of iterations; checked before any key is derived from them."""
        self._raise_error(challenge)
        values = attributes(challenge, "rsi")
        if values is None:
            raise SaslError(f"no SCRAM challenge: {printable(challenge)}")
        nonce, encoded, count = values
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            raise SaslError("the server's nonce does not begin with ours and go on")
        if not _NONCE.fullmatch(nonce):
            raise SaslError("the server's nonce is not printable ASCII")
        salt = decode_base64(encoded)
        if not salt:
            raise SaslError("the server's salt is not base64")
        iterations = int(count) if _NUMBER.fullmatch(count) else 0
        if not self.min_iterations <= iterations <= self.max_iterations:
            raise SaslError(
                f"the server asks for {printable(count, 20)} iterations, where "
                f"{self.min_iterations} to {self.max_iterations} are safe"
            )
        return nonce, salt, iterations

    def _raise_error(self, challenge: bytes) -> None:
        """Raise what the server says went wrong, if it says so (RFC 5802 section 7)."""
        error = attributes(challenge, "e")
        if error is None:
            return
        self._server_error = error[0]
        cls = CredentialsError if error[0] in _CREDENTIAL_ERRORS else SaslError
        raise cls(f"the server refuses: {printable(error[0])}")

    def _verify(self, challenge: bytes) -> None:
        self._raise_error(challenge)
        proof = attributes(challenge, "v")
        if proof is None or not hmac.compare_digest(proof[0], self._expected):
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


def _escaped(name: bytes) -> bytes:
    # RFC 5802 section 5.1: saslname.
    return name.replace(b"=", b"=3D").replace(b",", b"=2C")
