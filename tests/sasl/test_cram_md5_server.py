import hmac
from hashlib import md5
from re import fullmatch
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import LocalProtocolError
from pop3proto.sasl import CramMd5 as CramMd5Client
from pop3proto.sasl import cram_md5 as _module
from pop3proto.sasl.server import LoggedIn, Passwords, ServerCramMd5, Verdict
from tests.property.effort import effort
from tests.sasl.logins import counted_calls

HOST = "mail.example.org"
PASSWORDS = {
    "user": "secret",
    "us\u00e9r": "p\u00e4ss",
    "euro": "\u20ac",
    "\u65e5": "x",
    "ctl": "\x07",
}
USERS = Passwords(PASSWORDS)


def cram() -> ServerCramMd5:
    return ServerCramMd5(USERS, host=HOST)


def test_it_says_what_it_is() -> None:
    assert (cram().name, cram().shows_password) == ("CRAM-MD5", False)


@pytest.mark.parametrize("host", ["", "a b", "\u00e4", "a\n", None])
def test_a_server_has_a_name(host: Any) -> None:
    with pytest.raises(LocalProtocolError, match="printable ASCII"):
        ServerCramMd5(USERS, host=host)


def test_the_example_of_rfc_2195(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = iter(["1896", "697170952"])
    monkeypatch.setattr(_module, "urandom", lambda _: Mock(hex=lambda: next(tokens)))
    mechanism = ServerCramMd5(
        Passwords({"tim": "tanstaaftanstaaf"}), host="postoffice.reston.mci.net"
    )
    exchange = mechanism.begin()
    assert exchange.respond(None) == b"<1896.697170952@postoffice.reston.mci.net>"
    assert exchange.respond(b"tim b913a602c7eda7a495b4e6e7334d3890") == LoggedIn("tim")


def cram_answer(challenge: Verdict, user: bytes = b"user", password: bytes = b"secret") -> bytes:
    assert isinstance(challenge, bytes)
    return user + b" " + hmac.new(password, challenge, md5).hexdigest().encode()


def test_cram_challenges_are_never_the_same() -> None:
    challenges = [cram().begin().respond(None) for _ in range(2)]
    assert challenges[0] != challenges[1]
    for challenge in challenges:
        assert isinstance(challenge, bytes)
        # 256 random bits.
        assert fullmatch(rb"<[0-9a-f]{64}\.[0-9a-f]{8}@mail\.example\.org>", challenge)


@pytest.mark.parametrize(
    ("user", "password", "outcome"),
    [
        (b"user", b"secret", LoggedIn("user")),
        ("us\u00e9r".encode(), "p\u00e4ss".encode(), LoggedIn("us\u00e9r")),
        # A password that SASLprep forbids is taken as it is.
        (b"ctl", b"\x07", LoggedIn("ctl")),
        (b"user", b"Secret", None),
        (b"nobody", b"secret", None),
        (b"\xff", b"secret", None),
        (b" user", b"secret", None),
    ],
)
def test_cram_passwords(user: bytes, password: bytes, outcome: Verdict) -> None:
    exchange = cram().begin()
    assert exchange.respond(cram_answer(exchange.respond(None), user, password)) == outcome


# A soft hyphen is nothing to SASLprep, beside what Unicode 3.2 knows and what it does not.
@pytest.mark.parametrize("stored", ["I\u00adX", "\U0001f600\u00ad"])
def test_cram_passwords_count_as_stored_and_as_prepared(stored: str) -> None:
    prepared = stored.replace("\u00ad", "")
    for password in (stored, prepared, stored.encode(), prepared.encode()):
        exchange = ServerCramMd5(Passwords({"user": stored}), host=HOST).begin()
        challenge = exchange.respond(None)
        assert isinstance(challenge, bytes)
        client = CramMd5Client("user", password)
        assert exchange.respond(client.respond(challenge)) == LoggedIn("user")


@pytest.mark.parametrize("first", [b"", b"user 00", b"user " + b"0" * 32, None])
def test_a_cram_challenge_is_used_once(first: bytes | None) -> None:
    exchange = cram().begin()
    answer = cram_answer(exchange.respond(None))
    assert exchange.respond(first) is None
    assert exchange.respond(answer) is None


def test_a_cram_login_is_not_repeated() -> None:
    exchange = cram().begin()
    answer = cram_answer(exchange.respond(None))
    assert exchange.respond(answer) == LoggedIn("user")
    assert exchange.respond(answer) is None


def test_an_answer_to_another_cram_challenge() -> None:
    mechanism = cram()
    one, other = mechanism.begin(), mechanism.begin()
    answer = cram_answer(one.respond(None))
    other.respond(None)
    assert other.respond(answer) is None
    assert one.respond(answer) == LoggedIn("user")


def test_cram_has_no_initial_response() -> None:
    exchange = cram().begin()
    assert exchange.respond(b"user " + b"0" * 32) is None
    assert exchange.respond(None) is None


def test_what_stands_in_for_an_unknown_password_never_matches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Even whoever guessed it is not let in.
    monkeypatch.setattr(_module, "NOBODYS", "guessed")
    exchange = cram().begin()
    assert exchange.respond(cram_answer(exchange.respond(None), b"nobody", b"guessed")) is None


@pytest.mark.parametrize("user", ["user", "nobody"])
def test_an_unknown_user_costs_as_much_as_a_wrong_password(
    monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    done = counted_calls(monkeypatch, _module, "_answer", "prepared")
    exchange = cram().begin()
    assert exchange.respond(cram_answer(exchange.respond(None), user.encode(), b"wrong")) is None
    assert sorted(done) == ["_answer", "_answer", "prepared"]


@effort(100)
@given(
    st.lists(
        st.none() | st.binary() | st.binary(max_size=9).map(lambda user: user + b" " + b"0" * 32),
        max_size=3,
    ),
)
def test_nothing_that_a_client_sends_is_an_error(responses: list[bytes | None]) -> None:
    exchange = cram().begin()
    assert isinstance(exchange.respond(None), bytes)
    for response in responses:
        assert exchange.respond(response) is None


@pytest.mark.parametrize("user", ["user", "tab\t"])
def test_a_name_holds_no_control_character(user: str) -> None:
    exchange = ServerCramMd5(Passwords({user: "secret"}), host="example.org").begin()
    challenge = exchange.respond(None)
    assert isinstance(challenge, bytes)
    answer = CramMd5Client("user", "secret").respond(challenge)
    verdict = exchange.respond(answer.replace(b"user", user.encode(), 1))
    assert verdict == (LoggedIn(user) if user == "user" else None)
