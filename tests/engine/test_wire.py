from collections.abc import Iterator
from itertools import product

import pytest

from pop3proto import LocalProtocolError
from pop3proto.engine import wire as _wire
from pop3proto.engine.wire import BodyReader, ReceiveBuffer
from pop3proto.errors import LimitError
from tests.engine.bodies import check, expected_content, read_all, reader, waiting

NEWLINES = pytest.mark.parametrize("newline", [b"\r\n", b"\n"], ids=["CRLF", "LF"])


def octet_by_octet(wire: bytes) -> list[bytes]:
    return [wire[i : i + 1] for i in range(len(wire))]


def cuts(wire: bytes) -> Iterator[list[bytes]]:
    yield [wire]
    yield octet_by_octet(wire)
    for i in range(1, len(wire)):
        yield [wire[:i], wire[i:]]


def fed(*chunks: bytes) -> ReceiveBuffer:
    buffer = ReceiveBuffer()
    for chunk in chunks:
        buffer.feed(chunk)
    return buffer


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_buffer_takes_anything_that_holds_octets(kind: type) -> None:
    buffer = ReceiveBuffer()
    buffer.feed(kind(b"+OK\r\n"))
    assert buffer.next_line(100, "x") == b"+OK"


def test_what_the_caller_writes_into_later_is_copied() -> None:
    octets = bytearray(b"+OK\r\n")
    buffer = ReceiveBuffer()
    buffer.feed(octets)
    octets[:] = b"xxxxx"
    assert buffer.next_line(100, "x") == b"+OK"


def test_the_octets_that_wait_are_counted() -> None:
    buffer = fed(b"ab\r\nc", b"de", b"f")
    assert len(buffer) == 8
    assert buffer.next_line(100, "x") == b"ab"
    assert len(buffer) == 4
    assert len(ReceiveBuffer()) == 0


def test_nothing_comes_behind_the_end_of_the_stream() -> None:
    buffer = fed(b"a", b"")
    assert buffer.eof
    buffer.feed(b"")
    with pytest.raises(LocalProtocolError, match="after the end"):
        buffer.feed(b"x")
    assert len(buffer) == 1


@pytest.mark.parametrize("chunks", list(cuts(b"a\r\nb\n\r\n\nc\rd\r\r\ne")))
def test_lines_end_with_lf_and_crlf_wherever_they_are_cut(chunks: list[bytes]) -> None:
    buffer = ReceiveBuffer()
    lines: list[tuple[bytes, bytes]] = []
    for chunk in chunks:
        buffer.feed(chunk)
        while (line := buffer.next_line(100, "x")) is not None:
            lines.append((line, buffer.newline))
    crlf, lf = b"\r\n", b"\n"
    assert lines == [(b"a", crlf), (b"b", lf), (b"", crlf), (b"", lf), (b"c\rd\r", crlf)]
    assert waiting(buffer) == b"e"


@pytest.mark.parametrize("chunks", list(cuts(b"a\nb\r\n\n\r\r\n")))
def test_lines_that_end_with_crlf_alone(chunks: list[bytes]) -> None:
    buffer = ReceiveBuffer()
    lines: list[bytes] = []
    for chunk in chunks:
        buffer.feed(chunk)
        while (line := buffer.next_line(100, "x", b"\r\n")) is not None:
            lines.append(line)
            assert buffer.newline == b"\r\n"
    assert lines == [b"a\nb", b"\n\r"]


def test_a_blank_line_at_the_start_is_a_line_by_itself() -> None:
    buffer = fed(b"\nx\r")
    assert buffer.next_line(100, "x") == b""
    assert buffer.newline == b"\n"
    buffer = fed(b"a\n\n", b"b\n")
    assert buffer.next_line(100, "x") == b"a"
    assert buffer.rest() == b"\nb\n"
    assert [buffer.next_line(100, "x") for _ in range(2)] == [b"", b"b"]


def test_chunks_that_came_before_anybody_asked() -> None:
    buffer = fed(*octet_by_octet(b"first\r\nsecond\r\nthi"))
    assert buffer.next_line(100, "x") == b"first"
    buffer.feed(b"rd\r\n")
    assert [buffer.next_line(100, "x") for _ in range(3)] == [b"second", b"third", None]


@pytest.mark.parametrize("chunks", list(cuts(b"12345678\r\n")))
def test_a_line_as_long_as_the_limit_passes(chunks: list[bytes]) -> None:
    buffer = ReceiveBuffer()
    lines = []
    for chunk in chunks:
        buffer.feed(chunk)
        lines.append(buffer.next_line(10, "x"))
    assert lines[-1] == b"12345678"


@pytest.mark.parametrize("chunks", list(cuts(b"123456789\r\n")))
def test_a_longer_one_does_not_wherever_it_is_cut(chunks: list[bytes]) -> None:
    buffer = ReceiveBuffer()

    def read() -> None:
        for chunk in chunks:
            buffer.feed(chunk)
            assert buffer.next_line(10, "status_line") is None

    with pytest.raises(LimitError, match="longer than 10 octets") as caught:
        read()
    assert (caught.value.limit, caught.value.value) == ("status_line", 10)


def test_a_line_without_end_is_given_up_as_soon_as_the_limit_is_reached() -> None:
    buffer = fed(b"x" * 10)
    with pytest.raises(LimitError):
        buffer.next_line(10, "x")
    buffer = fed(b"x" * 9)
    assert buffer.next_line(10, "x") is None
    buffer.feed(b"x")
    with pytest.raises(LimitError):
        buffer.next_line(10, "x")


@pytest.mark.parametrize(
    ("newline", "wire"), [(b"\n", b"long\rlong\nrest\n"), (b"\r\n", b"long\nlo\rng\r\nrest\r\n")]
)
def test_a_line_is_dropped_up_to_its_end_wherever_it_is_cut(newline: bytes, wire: bytes) -> None:
    for chunks in cuts(wire):
        buffer = ReceiveBuffer()
        ended = False
        for chunk in chunks:
            buffer.feed(chunk)
            if not ended:
                ended = buffer.discard_line(newline)
                assert ended or len(buffer) <= 1
        assert ended
        assert waiting(buffer) == b"rest" + newline


def test_dropping_starts_where_a_line_was_given_up() -> None:
    buffer = fed(b"xxxxx\r")
    with pytest.raises(LimitError):
        buffer.next_line(6, "x", b"\r\n")
    assert not buffer.discard_line(b"\r\n")
    buffer.feed(b"\nnext\r\n")
    assert buffer.discard_line(b"\r\n")
    assert buffer.next_line(6, "x", b"\r\n") == b"next"


def test_the_lines_that_were_read_do_not_end_a_line_to_drop() -> None:
    buffer = fed(b"first\nlong")
    assert buffer.next_line(10, "x") == b"first"
    assert not buffer.discard_line(b"\n")


@NEWLINES
@pytest.mark.parametrize("later", [False, True], ids=["same chunk", "later chunk"])
def test_a_line_end_can_be_given_back(newline: bytes, later: bool) -> None:
    buffer = fed(b"+OK" + newline) if later else fed(b"+OK" + newline + b"text")
    buffer.next_line(100, "x")
    if later:
        buffer.feed(b"text")
    buffer.give_back_newline()
    assert waiting(buffer) == newline + b"text"


BODIES = {
    "empty": (b".\r\n", b""),
    "an empty line": (b"\r\n.\r\n", b"\r\n"),
    "text": (b"Subject: x\r\n\r\ntext\r\n.\r\n", b"Subject: x\r\n\r\ntext\r\n"),
    "a lone dot": (b"..\r\n.\r\n", b".\r\n"),
    "dots within and at the end of lines": (b"a.b.\r\nc.\r\n.\r\n", b"a.b.\r\nc.\r\n"),
    "dots in a row": (b"....\r\n...\r\n..\r\n.\r\n", b"...\r\n..\r\n.\r\n"),
    "bare LF and dot": (b"a\n.\nb\r\n.\n..\r\n.\r\n", b"a\n.\nb\r\n.\n..\r\n"),
    "bare CR": (b"a\rb\r\r\n\r\n.\r\n", b"a\rb\r\r\n\r\n"),
    "bare CR and dot": (b"\r.\r\n..\r\r\n.\r\n", b"\r.\r\n.\r\r\n"),
    "single dots": (b".x\r\n.\r.\r\n..y\r\n.\r\n", b".x\r\n.\r.\r\n.y\r\n"),
    "a line that looks like a reply": (b"+OK\r\n-ERR\r\n.\r\n", b"+OK\r\n-ERR\r\n"),
    "NUL and 8 bits": (b"\0\xff\r\n..\0\r\n.\r\n", b"\0\xff\r\n.\0\r\n"),
    "long lines": (b"x" * 100_000 + b"\r\n.\r\n", b"x" * 100_000 + b"\r\n"),
}


@pytest.mark.parametrize(("wire", "content"), BODIES.values(), ids=BODIES)
def test_bodies_behind_crlf(wire: bytes, content: bytes) -> None:
    assert expected_content(wire, b"\r\n")[::2] == (content, b"")
    buffer, body = reader()
    assert read_all(buffer, body, [wire + b"+OK\r\n"]) == content
    assert body.complete
    assert body.octets == len(content)
    assert waiting(buffer) == b"+OK\r\n"
    assert body.read() == b""


@pytest.mark.parametrize(
    ("wire", "content"),
    [
        (b".\n", b""),
        (b".\r\n", b""),
        (b"..a\nb\n.\n", b".a\nb\n"),
        (b"a\r\n..b\r\n.\r\n", b"a\r\n.b\r\n"),
        (b"..\r\r\n..\r\n.\n", b".\r\r\n.\r\n"),
        (b".x\n.\rx\n.\n", b".x\n.\rx\n"),
    ],
)
def test_bodies_behind_lf(wire: bytes, content: bytes) -> None:
    buffer, body = reader(b"\n")
    assert read_all(buffer, body, [wire + b"+OK\n"]) == content
    assert body.complete
    assert waiting(buffer) == b"+OK\n"


@pytest.mark.parametrize("first", [b".x\n", b"..x\n", b"x\n"])
@pytest.mark.parametrize("ends", [(b".\n", b".\r\n"), (b".\r\n", b".\n")])
def test_the_first_of_two_terminators_behind_lf_counts(
    first: bytes, ends: tuple[bytes, bytes]
) -> None:
    buffer, body = reader(b"\n")
    content = read_all(buffer, body, [first + ends[0] + b"+OK\n" + ends[1]])
    assert content == first.replace(b"..", b".")
    assert waiting(buffer) == b"+OK\n" + ends[1]


def torture(blocks: int) -> bytes:
    """A body of all kinds of lines, with one and another prevailing for a while."""
    kinds = [b"..\r\n", b"..x\r\n", b".x\r\n", b"text. Text.\r\n", b"\r\n", b"....\r\n", b"y" * 70]
    runs = (kind * (1 + 97 * i % 131) for i, kind in enumerate(kinds * blocks))
    return b"".join(runs) + b"\r\n"


@NEWLINES
@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 4095, 4096, 4097, 65536, 10**6])
def test_a_long_body_of_all_kinds_of_lines(newline: bytes, size: int) -> None:
    wire = (torture(40) + b".\r\n").replace(b"\r\n", newline) + b"rest"
    wire = wire if size > 3 else wire[-20_000:]
    check(wire, newline, [wire[i : i + size] for i in range(0, len(wire), size)])


# How a sender might line up the end of a search, or of a block, with what must not be missed.
@NEWLINES
@pytest.mark.parametrize("start", [b"a.", b"..", b".x"])
@pytest.mark.parametrize("hidden", [b".", b"..", b".y", b"..y"])
def test_the_edges_of_the_searches(newline: bytes, start: bytes, hidden: bytes) -> None:
    end = newline + b"." + newline
    for size in (_wire._WINDOW, _wire._FIRST_BLOCK, 2 * _wire._FIRST_BLOCK):
        for off in range(-9, 9):
            wire = start + newline + b"x" * (size + off) + newline + hidden + end
            check(wire, newline, [wire])


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_wire, "_WINDOW", 3)
    monkeypatch.setattr(_wire, "_FIRST_BLOCK", 6)
    monkeypatch.setattr(_wire, "_LAST_BLOCK", 12)
    monkeypatch.setattr(_wire, "_DENSE", 4)


@NEWLINES
@pytest.mark.parametrize("length", range(1, 7))
def test_every_body_of_a_few_octets(newline: bytes, length: int) -> None:
    for letters in product([b".", b"\r", b"\n", b"x"], repeat=length):
        wire = b"".join(letters)
        check(wire, newline, [wire])
        check(wire, newline, octet_by_octet(wire))


@NEWLINES
@pytest.mark.usefixtures("small_steps")
def test_every_body_of_a_few_lines_in_small_steps(newline: bytes) -> None:
    lines = [b".", b"..", b".x", b"", b"x.", b"xxxxx", b"\r", b"..x"]
    for parts in product(lines, repeat=4):
        wire = newline.join(parts) + newline + b"." + newline + b"+"
        check(wire, newline, [wire])
        check(wire, newline, [wire[:7], wire[7:8], wire[8:]])


def test_a_reader_can_begin_before_the_body_comes() -> None:
    buffer = fed(b"XTND\r\n")
    buffer.next_line(100, "x")
    buffer.feed(b"te")
    body = BodyReader(buffer).begin()
    assert read_all(buffer, body, [b"xt\r\n.\r\n"]) == b"text\r\n"


@pytest.mark.parametrize("step", [1, 5, 10**6])
@pytest.mark.usefixtures("small_steps")
def test_a_reader_keeps_nothing_of_the_body_before(step: int) -> None:
    lines = [b"", b"a\n", b".x\n", b"..\n", b"..\n" * 40]
    endings = [b"\n", b"\r\n"]
    bodies = [(body.replace(b"\n", newline), newline) for body in lines for newline in endings]
    for pair in product(bodies, repeat=2):
        buffer = ReceiveBuffer()
        reused = BodyReader(buffer)
        wire = b"".join(b"+OK" + newline + body + b"." + newline for body, newline in pair)
        chunks = iter([wire[i : i + step] for i in range(0, len(wire), step)])
        for body, newline in pair:
            while buffer.next_line(100, "status_line") is None:
                buffer.feed(next(chunks))
            reused.begin()
            found = b""
            while not reused.complete:
                if data := reused.read():
                    found += data
                elif not reused.complete:
                    buffer.feed(next(chunks))
            content, single, _ = expected_content(body + b"." + newline, newline)
            assert (found, reused.unstuffed) == (content, single)
            assert reused.octets == len(found)


def test_a_whole_chunk_is_handed_out_as_it_is() -> None:
    buffer, body = reader()
    read_all(buffer, body, [b"first"])
    chunk = b"x" * 1000
    buffer.feed(chunk)
    assert body.read() is chunk


class CountingBuffer(ReceiveBuffer):
    joined = 0

    def merge(self) -> bool:
        self.joined += bool(self.pending)
        return super().merge()


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_long_line_octet_by_octet_is_joined_once(newline: bytes) -> None:
    # Joined at each octet, it would take time in the square of its length.
    buffer = CountingBuffer()
    line = b"x" * 5_000
    for octet in line + newline:
        assert buffer.next_line(10_000, "limit", newline) is None
        buffer.feed(bytes([octet]))
    assert buffer.next_line(10_000, "limit", newline) == line
    assert buffer.joined == 1


def test_a_line_that_is_too_long_shows_as_soon_as_it_is() -> None:
    buffer = CountingBuffer()
    for _ in range(99):
        buffer.feed(b"x")
        assert buffer.next_line(100, "limit") is None
    buffer.feed(b"x")
    with pytest.raises(LimitError):
        buffer.next_line(100, "limit")
    assert buffer.joined == 1


def test_the_rest_is_all_that_waits() -> None:
    buffer = ReceiveBuffer()
    for data in (b"one\r\ntw", b"o", b"!"):
        buffer.feed(data)
    assert buffer.next_line(100, "limit") == b"one"
    assert buffer.next_line(100, "limit") is None
    assert buffer.rest() == b"two!"
    assert len(buffer) == 4
