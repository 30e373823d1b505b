"""A collector by itself, fed with the body of a reply."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pop3proto import Command, Limits
from pop3proto.engine.collectors import COLLECTORS
from pop3proto.engine.wire import BodyReader, ReceiveBuffer


class Feed:
    """A collector, and the buffer from which it reads the body behind a status line."""

    def __init__(
        self, command: Command[Any], limits: Limits | None = None, status: bytes = b"+OK text\r\n"
    ) -> None:
        self.buffer = ReceiveBuffer()
        self.buffer.feed(status)
        assert self.buffer.next_line(100, "status_line") is not None
        body = BodyReader(self.buffer).begin()
        self.collector = COLLECTORS[command.answer](command, "text", body, limits or Limits())

    def take(self, chunks: Iterable[bytes]) -> bool:
        complete = False
        for chunk in chunks:
            assert not complete
            self.buffer.feed(chunk)
            complete = self.collector.collect()
        return complete

    def reply(self, chunks: Iterable[bytes]) -> Any:
        assert self.take(chunks)
        return self.collector.reply()
