"""Puts a recorded session through an engine again.

The engine is fed with the octets that its peer sent. The octets that its own side sent are parsed
by an engine of the other role, and the result is sent again: a replayed client sends the recorded
commands, a replayed server gives the recorded answers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import Any, Generic, Literal, TypeAlias, TypeVar, overload

from .._arguments import require, require_count
from ..engine.wire import BodyReader, ReceiveBuffer
from ..errors import (
    ConnectionLostError,
    LocalProtocolError,
    Pop3Error,
    RemoteProtocolError,
    TranscriptError,
)
from ..model.command import Command
from ..model.commands import Extension, Quit, Upload
from ..model.events import ClientEvent, ConnectionClosed, InvalidCommand, ServerEvent
from ..model.leniency import Leniency
from ..model.limits import Limits
from ..model.replies import ErrorReply, MessageData, Ok
from ..model.states import Signal, State
from .engines import RecordedClient, RecordedServer, line_of, offers_text
from .recorded import (
    EndOfStream,
    Entry,
    Line,
    Role,
    TlsEstablished,
    recorded_command,
    verbs,
)
from .recorder import Transcript, check_role

__all__ = ["REPLAY_LIMITS", "Replay", "replay"]

EventT = TypeVar("EventT")
Run: TypeAlias = list[tuple[int, Entry]]
"""Entries with their numbers, from 1: adjacent lines of one side, or a single other entry."""

_MIB = 1024 * 1024
# A recorded line can have any length.
_NO_LIMIT = 2**63
REPLAY_LIMITS = Limits(command_line=_MIB, auth_line=_MIB)
"""The limits of a replay: the recorded server may have taken longer lines than this package's."""


class Replay(ABC, Generic[EventT]):
    """An iterator of the events of a recorded session, with the state that they led to.

    Iterating raises ``TranscriptError`` where the recorded conversation does not fit, and the
    engine's errors for the peer's octets. See ``pop3proto.transcript.replay()``.
    """

    _peer: Role
    # Each subclass knows which of the two recorded engines it uses.
    _engine: Any

    def __init__(
        self, entries: Sequence[Entry], chunk_size: int | None, multiline: Collection[str]
    ) -> None:
        self._chunk_size = chunk_size
        self._multiline = verbs(multiline)
        self._runs = _runs(entries)
        # The entry that is being replayed, and the first line that the client sends after its run.
        self._number = 0
        self._following: bytes | None = None
        self._closed = False
        self._events = self._walk()

    @property
    def state(self) -> State:
        """The state of the session, as far as events have been returned."""
        state: State = self._engine.state
        return state

    def __iter__(self) -> Iterator[EventT]:
        return self

    def __next__(self) -> EventT:
        return next(self._events)

    def _walk(self) -> Iterator[EventT]:
        for run, following in zip(self._runs, _following_lines(self._runs), strict=True):
            self._following = following
            try:
                yield from self._step(run)
            except LocalProtocolError as error:
                raise self._unfit(error) from error

    def _step(self, run: Run) -> Iterator[EventT]:
        self._number, entry = run[0]
        if isinstance(entry, TlsEstablished):
            if self._number > 1:
                self._tls_established()
        elif isinstance(entry, EndOfStream):
            if entry.who == self._peer:
                yield from self._fed(b"")
        elif entry.who == self._peer:
            data = _octets(run)
            size = self._chunk_size or len(data)
            for start in range(0, len(data), size):
                yield from self._fed(data[start : start + size])
        else:
            for line in run:
                self._number = line[0]
                yield from self._own(_octets([line]))

    def _unfit(self, error: Pop3Error) -> TranscriptError:
        what = str(error.args[0])
        return TranscriptError(f"entry {self._number}: {what}", command=error.command)

    @abstractmethod
    def _fed(self, data: bytes) -> Iterator[EventT]:
        """Yield the events of the peer's next octets; ``b""`` is the end of its stream."""

    @abstractmethod
    def _own(self, data: bytes) -> Iterator[EventT]:
        """Yield the events that this side's next line led to."""

    def _tls_established(self) -> None:
        self._engine.tls_established()


class _ClientReplay(Replay[ClientEvent]):
    """A recorded session as the client saw it."""

    _peer = "server"
    _engine: RecordedClient

    def __init__(
        self,
        entries: Sequence[Entry],
        chunk_size: int | None,
        multiline: Collection[str],
        engine: RecordedClient,
    ) -> None:
        super().__init__(entries, chunk_size, multiline)
        self._engine = engine
        self._lines = ReceiveBuffer()
        self._upload: BodyReader | None = None
        self._content: list[bytes] = []
        # True from when QUIT was sent, and from when it was answered.
        self._quitting = self._over = False
        self._events = _joined(self._events)

    def _fed(self, data: bytes) -> Iterator[ClientEvent]:
        start = 0
        while not (self._over and data):
            # The client did not wait for the greeting. Its commands are sent right after the
            # greeting, so the octets before them are fed line by line. So is what may hold the
            # answer to QUIT, after which a client closes and reads nothing.
            hasty = self._engine.state is State.GREETING and self._lines.data != b""
            end = ((hasty or self._quitting) and data.find(b"\n", start) + 1) or len(data)
            self._engine.receive_data(data[start:end])
            yield from self._drained()
            self._send_lines()
            start = end
            if start == len(data):
                return

    def _drained(self) -> Iterator[ClientEvent]:
        while not self._closed and not isinstance(event := self._engine.next_event(), Signal):
            self._closed = isinstance(event, ConnectionClosed)
            if isinstance(event, Ok | ErrorReply):
                self._over = isinstance(event.command, Quit)
            if isinstance(event, Ok) and offers_text(event.command):
                self._upload = BodyReader(self._lines).begin()
            yield event

    def _own(self, data: bytes) -> Iterator[ClientEvent]:
        self._lines.feed(data)
        self._send_lines()
        yield from ()

    def _send_lines(self) -> None:
        if self._engine.state is State.GREETING:
            return
        while (command := self._next_command()) is not None:
            self._engine.send_recorded(command, self._following)
            self._quitting = isinstance(command, Quit)

    def _next_command(self) -> Command[Any] | None:
        if self._upload is not None:
            return self._next_upload(self._upload)
        line = self._lines.next_line(_NO_LIMIT, "")
        return None if line is None else self._engine.command_for(line, self._multiline)

    def _next_upload(self, upload: BodyReader) -> Upload | None:
        self._content.append(upload.read())
        if not upload.complete:
            return None
        self._upload = None
        content = b"".join(self._content)
        self._content.clear()
        return Upload(content)


class _ServerReplay(Replay[ServerEvent]):
    """A recorded session as the server saw it."""

    _peer = "client"
    _engine: RecordedServer

    def __init__(
        self,
        entries: Sequence[Entry],
        chunk_size: int | None,
        multiline: Collection[str],
        engine: RecordedServer,
    ) -> None:
        super().__init__(entries, chunk_size, multiline)
        self._engine = engine
        # True from QUIT on: after its answer, a server closes and reads nothing.
        self._over = False
        # It reads the recorded answers, one at a time.
        self._reader = RecordedClient(secure=_begins_secure(entries), leniency=Leniency())

    def _tls_established(self) -> None:
        super()._tls_established()
        self._reader.tls_established()

    def _fed(self, data: bytes) -> Iterator[ServerEvent]:
        # Line by line, because nothing after QUIT is read. The end of the stream is.
        for piece in data.splitlines(keepends=True) if b"\n" in data else [data]:
            if not (self._over and piece):
                self._engine.receive_data(piece)
                yield from self._drained()

    def _drained(self) -> Iterator[ServerEvent]:
        while not self._closed and not isinstance(event := self._engine.next_event(), Signal):
            self._closed = isinstance(event, ConnectionClosed)
            self._over = self._over or isinstance(event, Quit)
            yield event
            if isinstance(event, InvalidCommand):
                command = self._reader.command_for(event.line, self._multiline)
                self._engine.take_as(command)
            elif isinstance(event, Extension):
                command = recorded_command(line_of(event), self._multiline)
            elif isinstance(event, Command):
                command = event
            else:
                continue
            self._reader.send_recorded(command, self._following)

    def _own(self, data: bytes) -> Iterator[ServerEvent]:
        replies: list[ClientEvent] = []
        self._reader.receive_data(data)
        try:
            while not isinstance(reply := self._reader.next_event(), Signal):
                replies.append(reply)
        except (RemoteProtocolError, ConnectionLostError) as error:
            raise self._unfit(error) from error
        for reply in replies:
            if self._engine.answer(reply):
                yield from self._drained()


@overload
def replay(
    transcript: Transcript,
    role: Literal["client"],
    *,
    chunk_size: int | None = None,
    multiline: Collection[str] = (),
    limits: Limits = REPLAY_LIMITS,
    leniency: Leniency = Leniency(),
) -> Replay[ClientEvent]: ...
@overload
def replay(
    transcript: Transcript,
    role: Literal["server"],
    *,
    chunk_size: int | None = None,
    multiline: Collection[str] = (),
    limits: Limits = REPLAY_LIMITS,
    leniency: Leniency = Leniency(),
) -> Replay[ServerEvent]: ...
def replay(
    transcript: Transcript,
    role: Role,
    *,
    chunk_size: int | None = None,
    multiline: Collection[str] = (),
    limits: Limits = REPLAY_LIMITS,
    leniency: Leniency = Leniency(),
) -> Replay[ClientEvent] | Replay[ServerEvent]:
    """Put a session through the engine of ``role`` again, and return an iterator of its events.

    The engine is fed with the octets of its peer: ``chunk_size`` at a time, or by default all
    octets that came without an answer in between. The events are the same at every size, because
    the ``MessageData`` events of a text are joined into one. The one exception is STLS if octets in
    the clear came in one chunk with its answer: then ``StlsInjectionError`` is raised, and its
    ``Ok`` is missing. ``limits`` and ``leniency`` are the engine's. ``multiline`` names the
    extensions that are answered by a dot-terminated text.

    Iterating raises what the engine raises (``RemoteProtocolError``, ``StlsInjectionError``,
    ``LimitError``, ``ConnectionLostError``) and ``TranscriptError``, with the number of the entry,
    where the conversation does not fit: an answer to nothing, or a command that may not be sent
    after another one. A command that was sent in a state in which it is not legal, for instance to
    probe a server, is replayed. Raises ``LocalProtocolError`` for a wrong argument.
    """
    require("transcript", transcript, Transcript, "a Transcript")
    check_role("role", role)
    if chunk_size is not None:
        require_count("chunk_size", chunk_size)
    secure = _begins_secure(transcript)
    if role == "client":
        client = RecordedClient(secure=secure, limits=limits, leniency=leniency)
        return _ClientReplay(transcript, chunk_size, multiline, client)
    server = RecordedServer(secure=secure, limits=limits, leniency=leniency)
    return _ServerReplay(transcript, chunk_size, multiline, server)


def _begins_secure(entries: Sequence[Entry]) -> bool:
    return bool(entries) and isinstance(entries[0], TlsEstablished)


def _octets(run: Run) -> bytes:
    return b"".join(entry.data for _, entry in run if isinstance(entry, Line))


def _runs(entries: Sequence[Entry]) -> list[Run]:
    def side(numbered: tuple[int, Entry]) -> Role | int:
        number, entry = numbered
        return entry.who if isinstance(entry, Line) else number

    return [list(run) for _, run in groupby(enumerate(entries, 1), key=side)]


def _following_lines(runs: Sequence[Run]) -> list[bytes | None]:
    lines: list[bytes | None] = []
    following: bytes | None = None
    for run in reversed(runs):
        lines.append(following)
        first = run[0][1]
        if isinstance(first, Line) and first.who == "client":
            following = first.data.rstrip(b"\r\n")
    return lines[::-1]


def _joined(events: Iterator[ClientEvent]) -> Iterator[ClientEvent]:
    """Yield ``events`` with each text in one piece, so that chunks make no difference."""
    pieces: list[bytes] = []

    def text() -> Iterator[MessageData]:
        if pieces:
            yield MessageData(b"".join(pieces))
            pieces.clear()

    try:
        for event in events:
            if isinstance(event, MessageData):
                pieces.append(event.data)
            else:
                yield from text()
                yield event
    except Pop3Error:
        yield from text()
        raise
    yield from text()
