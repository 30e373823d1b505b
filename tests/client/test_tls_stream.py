"""The layer of TLS: whose name it verifies, how long it waits, how it takes a broken end."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import trustme

from pop3proto import TlsError
from pop3proto.client import stream as _stream
from pop3proto.client import tls as _tls
from pop3proto.client._blocking import Client
from pop3proto.client.client import AsyncClient
from pop3proto.client.stepping import run
from pop3proto.client.tls import TlsStream
from pop3proto.server import MemoryMaildrops
from pop3proto.testing import serve
from pop3proto.transports import Security
from tests.runtimes import RUNTIMES, AsyncLooking, stream_on

PLAIN, TLS, STLS = Security.PLAINTEXT, Security.TLS, Security.STLS
NAME = "pop.example.org"
Contexts = tuple[ssl.SSLContext, ssl.SSLContext]
Connect = Callable[..., Awaitable[Any]]
every = pytest.mark.parametrize("name", RUNTIMES)


@pytest.fixture(scope="module")
def contexts() -> Contexts:
    """The server's, with a certificate for ``NAME``, and that of a client that trusts it."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


async def started(name: str, server: Any, **how: Any) -> Any:
    """A client over the runtime's own stream, which knows no host."""
    stream = await stream_on(name, socket.create_connection((server.host, server.port)))
    if name == "blocking":
        return AsyncLooking(Client.start(stream, **how))
    return await AsyncClient.start(stream, **how)


@every
@pytest.mark.parametrize("mode", [TLS, STLS], ids=["tls", "stls"])
def test_a_client_that_is_told_no_name(name: str, mode: Security, contexts: Contexts) -> None:
    """The certificate would be verified, and whoever shows one would be believed."""

    async def flow(_: Connect) -> None:
        how: dict[str, Any] = {"security": mode, "ssl_context": contexts[1]}
        for nobody in ({}, {"server_hostname": None}, {"server_hostname": ""}):
            with pytest.raises(TlsError, match="no name was given") as caught:
                await started(name, server, **how, **nobody)
            assert type(caught.value) is TlsError
            assert "server_hostname" in caught.value.hint
        with pytest.raises(TlsError, match="certificate"):
            await started(name, server, **how, server_hostname="other.example.org")
        for named in (
            await started(name, server, **how, server_hostname=NAME),
            await started(name, server, **{**how, "ssl_context": careless}),
        ):
            assert named.secure
            await named.quit()

    careless = ssl.create_default_context()
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    maildrops = MemoryMaildrops({"user": []})
    with serve(maildrops, users={}, security=mode, tls_context=contexts[0]) as server:
        RUNTIMES[name](flow)
        server.wait_until_idle()


@every
def test_stls_later_verifies_a_name_too(name: str, contexts: Contexts) -> None:
    async def flow(connect: Connect) -> None:
        for how in ({}, {"server_hostname": "other.example.org"}):
            client = await connect(server.host, server.port, security=PLAIN)
            with pytest.raises(TlsError):
                await client.start_tls(contexts[1], **how)
            assert client.closed
        client = await started(name, server, security=PLAIN)
        with pytest.raises(TlsError, match="no name was given"):
            await client.start_tls(contexts[1])
        assert client.closed
        client = await connect(server.host, server.port, security=PLAIN)
        await client.start_tls(contexts[1], NAME)
        assert client.secure
        await client.quit()

    maildrops = MemoryMaildrops({"user": []})
    with serve(maildrops, users={}, security=STLS, tls_context=contexts[0]) as server:
        RUNTIMES[name](flow)
        server.wait_until_idle()


class ServersEnd:
    """A stream with the other end of TLS behind it, in memory; each step takes a second."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._shaken = False
        self._ahead: Iterator[bytes] = iter(())
        self.now = 0.0
        self.timeouts: list[float | None] = []

    def says(self, *pieces: bytes) -> None:
        """What ``receive()`` returns from now on, each by itself, and the end behind them."""
        self._ahead = iter([*pieces, b""])

    def record(self, data: bytes) -> bytes:
        self._tls.write(data)
        return self._outgoing.read()

    async def send(self, data: bytes, timeout: float | None) -> None:
        self.timeouts.append(timeout)
        self.now += 1
        self._incoming.write(data)
        if not self._shaken:
            try:
                self._tls.do_handshake()
                self._shaken = True
            except ssl.SSLWantReadError:
                pass

    async def receive(self, timeout: float | None) -> bytes:
        self.timeouts.append(timeout)
        self.now += 1
        # A few octets at a time, as if the line were bad.
        return self._outgoing.read(50) or next(self._ahead)

    async def aclose(self) -> None:
        pass

    def abort(self) -> None:
        pass


@pytest.fixture
def end(contexts: Contexts, monkeypatch: pytest.MonkeyPatch) -> ServersEnd:
    made = ServersEnd(contexts[0])
    for module in (_tls, _stream):
        monkeypatch.setattr(module, "monotonic", lambda: made.now)
    return made


def shaken(end: ServersEnd, contexts: Contexts) -> TlsStream:
    stream = TlsStream(end, contexts[1], NAME)
    run(stream.handshake(100.0))
    return stream


def test_the_handshake_has_one_deadline(end: ServersEnd, contexts: Contexts) -> None:
    shaken(end, contexts)
    assert len(end.timeouts) > 4
    assert end.timeouts == [100.0 - second for second in range(len(end.timeouts))]


def test_a_receive_has_one_deadline(end: ServersEnd, contexts: Contexts) -> None:
    stream = shaken(end, contexts)
    record = end.record(b"x" * 100)
    # What the server sends behind the handshake is not for the caller.
    end.timeouts.clear()
    end.says(*(record[at : at + 10] for at in range(0, len(record), 10)))
    assert run(stream.receive(100.0)) == b"x" * 100
    assert len(end.timeouts) > 10
    assert end.timeouts == [100.0 - second for second in range(len(end.timeouts))]
    assert run(stream.receive(None)) == b""
    assert end.timeouts[-1] is None


def test_octets_that_are_there_at_the_deadline_are_in_time(
    end: ServersEnd, contexts: Contexts
) -> None:
    stream = shaken(end, contexts)
    record = end.record(b"x" * 100)
    pieces = [record[at : at + 10] for at in range(0, len(record), 10)]
    end.says(*pieces)
    assert run(stream.receive(len(pieces) - 1.0)) == b"x" * 100


def test_a_server_learns_within_a_second_why_it_is_refused(
    end: ServersEnd, contexts: Contexts
) -> None:
    stream = TlsStream(end, contexts[1], "other.example.org")
    with pytest.raises(TlsError, match="the server's certificate is refused"):
        run(stream.handshake(100.0))
    assert end.timeouts[-1] == 1.0


def test_what_is_sent_has_the_time_that_it_is_given(end: ServersEnd, contexts: Contexts) -> None:
    stream = shaken(end, contexts)
    for timeout in (7.0, None):
        run(stream.send(b"NOOP\r\n", timeout))
        assert end.timeouts[-1] == timeout


def test_who_cannot_tell_whether_anything_has_arrived(end: ServersEnd, contexts: Contexts) -> None:
    """The stream below has no ``is_quiet()``."""
    assert shaken(end, contexts).is_quiet() is False


def test_it_is_quiet_if_nothing_is_unread_here_and_below(
    end: ServersEnd, contexts: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = shaken(end, contexts)
    for quiet in (False, True):
        monkeypatch.setattr(end, "is_quiet", lambda quiet=quiet: quiet, raising=False)
        assert stream.is_quiet() is quiet
    end.says()
    # The end has come, although the stream below says nothing of it.
    assert run(stream.receive(100.0)) == b""
    assert stream.is_quiet() is False


def test_the_end_of_tls_is_sent_within_a_second(end: ServersEnd, contexts: Contexts) -> None:
    stream = shaken(end, contexts)
    end.timeouts.clear()
    run(stream.aclose())
    assert end.timeouts == [1.0]
    # There is nothing more to say.
    run(stream.aclose())
    assert end.timeouts == [1.0]


def test_records_before_a_broken_one_are_good(end: ServersEnd, contexts: Contexts) -> None:
    stream = shaken(end, contexts)
    end.says(end.record(b"one ") + end.record(b"two") + b"HTTP/1.1 400 Bad Request\r\n")
    assert run(stream.receive(100.0)) == b"one two"
    for _ in range(2):
        with pytest.raises(TlsError, match="TLS broke"):
            run(stream.receive(100.0))


def test_a_broken_record_by_itself(end: ServersEnd, contexts: Contexts) -> None:
    stream = shaken(end, contexts)
    end.says(b"HTTP/1.1 400 Bad Request\r\n")
    with pytest.raises(TlsError, match="TLS broke"):
        run(stream.receive(100.0))


def test_records_before_the_end(end: ServersEnd, contexts: Contexts) -> None:
    """With half a record at the end, which is no more than the end is."""
    stream = shaken(end, contexts)
    records = end.record(b"one ") + end.record(b"two")
    end.says(records + end.record(b"lost")[:10])
    assert run(stream.receive(100.0)) == b"one two"
    for _ in range(2):
        assert run(stream.receive(100.0)) == b""
