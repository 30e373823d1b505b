"""The server's half of the protocol, without any input or output."""

from __future__ import annotations

from typing import Any

from ..errors import ConnectionLostError, LimitError, LocalProtocolError, RemoteProtocolError
from ..model.command import Command
from ..model.commands import Extension, Upload
from ..model.events import ConnectionClosed, InvalidCommand, ServerEvent
from ..model.grammar import has_control
from ..model.leniency import Fault, Leniency
from ..model.limits import Limits
from ..model.login_commands import Auth, AuthCancel, AuthResponse
from ..model.replies import (
    Challenge,
    ErrorReply,
    Greeting,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Ok,
    ServerReply,
)
from ..model.states import Signal, State
from ..model.stuffing import BodyWriter
from .base import Engine, stls_injection
from .requests import parse_auth_response, parse_command
from .wire import BodyReader

_OVER = frozenset({State.UPDATE, State.CLOSED})
# The states in which a client may leave without QUIT: nothing is lost.
_CLOSABLE = frozenset({State.AUTHORIZATION, State.TRANSACTION})
# Not written out where they are used, because "|" makes a new object each time.
_NO_ANSWERS, _COMMANDS = (Greeting, MessageData, MessageEnd), (Command, InvalidCommand)


class ServerConnection(Engine[ServerEvent]):
    """A POP3 session as the server sees it: octets to commands, replies to octets.

    Send a ``Greeting`` first. Each command that ``next_event()`` returns waits for its reply, and
    ``next_event()`` is ``PAUSED`` until it has been sent: however far ahead a client sends, its
    commands are seen one at a time, in the state after the previous answer. An ``InvalidCommand``
    is answered with an ``ErrorReply`` whose command is ``None``.

    The engine knows states and framing; the caller knows which passwords are right and what a
    maildrop holds. A positive reply can only be sent in a state in which the command is legal.
    """

    def __init__(
        self, *, secure: bool = False, limits: Limits = Limits(), leniency: Leniency = Leniency()
    ) -> None:
        super().__init__(secure, limits, leniency)
        self._awaiting: Command[Any] | InvalidCommand | None = None
        self._writer: BodyWriter | None = None
        self._discarding = False
        self._upload_allowed = False
        self._upload: BodyReader | None = None
        self._uploaded = bytearray()
        # RFC 1939 section 3: lines end with CRLF. If LF is tolerated, both are.
        self._newline = b"\n" if Fault.BARE_LF in leniency else b"\r\n"

    def __repr__(self) -> str:
        return f"<ServerConnection: {self.state.value}{', secure' if self.secure else ''}>"

    @property
    def awaiting_reply(self) -> Command[Any] | InvalidCommand | None:
        """The command that was received and is not answered yet."""
        return self._awaiting

    def send(self, reply: ServerReply | Message) -> bytes:
        """Return the octets to send for ``reply``; a ``Message`` is a whole body in one step.

        Raises ``LocalProtocolError``, and changes nothing, if the reply does not answer the last
        command, is not legal in this state, or cannot be written on a line.
        """
        if self._failure is not None:
            raise self._dead(None)
        if self._writer is not None:
            return self._send_body(reply, self._writer)
        if self.state is State.GREETING:
            return self._send_greeting(reply)
        if isinstance(reply, _NO_ANSWERS):
            raise LocalProtocolError(f"{type(reply).__name__} cannot be sent now")
        if (awaiting := self._awaiting) is None:
            raise LocalProtocolError("no command is waiting for an answer")
        command = None if isinstance(awaiting, InvalidCommand) else awaiting
        # Nearly always it is the same object, and comparing all fields takes longer.
        if reply.command is not (due := self._auth or command) and reply.command != due:
            raise LocalProtocolError(f"the command that waits for an answer is {awaiting!r}")
        if not isinstance(reply, ErrorReply):
            if command is None:
                raise LocalProtocolError("an InvalidCommand is answered with an ErrorReply")
            self._check_fit(reply, command)
        data = reply.to_bytes()
        if isinstance(reply, MessageStart):
            self._upload_allowed = False
            self._writer = BodyWriter()
        else:
            self._answered(reply, command)
        return data

    def _check_fit(self, reply: ServerReply | Message, command: Command[Any]) -> None:
        if (state := self.state) not in command.legal_states:
            raise LocalProtocolError(f"not possible in the state {state.value!r}", command=command)
        if command.next_state is State.TLS_NEGOTIATION and self.secure:
            raise LocalProtocolError("the connection is already under TLS", command=command)
        if not isinstance(reply, fitting_replies(command)):
            raise LocalProtocolError(f"{type(reply).__name__} does not answer it", command=command)

    def _send_greeting(self, reply: ServerReply | Message) -> bytes:
        if not isinstance(reply, Greeting | ErrorReply):
            raise LocalProtocolError("the greeting has to be sent first")
        data = reply.to_bytes()
        self.state = State.AUTHORIZATION if isinstance(reply, Greeting) else State.CLOSED
        return data

    def _send_body(self, reply: ServerReply | Message, writer: BodyWriter) -> bytes:
        if isinstance(reply, MessageData):
            return writer.write(reply.data)
        if not isinstance(reply, MessageEnd) or reply.command != self._awaiting:
            raise LocalProtocolError("the text has to be ended with MessageEnd first")
        self._writer = self._awaiting = None
        return writer.finish()

    def _answered(self, reply: ServerReply | Message, command: Command[Any] | None) -> None:
        """Move the state: ``reply`` is complete, and about to be sent."""
        self._awaiting = None
        self._upload_allowed = isinstance(command, Extension) and isinstance(reply, Ok)
        if (answered := self._auth or command) is not None and answered.moves:
            self._move(answered, reply)
        if not isinstance(reply, Challenge):
            self._auth = None

    def expect_upload(self) -> None:
        """Read a dot-terminated text next, as after ``+OK`` to ``XTND XMIT``.

        ``next_event()`` returns it as an ``Upload``. Raises ``LocalProtocolError`` unless the last
        command was an ``Extension`` in TRANSACTION, answered with ``Ok``.
        """
        if not self._upload_allowed or self.state is not State.TRANSACTION:
            raise LocalProtocolError("an upload follows a positive answer to an extension")
        self._upload_allowed = False
        self._upload = BodyReader(self._buffer).begin()

    def next_event(self) -> ServerEvent | Signal:
        """Return the next event, or ``NEED_DATA``, or ``PAUSED`` while this side has to act first.

        Raises, once and in its turn, ``RemoteProtocolError`` (including ``LimitError`` and
        ``StlsInjectionError``) for octets that a client may not send, and ``ConnectionLostError``
        if the stream ends within a line, an upload or an AUTH exchange, or where TLS should begin.
        After that, the connection is dead, and every call raises ``DeadConnectionError``.
        """
        if isinstance(event := self._next(), _COMMANDS):
            self._awaiting = event
            if isinstance(event, Auth):
                self._auth = event
        elif isinstance(event, ConnectionClosed):
            self.state = State.CLOSED
        return event

    def _read(self) -> ServerEvent | Signal:
        if self.state is State.TLS_NEGOTIATION and len(self._buffer):
            raise stls_injection()
        if self.state in _OVER:
            if len(self._buffer):
                raise RemoteProtocolError("data came after the end of the session")
            return ConnectionClosed() if self._buffer.eof else Signal.NEED_DATA
        if self._awaiting is not None or self.state is State.GREETING:
            return Signal.PAUSED
        if self._upload is not None:
            return self._read_upload(self._upload)
        if self.state is State.TLS_NEGOTIATION:
            return self._end_of_stream() if self._buffer.eof else Signal.PAUSED
        return self._read_line()

    def _read_line(self) -> ServerEvent | Signal:
        if self._discarding:
            return self._discard()
        try:
            line = self._buffer.next_line(self.limits.auth_line, "auth_line", self._newline)
        except LimitError:
            self._discarding = True
            return self._discard()
        if line is None:
            return self._end_of_stream() if self._buffer.eof else Signal.NEED_DATA
        size = len(line) + len(self._buffer.newline)
        in_auth = self.state is State.AUTHENTICATING or line[:5].upper() == b"AUTH "
        if size > self.limits.command_line and not in_auth:
            return InvalidCommand(b"", "the line is too long")
        if self._buffer.newline == b"\n":
            self._forgive(Fault.BARE_LF, b"")
        return self._read_command(line)

    def _discard(self) -> ServerEvent | Signal:
        # A line gets one answer, however long it is. It is not kept.
        if not self._buffer.discard_line(self._newline):
            return self._end_of_stream() if self._buffer.eof else Signal.NEED_DATA
        self._discarding = False
        return InvalidCommand(b"", "the line is too long")

    def _read_command(self, line: bytes) -> ServerEvent:
        if has_control(line):
            return InvalidCommand(line, "a control character in a command")
        if not (self.utf8 or line.isascii()):
            if Fault.EIGHT_BIT_COMMAND not in self.leniency:
                return InvalidCommand(line, "8-bit octets need UTF8 first")
            self._forgive(Fault.EIGHT_BIT_COMMAND, b"")
        try:
            return self._parse(line)
        except LocalProtocolError as error:
            return InvalidCommand(line, str(error.args[0]))

    def _parse(self, line: bytes) -> Command[Any]:
        if self.state is not State.AUTHENTICATING:
            command = parse_command(line)
            data = command.initial_response if isinstance(command, Auth) else None
        elif line == b"*":
            return AuthCancel()
        else:
            command = AuthResponse(parse_auth_response(line))
            data = command.data
        if data is not None and len(data.octets()) > self.limits.challenge:
            raise LocalProtocolError("the answer is too long")
        return command

    def _read_upload(self, upload: BodyReader) -> ServerEvent | Signal:
        while chunk := upload.read():
            if upload.octets > (limit := self.limits.upload):
                raise LimitError(
                    f"an upload is longer than {limit} octets", limit="upload", value=limit
                )
            # Not a list of chunks: for small chunks, that would take many times their octets.
            self._uploaded += chunk
        if not upload.complete:
            return self._end_of_stream() if self._buffer.eof else Signal.NEED_DATA
        content, self._uploaded = bytes(self._uploaded), bytearray()
        self._upload = None
        return Upload(content)

    def _end_of_stream(self) -> ConnectionClosed:
        within = self._upload is not None or self._discarding or len(self._buffer)
        if not within and self.state in _CLOSABLE:
            return ConnectionClosed()
        raise ConnectionLostError(f"the stream ended in the state {self.state.value!r}")


def fitting_replies(command: Command[Any]) -> tuple[type, ...]:
    """Return the classes of the positive replies that a server may send to ``command``."""
    if isinstance(command, Extension):
        # A server cannot see from the line which form its client waits for.
        return Ok, MessageStart, Message
    if command.answer is Challenge:
        # RFC 5034 section 4: a cancellation is answered with -ERR.
        return () if isinstance(command, AuthCancel) else (Ok, Challenge)
    return (MessageStart, Message) if command.answer is Message else (command.answer,)
