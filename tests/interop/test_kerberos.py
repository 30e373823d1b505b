"""GSSAPI with a real key distribution center and a real server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pop3proto import AuthenticationError, LocalProtocolError, State
from pop3proto.errors import SaslError
from pop3proto.sasl import Gssapi
from pop3proto.transports import Security
from tests.interop.servers import PASSWORD, USER, RealServer
from tests.interop.test_dovecot_logins import adapter, connected, security
from tests.runtimes import Flow
from tests.tracebacks import shown

Connect = Callable[..., Awaitable[Any]]


@adapter
@security
@pytest.mark.parametrize("initial_response", [True, False])
def test_gssapi(
    kerberos_server: RealServer,
    on: Callable[[Flow], Any],
    mode: Security,
    initial_response: bool,
) -> None:
    async def flow(connect: Connect) -> None:
        async with await connected(connect, kerberos_server, mode) as client:
            with pytest.raises(LocalProtocolError) as caught:
                Gssapi("localhost", user=USER, password="wr0ng")
            assert "wr0ng" not in str(caught.value)
            # Without a ticket, and without a server of that name, nothing is sent.
            for attempt in (Gssapi("localhost"), Gssapi("elsewhere", user=USER, password=PASSWORD)):
                with pytest.raises(SaslError, match="GSSAPI failed") as missing:
                    await client.authenticate(attempt)
                assert type(missing.value) is SaslError
            assert client.state is State.AUTHORIZATION
            mechanism = Gssapi("localhost", user=USER, password=PASSWORD)
            result = await client.authenticate(mechanism, initial_response=initial_response)
            assert result.mechanism == "GSSAPI"
            assert (await client.stat()).count == len(kerberos_server.messages)

    on(flow)


class Forged:
    """GSSAPI with a ticket that somebody has changed on its way."""

    name = "GSSAPI"
    complete = False

    def __init__(self) -> None:
        self._mechanism = Gssapi("localhost", user=USER, password=PASSWORD)

    def initial(self) -> bytes:
        token = self._mechanism.initial() or b""
        # The end belongs to the authenticator, the middle to the ticket: both are encrypted.
        middle = len(token) // 2
        return token[:middle] + bytes([token[middle] ^ 1]) + token[middle + 1 :]

    def respond(self, challenge: bytes) -> bytes:
        return self._mechanism.respond(challenge)


@adapter
@security
def test_a_ticket_that_the_server_refuses(
    kerberos_server: RealServer, on: Callable[[Flow], Any], mode: Security
) -> None:
    async def flow(connect: Connect) -> None:
        async with await connected(connect, kerberos_server, mode) as client:
            with pytest.raises(AuthenticationError) as caught:
                await client.authenticate(Forged())
            assert caught.value.reply is not None
            assert PASSWORD not in shown(caught.value)
            # Its own ticket is as good as before.
            await client.authenticate(Gssapi("localhost", user=USER, password=PASSWORD))

    on(flow)
