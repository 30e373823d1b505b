"""A session that carries out a plan, with the blocking client."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

from ..errors import CommandError, Pop3Error
from ..model.commands import Noop, Retr, Top
from ..model.listings import Listings
from .planner import Planner
from .values import (
    Delete,
    Discard,
    Ended,
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
    from ..model.command import Command
    from ..transports.blocking import Client
    from .delivery import Delivery, Draft
    from .state import Account

__all__ = ["Fetching"]

# Larger messages, and those of unknown size, go from the network to the file in pieces.
_SMALL = 1024 * 1024


class Fetching:
    """Fetches what is new in a maildrop, and deletes what the policy has deleted.

    ``run()`` does it, after the login, and ends the session. The attributes tell what was done,
    also after an error. ``now`` is the time in seconds since the epoch. ``progress`` is called with
    the number of messages that have arrived, and that of all that will.
    """

    def __init__(
        self,
        client: Client,
        delivery: Delivery,
        account: Account,
        policy: Policy = Policy(),
        *,
        now: float,
        progress: Callable[[int, int], object] | None = None,
    ) -> None:
        self.refused: dict[int, CommandError] = {}
        """The messages that the server refused to send or to delete, by number."""
        self.deletions: int = 0
        """How many messages were marked as deleted."""
        self.confirmed: bool = False
        """True if the server has confirmed QUIT, so that the deletions are made."""
        self._client = client
        self._delivery = delivery
        self._account = account
        self._policy = policy
        self._now = now
        self._progress = progress
        self._planner: Planner | None = None
        self._arrived = 0

    @property
    def new(self) -> int:
        """How many messages were stored."""
        return 0 if self._planner is None else self._planner.new

    @property
    def there(self) -> int:
        """How many messages were stored by earlier sessions and are still on the server."""
        return 0 if self._planner is None else self._planner.there

    @property
    def misfits(self) -> dict[int, Record]:
        """The messages that were not deleted because of their size, by number."""
        return {} if self._planner is None else self._planner.misfits

    def run(self) -> None:
        """Do all of it.

        Raises what the client raises; ``OSError`` and ``StateError`` if messages cannot be stored
        or recorded. Each message is then stored, or still on the server, or both.
        """
        records = self._account.records()
        storing = {r.draft for r in records if r.standing is Standing.STORING}
        try:
            self._delivery.begin(storing)
            sizes, unique_ids = _listings(self._client)
            planner = Planner(self._policy, records, sizes, unique_ids, now=self._now)
            self._planner = planner
            self._carry_out(planner)
        finally:
            self._delivery.close()

    def _carry_out(self, planner: Planner) -> None:
        failed: Pop3Error | None = None
        while (action := planner.next_action()) is not None:
            match action:
                case Retrieve(messages):
                    failed = self._retrieve(planner, messages)
                case Remember():
                    self._account.remember(action)
                case Store(records):
                    self._delivery.store(records)
                case Discard(drafts):
                    self._delivery.discard(drafts)
                case Delete(numbers):
                    self._delete(planner, numbers)
                case Quit():
                    self.confirmed = self._client.quit().confirmed
                    planner.report(Ended(self.confirmed))
        if failed is not None:
            raise failed

    def _retrieve(self, planner: Planner, messages: tuple[Wanted, ...]) -> Pop3Error | None:
        """Retrieve a group; return what ended the session, if something is kept nevertheless."""
        arrived: list[Retrieved | Refused] = []
        failed: Pop3Error | None = None
        try:
            for outcome in self._outcomes(messages):
                arrived.append(outcome)
                self._arrived += 1
                if self._progress is not None:
                    self._progress(self._arrived, planner.total)
        except BaseException as error:
            kept = self._trusted(arrived, error)
            if not kept:
                self._delivery.close()
                self._delivery.discard(_drafts(arrived))
                raise
            self._delivery.discard(_drafts(arrived[len(kept) :]))
            failed, arrived = cast(Pop3Error, error), kept
            planner.give_up()
        self._delivery.settle()
        for outcome in arrived:
            planner.report(outcome)
        return failed

    def _trusted(
        self, arrived: list[Retrieved | Refused], error: BaseException
    ) -> list[Retrieved | Refused]:
        """Return what is certain to have arrived as it is, before ``error`` ended the session.

        One after the other, the status line of a message shows that the one before it was whole.
        If they were requested ahead, nobody knows which line belongs to which message.
        """
        if isinstance(error, Pop3Error) and not self._client.pipelining:
            return arrived[:-1]
        return []

    def _outcomes(self, messages: tuple[Wanted, ...]) -> Iterator[Retrieved | Refused]:
        """Yield what becomes of each message; at the end, another status line has been read."""
        first = messages[0]
        if not first.header and (first.octets is None or first.octets > _SMALL):
            for wanted in messages:
                yield self._streamed(wanted)
            self._client.noop()
            return
        commands: list[Command[Any]] = [
            Top(wanted.number, 0) if wanted.header else Retr(wanted.number) for wanted in messages
        ]
        commands.append(Noop())
        outcomes = self._client.batch(commands).outcomes()
        for wanted, outcome in zip(messages, outcomes, strict=False):
            if isinstance(outcome, CommandError):
                yield self._refused(wanted.number, outcome)
            else:
                yield self._written(wanted.number, outcome.content)
        for _ in outcomes:
            # The answer to NOOP: even a refusal shows that the last message was whole.
            pass

    def _written(self, number: int, content: bytes) -> Retrieved:
        with self._draft() as draft:
            draft.write(content)
        lines, digest = content.count(b"\n"), sha256(content).digest()
        return Retrieved(number, len(content), lines, digest, draft.name)

    def _streamed(self, wanted: Wanted) -> Retrieved | Refused:
        number, octets, lines, digest = wanted.number, 0, 0, sha256()
        try:
            with self._client.retr_stream(number) as message, self._draft() as draft:
                for chunk in message:
                    draft.write(chunk)
                    digest.update(chunk)
                    octets += len(chunk)
                    lines += chunk.count(b"\n")
        except CommandError as error:
            return self._refused(number, error)
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

    def _refused(self, number: int, error: CommandError) -> Refused:
        self.refused[number] = error
        return Refused(number)

    def _delete(self, planner: Planner, numbers: tuple[int, ...]) -> None:
        outcomes = self._client.dele_many(numbers).outcomes()
        for number, outcome in zip(numbers, outcomes, strict=True):
            if isinstance(outcome, CommandError):
                planner.report(self._refused(number, outcome))
            else:
                self.deletions += 1


def _drafts(outcomes: list[Retrieved | Refused]) -> list[str]:
    return [outcome.draft for outcome in outcomes if isinstance(outcome, Retrieved)]


def _listings(client: Client) -> tuple[Listings, Listings | None]:
    """Return the answers to LIST and to UIDL; the latter is ``None`` on a server without UIDL.

    Raises ``CommandError`` if UIDL is refused although it is announced, or with a response code.
    """
    if client.stat().count == 0:
        # Some servers refuse LIST and UIDL if there is nothing to list.
        return Listings(), Listings()
    sizes = client.list()
    try:
        return sizes, client.uidl()
    except CommandError as error:
        announced = client.capabilities is not None and client.capabilities.uidl
        if announced or error.code is not None:
            raise
        return sizes, None
