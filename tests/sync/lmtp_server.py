"""A small LMTP server, which does as it is told."""

from __future__ import annotations

import os
import socketserver
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, Self

EXTENSIONS = ("PIPELINING", "8BITMIME", "SIZE 1000000")


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with suppress(OSError):
            self.converse(self.server.world)  # type: ignore[attr-defined]

    def converse(self, server: LmtpServer) -> None:
        self.answer(server.greeting)
        recipients: list[str] = []
        while line := self.rfile.readline():
            server.commands.append(line)
            verb = line.split()[0].upper().decode()
            if verb in server.hangs_up:
                return
            if verb == "MAIL":
                recipients = []
            if verb == "RCPT":
                name = line.partition(b"<")[2].partition(b">")[0].decode()
                if name in server.refused:
                    self.answer(server.refused[name])
                    continue
                recipients.append(name)
            if verb in server.answers:
                self.answer(server.answers[verb])
                continue
            if verb == "LHLO":
                lines = ["lmtp.example.org", *server.extensions]
                for each in lines[:-1]:
                    self.answer(f"250-{each}")
                self.answer(f"250 {lines[-1]}")
            elif verb == "DATA":
                self.answer("354 go on")
                content = self.content()
                for name in recipients:
                    answer = server.after_for.get(name, server.after)
                    if answer is None or answer.startswith("2"):
                        server.taken.append(content)
                        server.taken_by.setdefault(name, Counter())[content] += 1
                    if answer is None:
                        return
                    self.answer(answer)
                    if answer.startswith("421"):
                        return
            elif verb == "QUIT":
                self.answer("221 bye")
                return
            else:
                self.answer("250 yes")

    def content(self) -> bytes:
        lines: list[bytes] = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                raise ConnectionAbortedError
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def answer(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


class _TcpHandler(_Handler):
    # Its answers are written line by line.
    disable_nagle_algorithm = True


class LmtpServer:
    """It takes everything, unless it is told otherwise.

    ``answers`` are answers in place of its own, by command; ``after`` is the one after the content,
    and ``None`` hangs up then, with the message taken. ``refused`` and ``after_for`` are answers to
    RCPT and after the content, by recipient.
    """

    def __init__(self, path: Path | None = None, extensions: Iterable[str] = EXTENSIONS) -> None:
        self.extensions = [*extensions]
        self.greeting = "220 hello"
        self.answers: dict[str, str] = {}
        self.hangs_up: set[str] = set()
        self.after: str | None = "250 taken"
        self.refused: dict[str, str] = {}
        self.after_for: dict[str, str | None] = {}
        self.taken: list[bytes] = []
        self.taken_by: dict[str, Counter[bytes]] = {}
        self.commands: list[bytes] = []
        server: Any
        if path is None:
            server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _TcpHandler)
        else:
            server = socketserver.ThreadingUnixStreamServer(os.fspath(path), _Handler)
        server.daemon_threads = True
        server.world = self
        self.address: Any = server.server_address
        self._server = server

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
