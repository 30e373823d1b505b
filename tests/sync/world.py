"""A server that may lie, a disk that may forget, and a program that carries out a plan."""

from __future__ import annotations

import random
from collections import Counter
from hashlib import sha256

from pop3proto import Listings
from pop3proto.sync import (
    Delete,
    Discard,
    Ended,
    Planner,
    Policy,
    Quit,
    Record,
    Refused,
    Remember,
    Retrieve,
    Retrieved,
    Store,
    Wanted,
)


class CrashError(Exception):
    """The program or the power ends here."""


class Server:
    """A maildrop of contents with unique-ids, and the ways in which it misbehaves."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, bytes]] = []
        self.uidl = True
        self.numbering = False
        self.same_ids = False
        self.hidden: set[bytes] = set()
        # What LIST, and UIDL, leave out in this session.
        self.without_size: set[bytes] = set()
        self.without_id: set[bytes] = set()
        self.confirms = True
        self.deletes = True
        self.truncates: set[bytes] = set()
        # What is not taken in this session where messages are handed over.
        self.unwanted: set[bytes] = set()

    def listed(self) -> list[tuple[int, bytes, bytes]]:
        """The messages of a session: number, unique-id and content."""
        rows = [(n, i, c) for n, (i, c) in enumerate(self.messages, 1) if c not in self.hidden]
        if self.numbering:
            return [(n, b"%d" % n, c) for n, _, c in rows]
        return [(n, b"same" if self.same_ids else i, c) for n, i, c in rows]

    def sizes(self) -> Listings:
        rows = self.listed()
        return Listings((n, len(c)) for n, _, c in rows if c not in self.without_size)

    def unique_ids(self) -> Listings | None:
        rows = self.listed()
        if not self.uidl:
            return None
        return Listings((n, None, i) for n, i, c in rows if c not in self.without_id)

    def content(self, number: int) -> bytes:
        content = self.messages[number - 1][1]
        return b"" if content in self.truncates else content

    def remove(self, numbers: set[int]) -> None:
        self.messages = [m for n, m in enumerate(self.messages, 1) if n not in numbers]


class Disk:
    """What is on the disk for certain, and what only a running system sees."""

    def __init__(self) -> None:
        self.records: dict[int, Record] = {}
        self.drafts: dict[str, bytes] = {}
        self.stored: list[bytes] = []
        self.serial = 0
        # Of messages that are handed over: what was taken, as far as it is noted, and how often a
        # message was taken while its note was not written.
        self.notes: set[str] = set()
        self.unnoted: Counter[bytes] = Counter()

    def draft(self, content: bytes) -> str:
        self.serial += 1
        name = f"draft-{self.serial}"
        self.drafts[name] = content
        return name

    def clean(self) -> None:
        """Remove the drafts that no record names, as each run does when it begins."""
        named = {record.draft for record in self.records.values()}
        self.drafts = {name: c for name, c in self.drafts.items() if name in named}


class Run:
    """One session. ``crash_at`` is the step before which it ends, and ``luck`` what survives."""

    def __init__(
        self,
        server: Server,
        disk: Disk,
        policy: Policy,
        *,
        now: float = 0.0,
        crash_at: int | None = None,
        luck: int = 0,
        breaks_at: int | None = None,
        way: str = "store",
        room: int | None = None,
    ) -> None:
        self.server, self.disk = server, disk
        self.left = crash_at
        self.luck = random.Random(luck)
        self.breaks_at = breaks_at
        self.way = way
        # How many messages of a group there is room for, besides the first one.
        self.room = room
        self.retrieved: list[int] = []
        self.deleted: list[int] = []
        self.steps = 0
        # The records that are on the disk; what is not fsynced is not taken for granted.
        disk.clean()
        self.planner = Planner(
            policy, disk.records.values(), server.sizes(), server.unique_ids(), now=now
        )

    def step(self) -> None:
        self.steps += 1
        if self.left is not None:
            if self.left == 0:
                raise CrashError
            self.left -= 1

    def all(self) -> None:
        while (action := self.planner.next_action()) is not None:
            self.step()
            match action:
                case Retrieve(messages):
                    self.retrieve(messages)
                case Remember(records, forgotten):
                    self.disk.records.update((record.key, record) for record in records)
                    for key in forgotten:
                        del self.disk.records[key]
                case Store(records) if self.way == "store":
                    self.store(records)
                case Store(records):
                    self.hand_over(records)
                case Discard(drafts):
                    for draft in drafts:
                        del self.disk.drafts[draft]
                case Delete(numbers):
                    self.deleted.extend(numbers)
                case Quit():
                    self.quit()

    def retrieve(self, messages: tuple[Wanted, ...]) -> None:
        drafts: list[Retrieved] = []
        for wanted in messages:
            if self.breaks_at == len(self.retrieved):
                self.planner.give_up()
                break
            if self.room is not None and len(drafts) > self.room:
                continue
            content = self.server.content(wanted.number)
            self.retrieved.append(wanted.number)
            name = self.disk.draft(content)
            digest = sha256(content).digest()
            lines = content.count(b"\n")
            drafts.append(Retrieved(wanted.number, len(content), lines, digest, name))
        try:
            self.step()
        except CrashError:
            # Some drafts are there, some are not, some are half of it.
            for each in drafts:
                if self.luck.random() < 0.5:
                    del self.disk.drafts[each.draft]
                elif self.luck.random() < 0.5:
                    self.disk.drafts[each.draft] = b"half"
            raise
        for each in drafts[: -1 if self.breaks_at is not None else None]:
            self.planner.report(each)

    def store(self, records: tuple[Record, ...]) -> None:
        crashes = self.left == 0
        for record in records:
            # Before the folder is fsynced, each of the renames is on the disk or is not.
            if record.draft in self.disk.drafts and not (crashes and self.luck.random() < 0.5):
                self.disk.stored.append(self.disk.drafts.pop(record.draft))
        self.step()

    def hand_over(self, records: tuple[Record, ...]) -> None:
        disk = self.disk
        lost: list[Record] = []
        if disk.notes.isdisjoint(record.draft for record in records):
            disk.notes.clear()
        for record in records:
            if record.draft in disk.notes:
                continue
            content = disk.drafts.get(record.draft)
            if content is None or content in self.server.unwanted:
                lost.append(record)
                continue
            self.step()
            disk.stored.append(content)
            if self.way == "lmtp":
                # A command has a witness, which writes the note also if this program has ended.
                try:
                    self.step()
                except CrashError:
                    disk.unnoted[content] += 1
                    raise
            disk.notes.add(record.draft)
        crashes = self.left == 0
        for record in records:
            if not (crashes and self.luck.random() < 0.5):
                disk.drafts.pop(record.draft, None)
        self.step()
        self.planner.leave_out(record.key for record in lost)

    def quit(self) -> None:
        crashes = self.left == 0
        if self.server.deletes and not (crashes and self.luck.random() < 0.5):
            self.server.remove(set(self.deleted))
        self.step()
        self.planner.report(Ended(self.server.confirms))


def doubles(disk: Disk, delivered: Counter[bytes]) -> Counter[bytes]:
    """What is stored more often than it was delivered."""
    return Counter(disk.stored) - delivered - disk.unnoted


__all__ = ["CrashError", "Disk", "Refused", "Run", "Server", "doubles"]
