import json
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto.sasl import oauth as client
from pop3proto.sasl.server import LoggedIn, ServerOAuthBearer, ServerXOAuth2, Verdict
from tests.property.effort import effort

TOKEN = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
USERS = ["user@example.com", "someuser@example.com", "us\u00e9r", "a,b=c"]
GOOGLES_TOKEN = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"


class Tokens:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def check_token(self, user: str, token: str) -> bool:
        self.asked.append((user, token))
        return user in USERS and token in (TOKEN, GOOGLES_TOKEN)


def outcomes(
    mechanism: ServerXOAuth2 | ServerOAuthBearer, *responses: bytes | None
) -> list[Verdict]:
    exchange = mechanism.begin()
    return [exchange.respond(response) for response in responses]


XOAUTH2 = b"user=user@example.com\x01auth=Bearer " + TOKEN.encode() + b"\x01\x01"
OAUTHBEARER = b"n,a=user@example.com,\x01auth=Bearer " + TOKEN.encode() + b"\x01\x01"
BOTH = pytest.mark.parametrize(
    ("mechanism", "right"),
    [(ServerXOAuth2(Tokens()), XOAUTH2), (ServerOAuthBearer(Tokens()), OAUTHBEARER)],
    ids=["XOAUTH2", "OAUTHBEARER"],
)


@BOTH
def test_a_mechanism_says_what_it_is(
    mechanism: ServerXOAuth2 | ServerOAuthBearer, right: bytes
) -> None:
    assert type(mechanism).__name__.upper() == "SERVER" + mechanism.name
    assert mechanism.shows_password


@BOTH
def test_a_token_is_good(mechanism: ServerXOAuth2 | ServerOAuthBearer, right: bytes) -> None:
    assert outcomes(mechanism, right) == [LoggedIn("user@example.com")]
    assert outcomes(mechanism, None, right) == [b"", LoggedIn("user@example.com")]
    assert outcomes(mechanism, right.replace(b"Bearer", b"bEARER")) == [
        LoggedIn("user@example.com")
    ]


def test_xoauth2_as_google_documents_it() -> None:
    message = b64decode(
        "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhk"
        "SFJoZG1semRHRXVZMjl0Q2cBAQ=="
    )
    scope = "https://mail.google.com/"
    mechanism = ServerXOAuth2(Tokens(), scope=scope, schemes="bearer mac")
    assert outcomes(mechanism, message) == [LoggedIn("someuser@example.com")]
    refusal, end = outcomes(mechanism, message.replace(b"ya29", b"ya30"), b"")
    # The document ends the text with a line feed.
    assert refusal == b64decode(
        "eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIG1hYyIsInNjb3BlIjoiaHR0cHM6Ly9tYWlsLmdvb2ds"
        "ZS5jb20vIn0K"
    ).rstrip(b"\n")
    assert end is None


def test_oauthbearer_of_rfc_7628() -> None:
    succeeds = b64decode(
        "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVy"
        "IHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
    )
    # A client that has no token yet.
    fails = b64decode(
        "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9AQE="
    )
    mechanism = ServerOAuthBearer(Tokens(), scope="example_scope")
    assert outcomes(mechanism, succeeds) == [LoggedIn("user@example.com")]
    refusal, end = outcomes(mechanism, fails, b64decode("AQ=="))
    assert refusal == b'{"status":"invalid_token","scope":"example_scope"}'
    assert end is None


@BOTH
@pytest.mark.parametrize("dummy", [b"", b"\x01", b"{}", None])
def test_a_refusal_is_explained_first(
    mechanism: ServerXOAuth2 | ServerOAuthBearer, right: bytes, dummy: bytes | None
) -> None:
    wrong = right.replace(TOKEN.encode(), b"wrong")
    explanation, end, after = outcomes(mechanism, wrong, dummy, right)
    assert isinstance(explanation, bytes)
    assert list(json.loads(explanation)) == ["status"]
    assert (end, after) == (None, None)


@BOTH
@pytest.mark.parametrize(
    "credentials",
    [b"", b"Bearer", b"Bearer ", b"Basic dDp0", b"Basic " + TOKEN.encode(), b"Bearer\t%b"],
)
def test_credentials_that_are_no_token_are_explained_too(
    mechanism: ServerXOAuth2 | ServerOAuthBearer, right: bytes, credentials: bytes
) -> None:
    message = right.replace(b"Bearer " + TOKEN.encode(), credentials)
    explanation, end = outcomes(mechanism, message, b"")
    assert isinstance(explanation, bytes)
    assert explanation.startswith(b'{"status":')
    assert end is None


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x01",
        XOAUTH2[:-1],
        XOAUTH2 + b"\x01",
        b"x" + XOAUTH2,
        XOAUTH2.replace(b"user@example.com", b""),
        XOAUTH2.replace(b"user@example.com", b"user\0"),
        XOAUTH2.replace(b"user@example.com", b"user\n"),
        XOAUTH2.replace(b"auth=", b"auth"),
        OAUTHBEARER,
    ],
)
def test_what_is_no_xoauth2(message: bytes) -> None:
    tokens = Tokens()
    assert outcomes(ServerXOAuth2(tokens), message, XOAUTH2) == [None, None]
    assert tokens.asked == []


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x01",
        OAUTHBEARER[:-1],
        OAUTHBEARER + b"\x01",
        OAUTHBEARER.replace(b"n,", b"p=tls-unique,"),
        OAUTHBEARER.replace(b"a=user@example.com", b""),
        OAUTHBEARER.replace(b"user@example.com", b""),
        OAUTHBEARER.replace(b"user@", b"us=er@"),
        OAUTHBEARER.replace(b"user@", b"us=2cer@"),
        OAUTHBEARER.replace(b"user@", b"us,er@"),
        OAUTHBEARER.replace(b"user@", b"us\0er@"),
        OAUTHBEARER.replace(b"auth=", b"auth"),
        OAUTHBEARER.replace(b"auth=", b"Auth="),
        OAUTHBEARER.replace(b"auth=", b"auth=\x01auth="),
        OAUTHBEARER.replace(b"auth=", b"x-y=z\x01auth="),
        b"n,a=user@example.com,\x01\x01",
        XOAUTH2,
    ],
)
def test_what_is_no_oauthbearer(message: bytes) -> None:
    tokens = Tokens()
    assert outcomes(ServerOAuthBearer(tokens), message, OAUTHBEARER) == [None, None]
    assert tokens.asked == []


def test_a_client_that_could_bind_a_channel_is_welcome() -> None:
    assert outcomes(ServerOAuthBearer(Tokens()), b"y" + OAUTHBEARER[1:]) == [
        LoggedIn("user@example.com")
    ]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("token", [TOKEN, "wrong"])
@pytest.mark.parametrize("kind", ["XOAuth2", "OAuthBearer"])
def test_the_client_against_the_server(user: str, token: str, kind: str) -> None:
    tokens = Tokens()
    mechanism = {"XOAuth2": ServerXOAuth2, "OAuthBearer": ServerOAuthBearer}[kind](
        tokens, scope="mail"
    )
    other = {"XOAuth2": client.XOAuth2, "OAuthBearer": client.OAuthBearer}[kind](user, token)
    exchange = mechanism.begin()
    outcome = exchange.respond(other.initial())
    assert tokens.asked == [(user, token)]
    if token == TOKEN:
        assert outcome == LoggedIn(user)
        return
    assert isinstance(outcome, bytes)
    assert exchange.respond(other.respond(outcome)) is None
    status = {"XOAuth2": "401", "OAuthBearer": "invalid_token"}[kind]
    assert other.details == {"status": status, "scope": "mail"}


def test_octets_that_are_not_utf_8_reach_the_source() -> None:
    tokens = Tokens()
    outcomes(ServerXOAuth2(tokens), client.XOAuth2(b"\xff", "t").initial())
    outcomes(ServerOAuthBearer(tokens), client.OAuthBearer(b"\xff", "t").initial())
    assert tokens.asked == [("\udcff", "t")] * 2


PIECES = st.sampled_from(
    [b"n,a=", b"user", b",\x01", b"auth=", b"Bearer ", b"\x01", b"\x01\x01", b"=2C", b"=", b"\xff"]
)


@effort(100)
@given(
    st.sampled_from([ServerXOAuth2(Tokens()), ServerOAuthBearer(Tokens())]),
    st.lists(st.none() | st.binary() | st.lists(PIECES).map(b"".join), max_size=3),
)
def test_nothing_that_a_client_sends_is_an_error(
    mechanism: ServerXOAuth2 | ServerOAuthBearer, responses: list[bytes | None]
) -> None:
    for outcome in outcomes(mechanism, *responses):
        assert outcome is None or isinstance(outcome, bytes)
