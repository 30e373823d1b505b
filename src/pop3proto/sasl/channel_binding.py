"""Channel binding (RFC 5056): the data that ties a login to its TLS connection."""

from __future__ import annotations

from typing import Literal, Protocol

from .._arguments import require
from ..errors import LocalProtocolError
from .mechanism import ChannelBinding

__all__ = ["channel_bindings", "end_point"]


class TlsConnection(Protocol):
    """The methods of an ``ssl.SSLObject`` or an ``ssl.SSLSocket`` that are used here."""

    def version(self) -> str | None: ...
    def getpeercert(self, binary_form: Literal[True], /) -> bytes | None: ...
    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None: ...


# The hash within each signature algorithm, by the DER of its object identifier.
_HASHES = {
    "2a864886f70d010104": "md5",
    "2a864886f70d010105": "sha1",
    "2a864886f70d01010e": "sha224",
    "2a864886f70d01010b": "sha256",
    "2a864886f70d01010c": "sha384",
    "2a864886f70d01010d": "sha512",
    "2a8648ce3d0401": "sha1",
    "2a8648ce3d040301": "sha224",
    "2a8648ce3d040302": "sha256",
    "2a8648ce3d040303": "sha384",
    "2a8648ce3d040304": "sha512",
    "608648016503040302": "sha256",
}
_RSA_PSS = "2a864886f70d01010a"
# The hash that RSASSA-PSS names in its parameters; SHA-1 if it names none (RFC 4055 section 3.1).
_PSS_HASHES = {
    "2b0e03021a": "sha1",
    "608648016503040204": "sha224",
    "608648016503040201": "sha256",
    "608648016503040202": "sha384",
    "608648016503040203": "sha512",
}
_SEQUENCE, _OBJECT_IDENTIFIER, _FIRST_CONTEXT = 0x30, 0x06, 0xA0


def channel_bindings(tls: TlsConnection) -> list[ChannelBinding]:
    """Return the bindings that a client's connection has, in the order in which to try them.

    The first is the one that a server has to know: tls-unique up to TLS 1.2 (RFC 5929 section 3,
    RFC 5802 section 6.1), tls-exporter (RFC 9266) from TLS 1.3 on, which has no tls-unique. Then
    come tls-exporter for TLS 1.2, and tls-server-end-point (RFC 5929 section 4), which is the same
    for all connections to one certificate. tls-exporter is included if ``tls`` provides it, which
    no connection of the ``ssl`` module up to Python 3.13 does; if you get it from another library,
    make a ``ChannelBinding`` of it.
    """
    if not callable(getattr(tls, "get_channel_binding", None)):
        raise LocalProtocolError(f"tls is an SSLSocket or an SSLObject, not {type(tls).__name__}")
    found: list[ChannelBinding] = []
    # tls-unique was attacked through resumed sessions (RFC 7627 section 1); this client never
    # resumes one.
    if tls.version() in ("TLSv1", "TLSv1.1", "TLSv1.2") and (data := _binding(tls, "tls-unique")):
        found.append(ChannelBinding("tls-unique", data))
    if exported := _binding(tls, "tls-exporter"):
        found.append(ChannelBinding("tls-exporter", exported))
    certificate = tls.getpeercert(True)
    if certificate and (binding := end_point(certificate)):
        found.append(binding)
    return found


def _binding(tls: TlsConnection, name: str) -> bytes | None:
    try:
        return tls.get_channel_binding(name)
    except (ValueError, NotImplementedError):
        # Not in this Python, or not in its OpenSSL.
        return None


def end_point(certificate: bytes) -> ChannelBinding | None:
    """Return tls-server-end-point for a server's certificate in DER (RFC 5929 section 4.1).

    Returns ``None`` if the certificate's signature has no hash of its own, as with Ed25519, or has
    an unknown one.
    """
    require("certificate", certificate, bytes, "bytes in DER")
    try:
        name = _hash_of_signature(certificate)
    except ValueError:
        return None
    if name is None:
        return None
    from hashlib import new

    # RFC 5929 section 4.1: MD5 and SHA-1 are replaced.
    name = "sha256" if name in ("md5", "sha1") else name
    return ChannelBinding("tls-server-end-point", new(name, certificate).digest())


def _hash_of_signature(certificate: bytes) -> str | None:
    # RFC 5280 section 4.1: Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, ... }
    whole, _ = _element(certificate, _SEQUENCE)
    _, rest = _element(whole, _SEQUENCE)
    algorithm, _ = _element(rest, _SEQUENCE)
    identifier, parameters = _element(algorithm, _OBJECT_IDENTIFIER)
    if identifier.hex() != _RSA_PSS:
        return _HASHES.get(identifier.hex())
    parameters, _ = _element(parameters, _SEQUENCE)
    if parameters[:1] != bytes([_FIRST_CONTEXT]):
        return "sha1"
    tagged, _ = _element(parameters, _FIRST_CONTEXT)
    inner, _ = _element(tagged, _SEQUENCE)
    named, _ = _element(inner, _OBJECT_IDENTIFIER)
    return _PSS_HASHES.get(named.hex())


def _element(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """Return the content of the first element of ``data``, and the rest; it has to have ``tag``."""
    if len(data) < 2 or data[0] != tag:
        raise ValueError("no such element")
    length, start = data[1], 2
    if length >= 0x80:
        start += length - 0x80
        # More than four octets of length would be a certificate of gigabytes.
        if not 3 <= start <= 6 or len(data) < start:
            raise ValueError("no length")
        length = int.from_bytes(data[2:start])
    if len(data) < start + length:
        raise ValueError("cut short")
    return data[start : start + length], data[start + length :]
