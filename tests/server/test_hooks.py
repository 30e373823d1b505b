"""What a session asks its hooks, and when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pop3proto import (
    Command,
    Dele,
    ErrorReply,
    InvalidCommand,
    Ok,
    Pass,
    Quit,
    Retr,
    ServerReply,
    User,
)
from pop3proto.sasl import apop_command
from pop3proto.server import (
    Action,
    Close,
    Hooks,
    ServerSession,
)
from tests.server.talking import Talk


class Noting(Hooks):
    """Notes what the session asks."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def arrived(self, session: ServerSession, data: bytes) -> bytes | None:
        self.asked.append(data)
        return super().arrived(session, data)

    def received(
        self, session: ServerSession, event: Command[Any] | InvalidCommand
    ) -> ErrorReply | Close | None:
        self.asked.append(event)
        return super().received(session, event)

    def login(
        self, session: ServerSession, command: Command[Any], user: str | None
    ) -> ErrorReply | None:
        self.asked.append((command, user))
        return super().login(session, command, user)

    def sending(self, session: ServerSession, reply: ServerReply, data: bytes) -> Iterable[Action]:
        self.asked.append(type(reply))
        return super().sending(session, reply, data)

    def waiting(self, session: ServerSession) -> Iterable[Action]:
        self.asked.append(session.state.value)
        return super().waiting(session)

    def deleting(self, session: ServerSession, numbers: frozenset[int]) -> frozenset[int]:
        self.asked.append(numbers)
        return super().deleting(session, numbers)


def test_what_is_asked_and_when() -> None:
    hooks = Noting()
    talk = Talk(hooks=hooks)
    assert talk.session.hooks is hooks
    talk.ask(User("user"))
    talk.ask(Pass("wrong"))
    talk.ask(User("user"))
    talk.ask(Pass("secret"))
    talk.content(Retr(1))
    talk.ask(Dele(2))
    asked = [each.__name__ if isinstance(each, type) else each for each in hooks.asked]
    wrong, right = Pass("wrong"), Pass("secret")
    assert asked == [
        *("Greeting", "authorization"),
        *(b"USER user\r\n", User("user"), "Ok", "authorization"),
        *(b"PASS wrong\r\n", wrong, (wrong, None), "ErrorReply", "authorization"),
        *(b"USER user\r\n", User("user"), "Ok", "authorization"),
        *(b"PASS secret\r\n", right, (right, "user"), "Ok", "transaction"),
        *(b"RETR 1\r\n", Retr(1), "MessageStart", "MessageData", "MessageEnd", "transaction"),
        *(b"DELE 2\r\n", Dele(2), "Ok", "transaction"),
    ]
    hooks.asked.clear()
    talk.ask(Quit())
    assert hooks.asked == [b"QUIT\r\n", Quit(), frozenset({2}), Ok, "update"]


def test_lines_that_are_no_commands_are_shown_too() -> None:
    hooks = Noting()
    talk = Talk(hooks=hooks)
    talk.raw(b"STAT 1\r\n")
    (event,) = [each for each in hooks.asked if isinstance(each, InvalidCommand)]
    assert event.line == b"STAT 1"


def test_the_end_of_the_stream_is_not_shown_as_data() -> None:
    hooks = Noting()
    talk = Talk(hooks=hooks)
    hooks.asked.clear()
    talk.session.receive_data(b"")
    talk.pump()
    assert hooks.asked == ["closed"]


def test_an_apop_login_is_shown_as_well() -> None:
    hooks = Noting()
    talk = Talk(hooks=hooks)
    assert talk.greeting.timestamp is not None
    command = apop_command("user", talk.greeting.timestamp, "secret")
    talk.ask(command)
    assert (command, "user") in hooks.asked
