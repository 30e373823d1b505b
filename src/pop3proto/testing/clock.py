"""A virtual clock."""

from __future__ import annotations

from math import inf

from .._arguments import require_seconds

__all__ = ["VirtualClock"]


class VirtualClock:
    """A clock that starts at 0 seconds, and moves only when ``advance()`` is called."""

    def __init__(self) -> None:
        self._now = 0.0

    def __repr__(self) -> str:
        return f"<VirtualClock: {self._now:g} s>"

    def now(self) -> float:
        """Return the time in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass; raise ``LocalProtocolError`` if they are negative or infinite."""
        require_seconds("seconds", seconds, zero=True, most=inf)
        self._now += seconds
