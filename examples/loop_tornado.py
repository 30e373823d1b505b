"""Fetch a maildrop with Tornado: its ``IOStream``, and ``start_tls``.

POP3_PASSWORD=... python loop_tornado.py pop.example.org 110 user@example.org FOLDER
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from asyncio import Future, ensure_future
from collections import deque
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, TypeVar, cast

from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpclient import TCPClient

import pop3proto as pop3
from pop3proto.sasl import channel_bindings

TIMEOUT = 60.0  # Seconds that the server may be silent.
WINDOW = 100  # RETRs sent ahead of their answers, if the server can take that.

R = TypeVar("R")


async def in_time(result: Awaitable[R]) -> R:
    """Wait for ``result``. Raises ``DeadlineError``."""
    try:
        async with asyncio.timeout(TIMEOUT):
            return await result
    except TimeoutError as error:
        raise pop3.DeadlineError(f"the server was silent for {TIMEOUT:g} s") from error


class Session:
    """An engine and a stream. Methods raise ``Pop3Error`` or ``OSError``."""

    def __init__(self, stream: IOStream) -> None:
        self.engine = pop3.ClientConnection()
        self.stream = stream
        self._reading: Future[bytes] | None = None  # A read that has begun, maybe long ago.

    def send(self, command: pop3.Command[Any]) -> None:
        """Send a command. Its answer comes after those to earlier commands."""
        if not self.engine.in_flight:
            self._look()
        # Not awaited: the stream goes on sending while it reads, and that is what keeps both
        # ends from waiting for each other. An error of sending shows at the next reading.
        self.stream.write(self.engine.send(command))

    def _look(self) -> None:
        """Take what has arrived, without waiting: the next command must not be answered by it."""
        if self._read().done():
            self.engine.receive_data(self._received())

    def _read(self) -> Future[bytes]:
        """Return the read that is under way; a new one is done if the socket has something."""
        if self._reading is None:
            try:
                self._reading = ensure_future(self.stream.read_bytes(65536, partial=True))
            except StreamClosedError as closed:
                self._reading = Future()
                self._reading.set_exception(closed)
        return self._reading

    async def next_event(self) -> pop3.ClientEvent:
        """Return the next event that is not a ``Deviation``."""
        while True:
            event = self.engine.next_event()
            if event is pop3.Signal.NEED_DATA:
                await in_time(asyncio.wait([self._read()]))
                self.engine.receive_data(self._received())
            elif not isinstance(event, pop3.Deviation):
                assert event is not pop3.Signal.PAUSED  # start_tls() leaves no time for it.
                return event

    def _received(self) -> bytes:
        """Return what the read that is done has read."""
        reading, self._reading = self._read(), None
        try:
            return reading.result()
        except StreamClosedError as closed:
            if closed.real_error is not None:
                raise closed.real_error from None
            return b""  # The engine decides if the stream may end here.

    async def reply(self) -> Any:
        """Return the next event; raise ``CommandError`` for ``-ERR``."""
        event = await self.next_event()
        if isinstance(event, pop3.ErrorReply):
            message = f"the server refused: {pop3.errors.printable(event.text)}"
            raise pop3.CommandError(message, command=event.command, reply=event)
        return event

    async def call(self, command: pop3.Command[R]) -> R:
        """Send a command whose answer is one event, and wait for it."""
        self.send(command)
        return cast(R, await self.reply())

    async def log_in(self, login: pop3.Login) -> pop3.LoginResult:
        """Log in, in whichever way; the greeting has been read."""
        command = login.feed(None, self.engine)
        while command is not None:
            self.send(command)
            command = login.feed(await self.next_event(), self.engine)
        return login.result

    async def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Demand STLS. The certificate is verified, and the host name in it."""
        await self.call(pop3.Stls())
        self.stream = await in_time(self.stream.start_tls(False, context, host))
        self.engine.tls_established()


async def fetch_all(
    host: str, port: int, user: str, password: str, context: ssl.SSLContext
) -> tuple[dict[int | str, bytes], dict[int | str, str]]:
    """Return the messages, and what the server said of those that it refused to send."""
    session = Session(await in_time(TCPClient().connect(host, port)))
    try:
        await session.reply()  # The greeting.
        await session.start_tls(context, host)
        bindings = channel_bindings(cast(ssl.SSLSocket, session.stream.socket))
        await session.log_in(pop3.Login(user, password, channel_binding=bindings, host=host))
        return await _fetched(session)
    finally:
        if session.stream.socket is not None:  # A start_tls() that failed has closed it.
            session.stream.close()


async def _fetched(session: Session) -> tuple[dict[int | str, bytes], dict[int | str, str]]:
    messages: dict[int | str, bytes] = {}
    refused: dict[int | str, str] = {}
    try:
        window = WINDOW if (await session.call(pop3.Capa())).capabilities.pipelining else 1
    except pop3.CommandError:
        window = 1
    numbers = deque((await session.call(pop3.List())).listings.numbers)
    body = bytearray()
    while numbers or session.engine.in_flight:
        while numbers and len(session.engine.in_flight) < window:
            session.send(pop3.Retr(numbers.popleft()))
        match await session.next_event():
            case pop3.MessageStart():
                body = bytearray()
            case pop3.MessageData(data):
                body += data
            case pop3.MessageEnd(pop3.Retr(number)):
                messages[number] = bytes(body)
            case pop3.ErrorReply(pop3.Retr(number), text):
                refused[number] = pop3.errors.printable(text)
    await session.call(pop3.Quit())
    return messages, refused


def main(host: str, port: str, user: str, folder: str) -> None:
    password, context = os.environ["POP3_PASSWORD"], ssl.create_default_context()
    try:
        messages, refused = asyncio.run(fetch_all(host, int(port), user, password, context))
    except (pop3.Pop3Error, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    for number, content in messages.items():
        Path(folder, f"{number}.eml").write_bytes(content)
    for number, text in refused.items():
        print(f"message {number} was refused: {text}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
