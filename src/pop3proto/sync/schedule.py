"""Which of many accounts is fetched next: limits, and pauses after errors. It does no I/O."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from itertools import count
from typing import Generic, NamedTuple, TypeVar

from .._arguments import require_count, require_items, require_seconds
from ..errors import ConnectError, LocalProtocolError

__all__ = ["AccountResult", "Job", "Schedule"]

A = TypeVar("A")
T = TypeVar("T")


class AccountResult(NamedTuple, Generic[A, T]):
    """What came of one of many accounts."""

    account: A
    value: T | None
    """What ``fetch`` has returned; ``None`` if it has failed."""
    error: Exception | None
    """What ``fetch`` has raised, at the last attempt; ``None`` if it has returned."""
    attempts: int
    """How often it was tried."""


class Job(Generic[A]):
    """An account that is to be fetched."""

    def __init__(self, account: A, host: str) -> None:
        self.account = account
        self.host = host
        self.attempts = 0


class Schedule(Generic[A]):
    """Says when to begin with an account, and whether to try it again.

    Times are in seconds, of any clock that does not go back.
    """

    def __init__(
        self,
        accounts: Iterable[A],
        host: Callable[[A], str],
        fetch: Callable[[A], object],
        concurrency: int,
        per_host: int,
        attempts: int,
        pause: float,
    ) -> None:
        require_items("accounts are a list, not", accounts)
        for name, function in ("host", host), ("fetch", fetch):
            if not callable(function):
                raise LocalProtocolError(f"{name} is a function, not {type(function).__name__}")
        require_count("concurrency", concurrency)
        require_count("per_host", per_host)
        require_count("attempts", attempts)
        require_seconds("pause", pause, zero=True)
        self._concurrency, self._per_host = concurrency, per_host
        self._attempts, self._pause = attempts, pause
        self._waiting: dict[str, deque[Job[A]]] = {}
        self._running: Counter[str] = Counter()
        # The hosts where something could begin at once, in the order of their turns.
        self._ready: dict[str, None] = {}
        # What goes on after a pause: a job, or a whole host.
        self._later: list[tuple[float, int, str, Job[A] | None]] = []
        self._serials = count()
        self._paused: set[str] = set()
        # How many times in a row a host could not be reached. After that it is not waited for any
        # more, or the accounts of a host that is gone would take hours.
        self._failures: Counter[str] = Counter()
        self.left: int = 0
        """How many accounts have no result yet."""
        for account in accounts:
            self.left += 1
            job = Job(account, host(account))
            self._waiting.setdefault(job.host, deque()).append(job)
            self._ready[job.host] = None

    @property
    def running(self) -> int:
        """How many accounts are being fetched."""
        return self._running.total()

    def begin(self, now: float) -> Job[A] | None:
        """Return the next account to begin with, or ``None`` if none may begin yet."""
        while self._later and self._later[0][0] <= now:
            _, _, host, job = heappop(self._later)
            if job is None:
                self._paused.discard(host)
            else:
                self._waiting.setdefault(host, deque()).append(job)
            self._look_at(host)
        if not self._ready or self.running >= self._concurrency:
            return None
        # The hosts take turns, so that a large one does not keep the others waiting.
        host = next(iter(self._ready))
        del self._ready[host]
        job = self._waiting[host].popleft()
        job.attempts += 1
        self._running[host] += 1
        self._look_at(host)
        return job

    def seconds_to_next(self, now: float) -> float | None:
        """Return the seconds until a pause ends; ``None`` if only the end of a job changes it."""
        return max(self._later[0][0] - now, 0.0) if self._later else None

    def end(self, job: Job[A], error: BaseException | None, now: float) -> bool:
        """Take note that a job has ended; return ``True`` if that is its result.

        Otherwise it begins again, after a pause that is twice as long each time.
        """
        host = job.host
        self._running[host] -= 1
        unreachable = isinstance(error, ConnectError)
        if not unreachable:
            self._failures[host] = 0
        elif host not in self._paused:
            self._failures[host] += 1
        hopeless = self._failures[host] >= self._attempts
        transient = bool(getattr(error, "transient", False))
        again = transient and job.attempts < self._attempts and not hopeless
        if again:
            until = now + self._pause * 2 ** (job.attempts - 1)
            heappush(self._later, (until, next(self._serials), host, job))
        else:
            self.left -= 1
        if unreachable and not hopeless and host not in self._paused:
            # Its other accounts would fail in the same way, one after the other.
            self._paused.add(host)
            self._ready.pop(host, None)
            until = now + self._pause * 2 ** (self._failures[host] - 1)
            heappush(self._later, (until, next(self._serials), host, None))
        self._look_at(host)
        return not again

    def _look_at(self, host: str) -> None:
        """Take note if something could begin at a host."""
        free = self._running[host] < self._per_host
        if free and self._waiting[host] and host not in self._paused:
            self._ready[host] = None
