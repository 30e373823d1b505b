"""Logins to servers with the quirks of AUTH, and what a refused login comes to."""

from typing import Any

import pytest

from pop3proto import (
    LENIENT,
    STRICT,
    AuthenticationFailed,
    ConnectionLost,
    Fault,
    LoginDelayed,
    MaildropBusy,
    MechanismUnavailable,
    PermanentFailure,
    RemoteProtocolError,
    ServerNotVerified,
    TemporaryFailure,
    WrongCredentials,
)
from pop3proto.testing import Quirk
from pop3proto.transports.blocking import Client
from tests.testing.quirky import MESSAGES, OPTIONS, lines_of, start, stream_with, use

LOGIN_QUIRKS = {
    Quirk.OK_CHALLENGES,
    Quirk.PROSE_CHALLENGES,
    Quirk.BARE_CHALLENGES,
    Quirk.LOGIN_PROMPTS,
    Quirk.BARE_AUTH_SUCCESS,
    Quirk.NO_INITIAL_RESPONSE,
    Quirk.LOCKED_IN_PROSE,
    Quirk.LOGIN_IN_USE,
    Quirk.LOGIN_DELAY,
    Quirk.LOGIN_SYS_TEMP,
    Quirk.LOGIN_SYS_PERM,
    Quirk.LOGIN_AUTH,
    Quirk.CLOSES_ON_FAILED_LOGIN,
    Quirk.SLOW_REFUSALS,
    Quirk.HIDDEN_MECHANISMS,
    Quirk.SECOND_TIMESTAMP,
}
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
    for leniency in (STRICT, LENIENT.refusing(fault)):
        with pytest.raises(RemoteProtocolError):
            use({quirk}, leniency, **how)


def test_an_empty_challenge_as_ok_is_no_login() -> None:
    with start({Quirk.OK_CHALLENGES}) as client, pytest.raises(ServerNotVerified):
        client.login("user", "secret", **TWO_STEPS)


def test_prose_instead_of_what_cram_md5_needs() -> None:
    # The challenges of CRAM-MD5 are not empty, so that they stay as they are.
    seen = use({Quirk.PROSE_CHALLENGES}, STRICT, mechanisms=["CRAM-MD5"])
    assert seen.faults == frozenset()


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
    assert use({Quirk.BARE_CHALLENGES}, STRICT, **TWO_STEPS).bodies == MESSAGES


def test_a_bare_success() -> None:
    with start({Quirk.BARE_AUTH_SUCCESS}, STRICT) as client:
        assert client.login("user", "secret", mechanisms=["CRAM-MD5"]).text == ""
        assert client.stat().count == 2


def test_the_prompt_of_login() -> None:
    with start({Quirk.LOGIN_PROMPTS}, STRICT) as client:
        how: dict[str, Any] = {"mechanisms": ["PLAIN", "LOGIN"], "initial_response": False}
        assert client.login("user", "secret", **how).mechanism == "LOGIN"
        assert client.stat().count == 2


def test_initial_responses_that_are_refused() -> None:
    with start({Quirk.NO_INITIAL_RESPONSE}, STRICT) as client:
        with pytest.raises(AuthenticationFailed, match="no initial response"):
            client.login("user", "secret", mechanisms=["PLAIN"])
        assert client.login("user", "secret", **TWO_STEPS).mechanism == "PLAIN"


@pytest.mark.parametrize("quirk", [Quirk.MECHANISMS_BY_AUTH, Quirk.NO_CAPA])
def test_the_list_of_a_bare_auth(quirk: Quirk) -> None:
    with start({quirk}, STRICT) as client:
        result = client.login("user", "secret")
        assert (result.mechanism == "USER") is (quirk is Quirk.NO_CAPA)


def test_mechanisms_that_are_not_advertised() -> None:
    with start({Quirk.HIDDEN_MECHANISMS}, STRICT) as client:
        with pytest.raises(MechanismUnavailable):
            client.login("user", "secret", mechanisms=["PLAIN", "LOGIN"])
        # One that is asked for by its name alone is tried.
        assert client.login("user", "secret", mechanisms=["PLAIN"]).mechanism == "PLAIN"


def test_the_last_timestamp_counts() -> None:
    with start({Quirk.SECOND_TIMESTAMP}, STRICT) as client:
        assert "<stale@example.org>" in client.greeting.text
        assert client.greeting.timestamp != "<stale@example.org>"
        assert client.login("user", "secret", mechanisms=["APOP"]).mechanism == "APOP"


REFUSALS: dict[Quirk, type[AuthenticationFailed]] = {
    Quirk.LOCKED_IN_PROSE: AuthenticationFailed,
    Quirk.LOGIN_IN_USE: MaildropBusy,
    Quirk.LOGIN_DELAY: LoginDelayed,
    Quirk.LOGIN_SYS_TEMP: TemporaryFailure,
    Quirk.LOGIN_SYS_PERM: PermanentFailure,
    Quirk.LOGIN_AUTH: WrongCredentials,
}


@pytest.mark.parametrize("quirk", REFUSALS)
@pytest.mark.parametrize("mechanism", ["USER", "APOP", "PLAIN"])
def test_refused_logins(quirk: Quirk, mechanism: str) -> None:
    with start({quirk}, STRICT) as client:
        with pytest.raises(AuthenticationFailed) as caught:
            client.login("user", "secret", mechanisms=[mechanism])
        # Prose is kept, and nothing is guessed from it.
        assert type(caught.value) is REFUSALS[quirk]
        assert ("locked" in caught.value.text) is (quirk is Quirk.LOCKED_IN_PROSE)
        assert not client.closed


def test_a_server_that_closes_upon_a_wrong_password() -> None:
    # Without a response code the client tries what comes next, and finds nobody there.
    quirks = {Quirk.CLOSES_ON_FAILED_LOGIN, Quirk.BARE_STATUS}
    with start(quirks, STRICT) as client:
        with pytest.raises(ConnectionLost) as caught:
            client.login("user", "wrong", mechanisms=["PLAIN", "USER"])
        assert type(caught.value.__cause__) is AuthenticationFailed
        assert client.closed


def test_a_server_that_says_why_before_it_closes() -> None:
    with start({Quirk.CLOSES_ON_FAILED_LOGIN}, STRICT) as client:
        with pytest.raises(WrongCredentials):
            client.login("user", "wrong", mechanisms=["PLAIN", "USER"])
        with pytest.raises(ConnectionLost):
            client.capa()


def test_a_refused_password_takes_its_time() -> None:
    stream = stream_with({Quirk.SLOW_REFUSALS})
    with Client.start(stream, security=stream.security, options=OPTIONS) as client:
        with pytest.raises(WrongCredentials):
            client.login("user", "wrong", mechanisms=["USER"])
        assert stream.delayed == 5.0
        assert client.login("user", "secret", mechanisms=["USER"]).mechanism == "USER"
        assert stream.delayed == 5.0


def test_a_wrong_password_behind_plus_err() -> None:
    with start({Quirk.PLUS_ERR}) as client, pytest.raises(RemoteProtocolError, match=r"\+ERR"):
        client.login("user", "wrong", mechanisms=["USER"])
