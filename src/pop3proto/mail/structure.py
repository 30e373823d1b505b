"""The parts of a message, found in one pass over it and without recursion."""

from __future__ import annotations

import re
from collections.abc import Container
from email.errors import (
    CloseBoundaryNotFoundDefect,
    FirstHeaderLineIsContinuationDefect,
    MessageDefect,
    MissingHeaderBodySeparatorDefect,
    NoBoundaryInMultipartDefect,
    StartBoundaryNotFoundDefect,
)
from email.message import EmailMessage
from typing import NamedTuple

from .._arguments import as_bytes
from .message import ReceivedMessage

# Dovecot has the same limit. A part takes hundreds of octets of memory, and as few as four of the
# message.
MAX_PARTS = 10_000
"""How many parts of a message are told apart. The last one holds all that follows."""

# The standard library writes a message by recursion, with four calls for each level. By default,
# Python allows 1,000 calls within each other, the caller's among them.
MAX_DEPTH = 50
"""How many multiparts and messages within each other are opened; further ones stay closed."""

_FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:[ \t]*+")
_BLANK_LINE = re.compile(rb"(?<=\n)\r?\n")
_ENCODED = frozenset({"base64", "quoted-printable"})


class LimitDefect(MessageDefect):
    """A part, or all that follows, is not parsed, because of ``MAX_DEPTH`` or ``MAX_PARTS``."""


class _Delimiter(NamedTuple):
    start: int
    """The end of the text before it; if there is no text, this is before the text's beginning."""
    end: int
    """The beginning of the line after it."""
    boundary: bytes
    closes: bool


class _Opened(NamedTuple):
    part: ReceivedMessage
    boundary: bytes | None
    """``None`` for a message within another one."""
    default_type: str
    """The type of a part that names none."""


def parse(data: bytes | bytearray | memoryview) -> EmailMessage:
    """Return ``data``, the octets of any message, as an ``email.message.EmailMessage`` for reading.

    No octets are refused: ``defects`` of the parts and of the fields list what is wrong. The
    methods that read take time in proportion to the length, and raise nothing, except that
    ``get_content()`` of a multipart raises ``KeyError``. ``email["Subject"]`` is the decoded text
    of a field, ``email["From"].addresses`` are the addresses in it, and
    ``email.get_body(("plain", "html"))`` is the part with the text.
    """
    return _Parser(as_bytes("data", data)).run()


class _Parser:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._opened: list[_Opened] = []
        self._levels: dict[bytes, int] = {}
        """The place in that list of the multipart with a boundary."""
        self._root = ReceivedMessage()
        self._parts = 1

    def run(self) -> ReceivedMessage:
        """Parse everything, and return the message."""
        part: ReceivedMessage | None = self._root
        position = 0
        while part is not None:
            position = _read_header(part, self._content, position, self._levels)
            within = self._open(part)
            if within is not None:
                part = within
                continue
            delimiter = self._delimiter(position)
            self._set_text(part, position, delimiter.start)
            while delimiter.closes:
                level = self._levels[delimiter.boundary]
                closed = self._opened[level].part
                self._close(level, complete=True)
                position, delimiter = delimiter.end, self._delimiter(delimiter.end)
                closed.epilogue = _text(self._content[position : delimiter.start])
            part, position = self._next(delimiter), delimiter.end
        self._close(0)
        return self._root

    def _open(self, part: ReceivedMessage) -> ReceivedMessage | None:
        """Expect the parts of a multipart; return the message within a message, if it is one."""
        kind, main = part.get_content_type(), part.get_content_maintype()
        if main not in ("multipart", "message"):
            return None
        # The last part of all is for what stands after a delimiter.
        if len(self._opened) == MAX_DEPTH or self._parts >= MAX_PARTS - 1:
            part.kind = "application/octet-stream"
            part.defects.append(LimitDefect("it is too deep within others, or one too many"))
            return None
        if main == "message":
            encoding = part.get("content-transfer-encoding")
            if kind == "message/delivery-status" or (encoding and encoding.cte in _ENCODED):
                return None
            self._opened.append(_Opened(part, None, "text/plain"))
            return self._new(part, "text/plain")
        boundary = str(part.get_boundary("")).encode("utf-8", "replace")
        # The standard library cannot write a boundary that is not ASCII. The lines of a boundary
        # that is in use belong to the multipart around this one.
        if not boundary or not boundary.isascii() or boundary in self._levels:
            part.defects.append(NoBoundaryInMultipartDefect("no boundary that can be used"))
            part.kind = "text/plain"
            return None
        default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
        self._levels[boundary] = len(self._opened)
        self._opened.append(_Opened(part, boundary, default))
        return None

    def _new(self, parent: ReceivedMessage, default_type: str) -> ReceivedMessage:
        part = ReceivedMessage()
        part.set_default_type(default_type)
        parent.attach(part)
        self._parts += 1
        if self._parts == MAX_PARTS:
            # Nothing is a delimiter any more.
            self._levels.clear()
            self._root.defects.append(LimitDefect(f"it has {MAX_PARTS} parts, or more"))
        return part

    def _delimiter(self, position: int) -> _Delimiter:
        """Return the next delimiter of a multipart that is open, or the end."""
        content, end = self._content, len(self._content)
        # The line end before a delimiter belongs to it, unless it ends a header.
        at = position - 1
        while self._levels and (at := content.find(b"\n--", at)) >= 0:
            line_end = content.find(b"\n", at + 1)
            line_end = end if line_end < 0 else line_end
            boundary, closes = _boundary(content[at + 1 : line_end], self._levels)
            if boundary:
                start = at - 1 if content[at - 1 : at] == b"\r" else at
                return _Delimiter(start, min(line_end + 1, end), boundary, closes)
            at = line_end
        return _Delimiter(end, end, b"", closes=False)

    def _set_text(self, part: ReceivedMessage, start: int, end: int) -> None:
        content = self._content[start:end]
        if self._opened and self._opened[-1].part is part:
            part.preamble = None if end < start else _text(content)
        elif part.get_content_type() == "message/delivery-status":
            self._set_blocks(part, content)
        elif part.get_content_maintype() == "message" and not content.isascii():
            # It is not encoded, although it says so. The standard library could not write it.
            self._new(part, "text/plain").set_payload(_text(content))
        else:
            part.set_payload(_text(content))

    def _set_blocks(self, part: ReceivedMessage, content: bytes) -> None:
        """Make a part of each block of fields (RFC 3464 section 2.1)."""
        left = MAX_PARTS - 1 - self._parts
        for block in _BLANK_LINE.split(content, maxsplit=left - 1) if left > 1 else [content]:
            new = self._new(part, "text/plain")
            end = _read_header(new, block, 0, {})
            new.kind = "text/plain"
            new.set_payload(_text(block[end:]))

    def _next(self, delimiter: _Delimiter) -> ReceivedMessage | None:
        """Return a new part, if one follows."""
        if not delimiter.boundary:
            return None
        level = self._levels[delimiter.boundary]
        self._close(level + 1)
        return self._new(self._opened[level].part, self._opened[level].default_type)

    def _close(self, level: int, *, complete: bool = False) -> None:
        """Close what is open from ``level`` on; ``complete`` says if that one has an end."""
        for opened in reversed(self._opened[level:]):
            self._levels.pop(opened.boundary or b"", None)
            part = opened.part
            if not part.is_multipart():
                text = part.preamble or ""
                part.defects.append(StartBoundaryNotFoundDefect("there is no part"))
                part.kind, part.preamble = "text/plain", None
                part.set_payload(text)
            elif opened.boundary and not (complete and part is self._opened[level].part):
                part.defects.append(CloseBoundaryNotFoundDefect("the last part does not end"))
        del self._opened[level:]


def _read_header(
    part: ReceivedMessage, content: bytes, position: int, boundaries: Container[bytes]
) -> int:
    """Give ``part`` the fields from ``position`` on; return where its body begins."""
    name, lines = "", list[bytes]()
    start, end = position, len(content)
    while position < end:
        after = content.find(b"\n", position) + 1 or end
        line = content[position:after]
        if line in (b"\n", b"\r\n"):
            position = after
            break
        if line.startswith(b"--") and _boundary(line, boundaries)[0]:
            break
        if line[:1] in (b" ", b"\t"):
            if not name:
                part.defects.append(FirstHeaderLineIsContinuationDefect(_text(line)))
            lines.append(line)
        elif found := _FIELD.match(line):
            _set_field(part, name, lines)
            name, lines = found[1].decode("ascii"), [line[found.end() :]]
        elif position == start and line.startswith(b"From "):
            part.set_unixfrom(_text(line).rstrip("\r\n"))
        else:
            part.defects.append(MissingHeaderBodySeparatorDefect("a line is not a field"))
            break
        position = after
    _set_field(part, name, lines)
    return position


def _set_field(part: ReceivedMessage, name: str, lines: list[bytes]) -> None:
    if name:
        part.set_raw(name, _text(b"".join(lines)).rstrip("\r\n"))


def _boundary(line: bytes, boundaries: Container[bytes]) -> tuple[bytes, bool]:
    """Return the boundary in a line that begins with two hyphens, and whether it is the last."""
    boundary = line[2:].rstrip()
    if boundary in boundaries:
        return boundary, False
    last = boundary[:-2] if boundary.endswith(b"--") else b""
    return (last, True) if last in boundaries else (b"", False)


def _text(octets: bytes) -> str:
    return octets.decode("ascii", "surrogateescape")
