"""The seeds of the fuzzers, without Atheris."""

from __future__ import annotations

from typing import Any

import pytest

from pop3proto.errors import LimitError
from pop3proto.testing.fuzz.inputs import ClientInput, ServerInput
from tests.fuzz.targets import SEEDS, TARGETS
from tests.property.engines import talked

EACH = [(role, data) for role, seeds in SEEDS.items() for data in seeds]


def test_there_are_seeds_for_each_target() -> None:
    assert {*SEEDS} == {*TARGETS}
    # Each of them is another one, and they are the same every time.
    assert len({*EACH}) == len(EACH)


@pytest.mark.parametrize(
    ("role", "data"),
    EACH,
    ids=[f"{role}-{i}" for role in SEEDS for i in range(len(SEEDS[role]))],
)
def test_a_seed(role: str, data: bytes) -> None:
    TARGETS[role](data)


def _reached(role: str, data: bytes) -> list[Any]:
    if role == "client":
        client = ClientInput.from_bytes(data)
        return talked(client.engine(), client.steps)
    server = ServerInput.from_bytes(data)
    return talked(server.engine(), server.steps, choices=server.choices)


def test_they_reach_what_a_session_can_come_to() -> None:
    found = [event for role, data in EACH if role != "mail" for event in _reached(role, data)]
    names = {type(event).__name__ for event in found}
    assert names >= {
        *("Greeting", "ErrorReply", "Challenge", "ListReply", "UidlReply", "CapaReply"),
        *("MessageData", "MessageEnd", "Deviation", "ConnectionClosed", "InvalidCommand"),
        *("AuthResponse", "AuthCancel", "Stls", "Upload", "Quit"),
    }
    errors = [event for event in found if isinstance(event, tuple)]
    assert {error[0].__name__ for error in errors} == {
        *("RemoteProtocolError", "LimitError", "StlsInjectionError", "ConnectionLostError")
    }
    passed = {error[1] for error in errors if error[0] is LimitError}
    passed |= {event.reason for event in found if type(event).__name__ == "InvalidCommand"}
    for limit in (
        *("listing lines", "listing octets", "listing line:", "a line is longer", "an upload is"),
        *("the line is too long", "the answer is too long"),
    ):
        assert any(limit in message for message in passed), limit
    # Under TLS, and logged in.
    outcomes = [event for event in found if isinstance(event, list)]
    assert {(secure, utf8) for _, secure, utf8, *_ in outcomes} >= {(True, False), (False, True)}
