"""Every server, however the connection is secured, on every runtime, pipelined and not."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pop3proto import CommandFailed, MaildropBusy, State
from pop3proto.transports import Security
from pop3proto.transports._options import ClientOptions
from tests.interop.conftest import RealServers
from tests.interop.maildrop import difficult
from tests.interop.servers import HOST, PASSWORD, USER, RealServer
from tests.transports.runtimes import RUNTIMES, Flow

Connect = Callable[..., Awaitable[Any]]
PLAIN, STLS, TLS = Security.PLAINTEXT, Security.STLS, Security.TLS
SERVERS = {
    "Dovecot": (PLAIN, STLS, TLS),
    "Courier": (PLAIN, STLS, TLS),
    "popa3d": (PLAIN,),
    "nginx": (PLAIN, STLS, TLS),
    "Twisted": (PLAIN, TLS),
    "embedded": (PLAIN, STLS, TLS),
}
ROWS = [(server, mode) for server, modes in SERVERS.items() for mode in modes]
# Where commands wait for each other, all messages are fetched on one runtime only.
ALL_IN_TURN = "asyncio"
FEW = len(difficult()) + 10
SECONDS_TO_RELEASE = 30.0


async def logged_in(connect: Connect, server: RealServer, mode: Security, **more: Any) -> Any:
    options = ClientOptions(allow_plaintext_auth=mode is PLAIN, **server.options, **more)
    deadline = time.monotonic() + SECONDS_TO_RELEASE
    while True:
        client = await connect(
            HOST,
            server.ports[mode],
            security=mode,
            ssl_context=None if mode is PLAIN else server.client_context(),
            options=options,
        )
        try:
            await client.login(USER, PASSWORD)
        except MaildropBusy:
            # The server has not seen yet that the last client is gone.
            client.abort()
            assert time.monotonic() < deadline
            # There is one client at a time; whatever the loop is, it has nothing else to do.
            time.sleep(0.1)  # noqa: ASYNC251
        else:
            return client


async def the_listings(client: Any, server: RealServer) -> None:
    count = len(server.messages)
    stat = await client.stat()
    assert stat.count == count
    messages = await client.messages()
    assert [row.number for row in messages] == list(range(1, count + 1))
    unique_ids = [row.unique_id for row in messages]
    assert None not in unique_ids
    assert len(set(unique_ids)) == count
    # A size may be that of the file, without carriage returns and a line end that was added.
    for row, content in zip(messages, server.messages, strict=True):
        assert row.octets is not None
        assert 0 <= len(content) - row.octets <= content.count(b"\n") + 1
    assert (await client.list(count)).octets == messages[-1].octets
    if server.numbers_unique_ids:
        assert (await client.uidl(count)).unique_id == unique_ids[-1]


async def the_messages(client: Any, server: RealServer, fetched: int) -> None:
    contents = server.messages
    numbers = [*range(1, fetched + 1)]
    got = [outcome.unwrap().content async for outcome in client.retr_many(numbers)]
    assert got == list(contents[:fetched])
    for number in range(1, len(difficult()) + 1):
        assert (await client.retr(number)).content == contents[number - 1]
    pieces = [piece async for piece in client.retr_stream(5)]
    assert b"".join(pieces) == contents[4]
    header = contents[0][: contents[0].index(b"\r\n\r\n") + 4]
    assert (await client.top(1, 0)).content.rstrip() == header.rstrip()
    tops = [outcome.unwrap().content async for outcome in client.top_many([1, 1], 100)]
    assert tops == [contents[0]] * 2


async def the_rest(client: Any, server: RealServer) -> None:
    if client.capabilities is not None:
        assert await client.capa() == client.capabilities
    await client.noop()
    if server.answers_wrong_numbers:
        for command in (client.retr, client.dele, client.list):
            with pytest.raises(CommandFailed) as caught:
                await command(999_999)
            assert caught.value.session_usable
    await client.dele(1)
    assert client.pending_deletions == 1
    if server.answers_wrong_numbers:
        with pytest.raises(CommandFailed):
            await client.retr(1)
    await client.rset()
    assert client.pending_deletions == 0
    assert client.state is State.TRANSACTION


async def the_deletions(connect: Connect, server: RealServer, mode: Security, how: Any) -> None:
    count = len(server.messages)
    client = await logged_in(connect, server, mode, **how)
    marked = [outcome.unwrap() async for outcome in client.dele_many([1, 2, count])]
    assert len(marked) == 3
    # A connection that is lost deletes nothing.
    client.abort()
    client = await logged_in(connect, server, mode, **how)
    assert (await client.stat()).count == count
    await client.dele(1)
    await client.dele(count)
    result = await client.quit()
    assert (result.confirmed, result.deletions) == (True, 2)
    async with await logged_in(connect, server, mode, **how) as client:
        assert (await client.stat()).count == count - 2
        assert (await client.retr(1)).content == server.messages[1]


@pytest.mark.parametrize(("name", "mode"), ROWS, ids=lambda value: getattr(value, "value", value))
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "in-turn"])
def test_everything(
    real_servers: RealServers,
    cell: Callable[[str, str, str], None],
    name: str,
    mode: Security,
    runtime: str,
    pipelining: bool,
) -> None:
    column = f"{runtime}{'' if pipelining else ', in turn'}"
    cell("servers, and the clients that fetch from them", f"{name}, {mode.value}", column)
    server = real_servers[name]
    fetched = len(server.messages) if pipelining or runtime == ALL_IN_TURN else FEW

    async def flow(connect: Connect) -> None:
        how = {"pipelining": pipelining}
        async with await logged_in(connect, server, mode, **how) as client:
            await the_listings(client, server)
            await the_messages(client, server, fetched)
            await the_rest(client, server)
            assert client.deviations == ()
        await the_deletions(connect, server, mode, how)

    run: Callable[[Flow], Any] = RUNTIMES[runtime]
    try:
        run(flow)
    finally:
        server.refill()
