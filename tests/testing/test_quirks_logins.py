"""Logins to servers with the quirks of AUTH, and what a refused login comes to."""

from base64 import b64encode
from typing import Any

import pytest

from pop3proto import (
    AuthenticationError,
    AuthList,
    ConnectionLostError,
    DeadlineError,
    Fault,
    Leniency,
    RemoteProtocolError,
)
from pop3proto._value import replace
from pop3proto.errors import (
    CredentialsError,
    LoginDelayError,
    MaildropInUseError,
    MechanismError,
    OAuthError,
    PermanentServerError,
    SaslError,
    ServerVerificationError,
    TemporaryServerError,
)
from pop3proto.server import MemoryMaildrops
from pop3proto.testing import Quirk, memory_stream
from pop3proto.transports import Timeouts
from pop3proto.transports.blocking import Client
from tests.testing.quirky import MESSAGES, OPTIONS, SERVER, lines_of, start, stream_with, use

LOGIN_QUIRKS = {
    Quirk.OK_CHALLENGES,
    Quirk.PROSE_CHALLENGES,
    Quirk.ONLY_PROSE_CHALLENGES,
    Quirk.BARE_CHALLENGES,
    Quirk.LOGIN_PROMPTS,
    Quirk.BARE_AUTH_SUCCESS,
    Quirk.SUPERFLUOUS_CHALLENGE,
    Quirk.NO_LAST_RESPONSE,
    Quirk.NO_INITIAL_RESPONSE,
    Quirk.TWO_STEP_XOAUTH2,
    Quirk.SHORT_TOKENS,
    Quirk.NO_TOKENS,
    Quirk.LOCKED_IN_PROSE,
    Quirk.LOGIN_IN_USE,
    Quirk.LOGIN_DELAY,
    Quirk.LOGIN_SYS_TEMP,
    Quirk.LOGIN_SYS_PERM,
    Quirk.LOGIN_AUTH,
    Quirk.CLOSES_ON_FAILED_LOGIN,
    Quirk.SLOW_REFUSALS,
    Quirk.SLOW_LOGINS,
    Quirk.HIDDEN_MECHANISMS,
    Quirk.SECOND_TIMESTAMP,
}
XOAUTH2 = b"user=user\1auth=Bearer secret\1\1"
TWO_STEPS: dict[str, Any] = {"mechanisms": ["PLAIN"], "initial_response": False}


@pytest.mark.parametrize(
    ("quirk", "fault", "how"),
    [
        (Quirk.OK_CHALLENGES, Fault.OK_CHALLENGE, {"mechanisms": ["CRAM-MD5"]}),
        (Quirk.PROSE_CHALLENGES, Fault.UNDECODABLE_CHALLENGE, TWO_STEPS),
    ],
)
def test_tolerated(quirk: Quirk, fault: Fault, how: dict[str, Any]) -> None:
    seen = use({quirk}, **how)
    assert seen.faults == {fault}
    assert seen.bodies == MESSAGES
    for leniency in (Leniency.none(), Leniency().refusing(fault)):
        with pytest.raises(RemoteProtocolError):
            use({quirk}, leniency, **how)


def test_an_empty_challenge_as_ok_is_no_login() -> None:
    with start({Quirk.OK_CHALLENGES}) as client, pytest.raises(ServerVerificationError):
        client.login("user", "secret", **TWO_STEPS)


def test_prose_instead_of_what_cram_md5_needs() -> None:
    # The challenges of CRAM-MD5 are not empty, so that they stay as they are.
    seen = use({Quirk.PROSE_CHALLENGES}, Leniency.none(), mechanisms=["CRAM-MD5"])
    assert seen.faults == frozenset()


def test_prose_instead_of_a_challenge_with_content() -> None:
    with start({Quirk.ONLY_PROSE_CHALLENGES}) as client:
        with pytest.raises(SaslError, match="CRAM-MD5 challenge is empty"):
            client.login("user", "secret", mechanisms=["CRAM-MD5"])
        # The exchange was cancelled, and the session goes on.
        assert [deviation.fault for deviation in client.deviations] == [Fault.UNDECODABLE_CHALLENGE]
        assert client.login("user", "secret", mechanisms=["CRAM-MD5", "USER"]).mechanism == "USER"
    # LOGIN asks for a name and a password, in whatever words.
    assert use({Quirk.ONLY_PROSE_CHALLENGES}, mechanisms=["LOGIN"]).bodies == MESSAGES
    with (
        start({Quirk.ONLY_PROSE_CHALLENGES}, Leniency.none()) as client,
        pytest.raises(RemoteProtocolError),
    ):
        client.login("user", "secret", mechanisms=["CRAM-MD5"])


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"])
def test_an_empty_response_too_many(mechanism: str) -> None:
    with start({Quirk.SUPERFLUOUS_CHALLENGE}, Leniency.none()) as client:
        with pytest.raises(SaslError, match=r"challenge|prompts|goes on"):
            client.login("user", "secret", mechanisms=[mechanism])
        # No empty response: cancelled, so that the session goes on, without being logged in.
        assert client.login("user", "secret", mechanisms=[mechanism, "USER"]).mechanism == "USER"
        assert client.stat().count == 2


def test_an_empty_response_that_nobody_waits_for() -> None:
    # Who has not sent its last response yet cannot have been told that all is well.
    with start({Quirk.NO_LAST_RESPONSE}, Leniency.none()) as client:
        with pytest.raises(RemoteProtocolError, match="answers no command"):
            client.login("user", "secret", mechanisms=["SCRAM-SHA-256"])
        assert client.closed
    seen = use({Quirk.NO_LAST_RESPONSE}, Leniency.none(), mechanisms=["CRAM-MD5"])
    assert seen.bodies == MESSAGES


@pytest.mark.parametrize(
    ("quirk", "mechanism"), [(Quirk.SUPERFLUOUS_CHALLENGE, b"PLAIN"), (Quirk.NO_TOKENS, b"XOAUTH2")]
)
def test_what_only_an_empty_response_ends(quirk: Quirk, mechanism: bytes) -> None:
    initial = {b"PLAIN": b"AHVzZXIAc2VjcmV0", b"XOAUTH2": b64encode(XOAUTH2)}[mechanism]
    auth = b"AUTH " + mechanism + b" " + initial + b"\r\n"
    right = quirk is Quirk.SUPERFLUOUS_CHALLENGE
    assert lines_of(quirk, auth, b"\r\n")[2].startswith(b"+OK") is right
    assert lines_of(quirk, auth, b"eA==\r\n")[2] == b"-ERR [AUTH] the login failed"
    assert lines_of(quirk, auth, b"*\r\n")[2] == b"-ERR the login was cancelled"


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_access_tokens_that_are_refused(mechanism: str) -> None:
    with start({Quirk.NO_TOKENS}, Leniency.none()) as client:
        with pytest.raises(OAuthError) as caught:
            client.oauth("user", "secret", mechanism=mechanism)
        assert caught.value.details["status"] == "401"
        assert caught.value.details["scope"] == "https://mail.example.org/POP"
        assert client.login("user", "secret", mechanisms=["USER"]).mechanism == "USER"


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize(("octets", "taken"), [(4096, True), (4097, False)])
def test_access_tokens_that_are_long(mechanism: str, octets: int, taken: bool) -> None:
    # A password is the access token, where no other mechanisms are given.
    token = "x" * octets
    stream = memory_stream(
        MemoryMaildrops({"user": MESSAGES}),
        users={"user": token},
        options=SERVER,
        quirks={Quirk.SHORT_TOKENS},
    )
    with Client.start(stream, security=stream.security, options=OPTIONS) as client:
        if taken:
            assert client.oauth("user", token, mechanism=mechanism).mechanism == mechanism
        else:
            with pytest.raises(OAuthError):
                client.oauth("user", token, mechanism=mechanism)


def test_an_access_token_on_a_line_of_its_own() -> None:
    with start({Quirk.TWO_STEP_XOAUTH2}, Leniency.none()) as client:
        assert client.capabilities is not None
        assert "XOAUTH2" in client.capabilities.sasl
        with pytest.raises(AuthenticationError, match="no initial response") as caught:
            client.oauth("user", "secret", mechanism="XOAUTH2", initial_response=True)
        assert "initial_response=False" in caught.value.hint
        result = client.oauth("user", "secret", mechanism="XOAUTH2")
        assert result.mechanism == "XOAUTH2"
    # The other mechanisms have theirs.
    with start({Quirk.TWO_STEP_XOAUTH2}, Leniency.none()) as client:
        assert client.oauth("user", "secret").mechanism == "OAUTHBEARER"


@pytest.mark.parametrize(
    ("quirk", "commands", "line"),
    [
        (Quirk.BARE_CHALLENGES, b"AUTH PLAIN\r\n*\r\n", b"+"),
        (Quirk.PROSE_CHALLENGES, b"AUTH PLAIN\r\n*\r\n", b"+ Go on, please"),
        (Quirk.LOGIN_PROMPTS, b"AUTH PLAIN\r\n*\r\n", b"+ VXNlcm5hbWU6"),
        (Quirk.OK_CHALLENGES, b"AUTH LOGIN\r\n*\r\n", b"+OK VXNlcm5hbWU6"),
        (Quirk.BARE_AUTH_SUCCESS, b"AUTH PLAIN AHVzZXIAc2VjcmV0\r\n", b"+OK"),
    ],
)
def test_on_the_wire(quirk: Quirk, commands: bytes, line: bytes) -> None:
    assert lines_of(quirk, commands)[1] == line


def test_a_bare_plus_is_an_empty_challenge() -> None:
    assert use({Quirk.BARE_CHALLENGES}, Leniency.none(), **TWO_STEPS).bodies == MESSAGES


def test_a_bare_success() -> None:
    with start({Quirk.BARE_AUTH_SUCCESS}, Leniency.none()) as client:
        assert client.login("user", "secret", mechanisms=["CRAM-MD5"]).text == ""
        assert client.stat().count == 2


def test_the_prompt_of_login() -> None:
    with start({Quirk.LOGIN_PROMPTS}, Leniency.none()) as client:
        how: dict[str, Any] = {"mechanisms": ["PLAIN", "LOGIN"], "initial_response": False}
        assert client.login("user", "secret", **how).mechanism == "LOGIN"
        assert client.stat().count == 2


def test_initial_responses_that_are_refused() -> None:
    with start({Quirk.NO_INITIAL_RESPONSE}, Leniency.none()) as client:
        with pytest.raises(AuthenticationError, match="no initial response"):
            client.login("user", "secret", mechanisms=["PLAIN"])
        assert client.login("user", "secret", **TWO_STEPS).mechanism == "PLAIN"


@pytest.mark.parametrize("quirk", [Quirk.MECHANISMS_BY_AUTH, Quirk.NO_CAPA])
def test_the_list_of_a_bare_auth(quirk: Quirk) -> None:
    with start({quirk}, Leniency.none()) as client:
        result = client.login("user", "secret")
        assert (result.mechanism == "USER") is (quirk is Quirk.NO_CAPA)


def test_mechanisms_that_are_not_advertised() -> None:
    with start({Quirk.HIDDEN_MECHANISMS}, Leniency.none()) as client:
        with pytest.raises(MechanismError):
            client.login("user", "secret", mechanisms=["PLAIN", "LOGIN"])
        # One that is asked for by its name alone is tried.
        assert client.login("user", "secret", mechanisms=["PLAIN"]).mechanism == "PLAIN"


def test_mechanisms_that_a_bare_auth_does_not_list_either() -> None:
    with start({Quirk.HIDDEN_MECHANISMS}, Leniency.none()) as client:
        assert client.call(AuthList()).mechanisms == ()
    with start({Quirk.HIDDEN_MECHANISMS, Quirk.MECHANISMS_BY_AUTH}, Leniency.none()) as client:
        assert client.login("user", "secret").mechanism == "USER"


def test_the_last_timestamp_counts() -> None:
    with start({Quirk.SECOND_TIMESTAMP}, Leniency.none()) as client:
        assert "<stale@example.org>" in client.greeting.text
        assert client.greeting.timestamp != "<stale@example.org>"
        assert client.login("user", "secret", mechanisms=["APOP"]).mechanism == "APOP"


REFUSALS: dict[Quirk, type[AuthenticationError]] = {
    Quirk.LOCKED_IN_PROSE: AuthenticationError,
    Quirk.LOGIN_IN_USE: MaildropInUseError,
    Quirk.LOGIN_DELAY: LoginDelayError,
    Quirk.LOGIN_SYS_TEMP: TemporaryServerError,
    Quirk.LOGIN_SYS_PERM: PermanentServerError,
    Quirk.LOGIN_AUTH: CredentialsError,
}


@pytest.mark.parametrize("quirk", REFUSALS)
@pytest.mark.parametrize("mechanism", ["USER", "APOP", "PLAIN"])
def test_refused_logins(quirk: Quirk, mechanism: str) -> None:
    with start({quirk}, Leniency.none()) as client:
        with pytest.raises(AuthenticationError) as caught:
            client.login("user", "secret", mechanisms=[mechanism])
        # Prose is kept, and nothing is guessed from it.
        assert type(caught.value) is REFUSALS[quirk]
        assert ("locked" in caught.value.text) is (quirk is Quirk.LOCKED_IN_PROSE)
        assert not client.closed


def test_a_server_that_closes_upon_a_wrong_password() -> None:
    # Without a response code the client tries what comes next, and finds nobody there.
    quirks = {Quirk.CLOSES_ON_FAILED_LOGIN, Quirk.BARE_STATUS}
    with start(quirks, Leniency.none()) as client:
        with pytest.raises(ConnectionLostError) as caught:
            client.login("user", "wrong", mechanisms=["PLAIN", "USER"])
        assert type(caught.value.__cause__) is AuthenticationError
        assert client.closed


def test_a_server_that_says_why_before_it_closes() -> None:
    with start({Quirk.CLOSES_ON_FAILED_LOGIN}, Leniency.none()) as client:
        with pytest.raises(CredentialsError):
            client.login("user", "wrong", mechanisms=["PLAIN", "USER"])
        with pytest.raises(ConnectionLostError):
            client.capa()


SLOW = {Quirk.SLOW_REFUSALS, Quirk.SLOW_LOGINS}


def test_a_refused_password_takes_its_time_and_so_does_the_next_one() -> None:
    stream = stream_with(SLOW)
    # The deadlines of a client's that says nothing about them.
    with Client.start(stream, security=stream.security, options=OPTIONS) as client:
        with pytest.raises(CredentialsError):
            client.login("user", "wrong", mechanisms=["USER"])
        assert stream.clock.now() == 5.0
        assert client.login("user", "secret", mechanisms=["USER"]).mechanism == "USER"
        assert stream.clock.now() == 13.0
        assert client.stat().count == 2
    assert stream.clock.now() == stream.delayed == 13.0


def test_a_login_behind_no_refused_one_takes_no_time() -> None:
    stream = stream_with(SLOW)
    with Client.start(stream, security=stream.security, options=OPTIONS) as client:
        client.login("user", "secret", mechanisms=["USER"])
        assert stream.clock.now() == 0.0


@pytest.mark.parametrize(
    ("seconds", "password", "mechanism"),
    [(4.0, "wrong", "USER"), (4.0, "wrong", "PLAIN"), (7.0, "secret", "USER")],
)
def test_a_deadline_that_is_too_short_for_a_slow_server(
    seconds: float, password: str, mechanism: str
) -> None:
    stream = stream_with(SLOW)
    options = replace(OPTIONS, timeouts=Timeouts(login=seconds))
    with Client.start(stream, security=stream.security, options=options) as client:
        if password == "secret":
            with pytest.raises(CredentialsError):
                client.login("user", "wrong", mechanisms=[mechanism])
        began = stream.clock.now()
        with pytest.raises(DeadlineError) as caught:
            client.login("user", password, mechanisms=[mechanism])
        assert caught.value.phase == "login"
        assert stream.clock.now() - began == caught.value.seconds == seconds
        assert client.closed


def test_a_wrong_password_behind_plus_err() -> None:
    with start({Quirk.PLUS_ERR}) as client, pytest.raises(RemoteProtocolError, match=r"\+ERR"):
        client.login("user", "wrong", mechanisms=["USER"])
