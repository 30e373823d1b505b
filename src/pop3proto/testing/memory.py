"""A server in memory: a ``Stream`` with a server's session at its other end, and no network.

The session runs within the client's calls. So there is no thread, no socket and nothing to wait
for, and each test takes the same steps every time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from types import NoneType
from typing import TYPE_CHECKING, Generic, TypeVar

from .._arguments import as_bytes, require
from ..client.options import SecurityName
from ..model.leniency import Leniency
from ..model.limits import Limits
from ..model.secret import Secret
from ..server import ServerOptions, ServerSession
from ..server.actions import Close, Delay, NeedData, Send
from ..server.maildrop import CHUNK
from ..transports import Security
from .clock import VirtualClock
from .endpoint import AnsweringSession, Endpoint, NetworkAction
from .packets import Packet
from .sessions import Mail, Mechanisms, Sessions, Users

if TYPE_CHECKING:
    import ssl

    import trustme

    from .quirks.names import Quirk

__all__ = ["AnsweringSession", "MemoryStream", "memory_stream"]


S_co = TypeVar("S_co", bound=AnsweringSession, covariant=True)


class MemoryStream(Generic[S_co]):
    """A ``Stream`` whose other end is ``session``; ``memory_stream()`` makes it.

    Its coroutines never suspend, so it serves the clients of every runtime, the blocking one
    included. The session runs ahead of the client by some 64 KiB of answers. Where a client would
    have to wait forever, its deadline passes at once: ``receive()`` raises ``TimeoutError``. Time
    that the server takes passes on ``clock``, at most until the deadline, and no real time passes.

    ``send()``, ``receive()`` and ``aclose()`` raise errors in the code that answers, for example in
    a maildrop, as they are.
    """

    def __init__(
        self,
        session: S_co,
        *,
        security: Security,
        tls_context: ssl.SSLContext | None = None,
        certificate_authority: trustme.CA | None = None,
        secured: Callable[[S_co, ssl.SSLObject], None] | None = None,
        clock: VirtualClock | None = None,
    ) -> None:
        self.session: S_co = session
        """The session that answers."""
        self.security: Security = Security.of(security)
        """The security of the connection: the argument for ``start()``."""
        self.tls_context = tls_context
        """The TLS context of the server; ``None`` without TLS."""
        self.certificate_authority = certificate_authority
        """The issuer of the server's certificate, if it was made here."""
        require("clock", clock, (VirtualClock, NoneType), "a VirtualClock")
        self.clock: VirtualClock = VirtualClock() if clock is None else clock
        """The clock on which the server's delays pass."""
        self.delayed: float = 0.0
        """The total of the delays that the server has asked for, in seconds."""
        self.closed: bool = False
        """True after the client has closed the stream."""
        self._endpoint = Endpoint(
            session, security=self.security, context=tls_context, secured=secured
        )
        self._inbound = bytearray()
        self._ended = False
        # One receive() returns one entry. An entry can still grow until then, unless it has to stay
        # apart.
        self._outbound: deque[list[bytes]] = deque()
        self._outbound_octets = 0
        self._sealed = False
        self._idle_until = 0.0
        self._over = False
        self._wants_data = False

    @property
    def error(self) -> OSError | None:
        """The error that ended TLS on the server's side, for example an alert from the client."""
        return self._endpoint.error

    def client_context(self) -> ssl.SSLContext:
        """Return a new context for a client that trusts this server's certificate, and no other.

        The certificate is for ``localhost`` and ``127.0.0.1``. Raises ``LocalProtocolError`` if
        the server has no certificate that was made here.
        """
        from .certificates import client_context

        return client_context(self.certificate_authority)

    async def send(self, data: bytes, timeout: float | None) -> None:
        """Hand ``data`` to the server; if the server has closed, the data is lost.

        Raises ``OSError`` if this end is closed.
        """
        if self.closed:
            raise ConnectionAbortedError("the stream is closed")
        self._inbound += as_bytes("data", data)
        self._advance()

    async def receive(self, timeout: float | None) -> bytes:
        """Return the next octets of the server, ``b""`` at the end.

        Raises ``TimeoutError`` at once if the server waits for the client, and also if the server
        sends nothing within ``timeout`` seconds of ``clock``.
        """
        if self.closed:
            raise ConnectionAbortedError("the stream is closed")
        left = timeout
        while True:
            self._advance()
            if self._outbound:
                break
            if self._over:
                return b""
            left = self._wait(left)
        return self._next()

    async def receive_at_hand(self) -> bytes | None:
        """Return what the server has sent by now, without waiting; see ``Stream``."""
        if self.closed:
            raise ConnectionAbortedError("the stream is closed")
        self._advance()
        if self._outbound:
            return self._next()
        return b"" if self._over else None

    def _next(self) -> bytes:
        data = b"".join(self._outbound.popleft())
        self._outbound_octets -= len(data)
        return data

    def _wait(self, timeout: float | None) -> float | None:
        """Let time pass until the server goes on; return the rest of ``timeout``."""
        idle = self._idle_until - self.clock.now()
        if idle <= 0:
            raise TimeoutError("the server waits for the client, so nothing would ever arrive")
        if timeout is not None and timeout < idle:
            self.clock.advance(timeout)
            raise TimeoutError(f"the server sent nothing for {timeout:g} s")
        self.clock.advance(idle)
        return None if timeout is None else timeout - idle

    async def aclose(self) -> None:
        """Close; the server still reads what was sent. Closing twice is allowed."""
        if self.closed:
            return
        self.closed = self._ended = True
        try:
            while not self._over:
                self._idle_until = 0.0
                self._outbound.clear()
                self._outbound_octets = 0
                self._advance()
        finally:
            self._end()

    def abort(self) -> None:
        """Close at once; the server answers nothing more."""
        self.closed = True
        self._end()

    def _end(self) -> None:
        self._over = True
        self.session.close()

    def _advance(self) -> None:
        """Let the server go on until it waits, has ended, or has produced a full chunk."""
        try:
            while not self._over and self._outbound_octets < CHUNK and not self._idles():
                if not self._step():
                    return
        except BaseException:
            self._end()
            raise

    def _idles(self) -> bool:
        return self.clock.now() < self._idle_until

    def _step(self) -> bool:
        """Let the server do one thing; return False if it has nothing to do."""
        if not self._wants_data:
            self._do(self._endpoint.next_action())
            return True
        if not self._inbound and not self._ended:
            return False
        data = bytes(self._inbound)
        self._inbound.clear()
        self._wants_data = False
        self._endpoint.receive_data(data)
        return True

    def _do(self, action: NetworkAction) -> None:
        match action:
            case Send(data):
                self._put(data, apart=isinstance(action, Packet))
            case NeedData():
                self._wants_data = True
            case Delay(seconds):
                self.delayed += seconds
                self._idle_until = self.clock.now() + seconds
            case Close():
                self._end()

    def _put(self, data: bytes, *, apart: bool) -> None:
        if apart or self._sealed or not self._outbound:
            self._outbound.append([])
        self._outbound[-1].append(data)
        self._outbound_octets += len(data)
        self._sealed = apart


def memory_stream(
    maildrops: Mail,
    *,
    password: str | Secret | None = None,
    users: Users | None = None,
    security: Security | SecurityName = Security.PLAINTEXT,
    options: ServerOptions = ServerOptions(),
    mechanisms: Mechanisms = None,
    tls_context: ssl.SSLContext | None = None,
    limits: Limits = Limits(),
    leniency: Leniency = Leniency(),
    quirks: Iterable[Quirk | str] = (),
    clock: VirtualClock | None = None,
) -> MemoryStream[ServerSession]:
    """Return a stream to a new server, without a network or threads.

    >>> from pop3proto.transports.blocking import Client
    >>> stream = memory_stream({"user": []}, password="secret")
    >>> with Client.start(stream, security=stream.security) as client:
    ...     client.greeting.text.startswith("localhost POP3 server ready")
    True

    The arguments are those of ``serve()``. Without TLS, which is the default here, the server
    accepts passwords only if ``options`` allow them, and the client sends them only with
    ``allow_plaintext_auth``. With TLS or STLS both ends perform the whole handshake, in memory. The
    server's delays (``failed_login_delay``, ``latency``, those of quirks) pass on ``clock``: they
    count against the client's deadlines, but take no real time.

    Raises what ``serve()`` raises.
    """
    password = None if password is None else Secret(password)
    from .certificates import tls_for

    chosen = Security.of(security)
    source = Sessions(
        maildrops,
        password=password,
        users=users,
        security=chosen,
        options=options,
        mechanisms=mechanisms,
        limits=limits,
        leniency=leniency,
        quirks=quirks,
    )
    authority, context = tls_for(chosen, tls_context)
    return MemoryStream(
        source.new(),
        security=chosen,
        tls_context=context,
        certificate_authority=authority,
        secured=source.under_tls,
        clock=clock,
    )
