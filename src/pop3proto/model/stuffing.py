"""Dot-stuffing for bodies that are sent (RFC 1939 section 3); ``engine/wire.py`` undoes it."""

from __future__ import annotations


class BodyWriter:
    """Turns octets into the lines of a dot-terminated body, chunk by chunk.

    Every line ends with CRLF, as RFC 1939 section 3 demands: a bare LF gets its CR, and the last
    line its end. A bare CR stays unchanged.
    """

    __slots__ = ("_at_line_start", "_held_cr")

    def __init__(self) -> None:
        self._at_line_start = True
        self._held_cr = False

    def write(self, data: bytes) -> bytes:
        """Return the wire form of the next octets of the content."""
        if self._held_cr:
            data = b"\r" + data
        # The next chunk shows if a CR at the end is bare, or the first half of a CRLF.
        self._held_cr = data.endswith(b"\r")
        if self._held_cr:
            data = data[:-1]
        if not data:
            return b""
        # Nearly always nothing is replaced, and searches from the right see that in half the time.
        if b"\n" in b"".join(data.rsplit(b"\r\n")):
            data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        stuffed = data.replace(b"\r\n.", b"\r\n..") if data.rfind(b"\r\n.") >= 0 else data
        if self._at_line_start and data.startswith(b"."):
            stuffed = b"." + stuffed
        self._at_line_start = data.endswith(b"\r\n")
        return stuffed

    def finish(self) -> bytes:
        """Return the end of the body: a line end if one is missing, and the terminator."""
        if self._held_cr:
            return b"\r\r\n.\r\n"
        return b".\r\n" if self._at_line_start else b"\r\n.\r\n"
