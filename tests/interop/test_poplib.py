"""The stand-in for ``poplib`` with every server, and its results beside those of the original."""

from __future__ import annotations

import poplib as original
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from pop3proto.compat import poplib
from pop3proto.transports import Security
from tests.interop.conftest import RealServers
from tests.interop.maildrop import difficult
from tests.interop.servers import HOST, PASSWORD, USER, RealServer
from tests.interop.table import SetCell
from tests.interop.test_matrix import ROWS, SECONDS_TO_RELEASE, TITLE

COLUMN = "compat.poplib"
# What the original can read: its lines have 2,048 octets at most, and end at any LF.
READABLE = [number for number, name in enumerate(difficult(), 1) if name != "long line"]


def connected(library: Any, server: RealServer, mode: Security) -> Any:
    port = server.ports[mode]
    if mode is Security.PLAINTEXT:
        return library.POP3(HOST, port, timeout=60)
    context = server.client_context()
    assert context is not None
    if mode is Security.TLS:
        # The certificate is for 127.0.0.1 as well.
        return library.POP3_SSL(HOST, port, context=context, timeout=60)
    client = library.POP3(HOST, port, timeout=60)
    assert client.stls(context).startswith(b"+OK")
    assert isinstance(client.sock, ssl.SSLSocket)
    return client


@contextmanager
def logged_in(library: ModuleType, server: RealServer, mode: Security) -> Iterator[Any]:
    deadline = time.monotonic() + SECONDS_TO_RELEASE
    while True:
        client = connected(library, server, mode)
        try:
            client.user(USER)
            client.pass_(PASSWORD)
        except original.error_proto:
            client.close()
            # The server may not have seen yet that the last client is gone.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            break
    try:
        yield client
    finally:
        client.close()


def whole(answer: tuple[bytes, list[bytes], int]) -> bytes:
    status, lines, octets = answer
    assert status.startswith(b"+OK")
    content = b"".join(line + b"\r\n" for line in lines)
    assert octets == len(content)
    return content


def refused(call: Callable[..., Any], *arguments: Any) -> None:
    with pytest.raises(poplib.error_proto, match="-ERR"):
        call(*arguments)


@pytest.mark.parametrize(("name", "mode"), ROWS, ids=lambda value: getattr(value, "value", value))
def test_everything(real_servers: RealServers, cell: SetCell, name: str, mode: Security) -> None:
    cell(TITLE, f"{name}, {mode.value}", COLUMN)
    server = real_servers[name]
    count = len(server.messages)
    try:
        with logged_in(poplib, server, mode) as client:
            assert client.stat()[0] == count
            sizes = [line.split() for line in client.list()[1]]
            assert [int(number) for number, _ in sizes] == [*range(1, count + 1)]
            assert client.list(count).split()[1:3] == sizes[-1]
            ids = dict(line.split(b" ", 1) for line in client.uidl()[1])
            assert len(set(ids.values())) == count
            assert client.uidl(1).endswith(ids[b"1"])
            for number, content in enumerate(server.messages, 1):
                assert whole(client.retr(number)) == content
            assert whole(client.top(1, 100)) == server.messages[0]
            assert [*client.retr_iter(5)] == server.messages[4].split(b"\r\n")[:-1]
            refused(client.retr, 999_999)
            if "UTF8" not in server.knows or name == "embedded":
                # RFC 6856 section 2 wants it before the login.
                refused(client.utf8)
            client.dele(1)
            client.noop()
            client.rset()
            client.dele(count)
            client.quit()
        with logged_in(poplib, server, mode) as client:
            assert client.stat()[0] == count - 1
            client.quit()
    finally:
        server.refill()


@pytest.mark.parametrize("name", dict.fromkeys(name for name, _ in ROWS))
def test_the_original_gets_the_same(real_servers: RealServers, name: str) -> None:
    server = real_servers[name]
    got: list[list[Any]] = []
    for library in (original, poplib):
        with logged_in(library, server, Security.PLAINTEXT) as client:
            answers = [client.stat(), client.list(), client.list(1), client.uidl(), client.uidl(1)]
            answers += [client.retr(number) for number in READABLE]
            answers += [client.top(number, 1) for number in READABLE]
            answers += [client.dele(1), client.rset(), client.noop(), client.quit()]
            got.append(answers)
    assert got[0] == got[1]
