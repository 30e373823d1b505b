"""Which way to log in is taken, and which one after a refusal."""

import pytest

from pop3proto import (
    AuthenticationFailed,
    LoginDelayed,
    MaildropBusy,
    MechanismUnavailable,
    PermanentFailure,
    PlaintextAuthRefused,
    SaslError,
    ServerNotVerified,
    TemporaryFailure,
    WrongCredentials,
)
from pop3proto.sasl import ChannelBinding
from pop3proto.transports._choice import Choice, is_final

BINDING = ChannelBinding("tls-server-end-point", b"x")
EVERYTHING = (
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
    "DIGEST-MD5",
    "NTLM",
    "GSSAPI",
    "SCRAM-SHA-1",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-256-PLUS",
)


def choice(
    *offered: str,
    named: list[str] | None = None,
    bound: bool = False,
    show_password: bool = True,
) -> Choice:
    bindings = [BINDING] if bound else []
    return Choice(named, offered=offered, bindings=bindings, show_password=show_password)


def order(made: Choice, error: AuthenticationFailed | SaslError) -> list[str]:
    """What is tried if every attempt ends in ``error``."""
    found = [made.next()]
    while made.go_on(error):
        found.append(made.next())
    return found


REFUSED = AuthenticationFailed("no")
SENSELESS = SaslError("what?")


@pytest.mark.parametrize(
    ("offered", "bound", "expected"),
    [
        (EVERYTHING, True, ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"]),
        (EVERYTHING, False, ["SCRAM-SHA-256", "SCRAM-SHA-1"]),
        (("PLAIN", "CRAM-MD5"), False, ["CRAM-MD5"]),
        (("LOGIN", "PLAIN"), False, ["PLAIN", "USER"]),
        (("LOGIN",), False, ["LOGIN", "USER"]),
        (("DIGEST-MD5", "NTLM", "X-OWN"), False, ["USER"]),
        ((), True, ["USER"]),
    ],
)
def test_the_strongest_comes_first_and_nothing_weaker_behind_it(
    offered: tuple[str, ...], bound: bool, expected: list[str]
) -> None:
    assert order(choice(*offered, bound=bound), REFUSED) == expected


def test_login_is_tried_where_plain_was_not_understood() -> None:
    assert order(choice("PLAIN", "LOGIN"), SENSELESS) == ["PLAIN", "LOGIN", "USER"]


def test_the_caller_orders_and_narrows() -> None:
    named = ["user", "plain", "scram-sha-512", "cram-md5"]
    made = choice("PLAIN", "CRAM-MD5", "SCRAM-SHA-1", named=named)
    assert order(made, REFUSED) == ["USER", "PLAIN", "CRAM-MD5"]
    assert order(choice("PLAIN", named=["APOP", "PLAIN"]), REFUSED) == ["APOP", "PLAIN"]


@pytest.mark.parametrize("name", ["PLAIN", "digest-md5", "APOP", "NTLM"])
def test_a_single_name_needs_no_announcement(name: str) -> None:
    assert order(choice("LOGIN", named=[name]), REFUSED) == [name.upper()]


def test_a_binding_is_needed_for_plus() -> None:
    with pytest.raises(MechanismUnavailable):
        choice("SCRAM-SHA-1-PLUS", named=["SCRAM-SHA-1-PLUS"])
    made = choice("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", bound=True)
    assert made.binding(made.next()) == BINDING
    assert made.binding("SCRAM-SHA-1") is None


@pytest.mark.parametrize(
    ("offered", "bound", "can_bind"),
    [
        (("SCRAM-SHA-1",), True, True),
        (("SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"), True, False),
        (("SCRAM-SHA-1",), False, False),
    ],
)
def test_whether_a_stripped_offer_would_show(
    offered: tuple[str, ...], bound: bool, can_bind: bool
) -> None:
    assert choice(*offered, bound=bound).can_bind is can_bind


def test_what_shows_the_password_needs_tls() -> None:
    made = choice("PLAIN", "CRAM-MD5", "SCRAM-SHA-1", show_password=False)
    assert order(made, REFUSED) == ["SCRAM-SHA-1"]
    for offered in (("PLAIN", "LOGIN"), ()):
        with pytest.raises(PlaintextAuthRefused):
            choice(*offered, show_password=False)


def test_nothing_that_is_allowed_is_offered() -> None:
    with pytest.raises(MechanismUnavailable, match="those that are: X-OWN, PLAIN"):
        choice("X-OWN", "PLAIN", named=["SCRAM-SHA-1", "CRAM-MD5"])
    with pytest.raises(MechanismUnavailable, match="those that are: none"):
        choice(named=[])


@pytest.mark.parametrize("name", ["XOAUTH2", "EXTERNAL", "GSSAPI", "", "NO SUCH"])
def test_what_takes_no_password_cannot_be_named(name: str) -> None:
    with pytest.raises(MechanismUnavailable, match="authenticate"):
        choice(name, named=[name])


@pytest.mark.parametrize(
    "cls", [WrongCredentials, MaildropBusy, LoginDelayed, TemporaryFailure, PermanentFailure]
)
def test_a_response_code_ends_the_search(cls: type[AuthenticationFailed]) -> None:
    assert is_final(cls("no"))
    assert order(choice("PLAIN", named=["PLAIN", "USER"]), cls("no")) == ["PLAIN"]


def test_a_server_that_is_not_verified_ends_it_too() -> None:
    made = choice("PLAIN", named=["PLAIN", "USER"])
    made.next()
    assert not made.go_on(ServerNotVerified("no"))
