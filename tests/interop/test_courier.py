"""What Courier makes of a header that is not ASCII, which depends on UTF8 (RFC 6856)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.blocking import connect
from tests.interop.conftest import RealServers
from tests.interop.maildrop import own
from tests.interop.servers import HOST, PASSWORD, USER, RealServer

MESSAGE = "From: sender@example.org\nSubject: Gr\u00fc\u00dfe\n\ntext\n".encode()


@pytest.fixture
def courier(real_servers: RealServers) -> Iterator[RealServer]:
    server = real_servers["Courier"]
    assert server.log is not None
    folder = server.log.parent / "home" / "Maildir" / "cur"
    path = folder / "1800000000.M0P1.localhost:2,"
    path.write_bytes(MESSAGE)
    own(folder, 8, 8)
    yield server
    # Its name says by now what was done with it.
    for path in folder.glob("1800000000*"):
        path.unlink()
    server.refill()


def last_message(server: RealServer, *, utf8: bool) -> bytes:
    client = connect(
        HOST,
        server.ports[Security.STLS],
        ssl_context=server.client_context(),
        security=Security.STLS,
        options=ClientOptions(utf8=utf8),
    )
    with client:
        client.login(USER, PASSWORD)
        return client.retr(client.stat().count).content


def test_without_utf8_the_message_is_replaced(courier: RealServer) -> None:
    content = last_message(courier, utf8=False)
    assert b"\r\nSubject: Cannot display Unicode content\r\n" in content
    assert MESSAGE.splitlines()[1] not in content.partition(b"\r\n\r\n")[0]


def test_with_utf8_it_is_the_message(courier: RealServer) -> None:
    assert last_message(courier, utf8=True) == MESSAGE.replace(b"\n", b"\r\n")
