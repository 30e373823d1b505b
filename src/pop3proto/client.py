"""The client's half of the protocol, without any input or output."""

from __future__ import annotations

from collections import deque
from typing import Any, cast

from ._base64 import decode_base64
from ._collectors import COLLECTORS, Collector
from ._engine import Engine, stls_injection
from ._parsing import (
    SINGLE_LINE_PARSERS,
    Faults,
    decode,
    explain_greeting,
    parse_challenge,
    parse_error_reply,
    split_status_line,
)
from ._wire import BodyReader
from .capabilities import Capabilities
from .commands import (
    Apop,
    Auth,
    AuthCancel,
    AuthResponse,
    Capa,
    Command,
    Dele,
    Pass,
    Quit,
    Rpop,
    Rset,
    Stls,
    Utf8,
)
from .deviations import LENIENT, Deviation, Fault, Leniency
from .errors import (
    ConnectionLost,
    LocalProtocolError,
    Pop3Error,
    RemoteProtocolError,
    printable,
)
from .events import ClientEvent, ConnectionClosed
from .limits import DEFAULT_LIMITS, Limits
from .replies import (
    CapaReply,
    Challenge,
    ErrorReply,
    Greeting,
    MessageData,
    MessageEnd,
    MessageStart,
    Ok,
)
from .states import ReplyShape, Signal, State

__all__ = ["ClientConnection"]

# The commands whose success changes something; all of those with a next state among them.
_MOVING = frozenset({Apop, Auth, AuthResponse, Capa, Dele, Pass, Quit, Rpop, Rset, Stls, Utf8})
# What is returned without a change of state.
_UNMOVING = frozenset({Signal, MessageStart, MessageData, Deviation})
_NO_MORE_COMMANDS = frozenset({State.UPDATE, State.CLOSED})
# What every event asks for, by names of this module: up to Python 3.11, to look up a member in
# its enumeration takes a tenth of a microsecond.
_NEED_DATA = Signal.NEED_DATA
_TLS_NEGOTIATION = State.TLS_NEGOTIATION
_STATUS = ReplyShape.STATUS
_AUTHENTICATION = ReplyShape.AUTHENTICATION
_MESSAGE = ReplyShape.MESSAGE


class ClientConnection(Engine[ClientEvent]):
    """A POP3 session as the client sees it: commands to octets, octets to events.

    ``secure`` says whether the stream is under TLS from the start. ``limits`` bounds what is
    collected from the server and ``leniency`` says which of its faults are forgiven.

    The engine never waits and never reads a clock. Send what ``send()`` returns; hand in what
    arrives with ``receive_data()``; call ``next_event()`` until it returns a ``Signal``. State
    moves only when an event is returned.
    """

    def __init__(
        self,
        *,
        secure: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        leniency: Leniency = LENIENT,
    ) -> None:
        super().__init__(secure, limits, leniency)
        self.capabilities: Capabilities | None = None
        """What the server announced last; ``None`` as long as it was not asked, or refused to say.
        Forgotten when TLS begins (RFC 2595 section 4)."""
        self.timestamp: str | None = None
        """The APOP timestamp of the greeting, with its angle brackets (RFC 1939 section 7).
        Forgotten when TLS begins."""
        self.pending_deletions = 0
        """How many messages are marked as deleted and not yet gone."""
        # What is in flight: the oldest command apart from the others, because most sessions
        # never have more than one, and thousands of empty queues take their room.
        self._current: Command[Any] | None = None
        self._ahead: deque[Command[Any]] | None = None
        self._body: BodyReader | None = None
        self._collector: Collector | None = None
        self._auth: Auth | None = None
        # The state that the session is in once all that is in flight has succeeded.
        self._projected = State.GREETING
        # How many octets came before there was a command that they could answer.
        self._unasked = 0
        # Whether the answer read last was a dot-terminated text.
        self._after_body = False

    def __repr__(self) -> str:
        secure = ", secure" if self.secure else ""
        return f"<ClientConnection: {self.state.value}{secure}, {len(self.in_flight)} in flight>"

    @property
    def in_flight(self) -> tuple[Command[Any], ...]:
        """The commands whose answers are not complete yet, oldest first."""
        if self._current is None:
            return ()
        return (self._current, *(self._ahead or ()))

    def send(self, command: Command[Any]) -> bytes:
        """The octets to send for ``command``, which is from now on in flight.

        Commands may be sent ahead of the answers to earlier ones. Whether the server can take
        that (PIPELINING, RFC 2449 section 6.6) is for the caller to know. Raises
        ``LocalProtocolError``, and changes nothing, if the command is not legal in the state that
        the session will be in when all that is in flight has succeeded, or if a barrier (AUTH,
        STLS, QUIT) forbids it.
        """
        if self._failure is not None:
            raise self._dead(command)
        if self._current is not None:
            self._check_ahead(command, self._current)
        if self._projected not in command.legal_states:
            raise LocalProtocolError(
                f"not possible in the state {self._projected.value!r}", command=command
            )
        if type(command) is Stls:
            self._check_stls(command)
        line = command.to_bytes()
        if self._current is not None:
            if self._ahead is None:
                self._ahead = deque()
            self._ahead.append(command)
        else:
            self._current = command
            if self._buffer.start != len(self._buffer.data):
                # What is here already answers nothing that is about to be sent.
                self._unasked = len(self._buffer)
        if command.next_state is not None:
            self._projected = command.next_state
        if type(command) is Auth:
            self._auth = command
        return line

    def _check_ahead(self, command: Command[Any], current: Command[Any]) -> None:
        """Raise if ``command`` may not be sent behind what is in flight."""
        last = self._ahead[-1] if self._ahead else current
        if last.barrier:
            raise LocalProtocolError(
                f"nothing may be sent behind {last!r} before it is answered", command=command
            )
        if command.alone:
            raise LocalProtocolError("other commands are still in flight", command=command)
        in_flight = 1 + len(self._ahead or ())
        if in_flight >= self.limits.commands_in_flight:
            raise LocalProtocolError(f"{in_flight} commands are in flight already", command=command)

    def _check_stls(self, command: Command[Any]) -> None:
        if self.secure:
            raise LocalProtocolError("the connection is already under TLS", command=command)
        if self.utf8:
            # RFC 6856 section 2.1.
            raise LocalProtocolError("UTF8 was granted: STLS comes before it", command=command)
        if len(self._buffer):
            raise LocalProtocolError("unread data came before STLS", command=command)

    def next_event(self) -> ClientEvent | Signal:
        """The next event, or ``NEED_DATA``, or ``PAUSED`` while TLS has to be established.

        Raises, once and in its turn, ``RemoteProtocolError`` for what the server may not send,
        ``LimitExceeded`` and ``StlsInjectionError`` among it, and ``ConnectionLost`` when the
        stream ends where it may not. From then on the connection is dead and every call raises
        ``DeadConnectionError``.
        """
        if self._failure is not None:
            raise self._dead(None)
        if self._ready:
            return self._next_ready()
        try:
            event = self._read_line() if self._body is None else self._read_body(self._body)
        except (RemoteProtocolError, ConnectionLost) as error:
            if error.command is None:
                error.command = self._current
            if not self._ready:
                raise self._killed_by(error) from None
            # The deviations before it come first.
            self._ready.append(error)
            return self._next_ready()
        if self._ready:
            # So they do before a reply; a signal has no place in the line.
            if not isinstance(event, Signal):
                self._ready.append(event)
            return self._next_ready()
        if type(event) not in _UNMOVING:
            self._advance(event)
        return event

    def _next_ready(self) -> ClientEvent:
        event = self._ready.pop(0)
        if isinstance(event, Pop3Error):
            raise self._killed_by(event)
        if type(event) not in _UNMOVING:
            self._advance(event)
        return event

    def tls_established(self) -> None:
        """Say that the TLS handshake that STLS led to has succeeded.

        What was learnt in the clear, capabilities and timestamp, is forgotten. Raises
        ``LocalProtocolError`` if STLS was not accepted before, and ``StlsInjectionError`` if
        octets came in the clear behind it (RFC 2595 section 4).
        """
        super().tls_established()
        self._projected = State.AUTHORIZATION
        self.capabilities = None
        self.timestamp = None

    def _read_line(self) -> ClientEvent | Signal:
        buffer = self._buffer
        if self.state is _TLS_NEGOTIATION:
            if len(buffer):
                raise stls_injection()
            return self._end_of_stream() if buffer.eof else Signal.PAUSED
        line = buffer.next_line(self._line_limit(), "status_line")
        if line is None:
            return self._end_of_stream() if buffer.eof else _NEED_DATA
        if not line:
            self._unasked = max(self._unasked - len(buffer.newline), 0)
            self._forgive_here(Fault.BLANK_LINE, line)
            # It is an event of its own, whatever comes behind it.
            return cast(Deviation, self._ready.pop())
        if buffer.newline == b"\n":
            self._forgive_here(Fault.BARE_LF, line)
        return self._read_status(line)

    def _line_limit(self) -> int:
        if self._current is not None and self._current.shape is _AUTHENTICATION:
            # Twice the challenge leaves room for base64, and for the caller to cancel one that
            # is too long but came to an end.
            return max(self.limits.status_line, 2 * self.limits.challenge)
        return self.limits.status_line

    def _forgive_here(self, fault: Fault, line: bytes, count: int = 1) -> None:
        self._forgive(fault, self._current, line, count)

    def _read_status(self, line: bytes) -> ClientEvent | Signal:
        # Not `in`: that first tries to take the octets for a number, and fails with an exception.
        if line.find(b"\0") >= 0:
            what = "a status line holds a NUL"
            if self.state is State.GREETING and not line.startswith(b"+OK"):
                # As the beginning of a TLS record does.
                what = explain_greeting(line)
            raise RemoteProtocolError(f"{what}: {printable(line)}")
        indicator, text = split_status_line(line)
        command = self._current
        if indicator == b"+OK" and command is not None and not self._unasked:
            return self._read_success(command, text)
        status = indicator.upper()
        if status != indicator:
            self._forgive_here(Fault.STATUS_INDICATOR_CASE, line)
        if self.state is State.GREETING:
            return self._read_greeting(status, text, line)
        if command is None or self._unasked:
            raise self._unsolicited(line)
        if status == b"+OK":
            return self._read_success(command, text)
        if status == b"-ERR":
            return parse_error_reply(self._answered(command), text)
        if status == b"+" and command.shape is ReplyShape.AUTHENTICATION:
            return self._read_challenge(command, text)
        raise RemoteProtocolError(
            f"neither +OK nor -ERR: {printable(line)}{self._stuffing_hint()}", command=command
        )

    def _answered(self, command: Command[Any]) -> Command[Any]:
        # All answers within an AUTH exchange carry the command that opened it.
        if command.shape is ReplyShape.AUTHENTICATION and self._auth is not None:
            return self._auth
        return command

    def _read_greeting(self, status: bytes, text: bytes, line: bytes) -> ClientEvent:
        if status == b"-ERR":
            return parse_error_reply(None, text)
        if status != b"+OK":
            raise RemoteProtocolError(f"{explain_greeting(line)}; it said: {printable(line)}")
        greeting = Greeting(decode(text))
        if greeting.timestamp is None and b"<" in text and b">" in text:
            self._forgive_here(Fault.MALFORMED_TIMESTAMP, line)
        return greeting

    def _read_success(self, command: Command[Any], text: bytes) -> ClientEvent | Signal:
        shape = command.shape
        if shape is _STATUS:
            if type(command) is Stls and len(self._buffer):
                raise stls_injection()
            return Ok(command, decode(text) if text else "")
        if shape is _AUTHENTICATION:
            return self._read_auth_success(command, text)
        if shape is _MESSAGE:
            self._body = BodyReader(self._buffer)
            return MessageStart(command, decode(text) if text else "")
        if shape.multiline:
            self._body = BodyReader(self._buffer)
            self._collector = COLLECTORS[shape](command, decode(text), self._body, self.limits)
            return self._collect(self._collector, self._body)
        faults: Faults = {}
        reply = SINGLE_LINE_PARSERS[shape](command, text, faults)
        self._forgive_all(faults)
        return reply

    def _read_auth_success(self, command: Command[Any], text: bytes) -> ClientEvent:
        if isinstance(command, AuthCancel):
            raise RemoteProtocolError("the server accepts a login that was cancelled")
        expects_more = isinstance(command, Auth | AuthResponse) and not command.complete
        if expects_more and text and decode_base64(text) is not None:
            self._forgive_here(Fault.OK_CHALLENGE, text)
            return self._read_challenge(command, text)
        return Ok(self._answered(command), decode(text))

    def _read_challenge(self, command: Command[Any], text: bytes) -> ClientEvent:
        faults: Faults = {}
        challenge = parse_challenge(self._answered(command), text, faults)
        self._forgive_all(faults)
        return challenge

    def _forgive_all(self, faults: Faults) -> None:
        for fault, (count, line) in faults.items():
            self._forgive_here(fault, line, count)

    def _read_body(self, body: BodyReader) -> ClientEvent | Signal:
        if self._collector is not None:
            return self._collect(self._collector, body)
        if not body.complete:
            data = body.read()
            if data:
                return MessageData(data)
            if not body.complete:
                return self._end_of_stream() if self._buffer.eof else _NEED_DATA
        self._end_body(body)
        return MessageEnd(cast("Command[Any]", self._current), body.octets)

    def _collect(self, collector: Collector, body: BodyReader) -> ClientEvent | Signal:
        if not collector.collect():
            return self._end_of_stream() if self._buffer.eof else _NEED_DATA
        reply = collector.reply()
        self._end_body(body)
        self._forgive_all(collector.faults)
        self._collector = None
        return reply

    def _end_body(self, body: BodyReader) -> None:
        self._body = None
        if body.unstuffed:
            # No sample: the line belongs to somebody's mail.
            self._forgive_here(Fault.UNSTUFFED_DOT, b"", body.unstuffed)

    def _advance(self, event: ClientEvent | Signal) -> None:
        """Move the state: ``event`` is about to be returned."""
        command = self._current
        if command is None:
            self._advance_alone(event)
            return
        self._current = self._ahead.popleft() if self._ahead else None
        kind = type(event)
        self._after_body = kind is MessageEnd
        if kind is ErrorReply or kind is Challenge or type(command) in _MOVING:
            self._advance_with(command, event)

    def _advance_alone(self, event: ClientEvent | Signal) -> None:
        """Move the state for what answers no command."""
        if isinstance(event, Greeting):
            self.state = self._projected = State.AUTHORIZATION
            self.timestamp = event.timestamp
        else:
            # The end of the stream, or an -ERR in place of a greeting: RFC 1939 section 4 knows
            # no refusal there, but servers send one, and close.
            self.state = self._projected = State.CLOSED

    def _advance_with(self, command: Command[Any], event: ClientEvent | Signal) -> None:
        """Move the state for an answer that can change it."""
        if isinstance(event, Challenge):
            self.state = self._projected = State.AUTHENTICATING
        elif isinstance(command, Quit):
            self._quit_answered(succeeded=isinstance(event, Ok))
        elif isinstance(event, ErrorReply):
            self._failed(command)
        elif command.next_state is not None:
            self.state = command.next_state
        elif isinstance(event, CapaReply):
            self.capabilities = event.capabilities
        elif isinstance(command, Dele):
            self.pending_deletions += 1
        elif isinstance(command, Rset):
            self.pending_deletions = 0
        else:
            # Only Utf8 is left of those that move anything.
            self.utf8 = True

    def _quit_answered(self, *, succeeded: bool) -> None:
        # RFC 1939 section 6: whatever the answer, the server closes the connection.
        in_transaction = self.state is State.TRANSACTION
        self.state = self._projected = State.UPDATE if in_transaction else State.CLOSED
        if succeeded:
            self.pending_deletions = 0

    def _failed(self, command: Command[Any]) -> None:
        if self.state is State.AUTHENTICATING:
            self.state = self._projected = State.AUTHORIZATION
        if isinstance(command, Capa):
            self.capabilities = None
        if command.next_state is not None:
            # What was sent ahead counted on success: take the state that remains without it.
            ahead = (queued.next_state for queued in self.in_flight)
            self._projected = next((state for state in ahead if state), self.state)

    def _end_of_stream(self) -> ConnectionClosed:
        """The event for an end of stream, where it is allowed."""
        if self.state in _NO_MORE_COMMANDS and not len(self._buffer):
            return ConnectionClosed()
        octets = self._body.octets if self._body is not None and self._collector is None else 0
        message = f"the stream ended in the state {self.state.value!r}"
        if self._body is not None:
            message = f"the stream ended within an answer, {self._body.octets} octets into it"
        elif self.state is State.GREETING and len(self._buffer):
            rest = self._buffer.data[self._buffer.start :]
            message += f": {explain_greeting(rest)}; it said: {printable(rest)}"
        if self.pending_deletions:
            message += f"; {self.pending_deletions} messages marked as deleted were kept"
        raise ConnectionLost(
            message,
            command=self._current,
            octets_received=octets,
            pending_deletions=self.pending_deletions,
        )

    def _unsolicited(self, line: bytes) -> RemoteProtocolError:
        return RemoteProtocolError(
            f"a line that answers nothing: {printable(line)}{self._stuffing_hint()}"
        )

    def _stuffing_hint(self) -> str:
        if not self._after_body:
            return ""
        return " (behind a message: the server seems not to double dots at the start of lines)"
