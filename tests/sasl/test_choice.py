"""Which way to log in is taken, and which one after a refusal."""

from __future__ import annotations

import pytest

from pop3proto import AuthenticationError, LocalProtocolError, Pop3Error
from pop3proto.errors import (
    CredentialsError,
    LoginDelayError,
    MaildropInUseError,
    MechanismError,
    PermanentServerError,
    PlaintextAuthError,
    SaslError,
    ServerVerificationError,
    TemporaryServerError,
)
from pop3proto.sasl import ChannelBinding
from pop3proto.sasl.choice import Choice, is_final

BINDING = ChannelBinding("tls-server-end-point", b"x")
UNIQUE = ChannelBinding("tls-unique", b"x")
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


def order(made: Choice, error: Pop3Error) -> list[str]:
    """Return what is tried if every attempt ends in ``error``."""
    found = [made.next()]
    while made.go_on(error):
        found.append(made.next())
    return found


REFUSED = AuthenticationError("no")
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
    with pytest.raises(MechanismError):
        choice("SCRAM-SHA-1-PLUS", named=["SCRAM-SHA-1-PLUS"])
    made = choice("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", bound=True)
    assert (made.next(), made.binding) == ("SCRAM-SHA-1-PLUS", BINDING)
    made = choice("SCRAM-SHA-1", bound=True)
    assert (made.next(), made.binding) == ("SCRAM-SHA-1", None)


@pytest.mark.parametrize("named", [["scram-sha-1-plus"], ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-512"]])
def test_where_there_is_nothing_to_bind_to(named: list[str]) -> None:
    with pytest.raises(MechanismError, match=r"SCRAM-SHA-1-PLUS .* nothing to bind to"):
        choice("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", named=named)


Tried = list[tuple[str, str | None]]


def tried(
    *offered: str, error: Pop3Error, named: list[str] | None = None, refused: bool = True
) -> tuple[Tried, Choice]:
    """Return what is tried, and bound how, if every attempt that is bound ends in ``error``."""
    made = Choice(named, offered=offered, bindings=[UNIQUE, BINDING], show_password=True)
    found: Tried = []
    going = True
    while going:
        name = made.next()
        found.append((name, None if made.binding is None else made.binding.type))
        bound = made.binding is not None
        going = made.go_on(error if bound else REFUSED, binding_refused=refused and bound)
    return found, made


ALL_SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "PLAIN")
TWICE = [("SCRAM-SHA-256-PLUS", "tls-unique"), ("SCRAM-SHA-256-PLUS", "tls-server-end-point")]
BOTH_TWICE = [*TWICE, *((f"SCRAM-SHA-1{name[13:]}", kind) for name, kind in TWICE)]
LISTED = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "USER"]


@pytest.mark.parametrize(
    ("error", "named", "expected"),
    [
        # What it is that the server does not know: the type.
        (SaslError("e="), None, TWICE),
        (SaslError("e="), LISTED, [*TWICE, *((name, None) for name in LISTED[1:])]),
        # The type, or the user: what shows the password is not tried.
        (CredentialsError("no"), None, TWICE),
        (CredentialsError("no"), LISTED, [*TWICE, ("SCRAM-SHA-256", None)]),
        # The type, or the mechanism.
        (AuthenticationError("no"), None, BOTH_TWICE),
        # Neither.
        (MaildropInUseError("no"), LISTED, TWICE[:1]),
        (TemporaryServerError("no"), None, TWICE[:1]),
    ],
)
def test_a_binding_that_is_refused(
    error: Pop3Error, named: list[str] | None, expected: Tried
) -> None:
    assert tried(*ALL_SCRAM, error=error, named=named)[0] == expected


def test_a_password_that_is_refused_is_not_bound_in_another_way() -> None:
    found, _ = tried(*ALL_SCRAM, error=CredentialsError("no"), refused=False)
    assert found == TWICE[:1]
    found, made = tried(*ALL_SCRAM, error=REFUSED, refused=False)
    assert found == BOTH_TWICE[::2]
    # Nor is the binding given as the reason.
    error = CredentialsError("no")
    made.explain(error)
    assert (str(error), error.hint) == ("no", CredentialsError.hint)


def test_what_was_tried_is_told() -> None:
    error = CredentialsError("no")
    _, made = tried(*ALL_SCRAM, error=error)
    made.explain(error)
    assert str(error) == "no (channel bindings tried: tls-unique, tls-server-end-point)"
    assert error.hint.startswith(f"{CredentialsError.hint}; ")
    assert 'mechanisms=["SCRAM-SHA-256"]' in error.hint
    # Only if it was the last refusal.
    made = Choice(LISTED, offered=ALL_SCRAM, bindings=[UNIQUE], show_password=True)
    made.next()
    assert made.go_on(SaslError("e="), binding_refused=True)
    made.next()
    assert not made.go_on(CredentialsError("no"))
    error = CredentialsError("no")
    made.explain(error)
    assert str(error) == "no"


@pytest.mark.parametrize(
    ("offered", "bound", "can_bind"),
    [
        (("SCRAM-SHA-1",), True, True),
        (("SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"), True, False),
        (("SCRAM-SHA-1",), False, False),
        ((), True, True),
        # Nobody has asked: there is no offer that could have been stripped.
        (None, True, False),
    ],
)
def test_whether_a_stripped_offer_would_show(
    offered: tuple[str, ...] | None, bound: bool, can_bind: bool
) -> None:
    bindings = [BINDING] if bound else []
    made = Choice(["SCRAM-SHA-1"], offered=offered, bindings=bindings, show_password=True)
    assert made.can_bind is can_bind


def test_what_a_mechanism_cannot_carry_is_left_to_the_next_one() -> None:
    error = LocalProtocolError("no")
    assert order(choice("PLAIN", "LOGIN"), error) == ["PLAIN", "LOGIN", "USER"]
    assert order(choice("SCRAM-SHA-1", "PLAIN"), error) == ["SCRAM-SHA-1"]
    named = ["SCRAM-SHA-1", "PLAIN", "USER"]
    assert order(choice("SCRAM-SHA-1", "PLAIN", named=named), error) == named


def test_nothing_is_tried_twice() -> None:
    assert order(choice("PLAIN", named=["PLAIN", "USER", "plain"]), REFUSED) == ["PLAIN", "USER"]


def test_what_shows_the_password_needs_tls() -> None:
    made = choice("PLAIN", "CRAM-MD5", "SCRAM-SHA-1", show_password=False)
    assert order(made, REFUSED) == ["SCRAM-SHA-1"]
    for offered in (("PLAIN", "LOGIN"), ()):
        with pytest.raises(PlaintextAuthError):
            choice(*offered, show_password=False)


def test_nothing_that_is_allowed_is_offered() -> None:
    with pytest.raises(MechanismError, match="the server offers: X-OWN, PLAIN"):
        choice("X-OWN", "PLAIN", named=["SCRAM-SHA-1", "CRAM-MD5"])
    with pytest.raises(MechanismError, match="the server offers: none"):
        choice(named=[])


@pytest.mark.parametrize("name", ["XOAUTH2", "EXTERNAL", "GSSAPI", "", "NO SUCH"])
def test_what_takes_no_password_cannot_be_named(name: str) -> None:
    with pytest.raises(MechanismError, match="authenticate"):
        choice(name, named=[name])


@pytest.mark.parametrize(
    "cls",
    [
        CredentialsError,
        MaildropInUseError,
        LoginDelayError,
        TemporaryServerError,
        PermanentServerError,
    ],
)
def test_a_response_code_ends_the_search(cls: type[AuthenticationError]) -> None:
    assert is_final(cls("no"))
    assert order(choice("PLAIN", named=["PLAIN", "USER"]), cls("no")) == ["PLAIN"]


def test_a_server_that_is_not_verified_ends_it_too() -> None:
    made = choice("PLAIN", named=["PLAIN", "USER"])
    made.next()
    assert not made.go_on(ServerVerificationError("no"))
