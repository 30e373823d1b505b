"""Waiting for the end, in commands that run until somebody ends them."""

from __future__ import annotations

import signal
from collections.abc import Callable
from threading import Event

from .main import ending_signals

__all__ = ["wait_until_told"]

# Seconds between two looks at what has happened.
_LOOKS = 0.5


def wait_until_told(announce: Callable[[], object], look: Callable[[], object]) -> None:
    """Wait until the process is told to end, or ``look()`` returns True, now and then.

    ``announce()`` tells that the command runs. From then on, being told to end is no error.
    """
    told = Event()

    def tell(number: int, frame: object) -> None:
        told.set()

    numbers = (signal.SIGINT, *ending_signals())
    previous = {number: signal.signal(number, tell) for number in numbers}
    try:
        announce()
        # With a timeout, because on Windows a signal does not end the wait.
        while not told.wait(_LOOKS):
            if look():
                break
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    look()
