"""SCRAM, the client's side: published exchanges, another library as the server, and bad servers."""

import re
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scramp import ScramMechanism

from pop3proto import LocalProtocolError
from pop3proto.errors import CredentialsError, SaslError, ServerVerificationError
from pop3proto.sasl import ChannelBinding, ScramSha1, ScramSha256, ScramSha512
from tests.tracebacks import shown

Client = Callable[..., Any]
CLASSES: list[Client] = [ScramSha1, ScramSha256, ScramSha512]
BINDING = ChannelBinding("tls-server-end-point", b"\x01certificate\xff")
PASSWORD = "pencil"

# RFC 5802 section 5 and RFC 7677 section 3.
PUBLISHED = [
    (
        ScramSha1,
        "fyko+d2lbbFgONRv9qkxdawL",
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ),
    (
        ScramSha256,
        "rOprNGfwEbeRWgbNEkqO",
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
]
NONCE = "fyko+d2lbbFgONRv9qkxdawL"
FIRST = PUBLISHED[0][2]


@pytest.mark.parametrize(
    ("cls", "nonce", "server_first", "client_final", "server_final"), PUBLISHED
)
def test_the_published_exchanges(
    cls: Client, nonce: str, server_first: bytes, client_final: bytes, server_final: bytes
) -> None:
    client = cls("user", PASSWORD, nonce=nonce)
    assert client.initial() == b"n,,n=user,r=" + nonce.encode()
    assert client.respond(server_first) == client_final
    assert not client.complete
    assert client.respond(server_final) == b""
    assert client.complete
    assert not client.channel_bound
    with pytest.raises(SaslError, match="is complete, but"):
        client.respond(b"")
    assert not client.complete


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("user", ["user", "us,er=", "us\u00e9r"])
@pytest.mark.parametrize("binding", [None, BINDING])
def test_against_another_library(cls: Client, user: str, binding: ChannelBinding | None) -> None:
    client = cls(user, "p\u00e4ss\u00adword", channel_binding=binding)
    mechanism = ScramMechanism(client.name)
    stored = mechanism.make_auth_info("p\u00e4ssword", iteration_count=4096)
    bound = None if binding is None else (binding.type, binding.data)
    server = mechanism.make_server({user: stored}.__getitem__, channel_binding=bound)
    server.set_client_first(client.initial().decode())
    server.set_client_final(client.respond(server.get_server_first().encode()).decode())
    assert client.respond(server.get_server_final().encode()) == b""
    assert client.complete
    assert client.channel_bound is (binding is not None)


@pytest.mark.parametrize(
    ("options", "header"),
    [
        ({}, b"n,,"),
        ({"can_bind": True}, b"y,,"),
        ({"authorization_id": "ot=h,er"}, b"n,a=ot=3Dh=2Cer,"),
        ({"channel_binding": BINDING}, b"p=tls-server-end-point,,"),
    ],
)
def test_the_header(options: dict[str, Any], header: bytes) -> None:
    client = ScramSha1("us=,er", PASSWORD, nonce=NONCE, **options)
    assert client.initial() == header + b"n=us=3D=2Cer,r=" + NONCE.encode()
    bound = BINDING.data if "channel_binding" in options else b""
    final = client.respond(FIRST)
    assert final.startswith(b"c=" + b64encode(header + bound) + b",r=")


def test_text_is_prepared_and_octets_are_not() -> None:
    names: dict[str, Any] = {"user": "us\u00ader", "authorization_id": "ot\u00adher"}
    client = ScramSha1(password=PASSWORD, nonce=NONCE, **names)
    assert client.initial() == b"n,a=other,n=user,r=" + NONCE.encode()
    octets: dict[str, Any] = {name: text.encode() for name, text in names.items()}
    client = ScramSha1(password=PASSWORD, nonce=NONCE, **octets)
    assert client.initial() == b"n,a=ot\xc2\xadher,n=us\xc2\xader,r=" + NONCE.encode()


def test_a_password_may_be_empty() -> None:
    assert ScramSha1("user", "", nonce=NONCE).respond(FIRST)


def test_it_shows_its_class_and_nothing_else() -> None:
    assert repr(ScramSha256("user", PASSWORD)) == "ScramSha256(<secret>)"


def test_nonces_differ() -> None:
    messages = {ScramSha256("user", PASSWORD).initial() for _ in range(9)}
    assert len(messages) == 9
    assert all(re.fullmatch(rb"n,,n=user,r=[\w-]{32}", message or b"") for message in messages)


@pytest.mark.parametrize(
    "challenge",
    [
        b"",
        b"r=" + NONCE.encode(),
        b"r=" + NONCE.encode() + b"x,i=4096,s=QSXCR+Q6sek8bf92",
        FIRST.replace(b"r=", b"m=x,r="),
        FIRST + b",m=x",
        FIRST + b",",
        FIRST.replace(b"r=", b"r"),
        FIRST.replace(b"QSXCR", b"QS XCR"),
        FIRST.replace(b"QSXCR+Q6sek8bf92", b""),
        b"\0" + FIRST,
    ],
)
def test_challenges_that_make_no_sense(challenge: bytes) -> None:
    client = ScramSha1("user", PASSWORD, nonce=NONCE)
    with pytest.raises(SaslError):
        client.respond(challenge)


@pytest.mark.parametrize(
    "nonce", [NONCE, NONCE[:-1], "x" + NONCE, NONCE.lower() + "x", NONCE + "\x7f", NONCE + "\u00e9"]
)
def test_a_nonce_that_is_not_ours_and_more(nonce: str) -> None:
    challenge = b"r=%s,s=QSXCR+Q6sek8bf92,i=4096" % nonce.encode()
    with pytest.raises(SaslError, match="nonce"):
        ScramSha1("user", PASSWORD, nonce=NONCE).respond(challenge)


@pytest.mark.parametrize(
    "count",
    [
        b"4095",
        b"1",
        b"0",
        b"-4096",
        b"04096",
        b"4 096",
        b"1000001",
        b"9" * 5000,
        b"",
        "٤٠٩٦".encode(),
    ],
)
def test_a_number_of_iterations_that_is_not_safe(
    count: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def derive(*args: Any) -> Any:
        raise AssertionError("keys were derived")

    monkeypatch.setattr("pop3proto.sasl.scram.derive", derive)
    challenge = FIRST.replace(b"i=4096", b"i=" + count)
    with pytest.raises(SaslError, match="iterations"):
        ScramSha1("user", PASSWORD, nonce=NONCE).respond(challenge)


def test_the_bounds_are_the_callers() -> None:
    challenge = FIRST.replace(b"i=4096", b"i=5")
    client = ScramSha1("user", PASSWORD, nonce=NONCE, min_iterations=5, max_iterations=5)
    assert client.respond(challenge)


def test_extensions_that_need_not_be_understood() -> None:
    client = ScramSha1("user", PASSWORD, nonce=NONCE)
    assert b",p=" in client.respond(FIRST + b",x=new")


@pytest.mark.parametrize("final", [b"v=rmF9pqV8S7suAoZWja4dJRkFsKR=", b"v=", b"", b"r=x", b"\xff"])
def test_a_server_that_does_not_know_the_password(final: bytes) -> None:
    client = ScramSha1("user", PASSWORD, nonce=NONCE)
    client.respond(FIRST)
    with pytest.raises(ServerVerificationError) as caught:
        client.respond(final)
    assert not client.complete
    assert PASSWORD not in shown(caught.value)


@pytest.mark.parametrize("reason", [b"invalid-proof", b"unknown-user"])
def test_a_server_that_names_the_credentials(reason: bytes) -> None:
    client = ScramSha1("user", PASSWORD, nonce=NONCE)
    client.respond(FIRST)
    with pytest.raises(CredentialsError, match=f"refuses: {reason.decode()}") as caught:
        client.respond(b"e=" + reason + b",x=more")
    assert not client.complete
    assert PASSWORD not in shown(caught.value)


@pytest.mark.parametrize("answered", [0, 1])
@pytest.mark.parametrize(
    "reason", [b"unsupported-channel-binding-type", b"channel-bindings-dont-match"]
)
def test_a_server_that_names_the_binding(reason: bytes, answered: int) -> None:
    client = ScramSha1("user", PASSWORD, nonce=NONCE, channel_binding=BINDING)
    if answered:
        client.respond(FIRST)
        assert not client.binding_refused
    with pytest.raises(SaslError, match=f"refuses: {reason.decode()}"):
        client.respond(b"e=" + reason)
    assert client.binding_refused
    assert not client.complete


def test_a_refusal_before_any_challenge_is_due_to_the_binding() -> None:
    client = ScramSha1("user", PASSWORD, nonce=NONCE, channel_binding=BINDING)
    assert client.binding_refused
    with pytest.raises(SaslError):
        client.respond(b"e=other-error")
    assert not client.binding_refused
    unbound = ScramSha1("user", PASSWORD, nonce=NONCE, can_bind=True)
    assert not unbound.binding_refused
    with pytest.raises(SaslError):
        unbound.respond(b"e=unsupported-channel-binding-type")
    assert not unbound.binding_refused


@pytest.mark.parametrize("bound", [True, False])
def test_when_a_refusal_leaves_it_open_what_was_wrong(bound: bool) -> None:
    def client() -> Any:
        binding = BINDING if bound else None
        return ScramSha1("user", PASSWORD, nonce=NONCE, channel_binding=binding)

    fresh = client()
    assert not fresh.binding_doubted
    # The challenge made no sense, so that there was no proof.
    with pytest.raises(SaslError):
        fresh.respond(b"?")
    assert not fresh.binding_doubted
    proved = client()
    proved.respond(FIRST)
    assert proved.binding_doubted is bound
    for reason, doubted in (
        (b"other-error", True),
        (b"invalid-proof", False),
        (b"unknown-user", False),
        (b"channel-bindings-dont-match", False),
        (b"unsupported-channel-binding-type", False),
    ):
        proved = client()
        proved.respond(FIRST)
        with pytest.raises((SaslError, CredentialsError)):
            proved.respond(b"e=" + reason)
        assert proved.binding_doubted is (bound and doubted)


def test_a_server_that_has_proved_itself_has_taken_the_binding() -> None:
    client = ScramSha1("user", PASSWORD, nonce=NONCE)
    client.respond(FIRST)
    client.channel_bound = True
    assert client.binding_doubted
    client.respond(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")
    assert client.complete
    assert not client.binding_doubted


def test_a_server_that_refuses_in_the_last_message() -> None:
    client = ScramSha1("user", PASSWORD, nonce=NONCE)
    client.respond(FIRST)
    with pytest.raises(SaslError, match=r"refuses: invalid-proof\\x1b"):
        client.respond(b"e=invalid-proof\x1b")
    assert not client.complete


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (("", PASSWORD), {}),
        (("us\0er", PASSWORD), {}),
        (("user", "pen\x07cil"), {}),
        (("user", "pen\ud800cil"), {}),
        (("user", PASSWORD), {"nonce": "a,b"}),
        (("user", PASSWORD), {"nonce": "\xe9"}),
        (("user", PASSWORD), {"nonce": ""}),
        (("user", PASSWORD), {"min_iterations": 0}),
        (("user", PASSWORD), {"min_iterations": -1}),
        (("user", PASSWORD), {"min_iterations": 5000, "max_iterations": 4999}),
        (("user", PASSWORD), {"authorization_id": "a\0"}),
    ],
)
def test_what_cannot_be_carried(arguments: tuple[str, str], options: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        ScramSha256(*arguments, **options)
    assert arguments[1] not in shown(caught.value)


def test_the_least_of_the_bounds() -> None:
    client = ScramSha256("user", PASSWORD, min_iterations=1, max_iterations=1)
    assert (client.min_iterations, client.max_iterations) == (1, 1)


@pytest.mark.parametrize("name", ["min_iterations", "max_iterations", "channel_binding"])
def test_an_argument_of_a_wrong_type_is_named(name: str) -> None:
    wrong: dict[str, Any] = {name: "5000"}
    with pytest.raises(LocalProtocolError, match=rf"^{name} "):
        ScramSha256("user", PASSWORD, **wrong)


def test_nothing_shows_the_password() -> None:
    client = ScramSha256(b"user", PASSWORD.encode())
    assert not client.shows_secret
    assert PASSWORD not in repr(client)
    with pytest.raises(SaslError) as caught:
        client.respond(b"r=x")
    assert PASSWORD not in shown(caught.value)


@given(
    st.lists(
        st.sampled_from([b"r=", b"s=", b"i=", b"v=", b"e=", b",", b"4096", NONCE.encode(), b"QQ=="])
        | st.binary(max_size=4),
        max_size=12,
    ).map(b"".join)
)
def test_whatever_a_server_says(challenge: bytes) -> None:
    client = ScramSha1("user", PASSWORD, nonce=NONCE)
    for _ in range(2):
        try:
            assert isinstance(client.respond(challenge), bytes)
        except (SaslError, ServerVerificationError):
            return
