import copy
import pickle
from email.message import EmailMessage
from time import process_time
from typing import Any

import pytest

from pop3proto import (
    Auth,
    AuthList,
    Capa,
    Capabilities,
    CapaReply,
    Challenge,
    ErrorReply,
    Extension,
    Greeting,
    Lang,
    LangReply,
    Last,
    LastReply,
    List,
    Listing,
    Listings,
    ListReply,
    LocalProtocolError,
    MechanismsReply,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Noop,
    Ok,
    Pass,
    ResponseCode,
    Retr,
    Stat,
    StatReply,
    Uidl,
    UidlReply,
)
from pop3proto.model import Language
from pop3proto.model.replies import split_response_code
from tests.samples import ASCII_CONTROLS, TIMESTAMP, with_control

ONE_ID = Listings([Listing(2, unique_id=b"QhdPYR:00WBw1Ph7x7")])
# The examples of RFC 1939, RFC 2449 section 8.1 and RFC 6856 section 3, where they have one.
WIRE: list[tuple[Any, bytes]] = [
    (Greeting(), b"+OK\r\n"),
    (
        Greeting(f"POP3 server ready {TIMESTAMP}"),
        b"+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\r\n",
    ),
    (Ok(Noop()), b"+OK\r\n"),
    (Ok(Noop(), "message 1 deleted"), b"+OK message 1 deleted\r\n"),
    (Ok(Noop(), "ümläut"), "+OK ümläut\r\n".encode()),
    (Ok(Noop(), "caf\udce9"), b"+OK caf\xe9\r\n"),
    (ErrorReply(Noop()), b"-ERR\r\n"),
    (ErrorReply(Noop(), "no such message"), b"-ERR no such message\r\n"),
    (ErrorReply(None, "busy", ResponseCode.IN_USE), b"-ERR [IN-USE] busy\r\n"),
    (ErrorReply(None, "", ResponseCode.SYS_TEMP), b"-ERR [SYS/TEMP]\r\n"),
    (StatReply(Stat(), 2, 320), b"+OK 2 320\r\n"),
    (StatReply(Stat(), 0, 0), b"+OK 0 0\r\n"),
    (ListReply(List(2), Listings([Listing(2, 200)])), b"+OK 2 200\r\n"),
    (
        ListReply(List(), Listings([(1, 120), (2, 200)]), "2 messages (320 octets)"),
        b"+OK 2 messages (320 octets)\r\n1 120\r\n2 200\r\n.\r\n",
    ),
    (ListReply(List(), Listings()), b"+OK\r\n.\r\n"),
    (UidlReply(Uidl(2), ONE_ID), b"+OK 2 QhdPYR:00WBw1Ph7x7\r\n"),
    (
        UidlReply(Uidl(), Listings([(1, None, b"whqtswO00WBw418f9t5JxYwZ"), *ONE_ID])),
        b"+OK\r\n1 whqtswO00WBw418f9t5JxYwZ\r\n2 QhdPYR:00WBw1Ph7x7\r\n.\r\n",
    ),
    (LangReply(Lang("es"), (), "es Español"), "+OK es Español\r\n".encode()),
    (LastReply(Last(), 0), b"+OK 0\r\n"),
    (LastReply(Last(), 7), b"+OK 7\r\n"),
    (
        CapaReply(Capa(), Capabilities.of("TOP", "SASL PLAIN", "UIDL"), "list follows"),
        b"+OK list follows\r\nTOP\r\nSASL PLAIN\r\nUIDL\r\n.\r\n",
    ),
    (
        CapaReply(Capa(), Capabilities.of(".", "..", ".X", "X.", "", "\udcff")),
        b"+OK\r\n..\r\n...\r\n..X\r\nX.\r\n\r\n\xff\r\n.\r\n",
    ),
    (
        LangReply(Lang(), (Language("en", "English"), Language("es", "Español"))),
        "+OK\r\nen English\r\nes Español\r\n.\r\n".encode(),
    ),
    (LangReply(Lang(), (Language("en"),), "x"), b"+OK x\r\nen\r\n.\r\n"),
    (MechanismsReply(AuthList(), ("PLAIN", "LOGIN")), b"+OK\r\nPLAIN\r\nLOGIN\r\n.\r\n"),
    (MechanismsReply(AuthList(), (".x",), "these"), b"+OK these\r\n..x\r\n.\r\n"),
    (Challenge(Auth("CRAM-MD5"), b"<1@example.org>"), b"+ PDFAZXhhbXBsZS5vcmc+\r\n"),
    (Challenge(Auth("PLAIN")), b"+ \r\n"),
    (Challenge(Auth("PLAIN"), text="Go on"), b"+ Go on\r\n"),
    (MessageStart(Retr(1)), b"+OK\r\n"),
    (MessageStart(Retr(1), "120 octets"), b"+OK 120 octets\r\n"),
    (Message(Retr(1), b".\ntext", "6 octets"), b"+OK 6 octets\r\n..\r\ntext\r\n.\r\n"),
    (Message(Retr(1), b""), b"+OK\r\n.\r\n"),
]
WITH_TEXT: list[Any] = [
    Greeting,
    lambda text: Ok(Noop(), text),
    lambda text: ErrorReply(Noop(), text),
    lambda text: ErrorReply(Noop(), text, ResponseCode.AUTH),
    lambda text: ListReply(List(), Listings(), text),
    lambda text: UidlReply(Uidl(), Listings(), text),
    lambda text: CapaReply(Capa(), Capabilities(), text),
    lambda text: LangReply(Lang(), (), text),
    lambda text: MechanismsReply(AuthList(), (), text),
    lambda text: MessageStart(Retr(1), text),
]
WITH_ROWS: list[Any] = [
    lambda text: Challenge(Auth("PLAIN"), text=text),
    lambda text: CapaReply(Capa(), Capabilities.of("TOP", text)),
    lambda text: LangReply(Lang(), (Language(text),)),
    lambda text: LangReply(Lang(), (Language("en", text),)),
    lambda text: MechanismsReply(AuthList(), ("PLAIN", text)),
]


@pytest.mark.parametrize(("reply", "wire"), WIRE)
def test_wire_form(reply: Any, wire: bytes) -> None:
    assert reply.to_bytes() == wire


@pytest.mark.parametrize("reply", [*(reply for reply, _ in WIRE), MessageData(b"x")])
def test_replies_are_values(reply: Any) -> None:
    same = pickle.loads(pickle.dumps(reply))
    assert same == reply == copy.copy(reply)
    assert hash(same) == hash(reply)
    with pytest.raises((AttributeError, TypeError)):
        reply.text = "other"
    assert not hasattr(reply, "__dict__")


@pytest.mark.parametrize("control", ASCII_CONTROLS)
@pytest.mark.parametrize("make", [*WITH_TEXT, *WITH_ROWS])
def test_a_line_of_a_reply_holds_no_control(make: Any, control: str) -> None:
    for text in with_control(control):
        with pytest.raises(LocalProtocolError, match="control character"):
            make(text).to_bytes()


@pytest.mark.parametrize("make", [*WITH_TEXT, *WITH_ROWS])
@pytest.mark.parametrize("text", [chr(0xD800), f"a{chr(0xDC0A)}b", chr(0xDFFF)])
def test_a_line_of_a_reply_holds_no_lone_surrogate_but_those_of_octets(
    make: Any, text: str
) -> None:
    with pytest.raises(LocalProtocolError):
        make(text).to_bytes()


@pytest.mark.parametrize("make", WITH_TEXT)
def test_a_status_line_has_at_most_512_octets(make: Any) -> None:
    first = make("x").to_bytes().split(b"\r\n")[0] + b"\r\n"
    longest = "x" * (512 - len(first) + 1)
    assert make(longest).to_bytes().index(b"\r\n") == 510
    with pytest.raises(LocalProtocolError, match="at most 512 octets"):
        make(longest + "x").to_bytes()
    with pytest.raises(LocalProtocolError, match="at most 512 octets"):
        make("ä" + longest[1:]).to_bytes()


def test_a_challenge_is_as_long_as_it_has_to_be() -> None:
    assert len(Challenge(Auth("GSSAPI"), b"x" * 30_000).to_bytes()) == 40_004


@pytest.mark.parametrize(
    "reply",
    [
        StatReply(Stat(), 1, None),
        ListReply(List(1), Listings([Listing(1, None)])),
        ListReply(List(), Listings([(1, 5), (2, None)])),
        StatReply(Stat(), -1, 5),
        StatReply(Stat(), 1, -5),
        LastReply(Last(), -1),
    ],
)
def test_what_is_no_number_is_not_sent(reply: Any) -> None:
    with pytest.raises(LocalProtocolError):
        reply.to_bytes()


def test_the_greatest_size_is_sent() -> None:
    listings = Listings([Listing(1, 2**63 - 1)])
    assert ListReply(List(1), listings).to_bytes() == b"+OK 1 9223372036854775807\r\n"


@pytest.mark.parametrize("unique_id", [b"!", b"~", b"x" * 70, b".", b"a/b:c<d>"])
def test_unique_ids_that_may_be_sent(unique_id: bytes) -> None:
    wire = b"+OK 1 " + unique_id + b"\r\n"
    assert UidlReply(Uidl(1), Listings([Listing(1, unique_id=unique_id)])).to_bytes() == wire


@pytest.mark.parametrize(
    "unique_id",
    [None, b"", b" ", b"a b", b"a\r\n.\r\n", b"\x7f", b"\xe9", b"\x00", b"\t", b"x" * 71],
)
def test_unique_ids_that_may_not_be_sent(unique_id: bytes | None) -> None:
    row = Listings([Listing(1, unique_id=unique_id)])
    with pytest.raises(LocalProtocolError, match="1 to 70 printable ASCII characters"):
        UidlReply(Uidl(1), row).to_bytes()
    with pytest.raises(LocalProtocolError, match="1 to 70 printable ASCII characters"):
        UidlReply(Uidl(), Listings([(2, None, b"x"), *row])).to_bytes()


@pytest.mark.parametrize(
    ("text", "code", "rest"),
    [
        ("[IN-USE] Do you have another session?", "IN-USE", "Do you have another session?"),
        ("[LOGIN-DELAY] wait", "LOGIN-DELAY", "wait"),
        ("[SYS/TEMP] later", "SYS/TEMP", "later"),
        ("[sys/perm]never", "SYS/PERM", "never"),
        ("[Auth]\tno", "AUTH", "no"),
        ("[UTF8]", "UTF8", ""),
        ("[X-OWN/A/B/C]  two blanks", "X-OWN/A/B/C", " two blanks"),
        ("[AUTH] [IN-USE] x", "AUTH", "[IN-USE] x"),
        ("[!#~.,] x", "!#~.,", "x"),
        # RFC 2449 section 3: rchar is all of printable ASCII but the slash and the bracket's end.
        (r"[A[B\C] x", r"A[B\C", "x"),
    ],
)
def test_response_codes(text: str, code: str, rest: str) -> None:
    assert split_response_code(text) == (ResponseCode(code), rest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain text",
        "[not a code] x",
        "[A B]",
        "[]",
        "[] x",
        "[/]",
        "[/A]",
        "[A/]",
        "[A//B]",
        "[A",
        "A] x",
        " [A] x",
        "see [A] x",
        "[é] x",
        "[A\x7f] x",
        "[\udcff] x",
        "[A\t] x",
    ],
)
def test_text_that_merely_looks_like_a_response_code(text: str) -> None:
    assert split_response_code(text) == (None, text)


@pytest.mark.parametrize("unit", ["[", "[a/", "[a", "a/"])
def test_the_search_for_a_response_code_is_linear(unit: str) -> None:
    start = process_time()
    split_response_code("[" + unit * 100_000)
    assert process_time() - start < 1


def test_known_response_codes() -> None:
    assert ResponseCode("IN-USE") == ResponseCode.IN_USE
    assert ResponseCode("LOGIN-DELAY") == ResponseCode.LOGIN_DELAY
    assert ResponseCode("SYS/TEMP") == ResponseCode.SYS_TEMP
    assert ResponseCode("SYS/PERM") == ResponseCode.SYS_PERM
    assert ResponseCode("AUTH") == ResponseCode.AUTH
    assert ResponseCode("UTF8") == ResponseCode.UTF8
    assert str(ResponseCode.SYS_TEMP) == "SYS/TEMP"


def test_case_does_not_count_in_response_codes() -> None:
    assert ResponseCode("in-use") == ResponseCode.IN_USE
    assert hash(ResponseCode("in-use")) == hash(ResponseCode.IN_USE)
    assert ResponseCode("Sys/Temp").within(ResponseCode("sys"))


@pytest.mark.parametrize(
    ("code", "other", "within"),
    [
        ("SYS/TEMP", "SYS", True),
        ("SYS/TEMP", "SYS/TEMP", True),
        ("SYS/TEMP/DISK", "SYS", True),
        ("SYS", "SYS/TEMP", False),
        ("SYSTEM", "SYS", False),
        ("SYS/TEMPORARY", "SYS/TEMP", False),
        ("AUTH", "SYS", False),
    ],
)
def test_levels_of_response_codes(code: str, other: str, within: bool) -> None:
    assert ResponseCode(code).within(ResponseCode(other)) is within


@pytest.mark.parametrize("name", ["", "A]", "A] +OK", "A B", "A\r\n", "é", "/A", "A/"])
def test_what_is_no_response_code_does_not_reach_the_wire(name: str) -> None:
    with pytest.raises(LocalProtocolError):
        ErrorReply(None, "x", ResponseCode(name)).to_bytes()


@pytest.mark.parametrize(
    ("text", "timestamp"),
    [
        (f"POP3 server ready {TIMESTAMP}", TIMESTAMP),
        (f"{TIMESTAMP} ready", TIMESTAMP),
        (f"a{TIMESTAMP}b", TIMESTAMP),
        ("<1@example.org> then <2@example.org> ready", "<2@example.org>"),
        ("<good@example.org> then <bad>", "<good@example.org>"),
        ("<<1@example.org>>", "<1@example.org>"),
        ("<1@[192.0.2.1]>", "<1@[192.0.2.1]>"),
        ("<a!#$%&'*+-/=?^_`{|}~.b@x>", "<a!#$%&'*+-/=?^_`{|}~.b@x>"),
        ("", None),
        ("POP3 server ready", None),
        ("<>", None),
        ("<@>", None),
        ("<1@>", None),
        ("<@example.org>", None),
        ("<1896.697170952>", None),
        ("<1@example.org", None),
        ("1@example.org>", None),
        ("<1@exa mple.org>", None),
        ("<1@@example.org>", None),
        ("<1..2@example.org>", None),
        ("<.1@example.org>", None),
        ("<1@example.org.>", None),
        ("<1@example\x00.org>", None),
        ("<1@exämple.org>", None),
        ("<1@example\udcff.org>", None),
        ("<1\x7f@example.org>", None),
        ('<"1 2"@example.org>', None),
        ("<1@[192.0.2.1>", None),
    ],
)
def test_timestamp(text: str, timestamp: str | None) -> None:
    assert Greeting(text).timestamp == timestamp


@pytest.mark.parametrize("unit", ["<", "<a", "<a.", "<a@", "<a@[", "<a@b.", "a.", "<a@[x<"])
def test_the_search_for_a_timestamp_is_linear(unit: str) -> None:
    start = process_time()
    assert Greeting("<" + unit * 50_000).timestamp is None
    assert process_time() - start < 1


def test_the_end_of_a_message_is_the_same_however_long_it_was() -> None:
    assert MessageEnd(Retr(1), 5) == MessageEnd(Retr(1))
    assert MessageEnd(Retr(1), 5).octets == 5
    assert MessageEnd(Retr(1)) != MessageEnd(Retr(2))


def test_a_message() -> None:
    content = b"Subject: =?utf-8?q?caf=C3=A9?=\r\n\r\nHello,\r\nworld.\r\n"
    message = Message(Retr(1), content, "follows")
    assert len(message) == len(content)
    assert repr(message) == "Message(command=Retr(message=1), text='follows')"
    email = message.as_email()
    assert isinstance(email, EmailMessage)
    assert email["Subject"] == "café"
    assert email.get_content() == "Hello,\r\nworld.\r\n"


def test_a_reply_does_not_show_the_secret_of_its_command() -> None:
    for reply in (
        Ok(Pass("tanstaaf")),
        ErrorReply(Pass("tanstaaf")),
        Challenge(Auth("PLAIN", b"tanstaaf")),
    ):
        assert "tanstaaf" not in repr(reply)
        assert "tanstaaf" not in str(reply)


@pytest.mark.parametrize(
    "reply",
    [
        ListReply(List(1), Listings()),
        ListReply(List(1), Listings([(1, 5), (2, 5)])),
        ListReply(List(1), Listings([(1, 5)]), "text"),
        UidlReply(Uidl(1), Listings([(1, None, b"a"), (2, None, b"b")])),
        LangReply(Lang("en"), (Language("en"),)),
    ],
)
def test_the_answer_to_one_has_the_form_of_one(reply: Any) -> None:
    with pytest.raises(LocalProtocolError, match=r"^a reply"):
        reply.to_bytes()


def test_a_message_is_bytes_and_true_and_has_the_number_that_was_asked_for() -> None:
    message = Message(Retr(7), b"text\r\n")
    assert bytes(message) == b"text\r\n"
    assert (len(message), message.number) == (6, 7)
    with pytest.raises(AttributeError, match="'last'"):
        _ = Message(Retr("last"), b"").number
    empty = Message(Retr(7), b"")
    assert empty
    assert len(empty) == 0
    with pytest.raises(AttributeError):
        _ = Message(Extension.multi("XTND XLST"), b"").number
