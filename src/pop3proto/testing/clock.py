"""A virtual clock."""

from __future__ import annotations

from math import inf

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
        """Let ``seconds`` pass; raise ``ValueError`` if they are negative or infinite."""
        if not 0 <= seconds < inf:
            raise ValueError(f"seconds is a finite number, at least 0, not {seconds!r}")
        self._now += seconds
