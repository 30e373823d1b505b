"""Hints about failures of TLS, if OpenSSL says what failed."""

from __future__ import annotations

import ssl

from .advice import PORTS

__all__ = ["advice_about", "is_tls"]

# The numbers are those of OpenSSL's x509_vfy.h, which are the same in all of its versions.
_EXPIRED, _TOO_EARLY = 10, 9
_SELF_SIGNED, _UNKNOWN = (18, 19), (2, 20, 21)
_WRONG_NAME = (62, 64)
# The checks that only VERIFY_X509_STRICT makes.
_STRICT = range(80, 96)
_TOO_WEAK = (66, 67, 68)

_TRUST = "to trust it, name its certificate, or its authority's, as cafile= of the SSLContext"
_LIFE = "check the clock of this machine; otherwise the server needs a new certificate"
_OLD = (
    "client and server have no {0} in common: the server may be too old for this machine's"
    " settings, and has to be brought up to date{1}"
)
_VERSION = _OLD.format("version of TLS", "; minimum_version of the SSLContext allows older ones")
_CIPHER = _OLD.format("cipher", "; set_ciphers() of the SSLContext allows weaker ones")
_CLIENTS = (
    "the server wants a certificate from the client, or does not accept the one that it got:"
    " see load_cert_chain() of the SSLContext"
)
_WEAK = "the server's key or certificate is too weak for this machine: it needs a new one"
_NAME = "the server does not know this host name: check the host, or give server_hostname"

_REASONS = {
    "UNSUPPORTED_PROTOCOL": _VERSION,
    "WRONG_SSL_VERSION": _VERSION,
    "NO_PROTOCOLS_AVAILABLE": _VERSION,
    "TLSV1_ALERT_PROTOCOL_VERSION": _VERSION,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": f"{_CIPHER}; or {_CLIENTS}",
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": _CIPHER,
    "NO_CIPHERS_AVAILABLE": _CIPHER,
    "DH_KEY_TOO_SMALL": _WEAK,
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": (
        "the server is too old to renegotiate safely (RFC 5746), and has to be brought up to date"
    ),
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _CLIENTS,
    "SSLV3_ALERT_BAD_CERTIFICATE": _CLIENTS,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _CLIENTS,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _CLIENTS,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": _CLIENTS,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _CLIENTS,
    "TLSV1_ALERT_UNKNOWN_CA": _CLIENTS,
    "TLSV1_ALERT_ACCESS_DENIED": _CLIENTS,
    "TLSV1_UNRECOGNIZED_NAME": _NAME,
}


def is_tls(first: bytes) -> bool:
    """Return False if the octets that came first cannot begin a record of TLS."""
    # RFC 8446 section 5.1: the types of records are 20 to 24.
    return not first or 20 <= first[0] <= 24


def advice_about(error: ssl.SSLError, context: ssl.SSLContext, *, server_side: bool) -> str | None:
    """Return a hint about ``error``, or ``None`` if OpenSSL does not say enough."""
    # Errors that do not come from OpenSSL have no reason.
    reason = getattr(error, "reason", None) or ""
    if server_side:
        alerted = _REASONS.get(reason) is _CLIENTS
        return "the client does not accept this server's certificate" if alerted else None
    if isinstance(error, ssl.SSLCertVerificationError):
        return _about_certificate(error.verify_code, context)
    if isinstance(error, ssl.SSLEOFError):
        return f"the server may not accept this client's settings, or not speak TLS here: {PORTS}"
    return _REASONS.get(reason)


def _about_certificate(code: int, context: ssl.SSLContext) -> str | None:
    if code in _STRICT and context.verify_flags & ssl.VERIFY_X509_STRICT:
        return (
            "the check is strict (VERIFY_X509_STRICT, the default from Python 3.13 on), and earlier"
            " versions accept this certificate: make a new one that has what the message names, or"
            " clear the flag in verify_flags of the SSLContext"
        )
    if code in (_EXPIRED, _TOO_EARLY):
        return _LIFE
    if code in _SELF_SIGNED:
        return f"no authority that is trusted here vouches for this certificate; {_TRUST}"
    if code in _UNKNOWN:
        return f"{_TRUST}; the server may also have forgotten to send an intermediate certificate"
    if code in _WRONG_NAME:
        return "connect by a name that the certificate has, or give that as server_hostname"
    if code in _TOO_WEAK:
        return _WEAK
    return None
