"""However the octets of a text come, its lines are the same."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import closing
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, Any

import pytest

from pop3proto.compat.texts import LineReader
from tests.compat.conversations import BOTH, DROPIN, NAMES, Fragments, on, outcome, talk

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

both = pytest.mark.parametrize("module", BOTH, ids=NAMES)
HELLO = b"+OK ready\r\n"
LINE = b"x" * 76
# Longer than all that is read at once, with lines that are stuffed and one that is very long.
LONG = [LINE] * 3000 + [b".", b"", b"." + LINE, b"y" * 200_000, b".."] + [LINE] * 1000
# Texts as they come behind a status line that ends with CRLF, or with LF.
TEXTS = [
    (b"\r\n", b"", []),
    (b"\r\n", b"\r\n", [b""]),
    (b"\r\n", b"one\r\ntwo\r\n\r\nthree\r\n", [b"one", b"two", b"", b"three"]),
    (b"\r\n", b"..one\r\n..\r\n...\r\n", [b".one", b".", b".."]),
    (b"\r\n", b"one\ntwo\r\r\nth\rree\r\n\nfour\r\n", [b"one", b"two\r", b"th\rree", b"", b"four"]),
    (b"\r\n", b"a\x0bb\x0cc\x1cd\x85e\xe2\x80\xa8f\r\n", [b"a\x0bb\x0cc\x1cd\x85e\xe2\x80\xa8f"]),
    (b"\n", b"one\ntwo\r\nth\rree\r\r\n\r\n\n..\n", [b"one", b"two", b"th\rree\r", b"", b"", b"."]),
]


class Chunks(RawIOBase):
    """Gives one chunk for each time that something is read."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        chunk = self._chunks.pop(0) if self._chunks else b""
        view = memoryview(buffer)
        view[: len(chunk)] = chunk
        return len(chunk)


def lines_of(newline: bytes, chunks: list[bytes]) -> list[bytes]:
    text = LineReader(BufferedReader(Chunks(chunks)), newline)
    return [line for lines in iter(text.read, []) for line in lines]


@pytest.mark.parametrize(("newline", "content", "lines"), TEXTS)
def test_every_way_to_cut_it_in_three(newline: bytes, content: bytes, lines: list[bytes]) -> None:
    wire = content + b"." + newline
    for first in range(len(wire) + 1):
        for second in range(first, len(wire) + 1):
            chunks = [wire[:first], wire[first:second], wire[second:]]
            assert lines_of(newline, [chunk for chunk in chunks if chunk]) == lines, chunks


@pytest.mark.parametrize(("newline", "content", "lines"), TEXTS)
def test_octet_by_octet(newline: bytes, content: bytes, lines: list[bytes]) -> None:
    wire = content + b"." + newline
    assert lines_of(newline, [wire[at : at + 1] for at in range(len(wire))]) == lines


def fetched(newline: bytes, wire: bytes, sizes: Iterable[int]) -> tuple[bytes, list[bytes], int]:
    """What ``retr()`` of the drop-in returns when ``wire`` comes in pieces of ``sizes``."""
    sizes = [len(HELLO), *filter(None, sizes), 2**30]
    sock = Fragments([HELLO, wire, b"+OK next" + newline], sizes)
    with closing(on(DROPIN, sock)) as client:
        message: tuple[bytes, list[bytes], int] = client.retr(1)
        assert client.noop() == b"+OK next"
    return message


@pytest.mark.parametrize(("newline", "content", "lines"), TEXTS)
def test_every_way_to_cut_an_answer_in_three(
    newline: bytes, content: bytes, lines: list[bytes]
) -> None:
    wire = b"+OK" + newline + content + b"." + newline
    # Without the dots that it is stuffed with.
    octets = len(content) - (newline + content).count(newline + b".")
    for first in range(len(wire) + 1):
        for second in range(first, len(wire) + 1):
            sizes = first, second - first, len(wire) - second
            assert fetched(newline, wire, sizes) == (b"+OK", lines, octets), sizes


@pytest.mark.parametrize(("newline", "content", "lines"), TEXTS)
def test_an_answer_octet_by_octet(newline: bytes, content: bytes, lines: list[bytes]) -> None:
    wire = b"+OK" + newline + content + b"." + newline
    assert fetched(newline, wire, [1] * len(wire))[1] == lines


def on_the_wire(lines: list[bytes]) -> bytes:
    stuffed = [b"." + line if line.startswith(b".") else line for line in lines]
    return b"\r\n".join([b"+OK", *stuffed, b".", b""])


def test_an_answer_longer_than_all_that_is_read_at_once() -> None:
    octets = sum(map(len, LONG)) + 2 * len(LONG)
    with talk(DROPIN, HELLO, on_the_wire(LONG), b"+OK next\r\n") as (client, _):
        assert client.retr(1) == (b"+OK", LONG, octets)
        assert client.noop() == b"+OK next"


@pytest.mark.parametrize("buffering", [100, 1_000_000])
def test_a_file_of_the_programs_own_however_much_it_holds(buffering: int) -> None:
    with talk(DROPIN, HELLO, on_the_wire(LONG), b"+OK next\r\n") as (client, _):
        client.file.close()
        client.file = client.sock.makefile("rb", buffering)
        assert client.retr(1)[1] == LONG
        assert client.noop() == b"+OK next"


@both
def test_a_getresp_that_reads_on(module: Any) -> None:
    class Client(module.POP3):  # type: ignore[misc]
        """For a server whose texts have a line too many."""

        def _create_socket(self, timeout: float | None) -> Any:
            return Fragments([HELLO, b"+OK\r\n 3 lines\r\none\r\n..two\r\n...\r\n.\r\n+OK\r\n"])

        def _getresp(self) -> bytes:
            response: bytes = super()._getresp()
            if response == b"+OK":
                assert self.file.readline() == b" 3 lines\r\n"
            return response

    with closing(Client("pop.example.org")) as client:
        assert client.retr(1)[1] == [b"one", b".two", b".."]


@pytest.mark.parametrize("text", [b"", b"one\r\n", b"one\r\n.", b"one\r\n.\r"])
def test_an_answer_that_is_cut_short(text: bytes) -> None:
    with closing(on(DROPIN, Fragments([HELLO, b"+OK\r\n" + text], [len(HELLO), 6, 1]))) as client:
        assert outcome(lambda: client.retr(1)) == ("error_proto", ("-ERR EOF",))


@both
def test_an_answer_that_is_not_there_yet_where_nobody_waits(module: Any) -> None:
    near, far = socket.socketpair()
    with far:
        far.sendall(HELLO)
        with closing(on(module, near)) as client:
            client._putcmd("RETR 1")
            far.sendall(b"+OK\r\none\r\n")
            client.sock.settimeout(0)
            assert outcome(client._getlongresp) == ("error_proto", ("-ERR EOF",))


BEHIND = [
    (b"\r\n", True),
    (b"\n\r\n", True),
    (b"+OK\r\n", False),
    (b"\r\n+OK\r\n", False),
    # However many blank lines there are, it comes to light.
    (b"\r\n" * 100 + b"+OK\r\n", False),
]


@pytest.mark.parametrize(("behind", "forgiven"), BEHIND)
@pytest.mark.parametrize("size", [6, 8, 11, 100_000])
def test_what_comes_with_the_end_of_a_text(behind: bytes, forgiven: bool, size: int) -> None:
    answer = b"+OK\r\none\r\n.\r\n" + behind
    sock = Fragments([HELLO, answer, b"-ERR next\r\n"], [len(HELLO), size, len(answer)])
    with closing(on(DROPIN, sock)) as client:
        assert client.retr(1) == (b"+OK", [b"one"], 5)
        raised, args = outcome(client.noop)
        assert raised == "error_proto"
        if forgiven:
            assert args == (b"-ERR next",)
        else:
            assert "answers no command" in args[0]
            assert sock.sent == b"RETR 1\r\n"


@both
@pytest.mark.parametrize("size", [6, 8, 11, 13, 20])
def test_answers_to_what_was_sent_ahead(module: Any, size: int) -> None:
    answers = b"+OK\r\none\r\n.\r\n", b"+OK\r\ntwo\r\n.\r\n", b"+OK three\r\n"
    sock = Fragments([HELLO, b"".join(answers)], [len(HELLO), size, 100_000])
    with closing(on(module, sock)) as client:
        client._putline(b"RETR 1\r\nRETR 2\r\nNOOP")
        assert client._getlongresp()[1] == [b"one"]
        assert client._getlongresp()[1] == [b"two"]
        assert client._getresp() == b"+OK three"


@pytest.mark.parametrize(("size", "lost"), [(6, True), (11, True), (13, False)])
def test_a_command_of_another_thread_while_a_text_is_read(size: int, lost: bool) -> None:
    class Crossed(Fragments):
        """Where another thread sends a command behind the first octets of a text."""

        def recv_into(self, buffer: memoryview) -> int:
            count = super().recv_into(buffer)
            if self.sent == b"RETR 1\r\n" and buffer[0] != ord("+"):
                client._putcmd("NOOP")
                count += super().recv_into(memoryview(buffer)[count:])
            return count

    answer = b"+OK\r\none\r\n.\r\n"
    sock = Crossed([HELLO, answer, b"-ERR no\r\n"], [len(HELLO), size, 100_000])
    with closing(on(DROPIN, sock)) as client:
        assert client.retr(1) == (b"+OK", [b"one"], 5)
        if lost:
            # It is known, so that nobody waits for it.
            assert "its answer came with it" in outcome(client._getresp)[1][0]
        else:
            client._putcmd("NOOP")
            assert outcome(client._getresp) == ("error_proto", (b"-ERR no",))


@both
def test_a_file_of_a_class_of_ones_own_sees_every_octet(module: Any) -> None:
    class Recorder(BufferedReader):
        seen = b""

        def read(self, size: int | None = -1, /) -> bytes:
            self.seen += (octets := super().read(size))
            return octets

        def readline(self, size: int | None = -1, /) -> bytes:
            self.seen += (octets := super().readline(size))
            return octets

    wire = on_the_wire([b"one", b".two", b""] * 10)
    sock = Fragments([HELLO, wire, wire], [len(HELLO), 20])
    sock.file = Recorder
    with closing(on(module, sock)) as client:
        client.retr(1)
        client.retr(2)
        assert client.file.seen == HELLO + wire + wire
