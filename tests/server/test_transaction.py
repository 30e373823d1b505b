from collections.abc import Collection, Iterator

import pytest

from pop3proto import (
    Capa,
    Command,
    Dele,
    ErrorReply,
    Last,
    LastReply,
    List,
    Listing,
    Listings,
    ListReply,
    Message,
    Noop,
    Ok,
    Retr,
    Rset,
    Stat,
    StatReply,
    Top,
    Uidl,
    UidlReply,
)
from pop3proto.server import StoredMessage
from pop3proto.server.maildrop import ReadyContent
from pop3proto.server.outbox import TOGETHER
from pop3proto.server.transaction import Body, OpenedMaildrop


class Drop:
    """Three messages; it counts how many of its readers are not closed."""

    messages: tuple[StoredMessage, ...] = (
        StoredMessage(6, b"a"),
        StoredMessage(60, b"b"),
        StoredMessage(600, b"c"),
    )

    def __init__(self) -> None:
        self.reading = 0

    def open(self, number: int) -> Iterator[bytes]:
        self.reading += 1
        try:
            if number == 3:
                raise OSError("unreadable")
            yield b"Subject: %d\r\n" % number
            yield b"\r\n"
            yield b"Text.\r\n"
        finally:
            self.reading -= 1

    def commit(self, deleted: Collection[int]) -> None:
        raise AssertionError

    def close(self) -> None:
        raise AssertionError


def opened(*deleted: int) -> OpenedMaildrop:
    maildrop = OpenedMaildrop(Drop())
    for number in deleted:
        assert isinstance(maildrop.answer(Dele(number)), Ok)
    return maildrop


def test_listings() -> None:
    maildrop = opened()
    sizes = Listings([(1, 6), (2, 60), (3, 600)])
    ids = Listings([(1, None, b"a"), (2, None, b"b"), (3, None, b"c")])
    assert maildrop.answer(Stat()) == StatReply(Stat(), 3, 666)
    assert maildrop.answer(List()) == ListReply(List(), sizes, "3 messages (666 octets)")
    assert maildrop.answer(Uidl()) == UidlReply(Uidl(), ids, "3 messages (666 octets)")
    assert maildrop.answer(List(2)) == ListReply(List(2), Listings([Listing(2, 60)]))
    assert maildrop.answer(Uidl(3)) == UidlReply(Uidl(3), Listings([Listing(3, unique_id=b"c")]))
    assert maildrop.answer(Noop()) == Ok(Noop())


def test_marked_messages_are_gone() -> None:
    maildrop = opened(2)
    sizes, ids = Listings([(1, 6), (3, 600)]), Listings([(1, None, b"a"), (3, None, b"c")])
    assert maildrop.marked == {2}
    assert maildrop.answer(Stat()) == StatReply(Stat(), 2, 606)
    assert maildrop.answer(List()) == ListReply(List(), sizes, "2 messages (606 octets)")
    assert maildrop.answer(Uidl()) == UidlReply(Uidl(), ids, "2 messages (606 octets)")
    for command in (List(2), Uidl(2), Dele(2)):
        assert maildrop.answer(command) == ErrorReply(command, "no such message")
    assert maildrop.read(Retr(2)) is None
    assert maildrop.read(Top(2, 0)) is None
    assert maildrop.marked == {2}


def test_rset_brings_them_back() -> None:
    maildrop = opened(1, 2, 3)
    assert maildrop.answer(Stat()) == StatReply(Stat(), 0, 0)
    assert maildrop.answer(Rset()) == Ok(Rset(), "3 messages (666 octets)")
    assert maildrop.marked == set()
    assert maildrop.answer(Stat()) == StatReply(Stat(), 3, 666)
    assert maildrop.read(Retr(2)) is not None


@pytest.mark.parametrize("message", [4, 2**31 - 1, "2x", "01", "0", "-1", "+2", "*"])
def test_what_is_no_message_number(message: int | str) -> None:
    maildrop = opened()
    commands: list[Command[object]] = [List(message), Uidl(message), Dele(message)]
    for command in commands:
        assert maildrop.answer(command) == ErrorReply(command, "no such message")
    assert maildrop.read(Retr(message)) is None
    assert maildrop.read(Top(message, 1)) is None


def test_other_commands_are_none_of_its_business() -> None:
    assert opened().answer(Capa()) is None


def test_last_is_the_highest_number_retrieved_or_marked() -> None:
    maildrop = opened()
    assert maildrop.answer(Last()) == LastReply(Last(), 0)
    maildrop.read(Top(2, 0))
    assert maildrop.answer(Last()) == LastReply(Last(), 0)
    maildrop.read(Retr(2))
    maildrop.read(Retr(1))
    assert maildrop.answer(Last()) == LastReply(Last(), 2)
    maildrop.answer(Dele(3))
    maildrop.answer(Dele(1))
    assert maildrop.answer(Last()) == LastReply(Last(), 3)
    maildrop.answer(Rset())
    assert maildrop.answer(Last()) == LastReply(Last(), 0)


def chunks_of(maildrop: OpenedMaildrop, command: Retr | Top) -> list[bytes]:
    body = maildrop.read(command)
    assert body is not None
    chunks = []
    while (chunk := body.next_chunk()) is not None:
        chunks.append(chunk)
    body.close()
    return chunks


def test_a_whole_message_and_its_beginning() -> None:
    drop = Drop()
    maildrop = OpenedMaildrop(drop)
    assert chunks_of(maildrop, Retr(1)) == [b"Subject: 1\r\n", b"\r\n", b"Text.\r\n"]
    assert chunks_of(maildrop, Top(1, 0)) == [b"Subject: 1\r\n", b"\r\n"]
    assert drop.reading == 0


@pytest.mark.parametrize("command", [Retr(2), Top(2, 1)])
def test_a_reader_that_leaves_early_closes_the_message(command: Retr | Top) -> None:
    drop = Drop()
    body = OpenedMaildrop(drop).read(command)
    assert body is not None
    assert drop.reading == 1
    body.close()
    assert drop.reading == 0


def test_a_status_line_says_the_size_of_a_whole_message() -> None:
    whole, beginning = opened().read(Retr(2)), opened().read(Top(2, 0))
    assert whole is not None
    assert whole.text == "60 octets"
    assert beginning is not None
    assert beginning.text == ""


@pytest.mark.parametrize("command", [Retr(3), Top(3, 1)])
def test_what_cannot_be_opened_is_known_before_the_status_line(command: Retr | Top) -> None:
    drop = Drop()
    maildrop = OpenedMaildrop(drop)
    with pytest.raises(OSError, match="unreadable"):
        maildrop.read(command)
    assert drop.reading == 0
    assert maildrop.answer(Last()) == LastReply(Last(), 0)


def test_content_need_not_come_from_a_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    def listed(_drop: Drop, _number: int) -> Iterator[bytes]:
        return iter([b"Text.\r\n"])

    monkeypatch.setattr(Drop, "open", listed)
    assert chunks_of(OpenedMaildrop(Drop()), Retr(1)) == [b"Text.\r\n"]


def contents(pieces: list[bytes], monkeypatch: pytest.MonkeyPatch) -> Drop:
    drop = Drop()

    def reading(_drop: Drop, _number: int) -> Iterator[bytes]:
        drop.reading += 1
        try:
            yield from pieces
        finally:
            drop.reading -= 1

    monkeypatch.setattr(Drop, "open", reading)
    return drop


@pytest.mark.parametrize("command", [Retr(1), Top(1, 0)])
def test_a_short_message_in_one_piece_is_known_as_a_whole(
    command: Retr | Top, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop = contents([b"Subject: one\r\n\r\n"], monkeypatch)
    body = OpenedMaildrop(drop).read(command)
    assert body is not None
    assert body.whole == b"Subject: one\r\n\r\n"
    # Nothing more is to be read.
    assert drop.reading == 0
    assert [body.next_chunk(), body.next_chunk()] == [body.whole, None]


@pytest.mark.parametrize("pieces", [[], [b""]])
def test_an_empty_message_is_known_as_a_whole(
    pieces: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = OpenedMaildrop(contents(pieces, monkeypatch)).read(Retr(1))
    assert body is not None
    assert body.whole == b""


@pytest.mark.parametrize("pieces", [[b"one\r\n", b"two\r\n"], [b"x" * TOGETHER]])
def test_all_other_messages_are_read_piece_by_piece(
    pieces: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    maildrop = OpenedMaildrop(contents(pieces, monkeypatch))
    body = maildrop.read(Retr(1))
    assert body is not None
    assert body.whole is None
    body.close()
    assert chunks_of(maildrop, Retr(1)) == pieces


class Ready(Drop):
    """A maildrop some of whose messages are known to be sent as they are."""

    messages = (
        StoredMessage(14, b"a"),
        StoredMessage(14, b"b"),
        StoredMessage(TOGETHER, b"c"),
        StoredMessage(13, b"d"),
    )

    def open(self, number: int) -> Iterator[bytes]:
        if number == 2:
            return iter([b".Head\r\n", b".Text\r\n"])
        return ReadyContent(b"." * TOGETHER if number == 3 else b".Head\r\n.Text\r\n")


def test_a_short_message_that_is_ready_is_not_looked_at_again() -> None:
    maildrop = OpenedMaildrop(Ready())
    # A dot shows that it was not doubled: the content has said that there is none.
    answer = maildrop.whole(Retr(1))
    assert isinstance(answer, Message)
    assert answer.to_bytes() == b"+OK 14 octets\r\n.Head\r\n.Text\r\n.\r\n"
    assert answer.content == b".Head\r\n.Text\r\n"
    assert maildrop.answer(Last()) == LastReply(Last(), 1)


@pytest.mark.parametrize("command", [Retr(2), Retr(3)])
def test_all_other_answers_take_the_long_way(command: Retr | Top) -> None:
    body = OpenedMaildrop(Ready()).whole(command)
    assert isinstance(body, Body)
    body.close()


@pytest.mark.parametrize("command", [Top(1, 9), Retr(4)])
def test_a_beginning_and_a_wrong_size_are_looked_at(command: Retr | Top) -> None:
    answer = OpenedMaildrop(Ready()).whole(command)
    assert isinstance(answer, Message)
    assert answer.to_bytes().endswith(b"\r\n..Head\r\n..Text\r\n.\r\n")


def test_a_short_message_in_one_piece_is_answered_in_one_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    maildrop = OpenedMaildrop(contents([b".\r\n"], monkeypatch))
    answer = maildrop.whole(Retr(1))
    assert answer == Message(Retr(1), b".\r\n", "6 octets")
    assert isinstance(answer, Message)
    assert answer.to_bytes() == b"+OK 6 octets\r\n..\r\n.\r\n"
    assert maildrop.whole(Retr(4)) is None
