"""``async with serve(...)``, on the loops that there are."""

from __future__ import annotations

from typing import Any

import pytest

from pop3proto.errors import ConnectError
from pop3proto.server import MemoryMaildrops
from pop3proto.testing import LoopbackServer, serve
from pop3proto.transports import Security
from tests.runtimes import RUNTIMES


async def fetched(connect: Any, server: LoopbackServer) -> bytes:
    client = await connect(
        server.host,
        server.port,
        security=Security.STLS,
        ssl_context=server.client_context(),
    )
    async with client:
        await client.login("user", "secret")
        return bytes((await client.retr(1)).content)


@pytest.mark.parametrize("runtime", ["asyncio", "trio", "anyio-trio"])
def test_it_runs_for_as_long_as_the_block(runtime: str) -> None:
    maildrops = MemoryMaildrops({"user": [b"one\r\n"]})

    async def flow(connect: Any) -> None:
        async with serve(maildrops, users={"user": "secret"}) as server:
            assert await fetched(connect, server) == b"one\r\n"
        with pytest.raises(ConnectError):
            await fetched(connect, server)

    RUNTIMES[runtime](flow)


@pytest.mark.parametrize("runtime", ["asyncio", "trio"])
def test_an_error_comes_out(runtime: str) -> None:
    async def flow(connect: Any) -> None:
        with pytest.raises(ZeroDivisionError):
            async with serve(MemoryMaildrops(), users={}):
                raise ZeroDivisionError

    RUNTIMES[runtime](flow)
