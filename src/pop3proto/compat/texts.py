"""Readers of the dot-terminated texts of a server's answers, from a file object.

None of them reads more than it is asked for, except ``DirectReader``, which can lose what comes
with the end of a text although nothing asked for it.
"""

from __future__ import annotations

from collections.abc import Callable
from io import SEEK_CUR, BufferedReader, BytesIO
from typing import BinaryIO, Protocol, cast

from ..engine.wire import BodyReader, ReceiveBuffer
from .errors import BrokenConnectionError

__all__ = ["BUFFER", "CRLF", "SAMPLE", "DirectReader", "LineReader", "SteppingReader", "TextReader"]

# A quarter of the system calls that io's own default would take. With twice as much, the copies of
# it are so large that the operating system gets and has to give their memory each time.
BUFFER = 32 * 1024
# How much is taken at a time where no file object is between.
_CHUNK = 64 * 1024
# How much of what waits after an answer is looked at: more than any number of blank lines that
# a server leaves there by mistake.
SAMPLE = 64
CRLF = b"\r\n"


class TextReader(Protocol):
    """Reads the lines of a dot-terminated text."""

    octets: int
    """Octets of content so far, line ends included, the dots of dot-stuffing not."""
    surplus: bytes | None
    """A sample of what waits after the end, where that is known."""
    lost: bool
    """Whether that was taken from where others would find it."""

    def read(self) -> list[bytes]:
        """Return the next lines without their ends, or ``[]`` at the end of the text."""
        ...


class LineReader:
    """Reads many lines at a time with the engine's ``BodyReader``.

    ``shown`` is what the file has shown of its buffer, if that is known: a status line, which was
    read since, and ``left`` octets of the text.
    """

    def __init__(self, file: BinaryIO, newline: bytes, shown: bytes = b"", left: int = 0) -> None:
        self._file = file
        self._buffer = ReceiveBuffer()
        self._buffer.newline = newline
        self._buffer.data = shown
        self._buffer.start = len(shown) - left
        self._body = BodyReader(self._buffer).begin()
        # How many octets are in the buffer that the file still holds as well.
        self._held = left
        # The beginning of a line, whose end has not come yet.
        self._partial: list[bytes] = []
        self.octets = 0
        self.surplus: bytes | None = None
        self.lost = False

    @staticmethod
    def suits(file: object) -> bool:
        """Return whether ``file`` can show what it holds, or take back what was too much."""
        return isinstance(file, (BufferedReader, BytesIO))

    def read(self) -> list[bytes]:
        """Return the next lines; raise ``BrokenConnectionError`` at the end of the stream."""
        body, partial = self._body, self._partial
        while not body.complete:
            data = self._next_octets()
            # To split first and to join afterwards copies one line alone.
            lines = _split(data)
            # However long a line is, it is put together once.
            partial.append(lines[0])
            if len(lines) == 1:
                continue
            lines[0] = b"".join(partial)
            if data.startswith(b"\n"):
                # Where lines end with LF, its CR may have come before.
                lines[0] = lines[0].removesuffix(b"\r")
            partial[:] = [lines.pop()]
            return lines
        return []

    def _next_octets(self) -> bytes:
        """Return what there is of the text now, which can be nothing even before its end."""
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
        """Take from the file what it holds of the text, but not the octets ``after`` it."""
        file = self._file
        if isinstance(file, BufferedReader):
            file.read(held - after)
        else:
            file.seek(-after, SEEK_CUR)


class DirectReader(LineReader):
    """Reads what the file does not hold yet straight from the socket, not by way of the file.

    That saves two copies, and half of the system calls. Octets that come with the end of the text
    and do not belong to it are lost, except for ``surplus``.
    """

    def _receive(self) -> bytes:
        self.lost = True
        # A socket that does not block returns None. With poplib, too, that is the end.
        return cast(BufferedReader, self._file).raw.read(_CHUNK) or b""


class SteppingReader:
    """Reads a line at a time, as poplib does: for an overridden ``_getline``, and to show each."""

    def __init__(self, getline: Callable[[], tuple[bytes, int]], at_once: int) -> None:
        self._getline = getline
        self._at_once = at_once
        self._complete = False
        self.octets = 0
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

    The engine ends no body by a bare LF and takes no dot away after one; but poplib's callers join
    lines as they need them, and rely on it that there is no LF within one.
    """
    lines = data.split(CRLF)
    # No other way to look into all of them is as quick.
    if b"\n" not in b"".join(lines):
        return lines
    *lines, rest = data.split(b"\n")
    return [*(line.removesuffix(b"\r") for line in lines), rest]
