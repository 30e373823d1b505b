"""However the octets of a text come, its lines are the same."""

from __future__ import annotations

from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING

import pytest

from pop3proto.compat._conversation import LineReader

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

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
