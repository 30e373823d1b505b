"""The runtimes that every suite of the adapters runs on, and a server for them to talk to."""

from __future__ import annotations

import asyncio
import importlib
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import anyio
import pytest
import trio

from pop3proto.cli.demo import difficult_messages
from pop3proto.client.stepping import run
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.testing import LoopbackServer, serve
from pop3proto.transports import ClientOptions, Security, Timeouts
from pop3proto.transports.anyio import AnyioStream
from pop3proto.transports.asyncio import AsyncioStream
from pop3proto.transports.blocking import BlockingStream
from pop3proto.transports.trio import TrioStream

Flow = Callable[[Callable[..., Awaitable[Any]]], Coroutine[Any, Any, Any]]


class AsyncLooking:
    """A blocking client, made to look like the other one: its results can be awaited."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, {"aclose": "close"}.get(name, name))
        if not callable(found) or name == "abort":
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            if (
                name in ("retr_stream", "top_stream", "stream", "batch", "outcomes")
                or "many" in name
            ):
                return AsyncLooking(found(*args, **kwargs))

            async def result() -> Any:
                return found(*args, **kwargs)

            return result()

        return call

    async def __aenter__(self) -> AsyncLooking:
        self._inner.__enter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._inner.__exit__(*error)

    def __aiter__(self) -> AsyncLooking:
        return self

    async def __anext__(self) -> Any:
        try:
            return next(self._inner)
        except StopIteration:
            raise StopAsyncIteration from None


def connector(name: str) -> Callable[..., Awaitable[Any]]:
    connect = importlib.import_module(f"pop3proto.transports.{name}").connect
    if name != "blocking":
        return connect  # type: ignore[no-any-return]

    async def blocking(*args: Any, **kwargs: Any) -> Any:
        return AsyncLooking(connect(*args, **kwargs))

    return blocking


def home(connect: Callable[..., Any]) -> str:
    """The name of the module whose ``connect()`` it is."""
    dialer = getattr(connect, "__self__", None)
    return connect.__module__ if dialer is None else type(dialer).__module__


def on_uvloop(coroutine: Callable[..., Any], *args: Any) -> Any:
    if sys.platform == "win32":
        pytest.skip("there is no uvloop for Windows")
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine(*args))


RUNTIMES: dict[str, Callable[[Flow], Any]] = {
    "blocking": lambda flow: run(flow(connector("blocking"))),
    "asyncio": lambda flow: asyncio.run(flow(connector("asyncio"))),
    "uvloop": lambda flow: on_uvloop(flow, connector("asyncio")),
    "trio": lambda flow: trio.run(flow, connector("trio")),
    "anyio-asyncio": lambda flow: anyio.run(flow, connector("anyio"), backend="asyncio"),
    "anyio-trio": lambda flow: anyio.run(flow, connector("anyio"), backend="trio"),
}
runtime = pytest.mark.parametrize("on", RUNTIMES.values(), ids=RUNTIMES)
security = pytest.mark.parametrize("mode", list(Security), ids=lambda mode: mode.value)

SMALL = [content for content in difficult_messages().values() if len(content) < 1_000_000]
SHORT = Timeouts(connect=0.5, tls=0.3, greeting=0.3, reply=0.3, login=0.3, body=0.3, quit=0.3)


@contextmanager
def serving(
    mode: Security, maildrops: Any = None
) -> Iterator[tuple[LoopbackServer, Any, dict[str, Any]]]:
    """Run a server; yield it, its maildrops, and the arguments of ``connect()``."""
    maildrops = MemoryMaildrops({"user": SMALL}) if maildrops is None else maildrops
    options = ServerOptions(allow_plaintext_auth=True, failed_login_delay=0.0)
    with serve(maildrops, users={"user": "secret"}, security=mode, options=options) as server:
        how: dict[str, Any] = {
            "security": mode,
            "options": ClientOptions(allow_plaintext_auth=mode is Security.PLAINTEXT),
        }
        if mode is not Security.PLAINTEXT:
            how["ssl_context"] = server.client_context()
        yield server, maildrops, how


async def moment(name: str, seconds: float = 0.001) -> None:
    """Let other tasks and threads do something."""
    if name == "blocking":
        time.sleep(seconds)  # noqa: ASYNC251 - this one has no event loop
    elif name == "trio":
        await trio.sleep(seconds)
    elif name.startswith("anyio"):
        await anyio.sleep(seconds)
    else:
        await asyncio.sleep(seconds)


async def beside(
    name: str, first: Coroutine[Any, Any, Any], second: Coroutine[Any, Any, Any]
) -> list[Any]:
    """Run both at a time, in two tasks or threads; what each of them returned or raised."""
    results: list[Any] = [None, None]

    async def kept(number: int, coroutine: Coroutine[Any, Any, Any]) -> None:
        try:
            results[number] = await coroutine
        except Exception as error:  # noqa: BLE001 - for the test to look at
            results[number] = error

    if name == "blocking":
        thread = threading.Thread(target=lambda: run(kept(1, second)))
        thread.start()
        await kept(0, first)
        thread.join(30)
    elif name == "trio":
        async with trio.open_nursery() as nursery:
            nursery.start_soon(kept, 0, first)
            nursery.start_soon(kept, 1, second)
    elif name.startswith("anyio"):
        async with anyio.create_task_group() as group:
            group.start_soon(kept, 0, first)
            group.start_soon(kept, 1, second)
    else:
        await asyncio.gather(kept(0, first), kept(1, second))
    return results


STREAMS = {"blocking": BlockingStream, "trio": TrioStream}


async def stream_on(name: str, sock: socket.socket) -> Any:
    """The runtime's own stream on a connected socket."""
    if name in ("asyncio", "uvloop"):
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(AsyncioStream, sock=sock))[1]
    return STREAMS.get(name, AnyioStream)(sock)


def resolve_to(monkeypatch: pytest.MonkeyPatch, addresses: list[tuple[str, int]]) -> None:
    """Let every name have these addresses, whatever port is asked for; no test asks DNS."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: list(found))
    if sys.platform == "win32":
        return
    import uvloop

    # It resolves names in C, and addresses the same way.
    resolved = uvloop.Loop.getaddrinfo

    async def getaddrinfo(loop: Any, host: Any, *args: Any, **kwargs: Any) -> Any:
        if host == "127.0.0.1":
            return await resolved(loop, host, *args, **kwargs)
        return list(found)

    monkeypatch.setattr(uvloop.Loop, "getaddrinfo", getaddrinfo)


@contextmanager
def silent_address() -> Iterator[tuple[str, int]]:
    """An address where nobody accepts, and the queue is full: Linux drops what comes then."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            sock = stack.enter_context(socket.socket())
            # What the queue has a place for is connected at once.
            sock.settimeout(0.02)
            try:
                sock.connect(listener.getsockname())
            except TimeoutError:
                break
        else:
            pytest.skip("this system takes connections beyond the queue")
        yield listener.getsockname()
