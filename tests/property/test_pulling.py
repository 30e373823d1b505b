"""Whether events are pulled at once or as late as can be, they are the same, for both roles.

So are they with every limit and every leniency, with commands sent in between, with TLS, AUTH and
uploads: these are the sessions that the fuzzers go through, with likelier words.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import (
    Auth,
    Capa,
    Challenge,
    Command,
    Dele,
    ErrorReply,
    Greeting,
    Noop,
    Ok,
    State,
    Stls,
)
from pop3proto._value import field_names
from pop3proto.testing.fuzz.inputs import (
    COMMANDS,
    LENIENCIES,
    LIMITS,
    SIZES,
    STATES,
    ClientInput,
    ServerInput,
)
from pop3proto.testing.fuzz.targets import fuzz_client, fuzz_server
from pop3proto.transcript import TlsEstablished
from tests.property.effort import effort
from tests.property.engines import (
    REFUSE,
    Step,
    by,
    client,
    lines,
    talked,
    whole,
    without_chance,
)

SAID = [
    *([b"+OK\r\n"] * 6),
    *(b"+OK\r\n1 1\r\n2 2\r\n3 3\r\n", b"+OK\r\n1 1\r\nx\r\n2 2\r\n", b"+OK\n1 1\r\n2 a\n3 b\r\n"),
    *(b"-ERR no\r\n", b"-ERR [IN-USE] no\r\n", b"+OK 1 2\r\n", b"+OK 1 a\r\n", b"+OK <1.2@x>\r\n"),
    *(b"+ \r\n", b"+ PDE+\r\n", b"+OK PDE+\r\n", b"+ " + b"A" * 36 + b"\r\n", b"+ no\r\n"),
    *(
        b"1 1\r\n2 2\r\n",
        b"1 1\r\n",
        b"2 b\r\n",
        b"TOP\r\n",
        b"x\r\n",
        b"x" * 30,
        b"A",
        b".\r\n",
        b"..x\r\n",
        b"\r\n.\r\n",
    ),
    *(b"+OK", b"\r", b"\n", b"\r\n", b"+OK\n", b"+ok\r\n", b"\0", b"\xff", b".", b" "),
]
ASKED = [
    *(b"USER user", b"PASS secret", b"AUTH PLAIN", b"AUTH X =", b"AUTH X eA==", b"eA==", b"QUIT"),
    *(b"AUTH X " + b"QUFB" * 12, b"QUFB" * 9, b"*", b"XTND XMIT", b"XTND XLST", b"STLS", b"UTF8"),
    *(b"STAT", b"RETR 1", b"LIST", b"text", b"..x", b".", b"", b"x" * 70, b"\xff", b"\0", b"TOP 1"),
]
ENDS = st.sampled_from([*([b"\r\n"] * 9), b"\n", b"\r", b""])
TLS: st.SearchStrategy[Step] = st.just(TlsEstablished())


def exchange(command: Command[Any], rows: int) -> list[Step]:
    """``command``, and an answer that fits it."""
    if command.answer is Challenge:
        return [command, b"+ PDE+\r\n"]
    if command.multiline:
        return [command, b"+OK\r\n" + b"".join(b"%d 1\r\n" % n for n in range(rows)) + b".\r\n"]
    return [command, b"+OK 1 2\r\n"]


def steps(one: st.SearchStrategy[Step], *several: st.SearchStrategy[list[Step]]) -> Any:
    groups = st.lists(st.one_of(*several, one.map(lambda step: [step])), max_size=10)
    return groups.map(lambda found: [*chain.from_iterable(found)])


EXCHANGES = st.builds(exchange, st.sampled_from(COMMANDS), st.integers(1, 6))
CLIENT_STEPS = steps(st.sampled_from(COMMANDS) | st.sampled_from(SAID) | TLS, EXCHANGES)
SERVER_STEPS = steps(st.builds(bytes.__add__, st.sampled_from(ASKED), ENDS) | TLS)
CLIENTS = st.builds(
    ClientInput,
    size=st.sampled_from(SIZES),
    pulls=st.integers(0, 3),
    limits=st.sampled_from(LIMITS),
    leniency=st.sampled_from(LENIENCIES),
    state=st.sampled_from(STATES),
    steps=CLIENT_STEPS,
)
SERVERS = st.builds(
    ServerInput,
    size=st.sampled_from(SIZES),
    pulls=st.integers(0, 3),
    limits=st.sampled_from(LIMITS),
    leniency=st.sampled_from(LENIENCIES),
    choices=st.lists(st.integers(0, 3), min_size=12, max_size=12),
    steps=SERVER_STEPS,
)


@effort(1000)
@given(CLIENTS)
def test_a_client(given: ClientInput) -> None:
    fuzz_client(given.to_bytes())


@effort(1000)
@given(SERVERS)
def test_a_server(given: ServerInput) -> None:
    fuzz_server(given.to_bytes())


def _merged(found: Sequence[Step]) -> list[Step]:
    """``found`` with neighbouring octets joined."""
    merged: list[Step] = []
    for step in found:
        last = merged[-1] if merged else None
        if isinstance(step, bytes) and isinstance(last, bytes):
            merged[-1] = last + step
        elif step != b"":
            merged.append(step)
    return merged


@effort(50)
@given(CLIENTS | SERVERS)
def test_what_the_fuzzers_are_given_says_all_of_it(given: ClientInput | ServerInput) -> None:
    again = type(given).from_bytes(given.to_bytes())
    for name in field_names(given):
        expected: Any = getattr(given, name)
        assert getattr(again, name) == (_merged(expected) if name == "steps" else expected)


@given(st.binary(max_size=40))
@effort(50)
def test_any_octets_are_something(data: bytes) -> None:
    fuzz_client(data)
    fuzz_server(data)


UNASKED: list[list[Step]] = [
    [Noop(), b"+OK\r\n+OK unasked\r\n", Dele(1), b"+OK\r\n"],
    [Noop(), b"+OK\r\n-ERR unasked\r\n", Noop(), Noop(), b"+OK\r\n+OK\r\n"],
    [Noop(), b"+OK\r\n\r\n-ERR", Noop(), b" unasked\r\n"],
    [Noop(), b"-ERR\r\n+OK\r\n", Capa(), b"+OK\r\n.\r\n"],
    [b"+OK unasked\r\n", Noop()],
]


@pytest.mark.parametrize("session", UNASKED)
@pytest.mark.parametrize("pulls", [0, 1, 2, None])
@pytest.mark.parametrize("cut", [whole, lines, *map(by, range(1, 9))])
def test_what_nobody_asked_for_answers_nothing(session: Any, pulls: int | None, cut: Any) -> None:
    events = without_chance(talked(client(), session, cut=cut, pulls=pulls))
    assert events == without_chance(talked(client(), session))
    assert "answers no command" in events[-2][1]


@pytest.mark.parametrize("cut", [whole, lines, by(1), by(4)])
def test_room_for_a_challenge_is_not_for_what_came_before(cut: Any) -> None:
    session: list[Step] = [b"+OK " + b"x" * 9000, Auth("PLAIN"), b"\r\n"]
    for pulls in (0, None):
        *_, error, _ = talked(client(state=State.AUTHORIZATION), session, cut=cut, pulls=pulls)
        assert "a line is longer than 8192 octets" in error[1]


def test_what_the_sessions_are_compared_by() -> None:
    """TLS is reached, in both roles, and a refusal of the server's is one."""
    session: list[Step] = [b"+OK\r\n", Stls(), b"+OK\r\n", TlsEstablished()]
    *events, _, outcome = talked(client(state=State.GREETING), session)
    assert events == [Greeting(), Ok(Stls())]
    assert outcome[1] is True
    given = ServerInput(choices=[2], steps=[b"STLS\r\n", TlsEstablished(), b"CAPA\r\n"])
    assert talked(given.engine(), given.steps, choices=given.choices)[-1][1] is True
    assert talked(given.engine(), given.steps, choices=[REFUSE])[-1][1] is False
    refused = talked(client(), [Noop(), b"-ERR no\r\n"])
    assert refused[0] == ErrorReply(Noop(), "no")
