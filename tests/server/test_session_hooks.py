"""What a session makes of the answers of its hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from pop3proto import (
    Auth,
    Capa,
    Dele,
    ErrorReply,
    MessageData,
    MessageEnd,
    MessageStart,
    Noop,
    Ok,
    Pass,
    Quit,
    ResponseCode,
    Retr,
    Stat,
    User,
)
from pop3proto._value import value
from pop3proto.server import (
    Action,
    Close,
    Delay,
    Hooks,
    MemoryMaildrops,
    NeedData,
    Send,
    ServerMechanism,
    ServerSession,
)
from tests.server.talking import CLEARTEXT, ONE, Talk, logged_in


@value
class Packet(Send):
    """An action of somebody's own."""


class Choosing(Hooks):
    """Answers what it is made with."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers

    def __getattribute__(self, name: str) -> Any:
        answers = object.__getattribute__(self, "_answers")
        return answers[name] if name in answers else object.__getattribute__(self, name)


def test_a_command_can_be_refused() -> None:
    def received(session: ServerSession, event: Any) -> ErrorReply | None:
        return ErrorReply(event, "no") if isinstance(event, Stat) else None

    talk = logged_in(hooks=Choosing(received=received))
    assert talk.ask(Stat()) == ErrorReply(Stat(), "no")
    assert talk.ask(Noop()) == Ok(Noop())
    # As often as somebody likes: it is no bad command.
    for _ in range(talk.session.options.max_bad_commands):
        talk.ask(Stat())
    assert isinstance(talk.ask(Noop()), Ok)


def test_a_command_can_end_the_session() -> None:
    def received(session: ServerSession, event: Any) -> Close | None:
        return Close() if isinstance(event, Noop) else None

    talk = logged_in(hooks=Choosing(received=received))
    assert talk.all(Noop()) == []
    assert talk.actions == [Close()]
    assert not talk.maildrops.in_use("user")


def test_octets_can_be_changed_or_end_the_session() -> None:
    changed = {b"NOPE\r\n": b"NOOP\r\n", b"BYE\r\n": None}
    talk = logged_in(hooks=Choosing(arrived=lambda _, data: changed.get(data, data)))
    assert talk.raw(b"NOPE\r\n") == b"+OK\r\n"
    assert talk.raw(b"BYE\r\n") == b""
    assert talk.actions == [Close()]


def test_a_login_can_be_refused() -> None:
    refusal = ErrorReply(Pass("secret"), "not today", ResponseCode.SYS_PERM)
    talk = Talk(hooks=Choosing(login=lambda *_: refusal))
    talk.ask(User("user"))
    assert talk.ask(Pass("secret")) == refusal
    assert talk.session.user is None
    assert not talk.maildrops.in_use("user")


def test_a_wrong_password_stays_wrong() -> None:
    refusal = ErrorReply(Pass("wrong"), "not today")
    talk = Talk(hooks=Choosing(login=lambda *_: refusal), options=CLEARTEXT)
    talk.ask(User("user"))
    assert talk.ask(Pass("wrong")).text == "the login failed"


def test_mechanisms_can_be_changed() -> None:
    def offered(
        session: ServerSession, mechanisms: Iterable[ServerMechanism]
    ) -> Iterable[ServerMechanism]:
        assert session.users.check("user", "secret")
        assert [mechanism.name for mechanism in mechanisms] == ["PLAIN"]
        return []

    talk = Talk(hooks=Choosing(offered=offered))
    assert talk.ask(Capa()).capabilities.sasl == ()
    assert isinstance(talk.ask(Auth("PLAIN", b"\0user\0secret")), ErrorReply)


def test_a_reply_can_be_sent_in_another_way() -> None:
    def sending(session: ServerSession, reply: Any, data: bytes) -> Iterable[Action]:
        if not isinstance(reply, Ok) or not isinstance(reply.command, Noop):
            return (Send(data),)
        return (Delay(3.0), Send(b"+OK chan"), Send(b"ged\r\n"))

    talk = logged_in(hooks=Choosing(sending=sending))
    assert talk.ask(Noop()) == Ok(Noop(), "changed")
    assert talk.actions == [Delay(3.0), NeedData()]


def test_a_reply_can_end_the_session() -> None:
    def sending(session: ServerSession, reply: Any, data: bytes) -> Iterable[Action]:
        last = isinstance(reply, Ok) and isinstance(reply.command, Dele)
        return (Send(data), Close()) if last else (Send(data),)

    talk = logged_in(hooks=Choosing(sending=sending))
    assert isinstance(talk.ask(Dele(1)), Ok)
    assert talk.actions == [Close()]
    assert not talk.maildrops.in_use("user")
    talk.session.receive_data(b"QUIT\r\n")
    assert talk.session.next_action() == Close()
    assert len(talk.maildrops.contents("user")) == 2


@pytest.mark.parametrize("size", [1, 65536])
def test_what_needs_no_cutting_is_sent_as_it_is(size: int) -> None:
    sent = Packet(b"x" * size)
    session = ServerSession(MemoryMaildrops(), {}, hooks=Choosing(sending=lambda *_: (sent,)))
    assert session.next_action() is sent


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 200_000])
def test_whatever_is_sent_is_sent_in_pieces(size: int) -> None:
    hooks = Choosing(sending=lambda *_: (Send(b"x" * size),))
    session = ServerSession(MemoryMaildrops(), {}, hooks=hooks)
    sent = []
    while isinstance(action := session.next_action(), Send):
        assert 0 < len(action.data) <= 65536
        sent.append(action.data)
    assert b"".join(sent) == b"x" * size


def test_a_message_can_be_changed() -> None:
    def sending(session: ServerSession, reply: Any, data: bytes) -> Iterable[Action]:
        match reply:
            case MessageStart():
                return (Send(data),)
            case MessageData():
                return ()
            case MessageEnd():
                return (Send(b"Another one.\r\n.\r\n"),)
            case _:
                return (Send(data),)

    talk = logged_in(hooks=Choosing(sending=sending))
    assert ONE not in talk.content(Retr(1))
    assert talk.content(Retr(1)) == b"Another one.\r\n"


def test_something_can_be_sent_before_waiting_and_before_the_end() -> None:
    queue: list[Action] = []

    def waiting(session: ServerSession) -> Iterable[Action]:
        found, queue[:] = tuple(queue), []
        return found

    talk = logged_in(hooks=Choosing(waiting=waiting))
    queue.append(Delay(1.0))
    talk.ask(Noop())
    assert talk.actions == [Delay(1.0), NeedData()]
    queue.append(Delay(2.0))
    talk.ask(Quit())
    assert talk.actions == [Delay(2.0), Close()]


def test_other_messages_can_be_deleted() -> None:
    talk = logged_in(hooks=Choosing(deleting=lambda _, numbers: numbers | {1}))
    talk.ask(Dele(2))
    talk.ask(Quit())
    assert talk.session.deleted == {1, 2}
    assert talk.maildrops.contents("user") == []
