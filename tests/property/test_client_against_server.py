"""A client's and a server's engine talk to each other, and see the same session."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pop3proto import (
    Apop,
    Auth,
    AuthCancel,
    AuthList,
    AuthResponse,
    ClientConnection,
    Command,
    ConnectionClosed,
    ConnectionLostError,
    Dele,
    ErrorReply,
    Extension,
    Greeting,
    LocalProtocolError,
    MessageData,
    Ok,
    Pass,
    Quit,
    Rset,
    ServerConnection,
    Signal,
    State,
    Stls,
    Upload,
    User,
    Utf8,
)
from pop3proto.testing.strategies import bodies, commands, greetings, replies
from tests.property.effort import effort
from tests.property.engines import drained, joined, positive

LOGIN: list[Command[Any]] = [User("user"), Pass("secret"), Apop("user", "0" * 32), AuthList()]
EXCHANGE: list[Command[Any]] = [AuthResponse(b""), AuthResponse(b"z"), AuthCancel()]
AUTH = st.sampled_from([Auth("PLAIN"), Auth("X", b"y"), *EXCHANGE])
MOVING = AUTH | st.sampled_from([*LOGIN, Stls(), Utf8(), Quit()])
SIZES = st.integers(0, 50) | st.integers(0, 5000)


class Session(RuleBasedStateMachine):
    """Octets pass through two pipes, in chunks of any size."""

    steps: ClassVar[int] = 0
    """How many steps were made, in all sessions."""

    def __init__(self) -> None:
        super().__init__()
        self.client = ClientConnection()
        self.server = ServerConnection()
        self.to_server = bytearray()
        self.to_client = bytearray()
        self.asked: deque[Command[Any]] = deque()
        self.answered: list[Any] = []
        self.seen: list[Any] = []
        self.auth: Auth | None = None
        self.uploading = False

    @initialize(greeting=greetings(), log_in=st.booleans())
    def greet(self, greeting: Greeting, log_in: bool) -> None:
        self.say(greeting)
        self.client_turn(len(self.to_client), 1)
        if log_in:
            self.ask(Pass("secret"))
            self.carry_to_server(len(self.to_server))
            assert self.hear() == Pass("secret")
            self.say(Ok(Pass("secret"), "welcome"))
            self.client_turn(len(self.to_client), 1)
            assert self.client.state is State.TRANSACTION

    def say(self, reply: Any) -> None:
        self.to_client += self.server.send(reply)
        self.answered.append(reply)

    def ask(self, command: Command[Any]) -> None:
        before = self.client.in_flight, self.client.state
        try:
            octets = self.client.send(command)
        except LocalProtocolError:
            # Not legal now, or behind a barrier: then nothing has changed.
            assert (self.client.in_flight, self.client.state) == before
            return
        self.to_server += octets
        self.asked.append(command)

    # One rule for both sides: Hypothesis leaves whole rules out of a run, and then nothing is said.
    @rule(to_server=SIZES, answers=st.integers(0, 3), to_client=SIZES, data=st.data())
    def turn(self, to_server: int, answers: int, to_client: int, data: st.DataObject) -> None:
        Session.steps += 1
        if not self.uploading:
            for command in data.draw(st.lists(self.likely_commands(), max_size=3)):
                self.ask(command)
        elif not self.client.in_flight:
            self.ask(Upload(data.draw(bodies())))
            self.uploading = False
        self.server_turn(to_server, answers, data)
        self.client_turn(to_client, data.draw(st.integers(0, 5)))

    def likely_commands(self) -> st.SearchStrategy[Command[Any]]:
        """Mostly what is legal now, and what is not as well."""
        if self.client.state is State.AUTHENTICATING:
            return AUTH
        in_transaction = self.client.state is State.TRANSACTION
        return commands() | st.just(Quit()) if in_transaction else MOVING

    def carry_to_server(self, size: int) -> None:
        if size and self.to_server:
            self.server.receive_data(self.to_server[:size])
            del self.to_server[:size]

    def client_turn(self, size: int, events: int) -> None:
        if size and self.to_client:
            self.client.receive_data(self.to_client[:size])
            del self.to_client[:size]
        for event in islice(drained(self.client), events):
            self.seen.append(event)

    def server_turn(self, size: int, answers: int, data: st.DataObject) -> None:
        self.carry_to_server(size)
        for _ in range(answers):
            if (command := self.hear()) is not None:
                self.serve(command, data)

    def serve(self, command: Command[Any], data: st.DataObject) -> None:
        answers = data.draw(replies(command, self.auth))
        if isinstance(answers[0], ErrorReply) or self.is_legal(command):
            for reply in answers:
                self.say(reply)
            self.expect_upload(command, answers[0], data)
            return
        # Sent ahead on the strength of a login that has failed.
        with pytest.raises(LocalProtocolError):
            self.say(answers[0])
        self.say(ErrorReply(self.auth or command, "not now"))

    def hear(self) -> Command[Any] | None:
        event = self.server.next_event()
        if isinstance(event, Signal):
            return None
        # Equal, but only the client knows the shape of the answer to an extension.
        command = self.asked.popleft()
        assert event == command
        assert self.server.awaiting_reply == command
        assert self.server.next_event() is Signal.PAUSED
        if not isinstance(command, AuthResponse | AuthCancel):
            self.auth = command if isinstance(command, Auth) else None
        return command

    def is_legal(self, command: Command[Any]) -> bool:
        return self.server.state in command.legal_states

    def expect_upload(self, command: Command[Any], reply: Any, data: st.DataObject) -> None:
        in_transaction = self.server.state is State.TRANSACTION
        asked_for = isinstance(command, Extension) and isinstance(reply, Ok) and in_transaction
        # What was sent ahead would be taken for the text.
        if asked_for and len(self.client.in_flight) == 1 and data.draw(st.booleans()):
            self.server.expect_upload()
            self.uploading = True

    @precondition(
        lambda self: (
            self.client.state is State.TLS_NEGOTIATION
            and self.server.state is State.TLS_NEGOTIATION
        )
    )
    @rule()
    def shake_hands(self) -> None:
        Session.steps += 1
        self.client.tls_established()
        self.server.tls_established()
        assert self.client.capabilities is None
        assert self.client.timestamp is None

    @invariant()
    def the_client_sees_what_the_server_says(self) -> None:
        seen = [event for event in joined(self.seen) if not isinstance(event, ConnectionClosed)]
        if seen and isinstance(seen[-1], MessageData):
            # A text on its way: so much of it has come.
            so_far = seen.pop().data
            expected = self.answered[len(seen)]
            assert isinstance(expected, MessageData)
            assert expected.data.startswith(so_far)
        assert seen == self.answered[: len(seen)]

    def teardown(self) -> None:
        """Carry and answer all that is left, and see that both agree in the end."""
        if not self.answered:
            return
        self.carry_to_server(len(self.to_server))
        while (command := self.hear()) is not None:
            refused = isinstance(command, AuthCancel) or not self.is_legal(command)
            refusal = [ErrorReply(self.auth or command, "no")]
            for reply in refusal if refused else positive(command, self.auth):
                self.say(reply)
        self.client_turn(len(self.to_client), sys.maxsize)
        assert joined(self.seen) == self.answered
        assert not self.asked
        assert self.client.in_flight == ()
        assert self.client.state is self.server.state
        assert self.client.secure is self.server.secure
        assert self.client.utf8 is self.server.utf8
        assert self.client.pending_deletions == self.marked_messages()
        self.hang_up()

    def marked_messages(self) -> int:
        """How many DELEs were granted since the last RSET."""
        granted = [reply.command for reply in self.answered if isinstance(reply, Ok)]
        marked = 0
        for command in granted:
            marked += isinstance(command, Dele)
            if isinstance(command, Rset | Quit):
                marked = 0
        return marked

    def hang_up(self) -> None:
        over = self.client.state in {State.UPDATE, State.CLOSED}
        idle = self.client.state in {State.AUTHORIZATION, State.TRANSACTION}
        # A client may leave without a word, but not within a text.
        idle = idle and not self.uploading
        for engine, may_close in ((self.client, over), (self.server, over or idle)):
            engine.receive_data(b"")
            if may_close:
                assert engine.next_event() == ConnectionClosed()
                assert engine.state is State.CLOSED
            else:
                with pytest.raises(ConnectionLostError):
                    engine.next_event()
                assert engine.state is State.DEAD


TestSession = Session.TestCase
TestSession.settings = effort(150, stateful_step_count=30)


@pytest.fixture(scope="module", autouse=True)
def _how_far_it_got() -> Iterator[None]:
    """``pytest -rP`` shows how many steps the model has made."""
    yield
    print(f"{Session.steps:,} steps")
