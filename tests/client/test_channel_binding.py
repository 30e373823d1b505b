"""Logins that are tied to their TLS connection, on every runtime."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import trustme
from OpenSSL import SSL

from pop3proto import AuthenticationError, ConnectionLostError, TlsError
from pop3proto.errors import CredentialsError, ServerVerificationError
from pop3proto.sasl import External, ScramSha256, by_name, channel_bindings
from pop3proto.sasl.server import (
    ChannelBinding,
    Passwords,
    ServerExternal,
    ServerMechanism,
    end_point,
    password_mechanisms,
)
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import LoopbackServer, memory_stream, serve
from pop3proto.transports import Security
from pop3proto.transports.blocking import Client
from tests.runtimes import Flow, runtime

USERS = {"user": "pa55word"}
OPTIONS = ServerOptions(failed_login_delay=0.0)
Connect = Callable[..., Awaitable[Any]]

under_tls = pytest.mark.parametrize(
    "mode", [Security.TLS, Security.STLS], ids=lambda mode: mode.value
)
version = pytest.mark.parametrize(
    "newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda v: v.name
)


class Certified:
    """A server's certificate and what it offers on each connection, with client certificates."""

    def __init__(self, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> None:
        self.authority = trustme.CA()
        issued = self.authority.issue_cert("localhost", "127.0.0.1")
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.maximum_version = newest
        self.context.verify_mode = ssl.CERT_OPTIONAL
        self.authority.configure_trust(self.context)
        issued.configure_cert(self.context)
        pem = issued.cert_chain_pems[0].bytes().decode("ascii")
        self.der = ssl.PEM_cert_to_DER_cert(pem)

    def bindings(self, tls: ssl.SSLObject) -> list[ChannelBinding]:
        bound = end_point(self.der)
        assert bound is not None
        unique = tls.get_channel_binding("tls-unique") if tls.version() == "TLSv1.2" else None
        return [bound, *([ChannelBinding("tls-unique", unique)] if unique else [])]

    def mechanisms(self, tls: ssl.SSLObject | None) -> list[ServerMechanism]:
        passwords = Passwords(USERS)
        if tls is None:
            return list(password_mechanisms(passwords, host="localhost"))
        named: Any = tls.getpeercert() or {}
        identity = dict(pair for part in named.get("subject", ()) for pair in part)
        return [
            *password_mechanisms(passwords, host="localhost", channel_bindings=self.bindings(tls)),
            ServerExternal(identity.get("commonName", "")),
        ]

    def client_context(self, *, user: str | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if user is not None:
            issued = self.authority.issue_cert(f"{user}@example.org", common_name=user)
            issued.configure_cert(context)
        return context

    @contextmanager
    def serving(self, mode: Security) -> Iterator[LoopbackServer]:
        with serve(
            MemoryMaildrops({"user": [b"one\r\n"]}),
            users=USERS,
            security=mode,
            options=OPTIONS,
            mechanisms=self.mechanisms,
            tls_context=self.context,
        ) as server:
            yield server


@runtime
@under_tls
@version
def test_the_best_login_is_bound(
    on: Callable[[Flow], Any], mode: Security, newest: ssl.TLSVersion
) -> None:
    certified = Certified(newest)
    with certified.serving(mode) as server:

        async def flow(connect: Connect) -> None:
            context = certified.client_context()
            async with await connect(
                server.host, server.port, security=mode, ssl_context=context
            ) as client:
                with pytest.raises(CredentialsError):
                    await client.login("user", "wr0ng")
                result = await client.login("user", "pa55word")
                assert result.mechanism == "SCRAM-SHA-512-PLUS"
                assert result.channel_bound
                assert (await client.stat()).count == 1

        on(flow)


@runtime
@under_tls
def test_a_login_without_a_binding_says_so(on: Callable[[Flow], Any], mode: Security) -> None:
    with serve(
        MemoryMaildrops({"user": []}),
        users=USERS,
        security=mode,
        mechanisms=password_mechanisms(Passwords(USERS), host="localhost"),
    ) as server:

        async def flow(connect: Connect) -> None:
            async with await connect(
                server.host, server.port, security=mode, ssl_context=server.client_context()
            ) as client:
                result = await client.login("user", "pa55word")
                assert result.mechanism == "SCRAM-SHA-512"
                assert not result.channel_bound

        on(flow)


@runtime
@under_tls
def test_a_client_certificate(on: Callable[[Flow], Any], mode: Security) -> None:
    certified = Certified()
    with certified.serving(mode) as server:

        async def flow(connect: Connect) -> None:
            where = server.host, server.port
            context = certified.client_context(user="user")
            async with await connect(*where, security=mode, ssl_context=context) as client:
                result = await client.authenticate(External())
                assert result.mechanism == "EXTERNAL"
                assert (await client.stat()).count == 1
            context = certified.client_context()
            async with await connect(*where, security=mode, ssl_context=context) as client:
                with pytest.raises(AuthenticationError):
                    await client.authenticate(External("user"))

        on(flow)


@runtime
@under_tls
@version
def test_a_client_certificate_of_a_foreign_authority(
    on: Callable[[Flow], Any], mode: Security, newest: ssl.TLSVersion
) -> None:
    certified = Certified(newest)
    context = certified.client_context()
    # It names the user, but that is not for this one to say.
    trustme.CA().issue_cert("user@example.org", common_name="user").configure_cert(context)
    with certified.serving(mode) as server:

        async def flow(connect: Connect) -> None:
            with pytest.raises(ConnectionError) as caught:
                # In TLS 1.3 the client's handshake is done before the server has seen it.
                async with await connect(
                    server.host, server.port, security=mode, ssl_context=context
                ) as client:
                    await client.authenticate(External())
            assert isinstance(caught.value, TlsError | ConnectionLostError)
            assert not caught.value.session_usable

        on(flow)
    assert all(session.user is None for session in server.sessions)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@version
def test_each_kind_of_binding(mechanism: str, newest: ssl.TLSVersion) -> None:
    certified = Certified(newest)
    stream = memory_stream(
        MemoryMaildrops({"user": []}),
        users=USERS,
        security=Security.TLS,
        options=OPTIONS,
        mechanisms=certified.mechanisms,
        tls_context=certified.context,
    )
    with Client.start(
        stream,
        security=Security.TLS,
        ssl_context=certified.client_context(),
        server_hostname="localhost",
    ) as client:
        tls = client.tls
        assert tls is not None
        kinds = [
            binding
            for binding in channel_bindings(tls)
            # Which the server cannot compute before its Python knows it.
            if binding.type != "tls-exporter"
        ]
        expected = ["tls-server-end-point"]
        if newest is ssl.TLSVersion.TLSv1_2:
            expected.insert(0, "tls-unique")
        assert [binding.type for binding in kinds] == expected
        for wrong in kinds:
            other = ChannelBinding(wrong.type, bytes(len(wrong.data)))
            with pytest.raises(AuthenticationError):
                client.authenticate(
                    by_name(mechanism + "-PLUS", "user", "pa55word", channel_binding=other)
                )
        for binding in kinds[1:]:
            bound = by_name(mechanism + "-PLUS", "user", "pa55word", channel_binding=binding)
            assert client.authenticate(bound).channel_bound
            return
        result = client.login("user", "pa55word", mechanisms=[mechanism + "-PLUS"])
        assert (result.mechanism, result.channel_bound) == (mechanism + "-PLUS", True)


def test_an_offer_that_somebody_has_stripped() -> None:
    # RFC 5802 section 6: the client says that it could have bound; the server has offered it.
    certified = Certified()

    def stripped(tls: ssl.SSLObject | None) -> list[ServerMechanism]:
        offered = certified.mechanisms(tls)
        return [each for each in offered if not each.name.endswith("-PLUS")]

    stream = memory_stream(
        MemoryMaildrops({"user": []}),
        users=USERS,
        security=Security.TLS,
        options=OPTIONS,
        mechanisms=stripped,
        tls_context=certified.context,
    )
    with Client.start(
        stream,
        security=Security.TLS,
        ssl_context=certified.client_context(),
        server_hostname="localhost",
    ) as client:
        with pytest.raises((AuthenticationError, ServerVerificationError)):
            client.login("user", "pa55word", mechanisms=["SCRAM-SHA-256"])
        client.login("user", "pa55word", mechanisms=["CRAM-MD5"])


# tls-exporter, which no Python gives out yet: from the caller's own TLS


class OwnTls:
    """A stream through TLS by pyOpenSSL, at both ends, to a server in memory."""

    def __init__(self, certified: Certified, newest: ssl.TLSVersion) -> None:
        issued = certified.authority.issue_cert("localhost")
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        issued.configure_cert(context)
        trusting = SSL.Context(SSL.TLS_CLIENT_METHOD)
        trusting.set_verify(SSL.VERIFY_PEER)
        certified.authority.configure_trust(trusting)
        trusting.set_max_proto_version(newest)
        self.server, self.client = SSL.Connection(context, None), SSL.Connection(trusting, None)
        self.server.set_accept_state()
        self.client.set_connect_state()
        for end in 3 * [self.client, self.server]:
            with suppress(SSL.WantReadError):
                end.do_handshake()
            self._carry()
        bindings = [exported(self.server)]
        self._inner = memory_stream(
            MemoryMaildrops({"user": [b"one\r\n"]}),
            users=USERS,
            options=OPTIONS,
            security=Security.PLAINTEXT,
            mechanisms=password_mechanisms(
                Passwords(USERS), host="localhost", channel_bindings=bindings
            ),
        )

    def _carry(self) -> None:
        for end, other in ((self.client, self.server), (self.server, self.client)):
            with suppress(SSL.WantReadError):
                other.bio_write(end.bio_read(1 << 20))

    async def send(self, data: bytes, timeout: float | None) -> None:
        self.client.sendall(data)
        self._carry()
        await self._inner.send(self.server.recv(1 << 20), timeout)

    async def receive(self, timeout: float | None) -> bytes:
        self.server.sendall(await self._inner.receive(timeout))
        self._carry()
        return self.client.recv(1 << 20)

    async def aclose(self) -> None:
        await self._inner.aclose()

    def abort(self) -> None:
        self._inner.abort()


def exported(tls: SSL.Connection) -> ChannelBinding:
    """RFC 9266 section 4.2: the label, a context without octets, 32 octets."""
    data = tls.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
    return ChannelBinding("tls-exporter", data)


@version
def test_the_exporter_of_ones_own_tls(newest: ssl.TLSVersion) -> None:
    certified = Certified()
    stream, other = OwnTls(certified, newest), OwnTls(certified, newest)
    assert stream.client.get_protocol_version_name() == newest.name.replace("_", ".")
    assert exported(stream.client) == exported(stream.server) != exported(other.client)
    with Client.start(stream, security=Security.PLAINTEXT) as client:
        # What belongs to another connection shows that somebody is in between.
        wrong = ScramSha256("user", "pa55word", channel_binding=exported(other.client))
        with pytest.raises(CredentialsError):
            client.authenticate(wrong)
        bound = ScramSha256("user", "pa55word", channel_binding=exported(stream.client))
        result = client.authenticate(bound)
        assert (result.mechanism, result.channel_bound) == ("SCRAM-SHA-256-PLUS", True)
        assert client.stat().count == 1
