"""Engines in the middle of a session, and what comes out of them."""

from __future__ import annotations

from typing import Any

import pytest

from pop3proto import (
    ClientConnection,
    Command,
    ConnectionLostError,
    LocalProtocolError,
    RemoteProtocolError,
    ServerConnection,
    State,
)
from pop3proto.testing.fuzz.talking import TIMESTAMP, client, drained, greeted_server

__all__ = ["TIMESTAMP", "client", "drained", "error_of", "events", "greeted_server", "refused"]


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
