"""The strategies that damage things: what they do, and what a failing example is reduced to."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from pop3proto import ClientConnection, Greeting, Ok, Pop3Error, Quit, Signal
from pop3proto.testing.strategies import (
    BrokenConversation,
    Conversation,
    Damage,
    Exchange,
    broken,
    broken_conversations,
    chunkings,
    damages,
    disturbances,
)

# The same search at every run.
SAME = settings(derandomize=True, max_examples=500)
DATA = b"+OK one\r\n+OK two\r\n+OK three\r\n"


def refused_by_a_client(broken: BrokenConversation) -> bool:
    """Whether a client that says all it wanted to say makes nothing of the answers."""
    engine = ClientConnection()
    engine.receive_data(broken.conversation.greeting.to_bytes())
    engine.next_event()
    try:
        for command in broken.conversation.commands:
            engine.send(command)
        engine.receive_data(broken.server_octets[len(broken.conversation.greeting.to_bytes()) :])
        while engine.next_event() is not Signal.NEED_DATA:
            pass
    except Pop3Error:
        return True
    return False


def holding(wanted: Any) -> Callable[[Any], bool]:
    return lambda drawn: wanted in drawn


@pytest.mark.parametrize(
    ("done", "data"),
    [
        ((), b"abcdef"),
        ((Damage(1, 2, b""),), b"adef"),
        ((Damage(6, 3, b"!"),), b"abcdef!"),
        ((Damage(4, 1, b"E"), Damage(0, 1, b"AA")), b"AAbcdEf"),
        ((Damage(2, 0, b"-"), Damage(2, 0, b"+")), b"ab+-cdef"),
    ],
)
def test_each_damage_has_its_own_place(done: tuple[Damage, ...], data: bytes) -> None:
    assert Damage.done(done, b"abcdef") == data


@given(damages(DATA))
def test_damages_that_do_not_overlap_do_not_depend_on_their_order(done: tuple[Damage, ...]) -> None:
    if len({damage.position for damage in done}) == len(done):
        assert Damage.done(done, DATA) == Damage.done(done[::-1], DATA)
    assert len(done) <= 4


@given(st.data())
def test_broken_octets_are_a_little_different(data: st.DataObject) -> None:
    octets = data.draw(broken(DATA))
    assert len(DATA) - 4 * 8 <= len(octets) <= len(DATA) + 4 * 16
    assert b"".join(data.draw(chunkings(octets))) == octets


@pytest.mark.slow
def test_whatever_can_break_does() -> None:
    for wanted in (b"\r\r", b"\0", b"+OK+OK", b"-ERR", b"\r\n.\r\n"):
        find(broken(DATA), holding(wanted), settings=SAME)
    assert find(broken(b""), bool, settings=SAME)


@pytest.mark.slow
def test_one_damage_is_left_of_a_failing_example() -> None:
    done = find(
        damages(DATA), lambda some: Damage.done(some, DATA).count(b"\r\n") == 2, settings=SAME
    )
    assert len(done) == 1
    whole = Conversation(Greeting("ready"), (Exchange(Quit(), (Ok(Quit(), "bye"),)),))
    both = st.builds(
        BrokenConversation,
        st.just(whole),
        damages(b"+OK bye\r\n"),
        damages(whole.client_octets),
    )
    shrunk = find(both, refused_by_a_client, settings=SAME)
    assert len(shrunk.server_damage) == 1
    assert shrunk.client_damage == ()


@given(broken_conversations())
def test_the_greeting_is_whole(some: BrokenConversation) -> None:
    assert some.server_octets.startswith(some.conversation.greeting.to_bytes())


def test_the_simplest_network_does_nothing() -> None:
    assert find(disturbances(), lambda how: True, settings=SAME) == {}
    for name in ("chunks", "delays", "drop_after", "reset_after"):
        simplest = find(disturbances(), holding(name), settings=SAME)
        assert set(simplest) == {name}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chunks", "delays", "drop_after", "reset_after"])
def test_a_disturbance_is_left_alone_wherever_the_search_begins(name: str) -> None:
    for seed in range(5):
        simplest = find(disturbances(), holding(name), settings=SAME, random=Random(seed))
        assert set(simplest) == {name}
