from typing import Any, cast

import pytest

from pop3proto import LocalProtocolError, Secret
from pop3proto.errors import MechanismError
from pop3proto.sasl import (
    PASSWORD_MECHANISMS,
    SHOWS_SECRET,
    ChannelBinding,
    by_name,
    shows_secret,
)
from tests.tracebacks import shown

BINDING = ChannelBinding("tls-server-end-point", b"x")
NAMES = sorted({*PASSWORD_MECHANISMS, *SHOWS_SECRET, "EXTERNAL", "ANONYMOUS"})


@pytest.mark.parametrize("name", NAMES)
def test_every_name_leads_to_its_mechanism(name: str) -> None:
    binding = BINDING if name.endswith("-PLUS") else None
    mechanism = by_name(
        name.lower(), "user", "secret", host="pop.example.org", channel_binding=binding
    )
    assert mechanism.name == name
    assert shows_secret(mechanism) is (name in SHOWS_SECRET)
    assert "secret" not in repr(mechanism).replace("<secret>", "")


def test_the_flag_of_who_could_have_bound() -> None:
    first = by_name("SCRAM-SHA-256", "user", "secret", can_bind=True).initial()
    assert first is not None
    assert first.startswith(b"y,,")


@pytest.mark.parametrize(
    ("name", "binding"),
    [("SCRAM-SHA-1-PLUS", None), ("PLAIN", BINDING), ("PLAIN-PLUS", BINDING), ("NO-SUCH", None)],
)
def test_names_that_lead_nowhere(name: str, binding: ChannelBinding | None) -> None:
    with pytest.raises((MechanismError, LocalProtocolError)) as caught:
        by_name(name, "user", "pa55word", channel_binding=binding)
    assert "pa55word" not in shown(caught.value)


def test_gssapi_needs_tickets() -> None:
    with pytest.raises(LocalProtocolError):
        by_name("GSSAPI", b"user@EXAMPLE.ORG", b"pa55word", host="nowhere.invalid").initial()


class Asked:
    """Takes the place of a mechanism that needs a library, and keeps what it was made with."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self.given, self.named = given, named


@pytest.mark.parametrize(
    ("arguments", "named", "given", "passed"),
    [
        ((), {}, ("",), {"user": None, "password": None}),
        ((b"user",), {"host": "h"}, ("h",), {"user": "user", "password": None}),
        (("user", "secret"), {}, ("",), {"user": "user", "password": Secret("secret")}),
    ],
)
def test_what_gssapi_is_made_with(
    arguments: Any, named: Any, given: Any, passed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pop3proto.sasl.spnego.Gssapi", Asked)
    mechanism: Any = by_name("GSSAPI", *arguments, **named)
    assert (mechanism.given, mechanism.named) == (given, passed)


@pytest.mark.parametrize(("host", "passed"), [("h", "h"), (None, "")])
def test_what_ntlm_is_made_with(
    host: str | None, passed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pop3proto.sasl.spnego.Ntlm", Asked)
    mechanism: Any = by_name("NTLM", "user", "secret", host=host)
    assert mechanism.given == ("user", Secret("secret"))
    assert mechanism.named == {"host": passed}


def test_what_need_not_be_given() -> None:
    assert by_name("ANONYMOUS").initial() == b""
    with pytest.raises(LocalProtocolError, match="the password is empty"):
        by_name("PLAIN", "user")
    first = by_name("SCRAM-SHA-256", "user", "secret").initial()
    assert first is not None
    assert first.startswith(b"n,,")


def test_a_name_is_text() -> None:
    wrong: Any = b"PLAIN"
    with pytest.raises(LocalProtocolError, match=r"^name "):
        by_name(wrong)
    with pytest.raises(LocalProtocolError, match=r"^the name of mechanism is a str, not None"):
        shows_secret(cast(Any, object()))


class Own:
    complete = True

    def __init__(self, name: str) -> None:
        self.name = name

    def initial(self) -> bytes | None:
        return None

    def respond(self, challenge: bytes) -> bytes:
        return challenge


@pytest.mark.parametrize(
    ("name", "needs_tls"),
    [("plain", True), ("X-OWN", True), ("PLAIN-CLIENTTOKEN", True), ("cram-md5", False)],
)
def test_a_mechanism_of_ones_own_is_judged_by_its_name(name: str, needs_tls: bool) -> None:
    assert shows_secret(Own(name)) is needs_tls
    assert shows_secret(name) is needs_tls


@pytest.mark.parametrize(("says", "needs_tls"), [(False, False), (True, True), (None, True)])
def test_unless_it_says_so_itself(says: Any, needs_tls: bool) -> None:
    for name in ("X-OWN", "PLAIN", "CRAM-MD5"):
        mechanism: Any = Own(name)
        mechanism.shows_secret = says
        assert shows_secret(mechanism) is needs_tls


def test_each_name_that_is_known_either_shows_its_secret_or_does_not() -> None:
    assert {name for name in NAMES if shows_secret(name)} == SHOWS_SECRET
    assert not shows_secret("GSSAPI")


@pytest.mark.parametrize("host", ["b\xfccher.example.org", "", None])
def test_digest_md5_wants_a_host_in_a_labels(host: str | None) -> None:
    with pytest.raises(LocalProtocolError, match="A-labels"):
        by_name("DIGEST-MD5", "user", "pa55word", host=host)
    mechanism = by_name("DIGEST-MD5", "user", "pa55word", host="xn--bcher-kva.example.org")
    assert mechanism.name == "DIGEST-MD5"
