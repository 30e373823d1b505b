"""A loop over a stream or batch is left by ``break``, and nothing tells that to the client."""

from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pop3proto import CommandError, ConnectionLostError, DeadlineError, Noop
from pop3proto.errors import BusyError, DeadConnectionError
from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.blocking import Client
from tests.client.test_deadlines import BODY, LOGIN, OK, patient_but, scripted
from tests.collector import without_collector
from tests.runtimes import RUNTIMES, SMALL, Flow, runtime, serving

Connect = Callable[..., Awaitable[Any]]
On = Callable[[Flow], Any]
PLAIN = Security.PLAINTEXT


async def broken_off(reader: Any) -> None:
    async for _ in reader:
        break


ABANDONED: dict[str, Callable[[Any], Any]] = {
    "batch": lambda client: client.retr_many([2, 3, 99, 4]),
    "stream": lambda client: client.retr_stream(4),
}
abandoned = pytest.mark.parametrize("what", ABANDONED.values(), ids=ABANDONED)


@runtime
@abandoned
@pytest.mark.parametrize("how", ["leaving", "quit"])
def test_the_deletions_are_made_all_the_same(on: On, what: Any, how: str) -> None:
    async def flow(connect: Connect) -> None:
        async with await connect(server.host, server.port, **arguments) as client:
            await client.login("user", "secret")
            await client.dele(1)
            await broken_off(what(client))
            with pytest.raises(BusyError):
                await client.noop()
            if how == "quit":
                result = await client.quit()
                assert (result.confirmed, result.deletions) == (True, 1)
        assert client.closed

    with serving(PLAIN) as (server, maildrops, arguments):
        on(flow)
        server.wait_until_idle()
        assert maildrops.contents("user") == SMALL[1:]


@runtime
def test_an_error_makes_none(on: On) -> None:
    async def flow(connect: Connect) -> None:
        client = await connect(server.host, server.port, **arguments)
        with pytest.raises(CommandError):  # noqa: PT012
            async with client:
                await client.login("user", "secret")
                await client.dele(1)
                async for _ in client.retr_many([99, 2, 3]):
                    pass
        assert client.closed

    with serving(PLAIN) as (server, maildrops, arguments):
        on(flow)
        server.wait_until_idle()
        assert maildrops.contents("user") == SMALL


@runtime
def test_a_rest_that_does_not_come(on: On) -> None:
    async def flow(connect: Connect) -> None:
        client = await connect("127.0.0.1", port, security=PLAIN, options=patient_but("body"))
        await client.login("user", "secret")
        await client.dele(1)
        await broken_off(client.retr_stream(2))
        result = await client.quit()
        assert (result.confirmed, result.deletions) == (False, 1)
        assert isinstance(result.error, DeadlineError)
        assert result.error.phase == "body"
        assert client.closed

    with scripted(*LOGIN, OK, BODY, None) as port:
        on(flow)


@runtime
@abandoned
def test_a_client_that_is_given_up_is_dead_and_not_busy(on: On, what: Any) -> None:
    async def flow(connect: Connect) -> None:
        client = await connect(server.host, server.port, **arguments)
        await client.login("user", "secret")
        await broken_off(what(client))
        client.abort()
        with pytest.raises(DeadConnectionError):
            await client.noop()
        with pytest.raises(DeadConnectionError):
            await client.quit()

    with serving(PLAIN) as (server, _, arguments):
        on(flow)


def test_what_was_read_to_its_end_is_not_kept() -> None:
    """A client holds nothing of the batches before."""

    async def flow(connect: Connect) -> None:
        client = await connect(server.host, server.port, **arguments)
        await client.login("user", "secret")
        batch = client.retr_many([1, 2])
        assert len([outcome async for outcome in batch]) == 2
        gone = weakref.ref(batch)
        del batch
        assert gone() is None
        await client.quit()

    with without_collector(), serving(PLAIN) as (server, _, arguments):
        RUNTIMES["asyncio"](flow)


class Broken:
    """A stream that breaks when the commands of a batch are sent, and yet has all the answers."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = [b"+OK\r\n", *answers]

    async def send(self, data: bytes, timeout: float | None) -> None:
        if data.startswith(b"NOOP"):
            raise ConnectionResetError("gone")

    async def receive(self, timeout: float | None) -> bytes:
        return self._answers.pop(0)

    async def aclose(self) -> None:
        pass

    def abort(self) -> None:
        pass


CAPA = b"+OK\r\nPIPELINING\r\n.\r\n"


@pytest.mark.parametrize("how", ["close", "leave", "quit"])
def test_a_connection_that_broke_says_so_when_the_batch_is_left(how: str) -> None:
    stream = Broken(CAPA, OK, OK, CAPA, OK, OK, OK)
    options = ClientOptions(allow_plaintext_auth=True)
    client = Client.start(stream, security="plaintext", options=options)
    client.login("user", "secret", mechanisms=["USER"])
    client.dele(1)
    batch = client.batch([Noop(), Noop()])
    next(batch)
    if how == "quit":
        result = client.quit()
        assert (result.confirmed, result.deletions) == (False, 1)
        assert isinstance(result.error, ConnectionLostError)
    else:
        with pytest.raises(ConnectionLostError, match="gone"):
            batch.close() if how == "close" else batch.__exit__(None, None, None)
        # Once is enough.
        batch.close()
        assert list(batch) == []
    assert client.closed
