"""A server's session and its TLS in one: octets of the network in, actions for the network out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

from ..errors import LocalProtocolError, TlsError
from ..server.actions import Action, Close, Delay, NeedData, Send, StartTls
from ..server.maildrop import CHUNK
from ..transports import Security

if TYPE_CHECKING:
    import ssl

    from ..transports import TlsPipe

__all__ = ["AnsweringSession", "Endpoint", "NetworkAction"]


class AnsweringSession(Protocol):
    """The server's side without any input or output: a ``ServerSession``, or a script."""

    def next_action(self) -> Action:
        """Return what to do next. After ``Close``, it is always ``Close``."""
        ...

    def receive_data(self, data: bytes) -> None:
        """Take octets that arrived; ``b""`` is the end of the stream."""
        ...

    def tls_established(self) -> None:
        """Take note that the handshake that ``StartTls`` asked for has succeeded."""
        ...

    def close(self) -> None:
        """Take note that the connection is gone."""
        ...


S = TypeVar("S", bound=AnsweringSession)
_CLOSE = Close()
NetworkAction: TypeAlias = Send | NeedData | Delay | Close


class Endpoint(Generic[S]):
    """A session with its TLS; it is driven like the session alone.

    Its octets are those of the network. It never asks for ``StartTls``: from there on the octets
    are TLS. Raises ``LocalProtocolError`` if TLS is to start and there is no ``context``.
    ``secured`` is called with the session and its TLS connection after the handshake, before
    anything else is read.
    """

    def __init__(
        self,
        session: S,
        *,
        security: Security,
        context: ssl.SSLContext | None,
        secured: Callable[[S, ssl.SSLObject], None] | None = None,
    ) -> None:
        self.session = session
        """The session that answers."""
        self.error: OSError | None = None
        """The ``ssl.SSLError`` that ended TLS; ``Close`` follows the alert for the client."""
        self._context = context
        self._secured = secured
        self._pipe: TlsPipe | None = None
        self._received: list[bytes] = []
        self._waiting: list[bytes] = []
        self._octets = 0
        self._actions = self._act(implicit=security is Security.TLS)

    def next_action(self) -> NetworkAction:
        """Return what to do next. After ``Close``, it is always ``Close``."""
        return next(self._actions, _CLOSE)

    def receive_data(self, data: bytes) -> None:
        """Take octets that arrived; ``b""`` is the end of the stream."""
        self._received.append(data)

    def _act(self, *, implicit: bool) -> Iterator[NetworkAction]:
        try:
            if implicit:
                yield from self._handshake()
            while True:
                action = self.session.next_action()
                if type(action) is Send:
                    self._waiting.append(action.data)
                    self._octets += len(action.data)
                    if self._octets < CHUNK:
                        continue
                if self._waiting:
                    yield self._gathered()
                if isinstance(action, NeedData):
                    if self._pipe is not None:
                        yield from self._read(self._pipe)
                        continue
                    yield action
                    received, self._received = self._received, []
                    for octets in received:
                        self.session.receive_data(octets)
                elif isinstance(action, Send):
                    # A packet of its own stays a packet of its own under TLS.
                    if type(action) is not Send:
                        yield type(action)(self._on_the_wire(action.data))
                elif isinstance(action, StartTls):
                    yield from self._handshake()
                    self.session.tls_established()
                elif isinstance(action, Close):
                    break
                else:
                    yield action
        except TlsError as error:
            # The standard library's error says more about what went wrong in TLS.
            self.error = error.__cause__ if isinstance(error.__cause__, OSError) else None
            if self._pipe is not None and (alert := self._pipe.data_to_send()):
                yield Send(alert)
            return
        if self._pipe is not None and (closing := self._pipe.close()):
            yield Send(closing)

    def _on_the_wire(self, data: bytes) -> bytes:
        return data if self._pipe is None else self._pipe.send(data)

    def _gathered(self) -> Send:
        # Small answers are sent together: a TLS record for each takes many times as long.
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._octets = 0
        return Send(self._on_the_wire(data))

    def _handshake(self) -> Iterator[NetworkAction]:
        if self._context is None:
            raise LocalProtocolError("a session asked for TLS on a server without a certificate")
        # Imported here, because a server without TLS does not need it.
        from ..transports import TlsPipe

        pipe = self._pipe = TlsPipe(self._context, server_side=True)
        while not pipe.handshake():
            yield from self._exchange(pipe)
        if flight := pipe.data_to_send():
            yield Send(flight)
        if self._secured is not None:
            self._secured(self.session, pipe.ssl_object)

    def _exchange(self, pipe: TlsPipe) -> Iterator[NetworkAction]:
        if data := pipe.data_to_send():
            yield Send(data)
        yield NeedData()
        received, self._received = self._received, []
        for octets in received:
            pipe.receive_data(octets)

    def _read(self, pipe: TlsPipe) -> Iterator[NetworkAction]:
        """Hand the session what the client says next under TLS."""
        while (data := pipe.read()) is None:
            yield from self._exchange(pipe)
        self.session.receive_data(data)
