"""What may be done to a client around TLS, and what it does instead, on every runtime."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trustme

from pop3proto import LocalProtocolError, Pop3Error, TlsError
from pop3proto.errors import (
    MechanismError,
    PlaintextAuthError,
    StlsInjectionError,
    TlsUnavailableError,
)
from pop3proto.sasl import LoginMechanism, OAuthBearer, Plain, XOAuth2
from pop3proto.transports import Security
from tests.runtimes import Flow, runtime
from tests.security.hostile import CAPABILITIES, HOST, Answer, Peer, hostile
from tests.tracebacks import shown

Connect = Callable[..., Awaitable[Any]]
On = Callable[[Flow], Any]
SECRET = "pa55word"


def refused(
    on: On,
    error: type[Pop3Error],
    match: str,
    *,
    answers: dict[bytes, Answer] | None = None,
    mode: Security = Security.STLS,
    context: ssl.SSLContext | None = None,
    host: str = HOST,
    **how: Any,
) -> tuple[list[bytes], list[bytes]]:
    """Connecting has to fail; the lines that the server got in the clear, and under TLS."""

    async def flow(connect: Connect) -> None:
        with pytest.raises(error, match=match) as caught:
            await connect(host, server.port, **{**server.how, **how})
        assert type(caught.value) is error
        assert caught.value.session_usable is False

    with hostile(mode, answers, context=context) as server:
        on(flow)
    return server.clear, server.secret


# What comes behind the answer to STLS


@runtime
@pytest.mark.parametrize("injected", [b"+OK\r\n", b"+", b"\r\n", b"\x16\x03\x01"])
def test_octets_behind_the_answer_to_stls(on: On, injected: bytes) -> None:
    behind: list[bytes] = []

    def answer(peer: Peer) -> None:
        peer.say(b"+OK begin\r\n" + injected)
        behind.append(peer.everything())

    clear, _ = refused(on, StlsInjectionError, "clear", answers={b"STLS": answer})
    assert clear == [b"STLS"]
    # Not even the first octet of a handshake.
    assert behind == [b""]


@runtime
def test_octets_in_the_place_of_a_handshake(on: On) -> None:
    # In a packet of their own they come too late to be seen before the handshake begins.
    def answer(peer: Peer) -> None:
        peer.say(b"+OK begin\r\n")
        assert peer.socket.recv(1) == b"\x16"
        peer.say(b"+OK\r\nSASL PLAIN\r\n.\r\n")
        peer.everything()

    refused(on, TlsError, "handshake", answers={b"STLS": answer})


# What is known from before TLS


@runtime
def test_nothing_from_before_tls_is_believed(on: On) -> None:
    before = b"+OK\r\nSTLS\r\nSASL PLAIN LOGIN\r\nPIPELINING\r\nX-EVIL\r\n.\r\n"
    after = b"+OK\r\nUIDL\r\nSASL CRAM-MD5\r\n.\r\n"

    def capa(peer: Peer) -> None:
        peer.say(after if peer.secure else before)

    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        assert set(client.capabilities) == {"UIDL", "SASL"}
        assert client.capabilities.sasl == ("CRAM-MD5",)
        with pytest.raises(MechanismError):
            await client.login("user", SECRET, mechanisms=["PLAIN", "LOGIN"])
        # The timestamp came from whoever greeted in the clear.
        with pytest.raises(LocalProtocolError, match="timestamp"):
            await client.apop("user", SECRET)
        await client.quit()

    with hostile(Security.STLS, {b"CAPA": capa}, greeting=b"+OK <1.2@example.org>\r\n") as server:
        on(flow)
    assert server.clear == [b"STLS"]
    assert server.secret == [b"CAPA", b"QUIT"]


@runtime
@pytest.mark.parametrize("listed", [True, False])
def test_stls_that_is_refused_or_stripped(on: On, listed: bool) -> None:
    capa = CAPABILITIES if listed else CAPABILITIES.replace(b"STLS\r\n", b"")
    answers: dict[bytes, Answer] = {b"CAPA": capa, b"STLS": b"-ERR not today\r\n"}
    clear, secret = refused(on, TlsUnavailableError, "STLS", answers=answers)
    # It is asked for in any case, and nothing else is.
    assert clear == [b"STLS"]
    assert secret == []


# Certificates


def context_of(authority: trustme.CA, *names: str, **details: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **details).configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


YESTERDAY = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
tls_modes = pytest.mark.parametrize(
    "mode", [Security.TLS, Security.STLS], ids=lambda mode: mode.value
)


@runtime
@tls_modes
@pytest.mark.parametrize("names", [["pop.example.org"], ["127.0.0.2", "localhost"]])
def test_a_certificate_for_another_host(on: On, mode: Security, names: list[str]) -> None:
    authority = trustme.CA()
    context = context_of(authority, *names)
    _, secret = refused(
        on, TlsError, "not valid for", mode=mode, context=context, ssl_context=trusting(authority)
    )
    assert secret == []


@runtime
@tls_modes
def test_a_certificate_that_has_expired(on: On, mode: Security) -> None:
    authority = trustme.CA()
    context = context_of(authority, HOST, not_after=YESTERDAY)
    refused(on, TlsError, "expired", mode=mode, context=context, ssl_context=trusting(authority))


@runtime
@tls_modes
def test_a_certificate_of_an_unknown_authority(on: On, mode: Security) -> None:
    context = context_of(trustme.CA(), HOST)
    known = trusting(trustme.CA())
    refused(on, TlsError, "issuer", mode=mode, context=context, ssl_context=known)
    # Nor does it help that the caller has not thought of a context.
    refused(on, TlsError, "issuer", mode=mode, context=context, ssl_context=None)


@runtime
@tls_modes
def test_a_certificate_that_signs_itself(on: On, mode: Security, tmp_path: Any) -> None:
    authority = trustme.CA()
    path = tmp_path / "self.pem"
    path.write_bytes(authority.private_key_pem.bytes() + authority.cert_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    refused(on, TlsError, "self-signed", mode=mode, context=context, ssl_context=None)


@runtime
@tls_modes
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_of_tls(on: On, mode: Security) -> None:
    authority = trustme.CA()
    context = context_of(authority, HOST)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    refused(on, TlsError, "handshake", mode=mode, context=context, ssl_context=None)


# A password in the clear


@runtime
def test_no_secret_is_sent_in_the_clear(on: On) -> None:
    async def flow(connect: Connect) -> None:
        client = await connect(HOST, server.port, **server.how)
        attempts: list[Callable[[], Awaitable[Any]]] = [
            lambda: client.login("user", SECRET),
            lambda: client.login("user", SECRET, mechanisms=["USER"]),
            lambda: client.login("user", SECRET, mechanisms=["PLAIN"]),
            lambda: client.login("user", SECRET, mechanisms=["LOGIN"]),
            lambda: client.oauth("user", SECRET),
            lambda: client.oauth("user", SECRET, mechanism="OAUTHBEARER"),
            lambda: client.authenticate(Plain("user", SECRET)),
            lambda: client.authenticate(LoginMechanism("user", SECRET)),
            lambda: client.authenticate(XOAuth2("user", SECRET)),
            lambda: client.authenticate(OAuthBearer("user", SECRET)),
        ]
        for attempt in attempts:
            with pytest.raises(PlaintextAuthError) as caught:
                await attempt()
            assert caught.value.session_usable
            assert SECRET not in shown(caught.value)
        await client.quit()

    answers = {b"CAPA": CAPABILITIES.replace(b"PLAIN", b"PLAIN LOGIN XOAUTH2 OAUTHBEARER")}
    # Loopback is no exception.
    with hostile(Security.PLAINTEXT, answers, allow_plaintext_auth=False) as server:
        on(flow)
    assert server.clear == [b"CAPA", b"QUIT"]
