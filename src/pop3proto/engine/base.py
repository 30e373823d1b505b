"""The common part of both engines."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Generic, TypeVar

from ..errors import (
    ConnectionLostError,
    DeadConnectionError,
    LocalProtocolError,
    Pop3Error,
    RemoteProtocolError,
    StlsInjectionError,
    printable,
)
from ..model.command import Command, Effect
from ..model.leniency import Deviation, Fault, Leniency
from ..model.limits import Limits
from ..model.login_commands import Auth
from ..model.replies import Challenge, ErrorReply
from ..model.states import Signal, State
from .wire import ReceiveBuffer

EventT = TypeVar("EventT")


class Engine(Generic[EventT]):
    """The state, the receive buffer and the failure of one end of a session."""

    def __init__(self, secure: bool, limits: Limits, leniency: Leniency) -> None:
        if (type(limits), type(leniency)) != (Limits, Leniency):
            raise LocalProtocolError("limits is a Limits, and leniency is a Leniency")
        self.state: State = State.GREETING
        """The state of the session after the events that were returned."""
        self.secure: bool = secure
        """True if the stream is under TLS."""
        self.limits = limits
        """Limits on what is collected from the peer."""
        self.leniency = leniency
        """Which of the peer's faults are tolerated."""
        self.utf8: bool = False
        """True if the server has accepted UTF8 (RFC 6856 section 2)."""
        self._buffer = ReceiveBuffer()
        # The results of one parsing step: deviations, and then their event or error.
        self._ready: list[EventT | Deviation | Pop3Error] = []
        # In the client's role, the command whose answer comes next.
        self._current: Command[Any] | None = None
        # The command that opened the AUTH exchange, while there is one.
        self._auth: Auth | None = None
        self._failure: Pop3Error | None = None

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take octets that arrived, for ``next_event()``; empty ``data`` is the end of the stream.

        Raises ``LocalProtocolError`` for octets after the end. A dead connection discards them.
        """
        if self._failure is None:
            self._buffer.feed(data)

    def tls_established(self) -> None:
        """Report that the TLS handshake after STLS has succeeded.

        Raises ``LocalProtocolError`` if STLS was not accepted before, and ``StlsInjectionError`` if
        octets came in the clear after it (RFC 2595 section 4).
        """
        if self._failure is not None:
            raise self._dead(None)
        if self.state is not State.TLS_NEGOTIATION:
            raise LocalProtocolError("STLS was not accepted before")
        if len(self._buffer):
            raise self._killed_by(stls_injection())
        self.state = State.AUTHORIZATION
        self.secure = True

    def _next(self) -> EventT | Deviation | Signal:
        """Return the next result that was parsed before, or else what can be read now."""
        if self._failure is not None:
            raise self._dead(None)
        if not self._ready:
            try:
                event = self._read()
            except (RemoteProtocolError, ConnectionLostError) as error:
                error.command = error.command or self._current
                self._ready.append(error)
            else:
                if not self._ready:
                    return event
                # The deviations come before their event. A signal is not kept until after them.
                if not isinstance(event, Signal):
                    self._ready.append(event)
        first = self._ready.pop(0)
        if isinstance(first, Pop3Error):
            raise self._killed_by(first)
        return first

    @abstractmethod
    def _read(self) -> EventT | Signal:
        """Return the next event, after noting the deviations before it in ``_ready``."""

    def _move(self, command: Command[Any], reply: object) -> None:
        """Change the attributes of both roles after a whole answer."""
        self.state = state_after(self.state, command, reply)
        if command.effect is Effect.UTF8 and not isinstance(reply, ErrorReply):
            self.utf8 = True

    def _killed_by(self, error: Pop3Error) -> Pop3Error:
        """Return ``error``, after noting that the connection is dead because of it."""
        self._failure = error
        self.state = State.DEAD
        self._buffer = ReceiveBuffer()
        return error

    def _dead(self, command: Command[Any] | None) -> DeadConnectionError:
        what = f"the connection cannot be used after this error: {self._failure}"
        error = DeadConnectionError(what, command=command)
        error.__cause__ = self._failure
        return error

    def _forgive(self, fault: Fault, line: bytes, count: int = 1) -> None:
        """Report a fault as the next event, or raise if it is not tolerated."""
        if fault not in self.leniency:
            what = f": {printable(line)}" if line else ""
            raise RemoteProtocolError(f"{fault.value}{what}", fault=fault)
        self._ready.append(Deviation(fault, self._current, line[:200], count))


def state_after(state: State, command: Command[Any], reply: object) -> State:
    """Return the state that follows ``state`` once ``reply`` has answered ``command``."""
    if isinstance(reply, Challenge):
        return State.AUTHENTICATING
    if command.effect is Effect.END:
        # RFC 1939 section 6: QUIT enters UPDATE from TRANSACTION only. Whatever the answer, the
        # server closes the connection.
        return State.UPDATE if state is State.TRANSACTION else State.CLOSED
    if isinstance(reply, ErrorReply):
        # RFC 5034 section 4: an exchange that fails is over.
        return State.AUTHORIZATION if state is State.AUTHENTICATING else state
    return command.next_state or state


def stls_injection() -> StlsInjectionError:
    """Return the error for octets that came in the clear after STLS."""
    return StlsInjectionError("data came in the clear after STLS")
