"""TLS for all runtimes: a state machine without I/O, and a stream built from it.

The octets go through ``ssl.MemoryBIO``, so that TLS works in the same way for implicit TLS and
STLS, sockets, tunnels of proxies, and event loops of your own. A session costs a tenth of the
memory of asyncio's own TLS.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from .._arguments import as_bytes, require
from ..errors import ConnectionLostError, LocalProtocolError, TlsError, printable
from .advice import PORTS
from .stream import Stream, receive_at_hand, time_left
from .tls_advice import advice_about, is_tls

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TlsPipe", "TlsStream"]

# The most octets in a record (RFC 8446 section 5.1), and so the most that one read returns. A
# larger buffer would be allocated and freed for each read, which takes a sixth of its time.
_RECORD = 16 * 1024
# Octets of a line in the clear, and characters of OpenSSL's reason, that an error shows.
_SHOWN = 512
_LONGEST_REASON = 1000


class TlsPipe:
    """One end of a TLS connection, without any input or output.

    By default it is the client's end, which verifies that the server is ``server_hostname``; with
    ``server_side=True`` it is the server's. It never waits: hand in what arrives with
    ``receive_data()``, and send what ``data_to_send()`` returns whenever ``handshake()`` or
    ``read()`` needs more, and after every error, because there may be an alert for the peer::

        pipe = TlsPipe(context, server_hostname="pop.example.org")
        while not pipe.handshake():
            sock.sendall(pipe.data_to_send())
            pipe.receive_data(sock.recv(65536))
        sock.sendall(pipe.data_to_send())

    After STLS, make it when the engine returns ``Signal.PAUSED`` (``StartTls`` on a server), and
    tell the engine ``tls_established()`` after the handshake. Raises ``TlsError`` if the context
    checks the server's name, and no name is given, or one that cannot be in a certificate.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        server_hostname: str | None = None,
        server_side: bool = False,
    ) -> None:
        require("context", context, ssl.SSLContext, "an ssl.SSLContext")
        require("server_side", server_side, bool, "True or False")
        if server_hostname is not None:
            require("server_hostname", server_hostname, str, "a str")
        if not server_side and context.check_hostname and not server_hostname:
            # SSLSocket refuses this; SSLObject would verify the certificate, and accept any name.
            raise TlsError(
                "the context checks the server's name, and no name was given",
                hint="give server_hostname, or a context that does not check it",
            )
        self.established: bool = False
        """True after the handshake."""
        self._peer = "client" if server_side else "server"
        self._context = context
        # The octets that arrived first: they show whether the peer speaks TLS at all.
        self._first = b""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        # An error that came after good records, which are read first.
        self._postponed: TlsError | None = None
        # True if close_notify came together with octets, which are read first.
        self._ended = False
        try:
            self.ssl_object: ssl.SSLObject = context.wrap_bio(
                self._incoming,
                self._outgoing,
                server_side=server_side,
                server_hostname=server_hostname,
            )
            """The ``SSLObject``: protocol version, cipher, certificates, channel binding."""
        except (TypeError, ValueError, ssl.SSLError) as error:
            # An empty or overlong host name, one that begins with a dot or holds a NUL, or a
            # context that is for the other side.
            raise TlsError(f"TLS cannot be started: {error}") from error

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take octets that arrived from the peer; ``b""`` is the end of the stream.

        Raises ``LocalProtocolError`` for octets after the end.
        """
        if type(data) is not bytes:
            data = as_bytes("data", data)
        if not data:
            self._incoming.write_eof()
            return
        self._first = self._first or data[:_SHOWN]
        try:
            self._incoming.write(data)
        except ssl.SSLError:
            raise LocalProtocolError("data was received after the end of the stream") from None

    def data_to_send(self) -> bytes:
        """Return the octets that have to be sent to the peer now, ``b""`` if there are none."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def handshake(self) -> bool:
        """Go on with the handshake; return True when it is done, False if more has to arrive.

        Raises ``TlsError``. Its message says if the peer's certificate was refused; then its
        ``__cause__`` is an ``ssl.SSLCertVerificationError``.
        """
        try:
            self.ssl_object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.CertificateError as error:
            raise self._failed(f"the {self._peer}'s certificate is refused", error) from error
        except ssl.SSLError as error:
            if not is_tls(self._first):
                raise self._no_tls() from error
            raise self._failed("the TLS handshake failed", error) from error
        self.established = True
        return True

    def _no_tls(self) -> TlsError:
        if self.ssl_object.server_side:
            # It may have sent a password.
            said, hint = "", "the client has to begin TLS at once"
        else:
            said, hint = f"; it said: {printable(self._first.rstrip())}", PORTS
        what = f"the TLS handshake failed: the {self._peer} does not speak TLS here"
        return TlsError(f"{what}{said}", hint=hint)

    def _failed(self, what: str, error: ssl.SSLError) -> TlsError:
        server_side = self.ssl_object.server_side
        hint = advice_about(error, self._context, server_side=server_side)
        # After the handshake nothing is wrong with the names and the certificates, unless OpenSSL
        # says so.
        lost = self.established and hint is None
        if lost and not server_side:
            hint = ConnectionLostError.hint
        message = f"{what}: {printable(str(error), _LONGEST_REASON)}"
        return TlsError(message, hint=hint, transient=lost)

    def send(self, data: bytes | bytearray | memoryview) -> bytes:
        """Encrypt ``data``; return all the octets that have to be sent now.

        Raises ``TlsError``, and ``LocalProtocolError`` before the handshake is done.
        """
        if not self.established:
            raise LocalProtocolError("nothing can be encrypted before the handshake is done")
        try:
            self.ssl_object.write(data if type(data) is bytes else as_bytes("data", data))
        except ssl.SSLError as error:
            raise self._failed("TLS broke", error) from error
        return self.data_to_send()

    def read(self) -> bytes | None:
        """Return everything that can be decrypted now, or ``None`` if more octets have to arrive.

        ``b""`` is the end, with or without close_notify: the engine decides if the stream may end
        there, and never mistakes part of a message for the whole. Raises ``TlsError``. After a
        read, TLS 1.3 can have something to send (a key update).
        """
        if self._postponed is not None:
            raise self._postponed
        read = self.ssl_object.read
        try:
            data = read(_RECORD)
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        except ssl.SSLError as error:
            raise self._failed("TLS broke", error) from error
        return self._with_the_next(data) if self._incoming.pending else data

    def _with_the_next(self, data: bytes) -> bytes:
        """Return ``data`` and the records that arrived with it: one read returns one record."""
        read = self.ssl_object.read
        records = [data]
        try:
            while self._incoming.pending and not self._ended:
                records.append(read(_RECORD))
                self._ended = not records[-1]
        except ssl.SSLWantReadError:
            # The last record has not arrived completely; the next read will notice that again.
            pass
        except ssl.SSLError as error:
            # The records before the error are good; it is raised after they have been read.
            self._postponed = self._failed("TLS broke", error)
            self._postponed.__cause__ = error
        return b"".join(records)

    @property
    def unread(self) -> bool:
        """True if ``read()`` may return or raise something although nothing more has arrived."""
        arrived = self._incoming
        return bool(arrived.pending or arrived.eof or self._ended or self._postponed is not None)

    def close(self) -> bytes:
        """Return the octets that end TLS in an orderly way (close_notify), if still possible."""
        with suppress(ssl.SSLError, ValueError):
            # This writes our close_notify, then complains that the peer's has not arrived yet.
            self.ssl_object.unwrap()
        return self.data_to_send()


class TlsStream:
    """The client's side of TLS over ``stream``; call ``handshake()`` before anything else."""

    def __init__(
        self, stream: Stream, context: ssl.SSLContext, server_hostname: str | None
    ) -> None:
        self._stream = stream
        self._pipe = TlsPipe(context, server_hostname=server_hostname)
        self.ssl_object: ssl.SSLObject = self._pipe.ssl_object
        """The ``SSLObject``: protocol version, cipher, certificates, channel binding."""

    async def handshake(self, timeout: float | None) -> None:
        """Perform the handshake within ``timeout`` seconds; raise ``TlsError`` if that fails."""
        deadline = None if timeout is None else monotonic() + timeout
        try:
            while not self._pipe.handshake():
                await self._exchange(deadline)
        except TlsError:
            # An alert tells the server the reason, if it still listens; the error itself is raised
            # in any case.
            with suppress(OSError):
                await self._flush(1.0)
            raise
        await self._flush(time_left(deadline))

    async def _flush(self, timeout: float | None) -> None:
        data = self._pipe.data_to_send()
        if data:
            await self._stream.send(data, timeout)

    async def _exchange(self, deadline: float | None) -> None:
        # Without this, a peer that sends one record without data after the other would keep this
        # call for ever, because a stream returns what it has even after the deadline.
        if deadline is not None and monotonic() > deadline:
            raise TimeoutError
        # TLS 1.3 can have something to send while it reads, too (key updates).
        await self._flush(time_left(deadline))
        self._pipe.receive_data(await self._stream.receive(time_left(deadline)))

    async def send(self, data: bytes, timeout: float | None) -> None:
        """Encrypt and send; see ``Stream``."""
        await self._stream.send(self._pipe.send(data), timeout)

    async def receive(self, timeout: float | None) -> bytes:
        """Receive and decrypt; see ``Stream``.

        A record can be read only after all of it has arrived, so ``timeout`` is for a whole record,
        at most 16 KiB.
        """
        read = self._pipe.read
        # Otherwise it would only raise SSLWantReadError, which takes a tenth of a NOOP.
        data = read() if self._pipe.unread else None
        if data is not None:
            return data
        deadline = None if timeout is None else monotonic() + timeout
        while data is None:
            await self._exchange(deadline)
            data = read()
        return data

    def is_quiet(self) -> bool:
        """Return True if nothing has arrived."""
        # A stream of another package may not be able to tell.
        quiet: Callable[[], bool] = getattr(self._stream, "is_quiet", bool)
        return not self._pipe.unread and quiet()

    async def receive_at_hand(self) -> bytes | None:
        """Decrypt what is there, without waiting for more; see ``Stream``."""
        if not self._pipe.unread:
            arrived = await receive_at_hand(self._stream)
            if arrived is None:
                return None
            self._pipe.receive_data(arrived)
        return self._pipe.read()

    async def aclose(self) -> None:
        """Send close_notify if possible, and close the stream below."""
        closing = self._pipe.close()
        with suppress(OSError):
            if closing:
                await self._stream.send(closing, 1.0)
        await self._stream.aclose()

    def abort(self) -> None:
        """Close the stream below at once."""
        self._stream.abort()
