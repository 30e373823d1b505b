"""The planner: what to retrieve, store, remember and delete, in which order. It does no I/O.

The rules that it keeps:

- A message is deleted only if it is stored and recorded durably, by this run or an earlier one, and
  if it is beyond doubt that the message on the server is the recorded one.
- Each step leaves something from which the next run can go on, whatever the step after it does.
- A unique-id alone says nothing after the server has stopped listing it, or has been asked to
  delete it: from then on the content decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import count
from typing import assert_never

from .._arguments import require, require_count
from ..model.listings import Listing, Listings
from .values import (
    DAY,
    FIRST_GROUP,
    LARGEST_GROUP,
    Action,
    Delete,
    Discard,
    Ended,
    Outcome,
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
    size_fits,
)

__all__ = ["Planner"]

# How long the record of a message is kept after the server has stopped listing it. Some servers
# hide a message for a while, change all unique-ids, or do not delete what they say they have
# deleted. The record prevents a second copy.
_KEPT = 30 * DAY
# The messages of a group become durable together, and if the connection breaks, nothing of a group
# that was requested ahead is kept. Each group has twice as many messages as the one before it, so
# that of a server that hangs up after some messages, half of them are kept in each session.
_GROWTH = 2
_GROUP_OCTETS = 32 * 1024 * 1024
# A message that is larger than this, or of unknown size, makes a group of its own.
_SMALL = 1024 * 1024


class Planner:
    """Plans one session; made after LIST and UIDL, it is asked for one action after the other.

    ``sizes`` is the answer to LIST, ``unique_ids`` the answer to UIDL, or ``None`` if the server
    has no UIDL; ``now`` is the time in seconds since the epoch. ``records`` are the records that
    earlier sessions have left. The first group that is retrieved together has ``first_group``
    messages, and no group has more than ``largest_group``::

        planner = Planner(policy, records, client.list(), client.uidl(), now=time.time())
        while (action := planner.next_action()) is not None:
            match action:
                case Retrieve(messages):
                    ...

    Each action has to be finished, and its outcomes reported, before the next one is asked for. To
    stop at any time is safe: the next session's planner goes on from the records.
    """

    def __init__(
        self,
        policy: Policy,
        records: Iterable[Record],
        sizes: Listings,
        unique_ids: Listings | None = None,
        *,
        now: float,
        first_group: int = FIRST_GROUP,
        largest_group: int = LARGEST_GROUP,
    ) -> None:
        require("policy", policy, Policy, "a Policy")
        require("records", records, Iterable, "a list of Record")
        require("sizes", sizes, Listings, "a Listings")
        if unique_ids is not None:
            require("unique_ids", unique_ids, Listings, "a Listings")
        require("now", now, (int, float), "a time in seconds")
        require_count("first_group", first_group)
        require_count("largest_group", largest_group)
        self._group_sizes = first_group, largest_group
        self.new: int = 0
        """How many messages this session has stored."""
        self.octets: int | None = None
        """The octets to be retrieved, as the server lists them; ``None`` if they are not known."""
        self.misfits: dict[int, Record] = {}
        """The messages that were not deleted because of their size, by number."""
        self._policy = policy
        self._now = now
        self._records: dict[int, Record] = {}
        for record in records:
            require("each of records", record, Record, "a Record")
            self._records[record.key] = record
        self._keys = count(max(self._records, default=0) + 1)
        self._listings = _identified(sizes, unique_ids)
        self._newer = {n: i for i, n in enumerate(sorted(self._listings, reverse=True))}
        # Stored messages that are on the server, by number, and records that only content claims.
        self._stored: dict[int, Record] = {}
        self._loose: dict[tuple[bytes, bool], list[Record]] = {}
        self._retrieved: dict[int, Retrieved] = {}
        self._refused: set[int] = set()
        self._confirmed = False
        self._given_up = False
        self._left_out: set[int] = set()
        self._actions = self._plan()

    @property
    def there(self) -> int:
        """How many of the messages on the server earlier sessions have stored."""
        return len(self._stored) - self.new

    def next_action(self) -> Action | None:
        """Return the next action, or ``None`` after the last one."""
        return next(self._actions, None)

    def report(self, outcome: Outcome) -> None:
        """Take an outcome of the action that was returned last."""
        match outcome:
            case Retrieved():
                self._retrieved[outcome.number] = outcome
            case Refused(number):
                self._refused.add(number)
            case Ended(confirmed):
                self._confirmed = confirmed
            case _:
                assert_never(outcome)

    def leave_out(self, keys: Iterable[int]) -> None:
        """Take note that messages of the last ``Store`` were not stored, by their records' keys.

        It can be called until the action after the ``Remember`` that follows it is asked for.
        """
        self._left_out.update(keys)

    def give_up(self) -> None:
        """Take note that the session is over: only what needs no server is still planned.

        After ``Retrieve``, the messages that were reported are stored.
        """
        self._given_up = True

    def _plan(self) -> Iterator[Action]:
        yield from self._finish_storing()
        yield from self._compare()
        wanted = [
            Wanted(number, listing.octets, self._policy.headers_only)
            for number, listing in self._listings.items()
            if number not in self._stored and self._policy.retrieves(listing)
        ]
        if not any(each.header or each.octets is None for each in wanted):
            self.octets = sum(each.octets or 0 for each in wanted)
        small = [each for each in wanted if _is_small(each)]
        late = [each for each in wanted if not _is_small(each)]
        for group in _groups(small, *self._group_sizes):
            yield from self._fetch(group)
            # Those that there was no room for, because the server lists wrong sizes.
            late += (each for each in group if not self._has_come(each.number))
            if self._given_up:
                return
        for each in late:
            yield from self._fetch((each,))
            if self._given_up:
                return
        yield from self._delete()

    def _fetch(self, group: tuple[Wanted, ...]) -> Iterator[Action]:
        self._retrieved.clear()
        yield Retrieve(group)
        yield from self._keep(group)

    def _has_come(self, number: int) -> bool:
        return number in self._retrieved or number in self._refused

    def _finish_storing(self) -> Iterator[Action]:
        """Finish what an earlier session has begun: its drafts are complete."""
        begun = [r for r in self._records.values() if r.standing is Standing.STORING]
        if begun:
            yield from self._store(begun)

    def _compare(self) -> Iterator[Action]:
        """Find the messages that are stored; doubt all other records."""
        known = {
            record.unique_id: record
            for record in self._records.values()
            if record.standing is Standing.KNOWN
        }
        for number, listing in self._listings.items():
            record = known.get(listing.unique_id) if listing.unique_id else None
            if record is not None and self._identifies(record, listing):
                self._stored[number] = record
        self._doubt_numbers(known)
        matched = {record.key for record in self._stored.values()}
        changed: list[Record] = []
        forgotten: list[int] = []
        for record in [r for r in self._records.values() if r.key not in matched]:
            if record.standing is Standing.KNOWN:
                record = record._replace(standing=Standing.DOUBTED, seen=self._now)  # noqa: PLW2901
                changed.append(record)
            elif self._now - record.seen > _KEPT:
                forgotten.append(record.key)
                continue
            self._loose.setdefault((record.digest, record.header), []).append(record)
        if changed or forgotten:
            yield self._remember(changed, forgotten)

    def _identifies(self, record: Record, listing: Listing) -> bool:
        """Return ``True`` if the unique-id and the size leave no doubt, as far as it matters."""
        if record.header and not self._policy.headers_only:
            return False
        same = record.listed == listing.octets or not self._policy.compare_sizes
        return same or (
            None in (record.listed, listing.octets) and not self._is_due(record, listing.number)
        )

    def _is_due(self, record: Record, number: int) -> bool:
        """Return ``True`` if the policy has a stored message deleted."""
        return self._policy.deletes(record.stored, self._newer[number], self._now)

    def _doubt_numbers(self, known: dict[bytes | None, Record]) -> None:
        """Doubt the unique-ids that are message numbers: all if one is wrong, and before a DELE.

        Some servers number the messages of each session. With such a server, one message less
        shifts all others.
        """
        right = {record.key for record in self._stored.values()}
        numeric = (r for i, r in known.items() if i is not None and i.isdigit())
        wrong = any(record.key not in right for record in numeric)
        for number, record in [*self._stored.items()]:
            if _is_number(self._listings[number]) and (wrong or self._is_due(record, number)):
                del self._stored[number]

    def _keep(self, group: tuple[Wanted, ...]) -> Iterator[Action]:
        """Store what is new of a group, and record all of it."""
        new: dict[int, Record] = {}
        there: dict[int, Record] = {}
        for wanted in group:
            if (arrived := self._retrieved.get(wanted.number)) is not None:
                record = self._claim(arrived, wanted)
                (new if record.standing is Standing.STORING else there)[wanted.number] = record
        drafts = tuple(self._retrieved[number].draft for number in there)
        if there:
            yield self._remember([*there.values()])
            if any(drafts):
                yield Discard(drafts)
        self._stored.update((number, self._records[r.key]) for number, r in there.items())
        batches = [{number: record} for number, record in new.items()]
        if any(record.draft for record in new.values()):
            yield self._remember([*new.values()])
            batches = [new]
        for batch in batches:
            yield from self._store([*batch.values()])
            for number, record in batch.items():
                if record.key not in self._left_out:
                    self.new += 1
                    self._stored[number] = self._records[record.key]

    def _claim(self, arrived: Retrieved, wanted: Wanted) -> Record:
        """Return the record of a message that has arrived: an old one if the content is stored."""
        listing = self._listings[arrived.number]
        loose = self._loose.get((arrived.digest, wanted.header), [])
        for i, old in enumerate(loose):
            # A deleted message can only come again under its name, if it was not really deleted.
            if old.standing is Standing.DOUBTED or old.unique_id == listing.unique_id:
                del loose[i]
                key, stored, new = old.key, old.stored, False
                break
        else:
            key, stored, new = next(self._keys), self._now, True
        record = Record(
            key,
            arrived.octets,
            arrived.digest,
            listing.unique_id,
            wanted.octets,
            stored,
            self._now,
            fits=wanted.header or size_fits(wanted.octets, arrived.octets, arrived.lines),
            header=wanted.header,
            draft=arrived.draft if new else "",
        )
        return record._replace(standing=Standing.STORING if new else self._settled(record))

    def _settled(self, record: Record) -> Standing:
        """Return the standing of a record whose message is stored and on the server."""
        if record.unique_id is None:
            return Standing.DOUBTED
        if (
            self._policy.compare_sizes
            and not record.fits
            and 2 * record.octets < (record.listed or 0)
        ):
            # The server did not send most of it: the next session tries again.
            return Standing.DOUBTED
        return Standing.KNOWN

    def _store(self, records: list[Record]) -> Iterator[Action]:
        self._left_out.clear()
        yield Store(tuple(records))
        lost = [r.key for r in records if r.key in self._left_out]
        stored = [r for r in records if r.key not in self._left_out]
        # Nothing was recorded of messages without drafts.
        forgotten = [key for key in lost if key in self._records]
        if stored or forgotten:
            settled = [r._replace(standing=self._settled(r), draft="") for r in stored]
            yield self._remember(settled, forgotten)

    def _delete(self) -> Iterator[Action]:
        due = {
            number: record
            for number, record in sorted(self._stored.items())
            if not record.header and self._is_due(record, number)
        }
        if self._policy.compare_sizes:
            self.misfits = {number: record for number, record in due.items() if not record.fits}
        for number in self.misfits:
            del due[number]
        if not due:
            yield Quit()
            return
        # From now on nobody knows if the messages are still there, until QUIT is answered.
        doubted = [r._replace(standing=Standing.DOUBTED, seen=self._now) for r in due.values()]
        yield self._remember(doubted)
        self._refused.clear()
        yield Delete(tuple(due))
        refused = [record for number, record in due.items() if number in self._refused]
        yield Quit()
        if self._confirmed:
            gone = [record for number, record in due.items() if number not in self._refused]
            deleted = [
                r._replace(standing=Standing.DELETED, seen=self._now) for r in gone if r.unique_id
            ]
            unnamed = [record.key for record in gone if not record.unique_id]
            yield self._remember([*refused, *deleted], unnamed)

    def _remember(self, records: list[Record], forgotten: Iterable[int] = ()) -> Remember:
        self._records.update((record.key, record) for record in records)
        for key in forgotten:
            del self._records[key]
        return Remember(tuple(records), tuple(forgotten))


def _identified(sizes: Listings, unique_ids: Listings | None) -> dict[int, Listing]:
    """Return a row for each message, with its unique-id only if no other message has it.

    A message can be missing in one of the two, because it has just arrived, or by mistake. Rows
    that contradict each other say nothing.
    """
    octets: dict[int, int | None] = {}
    for number, size, _ in sizes:
        octets[number] = size if octets.get(number, size) == size else None
    ids: dict[int, bytes | None] = {}
    for number, _, unique_id in unique_ids or ():
        ids[number] = unique_id if ids.get(number, unique_id) == unique_id else None
    often = Counter(ids.values())
    return {
        number: Listing(number, octets.get(number), _alone(ids.get(number), often))
        for number in sorted({*octets, *ids})
    }


def _is_small(wanted: Wanted) -> bool:
    return wanted.header or (wanted.octets is not None and wanted.octets <= _SMALL)


def _groups(messages: list[Wanted], first: int, largest: int) -> Iterator[tuple[Wanted, ...]]:
    """Yield the messages that are retrieved together."""
    group: list[Wanted] = []
    most, octets = min(first, largest), 0
    for wanted in messages:
        if len(group) == most or octets > _GROUP_OCTETS:
            yield tuple(group)
            group.clear()
            most, octets = min(most * _GROWTH, largest), 0
        group.append(wanted)
        octets += wanted.octets or 0
    if group:
        yield tuple(group)


def _alone(unique_id: bytes | None, often: Counter[bytes | None]) -> bytes | None:
    return unique_id if often[unique_id] == 1 else None


def _is_number(listing: Listing) -> bool:
    """Return ``True`` if the unique-id is the message number of this session."""
    return listing.unique_id == b"%d" % listing.number
