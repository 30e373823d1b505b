"""The planner, rule by rule."""

from __future__ import annotations

from hashlib import sha256

import pytest

from pop3proto import Capabilities, Listing, Listings, LocalProtocolError
from pop3proto.sync import (
    Action,
    Delete,
    Discard,
    Ended,
    Outcome,
    Planner,
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
    seconds_to_next_poll,
)
from pop3proto.sync.values import size_fits

DAY = 24 * 60 * 60
NOW = 1000 * DAY
CONTENTS = {1: b"one\r\n", 2: b"second\r\n", 3: b"the third\r\n"}
SIZES = Listings((n, len(c)) for n, c in CONTENTS.items())
IDS = Listings((n, None, b"abc"[n - 1 : n]) for n in CONTENTS)
DELETE = Policy(delete_after=0)


def retrieved(number: int, content: bytes | None = None, draft: str = "") -> Retrieved:
    octets = CONTENTS[number] if content is None else content
    digest = sha256(octets).digest()
    return Retrieved(number, len(octets), octets.count(b"\n"), digest, draft)


def record(number: int, key: int | None = None, **changes: object) -> Record:
    """The record of a message that was stored a day ago."""
    content = CONTENTS[number]
    known = Record(
        number if key is None else key,
        len(content),
        sha256(content).digest(),
        b"abc"[number - 1 : number],
        len(content),
        NOW - DAY,
        NOW - DAY,
    )
    return known._replace(**changes)  # type: ignore[arg-type]


def plan(
    policy: Policy = Policy(),
    *records: Record,
    sizes: Listings = SIZES,
    ids: Listings | None = IDS,
    refused: tuple[int, ...] = (),
    confirmed: bool = True,
    drafts: bool = True,
    contents: dict[int, bytes] = CONTENTS,
) -> list[Action]:
    """All actions, if everything succeeds but what is ``refused``."""
    return carried_out(
        Planner(policy, records, sizes, ids, now=NOW),
        refused=refused,
        confirmed=confirmed,
        drafts=drafts,
        contents=contents,
    )


def carried_out(
    planner: Planner,
    *,
    refused: tuple[int, ...] = (),
    confirmed: bool = True,
    drafts: bool = True,
    contents: dict[int, bytes] = CONTENTS,
) -> list[Action]:
    actions: list[Action] = []
    while (action := planner.next_action()) is not None:
        actions.append(action)
        match action:
            case Retrieve(messages):
                for number, _, _ in messages:
                    outcome: Outcome = Refused(number)
                    if number not in refused:
                        draft = f"draft-{number}" if drafts else ""
                        outcome = retrieved(number, contents[number], draft)
                    planner.report(outcome)
            case Delete(numbers):
                for number in {*numbers} & {*refused}:
                    planner.report(Refused(number))
            case Quit():
                planner.report(Ended(confirmed))
            case _:
                pass
    return actions


def kinds(actions: list[Action]) -> list[str]:
    return [type(action).__name__ for action in actions]


def wanted(actions: list[Action]) -> list[int]:
    return [w.number for a in actions if isinstance(a, Retrieve) for w in a.messages]


def deleted(actions: list[Action]) -> list[int]:
    return [number for a in actions if isinstance(a, Delete) for number in a.numbers]


def stored(actions: list[Action]) -> list[Record]:
    return [record for a in actions if isinstance(a, Store) for record in a.records]


def left(actions: list[Action], *records: Record) -> dict[int, Record]:
    """The records at the end."""
    found = {record.key: record for record in records}
    for action in actions:
        if isinstance(action, Remember):
            found.update((record.key, record) for record in action.records)
            for key in action.forgotten:
                del found[key]
    return found


def test_the_order_of_everything() -> None:
    actions = plan(DELETE)
    assert kinds(actions) == [
        *("Retrieve", "Remember", "Store", "Remember"),
        *("Remember", "Delete", "Quit", "Remember"),
    ]
    storing, done, doubted, gone = [a.records for a in actions if isinstance(a, Remember)]
    assert [(r.standing, r.draft) for r in storing] == [
        (Standing.STORING, f"draft-{n}") for n in CONTENTS
    ]
    assert {(r.standing, r.draft) for r in done} == {(Standing.KNOWN, "")}
    assert {r.standing for r in doubted} == {Standing.DOUBTED}
    assert {r.standing for r in gone} == {Standing.DELETED}
    assert [r.unique_id for r in gone] == [b"a", b"b", b"c"]
    assert {(r.stored, r.fits, r.header) for r in gone} == {(NOW, True, False)}


def test_a_caller_without_drafts_stores_before_anything_is_recorded() -> None:
    # One by one, because some of it may be left out.
    assert kinds(plan(drafts=False)) == ["Retrieve", *["Store", "Remember"] * 3, "Quit"]


def test_what_the_caller_leaves_out_is_neither_recorded_nor_deleted() -> None:
    planner = Planner(DELETE, [], SIZES, IDS, now=NOW)
    assert isinstance(planner.next_action(), Retrieve)
    planner.report(retrieved(1))
    planner.report(retrieved(2))
    planner.report(Refused(3))
    assert isinstance(planner.next_action(), Store)
    planner.leave_out([1])
    rest = carried_out(planner)
    assert kinds(rest) == ["Store", "Remember", "Remember", "Delete", "Quit", "Remember"]
    assert deleted(rest) == [2]
    assert planner.new == 1


def test_what_is_known_is_not_retrieved() -> None:
    planner = Planner(Policy(), [record(1), record(3)], SIZES, IDS, now=NOW)
    actions = carried_out(planner)
    assert wanted(actions) == [2]
    assert (planner.new, planner.there) == (1, 2)
    assert [r.key for r in stored(actions)] == [4]
    assert kinds(plan(Policy(), record(1), record(2), record(3))) == ["Quit"]


def test_an_empty_maildrop() -> None:
    assert kinds(plan(DELETE, sizes=Listings(), ids=Listings())) == ["Quit"]


@pytest.mark.parametrize("standing", [Standing.DOUBTED, Standing.DELETED])
def test_a_reused_unique_id_says_nothing(standing: Standing) -> None:
    # Message 1 is another one now, under the same name.
    old = record(1, standing=standing)
    contents = {**CONTENTS, 1: b"new\r\n"}
    actions = plan(DELETE, old, record(2), record(3), contents=contents)
    assert wanted(actions) == [1]
    assert [r.digest for r in stored(actions)] == [sha256(b"new\r\n").digest()]
    assert deleted(actions) == [1, 2, 3]


def test_another_size_is_another_message() -> None:
    actions = plan(Policy(), record(1, listed=99), record(2), record(3))
    # It is the same one, though: the content decides.
    assert wanted(actions) == [1]
    assert stored(actions) == []
    assert "Discard" in kinds(actions)
    assert left(actions)[1] == record(1, seen=NOW)


def test_sizes_that_are_not_compared() -> None:
    policy = Policy(delete_after=0, compare_sizes=False)
    actions = plan(policy, record(1, listed=99), record(2, fits=False), record(3))
    assert wanted(actions) == []
    assert deleted(actions) == [1, 2, 3]


@pytest.mark.parametrize(("policy", "again"), [(Policy(), []), (DELETE, [1])])
def test_a_size_that_is_missing_once(policy: Policy, again: list[int]) -> None:
    sizes = Listings([(2, 8), (3, 11)])
    actions = plan(policy, record(1), record(2), record(3), sizes=sizes)
    # Good enough to leave it alone, not to delete it.
    assert wanted(actions) == again
    assert stored(actions) == []


def test_what_is_listed_no_more_is_doubted_and_forgotten_in_the_end() -> None:
    sizes, ids = Listings([(1, 5)]), Listings([(1, None, b"a")])
    actions = plan(Policy(), record(1), record(2), sizes=sizes, ids=ids)
    assert kinds(actions) == ["Remember", "Quit"]
    assert left(actions)[2] == record(2, standing=Standing.DOUBTED, seen=NOW)
    for days, forgotten in (30, False), (31, True):
        old = record(2, standing=Standing.DOUBTED, seen=NOW - days * DAY)
        actions = plan(Policy(), record(1), old, sizes=sizes, ids=ids)
        assert actions[:-1] == ([Remember((), (2,))] if forgotten else [])


def test_all_unique_ids_have_changed() -> None:
    ids = Listings((n, None, b"new-%d" % n) for n in CONTENTS)
    known = record(1), record(2), record(3)
    actions = plan(Policy(), *known, ids=ids)
    assert wanted(actions) == [1, 2, 3]
    assert stored(actions) == []
    assert [r.unique_id for r in left(actions).values()] == [b"new-1", b"new-2", b"new-3"]
    assert {r.stored for r in left(actions).values()} == {NOW - DAY}


def test_a_deleted_message_that_comes_again_under_another_name_is_new() -> None:
    old = record(1, standing=Standing.DELETED)
    ids = Listings([(1, None, b"z")])
    actions = plan(Policy(), old, sizes=Listings([(1, 5)]), ids=ids)
    assert [r.unique_id for r in stored(actions)] == [b"z"]


def test_a_deletion_that_was_confirmed_and_not_made() -> None:
    old = record(1, standing=Standing.DELETED)
    actions = plan(DELETE, old, sizes=Listings([(1, 5)]), ids=Listings(IDS[:1]))
    assert stored(actions) == []
    assert deleted(actions) == [1]


def test_the_same_content_twice_is_two_messages() -> None:
    contents = dict.fromkeys(CONTENTS, b"same\r\n")
    sizes = Listings((n, 6) for n in CONTENTS)
    actions = plan(Policy(), contents=contents, sizes=sizes, ids=None)
    assert len(stored(actions)) == 3
    left_over = left(actions).values()
    assert {r.standing for r in left_over} == {Standing.DOUBTED}
    # One of them more, and only one of them is new.
    contents[4] = b"same\r\n"
    sizes = Listings((n, 6) for n in contents)
    actions = plan(DELETE, *left_over, contents=contents, sizes=sizes, ids=None)
    assert wanted(actions) == [1, 2, 3, 4]
    assert len(stored(actions)) == 1
    assert deleted(actions) == [1, 2, 3, 4]
    # Nothing names them, so nothing is left to remember.
    assert left(actions, *left_over) == {}


def test_duplicate_unique_ids_name_nobody() -> None:
    ids = Listings([(1, None, b"a"), (2, None, b"a"), (3, None, b"c")])
    actions = plan(DELETE, record(1), record(3), ids=ids)
    assert wanted(actions) == [1, 2]
    assert [r.unique_id for r in stored(actions)] == [None]


def test_rows_that_contradict_each_other() -> None:
    sizes = Listings([(1, 5), (1, 7), (2, 8), (2, 8)])
    ids = Listings([(1, None, b"a"), (1, None, b"x"), (2, None, b"b"), (2, None, b"b")])
    actions = plan(DELETE, sizes=sizes, ids=ids)
    (first, second) = stored(actions)
    assert (first.unique_id, first.listed) == (b"b", 8)
    assert (second.unique_id, second.listed) == (None, None)
    assert deleted(actions) == [1, 2]


def test_mail_that_arrives_between_list_and_uidl() -> None:
    for sizes, ids in (SIZES, Listings(IDS[:1])), (Listings(SIZES[:1]), IDS):
        actions = plan(Policy(), sizes=sizes, ids=ids)
        assert wanted(actions) == [1, 2, 3]
        # In the next session all rows are there.
        actions = plan(Policy(), *left(actions).values())
        assert stored(actions) == []
        assert {r.standing for r in left(actions).values()} <= {Standing.KNOWN}


NUMBERED = Listings((n, None, b"%d" % n) for n in CONTENTS)


def test_unique_ids_that_are_message_numbers() -> None:
    numbered = [record(n, unique_id=b"%d" % n) for n in CONTENTS]
    assert wanted(plan(Policy(), *numbered, ids=NUMBERED)) == []
    # Before a deletion they are looked at, once more.
    actions = plan(Policy(delete_after=1, keep_newest=1), *numbered, ids=NUMBERED)
    assert (wanted(actions), deleted(actions)) == ([1, 2], [1, 2])
    assert stored(actions) == []
    # One is missing, so all numbers may have shifted.
    contents = {1: CONTENTS[2], 2: CONTENTS[3]}
    sizes = Listings((n, 5) for n in contents)
    numbered = [r._replace(listed=5) for r in numbered]
    ids = Listings(NUMBERED[:2])
    actions = plan(Policy(), *numbered, sizes=sizes, ids=ids, contents=contents)
    assert wanted(actions) == [1, 2]
    assert stored(actions) == []


@pytest.mark.parametrize(
    ("policy", "numbers"),
    [
        (Policy(), []),
        (Policy(delete_after=0), [1, 2, 3]),
        (Policy(delete_after=1), [1, 2]),
        (Policy(delete_after=1.5), []),
        (Policy(keep_newest=0), [1, 2, 3]),
        (Policy(keep_newest=2), [1]),
        (Policy(keep_newest=2, delete_after=2), []),
        (Policy(keep_newest=1, delete_after=1), [1, 2]),
        (Policy(delete_after=0, headers_only=True), []),
    ],
)
def test_what_is_deleted(policy: Policy, numbers: list[int]) -> None:
    assert deleted(plan(policy, record(1), record(2), record(3, stored=NOW))) == numbers


def test_a_clock_that_was_set_back() -> None:
    assert deleted(plan(DELETE, *(record(n, stored=NOW + DAY) for n in CONTENTS))) == [1, 2, 3]


@pytest.mark.parametrize("name", ["delete_after", "keep_newest", "max_octets"])
@pytest.mark.parametrize("number", [-1, float("nan")])
def test_numbers_that_mean_nothing(name: str, number: float) -> None:
    with pytest.raises(LocalProtocolError, match=name):
        Policy(**{name: number})  # type: ignore[arg-type]


def test_messages_that_are_not_retrieved() -> None:
    assert wanted(plan(Policy(max_octets=8))) == [1, 2]
    assert deleted(plan(Policy(max_octets=8, delete_after=0))) == [1, 2]

    def second(listing: Listing) -> bool:
        return listing == (2, 8, b"b")

    assert wanted(plan(Policy(skip=second))) == [1, 3]


def test_headers_only_and_later_all() -> None:
    policy = Policy(headers_only=True)
    actions = plan(policy)
    assert {w for a in actions if isinstance(a, Retrieve) for w in a.messages} == {
        Wanted(n, len(c), True) for n, c in CONTENTS.items()
    }
    headers = left(actions).values()
    assert {(r.header, r.fits) for r in headers} == {(True, True)}
    assert wanted(plan(policy, *headers)) == []
    # Even with the same octets, a header is no message.
    actions = plan(DELETE, *headers)
    assert len(stored(actions)) == 3
    assert deleted(actions) == [1, 2, 3]
    # And a whole message needs no header.
    assert wanted(plan(policy, record(1), record(2), record(3))) == []


def test_a_message_that_is_much_smaller_than_listed() -> None:
    sizes = Listings([(1, 5000), (2, 8), (3, 11)])
    planner = Planner(DELETE, [], sizes, IDS, now=NOW)
    actions = carried_out(planner, contents={**CONTENTS, 1: b""})
    assert deleted(actions) == [2, 3]
    assert [*planner.misfits] == [1]
    # The next session looks again.
    (misfit,) = (r for r in left(actions).values() if r.standing is not Standing.DELETED)
    assert misfit.standing is Standing.DOUBTED
    planner = Planner(DELETE, [misfit], sizes, IDS, now=NOW)
    contents = {**CONTENTS, 1: b"x" * 4996 + b"\r\n"}
    actions = carried_out(planner, contents=contents)
    assert deleted(actions) == [1, 2, 3]
    assert planner.misfits == {}


def test_a_message_that_is_somewhat_larger_than_listed() -> None:
    sizes = Listings([(1, 2), (2, 8), (3, 11)])
    contents = {**CONTENTS, 1: b"12345678901234567\r\n"}
    actions = plan(Policy(), sizes=sizes, contents=contents)
    known = left(actions).values()
    # It is not retrieved again, but not deleted either.
    actions = plan(DELETE, *known, sizes=sizes)
    assert (wanted(actions), deleted(actions)) == ([], [2, 3])


@pytest.mark.parametrize(
    ("listed", "octets", "lines", "fits"),
    [
        # Nothing came, and no size says that the message is empty.
        (None, 0, 0, False),
        (0, 0, 0, True),
        (5, 0, 0, False),
        (5, 1, 0, True),
        (5000, 0, 0, False),
        (1024, 0, 0, False),
        (100, 100, 2, True),
        (96, 100, 2, True),
        (95, 100, 2, False),
        (107, 100, 2, True),
        (108, 100, 2, False),
        (1024, 100, 2, True),
        (1024, 1030, 2, True),
        (2048, 100, 2, False),
        (2048, 1020, 2, True),
        (2048, 1016, 2, False),
        (3072, 2049, 40, True),
        (1000, 900, 2, False),
    ],
)
def test_sizes_that_are_explained(listed: int | None, octets: int, lines: int, fits: bool) -> None:
    assert size_fits(listed, octets, lines) is fits


def test_messages_that_are_refused() -> None:
    actions = plan(DELETE, record(1), refused=(1, 2))
    assert [r.unique_id for r in stored(actions)] == [b"c"]
    assert deleted(actions) == [1, 3]
    # The refused deletion leaves everything as it was.
    assert left(actions)[1] == record(1)


def test_nothing_is_known_until_quit_is_answered() -> None:
    actions = plan(DELETE, record(1), confirmed=False)
    assert kinds(actions)[-1] == "Quit"
    assert {r.standing for r in left(actions).values()} == {Standing.DOUBTED}
    # If they are still there, they are compared, and deleted then.
    actions = plan(DELETE, *left(actions).values())
    assert (wanted(actions), deleted(actions)) == ([1, 2, 3], [1, 2, 3])
    assert stored(actions) == []


def test_what_was_begun_is_finished_first() -> None:
    begun = record(1, standing=Standing.STORING, draft="left")
    unnamed = record(2, standing=Standing.STORING, draft="over", unique_id=None)
    actions = plan(Policy(), begun, unnamed)
    assert actions[0] == Store((begun, unnamed))
    assert actions[1] == Remember((record(1), record(2, standing=Standing.DOUBTED, unique_id=None)))
    # The one without a name is found by its content.
    assert wanted(actions) == [2, 3]
    assert [r.unique_id for r in stored(actions)[2:]] == [b"c"]


def test_drafts_of_what_is_stored_are_discarded_after_that_is_recorded() -> None:
    actions = plan(Policy(), *(record(n, standing=Standing.DOUBTED) for n in (1, 2)))
    assert kinds(actions) == [
        "Retrieve",
        "Remember",
        "Discard",
        "Remember",
        "Store",
        "Remember",
        "Quit",
    ]
    assert actions[2] == Discard(("draft-1", "draft-2"))


def test_groups_grow() -> None:
    sizes = Listings((n, 10) for n in range(1, 2001))
    planner = Planner(Policy(), [], sizes, None, now=NOW)
    contents = {n: b"%08d\r\n" % n for n in range(1, 2001)}
    actions = carried_out(planner, contents=contents)
    groups = [len(a.messages) for a in actions if isinstance(a, Retrieve)]
    assert groups == [4, 8, 16, 32, 64, 128, 256, 512, 980]


@pytest.mark.parametrize(
    ("first", "largest", "expected"),
    [(1, 4, [1, 2, 4, 3]), (8, 4, [4, 4, 2]), (3, 3, [3, 3, 3, 1])],
)
def test_groups_of_other_sizes(first: int, largest: int, expected: list[int]) -> None:
    sizes = Listings((n, 10) for n in range(1, 11))
    planner = Planner(Policy(), [], sizes, None, now=NOW, first_group=first, largest_group=largest)
    contents = {n: b"%08d\r\n" % n for n in range(1, 11)}
    actions = carried_out(planner, contents=contents)
    assert [len(a.messages) for a in actions if isinstance(a, Retrieve)] == expected


def test_what_there_was_no_room_for_is_retrieved_alone_and_once() -> None:
    planner = Planner(Policy(), [], SIZES, IDS, now=NOW)
    assert planner.next_action() == Retrieve((Wanted(1, 5), Wanted(2, 8), Wanted(3, 11)))
    planner.report(retrieved(1, draft="a"))
    actions: list[Action] = []
    while (action := planner.next_action()) is not None:
        actions.append(action)
        if isinstance(action, Retrieve) and action.messages[0].number == 3:
            planner.report(retrieved(3, draft="b"))
    assert kinds(actions) == [
        *("Remember", "Store", "Remember"),
        "Retrieve",
        *("Retrieve", "Remember", "Store", "Remember"),
        "Quit",
    ]
    assert [len(a.messages) for a in actions if isinstance(a, Retrieve)] == [1, 1]
    assert planner.new == 2


def test_groups_have_a_size_and_large_messages_come_last_and_alone() -> None:
    million = 1024 * 1024
    octets = [million + 1, *[million] * 100, None]
    sizes = Listings((n, size) for n, size in enumerate(octets, 1))
    planner = Planner(Policy(), [], sizes, None, now=NOW)
    contents = {n: b"%d" % n for n in range(1, 103)}
    actions = carried_out(planner, contents=contents)
    groups = [[w.number for w in a.messages] for a in actions if isinstance(a, Retrieve)]
    assert [len(group) for group in groups] == [4, 8, 16, 32, 33, 7, 1, 1]
    assert groups[-2:] == [[1], [102]]


def test_giving_up_stores_what_was_reported_and_nothing_more() -> None:
    planner = Planner(DELETE, [], SIZES, IDS, now=NOW)
    assert isinstance(planner.next_action(), Retrieve)
    planner.report(retrieved(1, draft="d"))
    planner.give_up()
    assert kinds(carried_out(planner)) == ["Remember", "Store", "Remember"]
    assert planner.new == 1


def test_giving_up_at_a_message_that_comes_alone() -> None:
    planner = Planner(DELETE, [], Listings(), IDS, now=NOW)
    assert planner.next_action() == Retrieve((Wanted(1, None),))
    planner.give_up()
    assert planner.next_action() is None


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        (None, 60),
        ([], 60),
        (["LOGIN-DELAY 30"], 60),
        (["LOGIN-DELAY 300"], 300),
        (["EXPIRE 0"], 60),
        (["EXPIRE NEVER"], 60),
        (["EXPIRE 2"], 60),
    ],
)
def test_the_next_poll(lines: list[str] | None, seconds: float) -> None:
    capabilities = None if lines is None else Capabilities.of(*lines)
    assert seconds_to_next_poll(capabilities, 60) == seconds


def test_a_poll_before_mail_expires() -> None:
    assert seconds_to_next_poll(Capabilities.of("EXPIRE 2"), 5 * DAY) == DAY
