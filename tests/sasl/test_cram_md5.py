import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import LocalProtocolError
from pop3proto.errors import SaslError
from pop3proto.sasl import CramMd5
from pop3proto.sasl.server import LoggedIn, Passwords
from pop3proto.sasl.server import ServerCramMd5 as Server
from tests.property.effort import effort
from tests.sasl.logins import without_md5_for_security
from tests.tracebacks import shown

SECRET = "tanstaaftanstaaf"
CHALLENGE = b"<1896.697170952@postoffice.reston.mci.net>"
# RFC 2195 section 2.
DIGEST = b"b913a602c7eda7a495b4e6e7334d3890"


def test_the_example_of_rfc_2195() -> None:
    cram = CramMd5("tim", SECRET)
    assert (cram.name, cram.shows_secret, cram.complete) == ("CRAM-MD5", False, False)
    assert cram.initial() is None
    assert not cram.complete
    assert cram.respond(CHALLENGE) == b"tim " + DIGEST
    assert cram.complete


def test_a_system_that_refuses_md5_for_security(monkeypatch: pytest.MonkeyPatch) -> None:
    """As FIPS 140 demands; the other side has chosen the hash."""
    without_md5_for_security(monkeypatch)
    test_the_example_of_rfc_2195()


def test_it_answers_once() -> None:
    cram = CramMd5("tim", SECRET)
    cram.respond(CHALLENGE)
    with pytest.raises(SaslError, match="second challenge"):
        cram.respond(CHALLENGE)


def test_it_does_not_answer_an_empty_challenge() -> None:
    cram = CramMd5("tim", SECRET)
    with pytest.raises(SaslError, match="is empty") as caught:
        cram.respond(b"")
    assert not cram.complete
    assert SECRET not in shown(caught.value)


def test_the_secret_is_not_shown() -> None:
    cram = CramMd5("tim", SECRET)
    assert repr(cram) == "CramMd5(<secret>)"
    assert not hasattr(cram, "__dict__")


def test_text_is_prepared_and_octets_are_not() -> None:
    prepared = CramMd5("\u00aa", "I\u00adX").respond(CHALLENGE)
    assert prepared == CramMd5(b"a", b"IX").respond(CHALLENGE)
    assert CramMd5(b"\xff \xfe", "").respond(CHALLENGE).startswith(b"\xff \xfe ")


@pytest.mark.parametrize("password", [f"{SECRET}\0", f"{SECRET}\x07", f"{SECRET}\ud800"])
def test_an_unusable_password_is_not_shown(password: str) -> None:
    with pytest.raises(LocalProtocolError, match="the password") as caught:
        CramMd5("tim", password)
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize("user", ["", "tim\0", b"tim\0"])
def test_an_unusable_name_does_not_show_the_password(user: str | bytes) -> None:
    with pytest.raises(LocalProtocolError, match="the user name") as caught:
        CramMd5(user, SECRET)
    assert SECRET not in shown(caught.value)


@effort(100)
@given(st.binary(max_size=300))
def test_any_challenge_is_answered_or_refused(challenge: bytes) -> None:
    cram = CramMd5("tim", SECRET)
    try:
        answer = cram.respond(challenge)
    except SaslError:
        assert not challenge
    else:
        assert answer.startswith(b"tim ")
        assert len(answer) == 4 + 32


@pytest.mark.parametrize("user", ["user", "two words", "us\u00e9r"])
@pytest.mark.parametrize("password", ["secret", "p\u00e4ssword", "wrong"])
def test_the_client_against_the_server(user: str, password: str) -> None:
    right = dict.fromkeys(["user", "two words", "us\u00e9r"], "p\u00e4ssword")
    exchange = Server(Passwords(right), host="mail.example.org").begin()
    challenge = exchange.respond(None)
    assert isinstance(challenge, bytes)
    outcome = exchange.respond(CramMd5(user, password).respond(challenge))
    assert outcome == (LoggedIn(user) if password == right[user] else None)
