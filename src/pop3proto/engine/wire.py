"""The hot path: octets to lines, and to dot-terminated bodies with dot-stuffing undone.

It is linear in the octets, however they are cut, and holds no more than a chunk and a line.
"""

from __future__ import annotations

from .._arguments import as_bytes
from ..errors import LimitError, LocalProtocolError

# After a full stop, this many octets are searched for a line that begins with a dot; then memchr
# goes on. Mail in base64 has hardly any full stops, so memchr scans nearly all of it. Prose has
# one every few dozen octets, so a window covers many. If a small message ends within a window,
# the rest of the window is searched for nothing.
_WINDOW = 4096
# The sizes of the first and of the largest block whose stuffed lines are undone at once. Blocks
# grow, so that a small message does not pay for a search through everything after it.
_FIRST_BLOCK = 4 * 1024
_LAST_BLOCK = 64 * 1024
# Lines count as short if they have fewer octets than this on average.
_DENSE = 16
_CR = 0x0D


class ReceiveBuffer:
    """The octets that were received and are not consumed yet; lines are cut from them."""

    __slots__ = ("_looked_at", "_octets", "_scanned", "data", "eof", "newline", "pending", "start")

    def __init__(self) -> None:
        self.data: bytes = b""
        self.start: int = 0
        """Where the unconsumed octets begin in ``data``."""
        self.newline: bytes = b"\r\n"
        """The line end of the last line."""
        self.eof: bool = False
        self._scanned = 0
        self.pending: list[bytes] = []
        """Chunks that arrived after ``data``."""
        # How many of the pending chunks hold no line end, and their octets.
        self._looked_at = self._octets = 0

    def __len__(self) -> int:
        """How many octets are waiting."""
        return len(self.data) - self.start + sum(map(len, self.pending))

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next octets; an empty ``data`` is the end of the stream."""
        if self.eof and data:
            raise LocalProtocolError("data was received after the end of the stream")
        # A whole chunk is kept and handed on without a copy, unless the caller may write into it
        # again.
        octets = data if type(data) is bytes else as_bytes("data", data)
        if not octets:
            self.eof = True
        elif self.start == len(self.data) and not self.pending:
            self.data = octets
            self.start = self._scanned = 0
        else:
            self.pending.append(octets)

    def merge(self) -> bool:
        """Join the pending chunks to the unconsumed octets; return whether there were any."""
        # Appending each of them on arrival would take quadratic time.
        if not self.pending:
            return False
        self.pending.insert(0, self.data[self.start :])
        self._scanned = max(self._scanned - self.start, 0)
        self.data = b"".join(self.pending)
        self.start = self._looked_at = self._octets = 0
        self.pending.clear()
        return True

    def rest(self) -> bytes:
        """Return the unconsumed octets in one piece."""
        self.merge()
        return self.data[self.start :]

    def next_line(self, limit: int, limit_name: str, newline: bytes = b"\n") -> bytes | None:
        """Return the next line without its end, or ``None`` if it is not complete yet.

        Raises ``LimitError`` as soon as a line is known to be longer than ``limit`` octets.
        """
        data, start = self.data, self.start
        found = data.find(newline, self._scanned if self._scanned > start else start)
        while found < 0:
            if len(data) - start >= limit:
                raise _too_long(limit, limit_name)
            # The last octet is searched again, because it can be the CR of a CRLF.
            self._scanned = max(len(data) - 1, start)
            if not self._ends_line(limit - (len(data) - start)):
                return None
            self.merge()
            data, start = self.data, self.start
            found = data.find(newline, self._scanned)
        end = found + len(newline)
        if end - start > limit:
            raise _too_long(limit, limit_name)
        self.start = end
        if newline == b"\n" and found > start and data[found - 1] == _CR:
            found -= 1
            self.newline = b"\r\n"
        else:
            self.newline = newline
        return data[start:found]

    def _ends_line(self, left: int) -> bool:
        """Return whether pending chunks end a line, or hold the ``left`` octets that may come."""
        # Joining the chunks of a long line one by one would copy the line again for each of them.
        for chunk in self.pending[self._looked_at :]:
            self._looked_at += 1
            self._octets += len(chunk)
            if chunk.find(b"\n") >= 0:
                return True
        return left <= self._octets

    def give_back_newline(self) -> None:
        """Put the end of the last line back, if its chunk has been replaced by a later one."""
        self.data = self.newline + self.data[self.start :]
        self.start = self._scanned = 0

    def discard_line(self, newline: bytes) -> bool:
        """Drop what there is of the line in progress; return whether that includes its end."""
        self.merge()
        found = self.data.find(newline, self.start)
        if found >= 0:
            self.start = found + len(newline)
            return True
        # The last octet stays, because it can be the CR of a CRLF.
        self.start = max(self.start, len(self.data) - 1)
        return False


def _too_long(limit: int, name: str) -> LimitError:
    return LimitError(f"a line is longer than {limit} octets", limit=name, value=limit)


class BodyReader:
    """Takes a dot-terminated body out of a buffer, chunk by chunk (RFC 1939 section 3), and undoes
    its dot-stuffing.

    The line end of the status line decides which line ends count. After a status line with CRLF,
    only CRLF does, so that the sender of a message cannot end its body with a bare LF, a dot and
    another LF. After a status line with LF, LF counts, with or without a CR before it. That is
    safe, because a server that writes such lines doubles the dot at the start of each of them.
    """

    # One reader is used for body after body, because setting slots is faster than making an object.
    __slots__ = (
        "_block",
        "_buffer",
        "_dense",
        "_opening",
        "_skip",
        "complete",
        "newline",
        "octets",
        "unstuffed",
    )

    def __init__(self, buffer: ReceiveBuffer) -> None:
        self._buffer = buffer
        self.newline: bytes = b""
        """The line end of this body."""

    def begin(self) -> BodyReader:
        """Start reading the body that follows the last line of the buffer."""
        buffer = self._buffer
        newline = buffer.newline
        if newline is not self.newline:
            self.newline, self._opening = newline, newline + b"."
        self.complete: bool = False
        """True if the terminator was consumed."""
        self.octets: int = 0
        """How many octets of content were returned."""
        self.unstuffed: int = 0
        """How many lines of it began with a single dot, and were returned unchanged."""
        # How many octets are searched for stuffed lines at once; 0 if none are expected.
        self._block = 0
        # The search begins at the end of the status line, so that a dot at the start of the first
        # line is found like any other: give that line end back to the buffer, and leave it out of
        # the first chunk.
        self._skip = skip = len(newline)
        if buffer.start >= skip:
            buffer.start -= skip
        else:
            buffer.give_back_newline()
        return self

    def read(self) -> bytes:
        """Return the next octets of the content; none if it is ``complete``, or needs more input.

        Full stops are found at the speed of memchr. In base64 the first one nearly always ends the
        body, which takes few steps; that is most of the cost of a small message.
        """
        buffer = self._buffer
        while not self.complete:
            data, start = buffer.data, buffer.start
            if start == len(data):
                chunk = b""
            elif self._block:
                chunk = self._read_block()
            else:
                opening = self._opening
                dot = data.find(b".", start)
                found = dot + 1 - len(opening)
                if dot >= 0 and (found < start or not data.startswith(opening, found)):
                    found = self._find_opening(data, dot)
                if found >= 0:
                    if data.startswith(b"\r\n", dot := found + len(opening)):
                        self.complete = True
                        buffer.start = dot + 2
                        chunk = data[start + self._skip : dot - 1]
                    else:
                        chunk = self._read_to(data, start, found)
                elif data[-1] not in self.newline:
                    chunk = data[start + self._skip :]
                    buffer.start, self._skip = len(data), 0
                else:
                    end = len(data) - _held_back(data, start, self.newline)
                    chunk = self._take(start, end, end)
            if chunk:
                self.octets += len(chunk)
                return chunk
            if buffer.start == start and not (buffer.pending and buffer.merge()):
                break
        return b""

    def _find_opening(self, data: bytes, dot: int) -> int:
        """Return the position of the next line that opens with a dot, or -1 if there is none."""
        opening = self._opening
        while True:
            end = dot + _WINDOW
            # From the right, because that search is several times as fast. It finds the last one in
            # the window, while the first one is wanted; but nearly always there is none.
            found = data.rfind(opening, dot, end)
            if found >= 0:
                if data.rfind(opening, dot, found) >= 0:
                    found = data.find(opening, dot, found)
                return found
            dot = data.find(b".", end)
            if dot < 0:
                return -1
            found = dot + 1 - len(opening)
            if data.startswith(opening, found):
                return found

    def _read_to(self, data: bytes, start: int, found: int) -> bytes:
        """Return content up to a line that opens with a dot, if the dot is not the whole line."""
        after = found + len(self._opening)
        following = data[after : after + 2]
        if following.startswith(self.newline):
            self.complete = True
            return self._take(start, after - 1, after + 1)
        content = self._take(start, found, found)
        if following in (b"", b"\r"):
            # More octets have to show if the line is the terminator.
            return content
        self._block, self._dense = _FIRST_BLOCK, False
        return content or self._read_block()

    def _take(self, start: int, end: int, resume: int) -> bytes:
        """Return the octets from ``start`` to ``end``, and go on at ``resume``."""
        start += self._skip
        if end < start:
            return b""
        self._skip, self._buffer.start = 0, resume
        return self._buffer.data[start:end]

    def _read_block(self) -> bytes:
        """Return content in which lines open with a dot, undoing the stuffing of many lines at
        once.

        Between two openings (CRLF dot) is the rest of a line. If each of these rests begins with
        the second dot, no line is unstuffed and none is the terminator, and joining them by CRLF
        alone takes one dot from every line.
        """
        start, opening = self._buffer.start, self._opening
        block = self._buffer.data[start : start + self._block]
        end = len(block) - _held_back(block, 0, opening + b"\r")
        if self._dense:
            # Many short lines: a list of them would cost more than looking at them twice.
            return self._read_mixed(block, end)
        # From the right, as above; the list is still in the order of the lines.
        rests = block[:end].rsplit(opening)
        # The head is not a rest, so a dot replaces it for now: a second list costs 5 % of the time.
        head, rests[0] = rests[0], b"."
        if min(rests)[:1] == b"." == max(rests)[:1]:
            rests[0] = head
            self._block = min(2 * self._block, _LAST_BLOCK) if len(rests) > 1 else 0
            self._dense = end < _DENSE * len(rests)
            # Undo dot-stuffing: the dot of the opening is removed, and its double stays.
            return self._emit(self.newline.join(rests), start + end)
        return self._read_mixed(block, end)

    def _read_mixed(self, block: bytes, end: int) -> bytes:
        """Return the content in ``block``, however its lines open; at most ``end`` octets of it."""
        start, opening = self._buffer.start, self._opening
        resume = start + end
        # RFC 1939 section 3 has one terminator; after LF it can be one with CR as well.
        for ending in (b"\n", b"\r\n") if len(opening) == 2 else (b"\r\n",):
            terminator, limit = opening + ending, end + len(ending)
            if block.rfind(terminator, 0, limit) >= 0:
                found = block.find(terminator)
                self.complete = True
                end = found + len(self.newline)
                resume = start + found + len(opening) + len(ending)
        block = block[:end]
        # Undo dot-stuffing where a dot is doubled; a single one stays.
        content = block.replace(opening + b".", opening)
        openings = block.count(opening)
        self.unstuffed += openings - (end - len(content))
        self._dense = end < _DENSE * openings
        self._block = min(2 * self._block, _LAST_BLOCK) if openings else 0
        return self._emit(content, resume)

    def _emit(self, content: bytes, resume: int) -> bytes:
        """Return ``content``, which ends at ``resume`` in the buffer."""
        if not content:
            return b""
        self._buffer.start = resume
        skip, self._skip = self._skip, 0
        return content[skip:]


def _held_back(data: bytes, start: int, pattern: bytes) -> int:
    """Return how many octets at the end of ``data[start:]`` are a start of ``pattern``, or all."""
    for size in range(min(len(pattern), len(data) - start), 0, -1):
        if data.endswith(pattern[:size]):
            return size
    return 0
