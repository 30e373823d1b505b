"""A conversation with an LMTP server (RFC 2033), in which each delivery has one deadline."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from typing import NamedTuple

from ..errors import printable
from ..transports.blocking import open_socket, show_socket

__all__ = ["LmtpSession", "Reply"]

_BLOCK = 64 * 1024
# RFC 5321 section 4.5.3.1.5 allows 512 octets for a reply line. A server may send 100 lines.
_LONGEST_LINE, _MOST_LINES = 2048, 100
# LMTP has only CRLF as a line end (RFC 5321 section 2.3.8). A server that took another one for it
# could see the end of a message where there is none.
_LINE_END = re.compile(rb"\r\n|\r|\n")
_REPLY = re.compile(rb"([2-5]\d\d)(?:([ -])([^\r\n]*))?\r?\n")
_READY, _CLOSING, _OK, _GO_ON = 220, 421, 250, 354
# The first digits of replies.
_TAKEN, _FOR_NOW = 2, 4


class Reply(NamedTuple):
    """What the server has answered."""

    code: int
    text: bytes

    @property
    def taken(self) -> bool:
        """True if it is a yes."""
        return self.code // 100 == _TAKEN

    @property
    def transient(self) -> bool:
        """True if it may be a yes later."""
        return self.code // 100 == _FOR_NOW

    def __str__(self) -> str:
        text = self.text.replace(b"\n", b" ")
        return f"{self.code} {printable(text)}"


class LmtpSession:
    """One connection at a time to a server. Everything here raises ``OSError``."""

    def __init__(self, address: tuple[str, int] | str, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._deadline = 0.0
        self._socket: socket.socket | None = None
        self._received = bytearray()
        self._extensions: set[bytes] = set()

    @contextmanager
    def delivery(self) -> Generator[None]:
        """Let all of the block take no longer than the timeout; hang up after any error."""
        self._deadline = monotonic() + self._timeout
        try:
            yield
        except TimeoutError as error:
            # Of an operating system, too: it says less.
            self.hang_up()
            raise TimeoutError(f"it took longer than {self._timeout:g} s") from error
        except BaseException:
            # In the middle of a message, QUIT would be a part of it.
            self.hang_up()
            raise

    def envelope(self, size: int, sender: str, recipients: Sequence[str]) -> list[Reply]:
        """Announce a message of ``size`` octets; return the refusals: without any, it can follow.

        If one of the recipients is refused, nobody gets it.
        """
        if self._socket is None:
            self._connect()
        replies: list[Reply] = []
        for batch in self._batches(size, sender, recipients):
            self._send(b"".join(command + b"\r\n" for command in batch))
            replies += [self._reply() for _ in batch]
            if refused := [reply for reply in replies if reply.code // 100 >= _FOR_NOW]:
                self._withdraw(replies[-1])
                return refused
        if replies.pop().code != _GO_ON or not all(reply.taken for reply in replies):
            raise OSError("it does not speak LMTP")
        return []

    def _batches(self, size: int, sender: str, recipients: Sequence[str]) -> Iterator[list[bytes]]:
        """Yield the commands that can be sent together."""
        mail = f"MAIL FROM:<{sender}>".encode()
        if b"SIZE" in self._extensions:
            mail += b" SIZE=%d" % size
        if b"8BITMIME" in self._extensions:
            mail += b" BODY=8BITMIME"
        to = [f"RCPT TO:<{recipient}>".encode() for recipient in recipients]
        if b"PIPELINING" not in self._extensions:
            yield from ([command] for command in (mail, *to, b"DATA"))
        elif len(to) == 1:
            yield [mail, *to, b"DATA"]
        else:
            # If only some of them are accepted, DATA is, too.
            yield from ([mail, *to], [b"DATA"])

    def _withdraw(self, last: Reply) -> None:
        if last.code in (_GO_ON, _CLOSING):
            # RFC 2033 section 4.2 forbids to go on then. Only to hang up sends nobody an empty
            # message.
            self.hang_up()
        else:
            self._send(b"RSET\r\n")
            self._expect(_OK)

    def content(self, draft: int, recipients: Sequence[str]) -> Iterator[tuple[str, Reply]]:
        """Send the message in the open file ``draft``; yield the answer for each recipient."""
        last = b""
        for block in _blocks(draft):
            if last:
                self._send(last)
            last = block
        self._keep_open()
        self._send(last)
        reply = Reply(_OK, b"")
        for recipient in recipients:
            # One that says goodbye has no answer for those who are left.
            if reply.code != _CLOSING:
                reply = self._reply()
            yield recipient, reply
        if reply.code == _CLOSING:
            self.hang_up()
        if self._socket is not None:
            show_socket(self._socket)

    def _keep_open(self) -> None:
        """Let nobody who has seen the socket shut it down, until the answers are there.

        Or a message that the server has taken would be handed over once more.
        """
        assert self._socket is not None  # noqa: S101 - it is connected
        self._socket = socket.socket(fileno=self._socket.detach())

    def _connect(self) -> None:
        """Connect, and ask for the extensions."""
        if isinstance(self._address, str):
            self._socket = socket.socket(socket.AF_UNIX)
            show_socket(self._socket)
            self._socket.settimeout(self._left())
            self._socket.connect(self._address)
        else:
            self._socket = open_socket(*self._address, self._left())
            # What is sent is whole, and not to wait for the answer to what was sent before.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._expect(_READY)
        self._send(b"LHLO localhost\r\n")
        lines = self._expect(_OK).text.upper().splitlines()[1:]
        self._extensions = {line.partition(b" ")[0] for line in lines}

    def _left(self) -> float:
        """Return the seconds until the deadline."""
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _send(self, data: bytes) -> None:
        assert self._socket is not None  # noqa: S101 - it is connected
        self._socket.settimeout(self._left())
        self._socket.sendall(data)

    def _expect(self, code: int) -> Reply:
        reply = self._reply()
        if reply.code != code:
            raise OSError(str(reply))
        return reply

    def _reply(self) -> Reply:
        """Return the next reply, of one line or more. Raises ``OSError`` if it is not one."""
        texts: list[bytes] = []
        for _ in range(_MOST_LINES):
            line = self._line()
            match = _REPLY.fullmatch(line)
            if match is None:
                raise OSError(
                    "it has closed the connection" if not line else "it does not speak LMTP"
                )
            code, more, text = match.groups()
            texts.append(text or b"")
            if more != b"-":
                return Reply(int(code), b"\n".join(texts))
        raise OSError("its reply does not end")

    def _line(self) -> bytes:
        """Return the next line, or what there is of one that is too long, or has no end."""
        assert self._socket is not None  # noqa: S101 - it is connected
        while (end := self._received.find(b"\n") + 1) == 0 and len(self._received) < _LONGEST_LINE:
            self._socket.settimeout(self._left())
            data = self._socket.recv(_LONGEST_LINE)
            if not data:
                break
            self._received += data
        end = min(end or len(self._received), _LONGEST_LINE)
        line = bytes(self._received[:end])
        del self._received[:end]
        return line

    def end(self) -> None:
        """Say goodbye; servers close connections that are not used for minutes."""
        if self._socket is not None:
            with suppress(OSError):
                self._send(b"QUIT\r\n")
            self.hang_up()

    def hang_up(self) -> None:
        """Close the connection, if there is one."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._received.clear()


def _blocks(draft: int) -> Iterator[bytes]:
    """Yield a message as DATA wants it: CRLF, dots doubled at the beginning of lines, and the end.

    In whole lines, as far as they are not longer than a block.
    """
    held = b""
    begins = True
    os.lseek(draft, 0, os.SEEK_SET)
    while True:
        data = os.read(draft, _BLOCK)
        # The next octet shows if this one is a line end of its own.
        text, held = held + data, b""
        if data and text.endswith(b"\r"):
            text, held = text[:-1], b"\r"
        text = _LINE_END.sub(b"\r\n", text)
        if begins and text.startswith(b"."):
            text = b"." + text
        text = text.replace(b"\r\n.", b"\r\n..")
        begins = text.endswith(b"\r\n") or (begins and not text)
        if not data:
            yield text + (b".\r\n" if begins else b"\r\n.\r\n")
            return
        yield text
