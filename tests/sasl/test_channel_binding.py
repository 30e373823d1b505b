"""Channel bindings of real certificates and of TLS connections."""

from __future__ import annotations

import datetime
import hashlib
import ssl
from typing import Any, Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from pop3proto.errors import LocalProtocolError
from pop3proto.sasl import ChannelBinding, channel_bindings
from pop3proto.sasl.server import end_point

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()


def certificate(key: Any, algorithm: Any, **how: Any) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pop.example.org")])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
    )
    return builder.sign(key, algorithm, **how).public_bytes(serialization.Encoding.DER)


def pss(algorithm: Any) -> Any:
    return padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH)


PLAIN = certificate(RSA, hashes.SHA256())


@pytest.mark.parametrize("algorithm", [hashes.SHA256, hashes.SHA384, hashes.SHA512])
@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "pss"])
def test_the_hash_is_that_of_the_signature(algorithm: Any, kind: str) -> None:
    how = {"rsa_padding": pss(algorithm())} if kind == "pss" else {}
    der = certificate(EC if kind == "ecdsa" else RSA, algorithm(), **how)
    expected = hashlib.new(algorithm().name, der).digest()
    assert end_point(der) == ChannelBinding("tls-server-end-point", expected)


@pytest.mark.parametrize("identifier", ["2a864886f70d010104", "2a864886f70d010105"])
def test_broken_hashes_are_replaced(identifier: str) -> None:
    der = PLAIN.replace(bytes.fromhex("2a864886f70d01010b"), bytes.fromhex(identifier))
    assert der != PLAIN
    expected = ChannelBinding("tls-server-end-point", hashlib.sha256(der).digest())
    assert end_point(der) == expected


def element(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content


def test_pss_without_a_hash_means_sha_1() -> None:
    algorithm = element(0x06, bytes.fromhex("2a864886f70d01010a")) + element(0x30, b"")
    der = element(0x30, element(0x30, b"") + element(0x30, algorithm))
    expected = ChannelBinding("tls-server-end-point", hashlib.sha256(der).digest())
    assert end_point(der) == expected


SHA_256 = element(0x30, element(0x06, bytes.fromhex("2a864886f70d01010b")))


def test_a_length_of_four_octets() -> None:
    der = b"\x30\x84" + bytes([0, 0, 0, 2 + len(SHA_256)]) + element(0x30, b"") + SHA_256
    expected = ChannelBinding("tls-server-end-point", hashlib.sha256(der).digest())
    assert end_point(der) == expected


def test_a_length_that_is_not_told() -> None:
    """DER does not allow it; the octet 0x80 is not a length of 128."""
    content = element(0x30, b"") + SHA_256
    assert end_point(b"\x30\x80" + content + bytes(128 - len(content))) is None


def test_a_certificate_is_octets() -> None:
    wrong: Any = "text"
    with pytest.raises(LocalProtocolError, match=r"^certificate "):
        end_point(wrong)


def test_signatures_without_a_hash_have_no_end_point() -> None:
    assert end_point(certificate(ED25519, None)) is None
    unknown = element(0x30, element(0x30, b"") + element(0x30, element(0x06, b"\x2a\x03")))
    assert end_point(unknown) is None


@pytest.mark.parametrize(
    "der",
    [b"", b"\x30", b"\x31\x00", b"\x30\x80", b"\x30\x85" + bytes(9), b"\x30\x82\x01", PLAIN[:-1]],
)
def test_what_is_no_certificate(der: bytes) -> None:
    assert end_point(der) is None


@given(st.integers(0, len(PLAIN) - 1), st.binary(max_size=4))
def test_damaged_certificates_do_no_harm(at: int, damage: bytes) -> None:
    found = end_point(PLAIN[:at] + damage + PLAIN[at + len(damage) :])
    assert found is None or found.type == "tls-server-end-point"


class Connection:
    """What a TLS connection tells; ``unique`` stands for tls-unique."""

    def __init__(
        self,
        version: str,
        der: bytes | None = PLAIN,
        *,
        exported: bytes | None = None,
        unique: bytes | None = b"finished",
    ) -> None:
        self._version = version
        self._der = der
        self._known = {"tls-unique": unique, "tls-exporter": exported}
        if exported is None:
            del self._known["tls-exporter"]

    def version(self) -> str | None:
        return self._version

    def getpeercert(self, binary_form: Literal[True], /) -> bytes | None:
        assert binary_form
        return self._der

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        if cb_type not in self._known:
            raise ValueError(f"{cb_type} channel binding type not implemented")
        return self._known[cb_type]


@pytest.mark.parametrize(
    ("connection", "types"),
    [
        (Connection("TLSv1.3"), ["tls-server-end-point"]),
        (Connection("TLSv1.2"), ["tls-unique", "tls-server-end-point"]),
        (Connection("TLSv1.1"), ["tls-unique", "tls-server-end-point"]),
        (Connection("TLSv1"), ["tls-unique", "tls-server-end-point"]),
        (
            Connection("TLSv1.2", exported=b"x"),
            ["tls-unique", "tls-exporter", "tls-server-end-point"],
        ),
        (Connection("TLSv1.3", exported=b"x"), ["tls-exporter", "tls-server-end-point"]),
        (Connection("TLSv1.2", None), ["tls-unique"]),
        (Connection("TLSv1.2", None, unique=None), []),
        (Connection("TLSv1.3", b"no certificate"), []),
    ],
)
def test_the_bindings_of_a_connection(connection: Connection, types: list[str]) -> None:
    # First the one that every server has to know (RFC 5802 section 6.1, RFC 9266 section 3).
    assert [binding.type for binding in channel_bindings(connection)] == types


def test_a_connection_before_its_handshake_has_none() -> None:
    context = ssl.create_default_context()
    tls = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="pop.example.org")

    class Unconnected(Connection):
        def getpeercert(self, binary_form: Literal[True], /) -> bytes | None:
            return None

        def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
            return tls.get_channel_binding(cb_type)

    assert channel_bindings(Unconnected("TLSv1.2")) == []


def test_what_is_no_connection_under_tls() -> None:
    wrong: Any = None
    with pytest.raises(LocalProtocolError, match="tls is an SSLSocket or an SSLObject, not None"):
        channel_bindings(wrong)
