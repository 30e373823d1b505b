"""Certificates for test servers, made when they are needed."""

from __future__ import annotations

import ssl
from types import NoneType
from typing import TYPE_CHECKING

from .._arguments import require
from ..errors import LocalProtocolError, printable
from ..transports import Security

if TYPE_CHECKING:
    import trustme

__all__ = ["HOST", "client_context", "tls_for"]

HOST = "127.0.0.1"
"""The address that a certificate is for, besides ``localhost``."""


def tls_for(
    security: Security, tls_context: ssl.SSLContext | None, host: str = HOST
) -> tuple[trustme.CA | None, ssl.SSLContext | None]:
    """Return the authority that certifies a server at ``host``, and the server's context.

    If TLS is wanted and the caller has no ``tls_context``, both are made. Raises
    ``LocalProtocolError`` if ``tls_context`` is something else, if it is for clients, or if there
    is to be no TLS, and ``ImportError`` if trustme is not installed.
    """
    require("tls_context", tls_context, (ssl.SSLContext, NoneType), "an ssl.SSLContext")
    if tls_context is not None and security is Security.PLAINTEXT:
        # It would come to a server in the clear, which is the default of memory_stream().
        raise LocalProtocolError(
            "tls_context is for TLS or STLS; with security='plaintext' there is none"
        )
    if tls_context is not None and tls_context.protocol is ssl.PROTOCOL_TLS_CLIENT:
        raise LocalProtocolError("tls_context is for a client, not for a server")
    if security is Security.PLAINTEXT or tls_context is not None:
        return None, tls_context
    try:
        import trustme
    except ImportError as error:
        raise ImportError(
            "TLS needs a certificate, and making one needs trustme: pip install pop3proto[testing]",
            name="trustme",
        ) from error
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # Some clients, fetchmail among them, refuse a certificate without a common name.
    names = dict.fromkeys((host, HOST, "localhost"))
    try:
        issued = authority.issue_cert(*names, common_name="localhost")
    except ValueError as error:
        raise LocalProtocolError(
            f"no certificate can be made for the host {printable(host)}: {printable(str(error))}"
        ) from error
    with issued.private_key_and_cert_chain_pem.tempfile() as path:
        context.load_cert_chain(path)
    return authority, context


def client_context(authority: trustme.CA | None) -> ssl.SSLContext:
    """Return a new context for a client that trusts only certificates issued by ``authority``.

    Raises ``LocalProtocolError`` if there is no authority, because the caller supplied the
    certificate.
    """
    if authority is None:
        raise LocalProtocolError("this server did not make its certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=authority.cert_pem.bytes().decode("ascii"))
    return context
