"""What a session asks for, in order, and which octets go together."""

import pytest

from pop3proto._value import value
from pop3proto.server import Delay, NeedData, Send
from pop3proto.server.maildrop import CHUNK
from pop3proto.server.outbox import TOGETHER, Outbox


@value
class Packet(Send):
    """An action of somebody's own."""


def test_an_answer_that_is_complete_is_due_at_once() -> None:
    outbox = Outbox()
    outbox.answer(b"+OK\r\n", more=False)
    outbox.answer(b"-ERR\r\n", more=False)
    assert [*outbox.actions] == [Send(b"+OK\r\n"), Send(b"-ERR\r\n")]


def test_the_parts_of_an_answer_go_together() -> None:
    outbox = Outbox()
    outbox.answer(b"+OK\r\n", more=True)
    outbox.answer(b"text\r\n", more=True)
    assert not outbox.actions
    outbox.answer(b".\r\n", more=False)
    assert [*outbox.actions] == [Send(b"+OK\r\ntext\r\n.\r\n")]


def test_a_long_answer_does_not_wait_for_its_end() -> None:
    outbox = Outbox()
    outbox.answer(b"+OK\r\n", more=True)
    outbox.answer(b"x" * TOGETHER, more=True)
    outbox.answer(b"y" * TOGETHER, more=True)
    outbox.answer(b".\r\n", more=False)
    sent = [b"+OK\r\n" + b"x" * TOGETHER, b"y" * TOGETHER, b".\r\n"]
    assert [*outbox.actions] == [Send(data) for data in sent]


def test_an_answer_waits_until_it_is_long_enough() -> None:
    outbox = Outbox()
    outbox.answer(b"x" * (TOGETHER - 2), more=True)
    outbox.answer(b"y", more=True)
    assert not outbox.actions
    outbox.answer(b"z", more=True)
    assert [*outbox.actions] == [Send(b"x" * (TOGETHER - 2) + b"yz")]


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_no_piece_is_empty_or_longer_than_a_chunk(size: int) -> None:
    outbox = Outbox()
    outbox.answer(b"x" * size, more=False)
    outbox.act(Send(b"y" * size))
    pieces = [action.data for action in outbox.actions if isinstance(action, Send)]
    assert b"".join(pieces) == b"x" * size + b"y" * size
    assert all(0 < len(piece) <= CHUNK for piece in pieces)


def test_an_action_comes_after_what_was_begun_before_it() -> None:
    outbox = Outbox()
    outbox.answer(b"+OK\r\n", more=True)
    outbox.act(Delay(1.0))
    outbox.act(packet := Packet(b"apart"))
    outbox.act(NeedData())
    assert [*outbox.actions] == [Send(b"+OK\r\n"), Delay(1.0), packet, NeedData()]


def test_everything_can_be_forgotten() -> None:
    outbox = Outbox()
    outbox.answer(b"+OK\r\n", more=False)
    outbox.answer(b"+OK\r\n", more=True)
    outbox.clear()
    outbox.act(NeedData())
    assert [*outbox.actions] == [NeedData()]
