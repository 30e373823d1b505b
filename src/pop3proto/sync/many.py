"""Many accounts at once, in threads or in the tasks of an event loop."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import suppress
from errno import EINTR
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._arguments import require_seconds
from ..errors import LocalProtocolError
from .schedule import AccountResult, Job, Schedule

if TYPE_CHECKING:
    from socket import socket
    from types import TracebackType
    from typing import Protocol, Self

    class Tasks(Protocol):
        """What is needed of an event loop."""

        async def __aenter__(self) -> Self: ...
        async def __aexit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            traceback: TracebackType | None,
        ) -> None: ...
        def start(self, function: Callable[[], Awaitable[None]]) -> None: ...
        def wake(self) -> None: ...
        async def sleep(self, seconds: float | None) -> None: ...
        def now(self) -> float: ...


__all__ = ["AsyncResults", "fetch_many", "fetch_many_async"]

A = TypeVar("A")
T = TypeVar("T")

# Seconds after which connections are closed once more, for those that were only beginning.
_AGAIN = 0.05


def fetch_many(
    accounts: Iterable[A],
    fetch: Callable[[A], T],
    *,
    host: Callable[[A], str],
    concurrency: int = 8,
    per_host: int = 2,
    attempts: int = 3,
    pause: float = 5.0,
    patience: float | None = None,
) -> Generator[AccountResult[A, T]]:
    """Call ``fetch`` for each account, in threads, and yield the results as they come.

    ``accounts`` are of any type, and ``fetch`` does a whole session: it connects, logs in and
    fetches. A state file can be shared, but each call opens it by itself. ``host`` returns the name
    of an account's server. At most ``concurrency`` accounts are fetched at the same time, of them
    ``per_host`` on one host. If ``fetch`` raises an error whose ``transient`` is true, it is called
    again after ``pause`` seconds, then after twice as many, in all ``attempts`` times. A host that
    cannot be reached is left alone for that time, with all its accounts. No error of one account
    disturbs another one: it becomes its result.

    If you leave the loop early, also by Ctrl+C, no other account begins. Those that have begun are
    ended: the connections that their threads have made with ``pop3proto`` are closed, whatever they
    wait for. They are then waited for, but no longer than ``patience`` seconds, if it is given.

    Raises ``LocalProtocolError`` for a wrong argument.
    """
    if patience is not None:
        require_seconds("patience", patience, zero=True)
    schedule = Schedule(accounts, host, fetch, concurrency, per_host, attempts, pause)
    return _results(schedule, fetch, patience)


class _Sockets:
    """The connections of the threads, which can be closed while the threads wait for them."""

    def __init__(self) -> None:
        from threading import Lock
        from weakref import WeakSet

        self._lock = Lock()
        self._closed = False
        self._sockets: WeakSet[socket] = WeakSet()

    def add(self, sock: socket) -> None:
        """Take note of a socket. Raises ``OSError`` if no more of them may be connected."""
        with self._lock:
            if self._closed:
                raise InterruptedError(EINTR, "the program does not wait for this any more")
            self._sockets.add(sock)

    def close(self) -> None:
        """End what the threads wait for. One that only begins to connect does not notice it yet."""
        from socket import SHUT_RDWR, socket

        with self._lock:
            self._closed = True
            sockets = [*self._sockets]
        for sock in sockets:
            # Of the plain socket: TLS would want to say goodbye.
            with suppress(OSError):
                socket.shutdown(sock, SHUT_RDWR)


def _results(
    schedule: Schedule[A], fetch: Callable[[A], T], patience: float | None
) -> Generator[AccountResult[A, T]]:
    from queue import Empty, SimpleQueue
    from threading import Thread
    from time import monotonic

    from ..transports.blocking import watched

    ended: SimpleQueue[tuple[Job[A], T | None, BaseException | None]] = SimpleQueue()
    sockets = _Sockets()

    def work(job: Job[A]) -> None:
        value: T | None = None
        failed: BaseException | None = None
        try:
            with watched(sockets.add):
                value = fetch(job.account)
        except BaseException as error:  # noqa: BLE001 - it becomes the result
            # Also a mistake in ``fetch``: the result shows it, and the other accounts go on.
            failed = error
        ended.put((job, value, failed))

    try:
        while schedule.left:
            while (job := schedule.begin(monotonic())) is not None:
                # A program that ends does not wait for them: a session can be stopped anywhere.
                Thread(target=work, args=(job,), name="pop3proto-fetch", daemon=True).start()
            try:
                job, value, error = ended.get(timeout=schedule.seconds_to_next(monotonic()))
            except Empty:
                continue
            if schedule.end(job, error, monotonic()):
                yield AccountResult(job.account, value, _failure(error), job.attempts)
    finally:
        deadline = None if patience is None else monotonic() + patience
        while schedule.running and (deadline is None or monotonic() < deadline):
            sockets.close()
            with suppress(Empty):
                job, _, error = ended.get(timeout=_AGAIN)
                schedule.end(job, error, monotonic())


def _failure(error: BaseException | None) -> Exception | None:
    """Return the error of an account; raise what is more than that, such as ``SystemExit``."""
    if error is None or isinstance(error, Exception):
        return error
    raise error


def fetch_many_async(
    accounts: Iterable[A],
    fetch: Callable[[A], Awaitable[T]],
    *,
    host: Callable[[A], str],
    concurrency: int = 100,
    per_host: int = 2,
    attempts: int = 3,
    pause: float = 5.0,
) -> AsyncResults[A, T]:
    """Do the same as ``fetch_many()`` in tasks of asyncio or trio, with an async ``fetch``::

        async with fetch_many_async(accounts, fetch, host=...) as results:
            async for result in results:
                ...

    At the end of the block, what is still running is cancelled. Raises ``LocalProtocolError`` for a
    wrong argument.
    """
    schedule = Schedule(accounts, host, fetch, concurrency, per_host, attempts, pause)
    return AsyncResults(schedule, fetch)


class AsyncResults(Generic[A, T]):
    """The results of many accounts, as they come; ``fetch_many_async()`` makes it."""

    def __init__(self, schedule: Schedule[A], fetch: Callable[[A], Awaitable[T]]) -> None:
        self._schedule = schedule
        self._fetch = fetch
        self._ended: list[tuple[Job[A], T | None, BaseException | None]] = []
        self._tasks: Tasks | None = None

    async def __aenter__(self) -> Self:
        self._tasks = await _tasks().__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._tasks is not None:
            await self._tasks.__aexit__(kind, error, traceback)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AccountResult[A, T]:
        """Return the next result. Raises ``LocalProtocolError`` outside of ``async with``."""
        schedule, tasks = self._schedule, self._tasks
        if tasks is None:
            raise LocalProtocolError("the results are used in an async with block")
        while schedule.left:
            while (job := schedule.begin(tasks.now())) is not None:
                tasks.start(self._work(tasks, job))
            if not self._ended:
                await tasks.sleep(schedule.seconds_to_next(tasks.now()))
                continue
            job, value, failed = self._ended.pop(0)
            if schedule.end(job, failed, tasks.now()):
                return AccountResult(job.account, value, _as_result(failed), job.attempts)
        raise StopAsyncIteration

    def _work(self, tasks: Tasks, job: Job[A]) -> Callable[[], Awaitable[None]]:
        async def work() -> None:
            value: T | None = None
            failed: BaseException | None = None
            try:
                value = await self._fetch(job.account)
            except BaseException as error:
                # Also a mistake in ``fetch``: the result shows it, and the other accounts go on.
                failed = error
                if not isinstance(error, Exception):
                    # It is for the event loop, too.
                    raise
            finally:
                self._ended.append((job, value, failed))
                tasks.wake()

        return work


def _as_result(error: BaseException | None) -> Exception | None:
    """Return the error of an account: a task that was cancelled alone has failed, too."""
    if error is None or isinstance(error, Exception):
        return error
    failure = RuntimeError("fetch was cancelled")
    failure.__cause__ = error
    return failure


class _Asyncio:
    def __init__(self) -> None:
        import asyncio

        self._group = asyncio.TaskGroup()
        self._event = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self.now: Callable[[], float] = asyncio.get_running_loop().time

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for task in self._running:
            task.cancel()
        # No task fails, so that the group has no error to tell besides that of the block.
        with suppress(BaseExceptionGroup):
            await self._group.__aexit__(kind, error, traceback)

    def start(self, function: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            await function()

        task = self._group.create_task(run())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def wake(self) -> None:
        self._event.set()

    async def sleep(self, seconds: float | None) -> None:
        import asyncio

        self._event.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()


class _Trio:
    def __init__(self) -> None:
        import trio

        self._manager: Any = trio.open_nursery()
        self._nursery: Any = None
        self._event: Any = trio.Event()
        self.now: Callable[[], float] = trio.current_time

    async def __aenter__(self) -> Self:
        self._nursery = await self._manager.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._nursery.cancel_scope.cancel()
        try:
            await self._manager.__aexit__(kind, error, traceback)
        except BaseExceptionGroup as group:
            import trio

            # No task fails, so that this is the error of the block, a cancellation, or what ends
            # the program: trio raises KeyboardInterrupt in any task.
            cancelled: Any = trio.Cancelled
            _, rest = group.split(lambda each: each is error or isinstance(each, cancelled))
            if rest is not None and len(rest.exceptions) == 1:
                raise rest.exceptions[0] from None
            if error is None or rest is not None:
                raise

    def start(self, function: Callable[[], Awaitable[None]]) -> None:
        self._nursery.start_soon(function)

    def wake(self) -> None:
        self._event.set()

    async def sleep(self, seconds: float | None) -> None:
        from math import inf

        import trio

        self._event = trio.Event()
        with trio.move_on_after(inf if seconds is None else seconds):
            await self._event.wait()


def _tasks() -> Tasks:
    """Return the tasks of the event loop that runs; that of anyio is one of these two."""
    trio: Any = sys.modules.get("trio")
    return _Trio() if trio is not None and trio.lowlevel.in_trio_run() else _Asyncio()
