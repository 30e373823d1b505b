"""Octets to lines and dot-terminated bodies, and back: the hot path.

Everything here is linear in the octets that pass, however they are cut into chunks, and holds no
more than a chunk and the line in progress.
"""

from __future__ import annotations

from .errors import LimitExceeded, LocalProtocolError

__all__ = ["BodyReader", "BodyWriter", "ReceiveBuffer"]

# How far behind a full stop a line that begins with a dot is looked for before the search goes
# back to memchr. Mail in base64 has hardly a full stop, so most of it is only ever seen by
# memchr; prose has one every few dozen octets, so that the next window covers many at once.
_WINDOW = 4096


class ReceiveBuffer:
    """What was received and not yet consumed, and the cutting of lines from it."""

    __slots__ = ("_pending", "_scanned", "data", "eof", "newline", "start")

    def __init__(self) -> None:
        self.data = b""
        self.start = 0
        """Where in ``data`` the octets begin that are not consumed yet."""
        self.newline = b"\r\n"
        """How the line returned last was ended."""
        self.eof = False
        self._scanned = 0
        self._pending: list[bytes] = []

    def __len__(self) -> int:
        """How many octets are waiting."""
        return len(self.data) - self.start + sum(map(len, self._pending))

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next octets; none at all is the end of the stream."""
        if self.eof and data:
            raise LocalProtocolError("data was received behind the end of the stream")
        if not data:
            self.eof = True
        elif self.start == len(self.data) and not self._pending:
            # bytes() of bytes is the object itself: this is where nothing gets copied.
            self.data = bytes(data)
            self.start = self._scanned = 0
        else:
            self._pending.append(bytes(data))

    def merge(self) -> bool:
        """Join what came later to what is unconsumed; whether there was anything.

        Chunks wait in a list until they are needed, because adding each of them to one string as
        it comes would take time in the square of their number.
        """
        if not self._pending:
            return False
        self._pending.insert(0, self.data[self.start :])
        self._scanned = max(self._scanned - self.start, 0)
        self.data = b"".join(self._pending)
        self.start = 0
        self._pending.clear()
        return True

    def next_line(self, limit: int, limit_name: str, newline: bytes = b"\n") -> bytes | None:
        """The next line without its end, or ``None`` if it is not there yet.

        Raises ``LimitExceeded`` as soon as a line is known to be longer than ``limit`` octets.
        """
        while True:
            found = self.data.find(newline, max(self._scanned, self.start))
            if found >= 0:
                break
            if len(self.data) - self.start >= limit:
                raise _too_long(limit, limit_name)
            # The last octet is looked at again: it can be the CR of a CRLF.
            self._scanned = max(len(self.data) - 1, self.start)
            if not self.merge():
                return None
        start, end = self.start, found + len(newline)
        if end - start > limit:
            raise _too_long(limit, limit_name)
        self.start = end
        if newline == b"\n" and found > start and self.data[found - 1] == 13:
            found -= 1
        self.newline = self.data[found:end]
        return self.data[start:found]

    def give_back_newline(self) -> None:
        """Make the end of the line returned last the first of the octets that are waiting."""
        width = len(self.newline)
        if self.start >= width:
            self.start -= width
        else:
            # Its chunk has been replaced by a later one.
            self.data = self.newline + self.data[self.start :]
            self.start = self._scanned = 0

    def discard_line(self, newline: bytes = b"\n") -> bool:
        """Drop what is there of the line in progress; whether its end was among it."""
        self.merge()
        found = self.data.find(newline, self.start)
        if found >= 0:
            self.start = found + len(newline)
            return True
        # A CR at the end stays: it can be the first half of the line end.
        keep = 1 if len(newline) == 2 and self.data.endswith(b"\r") else 0
        self.start = max(self.start, len(self.data) - keep)
        return False


def _too_long(limit: int, name: str) -> LimitExceeded:
    return LimitExceeded(f"a line is longer than {limit} octets", limit=name, value=limit)


class BodyReader:
    """Takes a dot-terminated body out of a buffer, chunk by chunk (RFC 1939 section 3).

    Only a line end of the kind that ended the status line counts. Behind a CRLF status line that
    is CRLF alone, so that a sender cannot end a body with a bare LF, a dot and another LF; behind
    an LF one it is LF, with or without a CR, which is safe because a server that writes such
    lines doubles the dot at the start of every one of them.
    """

    __slots__ = ("_buffer", "_opening", "_skip", "complete", "newline", "octets", "unstuffed")

    def __init__(self, buffer: ReceiveBuffer) -> None:
        self._buffer = buffer
        self.newline = buffer.newline
        """What ends a line of this body."""
        self._opening = buffer.newline + b"."
        # The status line's own end opens the search, so that a dot in the first line is found
        # like any other: give it back to the buffer, and leave it out of the first chunk.
        self._skip = len(buffer.newline)
        buffer.give_back_newline()
        self.complete = False
        """Whether the terminator was consumed."""
        self.octets = 0
        """How many octets of content were handed out."""
        self.unstuffed = 0
        """How many lines began with a single dot (they are content, as they came)."""

    def read(self) -> bytes:
        """The next octets of the content; none if more input is needed or ``complete`` is set."""
        if self.complete:
            return b""
        while True:
            chunk = self._next_chunk()
            if chunk or self.complete or not self._buffer.merge():
                self.octets += len(chunk)
                return chunk

    def _next_chunk(self) -> bytes:
        buffer, opening = self._buffer, self._opening
        data, start = buffer.data, buffer.start
        width = len(opening)
        position = start
        end = resume = len(data)
        stuffed = False
        while True:
            dot = data.find(b".", position)
            if dot < 0:
                end = resume = len(data) - self._held_back()
                break
            window = dot + _WINDOW
            found = data.find(opening, max(dot + 1 - width, start), window)
            if found < 0:
                position = window
                continue
            position = found + width
            after = data[position : position + 2]
            if after == b"\r\n" or after.startswith(self.newline):
                self.complete = True
                end = position - 1
                resume = position + (1 if after[0] == 10 else 2)
                break
            if after in (b"", b"\r"):
                end = resume = found
                break
            if after.startswith(b"."):
                stuffed = True
                position += 1
            else:
                self.unstuffed += 1
        buffer.start = resume
        skip = self._skip
        if end - start < skip:
            return b""
        self._skip = 0
        if stuffed:
            return _unstuffed(data[start:end], opening)[skip:]
        return data[start + skip : end]

    def _held_back(self) -> int:
        """How many octets at the end of the buffer can be the beginning of a terminator."""
        data = self._buffer.data
        available = len(data) - self._buffer.start
        width = len(self.newline)
        if available >= width and data.endswith(self.newline):
            return width
        return 1 if width == 2 and available and data.endswith(b"\r") else 0


def _unstuffed(chunk: bytes, opening: bytes) -> bytes:
    return chunk.replace(opening + b".", opening)


class BodyWriter:
    """Turns octets into the lines of a dot-terminated body, chunk by chunk.

    Every line end becomes CRLF: a bare LF gets its CR, and a last line without an end gets one
    (RFC 1939 section 3 knows no other line). A bare CR stays what it is.
    """

    __slots__ = ("_at_line_start", "_held_cr")

    def __init__(self) -> None:
        self._at_line_start = True
        self._held_cr = False

    def write(self, data: bytes) -> bytes:
        """The wire form of the next octets of the content."""
        if self._held_cr:
            data = b"\r" + data
        # Whether a CR at the end is bare or the first half of a CRLF shows in the next chunk.
        self._held_cr = data.endswith(b"\r")
        if self._held_cr:
            data = data[:-1]
        if not data:
            return b""
        if data.count(b"\n") != data.count(b"\r\n"):
            data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        stuffed = data.replace(b"\r\n.", b"\r\n..")
        if self._at_line_start and data.startswith(b"."):
            stuffed = b"." + stuffed
        self._at_line_start = data.endswith(b"\r\n")
        return stuffed

    def finish(self) -> bytes:
        """What ends the body: a line end if one is missing, and the terminator."""
        if self._held_cr:
            return b"\r\r\n.\r\n"
        return b".\r\n" if self._at_line_start else b"\r\n.\r\n"
