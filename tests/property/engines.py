"""Engines fed with octets at any chunking, pulled soon or late, and what comes out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, TypeAlias

from pop3proto import (
    Auth,
    AuthCancel,
    AuthResponse,
    Capabilities,
    CapaReply,
    Challenge,
    ClientConnection,
    Command,
    ConnectionClosed,
    ConnectionLostError,
    Deviation,
    ErrorReply,
    Extension,
    Fault,
    InvalidCommand,
    LangReply,
    LastReply,
    Listings,
    ListReply,
    LocalProtocolError,
    MechanismsReply,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Ok,
    Pop3Error,
    RemoteProtocolError,
    ServerConnection,
    Signal,
    State,
    StatReply,
    Stls,
    UidlReply,
)
from pop3proto._value import replace
from pop3proto.errors import StlsInjectionError
from pop3proto.transcript import TlsEstablished
from tests.engine.sessions import client, drained, greeted_server

__all__ = [
    "FURTHER",
    "REFUSE",
    "Cut",
    "Step",
    "by",
    "client",
    "drained",
    "fed",
    "greeted_server",
    "joined",
    "lines",
    "octets",
    "positive",
    "splits",
    "talked",
    "whole",
    "without_chance",
]

Connection: TypeAlias = ClientConnection | ServerConnection
Cut: TypeAlias = Callable[[bytes], list[bytes]]
"""What cuts octets into chunks."""
Step: TypeAlias = bytes | Command[Any] | TlsEstablished
"""The peer's octets arrive, this side sends a command, or TLS is established."""
REFUSE, FURTHER = 1, 2
"""What a server's engine is made to answer: not as it would, but no; or the positive answer by
which more follows: a challenge, TLS, an upload."""


def joined(events: Iterable[Any]) -> list[Any]:
    """The events with neighbouring pieces of a message put together."""
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
        self._choices = iter(choices)

    def answer(self, event: Any) -> None:
        if isinstance(event, Deviation | ConnectionClosed):
            return
        if isinstance(event, Auth):
            self.auth = event
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

    def _possible(self, command: Command[Any], choice: int) -> bool:
        if isinstance(command, Stls) and (choice != FURTHER or self.server.secure):
            return False
        legal = self.server.state in command.legal_states
        return legal and not isinstance(command, AuthCancel)


def fed(connection: Connection, chunks: Iterable[bytes], *, pulls: int | None = None) -> list[Any]:
    """All events of ``chunks`` and of the end of the stream, and the error that ended them.

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
    """``data`` in one chunk."""
    return [data]


def lines(data: bytes) -> list[bytes]:
    """``data`` in chunks of one line, as segments often come."""
    return data.splitlines(keepends=True)


def by(size: int) -> Cut:
    """What makes chunks of ``size`` octets."""
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
    """All events of a session, the documented error that ended it, and where it stands then.

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
        # STLS is not sent behind octets that were not read.
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
    """The events until nothing is in flight; what comes behind them is left where it is."""
    while connection.in_flight or connection.state is State.GREETING:
        event = connection.next_event()
        if isinstance(event, Signal):
            return
        yield event


_STRAYS = ("answers no command", "a line is longer than", "too many blank lines")


def without_chance(events: Iterable[Any]) -> list[Any]:
    """The events less what depends on the moment at which octets are looked at.

    Those that answer nothing are laid to the command that was sent last, if there was one by
    then. Those behind STLS are noticed before its answer is returned, if they came with it. Blank
    lines before a line that may not come are passed over when a command finds it.
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
    """A positive answer to any command; ``auth`` is what opened the exchange it belongs to."""
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


octets = by(1)
"""Chunks of one octet."""


def splits(data: bytes) -> Iterator[list[bytes]]:
    """Every way to cut ``data`` in two, and all of it in single octets."""
    yield octets(data)
    for i in range(1, len(data)):
        yield [data[:i], data[i:]]
