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
from pop3proto.sasl.choice import Choice, is_final, needs_offer

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


@pytest.mark.parametrize(
    ("named", "bound", "needed"),
    [
        (["USER"], True, False),
        (["APOP", "USER"], True, False),
        (["PLAIN"], True, False),
        (["SCRAM-SHA-1"], False, False),
        (["SCRAM-SHA-1-PLUS"], True, False),
        # It says that there could have been a binding, if none is offered.
        (["SCRAM-SHA-1"], True, True),
        (["PLAIN", "USER"], False, True),
        ([], False, False),
    ],
)
def test_whether_the_offer_matters(named: list[str], bound: bool, needed: bool) -> None:
    assert needs_offer(named, [BINDING] if bound else []) is needed


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
UNBOUND = ("SCRAM-SHA-256", None)
LISTED = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "USER"]


@pytest.mark.parametrize(
    ("error", "named", "expected"),
    [
        # What it is that the server does not know: the type.
        (SaslError("e="), None, [*TWICE, UNBOUND]),
        (SaslError("e="), LISTED, [*TWICE, *((name, None) for name in LISTED[1:])]),
        # The type, or the user: what shows the password is not tried.
        (CredentialsError("no"), None, [*TWICE, UNBOUND]),
        (CredentialsError("no"), LISTED, [*TWICE, ("SCRAM-SHA-256", None)]),
        # The type, or the mechanism.
        (AuthenticationError("no"), None, [*BOTH_TWICE, UNBOUND]),
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
    assert made.explained(error) is error
    assert str(error) == "no"
    assert "binding" not in error.hint


def bound_twice(*errors: tuple[Pop3Error, bool], named: list[str] | None = None) -> Tried:
    """Return what is tried if attempts end like that, refused or, if it is true, doubted."""
    made = Choice(named, offered=ALL_SCRAM, bindings=[UNIQUE, BINDING], show_password=True)
    found: Tried = []
    for error, doubted in errors:
        name = made.next()
        found.append((name, None if made.binding is None else made.binding.type))
        bound = made.binding is not None
        refused = bound and not doubted
        if not made.go_on(error, binding_refused=refused, binding_doubted=bound and doubted):
            return [*found, ("end", None)]
    return found


NOT_THIS, WRONG, NO_REASON = SaslError("e="), CredentialsError("no"), AuthenticationError("no")
END = ("end", None)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        # The password, or the binding: one more, and no more than that.
        ([(WRONG, True), (WRONG, True)], [*TWICE, END]),
        # The other one is none: so it was the password, or the first one. Enough was tried.
        ([(WRONG, True), (NOT_THIS, False)], [*TWICE, END]),
        ([(WRONG, True), (WRONG, False)], [*TWICE, END]),
        # The first one is none, and the second one is: it was the password.
        ([(NOT_THIS, False), (WRONG, True)], [*TWICE, END]),
        # Neither is one: that it could have bound is said, whoever made them fail.
        ([(NOT_THIS, False), (NOT_THIS, False), (WRONG, False)], [*TWICE, UNBOUND, END]),
        # There is no code, so that it can be the mechanism as well, as with any other.
        (
            [(NO_REASON, True), (NO_REASON, True), (NO_REASON, True), (NO_REASON, True)],
            [*TWICE, BOTH_TWICE[2], END],
        ),
        # It says that it is neither.
        ([(MaildropInUseError("no"), True)], [*TWICE[:1], END]),
    ],
)
def test_a_refusal_that_leaves_it_open(
    errors: list[tuple[Pop3Error, bool]], expected: Tried
) -> None:
    assert bound_twice(*errors) == expected


BARE = [(name, None) for name in LISTED[1:]]


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        # With [AUTH], one more is all, whatever is listed, and whatever that one says.
        ([(WRONG, True), (WRONG, True)], [*TWICE, END]),
        ([(WRONG, True), (NOT_THIS, False)], [*TWICE, END]),
        ([(WRONG, True), (NO_REASON, False)], [*TWICE, END]),
        # Without, all that is listed is tried, each once.
        ([(NO_REASON, True), (NO_REASON, True), *[(NO_REASON, False)] * 3], [*TWICE, *BARE, END]),
        ([(NO_REASON, True), (NOT_THIS, False), *[(NO_REASON, False)] * 3], [*TWICE, *BARE, END]),
    ],
)
def test_a_refusal_that_leaves_it_open_among_listed_ones(
    errors: list[tuple[Pop3Error, bool]], expected: Tried
) -> None:
    assert bound_twice(*errors, named=LISTED) == expected


def test_the_last_bound_login_that_was_refused_outright_is_told() -> None:
    made = Choice(None, offered=ALL_SCRAM, bindings=[UNIQUE, BINDING], show_password=True)
    first, second, third = SaslError("first"), SaslError("second"), CredentialsError("third")
    for error in (first, second):
        made.next()
        assert made.go_on(error, binding_refused=True)
    made.next()
    assert not made.go_on(third)
    assert made.explained(third) is second


def test_the_password_is_told_if_the_binding_is_known() -> None:
    made = Choice(None, offered=ALL_SCRAM, bindings=[UNIQUE, BINDING], show_password=True)
    made.next()
    assert made.go_on(SaslError("e="), binding_refused=True)
    made.next()
    error = CredentialsError("no")
    assert not made.go_on(error, binding_doubted=True)
    assert made.explained(error) is error
    assert str(error) == "no"


def test_a_single_binding_in_doubt_is_followed_by_none() -> None:
    # TLS 1.3 with most Pythons.
    made = Choice(None, offered=ALL_SCRAM, bindings=[BINDING], show_password=True)
    assert made.next() == "SCRAM-SHA-256-PLUS"
    assert not made.can_bind
    assert made.go_on(WRONG, binding_doubted=True)
    assert (made.next(), made.binding, made.can_bind) == ("SCRAM-SHA-256", None, True)
    assert not made.go_on(WRONG)


@pytest.mark.parametrize(
    ("named", "flags"),
    [
        # "n" says that this side cannot bind. It is never the answer to a failure.
        (["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "SCRAM-SHA-256", "PLAIN"], [True, True, False]),
        (["SCRAM-SHA-1-PLUS", "PLAIN", "SCRAM-SHA-1"], [False, True]),
        # But whoever wants no binding need not have one.
        (["SCRAM-SHA-1", "SCRAM-SHA-1-PLUS"], [False, False]),
        (["SCRAM-SHA-1"], [False]),
    ],
)
def test_without_a_binding_it_is_said_that_there_could_have_been_one(
    named: list[str], flags: list[bool]
) -> None:
    made = Choice(named, offered=ALL_SCRAM, bindings=[BINDING], show_password=True)
    found: list[bool] = []
    going = True
    while going:
        made.next()
        if made.binding is None or found or named[0][-5:] != "-PLUS":
            found.append(made.can_bind)
        going = made.go_on(NOT_THIS, binding_refused=made.binding is not None)
    assert found == flags


def test_both_bindings_in_doubt_are_told() -> None:
    made = Choice(None, offered=ALL_SCRAM, bindings=[UNIQUE, BINDING], show_password=True)
    first, second = CredentialsError("first"), CredentialsError("second")
    made.next()
    assert made.go_on(first, binding_doubted=True)
    made.next()
    assert not made.go_on(second, binding_doubted=True)
    assert made.explained(second) is first
    assert "(channel bindings tried: tls-unique, tls-server-end-point)" in str(first)


@pytest.mark.parametrize("later", [CredentialsError("later"), SaslError("later")])
@pytest.mark.parametrize("first", [CredentialsError("first"), SaslError("first")])
def test_the_error_is_that_of_the_bound_login(first: Pop3Error, later: Pop3Error) -> None:
    made = Choice(None, offered=ALL_SCRAM, bindings=[BINDING], show_password=True)
    made.next()
    assert made.go_on(first, binding_refused=True)
    made.next()
    assert not made.go_on(later) or isinstance(later, SaslError)
    told = made.explained(later)
    assert told is first
    assert "(channel bindings tried: tls-server-end-point)" in str(told)
    first.args = ("first",)


def test_the_error_that_has_another_reason_is_told() -> None:
    made = Choice(None, offered=ALL_SCRAM, bindings=[BINDING], show_password=True)
    made.next()
    assert made.go_on(WRONG, binding_doubted=True)
    made.next()
    later = MaildropInUseError("busy")
    assert not made.go_on(later)
    assert made.explained(later) is later
    assert (str(later), later.hint) == ("busy", MaildropInUseError.hint)


def test_what_was_tried_is_told() -> None:
    error = CredentialsError("no")
    _, made = tried(*ALL_SCRAM, error=error)
    assert made.explained(REFUSED) is error
    assert str(error) == "no (channel bindings tried: tls-unique, tls-server-end-point)"
    assert error.hint.startswith(f"{CredentialsError.hint}; ")
    assert 'mechanisms=["SCRAM-SHA-256"]' in error.hint
    # Only if it was the last refusal.
    made = Choice(LISTED, offered=ALL_SCRAM, bindings=[UNIQUE], show_password=True)
    made.next()
    assert made.go_on(SaslError("e="), binding_refused=True)
    assert made.next() == "SCRAM-SHA-256"
    assert made.go_on(AuthenticationError("no"))
    assert made.next() == "PLAIN"
    assert not made.go_on(CredentialsError("no"))
    error = CredentialsError("no")
    assert made.explained(error) is error
    assert (str(error), error.hint) == ("no", CredentialsError.hint)


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
    made.next()
    assert made.can_bind is can_bind


@pytest.mark.parametrize("error", [AuthenticationError("no"), CredentialsError("no")])
@pytest.mark.parametrize(
    ("offered", "named", "show", "hint"),
    [
        # What announces CRAM-MD5 and stores only hashes.
        (("CRAM-MD5", "PLAIN"), None, True, ('mechanisms=["PLAIN"]', "CRAM-MD5")),
        (("SCRAM-SHA-1", "LOGIN"), None, True, ('mechanisms=["LOGIN"]', "SCRAM-SHA-1")),
        (("CRAM-MD5",), None, True, ('mechanisms=["USER"]',)),
        # Only what can be done here: not in the clear, and not what has been done.
        (("CRAM-MD5", "PLAIN"), None, False, ()),
        (("PLAIN",), None, True, ()),
        # Who has named mechanisms is told what was left out.
        (("CRAM-MD5", "PLAIN"), ["CRAM-MD5"], True, ("also offers PLAIN",)),
        (("CRAM-MD5", "PLAIN"), ["CRAM-MD5"], False, ()),
        (("CRAM-MD5",), ["CRAM-MD5"], True, ()),
        (("CRAM-MD5", "PLAIN"), ["plain", "CRAM-MD5"], True, ()),
        (None, ["CRAM-MD5"], True, ()),
    ],
)
def test_the_way_out_if_a_server_cannot_check_a_proof(
    offered: tuple[str, ...] | None,
    named: list[str] | None,
    show: bool,
    hint: tuple[str, ...],
    error: Pop3Error,
) -> None:
    made = Choice(named, offered=offered, bindings=[], show_password=show)
    made.next()
    while made.go_on(AuthenticationError("no")):
        made.next()
    error = type(error)("no")
    assert made.explained(error) is error
    assert all(part in error.hint for part in hint)
    assert (error.hint == type(error).hint) is (not hint)


def test_a_refusal_with_a_reason_of_its_own_gets_no_such_hint() -> None:
    made = choice("CRAM-MD5", "PLAIN")
    made.next()
    error = MaildropInUseError("no")
    assert not made.go_on(error)
    assert made.explained(error).hint == MaildropInUseError.hint


@pytest.mark.parametrize("odd", ["X\x1b[2J", "X\u202e", "X\x9b"])
def test_what_a_server_offers_is_escaped(odd: str) -> None:
    with pytest.raises(MechanismError) as caught:
        choice(odd, "PLAIN", named=["SCRAM-SHA-1", "CRAM-MD5"])
    assert str(caught.value).isprintable()
    assert "X\\" in str(caught.value)
    with pytest.raises(MechanismError) as caught:
        choice(*["X" * 50] * 100, named=["SCRAM-SHA-1", "CRAM-MD5"])
    assert len(str(caught.value)) < 400


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
    with pytest.raises(MechanismError, match="is not a mechanism that takes a password") as caught:
        choice(name, named=[name])
    assert "authenticate()" in caught.value.hint


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
