"""A server that gives access tokens, on the loopback interface: what it answers is up to a test."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl

Form = dict[str, str]


class Reply(NamedTuple):
    """What is answered to a request. ``body`` is JSON unless it is octets."""

    body: Any
    status: int = 200


class TokenServer(ThreadingHTTPServer):
    """Answers each request with the next of ``replies``, or with what the function returns."""

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.replies: list[Reply | Callable[[Form], Reply]] = []
        self.forms: list[tuple[str, Form]] = []
        """The paths and the forms of the requests."""
        self.ended = Event()
        self.scheme = "http"
        if tls is not None:
            self.scheme = "https"
            self.socket = tls.wrap_socket(self.socket, server_side=True)

    def url(self, path: str = "/token", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.server_address[1]}{path}"

    @property
    def grants(self) -> list[str]:
        return [form.get("grant_type", "") for _, form in self.forms]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The client may be gone at any time; whether it was served is for the tests to see."""


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = cast(TokenServer, self.server)
        octets = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["Content-Type"] == "application/x-www-form-urlencoded"
        form = dict(parse_qsl(octets.decode("ascii"), strict_parsing=True))
        server.forms.append((self.path, form))
        reply = server.replies.pop(0)
        if not isinstance(reply, Reply):
            reply = reply(form)
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def running(tls: ssl.SSLContext | None = None) -> Generator[TokenServer]:
    with TokenServer(tls) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()
