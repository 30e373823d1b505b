"""Engines fed with octets at any chunking, and what comes out of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    Pop3Error,
    ReplyShape,
    ScanListing,
    ScanListings,
    ServerConnection,
    State,
    StatReply,
    Stls,
    UidlOneReply,
    UidlReply,
    UniqueIdListing,
    UniqueIdListings,
)
from tests.core.sessions import client, drained, greeted_server

__all__ = ["client", "drained", "fed", "greeted_server", "joined", "octets", "positive", "splits"]


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
    """Answers commands positively where that is legal, and refuses them elsewhere."""

    def __init__(self, server: ServerConnection) -> None:
        self.server = server
        self.auth: Auth | None = None

    def answer(self, event: Any) -> None:
        if isinstance(event, Deviation | ConnectionClosed):
            return
        if isinstance(event, Auth):
            self.auth = event
        within = self.auth if self.server.state is State.AUTHENTICATING else None
        if isinstance(event, InvalidCommand):
            self.server.send(ErrorReply(within, "no command"))
            return
        legal = self.server.state in event.legal_states
        if not legal or isinstance(event, AuthCancel | Stls):
            self.server.send(ErrorReply(within or event, "no"))
            return
        for reply in positive(event, within):
            self.server.send(reply)


def fed(connection: ClientConnection | ServerConnection, chunks: Iterable[bytes]) -> list[Any]:
    """All events of ``chunks`` and of the end of the stream, and the error that ended them.

    A server's engine answers whatever it is asked.
    """
    events: list[Any] = []
    answers = Answers(connection) if isinstance(connection, ServerConnection) else None
    try:
        for chunk in [*chunks, b""]:
            connection.receive_data(chunk)
            for event in drained(connection):
                events.append(event)
                if answers is not None:
                    answers.answer(event)
    except Pop3Error as error:
        events.append((type(error), error.command, str(error)))
    return joined(events)


def positive(command: Command[Any], auth: Auth | None = None) -> list[Any]:
    """A positive answer to any command; ``auth`` is what opened the exchange it belongs to."""
    answered = auth or command
    if isinstance(command, Auth) and command.initial_response is None:
        return [Challenge(answered, b"go on")]
    if isinstance(command, Auth | AuthResponse):
        return [Ok(answered)]
    asked = getattr(command, "message", None)
    number = asked if isinstance(asked, int) else 1
    by_shape: dict[ReplyShape, list[Any]] = {
        ReplyShape.DROP_LISTING: [StatReply(command, 2, 320)],
        ReplyShape.SCAN_LISTING: [ListOneReply(command, ScanListing(number, 120))],
        ReplyShape.UNIQUE_ID_LISTING: [UidlOneReply(command, UniqueIdListing(number, b"a"))],
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


def octets(data: bytes) -> list[bytes]:
    """``data`` in chunks of one octet."""
    return [data[i : i + 1] for i in range(len(data))]


def splits(data: bytes) -> Iterator[list[bytes]]:
    """Every way to cut ``data`` in two, and all of it in single octets."""
    yield octets(data)
    for i in range(1, len(data)):
        yield [data[:i], data[i:]]
