"""A client's and a server's engine talk to each other, and see the same session."""

from __future__ import annotations

from collections import deque
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pop3proto import (
    Auth,
    AuthCancel,
    AuthResponse,
    Challenge,
    ClientConnection,
    Command,
    ConnectionClosed,
    ErrorReply,
    Greeting,
    LocalProtocolError,
    MessageData,
    Ok,
    Pass,
    Quit,
    ServerConnection,
    Signal,
    State,
    Stls,
    User,
    Utf8,
)
from pop3proto.testing.strategies import commands, greetings, replies_to
from tests.property.engines import joined


class Session(RuleBasedStateMachine):
    """Octets pass through two pipes, in chunks of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.client = ClientConnection()
        self.server = ServerConnection()
        self.to_server = bytearray()
        self.to_client = bytearray()
        self.asked: deque[Command[Any]] = deque()
        self.answered: list[Any] = []
        self.seen: list[Any] = []
        self.received: Command[Any] | None = None

    @initialize(greeting=greetings())
    def greet(self, greeting: Greeting) -> None:
        self.say(greeting)

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

    @rule(command=commands())
    def ask_for_something(self, command: Command[Any]) -> None:
        self.ask(command)

    @rule(
        command=st.sampled_from(
            [
                *(User("user"), Pass("secret"), Auth("PLAIN"), Auth("X", b"y")),
                *(AuthResponse(b"z"), AuthCancel(), Stls(), Utf8(), Quit()),
            ]
        )
    )
    def ask_for_what_moves_the_state(self, command: Command[Any]) -> None:
        self.ask(command)

    @precondition(lambda self: self.to_server)
    @rule(size=st.integers(1, 50) | st.integers(1, 5000))
    def carry_to_server(self, size: int) -> None:
        self.server.receive_data(bytes(self.to_server[:size]))
        del self.to_server[:size]

    @precondition(lambda self: self.to_client)
    @rule(size=st.integers(1, 50) | st.integers(1, 5000))
    def carry_to_client(self, size: int) -> None:
        self.client.receive_data(bytes(self.to_client[:size]))
        del self.to_client[:size]

    @rule()
    def listen(self) -> None:
        event = self.client.next_event()
        if not isinstance(event, Signal):
            self.seen.append(event)

    @precondition(lambda self: self.received is None)
    @rule(data=st.data())
    def serve(self, data: st.DataObject) -> None:
        event = self.server.next_event()
        if isinstance(event, Signal):
            return
        assert event == self.asked.popleft()
        assert self.server.next_event() is Signal.PAUSED
        self.reply_to(event, data)

    def reply_to(self, command: Any, data: st.DataObject) -> None:
        if isinstance(command, Auth | AuthResponse | AuthCancel):
            auth = command if isinstance(command, Auth) else self.auth
            self.auth = auth
            choices: list[Any] = [ErrorReply(auth, "no")]
            if not isinstance(command, AuthCancel):
                choices += [Ok(auth, "in"), Challenge(auth, b"more")]
            self.say(data.draw(st.sampled_from(choices)))
            return
        for reply in data.draw(replies_to(command)):
            if isinstance(reply, ErrorReply) or self.server.state in command.legal_states:
                self.say(reply)
            else:
                # Sent ahead on the strength of a login that has failed.
                self.say(ErrorReply(command, "not now"))
                break

    @precondition(
        lambda self: (
            self.client.state is State.TLS_NEGOTIATION
            and self.server.state is State.TLS_NEGOTIATION
        )
    )
    @rule()
    def shake_hands(self) -> None:
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
        """Carry what is left, and see that both agree in the end."""
        if self.to_client:
            self.client.receive_data(bytes(self.to_client))
        while not isinstance(event := self.client.next_event(), Signal):
            self.seen.append(event)
        assert joined(self.seen) == self.answered
        if not self.to_server and not self.asked and self.client.in_flight == ():
            assert self.client.state is self.server.state
            assert self.client.secure is self.server.secure


TestSession = Session.TestCase
TestSession.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
