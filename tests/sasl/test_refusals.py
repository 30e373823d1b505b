"""Response codes to exceptions."""

import pytest

from pop3proto import Auth, Capabilities, ErrorReply, ResponseCode, Retr
from pop3proto.errors import (
    AuthenticationError,
    CredentialsError,
    LoginDelayError,
    MaildropInUseError,
    OAuthError,
    PermanentServerError,
    TemporaryServerError,
)
from pop3proto.sasl.refusals import login_refused, refusal_message, token_refused

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
    error = login_refused(reply, COMMAND, None, secure=False)
    assert type(error) is cls
    assert error.args == (f"the server refused: [{code}] no",)
    assert (error.command, error.reply) == (COMMAND, reply)


def test_without_a_code_and_with_a_message_of_ones_own() -> None:
    error = login_refused(ErrorReply(COMMAND), COMMAND, None, "cancelled", secure=True)
    assert type(error) is AuthenticationError
    assert error.args == ("cancelled",)


@pytest.mark.parametrize("secure", [True, False])
@pytest.mark.parametrize("announced", ["STLS", "TOP", None])
@pytest.mark.parametrize("code", [None, "AUTH", "IN-USE", "SYS/TEMP"])
def test_tls_may_be_the_way_out(secure: bool, announced: str | None, code: str | None) -> None:
    reply = ErrorReply(COMMAND, "no", None if code is None else ResponseCode(code))
    capabilities = None if announced is None else Capabilities((announced,))
    error = login_refused(reply, COMMAND, capabilities, secure=secure)
    hinted = not secure and announced == "STLS" and code in (None, "AUTH")
    assert ("security=STLS" in error.hint) is hinted
    assert error.hint.startswith(type(error).hint)


@pytest.mark.parametrize(
    ("capabilities", "seconds"),
    [(None, None), (Capabilities(()), None), (Capabilities(("LOGIN-DELAY 300",)), 300)],
)
def test_the_delay_that_the_server_announces(
    capabilities: Capabilities | None, seconds: int | None
) -> None:
    reply = ErrorReply(COMMAND, "no", ResponseCode("LOGIN-DELAY"))
    error = login_refused(reply, COMMAND, capabilities, secure=True)
    assert isinstance(error, LoginDelayError)
    assert error.seconds == seconds


SCOPE = ", with the scope that the server names"


@pytest.mark.parametrize(
    ("details", "told", "hint"),
    [
        ({}, "", ""),
        ({"status": "401"}, " (status: 401)", ""),
        ({"status": 400, "x": "y"}, " (status: 400)", ""),
        (
            {"scope": "https://mail.example.org/", "schemes": "bearer", "status": "401"},
            " (status: 401, scope: https://mail.example.org/, schemes: bearer)",
            SCOPE,
        ),
        ({"status": "a\x1b[2Jb\u202e\x9b"}, r" (status: a\x1b[2Jb\u202e\x9b)", ""),
        ({"scope": "\ud800"}, r" (scope: \ud800)", SCOPE),
        ({"status": "x" * 9000}, f" (status: {'x' * 100}...)", ""),
        # Of other types they say nothing that a person could use.
        ({"status": ["401"], "scope": None, "schemes": {"a": "b"}}, "", ""),
        ({"status": "", "scope": ""}, "", ""),
    ],
)
@pytest.mark.parametrize("code", [None, "AUTH"])
def test_what_a_server_says_of_a_token(
    details: dict[str, object], told: str, hint: str, code: str | None
) -> None:
    reply = ErrorReply(COMMAND, "bad token", ResponseCode(code) if code else None)
    error = token_refused(login_refused(reply, COMMAND, None, secure=True), details)
    assert type(error) is OAuthError
    assert error.args[0] == f"{refusal_message(reply)}{told}"
    assert error.args[0].isprintable()
    assert (error.command, error.reply, error.details) == (COMMAND, reply, details)
    assert error.hint == f"{OAuthError.hint}{hint}"


def test_the_hint_at_tls_stays() -> None:
    refusal = login_refused(ErrorReply(COMMAND), COMMAND, Capabilities(("STLS",)), secure=False)
    hint = token_refused(refusal, {"scope": "mail"}).hint
    assert hint.startswith(OAuthError.hint)
    assert "security=STLS" in hint


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
