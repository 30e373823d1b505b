from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import LocalProtocolError
from pop3proto.errors import SaslError
from pop3proto.sasl import Anonymous, External, LoginMechanism, Mechanism, Plain, ShowsSecret
from pop3proto.sasl.server import LoggedIn, Passwords, ServerPlain
from tests.property.effort import effort
from tests.tracebacks import shown

SECRET = "tanstaaftanstaaf"
# One for each way in which a secret, or a name, cannot be used.
UNUSABLE = ["{}\0", "{}\ud800", b"%b\0"]


def unusable(form: str | bytes, text: str = SECRET) -> str | bytes:
    return form.format(text) if isinstance(form, str) else form % text.encode()


@pytest.mark.parametrize(
    ("mechanism", "name", "shows_secret"),
    [
        (Plain("tim", SECRET), "PLAIN", True),
        (LoginMechanism("tim", SECRET), "LOGIN", True),
        (Anonymous("sirhc"), "ANONYMOUS", False),
        (External("tim"), "EXTERNAL", False),
    ],
)
def test_a_mechanism_says_what_it_is(mechanism: Mechanism, name: str, shows_secret: bool) -> None:
    assert mechanism.name == name
    assert isinstance(mechanism, ShowsSecret)
    assert mechanism.shows_secret is shows_secret
    assert not mechanism.complete
    assert repr(mechanism).startswith(f"{type(mechanism).__name__}(")
    assert SECRET not in repr(mechanism)
    assert not hasattr(mechanism, "__dict__")


@pytest.mark.parametrize(
    "mechanism", [Plain("tim", SECRET), Anonymous(), External()], ids=lambda m: str(m.name)
)
def test_one_message_is_all(mechanism: Mechanism) -> None:
    assert mechanism.initial() is not None
    assert mechanism.complete
    with pytest.raises(SaslError, match=f"and {mechanism.name} has none") as caught:
        mechanism.respond(b"")
    assert SECRET not in shown(caught.value)


def test_plain_of_rfc_4616() -> None:
    assert Plain("tim", SECRET).initial() == b"\0tim\0tanstaaftanstaaf"
    message = Plain("Kurt", "xipj3plmq", authorization_id="Ursel").initial()
    assert message == b"Ursel\0Kurt\0xipj3plmq"


def test_plain_of_rfc_5034() -> None:
    message = Plain("test", "test", authorization_id="test").initial()
    assert message == b64decode("dGVzdAB0ZXN0AHRlc3Q=")
    server = ServerPlain(Passwords({"test": "test"}))
    assert server.begin().respond(message) == LoggedIn("test")


def test_plain_prepares_text_and_leaves_octets_alone() -> None:
    # RFC 4013 section 3: a soft hyphen goes, and "ª" becomes "a". The identity is not prepared.
    plain = Plain("I\u00adX", "\u00aa", authorization_id="\u00aa")
    assert plain.initial() == b"\xc2\xaa\0IX\0a"
    assert Plain(b"\xff", "\u00aa".encode()).initial() == b"\0\xff\0\xc2\xaa"


@pytest.mark.parametrize("form", [*UNUSABLE, "{}\x07"])
def test_plain_refuses_a_password_without_showing_it(form: str | bytes) -> None:
    with pytest.raises(LocalProtocolError, match="the password") as caught:
        Plain("tim", unusable(form))
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize("form", [*UNUSABLE, ""])
def test_plain_refuses_a_name_without_showing_the_password(form: str | bytes) -> None:
    with pytest.raises(LocalProtocolError, match="the user name") as caught:
        Plain(unusable(form, "tim"), SECRET)
    assert SECRET not in shown(caught.value)


def test_plain_refuses_what_is_no_text_and_what_is_missing() -> None:
    with pytest.raises(LocalProtocolError, match="the password must be str or bytes, not list"):
        Plain("tim", [SECRET])  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match="the password is empty"):
        Plain("tim", "")
    with pytest.raises(
        LocalProtocolError, match="the authorization identity holds a control character"
    ):
        Plain("tim", SECRET, authorization_id="\0")


@effort(100)
@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1), st.data())
def test_plain_against_the_server(password: str, data: st.DataObject) -> None:
    server = ServerPlain(Passwords({"user": password}))
    tried = data.draw(st.sampled_from([password, password + "x", password.swapcase()]))
    outcome = server.begin().respond(Plain("user", tried).initial())
    assert outcome == (LoggedIn("user") if tried == password else None)


@pytest.mark.parametrize("prompt", [b"Username:", b"User Name\0", b"", b"\xff"])
def test_login_answers_whatever_the_prompts_are(prompt: bytes) -> None:
    login = LoginMechanism("tim", SECRET)
    assert login.initial() is None
    assert login.respond(prompt) == b"tim"
    assert not login.complete
    assert login.respond(prompt) == SECRET.encode()
    assert login.complete
    with pytest.raises(SaslError, match="more than a name and a password"):
        login.respond(prompt)


def test_login_sends_text_as_it_is() -> None:
    login = LoginMechanism("\u00aa", b"\xff")
    assert (login.respond(b""), login.respond(b"")) == (b"\xc2\xaa", b"\xff")
    assert [LoginMechanism("tim", "").respond(b"")] == [b"tim"]


@pytest.mark.parametrize("form", UNUSABLE)
def test_login_refuses_what_cannot_be_sent(form: str | bytes) -> None:
    with pytest.raises(LocalProtocolError, match="the password") as caught:
        LoginMechanism("tim", unusable(form))
    assert SECRET not in shown(caught.value)
    with pytest.raises(LocalProtocolError, match="the user name") as caught:
        LoginMechanism(unusable(form, "tim"), SECRET)
    assert SECRET not in shown(caught.value)
    with pytest.raises(LocalProtocolError, match="the user name is empty"):
        LoginMechanism("", SECRET)


def test_external_of_rfc_4422() -> None:
    assert External().initial() == b""
    assert External("fred@example.com").initial() == b"fred@example.com"
    assert External(b"\xff").initial() == b"\xff"
    assert repr(External("fred")) == "External(b'fred')"
    with pytest.raises(LocalProtocolError, match="a control character"):
        External("fred\0")


def test_anonymous_of_rfc_4505() -> None:
    assert Anonymous("sirhc").initial() == b64decode("c2lyaGM=")
    assert Anonymous().initial() == b""
    assert repr(Anonymous("sirhc")) == "Anonymous(b'sirhc')"


@pytest.mark.parametrize(
    "trace",
    [
        "user@example.org",
        '"a b"@example.org',
        "two words",
        "us\u00e9r",
        "\u65e5\u672c",
        # Table C.7 is not among those of the profile.
        "\u2ff0",
        # From right to left from end to end, and unassigned in Unicode 3.2.
        "\u0627\u0628",
        "\u0627-1-\u0628",
        "\u0221",
        "x" * 255,
        "\U0001f600" * 255,
        # Only a token has a greatest length.
        "x" * 255 + "@example.org",
    ],
)
def test_a_trace_of_anonymous(trace: str) -> None:
    assert Anonymous(trace).initial() == trace.encode()
    assert Anonymous(trace.encode()).initial() == trace.encode()


@pytest.mark.parametrize(
    "trace",
    [
        *["@", "user@", "@example.org", "user@example.org@", "x" * 256, "\U0001f600" * 256],
        *["a\0", "a\n", "a\x7f", "\u00eb\n", "\u0085", "\u06dd", "\ue000", "\ufffe", "\ud800"],
        *["\ufff9", "\u202e", "\u0340", "\U000e0041"],
        # Both directions, and not at both ends.
        *["\u0627a\u0628", "\u06271", "1\u0627"],
    ],
)
def test_what_is_no_trace_of_anonymous(trace: str) -> None:
    with pytest.raises(LocalProtocolError, match="the trace"):
        Anonymous(trace)


def test_a_trace_is_text() -> None:
    with pytest.raises(LocalProtocolError, match="the trace must be str or bytes, not int"):
        Anonymous(5)  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match="the trace holds a character"):
        Anonymous(b"\xff")
