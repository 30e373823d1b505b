from base64 import b64decode
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import LocalProtocolError
from pop3proto.sasl import Anonymous as AnonymousClient
from pop3proto.sasl import External as ExternalClient
from pop3proto.sasl import LoginMechanism as LoginClient
from pop3proto.sasl.server import (
    LoggedIn,
    Passwords,
    ServerAnonymous,
    ServerExternal,
    ServerLogin,
    ServerPlain,
    Verdict,
)
from tests.property.effort import effort

USERS = Passwords(
    {"tab\t": "secret", "tab": "secret\r\n", "user": "secret", "us\u00e9r": "p\u00e4ssword"}
)


def outcomes(
    mechanism: ServerLogin | ServerExternal | ServerAnonymous, *responses: bytes | None
) -> list[Verdict]:
    exchange = mechanism.begin()
    return [exchange.respond(response) for response in responses]


@pytest.mark.parametrize(("user", "password"), [(b"tab\t", b"secret"), (b"tab", b"secret\r\n")])
def test_what_no_client_of_this_library_sends(user: bytes, password: bytes) -> None:
    assert ServerPlain(USERS).begin().respond(b"\0%b\0%b" % (user, password)) is None
    assert outcomes(ServerLogin(USERS), None, user, password)[-1] is None


@pytest.mark.parametrize(
    ("mechanism", "name", "shows_password"),
    [
        (ServerLogin(USERS), "LOGIN", True),
        (ServerExternal("user"), "EXTERNAL", False),
        (ServerAnonymous(), "ANONYMOUS", False),
    ],
)
def test_a_mechanism_says_what_it_is(
    mechanism: ServerLogin | ServerExternal | ServerAnonymous, name: str, shows_password: bool
) -> None:
    assert (mechanism.name, mechanism.shows_password) == (name, shows_password)


@pytest.mark.parametrize(
    ("user", "password", "outcome"),
    [
        ("user", "secret", LoggedIn("user")),
        ("us\u00e9r", "p\u00e4ssword", LoggedIn("us\u00e9r")),
        ("user", "Secret", None),
        ("user", "", None),
        ("nobody", "secret", None),
        (b"\xff", b"\xff", None),
    ],
)
def test_login_with_the_client(user: str, password: str, outcome: Verdict) -> None:
    client, exchange = LoginClient(user, password), ServerLogin(USERS).begin()
    prompts = [exchange.respond(client.initial())]
    prompts.append(exchange.respond(client.respond(b"Username:")))
    assert prompts == [b"Username:", b"Password:"]
    assert exchange.respond(client.respond(b"Password:")) == outcome


def test_login_takes_the_name_with_the_command() -> None:
    assert outcomes(ServerLogin(USERS), b"user", b"secret") == [b"Password:", LoggedIn("user")]


def test_a_response_is_octets() -> None:
    with pytest.raises(LocalProtocolError, match=r"^data is bytes"):
        ServerPlain(USERS).begin().respond(cast(Any, "\0user\0secret"))


class Everybody:
    def check(self, user: str, password: str) -> bool:
        return True


@pytest.mark.parametrize(("user", "password"), [(b"", b"x"), (b"a\0b", b"x"), (b"a", b"x\0y")])
def test_login_keeps_nonsense_from_the_authenticator(user: bytes, password: bytes) -> None:
    assert outcomes(ServerLogin(Everybody()), user, password) == [b"Password:", None]
    assert outcomes(ServerLogin(Everybody()), b"a", b"x")[-1] == LoggedIn("a")


@pytest.mark.parametrize("password", [b"secret", b"wrong"])
def test_login_is_over_after_the_password(password: bytes) -> None:
    first = [b"Username:", b"Password:", LoggedIn("user") if password == b"secret" else None]
    assert outcomes(ServerLogin(USERS), None, b"user", password, b"secret") == [*first, None]
    assert outcomes(ServerLogin(USERS), None, b"user", password, None) == [*first, None]


def test_logins_do_not_share_a_name() -> None:
    mechanism = ServerLogin(USERS)
    one, other = mechanism.begin(), mechanism.begin()
    assert one.respond(b"user") == b"Password:"
    assert other.respond(b"secret") == b"Password:"
    assert one.respond(b"secret") == LoggedIn("user")


@pytest.mark.parametrize(
    ("identity", "response", "outcome"),
    [
        ("user", b"", LoggedIn("user")),
        ("user", b"user", LoggedIn("user")),
        ("us\u00e9r", b"us\xc3\xa9r", LoggedIn("us\u00e9r")),
        ("user", b"other", None),
        ("user", b"user\0", None),
        ("user", b"\xff", None),
        ("", b"", None),
        ("", b"user", None),
    ],
)
def test_external(identity: str, response: bytes, outcome: Verdict) -> None:
    assert outcomes(ServerExternal(identity), None, response) == [b"", outcome]
    assert outcomes(ServerExternal(identity), response) == [outcome]


def test_external_with_the_client() -> None:
    assert outcomes(ServerExternal("user"), ExternalClient().initial()) == [LoggedIn("user")]
    assert outcomes(ServerExternal("user"), ExternalClient("user").initial()) == [LoggedIn("user")]
    assert outcomes(ServerExternal("user"), ExternalClient("other").initial()) == [None]


def test_anonymous_of_rfc_4505() -> None:
    traces: list[str] = []
    mechanism = ServerAnonymous(on_trace=traces.append)
    sirhc = b64decode("c2lyaGM=")
    assert outcomes(mechanism, None, sirhc) == [b"", LoggedIn("anonymous")]
    assert traces == ["sirhc"]


def test_anonymous_with_the_client() -> None:
    traces: list[str] = []
    mechanism = ServerAnonymous("guest", on_trace=traces.append)
    for trace in ("", "us\u00e9r@example.org"):
        message = AnonymousClient(trace).initial()
        assert outcomes(mechanism, message) == [LoggedIn("guest")]
        assert outcomes(ServerAnonymous("guest"), message) == [LoggedIn("guest")]
    assert traces == ["us\u00e9r@example.org"]


@pytest.mark.parametrize("trace", [b"a\0", b"a\n", b"\xff", b"@", b"x" * 256, b"\xc2\x85"])
def test_anonymous_refuses_what_is_no_trace(trace: bytes) -> None:
    traces: list[str] = []
    assert outcomes(ServerAnonymous(on_trace=traces.append), trace) == [None]
    assert traces == []


def test_plain_needs_a_name_and_leaves_the_password_to_the_authenticator() -> None:
    attempt = ServerPlain(Everybody()).begin()
    assert attempt.respond(b"\0\0secret") is None
    assert attempt.respond(b"\0user\0") == LoggedIn("user")


@effort(100)
@given(
    st.sampled_from([ServerLogin(USERS), ServerExternal("user"), ServerAnonymous()]),
    st.lists(st.none() | st.binary(), max_size=4),
)
def test_nothing_that_a_client_sends_is_an_error(
    mechanism: ServerLogin | ServerExternal | ServerAnonymous, responses: list[bytes | None]
) -> None:
    for outcome in outcomes(mechanism, *responses):
        assert outcome is None or isinstance(outcome, bytes | LoggedIn)


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        (None, b""),
        (b"\0user\0secret", LoggedIn("user")),
        (b"user\0user\0secret", LoggedIn("user")),
        (b"\0us\xc3\xa9r\0p\xc3\xa4ssword", LoggedIn("usér")),
        (b"\0user\0wrong", None),
        (b"us\xc3\xa9r\0user\0secret", None),
        (b"\0\0secret", None),
        (b"", None),
        (b"user\0secret", None),
        (b"\0user\0secret\0", None),
    ],
)
def test_plain(response: bytes | None, outcome: object) -> None:
    mechanism = ServerPlain(Passwords({"user": "secret", "usér": "pässword"}))
    assert (mechanism.name, mechanism.shows_password) == ("PLAIN", True)
    assert mechanism.begin().respond(response) == outcome
