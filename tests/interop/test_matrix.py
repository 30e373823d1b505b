"""Every server, however the connection is secured, on every runtime, pipelined and not.

A cell is five sessions: the commands that need no login; listings, every message, the rest of the
commands; deletions that a lost connection undoes; deletions that QUIT makes; a look at what is
left. It shows in how many writes the RETRs of all messages went out: a few where they were sent
ahead, as many as there are messages where each waited for the answer before it. "n/a" is a server
that announces no PIPELINING: there a few messages are asked for as if it did, and go out in turn.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pop3proto import AuthList, Command, CommandError, Extension, Lang, Last, State, Utf8
from pop3proto.errors import MaildropInUseError
from pop3proto.transcript import Recorder
from pop3proto.transports import ClientOptions, Security
from tests.interop.conftest import RealServers
from tests.interop.maildrop import SMALL
from tests.interop.servers import HOST, PASSWORD, USER, RealServer
from tests.interop.table import SetCell
from tests.runtimes import RUNTIMES, Flow

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
TITLE = "servers, and the clients that fetch from them (ok / writes of all RETRs)"
FEW = 30
SECONDS_TO_RELEASE = 30.0
BEFORE_LOGIN = (Utf8(), AuthList(), Lang())
BEHIND_LOGIN = (Last(), Lang(), Lang("en"), Extension.multi("XTND XLST Subject"))


class Writes(Recorder):
    """Knows how many commands were handed to the stream at once, each time; keeps no octets."""

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[int] = []

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        self.commands.append(bytes(data).count(b"\r\n"))

    def received(self, data: bytes | bytearray | memoryview) -> None:
        pass


def options_for(server: RealServer, mode: Security, **more: Any) -> ClientOptions:
    return ClientOptions(allow_plaintext_auth=mode is PLAIN, **server.options, **more)


async def connected(connect: Connect, server: RealServer, mode: Security, **more: Any) -> Any:
    return await connect(
        HOST,
        server.ports[mode],
        security=mode,
        ssl_context=None if mode is PLAIN else server.client_context(),
        options=options_for(server, mode, **more),
    )


async def logged_in(connect: Connect, server: RealServer, mode: Security, **more: Any) -> Any:
    deadline = time.monotonic() + SECONDS_TO_RELEASE
    while True:
        client = await connected(connect, server, mode, **more)
        try:
            await client.login(USER, PASSWORD)
        except MaildropInUseError:
            # The server has not seen yet that the last client is gone.
            client.abort()
            assert time.monotonic() < deadline
            # There is one client at a time; whatever the loop is, it has nothing else to do.
            time.sleep(0.1)  # noqa: ASYNC251
        else:
            announced = client.capabilities is not None and client.capabilities.pipelining
            assert announced is server.pipelines
            return client


async def the_rarer_commands(
    client: Any, server: RealServer, commands: tuple[Command[Any], ...]
) -> None:
    for command in commands:
        name = command.to_bytes().split()[0].decode("ascii")
        if name in server.knows:
            await client.call(command)
        else:
            with pytest.raises(CommandError) as caught:
                await client.call(command)
            assert caught.value.session_usable


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


async def the_messages(client: Any, server: RealServer) -> None:
    contents = server.messages
    numbers = [*range(1, len(contents) + 1)]
    got = [message.content async for message in client.retr_many(numbers)]
    assert got == list(contents)
    for number in range(1, len(contents) - SMALL + 1):
        assert (await client.retr(number)).content == contents[number - 1]
    pieces = [piece async for piece in client.retr_stream(5)]
    assert b"".join(pieces) == contents[4]
    header = contents[0][: contents[0].index(b"\r\n\r\n") + 4]
    assert (await client.top(1, 0)).content.rstrip() == header.rstrip()
    tops = [message.content async for message in client.top_many([1, 1], 100)]
    assert tops == [contents[0]] * 2


async def the_rest(client: Any, server: RealServer) -> None:
    if client.capabilities is not None:
        assert await client.capa() == client.capabilities
    await client.noop()
    for command in (client.retr, client.list, *[client.dele] * server.refuses_wrong_deletions):
        with pytest.raises(CommandError) as caught:
            await command(999_999)
        assert caught.value.session_usable
    await client.dele(1)
    assert client.pending_deletions == 1
    with pytest.raises(CommandError):
        await client.retr(1)
    await client.rset()
    assert client.pending_deletions == 0
    assert client.state is State.TRANSACTION


async def in_how_many_writes(client: Any, server: RealServer, writes: Writes) -> int:
    """Fetch everything; how many writes the RETRs of ``retr_many()`` took."""
    writes.commands.clear()
    await the_messages(client, server)
    asked, sent = 0, 0
    while asked < len(server.messages):
        asked += writes.commands[sent]
        sent += 1
    return sent


async def the_deletions(connect: Connect, server: RealServer, mode: Security, how: Any) -> None:
    count = len(server.messages)
    client = await logged_in(connect, server, mode, **how)
    marked = [message async for message in client.dele_many([1, 2, count])]
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
    cell: SetCell,
    name: str,
    mode: Security,
    runtime: str,
    pipelining: bool,
) -> None:
    place = TITLE, f"{name}, {mode.value}", f"{runtime}{'' if pipelining else ', in turn'}"
    cell(*place)
    server = real_servers[name]

    async def flow(connect: Connect) -> str:
        how, writes = {"pipelining": pipelining}, Writes()
        if pipelining and not server.pipelines:
            await nothing_is_sent_ahead(connect, server, mode)
            return "n/a"
        async with await connected(connect, server, mode) as client:
            await the_rarer_commands(client, server, BEFORE_LOGIN)
        async with await logged_in(connect, server, mode, recorder=writes, **how) as client:
            await the_listings(client, server)
            needed = await in_how_many_writes(client, server, writes)
            await the_rarer_commands(client, server, BEHIND_LOGIN)
            await the_rest(client, server)
            assert client.deviations == ()
        await the_deletions(connect, server, mode, how)
        count = len(server.messages)
        assert needed <= count // 100 if pipelining else needed == count
        return f"ok / {needed}"

    run: Callable[[Flow], Any] = RUNTIMES[runtime]
    try:
        cell(*place, run(flow))
    finally:
        server.refill()


async def nothing_is_sent_ahead(connect: Connect, server: RealServer, mode: Security) -> None:
    writes = Writes()
    async with await logged_in(connect, server, mode, recorder=writes) as client:
        writes.commands.clear()
        got = [message.content async for message in client.retr_many(range(1, FEW + 1))]
        assert got == list(server.messages[:FEW])
        assert writes.commands == [1] * FEW
