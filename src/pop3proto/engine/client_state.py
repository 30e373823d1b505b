"""The state of the client's engine: the commands in flight, and the state that they lead to."""

from __future__ import annotations

from collections import deque
from typing import Any

from ..errors import (
    ConnectionLostError,
    LocalProtocolError,
    Pop3Error,
    RemoteProtocolError,
    printable,
)
from ..model.capabilities import Capabilities
from ..model.command import Command, Effect
from ..model.events import ClientEvent
from ..model.leniency import Leniency
from ..model.limits import Limits
from ..model.login_commands import Auth
from ..model.replies import CapaReply, Challenge, ErrorReply, Greeting, MessageEnd
from ..model.states import Signal, State
from .base import Engine
from .collectors import Collector
from .parsing import split_status_line
from .wire import BodyReader

# See client.py for the reason.
_TLS_NEGOTIATION = State.TLS_NEGOTIATION
USUAL_LINE = 512
"""RFC 1939 section 3: a status line has at most 512 octets. Longer ones are read the long way."""


class ClientState(Engine[ClientEvent]):
    """Sends commands, and applies the effects of their answers; the subclass reads the answers."""

    state: State

    def __init__(
        self, *, secure: bool = False, limits: Limits = Limits(), leniency: Leniency = Leniency()
    ) -> None:
        super().__init__(secure, limits, leniency)
        self.capabilities: Capabilities | None = None
        """The server's last announcement; ``None`` if it was not asked, or refused to answer."""
        self.timestamp: str | None = None
        """The APOP timestamp of the greeting, with its angle brackets (RFC 1939 section 7)."""
        self.pending_deletions: int = 0
        """How many messages are marked as deleted, but not gone yet."""
        # The commands in flight after the oldest one. Most sessions never have more than one.
        self._ahead: deque[Command[Any]] | None = None
        self._reader = BodyReader(self._buffer)
        # The reader, while there is a body to read.
        self._body: BodyReader | None = None
        # Content that was read to find the end of the message, which had not arrived.
        self._piece = b""
        self._collector: Collector | None = None
        # The state of the session after all commands in flight have succeeded.
        self._projected = State.GREETING
        # True if the limit for status lines is below that of RFC 1939.
        self._short_lines = limits.status_line < USUAL_LINE
        # How many octets of blank lines came before the status line that is awaited.
        self._blank = 0
        # True if the last answer was a dot-terminated text.
        self._after_body = False

    def __repr__(self) -> str:
        secure = ", secure" if self.secure else ""
        return f"<ClientConnection: {self.state.value}{secure}, {len(self.in_flight)} in flight>"

    @property
    def in_body(self) -> bool:
        """True if an answer of several lines has begun, and its end has not been read."""
        return self._body is not None

    @property
    def fate_of_deletions(self) -> str:
        """What is known of the messages marked as deleted if the session ends here, as the end of
        an error message; empty if none are marked, or QUIT was confirmed."""
        marked, sent = self.pending_deletions, self.in_flight
        # RFC 1939 section 6: the server deletes, then it answers, and -ERR can mean some of them.
        ended = self._projected is State.UPDATE or (sent and sent[-1].effect is Effect.END)
        if ended:
            marked += sum(command.effect is Effect.MARK for command in sent)
        fate = "may be gone" if ended else "are kept"
        return f"; messages that were marked as deleted, and {fate}: {marked}" if marked else ""

    @property
    def in_flight(self) -> tuple[Command[Any], ...]:
        """The commands whose answers are not complete yet, oldest first."""
        return () if self._current is None else (self._current, *(self._ahead or ()))

    def send(self, command: Command[Any]) -> bytes:
        """Return the octets to send for ``command``, which is in flight from now on.

        Commands may be sent ahead of the answers to earlier ones. The caller has to know if the
        server can handle that (PIPELINING, RFC 2449 section 6.6). Raises ``LocalProtocolError``,
        and changes nothing, if the command is not legal in the state that the session will be in
        when everything in flight has succeeded, or if a barrier (AUTH, STLS, QUIT) forbids it.
        With nothing in flight, raises what ``next_event()`` would for octets that came before it.
        """
        if self._failure is not None:
            raise self._dead(command)
        if not isinstance(command, Command):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise LocalProtocolError(f"a command is needed, not {type(command).__name__}")
        current, ahead = self._current, self._ahead
        if current is not None:
            last = ahead[-1] if ahead else current
            in_flight = len(ahead) + 1 if ahead else 1
            if last.barrier or command.alone or in_flight >= self.limits.commands_in_flight:
                raise self._not_after(last, in_flight, command)
        state = self._projected
        if state not in command.legal_states:
            raise LocalProtocolError(f"not possible in the state {state.value!r}", command=command)
        if command.next_state is _TLS_NEGOTIATION and (self.secure or self.utf8):
            # RFC 6856 section 2.1.
            why = "the connection is already under TLS" if self.secure else "UTF8 came before STLS"
            raise LocalProtocolError(why, command=command)
        line = command.to_bytes()
        if current is None:
            buffer = self._buffer
            if buffer.start != len(buffer.data) or buffer.pending or buffer.eof:
                self._refuse_strays(command)
            self._current = command
        elif ahead is None:
            self._ahead = deque((command,))
        else:
            ahead.append(command)
        if command.next_state is not None:
            self._projected = command.next_state
        if type(command) is Auth:
            self._auth = command
        return line

    def _not_after(self, last: Command[Any], n: int, command: Command[Any]) -> LocalProtocolError:
        """Return why ``command`` may not be sent after ``last``, the latest one in flight."""
        if last.barrier:
            why = f"nothing may be sent after {last!r} before it is answered"
        elif command.alone:
            why = "other commands are still in flight"
        else:
            why = f"{n} commands are in flight already"
        return LocalProtocolError(why, command=command)

    def _refuse_strays(self, command: Command[Any]) -> None:
        """Raise an error if anything but blank lines came before ``command`` is sent."""
        buffer, blank = self._buffer, list[ClientEvent]()
        ended, buffer.eof = buffer.eof, False
        try:
            while not isinstance(event := self._read(), Signal):
                blank.append(event)
            if (line := buffer.rest().removesuffix(b"\r")) or ended:
                lost = "the stream ended before the command was sent"
                raise self._unsolicited(line) if line else self._lost(lost)
        except Pop3Error as error:
            error.command = command
            raise self._killed_by(error) from None
        # For next_event(), which shows them before the answer.
        self._ready += blank

    def _unsolicited(self, line: bytes) -> ConnectionLostError | RemoteProtocolError:
        """Return the error for a line while nothing is in flight."""
        said = f"a line that answers no command: {printable(line)}"
        if split_status_line(line)[0].upper() == b"-ERR":
            # Servers end idle sessions like this: the reader learns why, and connects again.
            return self._lost(said)
        return RemoteProtocolError(said + self._stuffing_hint())

    def _lost(self, message: str, octets: int = 0) -> ConnectionLostError:
        deletions = self.pending_deletions
        message += self.fate_of_deletions
        return ConnectionLostError(message, octets_received=octets, pending_deletions=deletions)

    def _stuffing_hint(self) -> str:
        hint = " (after a message: the server seems not to double dots, or mixes its answers)"
        return hint if self._after_body else ""

    def tls_established(self) -> None:
        """Report that the TLS handshake after STLS has succeeded; forget what came before it.

        Raises ``LocalProtocolError`` if STLS was not accepted before, and ``StlsInjectionError`` if
        octets came in the clear after it.
        """
        super().tls_established()
        self._projected = State.AUTHORIZATION
        self.capabilities = self.timestamp = None

    def _advance(self, event: ClientEvent | Signal) -> None:
        """Move the state: ``event`` is about to be returned."""
        command, kind = self._current, type(event)
        if command is not None:
            self._current = self._ahead.popleft() if self._ahead else None
            self._after_body = kind is MessageEnd
            if kind is ErrorReply or kind is Challenge or command.moves:
                self._advance_with(command, event)
        elif isinstance(event, Greeting):
            self.state = self._projected = State.AUTHORIZATION
            self.timestamp = event.timestamp
        else:
            # The end of the stream, or an -ERR instead of a greeting, which is in no RFC.
            self.state = self._projected = State.CLOSED

    def _advance_with(self, command: Command[Any], event: ClientEvent | Signal) -> None:
        """Move the state for an answer that can change it."""
        before, refused = self.state, isinstance(event, ErrorReply)
        self._move(command, event)
        if command.next_state is not None or self.state is not before:
            # Commands that were sent ahead assumed that the earlier ones would succeed.
            ahead = (queued.next_state for queued in self.in_flight)
            self._projected = next((state for state in ahead if state), self.state)
        if command.effect is Effect.CAPABILITIES:
            self.capabilities = event.capabilities if isinstance(event, CapaReply) else None
        elif command.effect is Effect.MARK and not refused:
            self.pending_deletions += 1
        elif command.effect in (Effect.UNMARK, Effect.END) and not refused:
            self.pending_deletions = 0
