"""GSSAPI with a real key distribution center and a real server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pop3proto import LocalProtocolError, Pop3Error
from pop3proto.sasl import Gssapi
from pop3proto.transports import Security
from tests.interop.servers import PASSWORD, USER, RealServer
from tests.interop.test_dovecot_logins import adapter, connected, security
from tests.transports.runtimes import Flow

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
            with pytest.raises(Pop3Error):
                await client.authenticate(Gssapi("localhost"))
            mechanism = Gssapi("localhost", user=USER, password=PASSWORD)
            result = await client.authenticate(mechanism, initial_response=initial_response)
            assert result.mechanism == "GSSAPI"
            assert (await client.stat()).count == len(kerberos_server.messages)

    on(flow)
