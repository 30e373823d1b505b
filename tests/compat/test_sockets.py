"""Sockets and files that programs bring along, or leave out."""

import io
from functools import partial
from typing import Any

import pytest

from tests.compat.conversations import BOTH, DROPIN, NAMES, on, outcome

both = pytest.mark.parametrize("module", BOTH, ids=NAMES)


class Minimal:
    """What poplib asks of a socket, and no more."""

    def __init__(self, octets: bytes) -> None:
        self.sent = b""
        self._octets = octets

    def makefile(self, mode: str) -> io.BytesIO:
        assert mode == "rb"
        return io.BytesIO(self._octets)

    def sendall(self, data: bytes) -> None:
        self.sent += data


@both
def test_a_socket_that_knows_little(module: Any) -> None:
    client = on(module, Minimal(b"+OK ready\r\n+OK 2 320\r\n"))
    assert client.stat() == (2, 320)
    assert client.sock.sent == b"STAT\r\n"


@both
@pytest.mark.parametrize("greeting", [b"-ERR no\r\n", b""])
def test_a_refused_greeting_on_a_socket_that_knows_little(module: Any, greeting: bytes) -> None:
    # It cannot be closed, and that is not what the caller has to know.
    expected = greeting[:-2] or "-ERR EOF"
    assert outcome(lambda: on(module, Minimal(greeting))) == ("error_proto", (expected,))


class Closing(Minimal):
    closed = False

    def shutdown(self, how: int) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def test_a_refused_greeting_closes_a_socket_whose_file_cannot_be_closed() -> None:
    class Stuck:
        def readline(self, limit: int) -> bytes:
            return b"-ERR no\r\n"

        def close(self) -> None:
            raise OSError("stuck")

    sock: Any = Closing(b"")
    sock.makefile = lambda mode: Stuck()
    assert outcome(lambda: on(DROPIN, sock)) == ("error_proto", (b"-ERR no",))
    assert sock.closed


@both
def test_closing_what_has_no_file(module: Any) -> None:
    client = module.POP3.__new__(module.POP3)
    client.sock = sock = Closing(b"")
    assert outcome(client.close)[0] == "AttributeError"
    assert sock.closed
    assert client.sock is None


@both
def test_closing_what_has_nothing(module: Any) -> None:
    client = module.POP3.__new__(module.POP3)
    assert outcome(client.close)[0] == "AttributeError"


@pytest.mark.parametrize("line", ["NOOP", memoryview(b"NOOP"), None])
def test_a_putline_of_what_is_no_bytes(line: Any) -> None:
    raised = []
    for module in BOTH:
        client = on(module, Minimal(b"+OK ready\r\n+OK\r\n"))
        raised.append(outcome(partial(client._putline, line)))
        assert client.sock.sent == b""
        assert client.noop() == b"+OK"
    assert raised[0] == raised[1]
    assert raised[0][0] == "TypeError"


@both
def test_a_putline_of_a_bytearray(module: Any) -> None:
    client = on(module, Minimal(b"+OK ready\r\n+OK\r\n"))
    client._putline(bytearray(b"NOOP"))
    assert client._getresp() == b"+OK"
    assert client.sock.sent == b"NOOP\r\n"


def test_no_more_is_owed_by_a_file_that_was_prepared() -> None:
    client = on(DROPIN, Minimal(b"+OK ready\r\n"))
    client.file = io.BytesIO(b"+OK\r\none\r\n.\r\n+OK\r\ntwo\r\n.\r\n+OK 3\r\n")
    assert client.retr(1)[1] == [b"one"]
    assert client.retr(2)[1] == [b"two"]
    assert client.noop() == b"+OK 3"
