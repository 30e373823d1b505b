"""The server's side of TLS for servers in memory, and the certificates that tests make."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from ..server.maildrop import CHUNK
from ..transports import Security

if TYPE_CHECKING:
    import trustme

__all__ = ["HOST", "ServerTls", "client_context", "tls_for"]

HOST = "127.0.0.1"
"""What a certificate that is made here is for, beside ``localhost``."""


def tls_for(
    security: Security, tls_context: ssl.SSLContext | None, host: str = HOST
) -> tuple[trustme.CA | None, ssl.SSLContext | None]:
    """The context of a server at ``host`` that is secured like this, and who certified it.

    Where there is TLS and no ``tls_context`` of the caller's, both are made on the spot. Raises
    ``ImportError`` if trustme is not installed.
    """
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
    issued = authority.issue_cert(*names, common_name="localhost")
    with issued.private_key_and_cert_chain_pem.tempfile() as path:
        context.load_cert_chain(path)
    return authority, context


def client_context(authority: trustme.CA | None) -> ssl.SSLContext:
    """A new context for a client that trusts what ``authority`` has issued, and nothing else.

    Raises ``ValueError`` if there is no authority, because the certificate is the caller's own.
    """
    if authority is None:
        raise ValueError("this server has no certificate of its own making")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=authority.cert_pem.bytes().decode("ascii"))
    return context


class ServerTls:
    """A server's end of TLS between two buffers; it never waits.

    Its methods raise ``ssl.SSLError`` for what the client does wrong.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.connection = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        """What to ask about the client's certificate, and for channel bindings."""

    def feed(self, data: bytes) -> None:
        """Take octets of the client's; none at all at the end of the stream."""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def take(self) -> bytes:
        """What is to be sent to the client."""
        return self._outgoing.read()

    def shake_hands(self) -> bool:
        """Go on with the handshake; whether it is done."""
        try:
            self.connection.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self) -> bytes | None:
        """What the client said, ``b""`` at the end, ``None`` if more octets are needed."""
        try:
            return self.connection.read(CHUNK)
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def write(self, data: bytes) -> None:
        """Encrypt ``data``."""
        self.connection.write(data)

    def close(self) -> None:
        """Say that nothing follows."""
        try:
            # Writes our close_notify, then complains that the client's is not there yet.
            self.connection.unwrap()
        except ssl.SSLError:
            return
