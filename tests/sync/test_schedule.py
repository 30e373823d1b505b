"""Which account is next: limits, and pauses after errors."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto.errors import ConnectError, LocalProtocolError, MaildropInUseError, Pop3Error
from pop3proto.sync.schedule import Job, Schedule
from tests.property.effort import effort

HOST = {"a1": "a", "a2": "a", "a3": "a", "b1": "b", "b2": "b"}
LIMITS: dict[str, Any] = {"concurrency": 3, "per_host": 2, "attempts": 3, "pause": 5.0}


class TransientError(Pop3Error):
    transient = True


def schedule(*accounts: str, **limits: Any) -> Schedule[str]:
    return Schedule(accounts or HOST, HOST.__getitem__, print, **LIMITS | limits)


def all_that_begin(some: Schedule[str], now: float = 0.0) -> list[Job[str]]:
    jobs: list[Job[str]] = []
    while (job := some.begin(now)) is not None:
        jobs.append(job)
    return jobs


def names(jobs: list[Job[str]]) -> list[str]:
    return [job.account for job in jobs]


def test_hosts_take_turns_and_have_limits() -> None:
    some = schedule(concurrency=10)
    jobs = all_that_begin(some)
    assert names(jobs) == ["a1", "b1", "a2", "b2"]
    assert (some.running, some.left) == (4, 5)
    assert some.seconds_to_next(0.0) is None
    assert some.end(jobs[1], None, 0.0)
    assert some.begin(0.0) is None
    assert some.end(jobs[0], None, 0.0)
    assert names(all_that_begin(some)) == ["a3"]


def test_all_together_have_a_limit() -> None:
    some = schedule()
    jobs = all_that_begin(some)
    assert names(jobs) == ["a1", "b1", "a2"]
    some.end(jobs[0], Pop3Error("no"), 0.0)
    assert names(all_that_begin(some)) == ["b2"]


def test_pauses_are_twice_as_long_each_time() -> None:
    some = schedule("a1")
    now = 0.0
    for pause in 5.0, 10.0:
        (job,) = all_that_begin(some, now)
        assert not some.end(job, TransientError("no"), now)
        assert some.begin(now) is None
        assert some.seconds_to_next(now) == pause
        assert some.seconds_to_next(now + 100) == 0.0
        now += pause
    (job,) = all_that_begin(some, now)
    assert job.attempts == 3
    assert some.end(job, TransientError("no"), now)
    assert some.left == 0


@pytest.mark.parametrize("error", [None, Pop3Error("no"), ValueError("a mistake"), OSError(28)])
def test_what_is_not_tried_again(error: Exception | None) -> None:
    some = schedule("a1")
    (job,) = all_that_begin(some)
    assert some.end(job, error, 0.0)
    assert some.left == 0


def test_a_maildrop_in_use_stops_no_other_account() -> None:
    some = schedule("a1", "a2", per_host=1)
    (job,) = all_that_begin(some)
    assert not some.end(job, MaildropInUseError.__new__(MaildropInUseError), 0.0)
    assert names(all_that_begin(some)) == ["a2"]


def test_a_host_that_cannot_be_reached_is_left_alone_for_a_time() -> None:
    some = schedule(per_host=1)
    first, other = all_that_begin(some)
    assert names([first, other]) == ["a1", "b1"]
    assert not some.end(first, ConnectError("no"), 0.0)
    assert some.begin(0.0) is None
    some.end(other, None, 0.0)
    # The other host goes on.
    assert names(all_that_begin(some)) == ["b2"]
    assert some.seconds_to_next(1.0) == 4.0
    # Another account is next, as there may be something wrong with the first one.
    (job,) = all_that_begin(some, 5.0)
    assert job.account == "a2"
    some.end(job, None, 5.0)
    assert names(all_that_begin(some, 5.0)) == ["a3"]


def test_a_host_that_is_gone_is_not_waited_for_again_and_again() -> None:
    accounts = [f"a{n}" for n in range(100)]
    some = Schedule(accounts, lambda name: "a", print, **LIMITS)
    now, tries = 0.0, Counter[str]()
    while some.left:
        for job in all_that_begin(some, now):
            tries[job.account] += 1
            some.end(job, ConnectError("no"), now)
        now += some.seconds_to_next(now) or 0.0
    assert now < 100
    assert min(tries.values()) == 1
    assert tries.total() < 110


def test_two_that_fail_at_once_count_once() -> None:
    some = schedule("a1", "a2", "a3")
    one, two = all_that_begin(some)
    for job in one, two:
        assert not some.end(job, ConnectError("no"), 0.0)
    assert some.seconds_to_next(0.0) == 5.0
    (later, other) = all_that_begin(some, 5.0)
    assert some.end(later, None, 5.0)
    assert some.end(other, None, 5.0)
    assert some.left == 1


@given(st.data())
@effort(200)
def test_every_account_has_one_result_within_the_limits(data: st.DataObject) -> None:
    accounts = data.draw(st.lists(st.sampled_from("abc"), max_size=12))
    limits: dict[str, Any] = {
        "concurrency": data.draw(st.integers(1, 4)),
        "per_host": data.draw(st.integers(1, 3)),
        "attempts": data.draw(st.integers(1, 3)),
        "pause": data.draw(st.sampled_from([0.0, 1.0, 7.5])),
    }
    some = Schedule(enumerate(accounts), lambda account: account[1], print, **limits)
    now, results, running = 0.0, Counter[int](), list[Job[tuple[int, str]]]()
    errors = [None, None, ConnectError("no"), TransientError("no"), Pop3Error("no"), KeyError()]
    while some.left:
        while (job := some.begin(now)) is not None:
            running.append(job)
        assert some.running == len(running) <= limits["concurrency"]
        assert max(Counter(j.host for j in running).values(), default=0) <= limits["per_host"]
        if running:
            job = running.pop(data.draw(st.integers(0, len(running) - 1)))
            results[job.account[0]] += some.end(job, data.draw(st.sampled_from(errors)), now)
            assert job.attempts <= limits["attempts"]
        else:
            seconds = some.seconds_to_next(now)
            assert seconds is not None
            now += seconds
    assert results == Counter(range(len(accounts)))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"accounts": "abc"}, "accounts are a list, not str"),
        ({"accounts": 5}, "accounts are a list, not int"),
        ({"host": "pop.example.org"}, "host is a function, not str"),
        ({"concurrency": 0}, "concurrency is at least 1, not 0"),
        ({"per_host": 1.5}, "per_host is an int, not float"),
        ({"attempts": 0}, "attempts is at least 1, not 0"),
        ({"pause": -1}, "pause is a finite number of seconds, 0 or more, not -1"),
    ],
)
def test_wrong_arguments(wrong: dict[str, Any], told: str) -> None:
    right: dict[str, Any] = {"accounts": [], "host": str, "fetch": print, **LIMITS}
    Schedule(**right)
    with pytest.raises(LocalProtocolError, match=f"^{told}$"):
        Schedule(**right | wrong)
