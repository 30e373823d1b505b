"""Readers of the dot-terminated texts of a server's answers, from a file object.

None of them reads more than requested, except ``DirectReader``, which can lose unrequested octets
that arrive with the end of a text.
"""

from __future__ import annotations

from collections.abc import Callable
from io import SEEK_CUR, BufferedReader, BytesIO
from typing import BinaryIO, Protocol, cast

from ..engine.wire import BodyReader, ReceiveBuffer
from .errors import BrokenConnectionError

__all__ = ["BUFFER", "CRLF", "SAMPLE", "DirectReader", "LineReader", "SteppingReader", "TextReader"]

# This takes a quarter of the system calls that io's own default would take. With twice as much,
# copies of the buffer are so large that their memory comes from the operating system and goes back
# to it each time.
BUFFER = 32 * 1024
# How much is read at a time without a file object in between.
_CHUNK = 64 * 1024
# How much of the data after an answer is examined: more than any number of blank lines that a
# server sends by mistake.
SAMPLE = 64
CRLF = b"\r\n"


class TextReader(Protocol):
    """Reads the lines of a dot-terminated text."""

    octets: int
    """The octets of content so far, with line ends, without the dots of dot-stuffing."""
    surplus: bytes | None
    """A sample of the data after the end, if it is known."""
    lost: bool
    """True if the sample was removed from the place where other code would find it."""

    def read(self) -> list[bytes]:
        """Return the next lines without their ends, or ``[]`` at the end of the text."""
        ...


class LineReader:
    """Reads many lines at a time with the engine's ``BodyReader``.

    ``shown`` is the part of the file's buffer that was seen before, if known: a status line, which
    has been read since then, and ``left`` octets of the text.
    """

    def __init__(self, file: BinaryIO, newline: bytes, shown: bytes = b"", left: int = 0) -> None:
        self._file = file
        self._buffer = ReceiveBuffer()
        self._buffer.newline = newline
        self._buffer.data = shown
        self._buffer.start = len(shown) - left
        self._body = BodyReader(self._buffer).begin()
        # How many octets of the buffer the file still holds as well.
        self._held = left
        # The beginning of a line whose end has not arrived yet.
        self._partial: list[bytes] = []
        self.octets: int = 0
        self.surplus: bytes | None = None
        self.lost = False

    @staticmethod
    def suits(file: object) -> bool:
        """Return True if ``file`` can show its buffer, or take back surplus octets."""
        return isinstance(file, (BufferedReader, BytesIO))

    def read(self) -> list[bytes]:
        """Return the next lines; raise ``BrokenConnectionError`` at the end of the stream."""
        body, partial = self._body, self._partial
        while not body.complete:
            data = self._next_octets()
            # Splitting first and joining afterwards copies only one line.
            lines = _split(data)
            # A line is put together once, however long it is.
            partial.append(lines[0])
            if len(lines) == 1:
                continue
            lines[0] = b"".join(partial)
            if data.startswith(b"\n"):
                # If lines end with LF, the CR may have arrived before.
                lines[0] = lines[0].removesuffix(b"\r")
            partial[:] = [lines.pop()]
            return lines
        return []

    def _next_octets(self) -> bytes:
        """Return the available part of the text, which can be empty even before its end."""
        buffer, body = self._buffer, self._body
        if not self._held:
            data = self._receive()
            if not data:
                raise BrokenConnectionError("-ERR EOF")
            buffer.feed(data)
        octets = body.read()
        if not body.complete:
            octets = b"".join([octets, *iter(body.read, b"")])
        self.octets = body.octets
        after = 0
        if body.complete:
            after = len(buffer.data) - buffer.start
            self.surplus = buffer.data[buffer.start :].lstrip(CRLF)[:SAMPLE]
        if self._held:
            self._consume(self._held, after)
            self._held = 0
        return octets

    def _receive(self) -> bytes:
        """Return the next octets, or ``b""`` at the end of the stream."""
        file = self._file
        data = file.peek(1) if isinstance(file, BufferedReader) else file.read(BUFFER)
        self._held = len(data)
        return data

    def _consume(self, held: int, after: int) -> None:
        """Remove the text from the file's buffer, but not the octets ``after`` it."""
        file = self._file
        if isinstance(file, BufferedReader):
            file.read(held - after)
        else:
            file.seek(-after, SEEK_CUR)


class DirectReader(LineReader):
    """Reads the rest straight from the socket, bypassing the file.

    That saves two copies, and half of the system calls. Octets that come with the end of the text
    and do not belong to it are lost, except for ``surplus``.
    """

    def _receive(self) -> bytes:
        self.lost = True
        # A non-blocking socket returns None. poplib treats that as the end, too.
        return cast(BufferedReader, self._file).raw.read(_CHUNK) or b""


class SteppingReader:
    """Reads one line at a time, as poplib does, for an overridden ``_getline`` or debug output."""

    def __init__(self, getline: Callable[[], tuple[bytes, int]], at_once: int) -> None:
        self._getline = getline
        self._at_once = at_once
        self._complete = False
        self.octets: int = 0
        self.surplus: bytes | None = None
        self.lost = False

    def read(self) -> list[bytes]:
        """Return the next lines; raise the exceptions of ``getline``."""
        lines: list[bytes] = []
        getline, at_once, total = self._getline, self._at_once, self.octets
        while len(lines) < at_once and not self._complete:
            line, octets = getline()
            if line[:1] == b".":
                if line == b".":
                    self._complete = True
                    break
                if line[1:2] == b".":
                    # RFC 1939 section 3: the first dot was put there by the server.
                    line, octets = line[1:], octets - 1
            total += octets
            lines.append(line)
        self.octets = total
        return lines


def _split(data: bytes) -> list[bytes]:
    """Return the lines of ``data``, and what follows the last line end; a bare LF is one too.

    For the engine, a bare LF neither ends a body nor begins a line with a stuffed dot. But poplib's
    callers join lines as they like, and rely on the absence of LF within one.
    """
    lines = data.split(CRLF)
    # This is the quickest way to look into all of them.
    if b"\n" not in b"".join(lines):
        return lines
    *lines, rest = data.split(b"\n")
    return [*(line.removesuffix(b"\r") for line in lines), rest]
