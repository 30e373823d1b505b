"""The common part of both sides of SCRAM: messages, keys and proofs (RFC 5802)."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from os import urandom
from typing import NamedTuple, Protocol, runtime_checkable

from ..model.grammar import decode_base64
from ..model.secret import Secret

__all__ = [
    "HASHES",
    "MIN_ITERATIONS",
    "UNSUPPORTED_BINDING",
    "ScramKeySource",
    "ScramKeys",
    "attributes",
    "client_proof",
    "derive",
    "escaped",
    "fresh_nonce",
    "is_nonce",
    "keys_for",
    "proves",
    "signature",
    "unescaped",
]

HASHES = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
"""The hash of each mechanism, without ``-PLUS``."""
MIN_ITERATIONS = 4096
"""RFC 7677 section 4, for SHA-256. With fewer, an eavesdropper can try passwords too fast."""
UNSUPPORTED_BINDING = b"unsupported-channel-binding-type"
"""An error of the server's (RFC 5802 section 7)."""


class ScramKeys(NamedTuple):
    """The keys that a server stores instead of a password (RFC 5802 section 3)."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes


@runtime_checkable
class ScramKeySource(Protocol):
    """Knows the keys of users whose passwords it does not keep."""

    def scram_keys(self, user: str, mechanism: str) -> ScramKeys | None:
        """Return the keys of ``user`` for ``mechanism``, without ``-PLUS``; ``None`` if unknown."""
        ...


def fresh_nonce() -> bytes:
    """Return a nonce that nobody can guess: 192 random bits."""
    return urlsafe_b64encode(urandom(24))


def is_nonce(octets: bytes) -> bool:
    """Return whether ``octets`` are printable ASCII without commas (RFC 5802 section 7)."""
    return bool(octets) and all(0x21 <= octet <= 0x7E and octet != 0x2C for octet in octets)


def escaped(name: bytes) -> bytes:
    """Return ``name`` as a saslname (RFC 5802 section 5.1)."""
    return name.replace(b"=", b"=3D").replace(b",", b"=2C")


def unescaped(name: bytes) -> bytes | None:
    """Return the user that a saslname means, or ``None`` (RFC 5802 section 5.1)."""
    if not name or name.count(b"=") != name.count(b"=2C") + name.count(b"=3D"):
        return None
    return name.replace(b"=2C", b",").replace(b"=3D", b"=")


def derive(hash_name: str, password: Secret, salt: bytes, iterations: int) -> tuple[Secret, Secret]:
    """Return the client's key and the server's (RFC 5802 section 3)."""
    from hashlib import pbkdf2_hmac
    from hmac import digest

    salted = Secret(pbkdf2_hmac(hash_name, password.octets(), salt, iterations))
    client_key, server_key = (
        Secret(digest(salted.octets(), name, hash_name)) for name in (b"Client Key", b"Server Key")
    )
    return client_key, server_key


def _stored(hash_name: str, client_key: Secret) -> bytes:
    """Return StoredKey, the hash of the client's key."""
    from hashlib import new

    return new(hash_name, client_key.octets()).digest()


def keys_for(hash_name: str, password: Secret, salt: bytes, iterations: int) -> ScramKeys:
    """Return the keys that a server stores instead of ``password``."""
    client_key, server_key = derive(hash_name, password, salt, iterations)
    return ScramKeys(salt, iterations, _stored(hash_name, client_key), server_key.octets())


def client_proof(hash_name: str, client_key: Secret, auth_message: bytes) -> bytes:
    """Return ClientProof, in base64."""
    from hmac import digest

    # With the proof, the mask gives the key.
    mask = Secret(digest(_stored(hash_name, client_key), auth_message, hash_name))
    return b64encode(_xor(client_key, mask).octets())


def proves(hash_name: str, stored_key: bytes, auth_message: bytes, proof: bytes) -> bool:
    """Return whether ``proof``, in base64, shows knowledge of the password of ``stored_key``."""
    from hmac import compare_digest, digest

    decoded = decode_base64(proof)
    mask = digest(stored_key, auth_message, hash_name)
    if decoded is None or len(decoded) != len(mask):
        return False
    client_key = _xor(Secret(decoded), Secret(mask))
    return compare_digest(_stored(hash_name, client_key), stored_key)


def signature(hash_name: str, server_key: Secret, auth_message: bytes) -> bytes:
    """Return ServerSignature, in base64."""
    from hmac import digest

    return b64encode(digest(server_key.octets(), auth_message, hash_name))


def _xor(one: Secret, other: Secret) -> Secret:
    return Secret(bytes(a ^ b for a, b in zip(one.octets(), other.octets(), strict=True)))


def attributes(message: bytes, wanted: str) -> list[bytes] | None:
    """Return the values of the attributes with which ``message`` begins; else ``None``.

    ``wanted`` holds their names, which have one letter each, in order. Attributes after them are
    extensions, and are ignored (RFC 5802 section 5.1), except for ``m=``: a message that has it
    must be understood in full, so it counts as one of another form.
    """
    names: list[bytes] = []
    values: list[bytes] = []
    for part in message.split(b","):
        # Section 7: attr-val, a letter and an equals sign before a value without NUL and comma.
        name, equals, value = part.partition(b"=")
        if len(name) != 1 or not name.isalpha() or not equals or b"\0" in value:
            return None
        names.append(name)
        values.append(value)
    count = len(wanted)
    if b"".join(names[:count]) != wanted.encode("ascii") or b"m" in names[count:]:
        return None
    return values[:count]
