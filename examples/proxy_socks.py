"""POP3 through a SOCKS5 proxy, with python-socks: an ``opener=`` for every adapter.

pip install 'pop3proto[proxy]'

POP3_PASSWORD=... python proxy_socks.py socks5://proxy.example.org:1080 pop.example.org user

The proxy is given the server's name and resolves it itself, so that no query for it leaves this
machine. TLS and STLS run through the tunnel to the server: the proxy sees neither login nor mail.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

from python_socks import ProxyError
from python_socks.async_.asyncio import Proxy as AsyncioProxy
from python_socks.sync import Proxy as BlockingProxy

import pop3proto
from pop3proto.transports.blocking import connect


@contextmanager
def proxy_errors() -> Generator[None]:
    """Turn what the proxy refuses into the ``ConnectError`` that ``connect()`` promises."""
    try:
        yield
    except ProxyError as error:
        reason = pop3proto.errors.printable(str(error))
        raise pop3proto.errors.ConnectError(f"the proxy refused: {reason}") from error


def check(url: str) -> None:
    # python-socks reads the answer to an HTTP CONNECT with a single read, including octets after
    # it. A POP3 server speaks first, and its greeting would be lost: for such proxies,
    # proxy_http.py.
    if not url.startswith("socks5://"):
        raise ValueError("this takes the URL of a SOCKS5 proxy: socks5://[user:password@]host:port")


def blocking_opener(url: str, timeout: float = 30.0) -> Callable[[str, int], socket.socket]:
    """Return an ``opener`` for the blocking ``connect()``."""
    check(url)

    def opener(host: str, port: int) -> socket.socket:
        with proxy_errors():
            return BlockingProxy.from_url(url, rdns=True).connect(host, port, timeout)

    return opener


def asyncio_opener(url: str) -> Callable[[str, int], Awaitable[socket.socket]]:
    """Return an ``opener`` for ``connect()`` of asyncio, and of anyio on asyncio."""
    check(url)

    async def opener(host: str, port: int) -> socket.socket:
        with proxy_errors():
            return await AsyncioProxy.from_url(url, rdns=True).connect(host, port)

    return opener


def trio_opener(url: str) -> Callable[[str, int], Awaitable[socket.socket]]:
    """Return an ``opener`` for ``connect()`` of trio, and of anyio on trio."""
    from python_socks.async_.trio import Proxy as TrioProxy

    check(url)

    async def opener(host: str, port: int) -> socket.socket:
        with proxy_errors():
            sock = await TrioProxy.from_url(url, rdns=True).connect(host, port)
        # trio's own kind of socket, which only trio's functions take.
        return socket.socket(fileno=sock.detach())

    return opener


def main(url: str, host: str, user: str) -> None:
    with connect(host, opener=blocking_opener(url)) as client:
        client.login(user, os.environ["POP3_PASSWORD"])
        for number, octets, unique_id in client.messages():
            print(number, octets, unique_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
