"""Engines in the middle of a session, and what comes out of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pop3proto import (
    ClientConnection,
    Command,
    ConnectionClosed,
    Greeting,
    Pass,
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
