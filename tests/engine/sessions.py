"""Engines in the middle of a session, and what comes out of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pop3proto import (
    ClientConnection,
    Command,
    ConnectionClosed,
    ConnectionLostError,
    Greeting,
    LocalProtocolError,
    Pass,
    RemoteProtocolError,
    ServerConnection,
    Signal,
    State,
    User,
)

TIMESTAMP = "<1.2@example.org>"


def client(
    *commands: Command[Any], state: State = State.TRANSACTION, **options: Any
) -> ClientConnection:
    """A client's engine in ``state`` with ``commands`` in flight."""
    connection = ClientConnection(**options)
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


def greeted_server(**options: Any) -> ServerConnection:
    """A server's engine that has sent its greeting."""
    server = ServerConnection(**options)
    server.send(Greeting("ready"))
    return server


def drained(connection: ClientConnection | ServerConnection) -> Iterator[Any]:
    """The events that are there now, the first ``ConnectionClosed`` being the last of them."""
    while not isinstance(event := connection.next_event(), Signal):
        yield event
        if isinstance(event, ConnectionClosed):
            return


def events(connection: ClientConnection | ServerConnection, *chunks: bytes) -> list[Any]:
    """The events of ``chunks``, all of them pulled after each."""
    found: list[Any] = []
    for chunk in chunks:
        connection.receive_data(chunk)
        found += drained(connection)
    return found


def error_of(connection: ClientConnection, *chunks: bytes) -> Any:
    """The error that ``chunks`` end in, behind the events before it."""
    with pytest.raises((RemoteProtocolError, ConnectionLostError)) as caught:
        events(connection, *chunks)
    assert connection.state is State.DEAD
    return caught.value


def refused(connection: ClientConnection, command: Command[Any], match: str | None = None) -> None:
    """Check that ``command`` cannot be sent, and that nothing has changed after the attempt."""
    before = repr(connection), connection.in_flight, connection.pending_deletions
    with pytest.raises(LocalProtocolError, match=match) as caught:
        connection.send(command)
    assert caught.value.command == command
    assert (repr(connection), connection.in_flight, connection.pending_deletions) == before
