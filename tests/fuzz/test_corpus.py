"""The seeds of the fuzzers, without Atheris."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pop3proto.errors import LimitError
from tests.fuzz.make_corpus import file_name, seeds
from tests.fuzz.targets import TARGETS, ClientInput, ServerInput
from tests.property.engines import talked

CORPUS = Path(__file__).parent / "corpus"
SEEDS = sorted(CORPUS.glob("*/*"))


def test_there_are_seeds_for_each_target() -> None:
    assert {seed.parent.name for seed in SEEDS} == {*TARGETS}


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"{seed.parent.name}-{seed.name}")
def test_a_seed(seed: Path) -> None:
    TARGETS[seed.parent.name](seed.read_bytes())


def test_they_are_those_that_are_made() -> None:
    made = {(role, file_name(data)): data for role, data in seeds()}
    assert {(seed.parent.name, seed.name): seed.read_bytes() for seed in SEEDS} == made


def _reached(seed: Path) -> list[Any]:
    data = seed.read_bytes()
    if seed.parent.name == "client":
        client = ClientInput.from_bytes(data)
        return talked(client.engine(), client.steps)
    server = ServerInput.from_bytes(data)
    return talked(server.engine(), server.steps, choices=server.choices)


def test_they_reach_what_a_session_can_come_to() -> None:
    found = [event for seed in SEEDS if seed.parent.name != "mail" for event in _reached(seed)]
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
