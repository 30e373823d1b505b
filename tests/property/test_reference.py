"""The engines return what a slow parser does that was written line by line from the RFCs.

``fuzz_client`` and ``fuzz_server`` compare them, at several chunkings. test_pulling.py calls them
as well, with steps of all kinds.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3proto import (
    AuthCancel,
    AuthResponse,
    Extension,
    Greeting,
    LocalProtocolError,
    Noop,
    State,
    Stls,
)
from pop3proto.engine.requests import parse_auth_response, parse_command
from pop3proto.model.commands import KNOWN_VERBS
from pop3proto.testing.fuzz.inputs import LENIENCIES, LIMITS, SIZES, ClientInput, ServerInput
from pop3proto.testing.fuzz.reference import client_events
from pop3proto.testing.fuzz.reference_commands import command_in
from pop3proto.testing.fuzz.targets import fuzz_client, fuzz_server
from pop3proto.testing.strategies import BrokenConversation, broken_conversations
from tests.property.effort import effort
from tests.samples import COMMAND_LINES

LENIENCY = st.sampled_from(LENIENCIES)
SIZE = st.sampled_from(SIZES)
# Those within AUTH are no command lines.
AUTH_LINES = {line for each, line in COMMAND_LINES if isinstance(each, AuthCancel | AuthResponse)}


@effort(150)
@given(broken_conversations(), LENIENCY, SIZE)
def test_any_broken_answers(broken: BrokenConversation, leniency: object, size: int) -> None:
    wire = broken.server_octets[len(broken.conversation.greeting.to_bytes()) :]
    steps = [*broken.conversation.commands, wire]
    given = ClientInput(state=State.AUTHORIZATION, steps=steps, leniency=leniency, size=size)  # type: ignore[arg-type]
    fuzz_client(given.to_bytes())


@effort(150)
@given(
    broken_conversations(),
    LENIENCY,
    SIZE,
    st.sampled_from(LIMITS),
    st.lists(st.integers(0, 3), max_size=12),
)
def test_any_broken_requests(
    broken: BrokenConversation, leniency: object, size: int, limits: object, choices: list[int]
) -> None:
    given = ServerInput(
        steps=[broken.client_octets],
        leniency=leniency,  # type: ignore[arg-type]
        limits=limits,  # type: ignore[arg-type]
        size=size,
        choices=choices,
    )
    fuzz_server(given.to_bytes())


VERBS = b"APOP AUTH CAPA DELE LAST LANG LIST PASS RETR STAT TOP UIDL USER XTND * top Auth".split()
WORDS = st.sampled_from(
    [b"1", b"007", b"2147483648", b"-1", b"a", b"=", b"eA==", b"e", b"PLAIN", b"f" * 32, b"\xe4"]
)
BLANKS = st.sampled_from([b" ", b"", b"  ", b"\t"])


@st.composite
def request_lines(draw: st.DrawFn) -> bytes:
    line = draw(st.sampled_from(VERBS) | WORDS)
    for _ in range(draw(st.integers(0, 3))):
        line += draw(BLANKS) + draw(WORDS | st.binary(max_size=4))
    return (line + draw(BLANKS)).replace(b"\n", b"")


@pytest.mark.parametrize("line", sorted({line for _, line in COMMAND_LINES} - AUTH_LINES))
def test_each_command_is_known_to_both(line: bytes) -> None:
    command = parse_command(line)
    assert command_in(line, in_auth=False, eight_bit=True) == command
    # One that only the engine knows would be an extension for the other one.
    assert (line.split()[0] in KNOWN_VERBS) is not isinstance(command, Extension)


@effort(300)
@given(request_lines())
def test_any_command_line(line: bytes) -> None:
    if any(octet < 0x20 or octet == 0x7F for octet in line):
        # The engine looks for these first.
        assert command_in(line, in_auth=False, eight_bit=True) is None
        return
    try:
        command = parse_command(line)
    except LocalProtocolError:
        command = None
    assert command_in(line, in_auth=False, eight_bit=True) == command


@effort(200)
@given(st.text("AB=+/-e* ", max_size=9).map(str.encode))
def test_any_line_within_auth(line: bytes) -> None:
    try:
        data = parse_auth_response(line)
    except LocalProtocolError:
        assert line == b"*" or command_in(line, in_auth=True, eight_bit=True) is None
    else:
        found = command_in(line, in_auth=True, eight_bit=True)
        assert found is not None
        assert found.to_bytes() == line + b"\r\n" or found.data.octets() == data  # type: ignore[attr-defined]


def test_the_reference_itself() -> None:
    """A few lines whose events anybody can check, so that it is not the engine that says so."""
    sent = [Noop(), Stls()]
    events = client_events(sent, b"+OK a\r\n-ERR [X] b\r\nc", State.TRANSACTION, LENIENCIES[0])
    assert [type(event).__name__ for event in events] == ["Ok", "ErrorReply", "tuple"]
    assert (events[0].text, events[1].text, str(events[1].code)) == ("a", "b", "X")
    assert client_events([], b"+OK x\r\n", State.GREETING, LENIENCIES[0])[0] == Greeting("x")
