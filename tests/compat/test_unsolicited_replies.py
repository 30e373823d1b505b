"""A reply that nobody asked for answers no command of the drop-in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from pop3proto.transports import Security
from tests.compat.conversations import DROPIN
from tests.security.hostile import HOST, PATIENCE, Answer, Hostile, Peer, client_context, hostile
from tests.security.test_unsolicited_replies import deliver

MODES = pytest.mark.parametrize("mode", list(Security), ids=lambda mode: mode.value)
NO = b"-ERR nothing was deleted\r\n"


class Strays:
    """Answers to NOOP, each followed by the next of ``strays`` in a segment of its own."""

    def __init__(self, *strays: bytes) -> None:
        self._strays = list(strays)
        self.there = threading.Semaphore(0)

    def __call__(self, peer: Peer) -> None:
        peer.say(b"+OK\r\n")
        peer.say(self._strays.pop(0))
        deliver(peer.socket)
        self.there.release()


@contextmanager
def talking(mode: Security, strays: Strays, **answers: Answer) -> Iterator[tuple[Any, Hostile]]:
    given = {verb.encode(): answer for verb, answer in answers.items()}
    with hostile(mode, {b"NOOP": strays, **given}) as server:
        if mode is Security.TLS:
            client = DROPIN.POP3_SSL(HOST, server.port, context=client_context())
        else:
            client = DROPIN.POP3(HOST, server.port)
        with closing(client):
            if mode is Security.STLS:
                client.stls(client_context())
            yield client, server


def noop(client: Any, strays: Strays) -> None:
    assert client.noop() == b"+OK"
    assert strays.there.acquire(timeout=PATIENCE)


@MODES
def test_it_confirms_nothing(mode: Security) -> None:
    strays = Strays(b"", b"+OK stray\r\n")
    with talking(mode, strays, DELE=NO, QUIT=NO) as (client, server):
        noop(client, strays)
        noop(client, strays)
        for call in (lambda: client.dele(1), client.quit):
            with pytest.raises(DROPIN.error_proto, match=r"answers no command.*stray"):
                call()
    assert (server.clear + server.secret)[-1] == b"NOOP"


@MODES
def test_it_accepts_no_password(mode: Security) -> None:
    strays = Strays(b"+OK stray\r\n")
    with talking(mode, strays, PASS=b"-ERR no\r\n") as (client, server):
        assert client.user("user") == b"+OK"
        noop(client, strays)
        with pytest.raises(DROPIN.error_proto, match="answers no command"):
            client.pass_("wrong")
    assert (server.clear + server.secret)[-1] == b"NOOP"


@MODES
def test_blank_lines_do_not_hide_it(mode: Security) -> None:
    strays = Strays(b"\r\n", b"\r\n\r\n", b"\r\n-ERR idle for too long\r\n")
    with talking(mode, strays) as (client, _):
        noop(client, strays)
        noop(client, strays)
        assert client.stat() == (2, 20)
        noop(client, strays)
        with pytest.raises(DROPIN.error_proto, match="idle for too long"):
            client.stat()


def test_blank_lines_in_the_buffer_do_not_hide_it() -> None:
    strays = Strays(b"+OK stray\r\n")
    with talking(Security.PLAINTEXT, strays, STAT=b"+OK 2 20\r\n\r\n") as (client, _):
        assert client.stat() == (2, 20)
        noop(client, strays)
        with pytest.raises(DROPIN.error_proto, match="stray"):
            client.stat()


@MODES
def test_it_ends_no_login_that_the_server_has_not_checked(mode: Security) -> None:
    challenged = b"+ \r\n+OK stray\r\n"
    with (
        talking(mode, Strays(), AUTH=challenged) as (client, server),
        pytest.raises(DROPIN.error_proto, match=r"answers no command.*stray"),
    ):
        client.auth("PLAIN", user="user", password="wrong", initial_response_ok=False)
    assert (server.clear + server.secret)[-1] == b"AUTH PLAIN"
    # The same by the methods that programs use to log in by themselves.
    with talking(mode, Strays(), AUTH=challenged) as (client, server):
        client._putcmd("AUTH PLAIN")
        assert client._getresp() == b"+ "
        with pytest.raises(DROPIN.error_proto, match=r"answers no command.*stray"):
            client._putcmd("AHVzZXIAd3Jvbmc=")


@pytest.mark.slow
@MODES
@pytest.mark.parametrize("octets", range(1, 6))
@pytest.mark.parametrize("debugging", [0, 2])
def test_an_answer_in_parts_does_not_hide_it(mode: Security, octets: int, debugging: int) -> None:
    def in_parts(answer: bytes) -> Callable[[Peer], None]:
        def say(peer: Peer) -> None:
            peer.say(answer[:-octets])
            # The client waits for the rest, and may have read the first part by then.
            deliver(peer.socket)
            peer.say(answer[-octets:] + b"+OK stray\r\n")

        return say

    calls: dict[bytes, Callable[[Any], object]] = {
        b"NOOP": lambda client: client.noop(),
        b"RETR": lambda client: client.retr(1),
        b"TOP": lambda client: list(client.retr_iter(1)),
    }
    texts = in_parts(b"+OK\r\ntext\r\n.\r\n")
    answers: dict[str, Answer] = {"NOOP": in_parts(b"+OK\r\n"), "RETR": texts, "DELE": NO}
    for verb, call in calls.items():
        with talking(mode, Strays(), **answers) as (client, server):
            client.set_debuglevel(debugging)
            call(client)
            with pytest.raises(DROPIN.error_proto, match=r"answers no command.*stray"):
                client.dele(1)
        last = verb.replace(b"TOP", b"RETR")
        assert (server.clear + server.secret)[-1].split()[0] == last


def test_a_program_that_sends_by_itself_gets_all_answers() -> None:
    with talking(Security.PLAINTEXT, Strays()) as (client, _):
        client.sock.sendall(b"STAT\r\n")
        client.sock.settimeout(PATIENCE)
        assert client.file.peek(1).startswith(b"+OK 2")
        assert client._getresp() == b"+OK 2 20"
        # From here on nobody knows what is outstanding.
        client.sock.sendall(b"USER user\r\n")
        client.file.peek(1)
        client._putcmd("STAT")
        assert [client._getresp(), client._getresp()] == [b"+OK", b"+OK 2 20"]


def test_where_there_is_no_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    import select

    monkeypatch.delattr(select, "poll", raising=False)
    test_it_confirms_nothing(Security.PLAINTEXT)
