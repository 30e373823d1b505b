"""A clock that nobody waits for."""

from __future__ import annotations

from math import inf

__all__ = ["VirtualClock"]


class VirtualClock:
    """A time of its own, in seconds from 0, that passes only when ``advance()`` is called."""

    def __init__(self) -> None:
        self._now = 0.0

    def __repr__(self) -> str:
        return f"<VirtualClock: {self._now:g} s>"

    def now(self) -> float:
        """What time it is."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass. Raises ``ValueError`` if they are negative, or endless."""
        if not 0 <= seconds < inf:
            raise ValueError(f"time does not pass by {seconds!r} s")
        self._now += seconds
