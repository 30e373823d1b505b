"""Every way to log in to Dovecot, with the right secret and a wrong one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trustme

from pop3proto import AuthenticationError, LocalProtocolError
from pop3proto.errors import CredentialsError, OAuthError
from pop3proto.sasl import Anonymous, External, by_name
from pop3proto.transports import ClientOptions, Security
from tests.interop.dovecot import certificate_context, token
from tests.interop.servers import HOST, PASSWORD, USER, RealServer
from tests.runtimes import RUNTIMES, Flow

PASSWORDS = (
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
    "DIGEST-MD5",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "USER",
    "APOP",
)
TOKENS = ("XOAUTH2", "OAUTHBEARER")
ADAPTERS = ("blocking", "asyncio", "trio")
Connect = Callable[..., Awaitable[Any]]

adapter = pytest.mark.parametrize("on", [RUNTIMES[name] for name in ADAPTERS], ids=ADAPTERS)
security = pytest.mark.parametrize("mode", list(Security), ids=lambda mode: mode.value)


async def connected(connect: Connect, server: RealServer, mode: Security, **how: Any) -> Any:
    how.setdefault("ssl_context", server.client_context())
    return await connect(
        HOST,
        server.ports[mode],
        security=mode,
        server_hostname=server.server_hostname,
        options=ClientOptions(allow_plaintext_auth=mode is Security.PLAINTEXT),
        **how,
    )


@adapter
@security
@pytest.mark.parametrize("name", PASSWORDS)
def test_passwords(
    dovecot_server: RealServer, on: Callable[[Flow], Any], mode: Security, name: str
) -> None:
    async def flow(connect: Connect) -> None:
        async with await connected(connect, dovecot_server, mode) as client:
            if name == "APOP" and mode is Security.STLS:
                # The timestamp came in the clear, and is not believed.
                with pytest.raises(LocalProtocolError, match="timestamp"):
                    await client.login(USER, PASSWORD, mechanisms=[name])
                return
            with pytest.raises(CredentialsError):
                await client.login(USER, "wr0ng", mechanisms=[name])
            result = await client.login(USER, PASSWORD, mechanisms=[name])
            assert result.mechanism == name
            assert (await client.stat()).count == len(dovecot_server.messages)
            # The capabilities are those of the new state.
            assert not client.capabilities.sasl

    on(flow)


@adapter
@security
@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize("initial_response", [True, False])
def test_tokens(
    dovecot_server: RealServer,
    on: Callable[[Flow], Any],
    mode: Security,
    name: str,
    initial_response: bool,
) -> None:
    how = {"mechanism": name, "initial_response": initial_response}

    async def flow(connect: Connect) -> None:
        async with await connected(connect, dovecot_server, mode) as client:
            for wrong in (token(expires=1_600_000_001), token(key=b"x" * 32), "no token"):
                with pytest.raises(OAuthError) as caught:
                    await client.oauth(USER, wrong, **how)
                assert caught.value.details["status"] in ("invalid_token", "401", "400")
                assert wrong not in str(caught.value)
            tokens = iter([token(expires=1_600_000_001), token()])
            result = await client.oauth(USER, lambda refused: next(tokens), **how)
            assert result.mechanism == name
            assert (await client.stat()).count == len(dovecot_server.messages)

    on(flow)


@adapter
@pytest.mark.parametrize("mode", [Security.TLS, Security.STLS], ids=lambda mode: mode.value)
def test_a_client_certificate(
    dovecot_server: RealServer, on: Callable[[Flow], Any], mode: Security
) -> None:
    async def flow(connect: Connect) -> None:
        context = certificate_context(dovecot_server)
        async with await connected(connect, dovecot_server, mode, ssl_context=context) as client:
            result = await client.authenticate(External())
            assert result.mechanism == "EXTERNAL"
            assert (await client.stat()).count == len(dovecot_server.messages)
        async with await connected(connect, dovecot_server, mode) as client:
            with pytest.raises(AuthenticationError):
                await client.authenticate(External(USER))

    on(flow)


@adapter
@pytest.mark.parametrize("mode", [Security.TLS, Security.STLS], ids=lambda mode: mode.value)
def test_a_client_certificate_of_a_foreign_authority(
    dovecot_server: RealServer, on: Callable[[Flow], Any], mode: Security
) -> None:
    context = dovecot_server.client_context()
    assert context is not None
    # It names the user, but that is not for this one to say.
    trustme.CA().issue_cert("user@example.org", common_name=USER).configure_cert(context)

    async def flow(connect: Connect) -> None:
        async with await connected(connect, dovecot_server, mode, ssl_context=context) as client:
            for identity in ("", USER):
                with pytest.raises(AuthenticationError):
                    await client.authenticate(External(identity))
            # The password is as good as before.
            await client.authenticate(by_name("PLAIN", USER, PASSWORD))

    on(flow)


@adapter
@security
def test_anonymous(dovecot_server: RealServer, on: Callable[[Flow], Any], mode: Security) -> None:
    async def flow(connect: Connect) -> None:
        async with await connected(connect, dovecot_server, mode) as client:
            await client.authenticate(Anonymous("trace@example.org"))
            assert (await client.stat()).count == 1

    on(flow)


@adapter
@security
def test_the_best_is_chosen(
    dovecot_server: RealServer, on: Callable[[Flow], Any], mode: Security
) -> None:
    async def flow(connect: Connect) -> None:
        async with await connected(connect, dovecot_server, mode) as client:
            with pytest.raises(CredentialsError):
                await client.login(USER, "wr0ng")
            assert (await client.login(USER, PASSWORD)).mechanism == "SCRAM-SHA-256"

    on(flow)


def test_a_cancelled_exchange_leaves_a_session(dovecot_server: RealServer) -> None:
    class Stubborn:
        name = "CRAM-MD5"
        complete = True

        def initial(self) -> bytes | None:
            return None

        def respond(self, challenge: bytes) -> bytes:
            raise ValueError("no answer")

    async def flow(connect: Connect) -> None:
        async with await connected(connect, dovecot_server, Security.TLS) as client:
            with pytest.raises(ValueError, match="no answer"):
                await client.authenticate(Stubborn())
            await client.authenticate(by_name("PLAIN", USER, PASSWORD))

    RUNTIMES["blocking"](flow)
