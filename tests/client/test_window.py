"""How far a batch sends ahead, counted by a server in memory that answers one command at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import pytest

from pop3proto import Command, CommandError, ConnectionLostError, Noop, Retr
from pop3proto.client.batch import WINDOW_EXPECTED, WINDOW_OCTETS, WINDOW_REPLIES
from pop3proto.client.stream import SEND_BUFFER
from pop3proto.errors import BusyError
from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.blocking import Client

ANSWERS = {
    b"CAPA": b"+OK\r\nUSER\r\nPIPELINING\r\n.\r\n",
    b"RETR": b"+OK\r\nx\r\n.\r\n",
}


class CountingStream:
    """Answers a command when it is asked for octets, and notes how much was unanswered at most."""

    def __init__(self, sizes: dict[bytes, int], pipelining: bool = True) -> None:
        self.octets = self.replies = self.expected = 0
        self.sends = 0
        self._sizes = sizes
        self._answers = ANSWERS if pipelining else {**ANSWERS, b"CAPA": b"+OK\r\nUSER\r\n.\r\n"}
        self._asked: deque[bytes] = deque([b""])

    def _answer(self, line: bytes) -> bytes:
        if line == b"LIST\r\n":
            rows = [b"%s %d\r\n" % row for row in self._sizes.items()]
            return b"".join([b"+OK\r\n", *rows, b".\r\n"])
        return self._answers.get(line[:4], b"+OK\r\n")

    def _size(self, line: bytes) -> int:
        return self._sizes.get(line[5:-2], 0) if line.startswith(b"RETR") else 0

    async def send(self, data: bytes, timeout: float | None) -> None:
        self._asked += data.splitlines(keepends=True)
        self.sends += 1
        self.octets = max(self.octets, sum(map(len, self._asked)))
        self.replies = max(self.replies, len(self._asked))
        self.expected = max(self.expected, sum(map(self._size, self._asked)))

    async def receive(self, timeout: float | None) -> bytes:
        return self._answer(self._asked.popleft())

    async def aclose(self) -> None:
        pass

    def abort(self) -> None:
        pass


def run(
    stream: CountingStream, commands: Iterable[Command[object]], *, listed: bool = False
) -> int:
    """Run ``commands`` as a batch over ``stream``; how many outcomes there were."""
    options = ClientOptions(allow_plaintext_auth=True)
    with Client.start(stream, security=Security.PLAINTEXT, options=options) as client:
        client.login("user", "secret", mechanisms=["USER"])
        if listed:
            client.list()
        stream.octets = stream.replies = stream.expected = stream.sends = 0
        outcomes = client.batch(commands).outcomes()
        return sum(not isinstance(outcome, CommandError) for outcome in outcomes)


LONGEST_LINE = len(Retr(20_000).to_bytes())


def test_the_octets_of_commands_are_bounded() -> None:
    stream = CountingStream({})
    assert run(stream, map(Retr, range(1, 20_001))) == 20_000
    assert WINDOW_OCTETS <= stream.octets < WINDOW_OCTETS + LONGEST_LINE
    # What is sent before all of it is answered still has to fit into what a stream takes.
    assert WINDOW_OCTETS < SEND_BUFFER
    # A few large packets.
    assert stream.sends < 20_000 * LONGEST_LINE / (WINDOW_OCTETS / 8) + 2


def test_the_replies_are_bounded() -> None:
    stream = CountingStream({})
    assert run(stream, [Noop()] * 20_000) == 20_000
    assert stream.replies == WINDOW_REPLIES
    assert stream.octets < WINDOW_OCTETS


@pytest.mark.parametrize("size", [64 * 1024, 1024 * 1024, 10 * WINDOW_EXPECTED])
def test_the_octets_of_messages_are_bounded_if_they_are_known(size: int) -> None:
    sizes = {b"%d" % number: size for number in range(1, 1001)}
    stream = CountingStream(sizes)
    assert run(stream, map(Retr, range(1, 1001)), listed=True) == 1000
    assert max(WINDOW_EXPECTED, size) <= stream.expected < WINDOW_EXPECTED + size
    if size > WINDOW_EXPECTED:
        assert stream.replies == 1


def test_one_that_is_large_waits_for_no_more_than_the_ones_before() -> None:
    sizes = {b"%d" % number: 4096 for number in range(1, 1001)}
    sizes[b"500"] = 10 * WINDOW_EXPECTED
    stream = CountingStream(sizes)
    assert run(stream, map(Retr, range(1, 1001)), listed=True) == 1000
    assert stream.expected < 11 * WINDOW_EXPECTED


def test_small_mail_is_asked_for_as_far_ahead_as_if_its_size_were_not_known() -> None:
    sizes = {b"%d" % number: 4096 for number in range(1, 9001)}
    stream = CountingStream(sizes)
    assert run(stream, map(Retr, range(1, 9001)), listed=True) == 9000
    assert WINDOW_OCTETS <= stream.octets < WINDOW_OCTETS + LONGEST_LINE


def test_without_pipelining_one_command_is_out_at_a_time() -> None:
    stream = CountingStream({}, pipelining=False)
    assert run(stream, map(Retr, range(1, 101))) == 100
    assert stream.replies == 1


class LosingStream(CountingStream):
    """A send behind ``taken`` others ends in an error; of all RETRs, some are answered."""

    def __init__(self, taken: int, answered: int) -> None:
        super().__init__({})
        self._taken = taken
        self._left = answered

    async def send(self, data: bytes, timeout: float | None) -> None:
        await super().send(data, timeout)
        if data.startswith(b"RETR"):
            if not self._taken:
                raise ConnectionResetError("gone")
            self._taken -= 1

    async def receive(self, timeout: float | None) -> bytes:
        if self._asked[0].startswith(b"RETR"):
            if not self._left:
                return b""
            self._left -= 1
        return await super().receive(timeout)


@pytest.mark.parametrize("answered", [2000, 2900])
def test_answers_that_came_before_an_error_of_sending(answered: int) -> None:
    """The peer answers and goes; what is wrong shows when more is sent, behind its answers."""
    stream = LosingStream(1, answered)
    outcomes: list[int] = []
    options = ClientOptions(allow_plaintext_auth=True)
    client = Client.start(stream, security=Security.PLAINTEXT, options=options)
    client.login("user", "secret", mechanisms=["USER"])
    with pytest.raises(ConnectionLostError):
        outcomes.extend(len(message) for message in client.retr_many(range(1, 9001)))
    assert outcomes == [3] * answered
    assert client.closed


def test_an_error_of_sending_behind_the_last_answer() -> None:
    """All that was sent is answered, and yet the batch has not come to its end."""
    stream = LosingStream(1, 9000)
    options = ClientOptions(allow_plaintext_auth=True, pipelining=False)
    client = Client.start(stream, security=Security.PLAINTEXT, options=options)
    client.login("user", "secret", mechanisms=["USER"])
    batch = client.retr_many([1, 2])
    assert [len(next(batch)) for _ in range(2)] == [3, 3]
    with pytest.raises(ConnectionLostError, match="gone"):
        next(batch)
    assert client.closed


def test_a_batch_goes_on_where_a_loop_has_left_it() -> None:
    options = ClientOptions(allow_plaintext_auth=True)
    client = Client.start(CountingStream({}), security=Security.PLAINTEXT, options=options)
    client.login("user", "secret", mechanisms=["USER"])
    batch = client.retr_many(range(1, 10))
    commands: list[Command[object]] = []
    for message in batch:
        commands.append(message.command)
        if len(commands) == 3:
            break
    commands.append(next(batch).command)
    # Two loops at a time share what is left.
    for first, second in zip(batch, batch, strict=False):
        commands += [first.command, second.command]
        if len(commands) == 8:
            break
    with pytest.raises(BusyError):
        client.noop()
    commands += [message.command for message in batch]
    assert commands == [Retr(number) for number in range(1, 10)]
    assert list(batch) == []
    client.noop()


def test_an_outcome_that_a_loop_has_not_come_to_is_skipped() -> None:
    options = ClientOptions(allow_plaintext_auth=True)
    client = Client.start(CountingStream({}), security=Security.PLAINTEXT, options=options)
    client.login("user", "secret", mechanisms=["USER"])
    with client.retr_many(range(1, 10)) as batch:
        for message in batch:
            assert message.command == Retr(1)
            break
    client.noop()
    assert not client.deviations
