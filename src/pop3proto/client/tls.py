"""TLS once for every runtime: a stream around a stream.

The octets go through ``ssl.MemoryBIO``, so that implicit TLS and STLS, sockets, proxies' tunnels
and event loops of the caller's own are all the same to it, and a session costs a tenth of the
memory of asyncio's own TLS.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from time import monotonic

from ..errors import TlsError
from .stream import Stream, time_left

__all__ = ["TlsStream"]

# What a record holds at most (RFC 8446 section 5.1), and so what one read gives. To make room for
# more, and give that back, takes a sixth of the time of reading.
_RECORD = 16 * 1024


class TlsStream:
    """The client's side of TLS over ``stream``; call ``handshake()`` before anything else."""

    def __init__(
        self, stream: Stream, context: ssl.SSLContext, server_hostname: str | None
    ) -> None:
        if context.check_hostname and not server_hostname:
            # SSLSocket refuses this; SSLObject would verify the certificate, and take any name.
            raise TlsError(
                "the context checks the server's name, and no name was given",
                hint="give server_hostname, or a context that does not check it",
            )
        self._stream = stream
        self._broken: TlsError | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        try:
            self.ssl_object = context.wrap_bio(
                self._incoming, self._outgoing, server_hostname=server_hostname
            )
            """The ``SSLObject``: protocol version, cipher, certificates, channel binding."""
        except ValueError as error:
            # An empty or overlong host name, or one that begins with a dot.
            raise TlsError(f"TLS cannot be started: {error}") from error

    async def handshake(self, timeout: float | None) -> None:
        """Shake hands within ``timeout`` seconds.

        Raises ``TlsError`` if it fails, a certificate that is refused among other reasons.
        """
        deadline = None if timeout is None else monotonic() + timeout
        while True:
            try:
                self.ssl_object.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush(time_left(deadline))
                await self._feed(time_left(deadline))
            except ssl.CertificateError as error:
                await self._send_alert()
                raise TlsError(f"the server's certificate is refused: {error}") from error
            except ssl.SSLError as error:
                await self._send_alert()
                raise TlsError(f"the TLS handshake failed: {error}") from error
            else:
                await self._flush(time_left(deadline))
                return

    async def _send_alert(self) -> None:
        # The server may know why, if it still listens; the handshake's own error counts.
        with suppress(OSError):
            await self._flush(1.0)

    async def _flush(self, timeout: float | None) -> None:
        if self._outgoing.pending:
            await self._stream.send(self._outgoing.read(), timeout)

    async def _feed(self, timeout: float | None) -> None:
        data = await self._stream.receive(timeout)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def send(self, data: bytes, timeout: float | None) -> None:
        """Encrypt and send; see ``Stream``."""
        try:
            self.ssl_object.write(data)
        except ssl.SSLError as error:
            raise TlsError(f"TLS broke: {error}") from error
        await self._flush(timeout)

    async def receive(self, timeout: float | None) -> bytes:
        """Receive and decrypt; see ``Stream``.

        What comes of a record before all of it is there shows nothing, so that ``timeout`` is for
        a whole record, 16 KiB at most. The end of the stream is ``b""`` with and without
        close_notify: whether it may end there shows in the session, which never takes part of a
        body for the whole.
        """
        data = self._decrypted()
        if data is not None:
            return data
        deadline = None if timeout is None else monotonic() + timeout
        while data is None:
            # TLS 1.3 can want to send while it reads (key updates).
            await self._flush(time_left(deadline))
            await self._feed(time_left(deadline))
            data = self._decrypted()
        return data

    def _decrypted(self) -> bytes | None:
        """What can be read now, ``b""`` at the end of the stream, ``None`` if more is needed."""
        if self._broken is not None:
            raise self._broken
        read = self.ssl_object.read
        try:
            data = read(_RECORD)
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        except ssl.SSLError as error:
            raise TlsError(f"TLS broke: {error}") from error
        return self._with_the_next(data) if self._incoming.pending else data

    def _with_the_next(self, data: bytes) -> bytes:
        """``data`` and all that came with it: one read gives one record."""
        read = self.ssl_object.read
        records = [data]
        try:
            while self._incoming.pending and (data := read(_RECORD)):
                records.append(data)
        except ssl.SSLWantReadError:
            # The last record has come in part; the next read says so again.
            pass
        except ssl.SSLError as error:
            # The records before it are good, and its turn comes behind them.
            self._broken = TlsError(f"TLS broke: {error}")
            self._broken.__cause__ = error
        return b"".join(records)

    async def aclose(self) -> None:
        """Send close_notify if that is possible, and close the stream underneath."""
        with suppress(ssl.SSLError, ValueError):
            # Writes our close_notify, then complains that the server's is not there yet.
            self.ssl_object.unwrap()
        with suppress(OSError):
            await self._flush(1.0)
        await self._stream.aclose()

    def abort(self) -> None:
        """Close the stream underneath at once."""
        self._stream.abort()
