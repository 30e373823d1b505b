"""The engine on octets in memory, beside poplib's own parser on a buffered reader."""

from __future__ import annotations

import hashlib
import io
import poplib
import time
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks import corpora
from pop3proto import ClientConnection, Limits, Message, MessageData, Pass, Retr, Signal, User

# A pass is repeated until that many seconds are spent, fewer on less mail, and at least so often.
_ENOUGH = 0.25
_PASSES = 3


def logged_in(commands_in_flight: int = 1) -> ClientConnection:
    """A connection in TRANSACTION, with room for that many commands sent ahead."""
    connection = ClientConnection(limits=Limits(commands_in_flight=max(commands_in_flight, 2)))
    connection.receive_data(b"+OK ready\r\n")
    connection.next_event()
    for command in (User("tester@example.org"), Pass("correct horse")):
        connection.send(command)
        connection.receive_data(b"+OK\r\n")
        connection.next_event()
    return connection


class Pop3proto:
    """The public engine, for whoever collects messages: chunks in, whole messages or events out."""

    def __init__(self, corpus: corpora.Corpus) -> None:
        self._count = len(corpus.messages)
        self._chunks = corpus.chunks()

    def prepare(self) -> None:
        self._connection = logged_in(self._count)
        for number in range(1, self._count + 1):
            self._connection.send(Retr(number))

    def run(self) -> int:
        """How many octets of content came out."""
        connection, octets = self._connection, 0
        receive_data, next_whole = connection.receive_data, connection.next_whole
        # Up to Python 3.11, looking up a member takes time that is not the engine's.
        need_data = Signal.NEED_DATA
        for chunk in self._chunks:
            receive_data(chunk)
            while (event := next_whole()) is not need_data:
                if type(event) is Message:
                    octets += len(event.content)
                elif type(event) is MessageData:
                    octets += len(event.data)
        return octets

    def content(self) -> Iterable[bytes]:
        """What came out, for the check before the clock starts."""
        for chunk in self._chunks:
            self._connection.receive_data(chunk)
            while (event := self._connection.next_whole()) is not Signal.NEED_DATA:
                if type(event) is Message:
                    yield event.content
                elif type(event) is MessageData:
                    yield event.data


class Poplib:
    """The standard library's own parser on a buffered reader, as it has it on a socket."""

    def __init__(self, corpus: corpora.Corpus) -> None:
        self._count = len(corpus.messages)
        self._stream = corpus.stream()

    def prepare(self) -> None:
        # Without __init__(), which would connect. Nothing is sent: the commands of the other
        # contestant are in flight too before its clock starts.
        pop3: Any = object.__new__(poplib.POP3)
        pop3._debugging = 0
        pop3.file = io.BufferedReader(io.BytesIO(self._stream))
        self._pop3 = pop3

    def run(self) -> int:
        octets: int = 0
        read = self._pop3._getlongresp
        for _ in range(self._count):
            octets += read()[2]
        return octets

    def content(self) -> Iterable[bytes]:
        for _ in range(self._count):
            for line in self._pop3._getlongresp()[1]:
                yield line + b"\r\n"


_CONTESTANTS: dict[str, Callable[[corpora.Corpus], Pop3proto | Poplib]] = {
    "pop3proto": Pop3proto,
    "poplib": Poplib,
}


def parse(who: str, corpus: str, count: int) -> dict[str, float]:
    """The least CPU for all of a corpus, or of a ``count``-th of it; a unit is a MiB of content."""
    mail = corpora.build(corpus, count)
    runner = _CONTESTANTS[who](mail)
    runner.prepare()
    digest = hashlib.sha256()
    for piece in runner.content():
        digest.update(piece)
    if digest.digest() != hashlib.sha256(b"".join(mail.messages)).digest():
        raise AssertionError(f"{who} does not return what {corpus} consists of")
    units = mail.content_octets / 1024**2
    mail.messages.clear()
    return {"cpu": _least(runner.prepare, runner.run, _ENOUGH / count), "units": units}


def _least(prepare: Callable[[], object], run: Callable[[], object], enough: float) -> float:
    """The CPU of the pass that was disturbed least."""
    least, spent, passes = float("inf"), 0.0, 0
    while passes < _PASSES or spent < enough:
        prepare()
        begin = time.process_time()
        run()
        seconds = time.process_time() - begin
        least, spent, passes = min(least, seconds), spent + seconds, passes + 1
    return least
