"""The mail that is measured with: deterministic, as a server writes it on the wire."""

from __future__ import annotations

import base64
import random
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

CHUNK = 64 * 1024
"""How many octets arrive at once, unless a benchmark says otherwise."""

_KIB = 1024
_MIB = 1024 * _KIB
_COLUMNS = 76
_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"
_WORDS = re.findall(
    r"\w+",
    """a and as at been but by can each for from had has in is it its line mail message more no not
    octets of on one only or other server some text that the their then there this to was what when
    which will with word would""",
)


@dataclass(frozen=True, slots=True)
class Corpus:
    """What a server answers to a row of RETR commands."""

    name: str
    messages: list[bytes]
    """The contents, not dot-stuffed, each of whole lines."""

    @property
    def content_octets(self) -> int:
        """How many octets of content there are."""
        return sum(map(len, self.messages))

    def stream(self) -> bytes:
        """The answers, one behind the other."""
        return b"".join(map(response, self.messages))

    def chunks(self, size: int = CHUNK) -> list[bytes]:
        """The answers, cut as a socket would hand them out."""
        stream = self.stream()
        return [stream[i : i + size] for i in range(0, len(stream), size)]


def response(message: bytes) -> bytes:
    """Status line, dot-stuffed body, terminator (RFC 1939 section 3)."""
    body = message.replace(b"\r\n.", b"\r\n..")
    if body.startswith(b"."):
        body = b"." + body
    return b"+OK message follows\r\n" + body + b".\r\n"


def build(name: str, scale: int = 1) -> Corpus:
    """The corpus called ``name``, with a ``scale``-th of its octets."""
    # Seeded by name, so that every process and every run measures the same octets.
    return Corpus(name, list(_MAKERS[name](random.Random(name), scale)))


def _small(rng: random.Random, scale: int) -> Iterator[bytes]:
    prose = _prose(rng, 256 * _KIB)
    for _ in range(10_000 // scale):
        yield _excerpt(rng, prose, 4 * _KIB)


def _real(rng: random.Random, scale: int) -> Iterator[bytes]:
    for _ in range(1_000 // scale):
        yield _base64(rng, rng.randint(20 * _KIB, 100 * _KIB))


def _big(rng: random.Random, scale: int) -> Iterator[bytes]:
    yield _base64(rng, 100 * _MIB // scale)


def _text(rng: random.Random, scale: int) -> Iterator[bytes]:
    prose = _prose(rng, 2 * _MIB // scale)
    for _ in range(16):
        yield _excerpt(rng, prose, _MIB // scale // 2)


def _lines(
    make: Callable[[random.Random], bytes], rng: random.Random, scale: int
) -> Iterator[bytes]:
    """Messages of one MiB whose lines ``make`` draws; a few thousand of them, repeated."""
    for _ in range(8):
        block = b"".join(make(rng) + b"\r\n" for _ in range(4_000))
        size = _MIB // scale
        message = block * (size // len(block) + 1)
        yield message[: message.rindex(b"\r\n", 0, size) + 2]


def _dotted_line(rng: random.Random) -> bytes:
    return b"." + bytes(rng.choices(_LETTERS, k=_COLUMNS - 1))


def _dot_alone(rng: random.Random) -> bytes:
    return b"."


def _short_line(rng: random.Random) -> bytes:
    # One line in a hundred begins with a dot.
    return bytes(rng.choices(_LETTERS + b".", k=rng.randint(0, 2)))


def _base64(rng: random.Random, size: int) -> bytes:
    """Exactly as mail has it: 76 columns, CRLF."""
    raw = rng.randbytes(size * _COLUMNS // (_COLUMNS + 2) // 4 * 3)
    return base64.encodebytes(raw).replace(b"\n", b"\r\n")


def _prose(rng: random.Random, size: int) -> bytes:
    """Paragraphs of one to four sentences, each of six to fourteen words, wrapped as mail is."""
    paragraphs: list[str] = []
    length = 0
    while length < size:
        text = " ".join(_sentence(rng) for _ in range(rng.randint(1, 4)))
        paragraphs += [*textwrap.wrap(text, 72), ""]
        length += len(text) + 4
    return "\r\n".join([*paragraphs, ""]).encode("ascii")


def _sentence(rng: random.Random) -> str:
    return " ".join(rng.choices(_WORDS, k=rng.randint(6, 14))).capitalize() + "."


def _excerpt(rng: random.Random, prose: bytes, size: int) -> bytes:
    start = prose.index(b"\r\n", rng.randrange(len(prose) - 2 * size)) + 2
    return prose[start : prose.index(b"\r\n", start + size - _COLUMNS) + 2]


_MAKERS: dict[str, Callable[[random.Random, int], Iterator[bytes]]] = {
    "small": _small,
    "real": _real,
    "big": _big,
    "dots": partial(_lines, _dotted_line),
    "dotonly": partial(_lines, _dot_alone),
    "short": partial(_lines, _short_line),
    "text": _text,
}
NAMES = tuple(_MAKERS)
"""The names that ``build()`` knows."""
