"""Where a session stands on the wire, so that a line of mail is never taken for an answer.

Only the file object itself reads ahead, so a program that reads from ``file`` by itself, or
replaces it, finds the same octets as with poplib. The one exception is ``DirectReader``.
"""

from __future__ import annotations

import errno
import math
import select
import socket
from collections.abc import Callable
from io import BufferedReader
from typing import BinaryIO, cast

from ..errors import printable
from ..model.secret import Secret
from ..transcript.redact import Answer, LineRedactor
from .errors import BrokenConnectionError, LostConnectionError, ServerError
from .texts import BUFFER, CRLF, SAMPLE, DirectReader, LineReader, TextReader

__all__ = ["Conversation", "pending", "reader", "shut_down"]

# The count of outstanding answers after a program has read or written by itself: large enough never
# to reach 0.
_UNKNOWN = math.inf
_TERMINATORS = (b".\r\n", b".\n")
_TERMINATOR = len(b".\r\n")


def reader(sock: object) -> BinaryIO:
    """Return the file to read from, for a socket or for the object that replaces it."""
    if isinstance(sock, socket.socket):
        return cast(BinaryIO, sock.makefile("rb", BUFFER))
    # The object only needs the methods that poplib calls.
    return cast(BinaryIO, cast(socket.socket, sock).makefile("rb"))


def pending(sock: socket.socket, file: BinaryIO) -> bytes:
    """Return what can be read now, in the buffer or on the wire, without reading it."""
    if not isinstance(file, BufferedReader):
        return b""
    timeout = sock.gettimeout()
    sock.setblocking(False)
    try:
        return file.peek(1)
    finally:
        sock.settimeout(timeout)


def _look_at(sock: object) -> Callable[[int], object]:
    """Return a function that tells with one system call, given 0, if ``sock`` has something."""
    if not isinstance(sock, socket.socket):
        # Nobody knows what the object that replaces it can do.
        return bool
    if not hasattr(select, "poll"):
        return lambda _: select.select([sock], [], [], 0)[0]
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return poll.poll


def shut_down(sock: socket.socket) -> None:
    """Tell the peer that nothing more will come, if it can be told, and close ``sock``."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError as error:
        # The server may have closed the connection already (on Windows the error is WSAEINVAL), and
        # a failed handshake has closed the socket.
        harmless = error.errno in (errno.ENOTCONN, errno.EBADF)
        if not harmless and getattr(error, "winerror", 0) != 10022:
            raise
    finally:
        sock.close()


class Conversation:
    """Where a session stands on the wire."""

    def __init__(self) -> None:
        self.redactor: LineRedactor = LineRedactor()
        """Hides the secrets in the client's lines."""
        self.fault: str = ""
        """Why the connection can no longer be used; empty if it can."""
        self.room = 0
        """How many octets a status line may have, if more than ``_MAXLINE``."""
        self.form: bytes | None = None
        """The line end of the text that is being read; ``None`` before a status line."""
        self.newline: bytes = CRLF
        """The line end of the last line."""
        self.finish: Callable[[], None] | None = None
        """Reads the rest of the text that ``retr_iter()`` began."""
        self.one_line = False
        """True if the next status line is the whole answer."""
        self._error: type[BrokenConnectionError] = BrokenConnectionError
        # True if nothing was sent so far.
        self._quiet = True
        self.status: bytes = b""
        """The status line that was read; empty before."""
        # True if it was positive, so that more can follow.
        self._positive = False
        # The greeting is outstanding from the start.
        self._owed: float = 1
        # Only a real peer can send too much: a file that a program has prepared holds all answers
        # from the start.
        self._peer = False
        # These facts about the file and the socket hold until one of them is replaced.
        self._file: BinaryIO | None = None
        self._peek: Callable[[int], bytes] | None = None
        self._looked_at: socket.socket | None = None
        self._arrived: Callable[[int], object] = bool
        self._plain = False
        self._decrypted: Callable[[], int] | None = None
        self._surplus = b""
        # The octets that the file's buffer held at the last look, and how many of them are unread;
        # below 0, if it was filled again since then, so that nobody knows what it holds.
        self._ahead = b""
        self._left = 0
        self._after_bare_lf = False

    def check(self) -> None:
        """Raise ``BrokenConnectionError`` if the connection can no longer be used."""
        if self.fault:
            raise self._error(f"-ERR connection unusable after: {self.fault}")

    def fail(self, reason: str) -> None:
        """Give up the connection, unless that was done before."""
        self.fault = self.fault or reason
        self.finish = None

    def failed(self, error: BaseException) -> None:
        """Give up the connection because of ``error``: it is unknown what was read or sent."""
        if isinstance(error, OSError):
            # With poplib, later calls on such a connection also raise OSError.
            self._error = LostConnectionError
        self.fail(str(error) or type(error).__name__)

    def interrupted(self, error: BaseException) -> None:
        """Take note of ``error``, raised while a status line was read.

        An override may raise after it has read a line. If that line was the whole answer, nothing
        is lost.
        """
        if self.one_line and self.status:
            self.answered(self.status)
            self.settle()
        else:
            self.failed(error)

    def missed(self, error: BaseException) -> None:
        """Take note of ``error``, raised at a status line after which more was to be read."""
        if self._positive:
            self.failed(error)

    def refusal(self, message: str) -> Exception:
        """Return the ``error_proto`` with ``message``, of the class that fits the connection."""
        return self._error(message) if self.fault else ServerError(message)

    def ready(self, sock: socket.socket, file: BinaryIO) -> None:
        """Get ready to send a command, or raise ``BrokenConnectionError``."""
        if self.finish is not None:
            self.finish()
        if self._quiet:
            # Before this, a program that expects a greeting of several lines can read them itself.
            self._owed = 0 if self._owed == _UNKNOWN else self._owed
            self.settle()
        if self._owed == 0 and self._peer and not self.fault:
            try:
                if sock is not self._looked_at:
                    self._get_to_know(sock)
                there = (self._left and self._plain) or self._arrived(0)
                if there or (self._decrypted is not None and self._decrypted()):
                    self._look(sock, file)
            except (OSError, ValueError):
                # An error, or part of a TLS record: the next answer shows it.
                pass
        if self.fault:
            self.check()

    def _get_to_know(self, sock: socket.socket) -> None:
        self._arrived = _look_at(sock)
        self._plain = isinstance(cast(object, sock), socket.socket)
        self._decrypted = getattr(sock, "pending", None)
        self._looked_at = sock

    def _look(self, sock: socket.socket, file: BinaryIO) -> None:
        """Give up the connection if anything but blank lines has come since the last answer."""
        ahead = pending(sock, file)
        if ahead and not ahead.strip(CRLF):
            # They would hide what the socket has.
            file.read(len(ahead))
            ahead = pending(sock, file)
        self._surplus = ahead.lstrip(CRLF)[:SAMPLE]
        self.settle()

    def sent(self, data: Secret | bytes, answer: Answer) -> None:
        """Take note of ``data``, lines with their ends, that are about to be sent.

        If ``data`` is one line, as it nearly always is, ``answer`` is the kind of answer that the
        redactor expects.
        """
        self.form, self.status, self._surplus, self._quiet = None, b"", b"", False
        # Octets that hold no secret come as they are.
        count = (data if isinstance(data, bytes) else data.octets()).count(b"\n")
        self._owed += count
        if count == 1:
            self.redactor.take(answer)
        else:
            for line in Secret(data).octets().split(b"\n")[:-1]:
                self.redactor.sent(line.removesuffix(b"\r"))

    def shown(self, line: str) -> str:
        """Return what may be shown of the client's next ``line``."""
        octets = bytes(line, "utf-8", "surrogatepass")
        return self.redactor.shown(octets).decode("utf-8", "surrogatepass")

    def status_line(self, file: BinaryIO, limit: int, *, debugging: bool) -> tuple[bytes, int]:
        """Return the next line, of at most ``limit`` octets, without its end, and its octets."""
        self._surplus = b""
        if file is not self._file:
            self._peer = isinstance(getattr(file, "raw", None), socket.SocketIO)
            known = self._peer and isinstance(cast(object, file), BufferedReader)
            self._peek = cast(BufferedReader, file).peek if known else None
            self._file = file
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
        if line[-2:] == CRLF:
            self.newline, status = CRLF, line[:-2]
        else:
            # Some servers end their lines with LF CR.
            self.newline, status = b"\n", line[:-1].removeprefix(b"\r")
        self.status = status
        self._positive = status.startswith(b"+")
        return status, len(line)

    def _read_line(self, file: BinaryIO, limit: int) -> bytes:
        self._ahead, self._left = b"", -1
        if self._peek is None:
            return file.readline(limit)
        ahead = self._peek(1)
        end = ahead.find(b"\n") + 1
        if not 0 < end <= limit:
            return file.readline(limit)
        self._ahead, self._left = ahead, len(ahead) - end
        self._surplus = ahead[end : end + SAMPLE]
        return file.read(end)

    def text_line(self, file: BinaryIO, *, debugging: bool) -> tuple[bytes, int]:
        """Return the next line of a text without its end, of any length, and its octets.

        It has the form from which poplib's own callers remove dot-stuffing. After a CRLF status
        line a bare LF is content (see ``BodyReader``). So a dot after a bare LF is neither stuffed
        nor the end of the text, and the line is changed so that those callers do not mistake it for
        either.
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
        octets, after = len(line), self._after_bare_lf
        self._left -= octets
        if line[-2:] == CRLF:
            self.newline = CRLF
            if not after:
                return line[:-2], octets
            line = line[:-2]
            self._after_bare_lf = bare = False
        else:
            self.newline = b"\n"
            line = line[:-1]
            self._after_bare_lf = bare = self.form == CRLF
        if (after and line.startswith(b".")) or (bare and line == b"."):
            return b"." + line, octets + 1
        return line, octets

    def _read_looking_ahead(self, file: BinaryIO) -> bytes:
        """Return a line, after a look at the buffer of ``file``: one look is enough for many lines.

        To know the octets after the last line, the whole of that line has to be in the buffer.
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
        """Treat the next lines as those of a text, and return their line end."""
        if self.form is None:
            self.form = self.newline
        self._after_bare_lf = False
        return self.form

    def answered(self, line: bytes) -> None:
        """Take note of a status line."""
        self._positive = line.startswith(b"+")
        if self._owed > 0:
            self._owed -= 1
        else:
            # The program has sent something by itself, so the count is unknown.
            self._owed = _UNKNOWN
        self.redactor.answered(line)

    def whole_text(self, file: BinaryIO, newline: bytes) -> LineReader:
        """Return a reader of the text after the last status line; nothing else may read it.

        If only this text is outstanding, nothing waits for octets that may come after it.
        """
        shown, left, self._ahead, self._left = self._ahead, self._left, b"", 0
        # A class of the program's own may do more than read.
        if shown and self._owed == 0 and type(file) is BufferedReader:
            return DirectReader(file, newline, shown, left)
        return LineReader(file, newline)

    def next_lines(self, text: TextReader) -> list[bytes]:
        """Return the next lines of ``text``, or ``[]`` at its end. An error ends the connection."""
        try:
            lines = text.read()
        except BaseException as error:
            self.failed(error)
            raise
        if not lines:
            if text.surplus is None:
                self._surplus = self._after_text()
            else:
                self._surplus, self._left = text.surplus, 0
            if text.lost and self._owed and self._surplus:
                # The caller that sent the command would never get its answer.
                self.fail("a command was sent while a text was read, and its answer came with it")
            self.settle()
        return lines

    def _after_text(self) -> bytes:
        # Nothing, if other code has read from the file as well.
        ahead = self._ahead
        end = len(ahead) - self._left
        return ahead[end : end + SAMPLE] if ahead.endswith(_TERMINATORS, 0, end) else b""

    def settle(self) -> None:
        """Give up the connection if more than the expected answer has come.

        This call raises nothing, because its own answer is complete. Blank lines are tolerated,
        because some servers send them.
        """
        if self._surplus and self._owed == 0 and self._peer and self._surplus.strip(CRLF):
            sample = printable(self._surplus)
            self.fail(
                "the server sent something that answers no command (perhaps it does not "
                f"double dots at the start of lines): {sample}"
            )
