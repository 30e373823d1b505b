"""Where the time of small mail goes: each layer does what the one before it does, and more."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from benchmarks import corpora
from benchmarks.engine import logged_in
from benchmarks.server import HOST, Address
from pop3proto import ClientConnection, Message, MessageData, Retr, Signal

LAYERS = {
    "scan": "raw loop: bytes.find() for the end of each answer, and a copy of it",
    "events": "pop3proto, the engine: receive_data() and next_event()",
    "whole": "pop3proto, the engine: receive_data() and next_whole()",
    "client": "pop3proto, the blocking client: on answers in memory",
    "socket": "pop3proto, the blocking client: on a socket",
}
_CHUNK = 64 * 1024
_PASSES = 3
_CAPABILITIES = b"+OK\r\nPIPELINING\r\nTOP\r\nUIDL\r\nUSER\r\n.\r\n"
# What a server says until a client that asks for capabilities before and after is logged in.
_LOGIN = [b"+OK ready\r\n", _CAPABILITIES, b"+OK\r\n", b"+OK\r\n", _CAPABILITIES]
_END = b"\r\n.\r\n"


def run(
    layer: str, count: int, address: dict[str, Any], maildrop: dict[str, Any]
) -> dict[str, float]:
    """The least CPU for ``count`` messages that were asked for ahead."""
    messages = corpora.build("small", max(1, 10_000 // count)).messages
    answers = [corpora.response(message) for message in messages]
    wanted = sum(len(one) - one.index(b"\r\n") - len(_END) for one in answers)
    least = float("inf")
    for _ in range(_PASSES):
        client = _connected(Address(**address)) if layer == "socket" else None
        work = _collecting(client, len(answers)) if client else _MAKERS[layer](answers)
        begin = time.process_time()
        got = work()
        least = min(least, time.process_time() - begin)
        if client:
            client.quit()
        elif got != wanted:  # the server's own mail has another size
            raise AssertionError(f"{layer} got {got} where {wanted} was to be got")
    return {"cpu": least, "units": len(answers)}


def _chunks(answers: list[bytes]) -> list[bytes]:
    stream = b"".join(answers)
    return [stream[i : i + _CHUNK] for i in range(0, len(stream), _CHUNK)]


def _scan(answers: list[bytes]) -> Callable[[], int]:
    """The plainest way. These messages have no other line that begins with a dot."""
    chunks = _chunks(answers)

    def work() -> int:
        octets, rest = 0, b""
        for chunk in chunks:
            data, start = rest + chunk, 0
            while (status := data.find(b"\r\n", start)) >= 0:
                end = data.find(_END, status)
                if end < 0:
                    break
                octets += len(data[status + 2 : end + 2])
                start = end + len(_END)
            rest = data[start:]
        return octets

    return work


def _in_flight(count: int) -> ClientConnection:
    connection = logged_in(count + 1)
    for number in range(1, count + 1):
        connection.send(Retr(number))
    return connection


def _events(answers: list[bytes]) -> Callable[[], int]:
    chunks, connection = _chunks(answers), _in_flight(len(answers))

    def work() -> int:
        octets, need_data = 0, Signal.NEED_DATA
        for chunk in chunks:
            connection.receive_data(chunk)
            while (event := connection.next_event()) is not need_data:
                if type(event) is MessageData:
                    octets += len(event.data)
        return octets

    return work


def _whole(answers: list[bytes]) -> Callable[[], int]:
    chunks, connection = _chunks(answers), _in_flight(len(answers))

    def work() -> int:
        octets, need_data = 0, Signal.NEED_DATA
        for chunk in chunks:
            connection.receive_data(chunk)
            while (event := connection.next_whole()) is not need_data:
                if type(event) is Message:
                    octets += len(event.content)
                elif type(event) is MessageData:
                    octets += len(event.data)
        return octets

    return work


def _client(answers: list[bytes]) -> Callable[[], int]:
    from pop3proto.transports.blocking import Client

    client = Client.start(_Stream(_LOGIN + answers), **_plain())
    client.login("user", "secret")
    return _collecting(client, len(answers))


def _connected(address: Address) -> Any:
    from pop3proto.transports.blocking import connect

    client = connect(HOST, address.port, **_plain())
    client.login("user", "secret")
    return client


def _plain() -> dict[str, Any]:
    from pop3proto.transports import ClientOptions

    return {"security": "plaintext", "options": ClientOptions(allow_plaintext_auth=True)}


def _collecting(client: Any, count: int) -> Callable[[], int]:
    return lambda: sum(len(one.content) for one in client.retr_many(range(1, count + 1)))


_MAKERS = {"scan": _scan, "events": _events, "whole": _whole, "client": _client}


class _Stream:
    """A stream to a server that answers from memory, in chunks, and has greeted already."""

    def __init__(self, answers: list[bytes]) -> None:
        self._stream = b"".join(answers)
        self._ends = list(accumulate(map(len, answers)))
        self._asked = 1
        self._at = 0

    async def send(self, data: bytes, timeout: float | None) -> None:
        self._asked += data.count(b"\n")

    async def receive(self, timeout: float | None) -> bytes:
        until = self._ends[self._asked - 1]
        begin, self._at = self._at, min(self._at + _CHUNK, until)
        return self._stream[begin : self._at]

    async def aclose(self) -> None:
        pass

    def abort(self) -> None:
        pass
