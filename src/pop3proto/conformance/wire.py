"""One connection of a case: any octets out, whole lines in, and an end to every wait.

The engine of pop3proto sends nothing that is wrong, and these cases have to.
"""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import suppress
from time import monotonic
from typing import NoReturn

from .._value import value
from ..errors import printable
from ..transcript import REDACTED, Entry, Line, Recorder, Transcript
from .case import CaseFailedError
from .report import Conversation

__all__ = ["LONGEST_STATUS", "Status", "Wire", "printable_line"]

_CHUNK = 64 * 1024
# No server has a reason for a longer line of status, and none of the cases asks for more mail.
LONGEST_STATUS = 64 * 1024
_MOST_OCTETS = 64 * 1024 * 1024
# What a report shows of a conversation: its beginning and its end.
_SHOWN_LINES, _SHOWN_COLUMNS = 40, 240
_CODE = re.compile(rb"\[([^\]]*)\]")


def printable_line(line: bytes) -> str:
    """Return a line for a report: escaped, in quotation marks, not too long."""
    return f"'{printable(line, 120)}'"


@value
class Status:
    """A status line of a server."""

    line: bytes
    """All of it, with its end."""

    @property
    def content(self) -> bytes:
        """The line without its end."""
        return self.line.removesuffix(b"\n").removesuffix(b"\r")

    @property
    def ok(self) -> bool:
        """True if it is positive."""
        return self.content[:3].upper() == b"+OK"

    @property
    def text(self) -> bytes:
        """What follows the status indicator and its space."""
        return self.content.partition(b" ")[2]

    @property
    def code(self) -> bytes | None:
        """The response code at the beginning of the text, in upper case."""
        found = _CODE.match(self.text)
        return None if found is None else found[1].upper()

    def __str__(self) -> str:
        return printable_line(self.content)


class Wire:
    """A connection that is recorded.

    Every method that reads raises ``CaseFailedError`` if the server does not answer within
    ``timeout`` seconds, closes, or sends more than anybody could want; and, whatever comes, after
    ``longest`` seconds.
    """

    def __init__(
        self, sock: socket.socket, title: str, *, timeout: float, longest: float, bodies: bool
    ) -> None:
        self.title = title
        """What the connection is for."""
        self.timeout = timeout
        """Seconds that an answer may take."""
        self.buffer: bytearray = bytearray()
        """What came and was not read."""
        self.tls: ssl.SSLSocket | None = None
        """The same socket under TLS."""
        self.ragged: bool = False
        """True if TLS has ended without an alert."""
        self._sock: socket.socket = sock
        self._deadline = monotonic() + longest
        self._longest = longest
        self._octets = 0
        self._ended = False
        self._recorder = Recorder(bodies=bodies)

    def start_tls(self, context: ssl.SSLContext, server_hostname: str) -> None:
        """Make TLS; raise ``CaseFailedError`` if that fails."""
        self._sock.settimeout(self._left(self.timeout))
        try:
            self.tls = context.wrap_socket(
                self._sock, server_hostname=server_hostname, suppress_ragged_eofs=False
            )
        except (OSError, ValueError) as error:
            raise CaseFailedError(f"the TLS handshake failed: {printable(str(error))}") from error
        self._sock = self.tls
        self._recorder.tls_established()

    def send(self, *lines: bytes) -> None:
        """Send lines, which are given without their ends, in one write."""
        self.send_raw(b"".join(line + b"\r\n" for line in lines))

    def send_raw(self, data: bytes) -> None:
        """Send octets."""
        self._recorder.sent(data)
        self._sock.settimeout(self._left(self.timeout))
        try:
            self._sock.sendall(data)
        except TimeoutError:
            raise CaseFailedError(f"the server read nothing for {self.timeout:g} s") from None
        except OSError:
            # What it said before it closed is still to be read.
            self._ended = self._ended or self._sock.fileno() < 0

    def ask(self, *lines: bytes, timeout: float | None = None) -> Status:
        """Send lines and return the next status line."""
        self.send(*lines)
        return self.status(timeout)

    def status(self, timeout: float | None = None) -> Status:
        """Return the next status line, which begins with ``+`` or ``-``."""
        status = Status(self.line(timeout))
        if not status.content.startswith((b"+", b"-")):
            raise CaseFailedError(f"this is no status line: {status}")
        return status

    def line(self, timeout: float | None = None) -> bytes:
        """Return the next line with its end."""
        seconds = self.timeout if timeout is None else timeout
        until = monotonic() + seconds
        found = 0
        while (found := self.buffer.find(b"\n", found) + 1) == 0:
            found = len(self.buffer)
            if found > LONGEST_STATUS:
                raise CaseFailedError(f"a line has more than {LONGEST_STATUS} octets")
            if not self._receive(until):
                self._no_answer(seconds)
        line = bytes(self.buffer[:found])
        del self.buffer[:found]
        return line

    def text(self, timeout: float | None = None) -> list[bytes]:
        """Return the lines of a dot-terminated text as they came, without the dot."""
        seconds = self.timeout if timeout is None else timeout
        seen = 0
        while (end := self._end_of_text(seen)) is None:
            # The end itself may have come in part.
            seen = max(0, len(self.buffer) - 3)
            if not self._receive(monotonic() + seconds):
                what = "closed the connection" if self._ended else f"sent nothing for {seconds:g} s"
                raise CaseFailedError(f"the server {what} before the dot that ends its answer")
        data = bytes(self.buffer[:end])
        del self.buffer[:end]
        # Not splitlines(), for which a bare CR ends a line as well.
        return [line + b"\n" for line in data.split(b"\n")[:-2]]

    def _end_of_text(self, seen: int) -> int | None:
        if self.buffer.startswith((b".\r\n", b".\n")):
            return self.buffer.index(b"\n") + 1
        found = [
            (at, end) for end in (b"\n.\r\n", b"\n.\n") if (at := self.buffer.find(end, seen)) >= 0
        ]
        return None if not found else min(found)[0] + len(min(found)[1])

    def unasked(self, seconds: float) -> bytes:
        """Return what comes within ``seconds``; nothing may be expected."""
        until = monotonic() + seconds
        while not self.buffer and self._receive(until):
            pass
        return bytes(self.buffer)

    def closes(self, seconds: float | None = None) -> bool:
        """Return True if the server closes within ``seconds``; what it still sends is dropped."""
        until = monotonic() + (self.timeout if seconds is None else seconds)
        while self._receive(until):
            self.buffer.clear()
        return self._ended

    @property
    def ended(self) -> bool:
        """True if the server has closed."""
        return self._ended

    def close(self) -> None:
        """Close without a word."""
        self._recorder.closed()
        self._sock.close()

    def conversation(self, secrets: tuple[bytes, ...]) -> Conversation:
        """Return what was said, without ``secrets`` even where the server repeats them."""
        entries: list[Entry] = []
        for entry in self._recorder.transcript:
            if isinstance(entry, Line):
                data = entry.data
                for secret in secrets:
                    data = data.replace(secret, REDACTED)
                entry = Line(entry.who, data)  # noqa: PLW2901 - the same line, without secrets
            entries.append(entry)
        lines = Transcript(entries).dumps().splitlines()[1:]
        if len(lines) > _SHOWN_LINES:
            half = _SHOWN_LINES // 2
            lines[half:-half] = [f"# {len(lines) - _SHOWN_LINES} lines left out"]
        return Conversation(self.title, tuple(_cut(line) for line in lines))

    def _receive(self, until: float) -> bool:
        """Read what there is; return False at the end, and if nothing comes in time."""
        seconds = until - monotonic()
        if self._ended or seconds <= 0:
            return False
        self._sock.settimeout(self._left(seconds))
        try:
            data = self._sock.recv(_CHUNK)
        except TimeoutError:
            return False
        except OSError as error:
            # A reset, or TLS that ended without a word: the end, however it came.
            self.ragged = isinstance(error, ssl.SSLEOFError)
            data = b""
        self._recorder.received(data)
        self._octets += len(data)
        if self._octets > _MOST_OCTETS:
            raise CaseFailedError(f"the server sent more than {_MOST_OCTETS} octets")
        self._ended = not data
        self.buffer += data
        return not self._ended

    def _left(self, seconds: float) -> float:
        left = self._deadline - monotonic()
        if left <= 0:
            raise CaseFailedError(f"the case took longer than {self._longest:g} s")
        return min(seconds, left)

    def _no_answer(self, seconds: float) -> NoReturn:
        if self._ended:
            raise CaseFailedError("the server closed the connection instead of answering")
        raise CaseFailedError(f"no answer within {seconds:g} s")

    def forget(self) -> None:
        """Close without raising anything."""
        with suppress(OSError):
            self._sock.close()


def _cut(line: str) -> str:
    return line if len(line) <= _SHOWN_COLUMNS else f"{line[:_SHOWN_COLUMNS]}..."
