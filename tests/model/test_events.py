from typing import get_args

import pytest

import pop3proto
from pop3proto import (
    ClientEvent,
    Command,
    ConnectionClosed,
    Deviation,
    InvalidCommand,
    ServerEvent,
    ServerReply,
)
from pop3proto.model import replies

NO_EVENTS = {"Language", "Message", "ResponseCode"}


def test_a_server_may_send_every_reply_and_a_client_gets_them_all() -> None:
    made = {name: each for name, each in vars(replies).items() if hasattr(each, "__fields__")}
    sent = {
        each
        for name, each in made.items()
        if each.__module__ == replies.__name__ and name not in NO_EVENTS and name[0] != "_"
    }
    assert set(get_args(ServerReply)) == sent
    assert set(get_args(ClientEvent)) == sent | {Deviation, ConnectionClosed}


def test_a_server_gets_commands() -> None:
    members = {getattr(member, "__origin__", member) for member in get_args(ServerEvent)}
    assert members == {Command, InvalidCommand, Deviation, ConnectionClosed}
    assert "ServerEvent" in pop3proto.__all__


def test_the_end_is_always_the_same() -> None:
    assert ConnectionClosed() == ConnectionClosed()
    assert repr(ConnectionClosed()) == "ConnectionClosed()"


def test_invalid_commands_compare_by_line_and_reason() -> None:
    event = InvalidCommand(b"NOOP x", "no argument")
    assert event == InvalidCommand(b"NOOP x", "no argument")
    assert event != InvalidCommand(b"NOOP y", "no argument")
    assert event != InvalidCommand(b"NOOP x", "other")
    assert (event.line, event.reason) == (b"NOOP x", "no argument")


@pytest.mark.parametrize(
    "line",
    [
        b"PASS tanstaaf\x01",
        b"pass tanstaaf\x01",
        b"AUTH PLAIN tanstaaf?",
        # Within AUTH: a response that is no base64, and a password where a command is due.
        b"tanstaaf",
        b"tanstaaf and more",
        b"tanstaaf" * 20,
    ],
)
def test_the_repr_of_an_invalid_command_shows_no_secret(line: bytes) -> None:
    assert "tanstaaf" not in repr(InvalidCommand(line, "not base64")).casefold()


@pytest.mark.parametrize("line", [b"STAT\x1b[2J x", b"\xff\x00\n", "\u202e".encode(), b""])
def test_the_repr_of_an_invalid_command_is_fit_for_a_terminal(line: bytes) -> None:
    assert repr(InvalidCommand(line, "a reason")).isprintable()
    assert "a reason" in repr(InvalidCommand(line, "a reason"))


def test_the_repr_of_an_invalid_command_names_a_known_verb() -> None:
    assert "STAT" in repr(InvalidCommand(b"STAT 1", "no argument"))
