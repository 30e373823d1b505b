"""Reading a server's lines and texts from a file object without ever losing step.

Nothing is read ahead of what is asked for but by the file object itself: a program that reads
from ``file`` on its own, or puts another one in its place, finds what it would find with poplib.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from io import SEEK_CUR, BufferedReader, BytesIO
from typing import BinaryIO, Protocol, Self

from .._wire import BodyReader, ReceiveBuffer
from ..errors import printable
from ._errors import BrokenConnection
from ._secrets import Shown

__all__ = ["Conversation", "LineReader", "MessageLines", "SteppingReader", "TextReader"]

_CHUNK = 64 * 1024
# How much of what waits behind an answer is looked at: more than any number of blank lines that
# a server leaves there by mistake.
_SAMPLE = 64
# The count of answers owed after somebody has read or written on his own: it never comes to 0.
_UNKNOWN = 2**62


class Conversation:
    """Where a session stands on the wire."""

    def __init__(self) -> None:
        self.shown = Shown()
        """What may be shown of the client's lines."""
        self.fault = ""
        """Why the connection cannot be used any more; empty if it can."""
        self.room = 0
        """How many octets a status line may have where that is more than ``_MAXLINE``."""
        self.form: bytes | None = None
        """How the lines of the text end that is being read; ``None`` before a status line."""
        self.newline = b"\r\n"
        """How the line read last was ended."""
        self.iterator: MessageLines | None = None
        """The text that ``retr_iter()`` has begun and not finished."""
        # The greeting is owed from the start. One that is below 0 has lost count.
        self._owed = 1
        self._surplus = b""
        self._behind_bare_lf = False

    def check(self) -> None:
        """Raise ``BrokenConnection`` if the connection cannot be used any more."""
        if self.fault:
            raise BrokenConnection(f"-ERR connection unusable after: {self.fault}")

    def fail(self, reason: str) -> None:
        """Give the connection up, unless that was done before."""
        self.fault = self.fault or reason
        self.iterator = None

    def failed(self, error: BaseException) -> None:
        """Give the connection up because of ``error``: nobody knows what was read or sent."""
        self.fail(str(error) or type(error).__name__)

    def sent(self, line: bytes) -> None:
        """Take note of a line, or of several, that is about to be sent."""
        self.form = None
        self._surplus = b""
        self._owed += 1 + line.count(b"\n")
        self.shown.sent(line)

    def read_line(self, file: BinaryIO, limit: int) -> bytes:
        """The next line with its end, of ``limit`` octets at most; nothing at the end.

        A limit below 0 is none.
        """
        self._surplus = b""
        # More than what is owed can only come from a peer; a file that was prepared holds all.
        raw = getattr(file, "raw", None)
        if not (isinstance(file, BufferedReader) and isinstance(raw, socket.SocketIO)):
            line = file.readline(limit)
        else:
            ahead = file.peek(1)
            end = ahead.find(b"\n") + 1
            if not end or 0 <= limit < end:
                line = file.readline(limit)
            else:
                line = file.read(end)
                self._surplus = ahead[end : end + _SAMPLE]
        self.newline = b"\r\n" if line.endswith(b"\r\n") else b"\n"
        return line

    def begin_text(self) -> bytes:
        """Take what comes next for the lines of a text; how they end."""
        if self.form is None:
            self.form = self.newline
        self._behind_bare_lf = False
        return self.form

    def body_line(self, line: bytes, octets: int) -> tuple[bytes, int]:
        """A line of a text in the form in which poplib's own callers undo dot-stuffing.

        Behind a CRLF status line a bare LF is content (see ``BodyReader``): what it puts at the
        start of a line is neither stuffed nor the end, and is made to look so.
        """
        behind, bare = self._behind_bare_lf, self.form == b"\r\n" and self.newline == b"\n"
        self._behind_bare_lf = bare
        if (behind and line.startswith(b".")) or (bare and line == b"."):
            return b"." + line, octets + 1
        return line, octets

    def answered(self, line: bytes) -> None:
        """Take note of a status line."""
        self._owed = self._owed - 1 if self._owed > 0 else _UNKNOWN
        self.shown.answered(line)

    def next_lines(self, text: TextReader) -> list[bytes]:
        """The next lines of ``text``; none at its end. Whatever goes wrong ends the connection."""
        try:
            lines = text.read()
        except BaseException as error:
            self.failed(error)
            raise
        if not lines:
            self._surplus = self._surplus if text.surplus is None else text.surplus
            self.settle()
        return lines

    def settle(self) -> None:
        """Give the connection up if more than the answer that was asked for has come.

        It is given up and not an error yet, because the answer itself is whole. Blank lines are
        forgiven, as servers are known to send them.
        """
        if self._owed == 0 and self._surplus.strip(b"\r\n"):
            sample = printable(self._surplus)
            self.fail(
                "the server sent what answers nothing (is it that it does not double dots at the "
                f"start of lines?): {sample}"
            )


class TextReader(Protocol):
    """Reads the lines of a dot-terminated text."""

    octets: int
    """Octets of content so far, line ends included, the dots of dot-stuffing not."""
    surplus: bytes | None
    """A sample of what waits behind the end, where that is known."""

    def read(self) -> list[bytes]:
        """The next lines without their ends; none at the end of the text."""
        ...


class LineReader:
    """Many lines at a time, by the engine's ``BodyReader``."""

    def __init__(self, file: BinaryIO, newline: bytes) -> None:
        self._file = file
        self._peek: Callable[[int], bytes] | None = getattr(file, "peek", None)
        self._buffer = ReceiveBuffer()
        self._buffer.newline = newline
        self._body = BodyReader(self._buffer).begin()
        self._partial: list[bytes] = []
        self.octets = 0
        self.surplus: bytes | None = None

    @staticmethod
    def suits(file: object) -> bool:
        """Whether ``file`` can show what it holds, or take back what was too much."""
        return isinstance(file, BufferedReader | BytesIO)

    def read(self) -> list[bytes]:
        """See ``TextReader``; raises ``BrokenConnection`` at the end of the stream."""
        while not self._body.complete:
            data = self._next_octets()
            end = data.rfind(b"\n") + 1
            # A line may be as long as it likes: it is put together once.
            self._partial.append(data[:end] if end else data)
            if end:
                lines = _split(b"".join(self._partial))
                self._partial = [data[end:]] if end < len(data) else []
                return lines
        return []

    def _next_octets(self) -> bytes:
        """What the file holds of the text, and not an octet of what is behind it."""
        file, buffer, body = self._file, self._buffer, self._body
        ahead = file.read(_CHUNK) if self._peek is None else self._peek(1)
        if not ahead:
            raise BrokenConnection("-ERR EOF")
        buffer.feed(ahead)
        octets = b"".join(iter(body.read, b""))
        self.octets = body.octets
        waiting = len(buffer) if body.complete else 0
        if self._peek is None:
            file.seek(-waiting, SEEK_CUR)
        else:
            file.read(len(ahead) - waiting)
        if body.complete:
            self.surplus = buffer.data[buffer.start : buffer.start + _SAMPLE]
        return octets


class SteppingReader:
    """One line at a time, as poplib reads: for an overridden ``_getline``, and to show each."""

    def __init__(self, getline: Callable[[], tuple[bytes, int]]) -> None:
        self._getline = getline
        self.octets = 0
        self.surplus: bytes | None = None

    def read(self) -> list[bytes]:
        """See ``TextReader``; raises what ``getline`` raises."""
        line, octets = self._getline()
        if line == b".":
            return []
        if line.startswith(b".."):
            # RFC 1939 section 3: the first dot was put there by the server.
            line, octets = line[1:], octets - 1
        self.octets += octets
        return [line]


class MessageLines:
    """The lines of a message as they come, without their ends: what ``retr_iter()`` returns.

    It can be left before its end: the next command, or ``close()``, skips what is left. Raises
    ``error_proto``, and what the socket raises, as it is iterated over.
    """

    def __init__(self, conversation: Conversation, text: TextReader, response: bytes) -> None:
        self.response = response
        """The status line."""
        self._conversation = conversation
        self._text = text
        self._lines: Iterator[bytes] = iter(())
        self._complete = False
        conversation.iterator = self

    @property
    def octets(self) -> int:
        """Octets read so far; at the end what ``retr()`` returns as its third item."""
        return self._text.octets

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        for line in self._lines:
            return line
        if self._complete:
            raise StopIteration
        self._lines = iter(self._more())
        return next(self._lines)

    def close(self) -> None:
        """Read on to the end of the message, keeping nothing."""
        self._lines = iter(())
        while not self._complete:
            self._more()

    def _more(self) -> list[bytes]:
        self._conversation.check()
        lines = self._conversation.next_lines(self._text)
        if not lines:
            self._complete = True
            self._conversation.iterator = None
        return lines


def _split(data: bytes) -> list[bytes]:
    """The lines of ``data``, which ends with a LF; a bare LF ends a line too.

    The engine ends no body by a bare LF and takes no dot away behind one; but poplib's callers
    join lines as they need them, and rely on it that there is no LF within one.
    """
    lines = data.splitlines()
    # That is twice as fast as split(), and right if each line end took two octets: was a CRLF.
    if len(b"".join(lines)) + 2 * len(lines) == len(data):
        return lines
    return [line.removesuffix(b"\r") for line in data.split(b"\n")[:-1]]
