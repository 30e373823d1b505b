"""Delivery by LMTP (RFC 2033), to a server such as Dovecot or Cyrus."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from .._arguments import require, require_address, require_host
from ..errors import LocalProtocolError, printable
from .delivery import DeliveryError
from .handover import Handover
from .values import Record

if TYPE_CHECKING:
    from socket import socket
    from typing import IO

__all__ = ["Lmtp"]

_BLOCK = 64 * 1024
# RFC 5321 section 4.5.3.1.5 allows 512 octets for a reply line. A server may send 100 lines.
_LONGEST_LINE, _MOST_LINES = 2048, 100
# LMTP has only CRLF as a line end (RFC 5321 section 2.3.8). A server that took another one for it
# could see the end of a message where there is none.
_LINE_END = re.compile(rb"\r\n|\r|\n")
# No lone surrogates, which stand for octets of a command line that are not UTF-8.
_ADDRESS = re.compile(r"[^\s<>\x00-\x1f\x7f\ud800-\udfff]+")
_REPLY = re.compile(rb"([2-5]\d\d)(?:([ -])([^\r\n]*))?\r?\n")
_READY, _CLOSING, _OK, _GO_ON = 220, 421, 250, 354
# The first digits of replies.
_TAKEN, _FOR_NOW = 2, 4


class _Reply(NamedTuple):
    code: int
    text: bytes


def _has_unix_sockets() -> bool:
    import socket

    return hasattr(socket, "AF_UNIX")


class Lmtp(Handover):
    """A server that takes messages for one recipient, and answers for each that it is stored.

    ``address`` is host and port, or the path of a UNIX socket. The messages come from ``sender``,
    by default from nobody (``<>``), so that nobody gets a bounce. An answer of 400 to 499 is a
    failure that counts as ``transient``. Drafts are in the folder ``spool``. No step may take more
    than ``timeout`` seconds. If the connection or this process ends after the server has taken a
    message, and before its answer is noted, the message is handed over once more (RFC 1047).

    Raises ``LocalProtocolError`` for a wrong argument.
    """

    def __init__(
        self,
        address: tuple[str, int] | str,
        recipient: str,
        spool: os.PathLike[str] | str,
        tag: str,
        *,
        sender: str = "",
        timeout: float = 300.0,
    ) -> None:
        super().__init__(spool, tag, timeout)
        require("address", address, (tuple, str), "a host and a port, or the path of a socket")
        for name, mailbox in ("recipient", recipient), ("sender", sender):
            require(name, mailbox, str, "a str")
            if (mailbox or name == "recipient") and not _ADDRESS.fullmatch(mailbox):
                raise LocalProtocolError(f"{name} is an address such as user@example.org")
        if isinstance(address, tuple):
            require_address("address", address)
            require_host("address", address[0])
        elif not _has_unix_sockets():
            raise LocalProtocolError("address is a path, and this system has no UNIX sockets")
        self._address = address
        self._recipient, self._sender = recipient, sender
        self._socket: socket | None = None
        self._replies: IO[bytes] | None = None
        self._extensions: set[bytes] = set()

    def _hand_over(self, record: Record, draft: int, journal: int) -> DeliveryError | None:
        try:
            if self._socket is None:
                self._connect()
            reply = self._transaction(draft)
        except OSError as error:
            self._hang_up()
            raise self._failed(f"cannot be used: {error}", transient=True) from error
        if reply.code == _CLOSING:
            self._hang_up()
        if reply.code // 100 != _TAKEN:
            return self._refusal(reply)
        self._note(record, journal)
        return None

    def _connect(self) -> None:
        """Connect, and ask for the extensions."""
        import socket

        if isinstance(self._address, str):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(self._timeout)
            self._socket.connect(self._address)
        else:
            self._socket = socket.create_connection(self._address, self._timeout)
            # What is sent is whole, and not to wait for the answer to what was sent before.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = self._socket.makefile("rb")
        self._expect(_READY)
        self._send(b"LHLO localhost\r\n")
        lines = self._expect(_OK).text.upper().splitlines()[1:]
        self._extensions = {line.partition(b" ")[0] for line in lines}

    def _transaction(self, draft: int) -> _Reply:
        """Hand one message over; return the reply that decides."""
        size = os.fstat(draft).st_size
        mail = f"MAIL FROM:<{self._sender}>".encode()
        if b"SIZE" in self._extensions:
            mail += b" SIZE=%d" % size
        if b"8BITMIME" in self._extensions:
            mail += b" BODY=8BITMIME"
        commands = [mail, f"RCPT TO:<{self._recipient}>".encode(), b"DATA"]
        if b"PIPELINING" in self._extensions:
            self._send(b"".join(command + b"\r\n" for command in commands))
            replies = [self._reply() for _ in commands]
        else:
            replies = list[_Reply]()
            while len(replies) < len(commands) and all(r.code // 100 == _TAKEN for r in replies):
                self._send(commands[len(replies)] + b"\r\n")
                replies.append(self._reply())
        refused = next((r for r in replies if r.code // 100 not in (_TAKEN, _GO_ON // 100)), None)
        if refused is None:
            for block in _blocks(draft):
                self._send(block)
            return self._reply()
        if replies[-1].code == _GO_ON:
            # RFC 2033 section 4.2 forbids that. Only to hang up sends nobody an empty message.
            self._hang_up()
        elif refused.code != _CLOSING:
            self._send(b"RSET\r\n")
            self._expect(_OK)
        return refused

    def _refusal(self, reply: _Reply) -> DeliveryError:
        told = printable(reply.text.replace(b"\n", b" "))
        return self._failed(
            f"has refused the message: {reply.code} {told}",
            transient=reply.code // 100 == _FOR_NOW,
        )

    def _failed(self, how: str, *, transient: bool) -> DeliveryError:
        return DeliveryError(
            f"the LMTP server {how}",
            transient=transient,
            hint="the message stays on the server, and the next run tries again",
        )

    def _send(self, data: bytes) -> None:
        assert self._socket is not None  # noqa: S101 - it is connected
        self._socket.sendall(data)

    def _expect(self, code: int) -> _Reply:
        reply = self._reply()
        if reply.code != code:
            raise OSError(f"{reply.code} {printable(reply.text)}")
        return reply

    def _reply(self) -> _Reply:
        """Return the next reply, of one line or more. Raises ``OSError`` if it is not one."""
        assert self._replies is not None  # noqa: S101 - it is connected
        texts: list[bytes] = []
        for _ in range(_MOST_LINES):
            line = self._replies.readline(_LONGEST_LINE)
            match = _REPLY.fullmatch(line)
            if match is None:
                raise OSError(
                    "it has closed the connection" if not line else "it does not speak LMTP"
                )
            code, more, text = match.groups()
            texts.append(text)
            if more != b"-":
                return _Reply(int(code), b"\n".join(texts))
        raise OSError("its reply does not end")

    def _rest(self) -> None:
        """Say goodbye; servers close connections that are not used for minutes."""
        if self._socket is not None:
            with suppress(OSError):
                self._send(b"QUIT\r\n")
            self._hang_up()

    def _hang_up(self) -> None:
        if self._replies is not None:
            self._replies.close()
        if self._socket is not None:
            self._socket.close()
        self._socket = self._replies = None


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
