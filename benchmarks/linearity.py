"""Whether the work is linear in the octets, at every chunk size: counted, not timed.

The octets that the engine holds are replaced by ones that count what is done with them. So the
result is the same on every machine, and can be asserted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, SupportsIndex

from benchmarks import corpora
from benchmarks.engine_contestants import logged_in
from pop3proto import ClientConnection, MessageData, Retr, Signal
from pop3proto._wire import BodyReader, ReceiveBuffer

CHUNK_SIZES = (1, 16, 1024, 64 * 1024, 0)
"""In octets; 0 stands for all of it at once."""
MOST_WORK = 64
"""Operations, and octets looked at or copied, for each octet of input, that count as linear. An
octet that comes alone has all the operations of a chunk to itself: some 30."""
MOST_GROWTH = 2.3
"""By how much the work may grow where the input is doubled."""
_SIZES = (24 * 1024, 48 * 1024)
_BLOCKS = {
    "base64": b"QUJD" * 19 + b"\r\n",
    "dots": b"." + b"x" * 75 + b"\r\n",
    "dotonly": b".\r\n",
    "short": b"\r\na\r\n.b\r\nc\r\n",
    "text": b"This is a sentence. So is this.\r\n",
}


class Work:
    """How much was done."""

    units = 0


class CountingBytes(bytes):
    """Octets that count one for each operation, and one for each octet it looks at or copies."""

    def _look(self, found: int, start: int, stop: int) -> int:
        Work.units += 1 + (stop if found < 0 else min(found + 8, stop)) - start
        return found

    def find(self, *args: Any) -> int:
        _, start, stop = _bounds(self, *args)
        return self._look(super().find(*args), start, stop)

    def rfind(self, *args: Any) -> int:
        _, start, stop = _bounds(self, *args)
        found = super().rfind(*args)
        Work.units += 1 + stop - max(found, start)
        return found

    def count(self, *args: Any) -> int:
        _, start, stop = _bounds(self, *args)
        Work.units += 1 + stop - start
        return super().count(*args)

    def startswith(self, *args: Any) -> bool:
        Work.units += 1
        return super().startswith(*args)

    def endswith(self, *args: Any) -> bool:
        Work.units += 1
        return super().endswith(*args)

    def split(self, *args: Any, **kwargs: Any) -> list[bytes]:
        Work.units += 1 + 2 * len(self)
        return super().split(*args, **kwargs)

    def replace(self, *args: Any) -> bytes:
        Work.units += 1 + 2 * len(self)
        return CountingBytes(super().replace(*args))

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        if isinstance(part, bytes):
            Work.units += 1 + len(part)
            return CountingBytes(part)
        Work.units += 1
        return part


class CountingBuffer(ReceiveBuffer):
    """A buffer of counting octets."""

    __slots__ = ()

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        super().feed(data)
        Work.units += 1
        self._recount()

    def merge(self) -> bool:
        merged = super().merge()
        Work.units += 1 + (len(self.data) if merged else 0)
        self._recount()
        return merged

    def _recount(self) -> None:
        if type(self.data) is not CountingBytes:
            self.data = CountingBytes(self.data)


def _bounds(
    data: bytes, needle: bytes, start: SupportsIndex = 0, stop: SupportsIndex | None = None
) -> tuple[bytes, int, int]:
    first, last, _ = slice(start, stop).indices(len(data))
    return needle, first, max(first, last)


@dataclass(frozen=True, slots=True)
class Scaling:
    """The work for one kind of mail, cut and fed in one way."""

    body: str
    chunk: int
    pulled: bool
    """Whether events were pulled behind every chunk; otherwise once, behind all of them."""
    work: float
    """For each octet of the larger input."""
    growth: float
    """The larger input's work divided by the smaller one's, which has half the octets."""

    @property
    def linear(self) -> bool:
        return self.work <= MOST_WORK and self.growth <= MOST_GROWTH


def scalings() -> Iterator[Scaling]:
    """Every kind of mail, at every chunk size, fed in both ways."""
    for body in _BLOCKS:
        for chunk in CHUNK_SIZES:
            for pulled in (True, False):
                half, whole = (_count(body, size, chunk, pulled) for size in _SIZES)
                yield Scaling(body, chunk, pulled, whole / _SIZES[1], whole / half)


def _count(body: str, size: int, chunk: int, pulled: bool) -> int:
    block = _BLOCKS[body]
    message = block * (size // len(block))
    stream = corpora.response(message)
    connection = logged_in()
    connection._buffer = CountingBuffer()
    connection._reader = BodyReader(connection._buffer)
    connection.send(Retr(1))
    Work.units = octets = 0
    step = chunk or len(stream)
    for start in range(0, len(stream), step):
        connection.receive_data(stream[start : start + step])
        if pulled:
            octets += _pull(connection)
    octets += _pull(connection)
    if octets != len(message):
        raise AssertionError(f"{body} in chunks of {chunk}: {octets} of {len(message)} octets")
    return Work.units


def _pull(connection: ClientConnection) -> int:
    octets = 0
    while (event := connection.next_event()) is not Signal.NEED_DATA:
        Work.units += 1
        if type(event) is MessageData:
            octets += len(event.data)
    return octets
