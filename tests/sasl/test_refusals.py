"""Response codes to exceptions."""

import pytest

from pop3proto import Auth, Capabilities, ErrorReply, ResponseCode, Retr
from pop3proto.errors import (
    AuthenticationError,
    CredentialsError,
    LoginDelayError,
    MaildropInUseError,
    PermanentServerError,
    TemporaryServerError,
)
from pop3proto.sasl.refusals import login_refused, refusal_message

COMMAND = Auth("PLAIN")


@pytest.mark.parametrize(
    ("code", "cls"),
    [
        ("AUTH", CredentialsError),
        ("IN-USE", MaildropInUseError),
        ("LOGIN-DELAY", LoginDelayError),
        ("SYS/TEMP", TemporaryServerError),
        ("SYS/PERM/DISK", PermanentServerError),
        ("OTHER", AuthenticationError),
    ],
)
def test_a_code_says_why(code: str, cls: type[AuthenticationError]) -> None:
    reply = ErrorReply(COMMAND, "no", ResponseCode(code))
    error = login_refused(reply, COMMAND, None)
    assert type(error) is cls
    assert error.args == (f"the server refused: [{code}] no",)
    assert (error.command, error.reply) == (COMMAND, reply)


def test_without_a_code_and_with_a_message_of_ones_own() -> None:
    error = login_refused(ErrorReply(COMMAND), COMMAND, None, "cancelled")
    assert type(error) is AuthenticationError
    assert error.args == ("cancelled",)


@pytest.mark.parametrize(
    ("capabilities", "seconds"),
    [(None, None), (Capabilities(()), None), (Capabilities(("LOGIN-DELAY 300",)), 300)],
)
def test_the_delay_that_the_server_announces(
    capabilities: Capabilities | None, seconds: int | None
) -> None:
    reply = ErrorReply(COMMAND, "no", ResponseCode("LOGIN-DELAY"))
    error = login_refused(reply, COMMAND, capabilities)
    assert isinstance(error, LoginDelayError)
    assert error.seconds == seconds


@pytest.mark.parametrize(
    ("code", "text", "message"),
    [
        (None, "no such message", "the server refused: no such message"),
        ("IN-USE", "try later", "the server refused: [IN-USE] try later"),
        ("IN-USE", "", "the server refused: [IN-USE]"),
        (None, "", "the server refused: no reason was given"),
        (None, "a\x1b[2Jb", r"the server refused: a\x1b[2Jb"),
    ],
)
def test_what_a_person_is_told_of_a_refusal(code: str | None, text: str, message: str) -> None:
    reply = ErrorReply(Retr(1), text, ResponseCode(code) if code else None)
    assert refusal_message(reply) == message
