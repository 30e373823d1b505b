"""The client's half of the protocol, without any input or output."""

from __future__ import annotations

from typing import Any, cast

from ..errors import LimitError, RemoteProtocolError, printable
from ..model.command import Command
from ..model.events import ClientEvent, ConnectionClosed
from ..model.grammar import decode, decode_base64
from ..model.leniency import Deviation, Fault
from ..model.login_commands import Auth, AuthCancel, AuthResponse
from ..model.replies import Challenge, Greeting, Message, MessageData, MessageEnd, MessageStart, Ok
from ..model.states import Signal, State
from .base import stls_injection
from .client_state import USUAL_LINE, ClientState
from .collectors import COLLECTORS
from .parsing import (
    Faults,
    explain_greeting,
    parse_error_reply,
    parse_single_line,
    split_status_line,
)
from .wire import BodyReader

# Events that change no state.
_UNMOVING = frozenset({Signal, MessageStart, MessageData, Deviation})
_NO_MORE_COMMANDS = frozenset({State.UPDATE, State.CLOSED})
# Looked up once: up to Python 3.11, each look-up takes a tenth of a microsecond.
_NEED_DATA = Signal.NEED_DATA
_TLS_NEGOTIATION = State.TLS_NEGOTIATION


class ClientConnection(ClientState):
    """A POP3 session as the client sees it: commands to octets, octets to events.

    ``secure`` says whether the stream is under TLS from the start. ``limits`` bounds the octets
    that are collected from the server, and ``leniency`` says which of its faults are tolerated.

    The engine never waits and never reads a clock. Send what ``send()`` returns; hand in what
    arrives with ``receive_data()``; call ``next_event()`` until it returns a ``Signal``. State
    moves only when an event is returned.
    """

    def next_event(self) -> ClientEvent | Signal:
        """Return the next event, or ``NEED_DATA``, or ``PAUSED`` while TLS has to be established.

        Raises, once and in its turn, ``RemoteProtocolError`` (including ``LimitError`` and
        ``StlsInjectionError``) for octets that the server may not send, and ``ConnectionLostError``
        if the stream ends where it may not. After that, the connection is dead, and every call
        raises ``DeadConnectionError``.
        """
        command, body = self._current, self._body
        # First, the events that come by the thousand, in few steps. The long way handles them, too.
        if command is not None and not self._ready and self._failure is None:
            if body is None:
                usual = self._read_usual(command)
                if usual is not None:
                    return usual
                buffer = self._buffer
                if buffer.start == len(buffer.data) and not (buffer.pending or buffer.eof):
                    # A caller asks for every answer at least once before it has arrived.
                    return _NEED_DATA
            elif self._collector is None:
                data = self._piece or body.read()
                if data:
                    self._piece = b""
                    return MessageData(data)
                if not body.complete:
                    if not self._buffer.eof:
                        return _NEED_DATA
                elif not body.unstuffed:
                    self._body, self._after_body = None, True
                    self._current = self._ahead.popleft() if self._ahead else None
                    return MessageEnd(command, body.octets)
        event = self._next()
        if type(event) not in _UNMOVING:
            self._advance(event)
        return event

    def next_whole(self) -> ClientEvent | Message | Signal:
        """Return what ``next_event()`` does, but a message that has all arrived in one step."""
        event = self.next_event()
        if type(event) is MessageStart:
            # For a small message, this takes a fifth fewer instructions than three events.
            self._piece = content = self._reader.read()
            if self._reader.complete and not self._reader.unstuffed:
                self._body, self._after_body, self._piece = None, True, b""
                self._current = self._ahead.popleft() if self._ahead else None
                return Message(event.command, content, event.text)
        return event

    def _read(self) -> ClientEvent | Signal:
        command, body = self._current, self._body
        if command is None or body is None:
            return self._read_line()
        return self._read_body(command, body)

    def _read_usual(self, command: Command[Any]) -> Ok | MessageStart | None:
        """Read ``+OK`` and a text as the complete answer to a command that changes no state.

        Returns ``None`` for anything else, which ``_read_line()`` handles.
        """
        answer, buffer = command.answer, self._buffer
        data, start = buffer.data, buffer.start
        if self._short_lines:
            return None
        if answer is Ok and data[start : start + 5] == b"+OK\r\n":
            end, text = start + 5, ""
        else:
            end = data.find(b"\r\n", start, start + USUAL_LINE) + 2
            # The long way handles other line ends, NULs, and octets that are not UTF-8.
            if end < 2 or data[start : start + 4] != b"+OK ":
                return None
            try:
                text = data[start + 4 : end - 2].decode().rstrip(" \t")
            except UnicodeDecodeError:
                return None
            if "\0" in text or "\n" in text:
                return None
        self._blank = 0
        if answer is Message:
            buffer.start, buffer.newline = end, b"\r\n"
            self._body = self._reader.begin()
            return MessageStart(command, text)
        if answer is Ok and not command.moves:
            self._current = self._ahead.popleft() if self._ahead else None
            self._after_body = False
            buffer.start, buffer.newline = end, b"\r\n"
            return Ok(command, text)
        return None

    def _read_line(self) -> ClientEvent | Signal:
        buffer = self._buffer
        if self.state is _TLS_NEGOTIATION:
            if len(buffer):
                raise stls_injection()
            return self._end_of_stream() if buffer.eof else Signal.PAUSED
        command = self._current
        limit = self.limits.status_line
        if command is not None and command.answer is Challenge:
            # Room for base64, and for cancelling a challenge that is too long but complete.
            limit = max(limit, 2 * self.limits.challenge)
        line = buffer.next_line(limit, "status_line")
        if line is None:
            return self._end_of_stream() if buffer.eof else _NEED_DATA
        if not line:
            self._blank += len(buffer.newline)
            if self._blank > limit:
                raise LimitError("too many blank lines", limit="status_line", value=limit)
            self._forgive(Fault.BLANK_LINE, line)
            return cast(Deviation, self._ready.pop())
        self._blank = 0
        if command is None and self.state is not State.GREETING:
            raise self._unsolicited(line)
        if buffer.newline == b"\n":
            self._forgive(Fault.BARE_LF, line)
        return self._read_status(line)

    def _read_status(self, line: bytes) -> ClientEvent | Signal:
        # Not `in`, which first tries to use the octets as a number.
        if line.find(b"\0") >= 0:
            what = "a status line holds a NUL"
            if self.state is State.GREETING and not line.startswith(b"+OK"):
                # The beginning of a TLS record holds one.
                what = explain_greeting(line)
            raise RemoteProtocolError(f"{what}: {printable(line)}")
        command = self._current
        indicator, text = split_status_line(line)
        if indicator == b"+OK" and command is not None:
            return self._read_success(command, text)
        status = indicator.upper()
        if status != indicator:
            self._forgive(Fault.STATUS_INDICATOR_CASE, line)
        if command is None:
            return self._read_greeting(status, text, line)
        if status == b"+OK":
            return self._read_success(command, text)
        if status == b"-ERR":
            return parse_error_reply(self._answered(command), text)
        if status == b"+" and command.answer is Challenge:
            return self._read_challenge(command, text)
        raise RemoteProtocolError(f"neither +OK nor -ERR: {printable(line)}{self._stuffing_hint()}")

    def _answered(self, command: Command[Any]) -> Command[Any]:
        # All answers within an AUTH exchange carry the command that opened it.
        return (self._auth if command.answer is Challenge else None) or command

    def _read_greeting(self, status: bytes, text: bytes, line: bytes) -> ClientEvent:
        if status == b"-ERR":
            return parse_error_reply(None, text)
        if status != b"+OK":
            raise RemoteProtocolError(f"{explain_greeting(line)}; it said: {printable(line)}")
        greeting = Greeting(decode(text))
        if greeting.timestamp is None and b"<" in text and b">" in text:
            self._forgive(Fault.MALFORMED_TIMESTAMP, line)
        return greeting

    def _read_success(self, command: Command[Any], text: bytes) -> ClientEvent | Signal:
        answer = command.answer
        if answer is Ok:
            if command.next_state is _TLS_NEGOTIATION and len(self._buffer):
                raise stls_injection()
            return Ok(command, decode(text) if text else "")
        if answer is Challenge:
            return self._read_auth_success(command, text)
        if answer is Message:
            self._body = self._reader.begin()
            return MessageStart(command, decode(text) if text else "")
        if command.multiline:
            self._body = self._reader.begin()
            self._collector = COLLECTORS[answer](command, decode(text), self._body, self.limits)
            return self._read_body(command, self._body)
        faults: Faults = {}
        reply = parse_single_line(command, text, faults)
        self._forgive_all(faults)
        return reply

    def _read_auth_success(self, command: Command[Any], text: bytes) -> ClientEvent:
        if isinstance(command, AuthCancel):
            raise RemoteProtocolError("the server accepted a login that was cancelled")
        expects_more = isinstance(command, Auth | AuthResponse) and not command.complete
        if expects_more and text and decode_base64(text) is not None:
            self._forgive(Fault.OK_CHALLENGE, text)
            return self._read_challenge(command, text)
        return Ok(self._answered(command), decode(text))

    def _read_challenge(self, command: Command[Any], text: bytes) -> ClientEvent:
        answered, data = self._answered(command), decode_base64(text)
        if data is not None:
            return Challenge(answered, data)
        self._forgive(Fault.UNDECODABLE_CHALLENGE, text)
        return Challenge(answered, text=decode(text))

    def _forgive_all(self, faults: Faults) -> None:
        for fault, (count, line) in faults.items():
            self._forgive(fault, line, count)

    def _read_body(self, command: Command[Any], body: BodyReader) -> ClientEvent | Signal:
        collector = self._collector
        if not (body.complete if collector is None else collector.collect()):
            return self._end_of_stream() if self._buffer.eof else _NEED_DATA
        self._body = self._collector = None
        if body.unstuffed:
            # No sample: the line belongs to somebody's mail.
            self._forgive(Fault.UNSTUFFED_DOT, b"", body.unstuffed)
        if collector is None:
            return MessageEnd(command, body.octets)
        reply = collector.reply()
        self._forgive_all(collector.faults)
        return reply

    def _end_of_stream(self) -> ConnectionClosed:
        """Return the event for the end of the stream, if it may end here; raise if not."""
        if self.state in _NO_MORE_COMMANDS and not len(self._buffer):
            return ConnectionClosed()
        octets = self._body.octets if self._body is not None and self._collector is None else 0
        message = f"the stream ended in the state {self.state.value!r}"
        if self._body is not None:
            message = f"the stream ended after {self._body.octets} octets of an answer"
        elif self.state is State.GREETING and len(self._buffer):
            rest = self._buffer.rest()
            message += f": {explain_greeting(rest)}; it said: {printable(rest)}"
        raise self._lost(message, octets)
