"""Fetch a maildrop with gevent: its sockets and its ``ssl``, with nothing patched.

POP3_PASSWORD=... python loop_gevent.py pop.example.org 110 user@example.org FOLDER
"""

from __future__ import annotations

import os
import sys
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from gevent import socket, ssl

import pop3proto as pop3
from pop3proto.sasl import channel_bindings

TIMEOUT = 60.0  # Seconds that the server may be silent.
# RETRs sent ahead of their answers, if the server can take that. While sendall() waits, nothing
# is read: all that is unanswered has to fit into the buffers on the way, or both ends could wait
# for each other to read. A hundred RETRs fit into any.
WINDOW = 100

R = TypeVar("R")


class Session:
    """An engine and a socket, which it owns. Methods raise ``Pop3Error`` or ``OSError``."""

    def __init__(self, sock: Any) -> None:
        self.engine = pop3.ClientConnection()
        self.sock = sock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.sock.close()

    def send(self, command: pop3.Command[Any]) -> None:
        """Send a command. Its answer comes after those to earlier commands."""
        if not self.engine.in_flight:
            self._look()
        self.sock.sendall(self.engine.send(command))

    def _look(self) -> None:
        """Take what has arrived, without waiting: the next command must not be answered by it."""
        self.sock.settimeout(0)
        try:
            self.engine.receive_data(self.sock.recv(65536))
        except (BlockingIOError, ssl.SSLWantReadError):
            pass  # Nothing has arrived.
        finally:
            self.sock.settimeout(TIMEOUT)

    def next_event(self) -> pop3.ClientEvent:
        """Return the next event that is not a ``Deviation``."""
        while True:
            event = self.engine.next_event()
            if event is pop3.Signal.NEED_DATA:
                self.engine.receive_data(self.sock.recv(65536))
            elif not isinstance(event, pop3.Deviation):
                assert event is not pop3.Signal.PAUSED  # start_tls() leaves no time for it.
                return event

    def reply(self) -> Any:
        """Return the next event; raise ``CommandError`` for ``-ERR``."""
        event = self.next_event()
        if isinstance(event, pop3.ErrorReply):
            message = f"the server refused: {pop3.errors.printable(event.text)}"
            raise pop3.CommandError(message, command=event.command, reply=event)
        return event

    def call(self, command: pop3.Command[R]) -> R:
        """Send a command whose answer is one event, and wait for it."""
        self.send(command)
        return cast(R, self.reply())

    def log_in(self, login: pop3.Login) -> pop3.LoginResult:
        """Log in, in whichever way; the greeting has been read."""
        command = login.feed(None, self.engine)
        while command is not None:
            self.send(command)
            command = login.feed(self.next_event(), self.engine)
        return login.result

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Demand STLS. The certificate is verified, and the host name in it."""
        self.call(pop3.Stls())
        self.sock = context.wrap_socket(self.sock, server_hostname=host)
        self.engine.tls_established()


def fetch_all(
    host: str, port: int, user: str, password: str, context: ssl.SSLContext
) -> tuple[dict[int | str, bytes], dict[int | str, str]]:
    """Return the messages, and what the server said of those that it refused to send."""
    messages: dict[int | str, bytes] = {}
    refused: dict[int | str, str] = {}
    with Session(socket.create_connection((host, port), TIMEOUT)) as session:
        session.reply()  # The greeting.
        session.start_tls(context, host)
        session.log_in(
            pop3.Login(user, password, channel_binding=channel_bindings(session.sock), host=host)
        )
        try:
            window = WINDOW if session.call(pop3.Capa()).capabilities.pipelining else 1
        except pop3.CommandError:
            window = 1
        numbers = deque(session.call(pop3.List()).listings.numbers)
        body = bytearray()
        while numbers or session.engine.in_flight:
            while numbers and len(session.engine.in_flight) < window:
                session.send(pop3.Retr(numbers.popleft()))
            match session.next_event():
                case pop3.MessageStart():
                    body = bytearray()
                case pop3.MessageData(data):
                    body += data
                case pop3.MessageEnd(pop3.Retr(number)):
                    messages[number] = bytes(body)
                case pop3.ErrorReply(pop3.Retr(number), text):
                    refused[number] = pop3.errors.printable(text)
        session.call(pop3.Quit())
    return messages, refused


def main(host: str, port: str, user: str, folder: str) -> None:
    # Not ssl.create_default_context(): gevent's is the standard library's, which would block.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    try:
        messages, refused = fetch_all(host, int(port), user, os.environ["POP3_PASSWORD"], context)
    except (pop3.Pop3Error, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    for number, content in messages.items():
        Path(folder, f"{number}.eml").write_bytes(content)
    for number, text in refused.items():
        print(f"message {number} was refused: {text}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
