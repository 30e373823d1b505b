"""Which replies a server may send to a command."""

from pop3proto import (
    Auth,
    AuthCancel,
    AuthResponse,
    Capa,
    CapaReply,
    Challenge,
    Extension,
    LangReply,
    Message,
    MessageStart,
    Ok,
    Retr,
    Stat,
    StatReply,
)
from pop3proto.engine.server import fitting_replies
from tests.samples import COMMAND_LINES, CONTINUATIONS

AUTH = Auth("PLAIN")


def test_every_command_has_a_fitting_reply_but_a_cancellation() -> None:
    for command, _ in (*COMMAND_LINES, *CONTINUATIONS):
        assert bool(fitting_replies(command)) is (command != AuthCancel())


def test_what_fits() -> None:
    assert fitting_replies(Retr(1)) == (MessageStart, Message)
    assert fitting_replies(AUTH) == (Ok, Challenge)
    # The server cannot know which of them the client waits for.
    assert fitting_replies(Extension.single("X")) == (Ok, MessageStart, Message)
    assert fitting_replies(AuthResponse(b"")) == (Ok, Challenge)
    assert fitting_replies(Stat()) == (StatReply,)
    assert fitting_replies(Capa()) == (CapaReply,)
    assert LangReply not in fitting_replies(Capa())
