"""What both sides of SCRAM have in common: messages, keys and proofs (RFC 5802)."""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from hashlib import new as new_hash
from hashlib import pbkdf2_hmac
from typing import NamedTuple

from ..model.grammar import decode_base64

__all__ = [
    "HASHES",
    "ScramKeys",
    "attributes",
    "client_proof",
    "derive",
    "keys_for",
    "proves",
    "signature",
]

HASHES = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
"""The hash of each mechanism, without ``-PLUS``."""

# RFC 5802 section 7: attr-val, a letter and an equals sign before a value without NUL and comma.
_ATTRIBUTE = re.compile(rb"([A-Za-z])=([^\0,]*)")


class ScramKeys(NamedTuple):
    """What a server keeps in place of a password (RFC 5802 section 3)."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes


def derive(hash_name: str, password: bytes, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    """The client's key and the server's (RFC 5802 section 3)."""
    try:
        salted = pbkdf2_hmac(hash_name, password, salt, iterations)
    finally:
        # A traceback shows the locals of this frame.
        del password
    return (
        hmac.digest(salted, b"Client Key", hash_name),
        hmac.digest(salted, b"Server Key", hash_name),
    )


def _stored(hash_name: str, client_key: bytes) -> bytes:
    """StoredKey, the hash of the client's key."""
    return new_hash(hash_name, client_key).digest()


def keys_for(hash_name: str, password: bytes, salt: bytes, iterations: int) -> ScramKeys:
    """What a server keeps of ``password``."""
    try:
        client_key, server_key = derive(hash_name, password, salt, iterations)
    finally:
        del password
    return ScramKeys(salt, iterations, _stored(hash_name, client_key), server_key)


def client_proof(hash_name: str, client_key: bytes, auth_message: bytes) -> bytes:
    """ClientProof, in base64."""
    mask = hmac.digest(_stored(hash_name, client_key), auth_message, hash_name)
    return b64encode(_xor(client_key, mask))


def proves(hash_name: str, stored_key: bytes, auth_message: bytes, proof: bytes) -> bool:
    """Whether ``proof``, in base64, shows knowledge of the password behind ``stored_key``."""
    decoded = decode_base64(proof)
    mask = hmac.digest(stored_key, auth_message, hash_name)
    if decoded is None or len(decoded) != len(mask):
        return False
    return hmac.compare_digest(_stored(hash_name, _xor(decoded, mask)), stored_key)


def signature(hash_name: str, server_key: bytes, auth_message: bytes) -> bytes:
    """ServerSignature, in base64."""
    return b64encode(hmac.digest(server_key, auth_message, hash_name))


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def attributes(message: bytes, wanted: str) -> list[bytes] | None:
    """The values of the attributes called ``wanted``, which ``message`` has to begin with.

    More may follow, which are extensions that need not be understood (RFC 5802 section 5.1).
    ``None`` if the message is of another form. ``m=``, which would have to be understood, is
    never one of ``wanted``.
    """
    parts = [_ATTRIBUTE.fullmatch(part) for part in message.split(b",")]
    if len(parts) < len(wanted):
        return None
    values: list[bytes] = []
    for part, name in zip(parts, wanted, strict=False):
        if part is None or part[1] != name.encode("ascii"):
            return None
        values.append(part[2])
    rest = parts[len(wanted) :]
    return None if any(part is None or part[1] == b"m" for part in rest) else values
