"""When a batch sends and looks, and what it does without waiting."""

from __future__ import annotations

from itertools import repeat
from typing import Any

import pytest

from pop3proto import ConnectionLostError, Noop, Ok, RemoteProtocolError, Retr, Stat
from pop3proto.client.stepping import run
from tests.client.test_exchange import Looking, Scripted, batch, exchange


def results_of(results: Any, count: int) -> list[Any]:
    return [run(results.__anext__()) for _ in range(count)]


def test_what_has_arrived_needs_no_step_of_the_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    it = exchange(Scripted([b"+OK one\r\n+OK two\r\n+OK three\r\n", b"+OK after\r\n"]))
    results = batch(it, *[Noop()] * 3, pipelining=True)
    assert results_of(results, 1) == [Ok(Noop(), "one")]

    async def none() -> None:
        raise AssertionError("nothing has to be awaited")

    monkeypatch.setattr(results, "_next", none)
    assert results_of(results, 2) == [Ok(Noop(), "two"), Ok(Noop(), "three")]
    # With its last result it has ended, and another call may begin.
    assert it.turn is None
    assert run(it.ask(Noop())) == Ok(Noop(), "after")


@pytest.mark.parametrize("pipelining", [True, False])
def test_nothing_is_sent_after_what_answers_nothing(pipelining: bool) -> None:
    stream = Looking([b"+OK nobody asked\r\n"])
    with pytest.raises(RemoteProtocolError):
        run(batch(exchange(stream), Noop(), Noop(), pipelining=pipelining).__anext__())
    assert stream.sent == []


def test_a_look_only_where_no_answer_is_outstanding() -> None:
    stream = Looking([None], repeat(b"+OK\r\n"))
    # Seven eighths of a window of 4,096 are out when more is sent.
    results_of(batch(exchange(stream), *[Noop()] * 6000, pipelining=True), 6000)
    assert stream.looks == 1
    assert [len(sent) // len(b"NOOP\r\n") for sent in stream.sent] == [4096, 512, 512, 512, 368]


@pytest.mark.parametrize(("commands", "ahead"), [(1, False), (2, True), (3, True)])
def test_an_error_names_commands_that_were_sent_ahead(commands: int, ahead: bool) -> None:
    results = batch(exchange(Scripted([b""])), *[Retr(1)] * commands, pipelining=True)
    with pytest.raises(ConnectionLostError) as caught:
        run(results.__anext__())
    assert ("pipelining=False" in caught.value.hint) is ahead


def test_a_batch_that_is_left_skips_its_answers_and_sends_nothing_more() -> None:
    stream = Scripted([b"+OK one\r\n+OK", b" two\r\n+OK three\r\n", b"+OK 1 2\r\n"])
    it = exchange(stream)
    results = batch(it, *[Noop()] * 3, pipelining=True)
    assert results_of(results, 1) == [Ok(Noop(), "one")]
    run(results.aclose())
    assert stream.sent == [b"NOOP\r\n" * 3]
    with pytest.raises(StopAsyncIteration):
        run(results.__anext__())
    assert type(run(it.ask(Stat()))).__name__ == "StatReply"


def test_more_is_sent_as_soon_as_an_eighth_is_answered_whatever_is_at_hand() -> None:
    # All answers to the first window arrive at once, and nothing after them.
    stream = Scripted([b"+OK\r\n" * 4096])
    results = batch(exchange(stream), *[Noop()] * 6000, pipelining=True)
    results_of(results, 512)
    assert [len(sent) // len(b"NOOP\r\n") for sent in stream.sent] == [4096]
    # What is at hand needs no wait for the answers to what was sent then.
    assert results_of(results, 1) == [Ok(Noop())]
    assert [len(sent) // len(b"NOOP\r\n") for sent in stream.sent] == [4096, 512]
