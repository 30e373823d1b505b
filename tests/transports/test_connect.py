"""Where the adapters connect to: hosts, POP URLs, UNIX sockets, names that are not ASCII."""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
import ssl
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import anyio
import pytest
import trio
import trustme

from pop3proto import PopUrl
from pop3proto.errors import ConnectError, DeadlineError, LocalProtocolError, TlsError
from pop3proto.server import MemoryMaildrops
from pop3proto.testing import serve
from pop3proto.transports import ClientOptions, Security, Timeouts
from pop3proto.transports.anyio import AnyioStream
from pop3proto.transports.asyncio import AsyncioStream
from pop3proto.transports.connecting import Target, connecting, target, unix_hostname
from pop3proto.transports.trio import TrioStream
from tests.runtimes import RUNTIMES, AsyncLooking, Flow, home, runtime, security, serving

Connect = Callable[..., Awaitable[Any]]
On = Callable[[Flow], Any]
TLS, STLS, PLAIN = Security.TLS, Security.STLS, Security.PLAINTEXT
NAME = "b\xfccher.example.org"
A_LABELS = "xn--bcher-kva.example.org"
QUICK = ClientOptions(timeouts=Timeouts(connect=0.05))

# uvloop resolves names in C, where no test can step in; the others all come by socket.getaddrinfo.
RESOLVING = {name: on for name, on in RUNTIMES.items() if name != "uvloop"}
resolving = pytest.mark.parametrize("on", RESOLVING.values(), ids=RESOLVING)
ASYNCHRONOUS = {name: on for name, on in RUNTIMES.items() if name != "blocking"}
asynchronous = pytest.mark.parametrize("on", ASYNCHRONOUS.values(), ids=ASYNCHRONOUS)


def module(connect: Connect) -> str:
    name = home(connect).rpartition(".")[2]
    return "blocking" if name == "runtimes" else name


async def connect_unix(connect: Connect, *args: Any, **kwargs: Any) -> Any:
    """``connect_unix()`` of the module that ``connect`` is from."""
    found = importlib.import_module(f"pop3proto.transports.{module(connect)}").connect_unix
    if module(connect) == "blocking":
        return AsyncLooking(found(*args, **kwargs))
    return await found(*args, **kwargs)


def opener_to(connect: Connect, port: int, asked: list[tuple[str, int]]) -> Callable[..., Any]:
    """An opener that connects to a port of this machine, whatever it is asked for."""

    def opened(host: str, number: int) -> socket.socket:
        asked.append((host, number))
        return socket.create_connection(("127.0.0.1", port))

    async def opened_async(host: str, number: int) -> Any:
        sock = opened(host, number)
        if module(connect) == "asyncio":
            loop = asyncio.get_running_loop()
            return (await loop.create_connection(AsyncioStream, sock=sock))[1]
        return (TrioStream if module(connect) == "trio" else AnyioStream)(sock)

    return opened if module(connect) == "blocking" else opened_async


def copy(source: socket.socket, to: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)


@contextmanager
def relay(listener: socket.socket, port: int) -> Iterator[list[Any]]:
    """Takes one connection to ``listener`` to a port; the value fills with the peer's address."""
    peers: list[Any] = []

    def take() -> None:
        with suppress(OSError), ExitStack() as stack:
            one, peer = listener.accept()
            stack.enter_context(one)
            peers.append(peer)
            other = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            back = pool.submit(copy, other, one)
            copy(one, other)
            back.result()

    with listener, ThreadPoolExecutor(2) as pool:
        done = pool.submit(take)
        try:
            yield peers
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            done.result()


@contextmanager
def unix_listener(backlog: int = 5) -> Iterator[tuple[socket.socket, str]]:
    if not hasattr(socket, "AF_UNIX"):
        pytest.skip("there are no UNIX sockets here")
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/pop3"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(path)
            listener.listen(backlog)
            yield listener, path


@contextmanager
def named_server(mode: Security, names: list[str | None]) -> Iterator[tuple[int, ssl.SSLContext]]:
    """A server with a certificate for ``NAME``, which notes the names that clients ask for."""
    authority = trustme.CA()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(server_context)
    server_context.sni_callback = lambda _object, name, _context: names.append(name)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with serve(MemoryMaildrops(), users={}, security=mode, tls_context=server_context) as server:
        yield server.port, context


def resolve(
    monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str]], asked: list[str] | None = None
) -> None:
    """Let ``names`` have these addresses; no test asks DNS."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> list[Any]:
        name = host.decode("ascii") if isinstance(host, bytes) else host
        if name not in names:
            return real(host, *args, **kwargs)
        if asked is not None:
            asked.append(name)
        return [row for address in names[name] for row in real(address, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    ("host", "port", "mode", "found"),
    [
        ("h", None, None, Target("h", 995, TLS, "h")),
        ("h", None, STLS, Target("h", 110, STLS, "h")),
        ("h", 1110, PLAIN, Target("h", 1110, PLAIN, "h")),
        ("h.", None, TLS, Target("h.", 995, TLS, "h")),
        ("::1", None, TLS, Target("::1", 995, TLS, "::1")),
        ("fe80::1%eth0", None, TLS, Target("fe80::1%eth0", 995, TLS, "fe80::1%eth0")),
        ("fe80::1%br-1.7", 1110, PLAIN, Target("fe80::1%br-1.7", 1110, PLAIN, "fe80::1%br-1.7")),
        ("_pop3s", None, TLS, Target("_pop3s", 995, TLS, "_pop3s")),
        (NAME, None, TLS, Target(A_LABELS, 995, TLS, A_LABELS)),
        (f"{NAME}.", None, TLS, Target(f"{A_LABELS}.", 995, TLS, A_LABELS)),
        ("pop://h", None, None, Target("h", 110, STLS, "h")),
        ("POPS://user@h", None, None, Target("h", 995, TLS, "h")),
        ("pops://h", None, TLS, Target("h", 995, TLS, "h")),
        ("pop://h", None, PLAIN, Target("h", 110, PLAIN, "h")),
        ("pop://h:1110", None, STLS, Target("h", 1110, STLS, "h")),
        ("pops://h", 1995, None, Target("h", 1995, TLS, "h")),
        (f"pops://{NAME}", None, None, Target(A_LABELS, 995, TLS, A_LABELS)),
        (PopUrl("::1", 1110), None, None, Target("::1", 1110, STLS, "::1")),
    ],
)
def test_targets(
    host: str | PopUrl, port: int | None, mode: Security | None, found: Target
) -> None:
    assert target(host, port, mode) == found


def test_the_name_to_verify_is_given() -> None:
    assert target("192.0.2.1", None, None, f"{NAME}.").server_hostname == A_LABELS
    assert target("192.0.2.1", None, None, "h").server_hostname == "h"
    assert unix_hostname(TLS, f"{NAME}.") == A_LABELS
    assert unix_hostname(PLAIN, None) is None


@pytest.mark.parametrize(
    ("host", "port", "mode", "why"),
    [
        ("pops://h", None, STLS, "STLS contradicts a pops:// URL"),
        ("pops://h", None, PLAIN, "PLAINTEXT contradicts a pops:// URL"),
        ("pop://h", None, TLS, "TLS contradicts a pop:// URL"),
        ("pops://h:995", 995, None, "twice"),
        ("pop://user:hunter2@h", None, None, "password"),
        ("", None, None, "empty"),
        ("h", 0, None, "a port is 1"),
        ("h", 65536, None, "a port is 1"),
    ],
)
def test_contradictions(host: str, port: int | None, mode: Security | None, why: str) -> None:
    with pytest.raises(LocalProtocolError, match=why) as caught:
        target(host, port, mode)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["stra\xdfe.example.org", "\u03b1\u03c2.example.org", "\xfc..example.org", 64 * "\xfc"]
)
def test_names_without_a_labels(host: str) -> None:
    with pytest.raises(ConnectError):
        target(host, None, None)


@runtime
def test_urls(on: On) -> None:
    async def flow(connect: Connect) -> None:
        at = f"{server.host}:{server.port}"
        for url in (f"pop://user@{at}", PopUrl(server.host, server.port, "user")):
            async with await connect(url, ssl_context=how["ssl_context"]) as client:
                assert client.secure
        async with await connect(f"pop://{at}", security=PLAIN) as client:
            assert not client.secure
        at = f"{tls_server.host}:{tls_server.port}"
        async with await connect(f"pops://{at}", ssl_context=tls_how["ssl_context"]) as client:
            assert client.secure
        with pytest.raises(LocalProtocolError, match="password"):
            await connect(f"pops://user:secret@{at}")

    with serving(STLS) as (server, _, how), serving(TLS) as (tls_server, _, tls_how):
        on(flow)


@runtime
@security
def test_a_unix_socket(on: On, mode: Security) -> None:
    async def flow(connect: Connect) -> None:
        name = None if mode is PLAIN else server.host
        async with await connect_unix(connect, path, server_hostname=name, **how) as client:
            assert client.secure is (mode is not PLAIN)
            await client.login("user", "secret")
            assert len(await client.messages())

    with (
        serving(mode) as (server, _, how),
        unix_listener() as (listener, path),
        relay(listener, server.port) as peers,
    ):
        on(flow)
        assert len(peers) == 1


@runtime
def test_what_a_unix_socket_needs(on: On, monkeypatch: pytest.MonkeyPatch) -> None:
    async def flow(connect: Connect) -> None:
        for mode in (TLS, STLS):
            with pytest.raises(LocalProtocolError, match="server_hostname"):
                await connect_unix(connect, path, security=mode)
        with pytest.raises(ConnectError, match="nowhere") as caught:
            await connect_unix(connect, os.fsencode(f"{path}-nowhere"))
        assert caught.value.hint.startswith("check the path")
        with monkeypatch.context() as patch:
            patch.delattr(socket, "AF_UNIX")
            with pytest.raises(ConnectError, match="no UNIX sockets"):
                await connect_unix(connect, path)

    with unix_listener() as (_, path):
        on(flow)


@runtime
def test_a_unix_socket_whose_queue_is_full(on: On) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux lets a client wait for the queue")

    async def flow(connect: Connect) -> None:
        with pytest.raises(DeadlineError) as caught:
            await connect_unix(connect, path, options=QUICK)
        assert caught.value.phase == "connect"

    with unix_listener(backlog=0) as (_, path), ExitStack() as stack:
        with suppress(BlockingIOError):
            while True:
                waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
                waiting.setblocking(False)
                waiting.connect(path)
        on(flow)


@resolving
@pytest.mark.parametrize("mode", [TLS, STLS])
@pytest.mark.parametrize("host", [NAME, A_LABELS, f"{NAME}."])
def test_a_name_that_is_not_ascii(
    on: On, mode: Security, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def flow(connect: Connect) -> None:
        async with await connect(host, port, security=mode, ssl_context=context) as client:
            assert client.secure

    asked: list[str] = []
    sni: list[str | None] = []
    addresses = ["127.0.0.1"]
    resolve(monkeypatch, {A_LABELS: addresses, f"{A_LABELS}.": addresses}, asked)
    with named_server(mode, sni) as (port, context):
        on(flow)
    assert set(asked) == {A_LABELS + "." * host.endswith(".")}
    assert sni == [A_LABELS]


@runtime
def test_an_opener_gets_a_labels(on: On) -> None:
    async def flow(connect: Connect) -> None:
        asked: list[tuple[str, int]] = []
        opener = opener_to(connect, port, asked)
        async with await connect(NAME, opener=opener, ssl_context=context) as client:
            assert client.secure
        assert asked == [(A_LABELS, 995)]
        name = f"{NAME}."
        async with await connect(
            "192.0.2.1", opener=opener, ssl_context=context, server_hostname=name
        ) as client:
            assert client.secure
        with pytest.raises(TlsError, match="certificate"):
            await connect("other.example.org", opener=opener, ssl_context=context)

    sni: list[str | None] = []
    with named_server(TLS, sni) as (port, context):
        on(flow)
    assert sni == [A_LABELS, A_LABELS, "other.example.org"]


@runtime
@pytest.mark.parametrize("error", [ConnectionRefusedError("no"), EOFError("gone"), OSError(5, "x")])
def test_an_opener_that_fails(on: On, error: Exception) -> None:
    async def flow(connect: Connect) -> None:
        def fail(host: str, port: int) -> Any:
            raise error

        async def fail_later(host: str, port: int) -> Any:
            raise error

        for opener in [fail] if module(connect) == "blocking" else [fail, fail_later]:
            with pytest.raises(ConnectError, match=r"pop\.example\.org port 995") as caught:
                await connect("pop.example.org", opener=opener)
            assert caught.value.__cause__ is error

    on(flow)


@asynchronous
def test_an_opener_that_takes_too_long(on: On) -> None:
    async def flow(connect: Connect) -> None:
        sleep: dict[str, Callable[[float], Awaitable[Any]]]
        sleep = {"asyncio": asyncio.sleep, "trio": trio.sleep, "anyio": anyio.sleep}

        async def opener(host: str, port: int) -> Any:
            await sleep[module(connect)](60)

        with pytest.raises(DeadlineError) as caught:
            await connect("pop.example.org", opener=opener, options=QUICK)
        assert (caught.value.phase, caught.value.seconds) == ("connect", 0.05)

    on(flow)


@runtime
def test_ipv6(on: On) -> None:
    async def flow(connect: Connect) -> None:
        async with await connect("::1", number, security=PLAIN):
            pass

    with serving(PLAIN) as (server, _, _how):
        try:
            listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
        except OSError:
            pytest.skip("there is no IPv6 here")
        number = listener.getsockname()[1]
        with relay(listener, server.port) as peers:
            on(flow)
            assert peers[0][0] == "::1"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@runtime
@pytest.mark.parametrize("with_port", [False, True])
def test_the_source_address(on: On, with_port: bool) -> None:
    # Every address from 127.0.0.1 on is this machine's own on Linux.
    address = "127.0.0.2" if sys.platform == "linux" else "127.0.0.1"
    source = (address, free_port() if with_port else 0)

    async def flow(connect: Connect) -> None:
        async with await connect("127.0.0.1", number, security=PLAIN, source_address=source):
            pass

    with serving(PLAIN) as (server, _, _how):
        listener = socket.create_server(("127.0.0.1", 0))
        number = listener.getsockname()[1]
        with relay(listener, server.port) as peers:
            on(flow)
            assert peers[0][0] == address
            assert peers[0][1] == source[1] or not with_port


@resolving
@pytest.mark.parametrize("with_port", [False, True])
def test_the_source_address_leaves_out_the_other_family(
    on: On, with_port: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ("127.0.0.1", free_port() if with_port else 0)

    async def flow(connect: Connect) -> None:
        port = server.port
        async with await connect("pop.example.org", port, security=PLAIN, source_address=source):
            pass

    resolve(monkeypatch, {"pop.example.org": ["::1", "127.0.0.1"]})
    with serving(PLAIN) as (server, _, _how):
        on(flow)


@runtime
def test_a_source_address_that_is_not_here(on: On) -> None:
    async def flow(connect: Connect) -> None:
        for port in (0, number):
            with pytest.raises(ConnectError):
                await connect(
                    server.host, server.port, security=PLAIN, source_address=("192.0.2.1", port)
                )

    number = free_port()
    with serving(PLAIN) as (server, _, _how):
        on(flow)


def test_the_kernels_timeout_is_no_deadline() -> None:
    with pytest.raises(ConnectError), connecting("h", 1.0):
        raise TimeoutError(110, "Connection timed out")
    with pytest.raises(DeadlineError), connecting("h", 1.0):
        raise TimeoutError
    with pytest.raises(ConnectError), connecting("h", None):
        raise TimeoutError
