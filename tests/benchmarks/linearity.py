"""Whether the work is linear in the octets, at every chunk size: counted, not timed.

The octets that the engine holds are replaced by ones that count what is done with them. So the
result is the same on every machine, and can be asserted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, SupportsIndex

from benchmarks import corpora
from benchmarks.engine import logged_in
from pop3proto import ClientConnection, MessageData, Retr, Signal
from pop3proto.engine.wire import BodyReader, ReceiveBuffer

CHUNK_SIZES = (1, 16, 1024, 64 * 1024, 0)
"""In octets; 0 stands for all of it at once."""
MOST_WORK = 80
"""Operations, and octets looked at or copied, for each octet of input, that count as linear. An
octet that comes alone has all the operations of a chunk to itself: up to 60."""
MOST_GROWTH = 2.2
"""By how much the work may grow where the input is doubled."""
# The smaller input has as many chunks, so that what is done again for each of them shows.
_CHUNKS = 8
_LEAST = 8 * 1024
_AT_ONCE = 256 * 1024
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
    """Octets that count one for each operation, and one for each octet it looks at or copies.

    Every method that is not here is counted below: with all octets, and all those of its result.
    """

    def find(self, *args: Any) -> int:
        return _from_left(self, super().find(*args), *args)

    def index(self, *args: Any) -> int:
        return _from_left(self, super().index(*args), *args)

    def rfind(self, *args: Any) -> int:
        return _from_right(self, super().rfind(*args), *args)

    def rindex(self, *args: Any) -> int:
        return _from_right(self, super().rindex(*args), *args)

    def count(self, *args: Any) -> int:
        start, stop = _bounds(self, *args)
        Work.units += 1 + stop - start
        return super().count(*args)

    def startswith(self, *args: Any) -> bool:
        Work.units += 1
        return super().startswith(*args)

    def endswith(self, *args: Any) -> bool:
        Work.units += 1
        return super().endswith(*args)

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        if isinstance(part, bytes):
            Work.units += 1 + len(part)
            return CountingBytes(part)
        Work.units += 1
        return part

    def __radd__(self, other: Any) -> Any:
        # Without it, octets that do not count would swallow these.
        return CountingBytes(other).__add__(self)


def _counted(name: str) -> Callable[..., Any]:
    method = getattr(bytes, name)

    def counted(self: CountingBytes, *args: Any, **kwargs: Any) -> Any:
        result = method(self, *args, **kwargs)
        parts = result if isinstance(result, list | tuple) else [result]
        copied = sum(len(part) for part in parts if isinstance(part, bytes | str))
        Work.units += 1 + len(self) + copied
        return CountingBytes(result) if type(result) is bytes else result

    return counted


_OPERATORS = ("__add__", "__bytes__", "__contains__", "__iter__", "__mod__", "__mul__", "__rmul__")
for _name in (*_OPERATORS, *(name for name in dir(bytes) if name[0] != "_")):
    if _name not in {*vars(CountingBytes), "fromhex", "maketrans"}:
        setattr(CountingBytes, _name, _counted(_name))


class CountingBuffer(ReceiveBuffer):
    """A buffer of counting octets."""

    __slots__ = ()

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        super().feed(data)
        Work.units += 1
        self._recount(data)

    def merge(self) -> bool:
        merged = super().merge()
        Work.units += 1
        self._recount()
        return merged

    def _recount(self, fed: object = None) -> None:
        """Whatever is not counting and not what was fed, somebody has copied."""
        if type(self.data) is not CountingBytes:
            Work.units += len(self.data) if self.data is not fed else 0
            self.data = CountingBytes(self.data)


class CountingReader(BodyReader):
    """A reader whose line end counts too: lines are joined by it."""

    __slots__ = ()

    def begin(self) -> BodyReader:
        self._buffer.newline = _NEWLINES[self._buffer.newline]
        return super().begin()


_NEWLINES = {newline: CountingBytes(newline) for newline in (b"\r\n", b"\n")}


def _from_left(data: bytes, found: int, *args: Any) -> int:
    start, stop = _bounds(data, *args)
    Work.units += 1 + (stop if found < 0 else min(found + 8, stop)) - start
    return found


def _from_right(data: bytes, found: int, *args: Any) -> int:
    start, stop = _bounds(data, *args)
    Work.units += 1 + stop - max(found, start)
    return found


def _bounds(
    data: bytes, needle: bytes, start: SupportsIndex = 0, stop: SupportsIndex | None = None
) -> tuple[int, int]:
    first, last, _ = slice(start, stop).indices(len(data))
    return first, max(first, last)


@dataclass(frozen=True, slots=True)
class Scaling:
    """The work for one kind of mail, cut and fed in one way."""

    body: str
    chunk: int
    pulled: bool
    """Whether events were pulled behind every chunk; otherwise once, behind all of them."""
    octets: int
    """Of the smaller input."""
    work: float
    """For each octet of the larger input, which has twice as many."""
    growth: float
    """The larger input's work divided by the smaller one's."""

    @property
    def chunks(self) -> str:
        """The chunks' size, to be read."""
        return f"{self.chunk:,}" if self.chunk else "all at once"

    @property
    def feed(self) -> str:
        """The way of feeding, to be read."""
        return "pulled" if self.pulled else "whole"

    @property
    def linear(self) -> bool:
        return self.work <= MOST_WORK and self.growth <= MOST_GROWTH


def scalings(chunk_sizes: Iterable[int] = CHUNK_SIZES) -> Iterator[Scaling]:
    """Every kind of mail, at every chunk size, fed in both ways."""
    for body in _BLOCKS:
        for chunk in chunk_sizes:
            size = max(_CHUNKS * chunk, _LEAST) if chunk else _AT_ONCE
            for pulled in (True, False):
                half, whole = (_count(body, octets, chunk, pulled) for octets in (size, 2 * size))
                yield Scaling(body, chunk, pulled, size, whole / (2 * size), whole / half)


def _count(body: str, size: int, chunk: int, pulled: bool) -> int:
    block = _BLOCKS[body]
    message = block * (size // len(block))
    stream = corpora.response(message)
    connection = logged_in()
    connection._buffer = CountingBuffer()
    connection._reader = CountingReader(connection._buffer)
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
            if type(event.data) is not CountingBytes:
                # It was made in a way that does not count.
                Work.units += len(event.data)
    return octets
