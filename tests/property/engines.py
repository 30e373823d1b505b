"""Engines fed with octets at any chunking, and what comes out of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

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
    Deviation,
    ErrorReply,
    Greeting,
    InvalidCommand,
    LanguagesReply,
    LastReply,
    ListOneReply,
    ListReply,
    MechanismsReply,
    MessageData,
    MessageEnd,
    MessageStart,
    Ok,
    Pass,
    Pop3Error,
    ReplyShape,
    ScanListing,
    ScanListings,
    ServerConnection,
    Signal,
    State,
    StatReply,
    UidlOneReply,
    UidlReply,
    UniqueIdListing,
    UniqueIdListings,
    User,
)

USER, PASS = User("user"), Pass("secret")


def joined(events: Iterable[Any]) -> list[Any]:
    """The events with neighbouring pieces of a message put together."""
    result: list[Any] = []
    for event in events:
        if isinstance(event, MessageData) and result and isinstance(result[-1], MessageData):
            result[-1] = MessageData(result[-1].data + event.data)
        else:
            result.append(event)
    return result


def client(*commands: Command[Any], state: State = State.TRANSACTION) -> ClientConnection:
    """A client's engine in ``state`` with ``commands`` in flight."""
    connection = ClientConnection()
    if state is State.GREETING:
        return connection
    connection.receive_data(Greeting("ready <1.2@example.org>").to_bytes())
    connection.next_event()
    if state is State.TRANSACTION:
        connection.send(USER)
        connection.send(PASS)
        connection.receive_data(b"+OK\r\n+OK\r\n")
        connection.next_event()
        connection.next_event()
    for command in commands:
        connection.send(command)
    return connection


def fed(connection: ClientConnection | ServerConnection, chunks: Iterable[bytes]) -> list[Any]:
    """All events of ``chunks`` and of the end of the stream, and the error that ended them.

    A server's engine answers whatever it is asked.
    """
    events: list[Any] = []
    try:
        for chunk in [*chunks, b""]:
            connection.receive_data(chunk)
            while not isinstance(event := connection.next_event(), Signal):
                events.append(event)
                if isinstance(event, ConnectionClosed):
                    return joined(events)
                if isinstance(connection, ServerConnection):
                    answer(connection, event)
    except Pop3Error as error:
        events.append((type(error), error.command, str(error)))
    return joined(events)


def answer(server: ServerConnection, event: Any) -> None:
    """Answer a command positively where that is legal, and refuse it elsewhere."""
    if isinstance(event, Deviation):
        return
    if isinstance(event, InvalidCommand):
        server.send(ErrorReply(auth_of(server), event.reason))
        return
    legal = server.state in event.legal_states and event.verb != "STLS"
    if not legal or isinstance(event, AuthCancel):
        server.send(ErrorReply(auth_of(server) or event, "no"))
        return
    for reply in positive(auth_of(server) or event, event):
        server.send(reply)


def auth_of(server: ServerConnection) -> Auth | None:
    """The AUTH whose exchange is going on."""
    return server._auth


def positive(command: Command[Any], event: Command[Any]) -> list[Any]:
    """A positive answer to any command."""
    if isinstance(event, Auth) and event.initial_response is None:
        return [Challenge(command, b"go on")]
    if isinstance(event, AuthResponse):
        return [Ok(command)]
    by_shape: dict[ReplyShape, list[Any]] = {
        ReplyShape.DROP_LISTING: [StatReply(command, 2, 320)],
        ReplyShape.SCAN_LISTING: [ListOneReply(command, ScanListing(1, 120))],
        ReplyShape.UNIQUE_ID_LISTING: [UidlOneReply(command, UniqueIdListing(1, b"a"))],
        ReplyShape.LAST_MESSAGE: [LastReply(command, 1)],
        ReplyShape.SCAN_LISTINGS: [ListReply(command, ScanListings([(1, 120), (2, 200)]))],
        ReplyShape.UNIQUE_ID_LISTINGS: [UidlReply(command, UniqueIdListings([(1, b"a")]))],
        ReplyShape.CAPABILITIES: [CapaReply(command, Capabilities.of("TOP", "SASL PLAIN"))],
        ReplyShape.LANGUAGES: [LanguagesReply(command, ())],
        ReplyShape.MECHANISMS: [MechanismsReply(command, ("PLAIN",))],
        ReplyShape.MESSAGE: [
            MessageStart(command),
            MessageData(b".\r\n..\r\ntext\r\n"),
            MessageEnd(command),
        ],
    }
    return by_shape.get(command.shape, [Ok(command)])


def splits(data: bytes) -> Iterable[list[bytes]]:
    """Every way to cut ``data`` in two, and all of it in single octets."""
    yield [data[i : i + 1] for i in range(len(data))]
    for i in range(1, len(data)):
        yield [data[:i], data[i:]]
