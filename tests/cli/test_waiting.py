from __future__ import annotations

import signal

import pytest

from pop3proto.cli.main import ending_signals
from pop3proto.cli.waiting import wait_until_told


@pytest.mark.parametrize("number", [signal.SIGINT, *ending_signals()])
def test_a_command_can_be_ended_as_soon_as_it_says_that_it_runs(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    looks: list[None] = []
    wait_until_told(lambda: signal.raise_signal(number), lambda: looks.append(None))
    assert looks == [None]
    assert signal.getsignal(number) is before


def test_a_command_can_end_by_itself() -> None:
    said: list[str] = []

    def look() -> bool:
        said.append("look")
        return said.count("look") == 1

    wait_until_told(lambda: said.append("runs"), look)
    assert said == ["runs", "look", "look"]
