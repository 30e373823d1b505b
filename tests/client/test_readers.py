"""How streams and batches are left: early, by an error, by somebody else's error, or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pop3proto import CommandError, LocalProtocolError, Noop
from pop3proto.client import message as _message
from pop3proto.errors import BusyError, DeadConnectionError, LimitError
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import serve
from pop3proto.transports import ClientOptions, Security
from tests.runtimes import SMALL, Flow, runtime, serving

Connect = Callable[..., Awaitable[Any]]
On = Callable[[Flow], Any]
PLAIN = Security.PLAINTEXT
# As somebody's code could raise it who passes on what another client has raised.
ELSEWHERE = CommandError("from elsewhere")


class Failing:
    def write(self, data: bytes) -> None:
        raise ELSEWHERE


def fail(octets: int, expected: int | None) -> None:
    raise ELSEWHERE


async def unwrapped(client: Any) -> None:
    async with client.retr_many([1, 99, 2, 3]) as batch:
        async for _ in batch:
            pass


async def in_a_batch(client: Any) -> None:
    async with client.retr_many([1, 2, 3]) as batch:
        await anext(batch)
        raise ELSEWHERE


async def in_a_stream(client: Any) -> None:
    async with client.retr_stream(4) as stream:
        await anext(stream)
        raise ELSEWHERE


async def progress_of_a_batch(client: Any) -> None:
    async for _ in client.retr_many([1, 2, 3], progress=fail):
        pass


async def progress_of_a_stream(client: Any) -> None:
    async for _ in client.retr_stream(4, progress=fail):
        pass


OUT_OF_STEP: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "unwrap": unwrapped,
    "in a batch": in_a_batch,
    "in a stream": in_a_stream,
    "write": lambda client: client.save(4, Failing()),
    "progress of a batch": progress_of_a_batch,
    "progress of a stream": progress_of_a_stream,
    "progress of save": lambda client: client.save(4, Failing(), progress=fail),
    "progress of retr": lambda client: client.retr(4, progress=fail),
    "progress of top": lambda client: client.top(4, 1, progress=fail),
}


@runtime
@pytest.mark.parametrize("call", OUT_OF_STEP.values(), ids=OUT_OF_STEP)
def test_whose_error_it_is_makes_no_difference(
    on: On, call: Callable[[Any], Awaitable[Any]]
) -> None:
    """Answers that nobody takes must not be taken for those to the next commands."""

    async def flow(connect: Connect) -> None:
        client = await connect(server.host, server.port, **how)
        await client.login("user", "secret")
        await client.dele(5)
        with pytest.raises(CommandError):
            await call(client)
        assert client.closed
        with pytest.raises(DeadConnectionError):
            await client.stat()
        with pytest.raises(DeadConnectionError):
            await client.quit()

    with serving(PLAIN) as (server, maildrops, how):
        on(flow)
        server.wait_until_idle()
        assert maildrops.contents("user") == SMALL


async def unwrapped_last(client: Any) -> None:
    async with client.retr_many([1, 2, 99]) as batch:
        async for _ in batch:
            pass


async def behind_the_end(client: Any) -> None:
    async with client.retr_stream(1) as stream:
        async for _ in stream:
            pass
        raise ELSEWHERE


async def refused(client: Any) -> None:
    async with client.retr_stream(99) as stream:
        await anext(stream)


async def before_the_start(client: Any) -> None:
    async with client.retr_stream(1), client.retr_many([1]):
        raise ELSEWHERE


async def error_between(client: Any) -> None:
    """Without pipelining nothing is on its way between two outcomes."""
    async with client.batch([Noop(), Noop()]) as batch:
        await anext(batch)
        raise ZeroDivisionError


@runtime
@pytest.mark.parametrize(
    "call", [unwrapped_last, behind_the_end, refused, before_the_start, error_between]
)
def test_an_error_when_nothing_is_on_its_way(on: On, call: Callable[[Any], Awaitable[Any]]) -> None:
    async def flow(connect: Connect) -> None:
        options = ClientOptions(allow_plaintext_auth=True, pipelining=call is not error_between)
        client = await connect(server.host, server.port, security=PLAIN, options=options)
        await client.login("user", "secret")
        with pytest.raises((CommandError, ZeroDivisionError)):
            await call(client)
        assert (await client.stat()).count == len(SMALL)
        assert (await client.quit()).confirmed

    with serving(PLAIN) as (server, _, _how):
        on(flow)


LARGE = b"x" * 998 + b"\r\n"


@runtime
@pytest.mark.parametrize("how", ["batch", "stream"])
def test_what_is_skipped_is_not_looked_at(on: On, how: str) -> None:
    """It is not collected, has no limit, and no progress is told."""
    seen: list[tuple[int, int | None]] = []

    async def flow(connect: Connect) -> None:
        options = ClientOptions(allow_plaintext_auth=True)
        client = await connect(server.host, server.port, security=PLAIN, options=options)
        await client.login("user", "secret")
        asked: dict[str, Any] = {"progress": lambda *octets: seen.append(octets)}
        if how == "batch":
            async with client.retr_many(range(1, 51), max_octets=1000, **asked) as batch:
                assert (await anext(batch)).content == LARGE
            assert seen == [(1000, 1000)]
        else:
            # A limit that the first octets keep to, and the rest does not.
            async with client.retr_stream(2, max_octets=200_000, **asked) as stream:
                first = len(await anext(stream))
            assert [octets for octets, _ in seen] == [first]
            assert stream.octets == first
            assert stream.complete
        assert (await client.stat()).count == 50
        await client.quit()

    messages = [LARGE] + [LARGE * 500] * 49
    options = ServerOptions(allow_plaintext_auth=True)
    maildrops = MemoryMaildrops({"user": messages})
    with serve(maildrops, users={"user": "secret"}, security=PLAIN, options=options) as server:
        on(flow)


@runtime
def test_a_command_that_was_not_reached_is_no_error(on: On) -> None:
    """The iterable is read ahead, which who leaves early need not know."""

    def numbers() -> Any:
        yield 1
        yield 2
        raise ZeroDivisionError

    async def flow(connect: Connect) -> None:
        client = await connect(server.host, server.port, **how)
        await client.login("user", "secret")
        async with client.retr_many(numbers()) as batch:
            await anext(batch)
        with pytest.raises(ZeroDivisionError):
            async for _ in client.retr_many(numbers()):
                pass
        assert (await client.quit()).confirmed

    with serving(PLAIN) as (server, _, how):
        on(flow)


@runtime
def test_who_was_refused_as_busy_can_try_again(on: On) -> None:
    """A text that was never asked for must not look like an empty one."""

    async def flow(connect: Connect) -> None:
        client = await connect(server.host, server.port, **how)
        await client.login("user", "secret")
        batch, stream = client.retr_many([2, 3]), client.retr_stream(2)
        async with client.retr_stream(1) as first:
            await anext(first)
            for busy in (batch, stream):
                with pytest.raises(BusyError):
                    await anext(busy)
        assert (await stream.read()).content == SMALL[1]
        assert [message.content async for message in batch] == SMALL[1:3]
        await client.quit()

    with serving(PLAIN) as (server, _, how):
        on(flow)


@runtime
def test_a_text_that_failed_is_not_an_empty_one(on: On) -> None:
    async def flow(connect: Connect) -> None:
        client = await connect(server.host, server.port, **how)
        await client.login("user", "secret")
        stream = client.retr_stream(99)
        with pytest.raises(CommandError):
            await anext(stream)
        for _ in range(2):
            with pytest.raises(LocalProtocolError, match="broken off before its end"):
                await stream.read()
        assert not stream.complete
        await stream.skip()
        assert not stream.complete
        await client.quit()

    with serving(PLAIN) as (server, _, how):
        on(flow)


@runtime
def test_reading_all_has_a_limit_of_its_own(on: On, monkeypatch: pytest.MonkeyPatch) -> None:
    async def flow(connect: Connect) -> None:
        client = await connect(server.host, server.port, **how)
        await client.login("user", "secret")
        # More than the default, if the caller says so.
        stream = client.retr_stream(2, max_octets=len(SMALL[1]))
        assert (await stream.read()).content == SMALL[1]
        with pytest.raises(LimitError):
            await client.retr_stream(2).read()
        assert client.closed

    monkeypatch.setattr(_message, "MAX_COLLECTED_OCTETS", len(SMALL[1]) - 1)
    with serving(PLAIN) as (server, _, how):
        on(flow)
