from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import pytest
import trio

import pop3proto as pop3
from examples import proxy_http, proxy_socks
from pop3proto.server import MemoryMaildrops
from pop3proto.transports import ClientOptions, Security, Timeouts
from pop3proto.transports import anyio as anyio_pop3
from pop3proto.transports import asyncio as asyncio_pop3
from pop3proto.transports import blocking as blocking_pop3
from pop3proto.transports import trio as trio_pop3
from tests.examples.contract import MESSAGES, PASSWORD, USER, Server, serving
from tests.examples.proxies import HttpProxy, Proxy, SlowHttpProxy, SocksProxy, running

HOST = "pop.example.org"
maildrops = partial(MemoryMaildrops, {USER: MESSAGES[:9]})
QUICK = ClientOptions(timeouts=Timeouts(connect=0.1))


def client_context(server: Server) -> ssl.SSLContext:
    context = ssl.create_default_context()
    server.authority.configure_trust(context)
    return context


def blocking(opener_of: ModuleType, url: str, port: int, **how: Any) -> list[bytes]:
    timeout = 0.1 if how.get("options") is QUICK else 10.0
    opener = opener_of.blocking_opener(url, timeout=timeout)
    with blocking_pop3.connect(HOST, port, opener=opener, **how) as client:
        client.login(USER, PASSWORD)
        numbers = range(1, client.stat().count + 1)
        return [message.content for message in client.retr_many(numbers)]


async def fetch_all(connect: Any, opener: Any, port: int, how: dict[str, Any]) -> list[bytes]:
    async with await connect(HOST, port, opener=opener, **how) as client:
        await client.login(USER, PASSWORD)
        numbers = range(1, (await client.stat()).count + 1)
        async with client.retr_many(numbers) as batch:
            return [message.content async for message in batch]


def on_asyncio(opener_of: ModuleType, url: str, port: int, **how: Any) -> list[bytes]:
    opener = opener_of.asyncio_opener(url)
    return asyncio.run(fetch_all(asyncio_pop3.connect, opener, port, how))


def on_trio(opener_of: ModuleType, url: str, port: int, **how: Any) -> list[bytes]:
    opener = opener_of.trio_opener(url)
    return trio.run(fetch_all, trio_pop3.connect, opener, port, how)


def anyio_on_asyncio(opener_of: ModuleType, url: str, port: int, **how: Any) -> list[bytes]:
    opener = opener_of.asyncio_opener(url)
    return anyio.run(fetch_all, anyio_pop3.connect, opener, port, how, backend="asyncio")


def anyio_on_trio(opener_of: ModuleType, url: str, port: int, **how: Any) -> list[bytes]:
    opener = opener_of.trio_opener(url)
    return anyio.run(fetch_all, anyio_pop3.connect, opener, port, how, backend="trio")


Fetch = Callable[..., list[bytes]]
runtimes = pytest.mark.parametrize(
    "fetch", [blocking, on_asyncio, on_trio, anyio_on_asyncio, anyio_on_trio]
)
kinds = pytest.mark.parametrize(
    ("opener_of", "kind"),
    [(proxy_socks, SocksProxy), (proxy_http, HttpProxy), (proxy_http, SlowHttpProxy)],
)


@pytest.mark.slow
@runtimes
@kinds
@pytest.mark.parametrize("security", [Security.TLS, Security.STLS])
def test_tls_to_the_server_through_the_proxy(
    fetch: Fetch, opener_of: ModuleType, kind: type[Proxy], security: Security
) -> None:
    with serving(maildrops(), security=security, name=HOST) as server, running(kind()) as proxy:
        messages = fetch(
            opener_of,
            proxy.url(),
            server.port,
            security=security,
            ssl_context=client_context(server),
        )
    assert messages == MESSAGES[:9]
    # The name, and not an address: it was for the proxy to resolve.
    assert proxy.asked_for == [(HOST, server.port)]


@runtimes
@kinds
def test_a_proxy_that_wants_a_login(fetch: Fetch, opener_of: ModuleType, kind: type[Proxy]) -> None:
    with serving(maildrops(), name=HOST) as server, running(kind("someone:secret")) as proxy:
        how = {"security": Security.STLS, "ssl_context": client_context(server)}
        assert fetch(opener_of, proxy.url("someone:secret"), server.port, **how) == MESSAGES[:9]
        for login in ("", "someone:wrong"):
            with pytest.raises(pop3.errors.ConnectError, match="the proxy") as refused:
                fetch(opener_of, proxy.url(login), server.port, **how)
            assert "wrong" not in str(refused.value)
    assert len(proxy.asked_for) == 1


@runtimes
@kinds
def test_a_host_that_the_proxy_does_not_know(
    fetch: Fetch, opener_of: ModuleType, kind: type[Proxy]
) -> None:
    with (
        running(kind(names={})) as proxy,
        pytest.raises(pop3.errors.ConnectError, match="the proxy"),
    ):
        fetch(opener_of, proxy.url(), 995)
    assert proxy.asked_for == [(HOST, 995)]


@runtimes
@kinds
def test_no_proxy_there(fetch: Fetch, opener_of: ModuleType, kind: type[Proxy]) -> None:
    with running(kind()) as proxy:
        url = proxy.url()
    with pytest.raises(pop3.errors.ConnectError):
        fetch(opener_of, url, 995)


@runtimes
@kinds
def test_a_proxy_that_says_nothing(fetch: Fetch, opener_of: ModuleType, kind: type[Proxy]) -> None:
    with running(kind(silent=True)) as proxy, pytest.raises(pop3.DeadlineError):
        fetch(opener_of, proxy.url(), 995, options=QUICK)


@pytest.mark.parametrize(("example", "kind"), [(proxy_socks, SocksProxy), (proxy_http, HttpProxy)])
def test_as_scripts(
    example: ModuleType,
    kind: type[Proxy],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("POP3_PASSWORD", PASSWORD)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with serving(maildrops(), security=Security.TLS, name=HOST) as server, running(kind()) as proxy:
        server.authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        proxy.ports[995] = server.port
        example.main(proxy.url(), HOST, USER)
    assert capsys.readouterr().out.splitlines()[0].split()[0] == "1"
    assert proxy.asked_for == [(HOST, 995)]


@pytest.mark.parametrize("opener_of", [proxy_socks, proxy_http])
@pytest.mark.parametrize("opener", ["blocking_opener", "asyncio_opener", "trio_opener"])
def test_urls_that_are_none_of_a_proxy(opener_of: ModuleType, opener: str) -> None:
    for url in ("https://someone:secret@proxy.example.org:1080", "proxy.example.org", ""):
        with pytest.raises(ValueError, match="this takes") as refused:
            getattr(opener_of, opener)(url)
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize("host", ["a b", "a\r\nHost: b", "ä.example.org", ""])
def test_no_host_gets_into_the_header_that_is_none(host: str) -> None:
    with pytest.raises(ValueError, match="no host"):
        proxy_http.Proxy("proxy.example.org", 3128, b"").request(host, 995)


def test_addresses_of_version_6_stand_in_brackets() -> None:
    request = proxy_http.Proxy("proxy.example.org", 3128, b"").request("::1", 995)
    assert request.startswith(b"CONNECT [::1]:995 HTTP/1.1\r\nHost: [::1]:995\r\n")
