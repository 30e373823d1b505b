"""A client's engine that talks with a session, with nothing but memory between them."""

from typing import Any

from pop3proto import (
    Capa,
    CapaReply,
    ClientConnection,
    Command,
    ErrorReply,
    Greeting,
    MessageData,
    MessageEnd,
    MessageStart,
    Ok,
    Pass,
    ResponseCode,
    Retr,
    Signal,
    Top,
    User,
)
from pop3proto.server import (
    Action,
    Close,
    MemoryMaildrops,
    NeedData,
    Send,
    ServerOptions,
    ServerSession,
    StartTls,
)

ONE = b"Subject: one\r\n\r\nFirst.\r\n.dot\r\nThird.\r\n"
TWO = b"Subject: two\n\nText."
USERS = {"user": "secret", "other": "geheim"}
CLEARTEXT = ServerOptions(allow_plaintext_auth=True, failed_login_delay=0)


class Talk:
    """A client's engine and a session, with nothing but memory between them."""

    def __init__(
        self, *, secure: bool = True, maildrops: Any = None, users: Any = None, **options: Any
    ) -> None:
        self.maildrops = MemoryMaildrops({"user": [ONE, TWO]}) if maildrops is None else maildrops
        self.session = ServerSession(
            self.maildrops, USERS if users is None else users, secure=secure, **options
        )
        self.client = ClientConnection(secure=secure)
        self.actions: list[Action] = []
        self.pump()
        greeting = self.client.next_event()
        assert isinstance(greeting, Greeting)
        self.greeting = greeting

    def pump(self) -> None:
        """Let the session act until it waits; its octets go to the client."""
        self.actions.clear()
        while True:
            action = self.session.next_action()
            if isinstance(action, Send):
                self.client.receive_data(action.data)
            else:
                self.actions.append(action)
            if isinstance(action, NeedData | StartTls | Close):
                return

    def events(self) -> list[Any]:
        events: list[Any] = []
        while not isinstance(event := self.client.next_event(), Signal):
            events.append(event)
        return events

    def all(self, command: Command[Any]) -> list[Any]:
        """Everything that answers ``command``."""
        self.session.receive_data(self.client.send(command))
        self.pump()
        return self.events()

    def ask(self, command: Command[Any]) -> Any:
        (event,) = self.all(command)
        return event

    def content(self, command: Retr | Top) -> bytes:
        events = self.all(command)
        assert isinstance(events[0], MessageStart)
        assert isinstance(events[-1], MessageEnd)
        return b"".join(e.data for e in events if isinstance(e, MessageData))

    def log_in(self, user: str = "user") -> None:
        assert isinstance(self.ask(User(user)), Ok)
        assert isinstance(self.ask(Pass(USERS[user])), Ok)
        assert self.session.user == user

    def raw(self, line: bytes) -> bytes:
        """What is sent in answer to octets that the client's engine would not send."""
        self.session.receive_data(line)
        self.actions.clear()
        sent = b""
        while not isinstance(action := self.session.next_action(), NeedData | StartTls | Close):
            if isinstance(action, Send):
                sent += action.data
            else:
                self.actions.append(action)
        self.actions.append(action)
        return sent


def logged_in(**options: Any) -> Talk:
    talk = Talk(**options)
    talk.log_in()
    return talk


def refusal(
    command: Command[Any] | None, text: str, code: ResponseCode | None = None
) -> ErrorReply:
    return ErrorReply(command, text, code)


WRONG = ResponseCode.AUTH


def capabilities(talk: Talk) -> Any:
    reply = talk.ask(Capa())
    assert isinstance(reply, CapaReply)
    return reply.capabilities
