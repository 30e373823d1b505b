"""The planner against a server that lies, with a crash or a power loss at every step."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pop3proto.sync import Policy
from tests.property.effort import effort
from tests.sync.world import CrashError, Disk, Run, Server, doubles

DAY = 24 * 60 * 60
POLICIES = [
    Policy(),
    Policy(delete_after=0),
    Policy(delete_after=2),
    Policy(keep_newest=1),
    Policy(delete_after=1, keep_newest=2),
    Policy(delete_after=0, max_octets=40),
]
# More often than not nothing goes wrong.
CRASHES = st.sampled_from([None] * 8 + [*range(10)])
LUCK = st.integers(0, 2**32)


class Fetching(RuleBasedStateMachine):
    """Nothing that came is lost, and nothing is stored twice."""

    def __init__(self) -> None:
        super().__init__()
        self.server, self.disk = Server(), Disk()
        self.delivered: Counter[bytes] = Counter()
        self.removed: Counter[bytes] = Counter()
        self.serial = 0
        self.now = 0.0
        self.kind = self.way = ""
        # Whether the server has said that it has deleted messages, and has not.
        self.lied = False

    @initialize(
        kind=st.sampled_from(["honest", "no uidl", "numbering", "same ids"]),
        way=st.sampled_from(["store", "command", "lmtp"]),
        messages=st.integers(1, 5),
    )
    def begin(self, kind: str, way: str, messages: int) -> None:
        self.kind, self.way = kind, way
        self.server.uidl = kind != "no uidl"
        self.server.numbering = kind == "numbering"
        self.server.same_ids = kind == "same ids"
        # Nothing can go wrong with an empty maildrop.
        for _ in range(messages):
            self.deliver(None)

    @rule(reused=st.sampled_from([None, 0, 0, 1]), others=st.integers(0, 3))
    def deliver_some(self, reused: int | None, others: int) -> None:
        self.deliver(reused)
        for _ in range(others):
            self.deliver(None)

    def deliver(self, reused: int | None) -> None:
        """A message of its own size comes, perhaps under an id that another one had."""
        self.serial += 1
        content = b"x" * (self.serial * 3) + b"\r\n"
        unique_id = b"id-%d" % (self.serial if reused is None else reused)
        if unique_id in {i for i, _ in self.server.messages}:
            unique_id = b"id-%d" % self.serial
        self.server.messages.append((unique_id, content))
        self.delivered[content] += 1

    @precondition(lambda self: self.server.messages)
    @rule(index=st.integers(0, 5))
    def somebody_else_deletes(self, index: int) -> None:
        number = index % len(self.server.messages) + 1
        self.removed[self.server.messages[number - 1][1]] += 1
        self.server.remove({number})

    # Who says that messages are gone, and then lists them under other names, or under none, lists
    # new messages.
    @precondition(lambda self: not self.lied)
    @rule()
    def all_ids_change(self) -> None:
        self.serial += 1
        self.server.messages = [(b"%d-" % self.serial + i, c) for i, c in self.server.messages]

    @rule(days=st.integers(0, 3))
    def time_passes(self, days: int) -> None:
        self.now += days * DAY

    @rule(
        policy=st.sampled_from(POLICIES),
        crash_at=CRASHES,
        luck=LUCK,
        breaks_at=st.sampled_from([None] * 6 + [0, 1, 2, 5]),
        confirms=st.sampled_from([True, True, False]),
        deletes=st.sampled_from([True, True, False]),
        hidden=st.sampled_from([set[int](), set[int](), {0}, {1}, {0, 2}]),
        missing=st.sampled_from(
            ["without_size", "without_id", "hidden", "truncates", "unwanted", "unwanted"]
        ),
        room=st.sampled_from([None, None, 0, 1]),
    )
    def session(
        self,
        policy: Policy,
        crash_at: int | None,
        luck: int,
        breaks_at: int | None,
        confirms: bool,
        deletes: bool,
        hidden: set[int],
        missing: str,
        room: int | None,
    ) -> None:
        server = self.server
        server.confirms, server.deletes = confirms, deletes
        if confirms and not deletes:
            server.deletes = self.kind != "honest"
            self.lied |= not server.deletes
        contents = [c for _, c in server.messages]
        if self.lied and missing == "without_id":
            missing = "without_size"
        setattr(server, missing, {contents[i] for i in hidden if i < len(contents)})
        try:
            Run(
                server,
                self.disk,
                policy,
                now=self.now,
                crash_at=crash_at,
                luck=luck,
                breaks_at=breaks_at,
                way=self.way,
                room=room,
            ).all()
        except CrashError:
            pass
        finally:
            setattr(server, missing, set())

    @rule(policy=st.sampled_from(POLICIES[:2]))
    def a_whole_session_fetches_all(self, policy: Policy) -> None:
        self.server.confirms = self.server.deletes = True
        there = {c for _, c in self.server.messages}
        Run(self.server, self.disk, policy, now=self.now, way=self.way).all()
        assert there <= set(self.disk.stored)
        if policy.delete_after == 0:
            assert not self.server.messages
        assert not self.disk.drafts

    @invariant()
    def nothing_is_lost(self) -> None:
        there = Counter(c for _, c in self.server.messages)
        drafts = [
            self.disk.drafts[r.draft]
            for r in self.disk.records.values()
            if r.draft in self.disk.drafts
        ]
        kept = Counter(self.disk.stored) + Counter(drafts)
        assert not self.delivered - self.removed - there - kept

    @invariant()
    def nothing_is_there_twice(self) -> None:
        self.disk.stored = [c for c in self.disk.stored if c]
        assert not doubles(self.disk, self.delivered)


TestFetching = Fetching.TestCase
TestFetching.settings = effort(300, stateful_step_count=20)
