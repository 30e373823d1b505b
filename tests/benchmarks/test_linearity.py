"""The count of the engine's work: that it is linear, and that it sees work which is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pop3proto.engine.wire import BodyReader, ReceiveBuffer
from tests.benchmarks import linearity
from tests.benchmarks.linearity import CHUNK_SIZES, CountingBytes, Work, scalings

SEVERAL = [size for size in CHUNK_SIZES if size]


def found_out(chunk: int) -> set[str]:
    """The kinds of mail whose work does not count as linear."""
    return {found.body for found in scalings([chunk]) if not found.linear}


@pytest.mark.parametrize("chunk", CHUNK_SIZES)
def test_the_engine_is_linear_over_several_chunks(chunk: int) -> None:
    found = list(scalings([chunk]))
    assert [one for one in found if not one.linear] == []
    assert all(one.octets >= 8 * chunk for one in found)


def appending(self: ReceiveBuffer, octets: bytes) -> None:
    self.data = self.data + octets


def prepending(self: ReceiveBuffer, octets: bytes) -> None:
    # An empty one is a plain one, so that the addition is the other operand's.
    self.data = b"" + self.data + octets


def joining(self: ReceiveBuffer, octets: bytes) -> None:
    self.data = b"".join((self.data, octets))


def extending(self: ReceiveBuffer, octets: bytes) -> None:
    array = bytearray(self.data)
    array += octets
    self.data = bytes(array)


@pytest.mark.parametrize("chunk", SEVERAL)
@pytest.mark.parametrize("feed", [appending, prepending, joining, extending])
def test_copying_all_for_each_chunk_is_found_out(
    chunk: int, feed: Callable[[ReceiveBuffer, bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReceiveBuffer, "feed", feed)
    assert found_out(chunk) == set(linearity._BLOCKS)


@pytest.mark.parametrize(
    "look",
    [
        lambda data: data.rsplit(b"\r\n."),
        lambda data: data.split(b"\r\n."),
        lambda data: data.splitlines(),
        lambda data: data.count(b"\n"),
        lambda data: data.rfind(b"nowhere"),
        lambda data: data.translate(None, b"\r"),
        lambda data: data.hex(),
        lambda data: b"nowhere" in data,
    ],
)
def test_looking_at_all_for_each_block_is_found_out(
    look: Callable[[bytes], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    read_block = BodyReader._read_block

    def looking(self: BodyReader) -> bytes:
        look(self._buffer.data)
        return read_block(self)

    monkeypatch.setattr(BodyReader, "_read_block", looking)
    assert {"dots", "dotonly", "short"} <= found_out(0)


def test_joining_by_the_line_end_is_counted() -> None:
    Work.units = 0
    joined = linearity._NEWLINES[b"\r\n"].join([b"one", b"two"])
    assert (joined, type(joined), Work.units) == (b"one\r\ntwo", CountingBytes, 1 + 2 + 8)
