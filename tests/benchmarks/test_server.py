"""The benchmarks' server and relay: that they are correct, not how fast they are."""

from __future__ import annotations

import poplib
import shutil
import ssl
import time
from collections.abc import Iterator

import pytest

from benchmarks.relay import delayed
from benchmarks.server import HOST, Address, Maildrop, serving

MAILDROP = Maildrop(count=5, least=3_000, most=70_000, text=True)
# Longer than the block that it is made of.
LARGE = Maildrop(count=1, least=2_000_000, most=2_000_000)


@pytest.fixture(params=["compiled", "python"])
def python(request: pytest.FixtureRequest) -> bool:
    if request.param == "compiled" and not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("there is no C compiler")
    return bool(request.param == "python")


@pytest.fixture
def server(python: bool) -> Iterator[Address]:
    with serving(MAILDROP, python=python) as address:
        yield address


def logged_in(address: Address) -> poplib.POP3:
    client = poplib.POP3(HOST, address.port, timeout=30)
    client.user("user")
    client.pass_("secret")
    return client


def content(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\r\n" for line in lines)


def test_messages_are_those_of_the_maildrop(server: Address) -> None:
    client = logged_in(server)
    for number in range(1, 6):
        message = MAILDROP.message(number)
        assert content(client.retr(number)[1]) == message
        assert len(message) == MAILDROP.octets(number)
        assert b"\r\n." not in message
    client.quit()


def test_a_message_longer_than_the_block(python: bool) -> None:
    with serving(LARGE, python=python) as address:
        client = logged_in(address)
        assert content(client.retr(1)[1]) == LARGE.message(1)
        client.quit()


def test_listings_agree_with_the_messages(server: Address) -> None:
    client = logged_in(server)
    sizes = [MAILDROP.octets(number) for number in range(1, 6)]
    assert client.stat() == (5, sum(sizes)) == (5, MAILDROP.total)
    assert client.list()[1] == [b"%d %d" % pair for pair in enumerate(sizes, 1)]
    assert client.list(2) == b"+OK 2 %d" % sizes[1]
    assert client.uidl()[1][1] == b"2 unique-0000000002"
    assert client.uidl(2) == b"+OK 2 unique-0000000002"
    client.quit()


def test_the_other_commands(server: Address) -> None:
    client = logged_in(server)
    assert "PIPELINING" in client.capa()
    top = content(client.top(3, 2)[1])
    assert MAILDROP.message(3).startswith(top)
    assert content(client.top(3, 100_000)[1]) == MAILDROP.message(3)
    for done in (client.noop(), client.dele(1), client.rset()):
        assert done.startswith(b"+OK")
    for number in (0, 6):
        with pytest.raises(poplib.error_proto):
            client.retr(number)
        with pytest.raises(poplib.error_proto):
            client.dele(number)
    with pytest.raises(poplib.error_proto):
        client._shortcmd("LAST")  # type: ignore[attr-defined]
    assert client.quit().startswith(b"+OK")


def test_commands_sent_ahead_and_in_pieces(server: Address) -> None:
    client = logged_in(server)
    numbers = [1, 2, 3, 4, 5] * 20
    commands = b"".join(b"RETR %d\r\n" % number for number in numbers) + b"QUIT\r\nNOOP\r\n"
    client.sock.sendall(commands[:3])
    client.sock.sendall(commands[3:])
    expected = b"".join(
        b"+OK %d octets\r\n%b.\r\n" % (MAILDROP.octets(number), MAILDROP.message(number))
        for number in numbers
    )
    assert client.file.read() == expected + b"+OK bye\r\n"
    client.close()


def test_several_connections(server: Address) -> None:
    clients = [logged_in(server) for _ in range(8)]
    for number, client in enumerate(clients):
        assert client.uidl(number % 5 + 1).startswith(b"+OK")
    for client in clients:
        client.quit()


def test_tls() -> None:
    with serving(MAILDROP, tls=True) as address:
        context = ssl.create_default_context(cafile=address.ca)
        client = poplib.POP3_SSL(HOST, address.port, timeout=30, context=context)
        client.user("user")
        client.pass_("secret")
        assert content(client.retr(4)[1]) == MAILDROP.message(4)
        client.quit()


def test_the_relay_delays_and_keeps_the_order(server: Address) -> None:
    with delayed(server, milliseconds=100) as far:
        client = logged_in(far)
        begin = time.perf_counter()
        client.noop()
        assert time.perf_counter() - begin >= 0.1
        for number in range(1, 6):
            assert content(client.retr(number)[1]) == MAILDROP.message(number)
        client.quit()


def test_the_relay_delays_a_row_of_commands_once(server: Address) -> None:
    with delayed(server, milliseconds=200) as far:
        client = logged_in(far)
        begin = time.perf_counter()
        client.sock.sendall(b"NOOP\r\n" * 500)
        assert client.file.read(5 * 500) == b"+OK\r\n" * 500
        # One at a time they take 100 seconds.
        assert time.perf_counter() - begin < 50
        client.quit()
