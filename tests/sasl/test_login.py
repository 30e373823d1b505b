"""The face of ``Login``: what goes in, what comes out, and what it tells."""

from __future__ import annotations

from typing import Any

import pytest

from pop3proto import (
    Auth,
    AuthenticationError,
    AuthResponse,
    Capa,
    ClientConnection,
    Deviation,
    Fault,
    Greeting,
    LocalProtocolError,
    Login,
    LoginResult,
    MessageData,
    Noop,
    Ok,
    Secret,
)
from pop3proto.errors import (
    CredentialsError,
    GreetingError,
    MechanismError,
    OAuthError,
    ServerVerificationError,
)
from pop3proto.sasl import ChannelBinding, Plain, RefusedToken
from tests.sasl.logins import NO, OK, PLAIN, SECRET, b64, capa, connected, talk, told
from tests.tracebacks import shown

XOAUTH2 = b64(b"user=user\1auth=Bearer %s\1\1" % SECRET.encode())
FRESH = b64(b"user=user\1auth=Bearer fresh\1\1")


def test_from_the_greeting_to_the_result() -> None:
    login = Login("user", SECRET)
    assert repr(login) == "<Login: under way>"
    assert (login.done, login.wants_token, login.failure) == (False, False, None)
    with pytest.raises(LocalProtocolError, match="no result"):
        print(login.result)
    turns = capa("SASL PLAIN"), (b"AUTH PLAIN " + PLAIN, b"+OK in\r\n")
    assert talk(login, *turns) == LoginResult("PLAIN", False, "in")
    assert login.done
    assert login.session_usable
    assert repr(login) == "<Login: done>"


def test_after_the_greeting() -> None:
    engine = connected()
    told(engine)
    assert Login("user", SECRET).feed(None, engine) == Capa()


def test_a_greeting_that_is_a_refusal() -> None:
    login = Login("user", SECRET)
    with pytest.raises(GreetingError, match="the server refused: busy") as caught:
        talk(login, engine=connected(greeting=b"-ERR busy\r\n"))
    assert caught.value.text == "busy"
    assert login.done
    assert not login.session_usable
    assert repr(login) == "<Login: failed>"


def test_a_deviation_is_passed_over() -> None:
    engine = connected()
    login = Login("user", SECRET)
    assert login.feed(Deviation(Fault.BLANK_LINE, None, b""), engine) is None
    assert login.feed(told(engine), engine) == Capa()
    assert login.feed(Deviation(Fault.BLANK_LINE, None, b""), engine) is None
    assert not login.done


def test_a_login_is_good_for_once() -> None:
    login = Login("user", SECRET, mechanisms=["PLAIN"], ask=())
    engine = connected()
    talk(login, (b"AUTH PLAIN " + PLAIN, OK), engine=engine)
    with pytest.raises(LocalProtocolError, match="login is over"):
        login.feed(None, engine)


@pytest.mark.parametrize("event", [MessageData(b""), Ok(Noop()), None])
def test_what_does_not_begin_it(event: Any) -> None:
    login = Login("user", SECRET)
    if event is not None:
        with pytest.raises(LocalProtocolError, match="waits for the greeting"):
            login.feed(event, ClientConnection())
    # Nothing has changed.
    assert login.feed(Greeting(), connected()) == Capa()


@pytest.mark.parametrize("event", [MessageData(b""), Ok(Noop()), Ok(Capa()), Greeting(), None])
def test_an_answer_to_another_command_is_no_login(event: Any) -> None:
    engine = connected()
    login = Login.authenticate(Plain("user", SECRET))
    command = login.feed(told(engine), engine)
    with pytest.raises(LocalProtocolError, match=r"this login waits for the answer to Auth"):
        login.feed(event, engine)
    assert not login.done
    assert command is not None
    assert login.feed(Ok(command, "in"), engine) is None
    assert login.result.text == "in"


def test_what_the_server_refused_last_is_told() -> None:
    login = Login.authenticate(Plain("user", SECRET))
    with pytest.raises(AuthenticationError) as caught:
        talk(login, (b"AUTH PLAIN " + PLAIN, NO))
    assert login.failure is caught.value
    assert login.session_usable
    with pytest.raises(LocalProtocolError, match="no result"):
        print(login.result)


def test_a_server_that_does_not_prove_itself_ends_the_session() -> None:
    class Careful(Plain):
        @property
        def complete(self) -> bool:
            return False

    login = Login.authenticate(Careful("user", SECRET))
    with pytest.raises(ServerVerificationError):
        talk(login, (b"AUTH PLAIN " + PLAIN, OK))
    assert not login.session_usable


def test_an_initial_response_that_waits() -> None:
    login = Login("user", SECRET, mechanisms=["PLAIN"], initial_response=False, ask=())
    assert talk(login, (b"AUTH PLAIN", b"+ \r\n"), (PLAIN, OK)).mechanism == "PLAIN"


# Arguments


def test_mechanisms_are_a_list() -> None:
    with pytest.raises(LocalProtocolError, match="a list of names") as caught:
        Login("user", SECRET, mechanisms="PLAIN")
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"mechanisms": 5}, "a list of names, not a single int"),
        ({"mechanisms": [5]}, "a list of names, and int is not one"),
        ({"channel_binding": 5}, "one or several, not a single int"),
        ({"channel_binding": [b"x"]}, "one or several, and bytes is not one"),
        ({"ask": Capa()}, "a list of commands, not a single Capa"),
        ({"ask": ["CAPA"]}, "a list of commands, and str is not one"),
        ({"host": b"pop.example.org"}, "host is a str, not bytes"),
    ],
)
def test_arguments_of_the_wrong_type(wrong: dict[str, Any], problem: str) -> None:
    with pytest.raises(LocalProtocolError, match=problem) as caught:
        Login("user", SECRET, **wrong)
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize("wrong", [5, None, "PLAIN", SECRET, Plain])
def test_what_is_no_mechanism(wrong: Any) -> None:
    with pytest.raises(LocalProtocolError, match="mechanism is an object such as"):
        Login.authenticate(wrong)
    if not isinstance(wrong, str | None):
        with pytest.raises(LocalProtocolError, match="a mechanism is named by a str"):
            Login.oauth("user", SECRET, mechanism=wrong)


@pytest.mark.parametrize("several", [False, True])
def test_channel_bindings(several: bool) -> None:
    binding = ChannelBinding("tls-exporter", b"x" * 32)
    login = Login("user", SECRET, channel_binding=[binding] if several else binding)
    engine = connected()
    login.feed(told(engine), engine)
    engine.send(Capa())
    engine.receive_data(capa("SASL SCRAM-SHA-256-PLUS")[1])
    command = login.feed(told(engine), engine)
    assert isinstance(command, Auth)
    assert command.mechanism == "SCRAM-SHA-256-PLUS"


def test_a_password_can_be_a_secret_already() -> None:
    for password in (Secret(SECRET), SECRET.encode()):
        login = Login("user", password, mechanisms=["PLAIN"], ask=())
        assert talk(login, (b"AUTH PLAIN " + PLAIN, OK)).mechanism == "PLAIN"


# The other ways


def test_apop() -> None:
    digest = b"cbc6a66bb8ad32bd9bbda62bf9d53ab5"
    login = Login.apop("user", "secret")
    engine = connected()
    command = login.feed(told(engine), engine)
    assert command is not None
    assert engine.send(command).startswith(b"APOP user ")
    assert len(engine.in_flight[0].to_bytes()) == len(b"APOP user \r\n") + len(digest)
    engine.receive_data(b"+OK in\r\n")
    assert login.feed(told(engine), engine) is None
    assert login.result == LoginResult("APOP", False, "in")


def test_rpop() -> None:
    turns = (b"USER user", OK), (b"RPOP remote", b"+OK in\r\n")
    assert talk(Login.rpop("user", "remote"), *turns) == LoginResult("RPOP", False, "in")


@pytest.mark.parametrize("token", [SECRET, Secret(SECRET), lambda refused: SECRET])
def test_a_token_or_a_function(token: Any) -> None:
    login = Login.oauth("user", token, mechanism="XOAUTH2", initial_response=True)
    assert talk(login, (b"AUTH XOAUTH2 " + XOAUTH2, OK)).mechanism == "XOAUTH2"


@pytest.mark.parametrize("token", [SECRET.encode(), 5, [SECRET], Secret(SECRET.encode())])
def test_what_is_no_token_and_gives_none(token: Any) -> None:
    with pytest.raises(LocalProtocolError, match="a token is a str or a function") as caught:
        Login.oauth("user", token)
    assert SECRET not in shown(caught.value)


def test_a_function_is_asked_once_more() -> None:
    left = iter([SECRET, "fresh"])
    told_of: list[RefusedToken | None] = []

    def another(refused: RefusedToken | None) -> str:
        told_of.append(refused)
        return next(left)

    login = Login.oauth("user", another, mechanism="XOAUTH2", initial_response=True)
    turns = (b"AUTH XOAUTH2 " + XOAUTH2, NO), (b"AUTH XOAUTH2 " + FRESH, OK)
    assert talk(login, *turns).mechanism == "XOAUTH2"
    assert [refused and refused.token for refused in told_of] == [None, Secret(SECRET)]


def test_tokens_from_outside() -> None:
    login = Login.oauth("user")
    engine = connected()
    login.feed(told(engine), engine)
    with pytest.raises(LocalProtocolError, match="this login does not ask for an access token now"):
        login.token(SECRET)
    engine.send(Capa())
    engine.receive_data(capa()[1])
    assert login.feed(told(engine), engine) is None
    assert login.wants_token
    assert not login.done
    with pytest.raises(LocalProtocolError, match="this login needs an access token first"):
        login.feed(None, engine)
    assert login.refused_token is None
    assert login.token(SECRET) == Auth("XOAUTH2")
    assert not login.wants_token
    engine.send(Auth("XOAUTH2"))
    engine.receive_data(b"+ \r\n")
    message = AuthResponse(b"user=user\1auth=Bearer %s\1\1" % SECRET.encode())
    assert login.feed(told(engine), engine) == message
    engine.send(message)
    engine.receive_data(NO)
    assert login.feed(told(engine), engine) is None
    # Now it is said which one was refused, and why.
    assert login.wants_token
    assert login.refused_token is not None
    assert login.refused_token.token == Secret(SECRET)
    assert login.refused_token.error is login.failure
    assert SECRET not in repr(login.refused_token)
    assert login.token("fresh") == Auth("XOAUTH2")
    assert login.refused_token is None


def test_a_second_token_from_outside() -> None:
    turns = (b"AUTH XOAUTH2 " + XOAUTH2, NO), (b"AUTH XOAUTH2 " + FRESH, OK)
    login = Login.oauth("user", mechanism="XOAUTH2", initial_response=True)
    assert talk(login, *turns, tokens=(SECRET, "fresh")).mechanism == "XOAUTH2"
    login = Login.oauth("user", mechanism="XOAUTH2", initial_response=True)
    with pytest.raises(OAuthError):
        talk(login, turns[0], tokens=(SECRET, SECRET))


@pytest.mark.parametrize("wrong", [5, [SECRET], f"{SECRET}\n"])
def test_a_token_from_outside_that_is_none(wrong: Any) -> None:
    login = Login.oauth("user", mechanism="XOAUTH2")
    with pytest.raises(LocalProtocolError, match="access token") as caught:
        talk(login, tokens=(wrong,))
    assert SECRET not in shown(caught.value)
    assert login.done


def test_no_mechanism_can_be_used() -> None:
    login = Login("user", SECRET, mechanisms=["CRAM-MD5", "SCRAM-SHA-1"])
    with pytest.raises(MechanismError):
        talk(login, capa("SASL PLAIN"))
    assert (login.done, login.failure) == (True, None)


def test_a_code_says_why() -> None:
    login = Login("user", SECRET)
    with pytest.raises(CredentialsError):
        talk(login, capa("SASL PLAIN"), (b"AUTH PLAIN " + PLAIN, b"-ERR [AUTH] no\r\n"))


@pytest.mark.parametrize("how", [Login, Login.apop, Login.rpop, Login.oauth])
def test_no_secret_of_the_wrong_type_shows(how: Any) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        talk(how("user", [SECRET]), capa("SASL PLAIN"))
    assert SECRET not in shown(caught.value)
