"""A server's engine in the middle of a session."""

from typing import Any

import pytest

from pop3proto import (
    Auth,
    Challenge,
    Command,
    ErrorReply,
    Extension,
    InvalidCommand,
    LocalProtocolError,
    Ok,
    Pass,
    ServerConnection,
    Signal,
    State,
)
from tests.engine.sessions import greeted_server

PLAIN = Auth("PLAIN")
XMIT = Extension.single("XTND XMIT")


def server(state: State = State.TRANSACTION, **options: Any) -> ServerConnection:
    """A server's engine in ``state``."""
    connection = greeted_server(**options)
    if state is State.AUTHENTICATING:
        asked(connection, PLAIN)
        connection.send(Challenge(PLAIN))
    elif state is not State.AUTHORIZATION:
        asked(connection, Pass("secret"))
        connection.send(Ok(Pass("secret")))
    assert connection.state is state
    return connection


def asked(connection: ServerConnection, *commands: Command[Any]) -> None:
    """Receive ``commands``, and return the first of them."""
    connection.receive_data(b"".join(command.to_bytes() for command in commands))
    assert connection.next_event() == commands[0]
    assert connection.awaiting_reply == commands[0]


def refused(connection: ServerConnection, reply: Any, match: str | None = None) -> None:
    """Check that ``reply`` cannot be sent, and that nothing has changed after the attempt."""
    before = connection.state, connection.awaiting_reply
    with pytest.raises(LocalProtocolError, match=match):
        connection.send(reply)
    assert (connection.state, connection.awaiting_reply) == before


def invalid(connection: ServerConnection, line: bytes) -> InvalidCommand:
    """What ``line`` is taken for; it is answered."""
    connection.receive_data(line)
    event = connection.next_event()
    assert isinstance(event, InvalidCommand)
    assert connection.awaiting_reply is event
    assert connection.next_event() is Signal.PAUSED
    connection.send(ErrorReply(None, event.reason))
    return event


def uploading(**options: Any) -> ServerConnection:
    connection = server(**options)
    asked(connection, XMIT)
    connection.send(Ok(XMIT))
    connection.expect_upload()
    return connection
