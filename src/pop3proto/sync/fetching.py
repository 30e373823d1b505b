"""A session that fetches messages to a place on the disk, with the blocking client."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from errno import ENOENT
from hashlib import sha256
from typing import TYPE_CHECKING, assert_never, cast

from .._arguments import require
from ..client.stepping import run
from ..errors import CommandError, LocalProtocolError, Pop3Error
from .conversation import Conversation, async_client
from .delivery import Delivery, DeliveryError
from .planner import Planner
from .results import Results
from .state import Account
from .values import (
    Delete,
    Discard,
    Policy,
    Quit,
    Record,
    Refused,
    Remember,
    Retrieve,
    Retrieved,
    Standing,
    Store,
    Wanted,
)

if TYPE_CHECKING:
    from ..transports.blocking import Client
    from .delivery import Draft

__all__ = ["Fetching"]

# In octets. Larger messages, and those of unknown size, go from the network to the file in pieces.
_SMALL = 1024 * 1024


class Fetching(Results):
    """Fetches the new messages of a maildrop, and deletes messages as the policy says.

    Call ``run()`` after the login; it ends the session. The attributes tell what was done, also
    after an error. ``now`` is the time in seconds since the epoch. ``progress`` is called as octets
    arrive, with their number so far, and the number that is expected (``None`` if the server lists
    no sizes, or if only headers are fetched). Raises ``LocalProtocolError`` for an argument of
    another type.
    """

    def __init__(
        self,
        client: Client,
        delivery: Delivery,
        account: Account,
        policy: Policy = Policy(),
        *,
        now: float,
        progress: Callable[[int, int | None], object] | None = None,
    ) -> None:
        super().__init__(Conversation(async_client(client)))
        require("delivery", delivery, Delivery, "a Delivery, such as a FileFolder")
        require("account", account, Account, "an Account")
        require("policy", policy, Policy, "a Policy")
        require("now", now, (int, float), "a time in seconds")
        if progress is not None and not callable(progress):
            raise LocalProtocolError(f"progress is a function, not {type(progress).__name__}")
        self._delivery = delivery
        self._account = account
        self._policy = policy
        self._now = now
        self._progress = progress
        self.undelivered: dict[int, DeliveryError] = {}
        """The messages that were not taken where they were delivered to, by number."""
        # Octets that have arrived, and that are expected.
        self._arrived = 0
        self._expected: int | None = None
        self._numbers: dict[str, int] = {}
        # The drafts that an earlier session was about to store.
        self._begun: set[str] = set()

    @property
    def new(self) -> int:
        """How many messages were stored."""
        return 0 if self._session.planner is None else self._session.planner.new

    @property
    def there(self) -> int:
        """How many messages were stored by earlier sessions and are still on the server."""
        return 0 if self._session.planner is None else self._session.planner.there

    def run(self) -> None:
        """Fetch, delete as the policy says, and quit.

        Raises what the client raises; ``OSError`` and ``StateError`` if messages cannot be stored
        or recorded. Each message is then stored, or still on the server, or both.
        """
        run(self._run())

    async def _run(self) -> None:
        records = self._account.records()
        self._begun = {r.draft for r in records if r.standing is Standing.STORING}
        try:
            self._delivery.begin(self._begun)
            planner = await self._session.plan(
                self._policy, records, self._now, self._delivery.largest_group
            )
            await self._carry_out(planner)
        finally:
            self._delivery.close()

    async def _carry_out(self, planner: Planner) -> None:
        failed: Pop3Error | None = None
        while (action := planner.next_action()) is not None:
            match action:
                case Retrieve(messages):
                    failed = await self._retrieve(planner, messages)
                case Remember():
                    self._account.remember(action)
                case Store(records):
                    self._store(planner, records)
                case Discard(drafts):
                    self._delivery.discard(drafts)
                case Delete(numbers):
                    await self._session.delete(planner, numbers)
                case Quit():
                    await self._session.quit(planner)
                case _:
                    assert_never(action)
        if failed is not None:
            raise failed

    def _store(self, planner: Planner, records: tuple[Record, ...]) -> None:
        lost = self._delivery.store(records)
        failures = self._delivery.failures
        planner.leave_out(record.key for record in lost)
        for record in lost:
            if record.draft in failures:
                # Of an earlier run's message, the number is not known. It is fetched once more.
                if record.draft in self._numbers:
                    self.undelivered[self._numbers[record.draft]] = failures[record.draft]
                continue
            # An earlier run's messages are fetched once more. But if drafts of this run go away,
            # the next ones would, too.
            if record.draft not in self._begun:
                raise FileNotFoundError(ENOENT, "somebody has removed this draft", record.draft)

    async def _retrieve(self, planner: Planner, messages: tuple[Wanted, ...]) -> Pop3Error | None:
        """Retrieve a group; return what ended the session, if something is kept nevertheless."""
        arrived: list[Retrieved | Refused] = []
        failed: Pop3Error | None = None
        self._expected = planner.octets
        try:
            await self._receive(messages, arrived.append)
        except BaseException as error:
            kept = arrived[: self._session.certain(messages, arrived, error)]
            if not kept:
                self._delivery.close()
                self._delivery.discard(_drafts(arrived))
                raise
            self._delivery.discard(_drafts(arrived[len(kept) :]))
            failed, arrived = cast(Pop3Error, error), kept
            planner.give_up()
        self._delivery.settle()
        self._numbers.clear()
        for outcome in arrived:
            planner.report(outcome)
            if isinstance(outcome, Retrieved):
                self._numbers[outcome.draft] = outcome.number
        return failed

    async def _receive(
        self, messages: tuple[Wanted, ...], arrives: Callable[[Retrieved | Refused], None]
    ) -> None:
        session, first = self._session, messages[0]
        if len(messages) > 1 or first.header or (first.octets or _SMALL + 1) <= _SMALL:
            await session.retrieve(
                messages,
                lambda number, content: arrives(self._written(number, content)),
                lambda number, error: arrives(session.refuse(number, error)),
            )
        else:
            arrives(await self._streamed(first.number))
            await session.client.noop()

    def _arrives(self, octets: int) -> None:
        self._arrived += octets
        if self._progress is not None:
            self._progress(self._arrived, self._expected)

    def _written(self, number: int, content: bytes) -> Retrieved:
        self._arrives(len(content))
        with self._draft() as draft:
            draft.write(content)
        lines, digest = content.count(b"\n"), sha256(content).digest()
        return Retrieved(number, len(content), lines, digest, draft.name)

    async def _streamed(self, number: int) -> Retrieved | Refused:
        octets, lines, digest = 0, 0, sha256()
        try:
            async with self._session.client.retr_stream(number) as message:
                with self._draft() as draft:
                    async for chunk in message:
                        draft.write(chunk)
                        digest.update(chunk)
                        octets += len(chunk)
                        self._arrives(len(chunk))
                        lines += chunk.count(b"\n")
        except CommandError as error:
            return self._session.refuse(number, error)
        return Retrieved(number, octets, lines, digest.digest(), draft.name)

    @contextmanager
    def _draft(self) -> Generator[Draft]:
        """Open a draft that is complete at the end of the block, or removed after an error."""
        draft = self._delivery.draft()
        try:
            yield draft
            draft.finish()
        except BaseException:
            self._delivery.drop(draft)
            raise
        self._delivery.written(draft)


def _drafts(outcomes: list[Retrieved | Refused]) -> list[str]:
    return [outcome.draft for outcome in outcomes if isinstance(outcome, Retrieved)]
