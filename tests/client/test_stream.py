"""The stream that shows what passes to a recorder, and the time that is left."""

from __future__ import annotations

from typing import Any

import pytest

from pop3proto.client.stepping import run
from pop3proto.client.stream import RecordingStream, receive_at_hand, time_left
from pop3proto.transcript import Recorder
from tests.client.test_exchange import Looking, Scripted


class Asked(Scripted):
    """One that keeps what it was asked for."""

    def __init__(self, *chunks: bytes) -> None:
        super().__init__(chunks)
        self.asked: list[Any] = []

    async def send(self, data: bytes, timeout: float | None) -> None:
        self.asked.append((data, timeout))

    async def aclose(self) -> None:
        self.asked.append("aclose")

    def abort(self) -> None:
        self.asked.append("abort")


def test_what_is_recorded_passes_unchanged() -> None:
    below, recorder = Asked(b"+OK\r\n"), Recorder()
    stream = RecordingStream(below, recorder)
    run(stream.send(b"NOOP\r\n", 5.0))
    assert run(stream.receive(6.0)) == b"+OK\r\n"
    assert below.timeouts == [6.0]
    run(stream.aclose())
    stream.abort()
    assert below.asked == [(b"NOOP\r\n", 5.0), "aclose", "abort"]
    recorded = recorder.transcript.dumps()
    assert "NOOP" in recorded
    assert "+OK" in recorded


def test_what_is_at_hand_is_recorded_too() -> None:
    recorder = Recorder()
    stream = RecordingStream(Looking([b"+OK stray\r\n", None]), recorder)
    assert run(stream.receive_at_hand()) == b"+OK stray\r\n"
    assert run(stream.receive_at_hand()) is None
    assert "stray" in recorder.transcript.dumps()
    # This one cannot tell.
    assert run(receive_at_hand(Scripted([b"x"]))) is None


@pytest.mark.parametrize(
    ("deadline", "left"), [(None, None), (110.0, 10.0), (100.0, 0.0), (90.0, 0.0)]
)
def test_the_time_that_is_left(
    deadline: float | None, left: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pop3proto.client.stream.monotonic", lambda: 100.0)
    assert time_left(deadline) == left
