"""Answers of servers, correct ones and such as are forgiven."""

from typing import Any

from pop3proto import (
    Auth,
    Capa,
    Capabilities,
    CapaReply,
    Challenge,
    Command,
    Dele,
    ErrorReply,
    Extension,
    Fault,
    Greeting,
    Lang,
    LangReply,
    Last,
    LastReply,
    List,
    Listing,
    Listings,
    ListReply,
    MessageData,
    MessageEnd,
    MessageStart,
    Noop,
    Ok,
    ResponseCode,
    Retr,
    Stat,
    State,
    StatReply,
    Top,
    Uidl,
    UidlReply,
)
from pop3proto.model import Language

AUTHORIZATION, TRANSACTION = State.AUTHORIZATION, State.TRANSACTION
PLAIN = Auth("PLAIN")

# The command, the answer without its last line end, and the events.
ANSWERS: dict[str, tuple[Command[Any], bytes, list[Any]]] = {
    "ok": (Noop(), b"+OK fine", [Ok(Noop(), "fine")]),
    "bare ok": (Noop(), b"+OK", [Ok(Noop())]),
    "error": (Dele(1), b"-ERR no such message", [ErrorReply(Dele(1), "no such message")]),
    "code": (
        Stat(),
        b"-ERR [IN-USE] busy",
        [ErrorReply(Stat(), "busy", ResponseCode("IN-USE"))],
    ),
    "stat": (Stat(), b"+OK 2 320", [StatReply(Stat(), 2, 320)]),
    "list one": (List(2), b"+OK 2 200", [ListReply(List(2), Listings([Listing(2, 200)]))]),
    "uidl one": (Uidl(2), b"+OK 2 x", [UidlReply(Uidl(2), Listings([Listing(2, unique_id=b"x")]))]),
    "last": (Last(), b"+OK 7", [LastReply(Last(), 7)]),
    "list": (
        List(),
        b"+OK 2 messages\r\n1 120\r\n2 200\r\n.",
        [ListReply(List(), Listings([(1, 120), (2, 200)]), "2 messages")],
    ),
    "empty list": (List(), b"+OK\r\n.", [ListReply(List(), Listings())]),
    "uidl": (Uidl(), b"+OK\r\n1 a\r\n.", [UidlReply(Uidl(), Listings([(1, None, b"a")]))]),
    "capa": (
        Capa(),
        b"+OK\r\nTOP\r\n..X\r\n.",
        [CapaReply(Capa(), Capabilities.of("TOP", ".X"))],
    ),
    "languages": (
        Lang(),
        b"+OK\r\nen English\r\n.",
        [LangReply(Lang(), (Language("en", "English"),))],
    ),
    "message": (
        Retr(1),
        b"+OK 5 octets\r\nabc\r\n.",
        [MessageStart(Retr(1), "5 octets"), MessageData(b"abc\r\n"), MessageEnd(Retr(1))],
    ),
    "empty message": (Top(1, 0), b"+OK\r\n.", [MessageStart(Top(1, 0)), MessageEnd(Top(1, 0))]),
    "extension": (Extension.single("XSENDER 1"), b"+OK", [Ok(Extension.single("XSENDER 1"))]),
    "text 8-bit": (Noop(), b"+OK \xc3\xa4\xff", [Ok(Noop(), "ä\udcff")]),
}

NTLM = Auth("NTLM", complete=False)
GREETING = State.GREETING
SCAN, IDS = ListReply(List(), Listings([(1, 1)])), Listings([(1, None, b"a"), (2, None, b"a")])

# The state, the command in flight, what the server sends, the sample and the count of the
# deviation, and the events behind it.
FAULTS: dict[Fault, tuple[State, Command[Any] | None, bytes, bytes, int, list[Any]]] = {
    Fault.BARE_LF: (TRANSACTION, Noop(), b"+OK x\n", b"+OK x", 1, [Ok(Noop(), "x")]),
    Fault.BLANK_LINE: (TRANSACTION, Noop(), b"\r\n+OK\r\n", b"", 1, [Ok(Noop())]),
    Fault.STATUS_INDICATOR_CASE: (TRANSACTION, Noop(), b"+Ok\r\n", b"+Ok", 1, [Ok(Noop())]),
    Fault.UNSTUFFED_DOT: (
        TRANSACTION,
        Retr(1),
        b"+OK\r\n.a\r\n.b\r\n.\r\n",
        b"",
        2,
        [MessageEnd(Retr(1))],
    ),
    Fault.MALFORMED_TIMESTAMP: (GREETING, None, b"+OK <x>\r\n", b"+OK <x>", 1, [Greeting("<x>")]),
    Fault.UNUSABLE_SIZE: (
        TRANSACTION,
        Stat(),
        b"+OK 1 -1\r\n",
        b"1 -1",
        1,
        [StatReply(Stat(), 1, None)],
    ),
    Fault.LISTING_SPACING: (TRANSACTION, List(), b"+OK\r\n 1  1\r\n.\r\n", b" 1  1", 1, [SCAN]),
    Fault.MISSING_UNIQUE_ID: (
        TRANSACTION,
        Uidl(1),
        b"+OK 1\r\n",
        b"1",
        1,
        [UidlReply(Uidl(1), Listings([Listing(1, None)]))],
    ),
    Fault.DUPLICATE_UNIQUE_ID: (
        TRANSACTION,
        Uidl(),
        b"+OK\r\n1 a\r\n2 a\r\n.\r\n",
        b"2 a",
        1,
        [UidlReply(Uidl(), IDS)],
    ),
    Fault.MALFORMED_UNIQUE_ID: (
        TRANSACTION,
        Uidl(1),
        b"+OK 1 \xff b\r\n",
        b"1 \xff b",
        1,
        [UidlReply(Uidl(1), Listings([Listing(1, unique_id=b"\xff b")]))],
    ),
    Fault.REPEATED_CAPABILITY: (
        TRANSACTION,
        Capa(),
        b"+OK\r\nSASL A\r\nsasl B\r\n.\r\n",
        b"sasl B",
        1,
        [CapaReply(Capa(), Capabilities.of("SASL A", "sasl B"))],
    ),
    Fault.MALFORMED_CAPABILITY: (
        TRANSACTION,
        Capa(),
        b"+OK\r\n\r\n\xff\r\n.\r\n",
        b"",
        2,
        [CapaReply(Capa(), Capabilities.of("", "\udcff"))],
    ),
    Fault.OK_CHALLENGE: (
        AUTHORIZATION,
        NTLM,
        b"+OK bW9yZQ==\r\n",
        b"bW9yZQ==",
        1,
        [Challenge(NTLM, b"more")],
    ),
    Fault.UNDECODABLE_CHALLENGE: (
        AUTHORIZATION,
        PLAIN,
        b"+ Go on\r\n",
        b"Go on",
        1,
        [Challenge(PLAIN, b"", "Go on")],
    ),
}
