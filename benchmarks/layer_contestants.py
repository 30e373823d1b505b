"""Who takes part in ``layers``: each does what the one before it does, and something more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Any

from benchmarks import corpora
from benchmarks.engine_contestants import logged_in
from benchmarks.server import HOST, Address
from pop3proto import ClientConnection, Command, MessageData, Noop, Ok, Retr, Signal

_CHUNK = 64 * 1024
_KIB = 1024
_PASSES = 3
_CAPABILITIES = b"+OK\r\nPIPELINING\r\nTOP\r\nUIDL\r\nUSER\r\n.\r\n"
# What a server says until a client that asks for capabilities before and after is logged in.
_LOGIN = [b"+OK ready\r\n", _CAPABILITIES, b"+OK\r\n", b"+OK\r\n", _CAPABILITIES]


def run(layer: str, job: str, count: int, address: dict[str, Any]) -> float:
    """Seconds for one message or command, in the pass that was disturbed least."""
    answers = _answers(job, count)
    work = _MAKERS[layer](job, answers, Address(**address))
    expected = sum(map(_content_octets, answers)) if job == "retr" else count
    best = float("inf")
    for _ in range(_PASSES):
        seconds, got = work()
        # The server's own mail has no status line that would tell its exact size beforehand.
        if layer != "socket" and got != expected:
            raise AssertionError(f"{layer} got {got} where {expected} was to be got")
        best = min(best, seconds)
    return best / count


def _answers(job: str, count: int) -> list[bytes]:
    if job == "noop":
        return [b"+OK\r\n"] * count
    messages = corpora.build("small", max(1, 10_000 // count)).messages
    return [corpora.response(message) for message in messages]


def _content_octets(answer: bytes) -> int:
    return len(answer) - answer.index(b"\r\n") - len(b"\r\n.\r\n")


def _timed(work: Callable[[], int]) -> tuple[float, int]:
    begin = time.perf_counter()
    got = work()
    return time.perf_counter() - begin, got


def _scan(job: str, answers: list[bytes], address: Address) -> Callable[[], tuple[float, int]]:
    stream = b"".join(answers)
    chunks = [stream[i : i + _CHUNK] for i in range(0, len(stream), _CHUNK)]
    return lambda: _timed(lambda: _lines(chunks) if job == "noop" else _bodies(chunks))


def _lines(chunks: list[bytes]) -> int:
    count, rest = 0, b""
    for chunk in chunks:
        data, start = rest + chunk, 0
        while (end := data.find(b"\r\n", start)) >= 0:
            line = data[start:end]
            count += line == b"+OK"
            start = end + 2
        rest = data[start:]
    return count


def _bodies(chunks: list[bytes]) -> int:
    """The plainest way. These messages have no other line that begins with a dot."""
    octets, rest = 0, b""
    for chunk in chunks:
        data, start = rest + chunk, 0
        while (status := data.find(b"\r\n", start)) >= 0:
            end = data.find(b"\r\n.\r\n", status)
            if end < 0:
                break
            content = data[status + 2 : end + 2]
            octets += len(content)
            start = end + 5
        rest = data[start:]
    return octets


def _engine(job: str, answers: list[bytes], address: Address) -> Callable[[], tuple[float, int]]:
    def work() -> tuple[float, int]:
        connection = logged_in(len(answers) + 1)
        for command in _commands(job, len(answers)):
            connection.send(command)
        stream = b"".join(answers)
        chunks = [stream[i : i + _CHUNK] for i in range(0, len(stream), _CHUNK)]

        def pull() -> int:
            got = 0
            for chunk in chunks:
                connection.receive_data(chunk)
                got += _pull(connection)
            return got

        return _timed(pull)

    return work


def _with_commands(
    job: str, answers: list[bytes], address: Address
) -> Callable[[], tuple[float, int]]:
    def work() -> tuple[float, int]:
        connection = logged_in(len(answers) + 1)
        server = _Server(answers)

        def talk() -> int:
            # As many ahead as the clients have: a window of 32 KiB, refilled by halves.
            got = unanswered = 0
            lines: list[bytes] = []
            for command in _commands(job, len(answers)):
                lines.append(connection.send(command))
                unanswered += len(lines[-1])
                if unanswered >= 16 * _KIB:
                    server.take(b"".join(lines))
                    got += _drain(connection, server)
                    lines.clear()
                    unanswered = 0
            server.take(b"".join(lines))
            return got + _drain(connection, server)

        return _timed(talk)

    return work


def _client(job: str, answers: list[bytes], address: Address) -> Callable[[], tuple[float, int]]:
    from pop3proto.transports import ClientOptions, Security
    from pop3proto.transports.blocking import Client

    def work() -> tuple[float, int]:
        client = Client.start(
            _Stream(_LOGIN + answers),
            security=Security.PLAINTEXT,
            options=ClientOptions(allow_plaintext_auth=True),
        )
        client.login("user", "secret")
        return _timed(lambda: _batch(client, job, len(answers)))

    return work


def _socket(job: str, answers: list[bytes], address: Address) -> Callable[[], tuple[float, int]]:
    from pop3proto.transports import ClientOptions, Security
    from pop3proto.transports.blocking import connect

    def work() -> tuple[float, int]:
        options = ClientOptions(allow_plaintext_auth=True)
        with connect(HOST, address.port, security=Security.PLAINTEXT, options=options) as client:
            client.login("user", "secret")
            return _timed(lambda: _batch(client, job, len(answers)))

    return work


_MAKERS: dict[str, Callable[[str, list[bytes], Address], Callable[[], tuple[float, int]]]] = {
    "scan": _scan,
    "engine": _engine,
    "commands": _with_commands,
    "client": _client,
    "socket": _socket,
}


def _commands(job: str, count: int) -> Iterable[Command[Any]]:
    if job == "noop":
        return [Noop()] * count
    return map(Retr, range(1, count + 1))


def _batch(client: Any, job: str, count: int) -> int:
    if job == "noop":
        return sum(message.text == "" for message in client.batch([Noop()] * count))
    outcomes = client.retr_many(range(1, count + 1))
    return sum(len(message.content) for message in outcomes)


def _pull(connection: ClientConnection) -> int:
    """Octets of content, or positive answers."""
    got, next_event, need_data = 0, connection.next_event, Signal.NEED_DATA
    while (event := next_event()) is not need_data:
        if type(event) is MessageData:
            got += len(event.data)
        elif type(event) is Ok:
            got += 1
    return got


class _Server:
    """Answers in memory: as much as was asked for, in chunks."""

    def __init__(self, answers: list[bytes]) -> None:
        self._stream = b"".join(answers)
        self._ends = list(accumulate(map(len, answers)))
        self._asked = 0
        self._at = 0

    def take(self, commands: bytes) -> None:
        self._asked += commands.count(b"\n")

    def give(self) -> bytes:
        until = self._ends[self._asked - 1] if self._asked else 0
        begin, self._at = self._at, min(self._at + _CHUNK, until)
        return self._stream[begin : self._at]


def _drain(connection: ClientConnection, server: _Server) -> int:
    got = 0
    while chunk := server.give():
        connection.receive_data(chunk)
        got += _pull(connection)
    return got


class _Stream:
    """A stream to such a server, which has greeted already."""

    def __init__(self, answers: list[bytes]) -> None:
        self._server = _Server(answers)
        self._server.take(b"\n")

    async def send(self, data: bytes, timeout: float | None) -> None:
        self._server.take(data)

    async def receive(self, timeout: float | None) -> bytes:
        return self._server.give()

    async def aclose(self) -> None:
        pass

    def abort(self) -> None:
        pass
