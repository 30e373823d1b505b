"""A server that is silent, closes, floods or trickles holds nobody for ever, and learns nothing."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from threading import Thread

import pytest

from pop3proto._value import replace
from pop3proto.conformance import ServerTarget, Verdict, check_server, server_cases
from pop3proto.conformance import wire as wires
from pop3proto.conformance.case import CaseFailedError
from pop3proto.conformance.running import run_case
from pop3proto.conformance.server.facts import Facts
from pop3proto.conformance.server.mail import Mail
from pop3proto.conformance.server.run import ServerRun
from pop3proto.conformance.wire import Wire
from pop3proto.model.secret import Secret
from pop3proto.transports import Security

Talk = Callable[[socket.socket], None]


@contextmanager
def listening(talk: Talk) -> Generator[ServerTarget, None, None]:
    """Let ``talk`` answer each connection, in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                talk(connection)

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield ServerTarget(
            host="127.0.0.1",
            port=listener.getsockname()[1],
            security=Security.PLAINTEXT,
            user="user",
            secret=Secret("pa55word"),
            allow_plaintext_auth=True,
            timeout=0.1,
        )
    finally:
        # shutdown() wakes accept(), which close() alone does not.
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def until_closed(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def silent(connection: socket.socket) -> None:
    until_closed(connection)


def closing(connection: socket.socket) -> None:
    pass


def flooding(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"+OK " + b"x" * 65536)


def refusing(connection: socket.socket) -> None:
    connection.sendall(b"-ERR go away\r\n")


def resetting(connection: socket.socket) -> None:
    connection.sendall(b"+OK\r\n")
    connection.recv(1)


@pytest.mark.parametrize("talk", [silent, closing, flooding, refusing, resetting])
def test_a_server_that_nobody_can_talk_to_cannot_be_tested(talk: Talk) -> None:
    with listening(talk) as target, pytest.raises(ConnectionError, match="the server"):
        check_server(target, "pop://127.0.0.1")


def test_nobody_listens() -> None:
    with listening(silent) as target:
        pass
    with pytest.raises(ConnectionError, match="no connection"):
        check_server(target, "pop://127.0.0.1")


@pytest.mark.parametrize("talk", [silent, closing, flooding, refusing, resetting])
def test_every_case_ends_with_a_verdict(talk: Talk) -> None:
    facts = Facts(before={"USER": [], "SASL": ["PLAIN"]}, login="USER")
    with listening(talk) as listener:
        target = replace(listener, timeout=0.02)
        for case in server_cases().all[::5]:
            run = ServerRun(target, facts, Mail(None))
            result = run_case(case, run)
            assert result.verdict is not Verdict.PASS or case.number == "S101", case
            assert "pa55word" not in result.reason


@contextmanager
def wire(said: bytes, **settings: float) -> Generator[tuple[Wire, socket.socket], None, None]:
    """A connection to a peer who has already said something."""
    here, there = socket.socketpair()
    with here, there:
        there.sendall(said)
        both = {"timeout": 5.0, "longest": 60.0, **settings}
        yield Wire(here, "test", bodies=True, **both), there


def test_a_text_without_an_end() -> None:
    with wire(b"+OK\r\none\r\n") as (here, there):
        assert here.status().ok
        there.close()
        with pytest.raises(CaseFailedError, match="closed the connection before the dot"):
            here.text()
    with wire(b"+OK\r\none\r\n", timeout=0.01) as (here, _):
        assert here.status().ok
        with pytest.raises(CaseFailedError, match=r"sent nothing for 0\.01 s before the dot"):
            here.text()


def test_a_text_is_read_line_by_line_whatever_is_in_it() -> None:
    with wire(b"+OK\r\na\rb\r\n..\r\nc\n.\r\n+OK 2\r\n.\r\n-ERR [IN-USE] x\r\n") as (here, _):
        assert here.status().ok
        assert here.text() == [b"a\rb\r\n", b"..\r\n", b"c\n"]
        assert here.status().text == b"2"
        assert here.text() == []
        last = here.status()
        assert (last.ok, last.code, str(last)) == (False, b"IN-USE", "'-ERR [IN-USE] x'")


def test_too_many_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wires, "_MOST_OCTETS", 1000)
    with (
        wire(b"+OK\r\n" + b"line\r\n" * 400) as (here, _),
        pytest.raises(CaseFailedError, match="more than 1000 octets"),
    ):
        here.status()


def test_a_case_has_an_end_however_often_an_octet_comes() -> None:
    def trickle(here: Wire, there: socket.socket) -> None:
        while True:
            there.sendall(b"x")
            here.unasked(0.01)
            here.buffer.clear()

    with (
        wire(b"+", longest=0.05) as (here, there),
        pytest.raises(CaseFailedError, match=r"the case took longer than 0\.05 s"),
    ):
        trickle(here, there)


def test_a_peer_that_reads_nothing() -> None:
    with wire(b"", timeout=0.05) as (here, _), pytest.raises(CaseFailedError, match="read nothing"):
        here.send(b"x" * 8 * 1024 * 1024)


def test_what_a_peer_repeats_of_a_secret_is_hidden_and_much_is_left_out() -> None:
    with wire(b"+OK you said pa55word\r\n" + b"+OK\r\n" * 100) as (here, _):
        here.send(b"PASS pa55word")
        for _ in range(101):
            here.status()
        said = here.conversation((b"pa55word",))
    assert said.lines[0] == "C: PASS <redacted>\\r\\n"
    assert not any("pa55word" in line for line in said.lines)
    assert len(said.lines) < 50
    assert any("lines left out" in line for line in said.lines)
