import hashlib
from typing import Any

import pytest

from pop3proto import LocalProtocolError, Secret
from pop3proto.sasl.server import Passwords, PasswordSource
from pop3proto.sasl.users import apop_digest_matches, as_text
from tests.sasl.logins import without_md5_for_security

USERS = {"user": "secret", "usér": "pässword"}


@pytest.mark.parametrize(
    ("user", "password", "right"),
    [
        ("user", "secret", True),
        ("user", "Secret", False),
        ("user", "", False),
        ("nobody", "secret", False),
        ("usér", "pässword", True),
        ("user", "secret\udcff", False),
    ],
)
def test_passwords_are_checked(user: str, password: str, right: bool) -> None:
    assert Passwords(USERS).check(user, password) is right


def test_passwords_are_compared_as_they_are_prepared() -> None:
    passwords = Passwords({"composed": "p\u00e4ss", "soft": "pa\u00adss", "never": "\u0627x"})
    assert passwords.check("composed", "pa\u0308ss")
    assert passwords.check("soft", "pass")
    assert passwords.check("soft", "pa\u00adss")
    # It mixes directions, so there is no prepared form.
    assert passwords.check("never", "\u0627x")
    assert not passwords.check("never", "x")


def test_passwords_follow_their_mapping() -> None:
    users = {"user": "old"}
    passwords = Passwords(users)
    users["user"] = "new"
    assert passwords.check("user", "new")
    assert not passwords.check("user", "old")


def test_passwords_are_a_password_source() -> None:
    passwords = Passwords(USERS)
    assert isinstance(passwords, PasswordSource)
    assert passwords.password_for("user") == "secret"
    assert passwords.password_for("nobody") is None


@pytest.mark.parametrize("wrong", [5, b"secret", "p\ud800", Secret("p")])
def test_what_is_no_password_is_named_and_not_shown(wrong: Any) -> None:
    passwords = Passwords({"user": wrong})
    for look in (passwords.password_for, lambda user: passwords.check(user, "secret")):
        with pytest.raises(LocalProtocolError, match=r"^a password in users ") as caught:
            look("user")
        assert caught.value.__context__ is None
    assert Passwords({"user": "\udcff"}).check("user", "\udcff")


def test_what_stands_in_for_an_unknown_password_never_matches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Even whoever guessed it is not let in.
    monkeypatch.setattr("pop3proto.sasl.users.NOBODYS", "guessed")
    assert not Passwords(USERS).check("nobody", "guessed")
    digest = hashlib.md5(b"<1@example.org>guessed").hexdigest()
    assert not apop_digest_matches(digest, "<1@example.org>", None)


def test_the_apop_digest_of_rfc_1939() -> None:
    stamp, digest = "<1896.697170952@dbc.mtview.ca.us>", "c4c9334bac560ecc979e58001b3e22fb"
    assert apop_digest_matches(digest, stamp, "tanstaaf")
    assert not apop_digest_matches(digest, stamp, "tanstaafl")
    assert not apop_digest_matches("0" * 32, stamp, "tanstaaf")


def test_apop_where_md5_is_refused_for_security(monkeypatch: pytest.MonkeyPatch) -> None:
    without_md5_for_security(monkeypatch)
    test_the_apop_digest_of_rfc_1939()


@pytest.mark.parametrize("stored", ["pa\u0308ss", "p\xe4ss", "pa\xad\u0308ss"])
def test_apop_takes_a_password_that_the_client_has_prepared(stored: str) -> None:
    # RFC 6856 section 2.2.
    for sent in (stored, "p\xe4ss"):
        digest = hashlib.md5(b"<1@example.org>" + sent.encode()).hexdigest()
        assert apop_digest_matches(digest, "<1@example.org>", stored)
    digest = hashlib.md5(b"<1@example.org>pass").hexdigest()
    assert not apop_digest_matches(digest, "<1@example.org>", stored)


def test_text_keeps_octets_that_are_not_utf_8() -> None:
    assert as_text("user") == "user"
    assert as_text(b"us\xc3\xa9r \xff") == "usér \udcff"
