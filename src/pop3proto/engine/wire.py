"""Octets to lines and dot-terminated bodies, and back: the hot path.

Everything here is linear in the octets that pass, however they are cut into chunks, and holds no
more than a chunk and the line in progress.
"""

from __future__ import annotations

from ..errors import LimitError, LocalProtocolError

# How far behind a full stop a line that begins with a dot is looked for before the search goes
# back to memchr. Mail in base64 has hardly a full stop, so most of it is only ever seen by
# memchr; prose has one every few dozen octets, so that the next window covers many at once. What
# a window reaches into behind the end of a small message is searched in vain.
_WINDOW = 4096
# Where lines are stuffed, the first block that is undone at once, and the largest. It grows, so
# that a small message does not pay for a search through all that comes behind it.
_FIRST_BLOCK = 4 * 1024
_LAST_BLOCK = 64 * 1024
# Octets a line below which lines count as short.
_DENSE = 16
_CR = 0x0D


class ReceiveBuffer:
    """What was received and not yet consumed, and the cutting of lines from it."""

    __slots__ = ("_looked_at", "_octets", "_scanned", "data", "eof", "newline", "pending", "start")

    def __init__(self) -> None:
        self.data: bytes = b""
        self.start: int = 0
        """Where in ``data`` the octets begin that are not consumed yet."""
        self.newline: bytes = b"\r\n"
        """How the line returned last was ended."""
        self.eof: bool = False
        self._scanned = 0
        self.pending: list[bytes] = []
        """What came later than ``data``."""
        # How many chunks of it hold no line end, and how many octets these are.
        self._looked_at = self._octets = 0

    def __len__(self) -> int:
        """How many octets are waiting."""
        return len(self.data) - self.start + sum(map(len, self.pending))

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next octets; none at all is the end of the stream."""
        if self.eof and data:
            raise LocalProtocolError("data was received behind the end of the stream")
        # A whole chunk is kept as it is, and handed on as it is: this is where nothing gets
        # copied, unless the caller will write into it again.
        octets = data if type(data) is bytes else bytes(data)
        if not octets:
            self.eof = True
        elif self.start == len(self.data) and not self.pending:
            self.data = octets
            self.start = self._scanned = 0
        else:
            self.pending.append(octets)

    def merge(self) -> bool:
        """Join what came later to what is unconsumed; whether there was anything.

        Chunks wait in a list until they are needed, because adding each of them to one string as
        it comes would take time in the square of their number.
        """
        if not self.pending:
            return False
        self.pending.insert(0, self.data[self.start :])
        self._scanned = max(self._scanned - self.start, 0)
        self.data = b"".join(self.pending)
        self.start = self._looked_at = self._octets = 0
        self.pending.clear()
        return True

    def rest(self) -> bytes:
        """What is waiting, in one piece."""
        self.merge()
        return self.data[self.start :]

    def next_line(self, limit: int, limit_name: str, newline: bytes = b"\n") -> bytes | None:
        """The next line without its end, or ``None`` if it is not there yet.

        Raises ``LimitError`` as soon as a line is known to be longer than ``limit`` octets.
        """
        data, start = self.data, self.start
        found = data.find(newline, self._scanned if self._scanned > start else start)
        while found < 0:
            if len(data) - start >= limit:
                raise _too_long(limit, limit_name)
            # The last octet is looked at again: it can be the CR of a CRLF.
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
        """Whether what came later ends a line, or has the ``left`` octets that may still come.

        A long line whose chunks were joined one by one would be copied again for each.
        """
        for chunk in self.pending[self._looked_at :]:
            self._looked_at += 1
            self._octets += len(chunk)
            if chunk.find(b"\n") >= 0:
                return True
        return 0 < left <= self._octets

    def give_back_newline(self) -> None:
        """Make the end of the line returned last the first of the octets that are waiting.

        For when its chunk has been replaced by a later one.
        """
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


def _too_long(limit: int, name: str) -> LimitError:
    return LimitError(f"a line is longer than {limit} octets", limit=name, value=limit)


class BodyReader:
    """Takes a dot-terminated body out of a buffer, chunk by chunk (RFC 1939 section 3).

    Only a line end of the kind that ended the status line counts. Behind a CRLF status line that
    is CRLF alone, so that a sender cannot end a body with a bare LF, a dot and another LF; behind
    an LF one it is LF, with or without a CR, which is safe because a server that writes such
    lines doubles the dot at the start of every one of them.
    """

    # Slots are quicker to set than an object is to make: one reader serves body after body.
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
        """What ends a line of this body."""

    def begin(self) -> BodyReader:
        """Start on the body behind the line that the buffer returned last."""
        buffer = self._buffer
        newline = buffer.newline
        if newline is not self.newline:
            self.newline, self._opening = newline, newline + b"."
        self.complete: bool = False
        """Whether the terminator was consumed."""
        self.octets: int = 0
        self.unstuffed: int = 0
        self._block = 0
        """How many octets of content were handed out; how many lines of it began with a single
        dot, and are content as they came; and how many octets are searched at once for stuffed
        lines, 0 where none is expected."""
        # The status line's own end opens the search, so that a dot in the first line is found
        # like any other: give it back to the buffer, and leave it out of the first chunk.
        self._skip = skip = len(newline)
        if buffer.start >= skip:
            buffer.start -= skip
        else:
            buffer.give_back_newline()
        return self

    def read(self) -> bytes:
        """The next octets of the content; none if more input is needed or ``complete`` is set.

        Full stops are found at the speed of memchr. In base64 the first one is nearly always the
        one that ends the body, which takes few steps: small messages have little else to pay for.
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
        """Where the next line opens with a dot, behind a full stop that is none; -1 if nowhere.

        A window behind the full stop is searched before the next one is looked for: in prose one
        window takes care of many.
        """
        opening = self._opening
        while True:
            end = dot + _WINDOW
            # From the right, because that search is several times as fast. It finds the last of
            # the window where the first is wanted; but nearly always there is none.
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
        """Content up to a line that opens with a dot and is not the usual terminator."""
        after = found + len(self._opening)
        ending = _ending(data, after, self.newline)
        if ending > 0:
            self.complete = True
            return self._take(start, after - 1, after + ending)
        if ending < 0:
            self._block, self._dense = _FIRST_BLOCK, False
            return self._take(start, found, found) or self._read_block()
        return self._take(start, found, found)

    def _take(self, start: int, end: int, resume: int) -> bytes:
        """Hand out what lies between, and go on at ``resume``."""
        start += self._skip
        if end < start:
            return b""
        self._skip = 0
        self._buffer.start = resume
        return self._buffer.data[start:end]

    def _read_block(self) -> bytes:
        """Content where lines open with a dot, undone many at a time.

        Between two openings of lines (CRLF dot) stands the rest of a line. If each of these rests
        begins with the second dot, no line is unstuffed and none is the terminator, and joining
        them by CRLF alone takes one dot from every line.
        """
        start, opening = self._buffer.start, self._opening
        block = self._buffer.data[start : start + self._block]
        end = len(block) - _held_back(block, 0, opening + b"\r")
        if self._dense:
            # Many short lines: a list of them would cost more than to look at them twice.
            return self._read_mixed(block, end)
        # From the right, as above, though the list is in the order of the lines all the same.
        head, *rests = block[:end].rsplit(opening)
        if not rests:
            self._block = 0
            return self._emit(head, start + end)
        if min(rests)[:1] == b"." == max(rests)[:1]:
            self._block = min(2 * self._block, _LAST_BLOCK)
            self._dense = end < _DENSE * len(rests)
            return self._emit(self.newline.join([head, *rests]), start + end)
        return self._read_mixed(block, end)

    def _read_mixed(self, block: bytes, end: int) -> bytes:
        """As much of ``block`` as is content, however its lines open; at most ``end`` octets."""
        start, opening = self._buffer.start, self._opening
        resume = start + end
        # RFC 1939 section 3 has one terminator; behind LF it can be one with CR as well.
        for ending in (b"\n", b"\r\n") if len(opening) == 2 else (b"\r\n",):
            terminator, limit = opening + ending, end + len(ending)
            if block.rfind(terminator, 0, limit) >= 0:
                found = block.find(terminator, 0, limit)
                self.complete = True
                end = found + len(self.newline)
                resume = start + found + len(opening) + len(ending)
        block = block[:end]
        content = block.replace(opening + b".", opening)
        openings = block.count(opening)
        self.unstuffed += openings - (end - len(content))
        self._dense = end < _DENSE * openings
        self._block = min(2 * self._block, _LAST_BLOCK) if openings else 0
        return self._emit(content, resume)

    def _emit(self, content: bytes, resume: int) -> bytes:
        """Hand out ``content``, which stands before ``resume`` in the buffer."""
        if not content:
            return b""
        self._buffer.start = resume
        skip, self._skip = self._skip, 0
        return content[skip:]


def _ending(data: bytes, position: int, newline: bytes) -> int:
    """What follows the dot that opens a line, at ``position``, if that is not CRLF.

    The octets of the line end if the line is the terminator, 0 if that is not decided yet, and -1
    if there is more to the line.
    """
    after = data[position : position + 2]
    if after.startswith(newline):
        return 1
    return 0 if after in (b"", b"\r") else -1


def _held_back(data: bytes, start: int, pattern: bytes) -> int:
    """How many octets at the end of ``data``, from ``start`` on, can be the start of ``pattern``.

    The whole of it counts too.
    """
    for size in range(min(len(pattern), len(data) - start), 0, -1):
        if data.endswith(pattern[:size]):
            return size
    return 0
