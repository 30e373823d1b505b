"""What is called on a connection that has failed. Each test shows both sides."""

import copy
import pickle
import socket
import threading
from contextlib import closing, suppress
from typing import Any

import pytest

from pop3proto.compat import poplib
from tests.compat.conversations import BOTH, DROPIN, NAMES, STANDARD, on, outcome, talk

both = pytest.mark.parametrize("module", BOTH, ids=NAMES)
HELLO = b"+OK ready\r\n"


def job(client: Any) -> list[str]:
    """A fetch job whose author knows that ``quit()`` fails on a broken connection, as Odoo's."""
    log = []
    try:
        client.retr(1)
    except OSError as error:
        log.append(f"retr: {type(error).__name__}")
    finally:
        try:
            client.quit()
        except OSError:
            log.append("quit: OSError")
    return log


@both
def test_after_a_timeout(module: Any) -> None:
    received = b""

    def answer() -> None:
        nonlocal received
        received += far.recv(1000)
        far.sendall(b"+OK\r\nSubject: one\r\n")

    near, far = socket.socketpair()
    with far:
        far.sendall(HELLO)
        near.settimeout(0.05)
        with closing(on(module, near)) as client:
            thread = threading.Thread(target=answer)
            thread.start()
            assert job(client) == ["retr: TimeoutError", "quit: OSError"]
            thread.join()
            far.sendall(b"+OK 2 320\r\n")
            then = outcome(client.stat)
            far.setblocking(False)
            with suppress(BlockingIOError):
                received += far.recv(1000)
    if module is STANDARD:
        assert then[0] == "OSError"
        assert received == b"RETR 1\r\nQUIT\r\nSTAT\r\n"
    else:
        assert then == ("error_proto", ("-ERR connection unusable after: timed out",))
        assert received == b"RETR 1\r\n"


@both
def test_after_a_connection_that_was_reset(module: Any) -> None:
    near, far = socket.socketpair()
    far.sendall(HELLO)
    with closing(on(module, near)) as client:
        far.close()
        # Which of them it is, is the system's choice.
        first, second = job(client)
        assert first in ("retr: BrokenPipeError", "retr: ConnectionResetError")
        assert second == "quit: OSError"
        with pytest.raises(OSError) as info:  # noqa: PT011 - as above
            client.noop()
    assert isinstance(info.value, poplib.error_proto) == (module is DROPIN)
    assert not getattr(info.value, "session_usable", False)


@both
def test_after_the_stream_has_ended(module: Any) -> None:
    with talk(module, HELLO, b"+OK\r\nSubject: one\r\n") as (client, _):
        with pytest.raises(poplib.error_proto, match="-ERR EOF"):
            job(client)
        for call in (client.noop, client.quit):
            with pytest.raises(poplib.error_proto, match="-ERR EOF") as info:
                call()
            assert not isinstance(info.value, OSError)


@both
def test_after_a_text_that_is_read_by_hand_and_cut_short(module: Any) -> None:
    with talk(module, HELLO, b"+OK\r\nSubject: one\r\n+O") as (client, server):
        client._putcmd("RETR 1")
        assert client._getresp() == b"+OK"
        assert client._getline() == (b"Subject: one", 14)
        first, second = outcome(client._getline), outcome(client._getline)
        client.close()
    if module is STANDARD:
        # Half a line is shortened by one octet more.
        assert first == ("returned", (b"+", 2))
        assert second == ("error_proto", ("-ERR EOF",))
    else:
        assert first == ("error_proto", ("-ERR EOF",))
        assert second == ("error_proto", ("-ERR connection unusable after: -ERR EOF",))
    assert server.received == [b"RETR 1\r\n"]


def test_an_error_of_a_lost_connection_travels() -> None:
    with talk(DROPIN, HELLO) as (client, _):
        client._conversation.failed(TimeoutError("timed out"))
        with pytest.raises(OSError, match="timed out") as info:
            client.noop()
    for again in (pickle.loads(pickle.dumps(info.value)), copy.copy(info.value)):
        assert type(again) is poplib.error_proto
        assert again.args == ("-ERR connection unusable after: timed out",)
    assert getattr(info.value, "transient", False)
    assert str(info.value) == "-ERR connection unusable after: timed out"
    assert repr(info.value) == "error_proto('-ERR connection unusable after: timed out')"


@both
def test_capa_and_stls_on_a_connection_that_has_failed(module: Any) -> None:
    with talk(module, HELLO, b"+OK\r\nTOP\r\n") as (client, _):
        for call in (client.capa, client.capa, client.stls):
            with pytest.raises(poplib.error_proto, match="CAPA not supported") as info:
                call()
            assert getattr(info.value, "session_usable", False) is False
        client._tls_established = True
        with pytest.raises(poplib.error_proto, match="already established") as info:
            client.stls()
        assert getattr(info.value, "session_usable", False) is False
