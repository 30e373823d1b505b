"""Reading a server's lines and texts from a file object without ever losing step.

Nothing is read ahead of what is asked for but by the file object itself: a program that reads
from ``file`` on its own, or puts another one in its place, finds what it would find with poplib.
The one exception is what comes with the end of a text although nothing else was asked for: it can
be lost, and the connection with it.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from io import SEEK_CUR, BufferedReader, BytesIO
from typing import BinaryIO, Protocol, cast

from ..engine.wire import BodyReader, ReceiveBuffer
from ..errors import printable
from .errors import BrokenConnectionError, LostConnectionError, ServerError
from .secrets import Shown

__all__ = [
    "Conversation",
    "LineReader",
    "SteppingReader",
    "TextReader",
    "pending",
    "reader",
]

# A quarter of the system calls that io's own default would take. With twice as much, the copies of
# it are so large that the operating system gets and has to give their memory each time.
_BUFFER = 32 * 1024
# How much is taken at a time where no file object is between.
_CHUNK = 64 * 1024
# How much of what waits behind an answer is looked at: more than any number of blank lines that
# a server leaves there by mistake.
_SAMPLE = 64
# The count of answers owed after somebody has read or written on his own: it never comes to 0.
_UNKNOWN = math.inf
_CRLF = b"\r\n"
_TERMINATORS = (b".\r\n", b".\n")
_TERMINATOR = len(b".\r\n")


def reader(sock: object) -> BinaryIO:
    """What is read from, for a socket or for what a program has in place of one."""
    if isinstance(sock, socket.socket):
        return cast(BinaryIO, sock.makefile("rb", _BUFFER))
    # It has to know no more than poplib asks of it.
    return cast(BinaryIO, cast(socket.socket, sock).makefile("rb"))


def pending(sock: socket.socket, file: BinaryIO) -> bool:
    """Whether there is anything to be read now, in the buffer or on the wire."""
    if not isinstance(file, BufferedReader):
        return False
    timeout = sock.gettimeout()
    sock.setblocking(False)
    try:
        return bool(file.peek(1))
    finally:
        sock.settimeout(timeout)


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
        self.newline = _CRLF
        """How the line read last was ended."""
        self.finish: Callable[[], None] | None = None
        """Reads to the end the text that ``retr_iter()`` has begun."""
        self.one_line = False
        """Whether the status line that is waited for is all of the answer."""
        self._error: type[BrokenConnectionError] = BrokenConnectionError
        # Whether nothing was sent so far.
        self._quiet = True
        # The status line that was read, and whether it was positive: then more can follow.
        self._status = b""
        self._positive = False
        # The greeting is owed from the start.
        self._owed: float = 1
        # More than what is owed can only come from a peer; a file that was prepared holds all.
        self._peer = False
        self._surplus = b""
        # What the file has shown of what it holds, and how much of it was not taken since.
        self._ahead = b""
        self._left = 0
        self._behind_bare_lf = False

    def check(self) -> None:
        """Raise ``BrokenConnectionError`` if the connection cannot be used any more."""
        if self.fault:
            raise self._error(f"-ERR connection unusable after: {self.fault}")

    def fail(self, reason: str) -> None:
        """Give the connection up, unless that was done before."""
        self.fault = self.fault or reason
        self.finish = None

    def failed(self, error: BaseException) -> None:
        """Give the connection up because of ``error``: nobody knows what was read or sent."""
        if isinstance(error, OSError):
            # With poplib, what is tried later on such a connection is an OSError too.
            self._error = LostConnectionError
        self.fail(str(error) or type(error).__name__)

    def interrupted(self, error: BaseException) -> None:
        """Take note of ``error``, raised as a status line was read.

        Overrides raise behind a line that was read. Nothing is lost if that was all of the answer.
        """
        if self.one_line and self._status:
            self.answered(self._status)
            self.settle()
        else:
            self.failed(error)

    def missed(self, error: BaseException) -> None:
        """Take note of ``error``, raised at a status line behind which more was to be read."""
        if self._positive:
            self.failed(error)

    def refusal(self, message: str) -> Exception:
        """The ``error_proto`` that says ``message``, and whether the connection is usable."""
        return self._error(message) if self.fault else ServerError(message)

    def ready(self) -> None:
        """Come to where a command may be sent, or raise ``BrokenConnectionError``."""
        if self.finish is not None:
            self.finish()
        if self._quiet:
            # Until now, who knows of a greeting of several lines could read them on his own.
            self._owed = 0 if self._owed == _UNKNOWN else self._owed
            self.settle()
        if self.fault:
            self.check()

    def expect_status(self) -> None:
        """Take what comes next for a status line."""
        self.form = None
        self._status = b""

    def sent(self, line: bytes) -> None:
        """Take note of a line, or of several, with their ends, that are about to be sent."""
        self.expect_status()
        self._surplus = b""
        self._quiet = False
        self._owed += line.count(b"\n")
        self.shown.sent(line)

    def status_line(self, file: BinaryIO, limit: int, *, debugging: bool) -> tuple[bytes, int]:
        """The next line, of at most ``limit`` octets, without its end, and how many it took."""
        self._surplus = b""
        try:
            line = self._read_line(file, limit + 1)
            if len(line) > limit:
                raise BrokenConnectionError("line too long")
            if debugging:
                print("*get*", repr(line))
            if not line.endswith(b"\n"):
                raise BrokenConnectionError("-ERR EOF")
        except BaseException as error:
            self.failed(error)
            raise
        if line.endswith(_CRLF):
            self.newline, status = _CRLF, line[:-2]
        else:
            # Some servers end their lines with LF CR.
            self.newline, status = b"\n", line[:-1].removeprefix(b"\r")
        self._status = status
        self._positive = status.startswith(b"+")
        return status, len(line)

    def _read_line(self, file: BinaryIO, limit: int) -> bytes:
        self._ahead, self._left = b"", 0
        raw = getattr(file, "raw", None)
        self._peer = isinstance(raw, socket.SocketIO)
        if not (self._peer and isinstance(file, BufferedReader)):
            return file.readline(limit)
        ahead = file.peek(1)
        end = ahead.find(b"\n") + 1
        if not 0 < end <= limit:
            return file.readline(limit)
        self._ahead, self._left = ahead, len(ahead) - end
        self._surplus = ahead[end : end + _SAMPLE]
        return file.read(end)

    def text_line(self, file: BinaryIO, *, debugging: bool) -> tuple[bytes, int]:
        """The next line of a text without its end, of any length, and how many octets it took.

        In the form in which poplib's own callers undo dot-stuffing. Behind a CRLF status line a
        bare LF is content (see ``BodyReader``): what it puts at the start of a line is neither
        stuffed nor the end, and is made to look so.
        """
        try:
            known = self._left >= _TERMINATOR
            line = file.readline(-1) if known else self._read_looking_ahead(file)
            if debugging:
                print("*get*", repr(line))
            if line[-1:] != b"\n":
                raise BrokenConnectionError("-ERR EOF")
        except BaseException as error:
            self.failed(error)
            raise
        octets, behind = len(line), self._behind_bare_lf
        self._left -= octets
        if line[-2:] == _CRLF:
            self.newline = _CRLF
            if not behind:
                return line[:-2], octets
            line = line[:-2]
            self._behind_bare_lf = bare = False
        else:
            self.newline = b"\n"
            line = line[:-1]
            self._behind_bare_lf = bare = self.form == _CRLF
        if (behind and line.startswith(b".")) or (bare and line == b"."):
            return b"." + line, octets + 1
        return line, octets

    def _read_looking_ahead(self, file: BinaryIO) -> bytes:
        """A line, after a look at what ``file`` holds: once for many lines.

        What waits behind the last line shall be known, and so that one has to be looked at whole.
        """
        if not isinstance(file, BufferedReader):
            return file.readline(-1)
        rest = self._ahead[len(self._ahead) - self._left :]
        begun = file.readline(len(rest))
        if begun.endswith(b"\n"):
            return begun
        self._ahead = begun + file.peek(1)
        self._left = len(self._ahead)
        return begun + file.readline(-1)

    def begin_text(self) -> bytes:
        """Take what comes next for the lines of a text; how they end."""
        if self.form is None:
            self.form = self.newline
        self._behind_bare_lf = False
        return self.form

    def answered(self, line: bytes) -> None:
        """Take note of a status line."""
        self._positive = line.startswith(b"+")
        if self._owed > 0:
            self._owed -= 1
        else:
            # Somebody has sent something on his own. The count is lost.
            self._owed = _UNKNOWN
        self.shown.answered(line)

    def whole_text(self, file: BinaryIO, newline: bytes) -> LineReader:
        """What reads the text behind the last status line, if nobody else reads until its end.

        Where nothing but this text is owed, nobody waits for what may come behind it.
        """
        shown, left, self._ahead, self._left = self._ahead, self._left, b"", 0
        # A class of somebody's own may do more than read.
        if shown and self._owed == 0 and type(file) is BufferedReader:
            return DirectReader(file, newline, shown, left)
        return LineReader(file, newline)

    def next_lines(self, text: TextReader) -> list[bytes]:
        """The next lines of ``text``; none at its end. Whatever goes wrong ends the connection."""
        try:
            lines = text.read()
        except BaseException as error:
            self.failed(error)
            raise
        if not lines:
            self._surplus = self._behind_text() if text.surplus is None else text.surplus
            if text.lost and self._owed and self._surplus:
                # Who sent it would wait for the answer in vain.
                self.fail("a command was sent while a text was read, and its answer came with it")
            self.settle()
        return lines

    def _behind_text(self) -> bytes:
        # Nothing, if somebody else has read from the file as well.
        ahead = self._ahead
        end = len(ahead) - self._left
        return ahead[end : end + _SAMPLE] if ahead.endswith(_TERMINATORS, 0, end) else b""

    def settle(self) -> None:
        """Give the connection up if more than the answer that was asked for has come.

        It is given up and not an error yet, because the answer itself is whole. Blank lines are
        forgiven, as servers are known to send them.
        """
        if self._owed == 0 and self._peer and self._surplus.strip(_CRLF):
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
    lost: bool
    """Whether that has been taken from where others would find it."""

    def read(self) -> list[bytes]:
        """The next lines without their ends; none at the end of the text."""
        ...


class LineReader:
    """Many lines at a time, by the engine's ``BodyReader``.

    ``shown`` is what the file has shown already of what it holds, if that is known: a status line,
    which was read since, and ``left`` octets of the text.
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
        """Whether ``file`` can show what it holds, or take back what was too much."""
        return isinstance(file, (BufferedReader, BytesIO))

    def read(self) -> list[bytes]:
        """See ``TextReader``; raises ``BrokenConnectionError`` at the end of the stream."""
        body, partial = self._body, self._partial
        while not body.complete:
            data = self._next_octets()
            # What is split first is put together afterwards, for that copies one line alone.
            lines = _split(data)
            # A line may be as long as it likes: it is put together once.
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
        """What there is of the text now. That can be nothing even before its end."""
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
        behind = 0
        if body.complete:
            behind = len(buffer.data) - buffer.start
            self.surplus = buffer.data[buffer.start :].lstrip(_CRLF)[:_SAMPLE]
        if self._held:
            self._consume(self._held, behind)
            self._held = 0
        return octets

    def _receive(self) -> bytes:
        """The next octets; none at the end of the stream."""
        file = self._file
        data = file.peek(1) if isinstance(file, BufferedReader) else file.read(_BUFFER)
        self._held = len(data)
        return data

    def _consume(self, held: int, behind: int) -> None:
        """Take from the file what it holds of the text, but not what is ``behind`` it."""
        file = self._file
        if isinstance(file, BufferedReader):
            file.read(held - behind)
        else:
            file.seek(-behind, SEEK_CUR)


class DirectReader(LineReader):
    """What the file does not hold yet is read straight from the socket, not by way of the file.

    That saves two copies, and half of the system calls. What comes with the end of the text and
    is not of it is lost, but for ``surplus``.
    """

    def _receive(self) -> bytes:
        self.lost = True
        # A socket that does not block says None. With poplib, too, that is the end.
        return cast(BufferedReader, self._file).raw.read(_CHUNK) or b""


class SteppingReader:
    """One line at a time, as poplib reads: for an overridden ``_getline``, and to show each."""

    def __init__(self, getline: Callable[[], tuple[bytes, int]], at_once: int) -> None:
        self._getline = getline
        self._at_once = at_once
        self._complete = False
        self.octets = 0
        self.surplus: bytes | None = None
        self.lost = False

    def read(self) -> list[bytes]:
        """See ``TextReader``; raises what ``getline`` raises."""
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
    """The lines of ``data``, and what is behind the last line end; a bare LF is one too.

    The engine ends no body by a bare LF and takes no dot away behind one; but poplib's callers
    join lines as they need them, and rely on it that there is no LF within one.
    """
    lines = data.split(_CRLF)
    # No other way to look into all of them is as quick.
    if b"\n" not in b"".join(lines):
        return lines
    *lines, rest = data.split(b"\n")
    return [*(line.removesuffix(b"\r") for line in lines), rest]
