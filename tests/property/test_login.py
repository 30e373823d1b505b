"""A login comes to its end, whatever the server says, and raises nothing but what it says."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import ClientConnection, Login, Signal, State
from pop3proto.errors import LoginError, Pop3Error, ServerVerificationError
from pop3proto.sasl import (
    PASSWORD_MECHANISMS,
    ChannelBinding,
    External,
    Mechanism,
    RefusedToken,
    by_name,
)
from pop3proto.sasl.server import (
    Attempt,
    Passwords,
    ServerMechanism,
    ServerOAuthBearer,
    ServerXOAuth2,
    Verdict,
    password_mechanisms,
)
from pop3proto.server import Close, MemoryMaildrops, NeedData, Send, ServerOptions, ServerSession
from tests.property.effort import effort

SECRET = "pa55word"
HOST = "pop.example.org"
BINDING = ChannelBinding("tls-server-end-point", b"x" * 32)
# NTLM is pyspnego's.
MECHANISMS = sorted(PASSWORD_MECHANISMS - {"NTLM"})
NAMES = [*MECHANISMS, "USER", "APOP"]
# More answers than any login asks for: 20 rounds of each mechanism, and the cancelling of each.
ENOUGH = 23 * (len(NAMES) + 4)


class Tokens:
    def check_token(self, user: str, token: str) -> bool:
        return (user, token) == ("user", SECRET)


def named(name: str) -> Mechanism:
    plus = BINDING if name.endswith("-PLUS") else None
    return by_name(name, "user", SECRET, host=HOST, channel_binding=plus)


def another_token() -> Callable[[RefusedToken | None], str]:
    return lambda refused: SECRET if refused is None else "other"


LOGINS: dict[str, Callable[[], Login]] = {
    "best": lambda: Login("user", SECRET, channel_binding=BINDING, host=HOST),
    "all": lambda: Login("user", SECRET, mechanisms=NAMES, channel_binding=BINDING, host=HOST),
    "late": lambda: Login("user", SECRET, initial_response=False),
    "oauth": lambda: Login.oauth("user", SECRET),
    "oauth function": lambda: Login.oauth("user", another_token()),
    "oauth from outside": lambda: Login.oauth("user"),
    "apop": lambda: Login.apop("user", SECRET),
    "rpop": lambda: Login.rpop("user", "remote"),
    "external": lambda: Login.authenticate(External()),
}
for _name in MECHANISMS:
    LOGINS[_name] = lambda name=_name: Login.authenticate(named(name))  # type: ignore[misc]
for _name in ("OAUTHBEARER", "XOAUTH2"):
    LOGINS[_name] = lambda name=_name: Login.oauth("user", SECRET, mechanism=name)  # type: ignore[misc]


def documented(error: Exception, login: Login, engine: ClientConnection) -> None:
    """Check that what was raised is of the documented kinds, and tells the truth."""
    assert isinstance(error, Pop3Error)
    assert SECRET not in str(error)
    assert login.done or engine.state is State.DEAD
    if isinstance(error, ServerVerificationError):
        assert not login.session_usable
    elif isinstance(error, LoginError):
        assert login.session_usable is error.session_usable
        assert engine.state is not State.AUTHENTICATING


def next_event(engine: ClientConnection, more: Callable[[], bytes]) -> Any:
    while (event := engine.next_event()) is Signal.NEED_DATA:
        engine.receive_data(more())
    return event


def drive(
    login: Login,
    engine: ClientConnection,
    send: Callable[[bytes], object],
    more: Callable[[], bytes],
) -> int:
    """Let the login run to its end, or to what it raises; how many commands it took."""
    count, tokens = 0, iter([SECRET, "other"])
    try:
        while not login.done:
            if login.wants_token:
                command = login.token(next(tokens))
            else:
                command = login.feed(next_event(engine, more), engine)
            if command is not None:
                count += 1
                assert count <= ENOUGH
                send(engine.send(command))
        assert login.result.mechanism
        assert engine.state is State.TRANSACTION
    except Pop3Error as error:
        documented(error, login, engine)
    return count


# Against this library's own server, whose mechanisms go wrong now and then


class Unreliable:
    """A mechanism whose verdicts are now and then others than they should be."""

    def __init__(self, mechanism: ServerMechanism, others: Iterator[Verdict]) -> None:
        self.name = mechanism.name
        self.shows_password = mechanism.shows_password
        self._mechanism = mechanism
        self._others = others

    def begin(self) -> Attempt:
        attempt, others = self._mechanism.begin(), self._others

        class Changed:
            def respond(self, data: bytes | None) -> Verdict:
                verdict = attempt.respond(data)
                # At the end, and where b"right" says so, it is as it should be.
                other = next(others, b"right")
                return verdict if other == b"right" else other

        return Changed()


def offered(others: Iterator[Verdict]) -> list[ServerMechanism]:
    every = (
        *password_mechanisms(Passwords({"user": SECRET}), host=HOST, channel_bindings=[BINDING]),
        ServerOAuthBearer(Tokens()),
        ServerXOAuth2(Tokens()),
    )
    return [Unreliable(mechanism, others) for mechanism in every]


VERDICTS = (
    st.just(b"right")
    | st.none()
    | st.binary(max_size=40)
    | st.sampled_from([b"", b"e=invalid-proof", b"e=channel-bindings-dont-match", b"{}"])
)


def against_our_own(login: Login, others: list[Verdict]) -> None:
    session = ServerSession(
        MemoryMaildrops({"user": []}),
        users={"user": SECRET},
        secure=True,
        mechanisms=offered(iter(others)),
        options=ServerOptions(failed_login_delay=0.0, max_failed_logins=1000),
    )

    def more() -> bytes:
        said = b""
        while True:
            match session.next_action():
                case Send(data):
                    said += data
                case NeedData() | Close():
                    return said
                case _:
                    pass

    drive(login, ClientConnection(secure=True), session.receive_data, more)


@pytest.mark.parametrize("how", sorted({*LOGINS} - {"rpop", "external"}))
def test_every_login_succeeds_where_nothing_goes_wrong(how: str) -> None:
    login = LOGINS[how]()
    against_our_own(login, [])
    assert login.result.text


@pytest.mark.parametrize("how", LOGINS)
@effort(15)
@given(others=st.lists(VERDICTS, max_size=12))
def test_against_a_server_whose_mechanisms_err(how: str, others: list[Verdict]) -> None:
    against_our_own(LOGINS[how](), others)


# Against a server that says anything


CODES = ["", "[AUTH] ", "[IN-USE] ", "[LOGIN-DELAY] ", "[SYS/TEMP] ", "[SYS/PERM] ", "[X] "]
ANSWERS = (
    st.sampled_from(CODES).map(lambda code: f"-ERR {code}no\r\n".encode())
    | st.sampled_from([b"+OK\r\n", b"+ \r\n", b"+OK in\r\n", b"+OK\r\n.\r\n"])
    | st.binary(max_size=30).map(lambda data: b"+ " + b64encode(data) + b"\r\n")
    | st.sampled_from(
        [
            b"+OK\r\nSASL PLAIN CRAM-MD5 SCRAM-SHA-1\r\n.\r\n",
            b"+OK\r\nSASL XOAUTH2\r\nUTF8 USER\r\n.\r\n",
        ]
    )
    | st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"") + b"\r\n")
)
GREETINGS = st.sampled_from(
    [b"+OK\r\n", b"+OK <1.2@example.org>\r\n", b"-ERR busy\r\n", b"+OK \xff\r\n"]
)


@pytest.mark.parametrize("how", LOGINS)
@effort(15)
@given(greeting=GREETINGS, answers=st.lists(ANSWERS, max_size=12), secure=st.booleans())
def test_against_a_server_that_says_anything(
    how: str, greeting: bytes, answers: list[bytes], secure: bool
) -> None:
    said = iter([greeting, *answers])
    engine = ClientConnection(secure=secure)
    drive(LOGINS[how](), engine, lambda data: None, lambda: next(said, b""))


def test_a_server_that_keeps_asking_is_left() -> None:
    def again() -> bytes:
        return (
            b"+ " + b64encode(b"x") + b"\r\n" if engine.state is not State.GREETING else b"+OK\r\n"
        )

    class Patient:
        name = "X-PATIENT"
        complete = True

        def initial(self) -> bytes | None:
            return None

        def respond(self, challenge: bytes) -> bytes:
            return b""

    engine = ClientConnection(secure=True)
    with suppress(Pop3Error):
        assert drive(Login.authenticate(Patient()), engine, lambda data: None, again) < 30
