"""The rule that refuses a plaintext password."""

from __future__ import annotations

from typing import Any

import pytest

from pop3proto import Apop, Auth, ClientConnection, Command, Pass, Stat, User
from pop3proto.errors import PlaintextAuthError
from pop3proto.sasl import External, Plain
from pop3proto.sasl.mechanism import Mechanism
from pop3proto.sasl.plaintext_rule import may_show, refuse_plaintext

CLEAR, UNDER_TLS = ClientConnection(), ClientConnection(secure=True)
SHOWING: list[Command[Any]] = [
    Pass("secret"),
    Auth("PLAIN"),
    Auth("plain", b"\0user\0secret"),
    Auth("LOGIN"),
    Auth("XOAUTH2"),
    Auth("X-UNKNOWN"),
]


class Own:
    """A mechanism of a caller's own; it counts as false, because it has a length of 0."""

    name = "X-OWN"
    complete = True

    def __init__(self, shows_secret: object) -> None:
        self.shows_secret: Any = shows_secret

    def __len__(self) -> int:
        return 0

    def initial(self) -> bytes | None:
        return b"secret"

    def respond(self, challenge: bytes) -> bytes:
        return b""


@pytest.mark.parametrize("command", SHOWING)
def test_a_secret_is_shown_under_tls_or_if_it_is_allowed(command: Command[Any]) -> None:
    with pytest.raises(PlaintextAuthError, match="would show the secret") as caught:
        refuse_plaintext(command, CLEAR, allowed=False)
    assert caught.value.command is command
    assert caught.value.hint == PlaintextAuthError.hint
    assert "user" not in str(caught.value)
    refuse_plaintext(command, UNDER_TLS, allowed=False)
    refuse_plaintext(command, CLEAR, allowed=True)


@pytest.mark.parametrize(
    "command",
    [Stat(), User("user"), Apop("user", "0" * 32), Auth("SCRAM-SHA-256"), Auth("EXTERNAL")],
)
def test_a_command_that_shows_nothing(command: Command[Any]) -> None:
    refuse_plaintext(command, CLEAR, allowed=False)


@pytest.mark.parametrize(
    ("mechanism", "hint"),
    [
        (Plain("user", "secret"), ""),
        (
            Own(shows_secret=True),
            "a mechanism that does not show its secret has shows_secret = False",
        ),
    ],
)
def test_a_mechanism_that_shows_its_secret(mechanism: Mechanism, hint: str) -> None:
    with pytest.raises(PlaintextAuthError) as caught:
        refuse_plaintext(Auth(mechanism.name), CLEAR, allowed=False, mechanism=mechanism)
    usual = PlaintextAuthError.hint
    assert caught.value.hint == (f"{usual}; {hint}" if hint else usual)


def test_a_mechanism_that_does_not() -> None:
    for mechanism in (External("user"), Own(shows_secret=False)):
        refuse_plaintext(Auth(mechanism.name), CLEAR, allowed=False, mechanism=mechanism)


def test_when_a_secret_may_be_shown() -> None:
    assert may_show(UNDER_TLS, allowed=False)
    assert may_show(CLEAR, allowed=True)
    assert not may_show(CLEAR, allowed=False)
