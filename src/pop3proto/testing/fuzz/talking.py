"""Engines fed with octets at any chunking, pulled soon or late, and what comes out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, TypeAlias

from ..._value import replace
from ...engine.client import ClientConnection
from ...engine.server import ServerConnection
from ...errors import (
    ConnectionLostError,
    LocalProtocolError,
    Pop3Error,
    RemoteProtocolError,
    StlsInjectionError,
)
from ...model.capabilities import Capabilities
from ...model.command import Command
from ...model.commands import Extension, Stls
from ...model.events import ConnectionClosed, InvalidCommand
from ...model.leniency import Deviation, Fault
from ...model.listings import Listings
from ...model.login_commands import Auth, AuthCancel, AuthResponse, Pass, User
from ...model.replies import (
    CapaReply,
    Challenge,
    ErrorReply,
    Greeting,
    LangReply,
    LastReply,
    ListReply,
    MechanismsReply,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Ok,
    StatReply,
    UidlReply,
)
from ...model.states import Signal, State
from ...transcript.recorded import TlsEstablished

TIMESTAMP = "<1.2@example.org>"
Connection: TypeAlias = ClientConnection | ServerConnection
Cut: TypeAlias = Callable[[bytes], list[bytes]]
"""A function that cuts octets into chunks."""
Step: TypeAlias = bytes | Command[Any] | TlsEstablished
"""The peer's octets arrive, this side sends a command, or TLS is established."""
REFUSE, FURTHER = 1, 2
"""Answers that a server's engine can be made to give: a refusal, or the positive answer after which
more follows: a challenge, TLS, an upload."""


def client(
    *commands: Command[Any],
    state: State = State.TRANSACTION,
    engine: Callable[..., ClientConnection] = ClientConnection,
    **options: Any,
) -> ClientConnection:
    """Return a client's engine in ``state`` with ``commands`` in flight."""
    connection = engine(**options)
    if state is State.GREETING:
        return connection
    connection.receive_data(Greeting(f"ready {TIMESTAMP}").to_bytes())
    connection.next_event()
    if state is State.TRANSACTION:
        connection.send(User("user"))
        connection.send(Pass("secret"))
        connection.receive_data(b"+OK\r\n+OK\r\n")
        connection.next_event()
        connection.next_event()
    for command in commands:
        connection.send(command)
    return connection


def greeted_server(
    engine: Callable[..., ServerConnection] = ServerConnection, **options: Any
) -> ServerConnection:
    """Return a server's engine that has sent its greeting."""
    server = engine(**options)
    server.send(Greeting("ready"))
    return server


def drained(connection: ClientConnection | ServerConnection) -> Iterator[Any]:
    """Yield the events that are there now, up to the first ``ConnectionClosed``."""
    while not isinstance(event := connection.next_event(), Signal):
        yield event
        if isinstance(event, ConnectionClosed):
            return


def joined(events: Iterable[Any]) -> list[Any]:
    """Return the events with neighbouring pieces of a message put together."""
    result: list[Any] = []
    for event in events:
        if isinstance(event, MessageData) and result and isinstance(result[-1], MessageData):
            result[-1] = MessageData(result[-1].data + event.data)
        else:
            result.append(event)
    return result


class Answers:
    """Answers commands positively where that is legal, and refuses them elsewhere.

    ``choices`` has another answer for each command in turn, where it is not 0.
    """

    def __init__(self, server: ServerConnection, choices: Iterable[int] = ()) -> None:
        self.server = server
        self.auth: Auth | None = None
        self.uploading: bool = False
        """True if the server reads a text next, and not a line."""
        self._choices = iter(choices)

    def answer(self, event: Any) -> None:
        """Answer ``event``, if it is a command or a line that is none."""
        if isinstance(event, Deviation | ConnectionClosed):
            return
        if isinstance(event, Auth):
            self.auth = event
        self.uploading = False
        server, choice = self.server, next(self._choices, 0)
        within = self.auth if server.state is State.AUTHENTICATING else None
        if isinstance(event, InvalidCommand):
            server.send(ErrorReply(within, "no command"))
        elif choice == REFUSE or not self._possible(event, choice):
            server.send(ErrorReply(within or event, "no"))
        elif choice == FURTHER and isinstance(event, Auth | AuthResponse):
            server.send(Challenge(within or event, b"more"))
        else:
            for reply in positive(event, within):
                server.send(reply)
            if choice == FURTHER and isinstance(event, Extension):
                with suppress(LocalProtocolError):
                    # Not before the login.
                    server.expect_upload()
                    self.uploading = True

    def _possible(self, command: Command[Any], choice: int) -> bool:
        if isinstance(command, Stls) and (choice != FURTHER or self.server.secure):
            return False
        legal = self.server.state in command.legal_states
        return legal and not isinstance(command, AuthCancel)


def fed(connection: Connection, chunks: Iterable[bytes], *, pulls: int | None = None) -> list[Any]:
    """Return all events of ``chunks`` and the end of the stream, and the error that ended them.

    After each chunk ``pulls`` events are taken, by default all that are there; the rest at the
    end. A server's engine answers whatever it is asked.
    """
    events: list[Any] = []
    try:
        for event in _events(connection, chunks, whole, pulls, ahead=False, choices=()):
            events.append(event)
    except Pop3Error as error:
        events.append((type(error), error.command, str(error)))
    return joined(events)


def whole(data: bytes) -> list[bytes]:
    """Return ``data`` in one chunk."""
    return [data]


def lines(data: bytes) -> list[bytes]:
    """Return ``data`` in chunks of one line, as segments often come."""
    return data.splitlines(keepends=True)


def by(size: int) -> Cut:
    """Return a function that makes chunks of ``size`` octets."""
    return lambda data: [data[i : i + size] for i in range(0, len(data), size)]


def talked(
    connection: Connection,
    steps: Iterable[Step],
    *,
    cut: Cut = whole,
    pulls: int | None = None,
    ahead: bool = False,
    choices: Iterable[int] = (),
) -> list[Any]:
    """Return the events of a session, the documented error that ended it, and its last state.

    Octets are fed in the chunks that ``cut`` makes of them. After each chunk ``pulls`` events are
    taken, by default all. Commands are sent when those before are answered as far as can be, and
    no further event is taken then; with ``ahead`` they are sent without looking. What is not
    possible is left out. ``choices`` are those of ``Answers``.
    """
    events: list[Any] = []
    try:
        for event in _events(connection, steps, cut, pulls, ahead=ahead, choices=choices):
            events.append(event)
    except (RemoteProtocolError, ConnectionLostError) as error:
        events.append((type(error), error.args[0]))
    outcome: list[Any] = [connection.state, connection.secure, connection.utf8]
    if isinstance(connection, ClientConnection):
        outcome += [connection.pending_deletions, connection.capabilities, connection.timestamp]
    return [*joined(events), outcome]


def _events(
    connection: Connection,
    steps: Iterable[Step],
    cut: Cut,
    pulls: int | None,
    *,
    ahead: bool,
    choices: Iterable[int],
) -> Iterator[Any]:
    answers = Answers(connection, choices) if isinstance(connection, ServerConnection) else None

    def pulled(most: int | None = None) -> Iterator[Any]:
        for event in islice(drained(connection), most):
            yield event
            if answers is not None:
                answers.answer(event)

    for step in steps:
        if isinstance(step, bytes):
            for chunk in cut(step):
                connection.receive_data(chunk)
                yield from pulled(pulls)
            continue
        # STLS is not sent after octets that were not read.
        if isinstance(step, Stls | TlsEstablished) or not isinstance(connection, ClientConnection):
            yield from pulled()
        elif not ahead:
            yield from _answers_of(connection)
        with suppress(LocalProtocolError):
            if isinstance(step, TlsEstablished):
                connection.tls_established()
            elif isinstance(connection, ClientConnection):
                connection.send(step)
    connection.receive_data(b"")
    yield from pulled()


def _answers_of(connection: ClientConnection) -> Iterator[Any]:
    """Yield the events until nothing is in flight; octets after them are left where they are."""
    while connection.in_flight or connection.state is State.GREETING:
        event = connection.next_event()
        if isinstance(event, Signal):
            return
        yield event


_STRAYS = ("answers no command", "a line is longer than", "too many blank lines")


def without_chance(events: Iterable[Any]) -> list[Any]:
    """Return the events less what depends on the moment at which octets are looked at.

    An error for octets that answer nothing names the command that was sent last, if there was one
    by then. Octets after STLS are noticed before its answer is returned, if they came with it.
    Blank lines before a line that may not come are skipped when a command finds it.
    """
    result: list[Any] = []
    for event in events:
        last = result[-1] if result else None
        injected = isinstance(event, tuple) and event[0] is StlsInjectionError
        if injected and isinstance(last, Ok) and isinstance(last.command, Stls):
            result.pop()
        stray = isinstance(event, tuple) and any(words in event[1] for words in _STRAYS)
        while stray and result and isinstance(result[-1], Deviation):
            if result[-1].fault is not Fault.BLANK_LINE:
                break
            result.pop()
        forgiven = isinstance(event, Deviation)
        result.append(replace(event, command=None) if forgiven else event)
    return result


def positive(command: Command[Any], auth: Auth | None = None) -> list[Any]:
    """Return a positive answer to any command; ``auth`` opened the exchange that it belongs to."""
    answered = auth or command
    if isinstance(command, Auth) and command.initial_response is None:
        return [Challenge(answered, b"go on")]
    if isinstance(command, Auth | AuthResponse):
        return [Ok(answered)]
    asked = getattr(command, "message", None)
    number = asked if isinstance(asked, int) else 1
    scan = [(1, 120), (2, 200)] if command.multiline else [(number, 120)]
    by_answer: dict[type[Any], list[Any]] = {
        StatReply: [StatReply(command, 2, 320)],
        ListReply: [ListReply(command, Listings(scan))],
        UidlReply: [UidlReply(command, Listings([(number, None, b"a")]))],
        LastReply: [LastReply(command, 1)],
        CapaReply: [CapaReply(command, Capabilities.of("TOP", "SASL PLAIN"))],
        LangReply: [LangReply(command)],
        MechanismsReply: [MechanismsReply(command, ("PLAIN",))],
        Message: [
            MessageStart(command),
            MessageData(b".\r\n..\r\ntext\r\n"),
            MessageEnd(command),
        ],
    }
    return by_answer.get(command.answer, [Ok(command)])


octets: Cut = by(1)
"""Chunks of one octet."""


def splits(data: bytes) -> Iterator[list[bytes]]:
    """Yield every way to cut ``data`` in two, and all of it in single octets."""
    yield octets(data)
    for i in range(1, len(data)):
        yield [data[:i], data[i:]]
