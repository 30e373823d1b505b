"""The state after an answer, for both roles."""

from typing import Any

import pytest

from pop3proto import (
    Auth,
    AuthCancel,
    AuthResponse,
    Challenge,
    Command,
    ErrorReply,
    Noop,
    Ok,
    Pass,
    Quit,
    State,
    Stls,
)
from pop3proto.engine.base import state_after

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
