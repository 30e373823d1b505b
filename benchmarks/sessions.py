"""Thousands of sessions in one asyncio process, and what each holds in memory.

Every session is logged in and open; then all of them send NOOP at once.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import resource
import socket
import ssl
import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HOST = "127.0.0.1"
# How many are opened at a time, so that no queue of the kernel runs over.
_AT_ONCE = 50
# What the first sessions load and allocate once is not theirs.
_WARMING = 50
_ANSWERS = {b"CAPA": b"+OK\r\nTOP\r\nUIDL\r\nUSER\r\nPIPELINING\r\nSASL PLAIN\r\n.\r\n"}


def client_sessions(count: int, tls: bool) -> dict[str, float]:
    """Octets of memory that ``count`` sessions hold."""
    from pop3proto.transports import ClientOptions, Security
    from pop3proto.transports.asyncio import AsyncClient, connect

    options = ClientOptions(allow_plaintext_auth=not tls)
    security = Security.TLS if tls else Security.PLAINTEXT

    async def open_one(port: int, context: ssl.SSLContext | None) -> AsyncClient:
        client = await connect(HOST, port, security=security, ssl_context=context, options=options)
        await client.login("user", "secret")
        return client

    async def use(client: AsyncClient) -> None:
        await client.noop()
        client.abort()

    return _measured(count, tls, open_one, use)


class _Silent(asyncio.Protocol):
    __slots__ = ("transport",)
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport


def bare_sessions(count: int, tls: bool) -> dict[str, float]:
    """The same for connections of asyncio's with nothing upon them."""

    async def open_one(port: int, context: ssl.SSLContext | None) -> _Silent:
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(_Silent, HOST, port, ssl=context))[1]

    async def use(protocol: _Silent) -> None:
        protocol.transport.write(b"NOOP\r\n")
        protocol.transport.abort()

    return _measured(count, tls, open_one, use)


def _measured(
    count: int,
    tls: bool,
    open_one: Callable[[int, ssl.SSLContext | None], Coroutine[Any, Any, Any]],
    use: Callable[[Any], Coroutine[Any, Any, None]],
) -> dict[str, float]:
    _allow_files(count + _WARMING + 100)
    with server(tls) as (port, context):
        return asyncio.run(_held(count, lambda: open_one(port, context), use))


async def _held(
    count: int,
    open_one: Callable[[], Coroutine[Any, Any, Any]],
    use: Callable[[Any], Coroutine[Any, Any, None]],
) -> dict[str, float]:
    warm = await _opened(_WARMING, open_one)
    gc.collect()
    before = resident()
    sessions = await _opened(count, open_one)
    gc.collect()
    held = resident() - before
    # All of them are alive, at the same time.
    await asyncio.gather(*map(use, [*warm, *sessions]))
    return {"growth": held}


async def _opened(count: int, open_one: Callable[[], Coroutine[Any, Any, Any]]) -> list[Any]:
    sessions: list[Any] = []
    while len(sessions) < count:
        batch = min(_AT_ONCE, count - len(sessions))
        sessions += await asyncio.gather(*(open_one() for _ in range(batch)))
    return sessions


def resident() -> int:
    """Octets of memory that the process holds."""
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return pages * resource.getpagesize()
    # The most that it ever held: good enough where nothing is given back in between.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(count, hard)))


# The server, in a process of its own


@contextmanager
def server(tls: bool) -> Generator[tuple[int, ssl.SSLContext | None], None, None]:
    """A server that takes every login and has no mail: its port, and who trusts it."""
    context = None
    certificate = b""
    if tls:
        import trustme

        authority = trustme.CA()
        certificate = authority.issue_cert(HOST).private_key_and_cert_chain_pem.bytes()
        context = ssl.create_default_context()
        authority.configure_trust(context)
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_serve, args=(theirs, certificate), daemon=True)
    process.start()
    try:
        yield ours.recv(), context
    finally:
        process.kill()
        process.join()


def _serve(parent: Connection, certificate: bytes) -> None:
    _allow_files(20_000)
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with TemporaryDirectory() as folder:
            path = Path(folder, "server.pem")
            path.write_bytes(certificate)
            context.load_cert_chain(path)
    asyncio.run(_serving(parent, context))


async def _serving(parent: Connection, context: ssl.SSLContext | None) -> None:
    listener = socket.create_server((HOST, 0), backlog=1024)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Agreeable, sock=listener, ssl=context, backlog=1024)
    parent.send(listener.getsockname()[1])
    await server.serve_forever()


class _Agreeable(asyncio.Protocol):
    """Says yes to every line."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"+OK ready\r\n")

    def data_received(self, data: bytes) -> None:
        # A command is always one write, and these are short.
        lines = data.splitlines()
        self._transport.write(b"".join(_ANSWERS.get(line, b"+OK\r\n") for line in lines))
