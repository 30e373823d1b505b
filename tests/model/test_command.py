from typing import Any

import pytest

from pop3proto import Command, Dele, List, Noop, Ok, Pass, Retr, Stat, State, StatReply, Top, User
from pop3proto._value import value
from pop3proto.model.command import (
    AUTHENTICATING,
    AUTHORIZATION,
    AUTHORIZATION_OR_TRANSACTION,
    TRANSACTION,
)


class Plain(Command[Any]):
    __slots__ = ()

    verb = "XPLAIN"
    legal_states = TRANSACTION


def test_what_a_command_is_unless_it_says_otherwise() -> None:
    command = Plain()
    assert command.to_bytes() == b"XPLAIN\r\n"
    assert command.answer is Ok
    assert not command.multiline
    assert command.next_state is None
    assert command.effect is None
    assert not command.barrier
    assert not command.alone
    assert not command.secret


def test_the_type_parameter_is_the_answer() -> None:
    class Count(Stat):
        __slots__ = ()

    class Either(Command[Ok | StatReply], answer=StatReply):
        __slots__ = ()

    class Other(Command[Ok], answer=StatReply):
        __slots__ = ()

    assert Other.answer is value(Other).answer is StatReply
    assert Stat.answer is Count.answer is Either.answer is StatReply
    assert Plain.answer is Dele.answer is Ok


def test_the_keywords_of_a_class_are_its_row_of_the_state_table() -> None:
    class Odd(Command[Ok], verb="XODD", legal_states=AUTHORIZATION, barrier=True):
        __slots__ = ()

    assert Odd().to_bytes() == b"XODD\r\n"
    assert (Odd.legal_states, Odd.barrier, Odd.alone) == (AUTHORIZATION, True, False)


def test_the_keyword_is_the_name_of_the_class_unless_it_sets_another() -> None:
    class Xnoop(Noop):
        __slots__ = ()

    assert (Noop.verb, Xnoop.verb, Plain.verb) == ("NOOP", "NOOP", "XPLAIN")


def test_states() -> None:
    assert {State.AUTHORIZATION} == AUTHORIZATION
    assert {State.AUTHENTICATING} == AUTHENTICATING
    assert {State.TRANSACTION} == TRANSACTION
    assert {State.AUTHORIZATION, State.TRANSACTION} == AUTHORIZATION_OR_TRANSACTION


@pytest.mark.parametrize(
    ("command", "wire"),
    [
        (Retr(5), b"RETR 5\r\n"),
        (Retr("five"), b"RETR five\r\n"),
        (Top(5, 0), b"TOP 5 0\r\n"),
        (List(5), b"LIST 5\r\n"),
        (List(), b"LIST\r\n"),
        (User("jörg"), b"USER j\xc3\xb6rg\r\n"),
        (User(b"j\xf6rg"), b"USER j\xf6rg\r\n"),
        (Pass("jörg"), b"PASS j\xc3\xb6rg\r\n"),
    ],
)
def test_the_fields_are_the_arguments(command: Command[Any], wire: bytes) -> None:
    assert command.to_bytes() == wire


def test_what_moves_something() -> None:
    assert not Plain.moves
    assert not Noop.moves
    assert Pass.moves
    assert Dele.moves
