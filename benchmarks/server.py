"""A POP3 server that answers from memory, and what its maildrop holds.

It is written in C, so that what is measured is the client, and compiled when it is needed. Where
there is no compiler, and under TLS, the same is done in Python.
"""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import corpora
from benchmarks.instructions import ANY_PROCESSOR
from benchmarks.measuring import environment

HOST = "127.0.0.1"
LINE = 78
"""Octets of a line with its CRLF."""
_HERE = Path(__file__).resolve().parent
_BLOCK = 512 * 1024
_OUTPUT = 256 * 1024
_INPUT = 64 * 1024
# What is longer is sent from where it lies.
_COPIED = 32 * 1024
_HEADER = (
    b"From: user@example.org\r\nTo: other@example.org\r\nSubject: A message to measure with\r\n"
    b"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <measured@example.org>\r\n\r\n"
)


@dataclass(frozen=True)
class Maildrop:
    """So many messages, of at least and at most so many octets, rounded up to whole lines."""

    count: int
    least: int
    most: int
    text: bool = False
    """Prose with full stops, instead of base64."""

    @cached_property
    def block(self) -> bytes:
        """Lines of 78 octets. None begins with a dot, so that a message is the same on the wire."""
        columns = LINE - 2
        if self.text:
            prose = b" ".join(corpora.build("small", scale=100).messages)
            characters = prose.replace(b"\r\n", b" ")
        else:
            # The same octets in every process.
            characters = base64.b64encode(random.Random("block").randbytes(_BLOCK * 3 // 4))
        rows = (characters[at : at + columns] for at in range(0, len(characters), columns))
        rows = (b"x" + row[1:] if row[:1] in b". " else row for row in rows)
        return b"".join(row + b"\r\n" for row in rows if len(row) == columns)

    def lines(self, number: int) -> int:
        """How many lines message ``number`` has behind its header."""
        wanted = self.least + number * 7919 % (self.most - self.least + 1)
        return max(0, -(-(wanted - len(_HEADER)) // LINE))

    def octets(self, number: int) -> int:
        """The size of message ``number``."""
        return len(_HEADER) + self.lines(number) * LINE

    @cached_property
    def total(self) -> int:
        """The octets of all messages."""
        return sum(map(self.octets, range(1, self.count + 1)))

    def pieces(self, number: int, lines: int) -> Iterator[memoryview]:
        """The header of message ``number`` and so many lines behind it."""
        yield memoryview(_HEADER)
        view = memoryview(self.block)
        begin = number * 37 % (len(view) // LINE) * LINE
        left = lines * LINE
        while left > 0:
            yield view[begin : begin + left]
            left -= len(view) - begin
            begin = 0

    def message(self, number: int) -> bytes:
        """The whole of message ``number``."""
        return b"".join(self.pieces(number, self.lines(number)))

    def listing(self, unique_ids: bool) -> bytes:
        """The answer to LIST, or to UIDL."""
        form: Callable[[int], str] = _unique_id if unique_ids else self._scan_listing
        lines = "".join(f"{form(number)}\r\n" for number in range(1, self.count + 1))
        return f"+OK listing follows\r\n{lines}.\r\n".encode()

    def _scan_listing(self, number: int) -> str:
        return f"{number} {self.octets(number)}"


def _unique_id(number: int) -> str:
    return f"{number} unique-{number:010d}"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens, as contestants are told."""

    port: int
    ca: str = ""
    """The file with the authority to trust; none without TLS."""
    pid: int = 0
    """The server's process; 0 where it is somebody else's."""

    def arguments(self) -> dict[str, Any]:
        return asdict(self)


@contextmanager
def serving(maildrop: Maildrop, *, tls: bool = False, python: bool = False) -> Generator[Address]:
    """A server in a process of its own, in Python if ``python`` says so."""
    with TemporaryDirectory() as folder:
        program = None if tls or python else compiled("server.c")
        if program:
            path = Path(folder, "maildrop")
            path.write_bytes(_HEADER + maildrop.block)
            sizes = (len(_HEADER), maildrop.count, maildrop.least, maildrop.most)
            command = [program, str(path), *map(str, sizes)]
        else:
            said = json.dumps([asdict(maildrop), _certify(folder) if tls else ""])
            command = [sys.executable, "-m", "benchmarks.server", said]
        with started(command) as address:
            yield replace(address, ca=str(Path(folder, "ca.pem")) if tls else "")


@contextmanager
def started(command: list[str]) -> Generator[Address]:
    """A process that prints the port it listens on, and ends when its stdin does."""
    with on_cpus_of(server=True):
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
        )
    # Leaving the block closes stdin, and waits.
    with process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{command[0]} does not start")
        yield Address(int(line), pid=process.pid)


@contextmanager
def on_cpus_of(*, server: bool) -> Generator[None]:
    """Let what is started inside run on the servers' CPU, or on the others.

    If both ends may be on one CPU or on two, as the kernel likes, the same ping-pong takes one
    time or four times as long.
    """
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set[int]()
    if len(allowed) < 2 or os.environ.get(ANY_PROCESSOR):
        yield
        return
    last = {max(allowed)}
    os.sched_setaffinity(0, last if server else allowed - last)
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@cache
def compiled(source: str, *options: str) -> str | None:
    """What is made of a file in C, or ``None`` if there is no compiler that makes it."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    folder = TemporaryDirectory(prefix="benchmark-")
    # It is kept until this process ends.
    _folders.append(folder)
    program = str(Path(folder.name, "compiled"))
    command = [compiler, "-O2", "-pthread", *options, "-o", program, str(_HERE / source), "-ldl"]
    return None if subprocess.run(command, check=False).returncode else program


_folders: list[TemporaryDirectory[str]] = []


def _certify(folder: str) -> str:
    """A file with a key and a certificate, and beside it its authority."""
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(Path(folder, "ca.pem")))
    path = str(Path(folder, "server.pem"))
    authority.issue_cert(HOST, "localhost").private_key_and_cert_chain_pem.write_to_path(path)
    return path


class _Output:
    """Gathers answers, and sends long ones from where they lie."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._waiting = bytearray()

    def put(self, data: bytes | memoryview) -> None:
        if len(data) > _COPIED or len(self._waiting) + len(data) > _OUTPUT:
            self.flush()
        if len(data) > _COPIED:
            self._sock.sendall(data)
        else:
            self._waiting += data

    def flush(self) -> None:
        if self._waiting:
            self._sock.sendall(self._waiting)
            self._waiting.clear()


class _Session:
    """One connection to the server in Python."""

    def __init__(self, maildrop: Maildrop, listings: tuple[bytes, bytes]) -> None:
        self._maildrop = maildrop
        self._listings = listings

    def serve(self, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        # A client that goes away is no error, as in C.
        with suppress(OSError), sock:
            if context is not None:
                sock = context.wrap_socket(sock, server_side=True)
            with sock:
                self._answer_all(sock)

    def _answer_all(self, sock: socket.socket) -> None:
        output = _Output(sock)
        output.put(b"+OK ready\r\n")
        held, verb = b"", ""
        while verb != "QUIT":
            output.flush()
            data = sock.recv(_INPUT)
            if not data:
                return
            *lines, held = (held + data).split(b"\n")
            for line in lines:
                verb = self._answer(output, line.decode("latin-1"))
                if verb == "QUIT":
                    break
        output.flush()

    def _answer(self, output: _Output, line: str) -> str:
        verb, *words = line.upper().split() or [""]
        numbers = [int(word) if word.isdecimal() else 0 for word in words[:2]]
        number = numbers[0] if numbers else 0
        maildrop = self._maildrop
        there = 1 <= number <= maildrop.count
        if verb in {"RETR", "TOP"} and there:
            lines = maildrop.lines(number)
            if verb == "TOP":
                lines = min(lines, numbers[1] if len(numbers) > 1 else 0)
            output.put(b"+OK %d octets\r\n" % maildrop.octets(number))
            for piece in maildrop.pieces(number, lines):
                output.put(piece)
            output.put(b".\r\n")
        elif verb == "STAT":
            output.put(b"+OK %d %d\r\n" % (maildrop.count, maildrop.total))
        elif verb in {"LIST", "UIDL"} and not words:
            output.put(self._listings[verb == "UIDL"])
        elif verb == "LIST" and there:
            output.put(f"+OK {number} {maildrop.octets(number)}\r\n".encode())
        elif verb == "UIDL" and there:
            output.put(f"+OK {_unique_id(number)}\r\n".encode())
        elif verb == "CAPA":
            output.put(b"+OK\r\nUSER\r\nTOP\r\nUIDL\r\nPIPELINING\r\n.\r\n")
        elif verb == "QUIT":
            output.put(b"+OK bye\r\n")
        elif verb in {"NOOP", "USER", "PASS", "RSET"} or (verb == "DELE" and there):
            output.put(b"+OK\r\n")
        else:
            output.put(b"-ERR no\r\n")
        return verb


def _accept_all(listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


def main(said: str) -> None:
    """Serve what ``serving()`` described, until stdin ends."""
    about, certificate = json.loads(said)
    maildrop = Maildrop(**about)
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    listings = (maildrop.listing(False), maildrop.listing(True))
    session = _Session(maildrop, listings)
    listener = socket.create_server((HOST, 0), backlog=1024)
    serve = partial(session.serve, context=context)
    threading.Thread(target=_accept_all, args=(listener, serve), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
