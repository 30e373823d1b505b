"""What an answer may be and what it changes, for both roles."""

from typing import Any

import pytest

from pop3proto import (
    Auth,
    AuthCancel,
    AuthResponse,
    Capa,
    Challenge,
    Command,
    ErrorReply,
    Extension,
    LangReply,
    MessageStart,
    Noop,
    Ok,
    Pass,
    Quit,
    Retr,
    State,
    Stls,
)
from pop3proto.engine.table import fitting_replies, state_after
from tests.samples import COMMAND_LINES, CONTINUATIONS

AUTHORIZATION, TRANSACTION = State.AUTHORIZATION, State.TRANSACTION
AUTHENTICATING = State.AUTHENTICATING
AUTH = Auth("PLAIN")


@pytest.mark.parametrize(
    ("before", "command", "reply", "after"),
    [
        (TRANSACTION, Noop(), Ok(Noop()), TRANSACTION),
        (TRANSACTION, Noop(), ErrorReply(Noop()), TRANSACTION),
        (AUTHORIZATION, Pass("x"), Ok(Pass("x")), TRANSACTION),
        (AUTHORIZATION, Pass("x"), ErrorReply(Pass("x")), AUTHORIZATION),
        (AUTHORIZATION, Stls(), Ok(Stls()), State.TLS_NEGOTIATION),
        (AUTHORIZATION, AUTH, Challenge(AUTH), AUTHENTICATING),
        (AUTHENTICATING, AuthResponse(b""), Challenge(AUTH), AUTHENTICATING),
        (AUTHENTICATING, AuthResponse(b""), Ok(AUTH), TRANSACTION),
        (AUTHENTICATING, AuthResponse(b""), ErrorReply(AUTH), AUTHORIZATION),
        (AUTHENTICATING, AuthCancel(), ErrorReply(AUTH), AUTHORIZATION),
        (AUTHORIZATION, Quit(), Ok(Quit()), State.CLOSED),
        (AUTHORIZATION, Quit(), ErrorReply(Quit()), State.CLOSED),
        (TRANSACTION, Quit(), Ok(Quit()), State.UPDATE),
        (TRANSACTION, Quit(), ErrorReply(Quit()), State.UPDATE),
    ],
)
def test_the_state_after_an_answer(
    before: State, command: Command[Any], reply: object, after: State
) -> None:
    assert state_after(before, command, reply) is after


def test_every_command_has_a_fitting_reply_but_a_cancellation() -> None:
    for command, _ in (*COMMAND_LINES, *CONTINUATIONS):
        assert bool(fitting_replies(command)) is (command != AuthCancel())


def test_what_fits() -> None:
    assert fitting_replies(Retr(1)) == (MessageStart,)
    assert fitting_replies(AUTH) == (Ok, Challenge)
    # The server cannot know which of them the client waits for.
    assert fitting_replies(Extension.single("X")) == (Ok, MessageStart)
    assert LangReply not in fitting_replies(Capa())
