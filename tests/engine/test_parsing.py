from collections.abc import Callable
from typing import Any

import pytest

from pop3proto import (
    Challenge,
    Command,
    ErrorReply,
    Fault,
    Lang,
    LangReply,
    Last,
    LastReply,
    List,
    Listing,
    Listings,
    ListReply,
    Noop,
    Ok,
    RemoteProtocolError,
    ResponseCode,
    Stat,
    StatReply,
    Uidl,
    UidlReply,
)
from pop3proto.engine.parsing import (
    Faults,
    explain_greeting,
    note,
    parse_error_reply,
    parse_scan_row,
    parse_single_line,
    parse_unique_id_row,
    split_status_line,
)
from pop3proto.model.grammar import decode
from tests.samples import COMMAND_LINES


@pytest.mark.parametrize(
    ("line", "indicator", "text"),
    [
        (b"+OK", b"+OK", b""),
        (b"+OK ", b"+OK", b""),
        (b"+OK   ", b"+OK", b""),
        (b"+OK hello", b"+OK", b"hello"),
        (b"+OK  hello \t ", b"+OK", b" hello"),
        (b"+OK\thello", b"+OK", b"hello"),
        (b"+OK, hello", b"+OK", b", hello"),
        (b"+OK<1@example.org>", b"+OK", b"<1@example.org>"),
        (b"+OK\xe9", b"+OK", b"\xe9"),
        (b"+ok hello", b"+ok", b"hello"),
        (b"+Ok", b"+Ok", b""),
        (b"-ERR", b"-ERR", b""),
        (b"-ERR no", b"-ERR", b"no"),
        (b"-err no", b"-err", b"no"),
        (b"-ERR: no", b"-ERR", b": no"),
        (b"-ERR no\v \t", b"-ERR", b"no\v"),
        (b"-ERR XX", b"-ERR", b"XX"),
        (b"+OK yes\v \t", b"+OK", b"yes\v"),
        (b"+", b"+", b""),
        (b"+ ", b"+", b""),
        (b"+ AAAA", b"+", b"AAAA"),
        (b"+ Go on", b"+", b"Go on"),
    ],
)
def test_status_lines(line: bytes, indicator: bytes, text: bytes) -> None:
    assert split_status_line(line) == (indicator, text)


@pytest.mark.parametrize(
    "line",
    [
        *[b"", b"+ERR no", b"+OKAY", b"+OK2", b"-ERROR", b"-OK", b"OK", b" +OK", b"+O", b"-"],
        *[b"-ER", b"+AAAA", b"* OK IMAP4", b"++OK", b"1 120", b"\x00+OK"],
    ],
)
def test_what_is_no_status_line(line: bytes) -> None:
    assert split_status_line(line) == (b"", line)


@pytest.mark.parametrize(
    ("octets", "text"),
    [(b"ascii", "ascii"), ("ümläut".encode(), "ümläut"), (b"\xfcml", "\udcfcml"), (b"\0", "\0")],
)
def test_decoding_loses_no_octet(octets: bytes, text: str) -> None:
    assert decode(octets) == text
    assert decode(octets).encode("utf-8", "surrogateescape") == octets


def test_faults_are_counted_and_the_first_sample_is_kept() -> None:
    faults: Faults = {}
    note(faults, Fault.UNUSABLE_SIZE, b"first")
    note(faults, Fault.UNUSABLE_SIZE, b"second")
    note(faults, Fault.LISTING_SPACING, b"x" * 1_000)
    assert faults == {
        Fault.UNUSABLE_SIZE: (2, b"first"),
        Fault.LISTING_SPACING: (1, b"x" * 200),
    }


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        (b"", ErrorReply(Noop())),
        (b"no such message", ErrorReply(Noop(), "no such message")),
        (b"[IN-USE] wait", ErrorReply(Noop(), "wait", ResponseCode.IN_USE)),
        (b"[sys/temp]", ErrorReply(Noop(), "", ResponseCode.SYS_TEMP)),
        (b"[not a code] x", ErrorReply(Noop(), "[not a code] x")),
        (b"caf\xe9", ErrorReply(Noop(), "caf\udce9")),
    ],
)
def test_error_replies(text: bytes, reply: ErrorReply) -> None:
    assert parse_error_reply(Noop(), text) == reply


def test_an_error_reply_can_refuse_the_connection() -> None:
    assert parse_error_reply(None, b"busy") == ErrorReply(None, "busy")


@pytest.mark.parametrize(
    ("line", "explanation"),
    [
        (b"* OK IMAP4rev1 ready", "this is an IMAP server"),
        (b"* PREAUTH", "this is an IMAP server"),
        (b"* BYE", "this is an IMAP server"),
        (b"220 mail.example.org ESMTP", "this is an SMTP or FTP server"),
        (b"220-mail.example.org", "this is an SMTP or FTP server"),
        (b"554 no", "this is an SMTP or FTP server"),
        (b"HTTP/1.1 400 Bad Request", "this is an HTTP or SSH server"),
        (b"SSH-2.0-x", "this is an HTTP or SSH server"),
        (b"\x15\x03\x01\x00\x02\x02", "this server speaks TLS from the start: use implicit TLS"),
        (b"\x16\x03\x01", "this server speaks TLS from the start: use implicit TLS"),
        (b"2200", "this is not a POP3 server"),
        (b"", "this is not a POP3 server"),
        (b"hello", "this is not a POP3 server"),
    ],
)
def test_greetings_of_other_protocols(line: bytes, explanation: str) -> None:
    assert explain_greeting(line) == explanation


@pytest.mark.parametrize(
    ("row", "number", "octets", "fault"),
    [
        (b"1 120", 1, 120, None),
        (b"2147483647 0", 2**31 - 1, 0, None),
        (b"1 999999999999999999", 1, 10**18 - 1, None),
        (b"1 9223372036854775807", 1, 2**63 - 1, None),
        (b"1 120 and more text", 1, 120, None),
        (b"1 120 and  more   text ", 1, 120, None),
        (b"01 0120", 1, 120, None),
        (b" 1 120", 1, 120, Fault.LISTING_SPACING),
        (b"1  120", 1, 120, Fault.LISTING_SPACING),
        (b"1 120 ", 1, 120, Fault.LISTING_SPACING),
        (b"1\t120", 1, 120, Fault.LISTING_SPACING),
        (b"1 9223372036854775808", 1, None, Fault.UNUSABLE_SIZE),
        (b"1 " + b"1" * 20, 1, None, Fault.UNUSABLE_SIZE),
        (b"1 " + b"9" * 5_000, 1, None, Fault.UNUSABLE_SIZE),
        (b"1 -1", 1, None, Fault.UNUSABLE_SIZE),
        (b"1 +1", 1, None, Fault.UNUSABLE_SIZE),
        (b"1 1_0", 1, None, Fault.UNUSABLE_SIZE),
        (b"1 1.5", 1, None, Fault.UNUSABLE_SIZE),
        (b"1 \xd9\xa3", 1, None, Fault.UNUSABLE_SIZE),
        (b"1 unknown", 1, None, Fault.UNUSABLE_SIZE),
        (b"1", 1, None, Fault.UNUSABLE_SIZE),
    ],
)
def test_scan_rows(row: bytes, number: int, octets: int | None, fault: Fault | None) -> None:
    faults: Faults = {}
    assert parse_scan_row(row, faults) == (number, octets)
    assert faults == ({fault: (1, row[:200])} if fault else {})


BAD_NUMBERS = [
    b"",
    b" ",
    b"x",
    b"0 5",
    b"-1 5",
    b"+1 5",
    b"1_0 5",
    b"2147483648 5",
    b"00000000001 5",
    b"9" * 5_000 + b" 5",
    b"\xd9\xa3 5",
    b"1.0 5",
    b"+OK 5",
]


@pytest.mark.parametrize("row", BAD_NUMBERS)
def test_a_row_without_a_message_number_cannot_be_read(row: bytes) -> None:
    for parse in (parse_scan_row, parse_unique_id_row):
        faults: Faults = {}
        with pytest.raises(RemoteProtocolError, match="the answer is no") as caught:
            parse(row, faults)
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("row", "number", "unique_id", "faults"),
    [
        (b"1 whqtswO00WBw418f9t5JxYwZ", 1, b"whqtswO00WBw418f9t5JxYwZ", set()),
        (b"1 !~", 1, b"!~", set()),
        (b"1 " + b"x" * 70, 1, b"x" * 70, set()),
        (b" 1 a", 1, b"a", {Fault.LISTING_SPACING}),
        (b"\t1 a", 1, b"a", {Fault.LISTING_SPACING}),
        (b"1   a", 1, b"a", {Fault.LISTING_SPACING}),
        (b"1", 1, None, {Fault.MISSING_UNIQUE_ID}),
        (b"1 ", 1, None, {Fault.MISSING_UNIQUE_ID}),
        (b"1   ", 1, None, {Fault.MISSING_UNIQUE_ID}),
        (b"1 a b", 1, b"a b", {Fault.MALFORMED_UNIQUE_ID}),
        (b"1 \ta", 1, b"\ta", {Fault.MALFORMED_UNIQUE_ID}),
        (b"1 a ", 1, b"a ", {Fault.MALFORMED_UNIQUE_ID}),
        (b"1 caf\xe9", 1, b"caf\xe9", {Fault.MALFORMED_UNIQUE_ID}),
        (b"1 a\x7f", 1, b"a\x7f", {Fault.MALFORMED_UNIQUE_ID}),
        (b"1 a\x00b", 1, b"a\x00b", {Fault.MALFORMED_UNIQUE_ID}),
        (b"1 " + b"x" * 71, 1, b"x" * 71, {Fault.MALFORMED_UNIQUE_ID}),
        (b"1 " + b"x" * 1_000, 1, b"x" * 1_000, {Fault.MALFORMED_UNIQUE_ID}),
        (b" 1  a b", 1, b"a b", {Fault.LISTING_SPACING, Fault.MALFORMED_UNIQUE_ID}),
    ],
)
def test_unique_id_rows(
    row: bytes, number: int, unique_id: bytes | None, faults: set[Fault]
) -> None:
    noted: Faults = {}
    assert parse_unique_id_row(row, noted) == (number, unique_id)
    assert noted == dict.fromkeys(faults, (1, row[:200]))


SINGLE: list[tuple[Command[Any], bytes, object, set[Fault]]] = [
    (Stat(), b"2 320", StatReply(Stat(), 2, 320), set()),
    (Stat(), b"0 0", StatReply(Stat(), 0, 0), set()),
    (Stat(), b" 2   320  more", StatReply(Stat(), 2, 320), set()),
    (Stat(), b"2 -1", StatReply(Stat(), 2, None), {Fault.UNUSABLE_SIZE}),
    (Stat(), b"2", StatReply(Stat(), 2, None), {Fault.UNUSABLE_SIZE}),
    (Stat(), b"1152921504606846976 5", StatReply(Stat(), 2**60, 5), set()),
    (List(2), b"2 200", ListReply(List(2), Listings([Listing(2, 200)])), set()),
    (
        List(2),
        b"2 huge",
        ListReply(List(2), Listings([Listing(2, None)])),
        {Fault.UNUSABLE_SIZE},
    ),
    (Uidl(2), b"2 abc", UidlReply(Uidl(2), Listings([Listing(2, unique_id=b"abc")])), set()),
    (
        Uidl(2),
        b"2",
        UidlReply(Uidl(2), Listings([Listing(2, None)])),
        {Fault.MISSING_UNIQUE_ID},
    ),
    (Lang("de"), b"de ab jetzt", LangReply(Lang("de"), (), "de ab jetzt"), set()),
    (Last(), b"0", LastReply(Last(), 0), set()),
    (Last(), b"7 is the last", LastReply(Last(), 7), set()),
]


@pytest.mark.parametrize(("command", "text", "reply", "faults"), SINGLE)
def test_single_line_replies(
    command: Command[Any], text: bytes, reply: object, faults: set[Fault]
) -> None:
    noted: Faults = {}
    assert parse_single_line(command, text, noted) == reply
    assert noted == dict.fromkeys(faults, (1, text))


@pytest.mark.parametrize("command", [Stat(), List(1), Uidl(1), Last()])
@pytest.mark.parametrize("text", [b"", b"none", b"-1 5", b"9" * 5_000, b"\x1b[2J\xe2\x80\xae"])
def test_single_line_replies_that_cannot_be_read(command: Command[Any], text: bytes) -> None:
    noted: Faults = {}
    with pytest.raises(RemoteProtocolError, match="the answer is no") as caught:
        parse_single_line(command, text, noted)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("command", [List(1), Uidl(1)])
def test_an_answer_about_another_message(command: Command[Any]) -> None:
    with pytest.raises(RemoteProtocolError, match="about another message: 2 5"):
        parse_single_line(command, b"2 5", {})


@pytest.mark.parametrize("command", [List("1-1"), Uidl("1-1")])
def test_an_answer_about_what_only_the_server_understands(command: Command[Any]) -> None:
    reply = parse_single_line(command, b"2 5", {})
    assert isinstance(reply, ListReply | UidlReply)
    assert reply.listings.numbers == (2,)


@pytest.mark.parametrize(
    ("parse", "what"),
    [
        (lambda: parse_scan_row(b"", {}), "the answer is not a scan listing: nothing"),
        (lambda: parse_unique_id_row(b"x", {}), "the answer is not a unique-id listing: x"),
    ],
)
def test_what_the_error_says(parse: Callable[[], object], what: str) -> None:
    with pytest.raises(RemoteProtocolError, match=what):
        parse()


def test_every_answer_of_one_line_with_content_has_a_parser() -> None:
    plain = {Ok, Challenge}
    single = {command.answer for command, _ in COMMAND_LINES if not command.multiline}
    assert {command.answer for command, _, _, _ in SINGLE} == single - plain
