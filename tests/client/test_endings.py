"""How a session ends: what is known of the deletions, and what comes under TLS before a command."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from pop3proto import (
    ConnectionLostError,
    Dele,
    LocalProtocolError,
    Pop3Error,
    Quit,
    RemoteProtocolError,
)
from pop3proto.client.stepping import run
from pop3proto.client.stream import RecordingStream, receive_at_hand
from pop3proto.client.tls import TlsPipe, TlsStream
from pop3proto.errors import DeadConnectionError, TlsError
from pop3proto.transcript import Recorder
from pop3proto.transports import ClientOptions
from pop3proto.transports.blocking import Client
from tests.client.test_exchange import Looking, Scripted
from tests.security.hostile import client_context, server_context

OK = b"+OK\r\n"
GONE = "messages that were marked as deleted"


def session(*answers: bytes) -> Client:
    """A client that has logged in, and gets ``answers``."""
    options = ClientOptions(capabilities=False, allow_plaintext_auth=True)
    stream = Scripted([OK, OK, OK, *answers])
    client = Client.start(stream, security="plaintext", options=options)
    client.login("user", "secret", mechanisms=["USER"])
    return client


@pytest.mark.parametrize("marked", [0, 1])
def test_after_quit(marked: int) -> None:
    client = session(*[OK] * marked, b"+OK bye\r\n")
    for number in range(marked):
        client.dele(number + 1)
    result = client.quit()
    assert (result.confirmed, result.deletions) == (True, marked)
    with pytest.raises(DeadConnectionError, match="the session has ended with QUIT") as info:
        client.noop()
    assert info.value.hint.startswith("open a new connection")
    assert ("are gone" in info.value.hint) is bool(marked)
    assert client.quit() is result


def test_quit_is_not_a_command_among_others() -> None:
    """It would leave a session with which nothing can be done, not even ``quit()``."""
    client = session(OK, OK, OK)
    with pytest.raises(LocalProtocolError, match=r"ends with quit\(\)"):
        client.call(Quit())
    assert not client.closed
    with client:
        batch: Any = client.batch([Dele(1), Quit()])
        outcomes = batch.outcomes()
        assert next(outcomes).command == Dele(1)
        with pytest.raises(LocalProtocolError, match=r"ends with quit\(\)"):
            next(outcomes)
    assert client.quit().confirmed


def test_after_a_quit_that_is_refused() -> None:
    client = session(OK, b"-ERR some were not removed\r\n")
    client.dele(1)
    result = client.quit()
    assert result.error is not None
    assert result.error.hint == f"{GONE}, and may be gone: 1"
    with pytest.raises(DeadConnectionError, match="the connection is closed") as info:
        client.noop()
    assert info.value.hint.endswith(f"; {GONE}, and may be gone: 1")
    assert client.quit() is result


@pytest.mark.parametrize(
    ("answer", "error"), [(b"bye\r\n", RemoteProtocolError), (b"", ConnectionLostError)]
)
def test_after_a_command_that_ends_the_session(answer: bytes, error: type[Pop3Error]) -> None:
    client = session(OK, answer)
    client.dele(1)
    with pytest.raises(error) as first:
        client.noop()
    with pytest.raises(DeadConnectionError) as second:
        client.noop()
    for each in (first.value, second.value):
        assert f"{each} {each.hint}".count(f"; {GONE}, and are kept: 1") == 1


def test_after_an_end_that_has_no_hint() -> None:
    client = session(OK, OK)
    client.dele(1)
    client.abort()
    with pytest.raises(DeadConnectionError, match="the connection is closed") as info:
        client.noop()
    assert info.value.hint.endswith(f"; {GONE}, and are kept: 1")


def test_a_recorder_hears_what_came_before_a_command() -> None:
    recorder = Recorder()
    stream = RecordingStream(Looking([b"+OK stray\r\n", None, b""]), recorder)
    assert [run(stream.receive_at_hand()) for _ in range(3)] == [b"+OK stray\r\n", None, b""]
    assert "stray" in recorder.transcript.dumps()
    assert run(receive_at_hand(Scripted([]))) is None


class Under:
    """The stream below TLS, with a server's end in memory."""

    def __init__(self) -> None:
        self.server = TlsPipe(server_context(), server_side=True)
        self.arrived = b""

    async def send(self, data: bytes, timeout: float | None) -> None:
        self.server.receive_data(data)
        if not self.server.established:
            self.server.handshake()
        self.arrived += self.server.data_to_send()

    async def receive(self, timeout: float | None) -> bytes:
        data, self.arrived = self.arrived, b""
        return data

    async def receive_at_hand(self) -> bytes | None:
        return await self.receive(None) if self.arrived else None

    async def aclose(self) -> None:
        pass

    def abort(self) -> None:
        pass


def under_tls() -> tuple[Under, TlsStream]:
    below = Under()
    tls = TlsStream(below, client_context(), "localhost")
    run(tls.handshake(30.0))
    return below, tls


def test_records_that_have_arrived() -> None:
    below, tls = under_tls()
    # With TLS 1.3 these are tickets, which hold no data.
    assert run(tls.receive_at_hand()) is None
    assert run(tls.receive_at_hand()) is None
    below.arrived += below.server.send(b"+OK stray\r\n")
    assert run(tls.receive_at_hand()) == b"+OK stray\r\n"
    record = below.server.send(b"+OK late\r\n")
    below.arrived += record[:10]
    assert run(tls.receive_at_hand()) is None
    below.arrived += record[10:]
    assert run(tls.receive_at_hand()) == b"+OK late\r\n"


def test_a_record_that_is_broken_and_came_after_a_good_one() -> None:
    below, tls = under_tls()
    run(tls.receive_at_hand())
    below.arrived += below.server.send(b"+OK\r\n") + b"\x17\x03\x03\x00\x20" + bytes(32)
    assert run(tls.receive(30.0)) == b"+OK\r\n"
    assert below.arrived == b""
    with pytest.raises(TlsError):
        run(tls.receive_at_hand())


def test_the_end_of_tls() -> None:
    below, tls = under_tls()
    run(tls.receive_at_hand())
    with pytest.raises(ssl.SSLError):
        below.server.ssl_object.unwrap()
    below.arrived += below.server.data_to_send()
    found: Any = run(tls.receive_at_hand())
    assert found == b""


def test_the_end_of_tls_that_came_with_an_answer() -> None:
    below, tls = under_tls()
    run(tls.receive_at_hand())
    below.arrived += below.server.send(b"+OK\r\n+OK\r\n") + below.server.send(b"+OK\r\n")
    with pytest.raises(ssl.SSLError):
        below.server.ssl_object.unwrap()
    below.arrived += below.server.data_to_send()
    answer: Any = run(tls.receive(None))
    assert answer == b"+OK\r\n" * 3
    # Nothing more comes, not even the end of the stream below, and nothing more is sent.
    assert not tls.is_quiet()
    for _ in range(2):
        found: Any = run(tls.receive_at_hand())
        assert found == b""
