from collections.abc import Iterable
from typing import Any

import pytest

from pop3proto import (
    AuthList,
    Capa,
    Capabilities,
    CapaReply,
    Command,
    Fault,
    Lang,
    LangReply,
    Limits,
    List,
    Listings,
    ListReply,
    MechanismsReply,
    Message,
    RemoteProtocolError,
    Uidl,
    UidlReply,
)
from pop3proto.engine import collectors as _collectors
from pop3proto.engine.collectors import COLLECTORS, Collector
from pop3proto.errors import LimitError
from pop3proto.model import Language
from tests.engine.collecting import Feed
from tests.samples import COMMAND_LINES

COMMANDS: list[Command[Any]] = [List(), Uidl(), Capa(), Lang(), AuthList()]


def octet_by_octet(wire: bytes) -> list[bytes]:
    return [wire[i : i + 1] for i in range(len(wire))]


def wire(*rows: bytes) -> bytes:
    return b"".join(row + b"\r\n" for row in (*rows, b"."))


REPLIES: list[tuple[bytes, Any]] = [
    (wire(), ListReply(List(), Listings(), "text")),
    (
        wire(b"1 120", b"2 200", b"5 7 more", b"3 9"),
        ListReply(List(), Listings([(1, 120), (2, 200), (5, 7), (3, 9)]), "text"),
    ),
    (wire(), UidlReply(Uidl(), Listings(), "text")),
    (
        wire(b"1 whqtswO00WBw418f9t5JxYwZ", b"2 QhdPYR:00WBw1Ph7x7", b"7 ..."),
        UidlReply(
            Uidl(),
            Listings(
                [
                    (1, None, b"whqtswO00WBw418f9t5JxYwZ"),
                    (2, None, b"QhdPYR:00WBw1Ph7x7"),
                    (7, None, b"..."),
                ]
            ),
            "text",
        ),
    ),
    (wire(), CapaReply(Capa(), Capabilities(), "text")),
    (
        wire(b"TOP", b"SASL PLAIN LOGIN", b"..x", b"X-Name \t y "),
        CapaReply(Capa(), Capabilities.of("TOP", "SASL PLAIN LOGIN", ".x", "X-Name \t y "), "text"),
    ),
    (
        wire(b"en English", "es  Español ".encode(), b"de", b""),
        LangReply(
            Lang(),
            (
                Language("en", "English"),
                Language("es", "Español"),
                Language("de"),
                Language(""),
            ),
            "text",
        ),
    ),
    (wire(b"PLAIN", b"x\xff"), MechanismsReply(AuthList(), ("PLAIN", "x\udcff"), "text")),
]


@pytest.mark.parametrize(("octets", "reply"), REPLIES)
def test_a_reply_is_the_same_however_it_is_cut(octets: bytes, reply: Any) -> None:
    for chunks in ([octets], octet_by_octet(octets), *halves(octets)):
        feed = Feed(reply.command)
        assert feed.reply(chunks) == reply
        assert feed.collector.faults == {}


def halves(octets: bytes) -> Iterable[list[bytes]]:
    return ([octets[:i], octets[i:]] for i in range(1, len(octets)))


def test_every_multiline_answer_but_a_message_is_collected() -> None:
    multiline = {command.answer for command, _ in COMMAND_LINES if command.multiline}
    assert set(COLLECTORS) == multiline - {Message}
    assert {command.answer for command in COMMANDS} == set(COLLECTORS)


def test_it_is_not_complete_before_the_terminator_is() -> None:
    feed = Feed(List())
    assert not feed.take(octet_by_octet(b"1 120\r\n2 200\r\n.\r"))
    assert feed.take([b"\n"])


FAULTS: list[tuple[Command[Any], list[bytes], dict[Fault, tuple[int, bytes]]]] = [
    (List(), [b"1 1", b"2  2", b" 3 3"], {Fault.LISTING_SPACING: (2, b"2  2")}),
    (
        List(),
        [b"1 -1", b"2", b"3 x", b"4 1"],
        {Fault.UNUSABLE_SIZE: (3, b"1 -1")},
    ),
    (
        List(),
        [b"1  x", b"2 2"],
        {Fault.LISTING_SPACING: (1, b"1  x"), Fault.UNUSABLE_SIZE: (1, b"1  x")},
    ),
    (Uidl(), [b"1 a", b"2", b"3 "], {Fault.MISSING_UNIQUE_ID: (2, b"2")}),
    (Uidl(), [b"1 a", b"2  b"], {Fault.LISTING_SPACING: (1, b"2  b")}),
    (Uidl(), [b"1 a b", b"2 \xe9"], {Fault.MALFORMED_UNIQUE_ID: (2, b"1 a b")}),
    (
        Uidl(),
        [b"1 a", b"2 b", b"3 a", b"4 a", b"5", b"6 b"],
        {Fault.DUPLICATE_UNIQUE_ID: (3, b"3 a"), Fault.MISSING_UNIQUE_ID: (1, b"5")},
    ),
    (Capa(), [b"TOP", b"", b"UIDL"], {Fault.MALFORMED_CAPABILITY: (1, b"")}),
    (Capa(), [b"TOP", b"  ", b"X \xe9"], {Fault.MALFORMED_CAPABILITY: (2, b"  ")}),
    (
        Capa(),
        [b"SASL PLAIN", b"TOP", b"sasl LOGIN", b"SASL"],
        {Fault.REPEATED_CAPABILITY: (2, b"sasl LOGIN")},
    ),
]


@pytest.mark.parametrize(("command", "rows", "faults"), FAULTS)
def test_faults_are_counted_with_the_first_sample(
    command: Command[Any], rows: list[bytes], faults: dict[Fault, tuple[int, bytes]]
) -> None:
    for chunks in ([wire(*rows)], octet_by_octet(wire(*rows))):
        feed = Feed(command)
        feed.reply(chunks)
        assert feed.collector.faults == faults


def test_the_sample_is_cut() -> None:
    feed = Feed(Uidl())
    feed.reply([wire(b"1 " + b"x" * 1_000)])
    assert feed.collector.faults == {
        Fault.MALFORMED_UNIQUE_ID: (1, b"1 " + b"x" * 198),
    }


def test_equal_hashes_of_different_unique_ids_are_no_duplicates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_collectors, "hash", lambda unique_id: 7, raising=False)
    feed = Feed(Uidl())
    rows = Listings([(1, None, b"c"), (2, None, b"b"), (3, None, b"a")])
    assert feed.reply([wire(b"1 c", b"2 b", b"3 a")]).listings == rows
    assert feed.collector.faults == {}


def test_what_was_repeated_or_malformed_is_kept() -> None:
    listings = Feed(Uidl()).reply([wire(b"1 a", b"2", b"1 a", b"3 \xff b")]).listings
    assert listings == Listings([(1, None, b"a"), (2, None), (1, None, b"a"), (3, None, b"\xff b")])
    capabilities = Feed(Capa()).reply([wire(b"TOP", b"", b"top x", b"\xff")]).capabilities
    assert capabilities == Capabilities.of("TOP", "", "top x", "\udcff")


@pytest.mark.parametrize(("command", "row"), [(List(), b"x 1"), (Uidl(), b"0 a"), (List(), b"")])
def test_a_row_that_cannot_be_read(command: Command[Any], row: bytes) -> None:
    for chunks in ([wire(b"1 1", row)], octet_by_octet(wire(b"1 1", row))):
        with pytest.raises(RemoteProtocolError, match="the answer is no"):
            Feed(command).take(chunks)


ROWS = {
    ListReply: b"1 1",
    UidlReply: b"1 a",
    CapaReply: b"TOP",
    LangReply: b"en ",
    MechanismsReply: b"ABC",
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("cut", [lambda octets: [octets], octet_by_octet])
@pytest.mark.parametrize(
    ("name", "enough"), [("listing_lines", 3), ("listing_octets", 15), ("listing_line", 3)]
)
def test_limits(command: Command[Any], cut: Any, name: str, enough: int) -> None:
    rows = wire(*[ROWS[command.answer]] * 3)
    enough_limits: dict[str, Any] = {name: enough}
    assert Feed(command, Limits(**enough_limits)).take(cut(rows))
    too_few: dict[str, Any] = {name: enough - 1}
    with pytest.raises(LimitError) as caught:
        Feed(command, Limits(**too_few)).take(cut(rows))
    assert (caught.value.limit, caught.value.value) == (name, enough - 1)
    assert name.replace("_", " ") in str(caught.value)


FEW = Limits(listing_lines=3, listing_line=8, listing_octets=24)
FIRST: list[tuple[list[bytes], str]] = [
    ([b"1 1", b"2 2", b"3 3", b"4 4"], "listing lines: 3"),
    ([b"x", b"2 2", b"3 3", b"4 4"], "not a scan listing: x"),
    ([b"1 1", b"2 2", b"x", b"4 4"], "not a scan listing: x"),
    ([b"1 1", b"2 2", b"3 3", b"x"], "listing lines: 3"),
    ([b"1 1", b"2 2", b"3 3", b"123456789"], "listing line: 8"),
    ([b"1 1", b"123456789", b"x"], "listing line: 8"),
    ([b"x", b"123456789"], "not a scan listing: x"),
    ([b"1 23456", b"2 34567", b"x 45678"], "listing octets: 24"),
    ([b"1 23456", b"2 34567", b"3 456789"], "listing octets: 24"),
    ([b"1 23456", b"x 34567", b"3 45678"], "not a scan listing: x 34567"),
    ([b"1 2345", b"2 34567", b"3 456789x"], "listing octets: 24"),
    ([b"1 2345", b"2 3456", b"3 456789x"], "listing line: 8"),
    ([b"1 2345", b"2 345", b"3 456789x"], "listing line: 8"),
    ([b"1 1", b"2 2", b"3 3", b"4 456789x"], "listing line: 8"),
    ([b"1 234", b"2 345", b"3 456", b"4 4"], "listing octets: 24"),
    ([b"1 23", b"2 34", b"3 45", b"4 4"], "listing lines: 3"),
    # The last octet of a row passes both limits.
    ([b"1 234", b"2 345", b"3 45", b"4 4"], "listing lines: 3"),
]


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
@pytest.mark.parametrize(("rows", "error"), FIRST)
def test_which_error_it_is_does_not_depend_on_the_chunks(
    rows: list[bytes], error: str, end: bytes
) -> None:
    octets = b"".join(row + b"\r\n" for row in (*rows, b"."))
    for chunks in ([octets], octet_by_octet(octets), *halves(octets)):
        with pytest.raises(RemoteProtocolError) as caught:
            Feed(List(), FEW, b"+OK" + end).take(chunks)
        assert error in str(caught.value), chunks


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_line_as_long_as_the_limit_at_every_chunking(end: bytes) -> None:
    octets = wire(b"A" * 8, b"B" * 8)
    for chunks in ([octets], octet_by_octet(octets), *halves(octets)):
        feed = Feed(Capa(), FEW, b"+OK" + end)
        assert feed.reply(chunks).capabilities.lines == ("A" * 8, "B" * 8)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_line_without_end_is_not_collected(command: Command[Any]) -> None:
    feed = Feed(command, Limits(listing_line=100))
    with pytest.raises(LimitError) as caught:
        feed.take([b"1" * 10] * 1_000)
    assert caught.value.limit == "listing_line"
    assert feed.collector.body.octets <= 110


def test_a_listing_without_end_is_not_collected() -> None:
    feed = Feed(List(), Limits(listing_lines=1_000))
    with pytest.raises(LimitError) as caught:
        feed.take(b"%d 5\r\n" % number for number in range(1, 10**9))
    assert caught.value.limit == "listing_lines"


def test_the_error_does_not_hold_the_line() -> None:
    with pytest.raises(LimitError) as caught:
        Feed(Capa(), Limits(listing_line=10)).take([wire(b"\x1b" * 11)])
    assert len(str(caught.value)) < 100
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_behind_a_bare_lf_rows_can_end_either_way(end: bytes) -> None:
    scan = Feed(List(), status=b"+OK text\n")
    assert list(scan.reply([end.join([b"1 5", b"2 6", b".", b""])]).listings) == [
        (1, 5, None),
        (2, 6, None),
    ]
    assert scan.collector.faults == {}
    ids = Feed(Uidl(), status=b"+OK text\n")
    assert list(ids.reply([end.join([b"1 a", b".", b""])]).listings) == [(1, None, b"a")]
    assert ids.collector.faults == {}
    capa = Feed(Capa(), status=b"+OK text\n")
    assert capa.reply([end.join([b"TOP", b".", b""])]).capabilities.lines == ("TOP",)


def test_behind_crlf_a_bare_lf_ends_no_row_and_no_listing() -> None:
    feed = Feed(Capa())
    reply = feed.reply([b"TOP\n.\nUIDL\r\n.\r\n"])
    assert reply.capabilities.lines == ("TOP\n.\nUIDL",)


def test_a_collector_says_what_it_has_to_be_taught() -> None:
    assert Collector.__abstractmethods__ == {"reply"}
