"""Logins that are tied to their TLS connection, on every runtime."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trustme

from pop3proto import AuthenticationFailed, ServerNotVerified, WrongCredentials
from pop3proto.maildrop import MemoryMaildrops
from pop3proto.sasl import External, by_name, channel_bindings
from pop3proto.sasl.server import (
    ChannelBinding,
    Mechanism,
    Passwords,
    end_point,
    password_mechanisms,
)
from pop3proto.sasl.server import External as ServerExternal
from pop3proto.serving import ServerOptions
from pop3proto.testing import LoopbackServer, memory_stream, serve
from pop3proto.transports import Security
from pop3proto.transports.blocking import Client
from tests.transports.runtimes import Flow, runtime

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

    def mechanisms(self, tls: ssl.SSLObject | None) -> list[Mechanism]:
        if tls is None:
            return list(password_mechanisms(Passwords(USERS), host="localhost"))
        bound = end_point(self.der)
        assert bound is not None
        unique = tls.get_channel_binding("tls-unique") if tls.version() == "TLSv1.2" else None
        bindings = [bound, *([ChannelBinding("tls-unique", unique)] if unique else [])]
        passwords = Passwords(USERS)
        named: Any = tls.getpeercert() or {}
        identity = dict(pair for part in named.get("subject", ()) for pair in part)
        return [
            *password_mechanisms(passwords, host="localhost", channel_bindings=bindings),
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
                with pytest.raises(WrongCredentials):
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
                with pytest.raises(AuthenticationFailed):
                    await client.authenticate(External("user"))

        on(flow)


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
            expected.append("tls-unique")
        assert [binding.type for binding in kinds] == expected
        for wrong in kinds:
            other = ChannelBinding(wrong.type, bytes(len(wrong.data)))
            with pytest.raises(AuthenticationFailed):
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

    def stripped(tls: ssl.SSLObject | None) -> list[Mechanism]:
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
        with pytest.raises((AuthenticationFailed, ServerNotVerified)):
            client.login("user", "pa55word", mechanisms=["SCRAM-SHA-256"])
        client.login("user", "pa55word", mechanisms=["CRAM-MD5"])
