"""What a failed handshake says about the way out: both ends in memory, with OpenSSL's errors."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pop3proto import TlsError
from pop3proto.client.tls_advice import advice_about, is_tls
from pop3proto.transports import TlsPipe

NAME = "pop.example.org"
AUTHORITY, STRANGER = trustme.CA(), trustme.CA()


def trusting(*authorities: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    for authority in authorities:
        authority.configure_trust(context)
    return context


def presenting(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def failures(client: ssl.SSLContext, server: ssl.SSLContext) -> tuple[TlsError | None, ...]:
    """The errors of both ends."""
    ends = TlsPipe(client, server_hostname=NAME), TlsPipe(server, server_side=True)
    errors: list[TlsError | None] = [None, None]
    for step in range(8):
        one, other = step % 2, 1 - step % 2
        try:
            if ends[one].handshake():
                ends[one].read()
        except TlsError as error:
            errors[one] = errors[one] or error
        if data := ends[one].data_to_send():
            ends[other].receive_data(data)
    return tuple(errors)


def failure(client: ssl.SSLContext, server: ssl.SSLContext) -> TlsError:
    error, _ = failures(client, server)
    assert error is not None
    return error


TODAY = datetime.now(UTC)
SIGNING = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def homemade(*, critical: bool, identified: bool) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """An authority and its certificate, without what people leave out."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in ("a", NAME)
    ]
    certificates = []
    for key, name in zip(keys, names, strict=True):
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(names[0])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(TODAY - timedelta(days=1))
            .not_valid_after(TODAY + timedelta(days=1))
        )
        if key is keys[0]:
            ca = x509.BasicConstraints(ca=True, path_length=None)
            builder = builder.add_extension(ca, critical=critical)
        else:
            names_of = x509.SubjectAlternativeName([x509.DNSName(NAME)])
            builder = builder.add_extension(names_of, critical=False)
        if key is keys[0]:
            builder = builder.add_extension(SIGNING, critical=True)
        if identified:
            subject = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
            issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key())
            builder = builder.add_extension(subject, critical=False)
            builder = builder.add_extension(issuer, critical=False)
        certificates.append(builder.sign(keys[0], hashes.SHA256()))
    client = trusting()
    client.load_verify_locations(cadata=certificates[0].public_bytes(PEM).decode())
    return client, _loaded(certificates[1], keys[1])


PEM = serialization.Encoding.PEM


def _loaded(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    from tempfile import NamedTemporaryFile

    private = key.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with NamedTemporaryFile() as file:
        file.write(certificate.public_bytes(PEM) + private)
        file.flush()
        context.load_cert_chain(file.name)
    return context


@pytest.mark.parametrize(
    ("critical", "identified", "lacking"),
    [
        (False, True, "Basic Constraints of CA cert not marked critical"),
        (True, False, "Missing Authority Key Identifier"),
    ],
)
def test_a_homemade_authority_under_python_313(
    critical: bool, identified: bool, lacking: str
) -> None:
    client, server = homemade(critical=critical, identified=identified)
    assert failures(client, server) == (None, None)
    # The default of Python 3.13.
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    error = failure(client, server)
    assert lacking in str(error)
    assert "VERIFY_X509_STRICT" in error.hint
    assert "3.13" in error.hint


@pytest.mark.parametrize("strict", [False, True])
def test_an_unknown_authority(strict: bool) -> None:
    client = trusting()
    if strict:
        client.verify_flags |= ssl.VERIFY_X509_STRICT
    error = failure(client, presenting(AUTHORITY.issue_cert(NAME)))
    assert "cafile=" in error.hint
    assert "VERIFY_X509_STRICT" not in error.hint


def test_a_certificate_that_vouches_for_itself() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(TODAY - timedelta(days=1))
        .not_valid_after(TODAY + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    error = failure(trusting(), _loaded(certificate, key))
    assert "self-signed" in str(error) or "self signed" in str(error)
    assert "no authority that is trusted here vouches for this certificate" in error.hint
    assert "cafile=" in error.hint


@pytest.mark.parametrize("days", [-1, 2])
def test_a_certificate_whose_time_is_not_now(days: int) -> None:
    begin = TODAY + timedelta(days=days)
    certificate = AUTHORITY.issue_cert(NAME, not_before=begin - timedelta(days=1), not_after=begin)
    error = failure(trusting(AUTHORITY), presenting(certificate))
    assert "clock" in error.hint


@pytest.mark.parametrize("name", ["imap.example.org", "192.0.2.1"])
def test_a_certificate_for_another_name(name: str) -> None:
    error = failure(trusting(AUTHORITY), presenting(AUTHORITY.issue_cert(name)))
    assert "server_hostname" in error.hint


def test_no_version_of_tls_in_common() -> None:
    client, server = trusting(AUTHORITY), presenting(AUTHORITY.issue_cert(NAME))
    client.minimum_version = ssl.TLSVersion.TLSv1_3
    server.maximum_version = ssl.TLSVersion.TLSv1_2
    assert "minimum_version" in failure(client, server).hint


def test_no_cipher_in_common() -> None:
    client, server = trusting(AUTHORITY), presenting(AUTHORITY.issue_cert(NAME))
    for context, cipher in ((client, "AES128"), (server, "AES256")):
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(f"ECDHE+{cipher}")
    assert "set_ciphers()" in failure(client, server).hint


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("which", ["none", "a stranger's"])
def test_a_certificate_of_the_client_is_wanted(version: ssl.TLSVersion, which: str) -> None:
    client, server = trusting(AUTHORITY), presenting(AUTHORITY.issue_cert(NAME))
    server.maximum_version = version
    server.verify_mode = ssl.CERT_REQUIRED
    AUTHORITY.configure_trust(server)
    if which != "none":
        STRANGER.issue_cert("user@example.org").configure_cert(client)
    error = failure(client, server)
    assert "load_cert_chain()" in error.hint


def test_a_host_name_that_the_server_does_not_know() -> None:
    client, server = trusting(AUTHORITY), presenting(AUTHORITY.issue_cert(NAME))

    def refuse(sock: object, name: object, context: object) -> int:
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    server.sni_callback = refuse
    assert "does not know this host name" in failure(client, server).hint


def test_a_client_that_does_not_trust_the_server() -> None:
    _, error = failures(trusting(), presenting(AUTHORITY.issue_cert(NAME)))
    assert error is not None
    assert error.hint == "the client does not accept this server's certificate"


def test_an_error_that_says_nothing_leaves_the_general_hint() -> None:
    client, server = trusting(AUTHORITY), presenting(AUTHORITY.issue_cert(NAME))
    for server_side in (False, True):
        assert advice_about(ssl.SSLError("x"), client, server_side=server_side) is None
    unknown = ssl.SSLCertVerificationError("x")
    unknown.verify_code = 23
    assert advice_about(unknown, client, server_side=False) is None
    # A strict check is not what has refused it.
    unknown.verify_code = 85
    assert advice_about(unknown, client, server_side=False) is None
    unknown.verify_code = 66
    assert "too weak" in (advice_about(unknown, client, server_side=False) or "")
    pipe = TlsPipe(server, server_side=True)
    pipe.receive_data(b"\x16\x03\x01\x00\x05\x00\x00\x00\x00\x00")
    with pytest.raises(TlsError, match="handshake failed") as caught:
        pipe.handshake()
    assert caught.value.hint == TlsError.hint


def end_of_stream(pipe: TlsPipe) -> None:
    pipe.receive_data(b"")


def plain(pipe: TlsPipe) -> None:
    pipe.receive_data(b"+OK ready\x1b[2J\r\n")


@pytest.mark.parametrize("does", [end_of_stream, plain])
def test_a_server_that_does_not_speak_tls(does: Callable[[TlsPipe], None]) -> None:
    pipe = TlsPipe(trusting(), server_hostname=NAME)
    pipe.handshake()
    does(pipe)
    with pytest.raises(TlsError, match="handshake failed") as caught:
        pipe.handshake()
    assert "security=STLS on port 110" in caught.value.hint
    assert "\x1b" not in str(caught.value)


def test_what_a_client_sent_in_the_clear_is_not_shown() -> None:
    pipe = TlsPipe(presenting(AUTHORITY.issue_cert(NAME)), server_side=True)
    pipe.receive_data(b"AUTH PLAIN AGpvZQB0YW5zdGFhZg==\r\n")
    with pytest.raises(TlsError, match="the client does not speak TLS") as caught:
        pipe.handshake()
    assert "AGpv" not in str(caught.value)
    assert "client" in caught.value.hint


def test_the_types_of_records() -> None:
    assert [octet for octet in range(256) if is_tls(bytes([octet]))] == [20, 21, 22, 23, 24]
    assert is_tls(b"")
