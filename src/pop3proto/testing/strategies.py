"""Hypothesis strategies for whoever tests a program that speaks POP3.

They take ``pip install pop3proto[hypothesis]``. What they make is legal, and as difficult as the
RFCs allow; ``broken()`` makes what is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

try:
    from hypothesis import strategies as st
    from hypothesis.strategies import DrawFn, SearchStrategy
except ImportError as error:
    message = "these strategies need Hypothesis: pip install pop3proto[hypothesis]"
    raise ImportError(message) from error

from .._wire import BodyWriter
from ..capabilities import Capabilities
from ..commands import (
    Capa,
    Command,
    Dele,
    Extension,
    Lang,
    Languages,
    Last,
    List,
    ListOne,
    Noop,
    Pass,
    Quit,
    Retr,
    Rset,
    Stat,
    Top,
    Uidl,
    UidlOne,
    User,
)
from ..events import ServerReply
from ..listings import ScanListing, ScanListings, UniqueIdListing, UniqueIdListings
from ..numbers import MAX_MESSAGE_NUMBER, MAX_SIZE
from ..replies import (
    CapaReply,
    ErrorReply,
    Greeting,
    Language,
    LanguagesReply,
    LastReply,
    ListOneReply,
    ListReply,
    MessageData,
    MessageEnd,
    MessageStart,
    Ok,
    ResponseCode,
    StatReply,
    UidlOneReply,
    UidlReply,
)
from ..states import ReplyShape

__all__ = [
    "Conversation",
    "Exchange",
    "bodies",
    "broken",
    "chunkings",
    "commands",
    "conversations",
    "exchanges",
    "greetings",
    "message_numbers",
    "replies_to",
    "sizes",
    "texts",
    "unique_ids",
]

_LINE = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))


def texts(max_size: int = 60) -> SearchStrategy[str]:
    """What can stand behind a status indicator: no controls, no blanks at the ends."""
    return st.text(_LINE, max_size=max_size).map(str.strip)


def greetings() -> SearchStrategy[Greeting]:
    """Greetings, with and without an APOP timestamp (RFC 1939 section 7)."""
    words = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=9)
    timestamps = st.builds("<{}.{}@{}.example.org>".format, words, words, words)
    plain = texts().filter(lambda text: "<" not in text and ">" not in text)
    return st.builds(Greeting, plain | st.builds("{} {}".format, words, timestamps))


def message_numbers() -> SearchStrategy[int]:
    """Message numbers, small ones above all."""
    return st.integers(1, 20) | st.integers(1, MAX_MESSAGE_NUMBER)


def sizes() -> SearchStrategy[int]:
    """Sizes in octets."""
    return st.integers(0, 100_000) | st.integers(0, MAX_SIZE)


def unique_ids() -> SearchStrategy[bytes]:
    """Unique-ids of 1 to 70 octets from 0x21 to 0x7E (RFC 1939 section 7)."""
    octets = st.integers(0x21, 0x7E)
    return st.lists(octets, min_size=1, max_size=70).map(bytes)


def bodies() -> SearchStrategy[bytes]:
    """Contents of messages: whole lines that end with CRLF, full of what breaks clients.

    Dots, lone dots, lines that look like replies, bare CR, bare LF, NUL and 8-bit octets; lines
    of no octet and of thousands.
    """
    pieces = st.sampled_from(
        [b".", b"..", b"", b"+OK", b"-ERR no", b"a", b"\r", b"\n", b"\n.\n", b"\0", b"\xff\xfe"]
        + [b"text. More text.", b"x" * 78, b"." * 300, b"y" * 5000, b".\r", b"\r.", b" ."]
    )
    lines = st.lists(pieces | st.binary(max_size=20), max_size=4).map(b"".join)
    # A bare LF would become CRLF on its way: here it is what it will be.
    whole = st.lists(lines, max_size=30).map(lambda parts: b"".join(p + b"\r\n" for p in parts))
    return whole.map(lambda text: text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))


def commands() -> SearchStrategy[Command[Any]]:
    """Commands that are legal in TRANSACTION and leave it as it is."""
    number = message_numbers()
    bare = st.sampled_from([Stat(), List(), Uidl(), Noop(), Rset(), Last(), Capa(), Languages()])
    tags = st.sampled_from(["en", "de", "i-default", "*"])
    extensions = st.sampled_from(["XTND XLST Subject", "XSENDER 1"])
    return st.one_of(
        bare,
        *(st.builds(command, number) for command in (ListOne, UidlOne, Retr, Dele)),
        st.builds(Top, number, st.integers(0, 1000)),
        st.builds(Lang, tags),
        st.builds(Extension.single, extensions),
        st.builds(Extension.multi, extensions),
    )


def replies_to(command: Command[Any]) -> SearchStrategy[list[ServerReply]]:
    """The replies of one answer to ``command``: one, or the three or more of a text."""
    codes = st.none() | st.sampled_from(["IN-USE", "SYS/TEMP", "AUTH", "X-OWN/A"]).map(ResponseCode)
    texts_without_code = texts().filter(lambda text: not text.startswith("["))
    refusals = st.builds(ErrorReply, st.just(command), texts_without_code, codes)
    positive: SearchStrategy[list[ServerReply]] = _POSITIVE.get(command.shape, _ok)(command)
    return positive | refusals.map(lambda reply: [reply])


def _ok(command: Command[Any]) -> SearchStrategy[list[ServerReply]]:
    return texts().map(lambda text: [Ok(command, text)])


def _message(command: Command[Any]) -> SearchStrategy[list[ServerReply]]:
    def replies(text: str, body: bytes) -> list[ServerReply]:
        data = [MessageData(body)] if body else []
        return [MessageStart(command, text), *data, MessageEnd(command, len(body))]

    return st.builds(replies, texts(), bodies())


def _capabilities(command: Command[Any]) -> SearchStrategy[list[ServerReply]]:
    known = ["TOP", "UIDL", "PIPELINING", "EXPIRE 31 USER", "SASL PLAIN LOGIN", ".DOT", "X-OWN a b"]
    lines = st.lists(st.sampled_from(known), unique=True).map(tuple)
    return lines.map(lambda chosen: [CapaReply(command, Capabilities(chosen))])


def _languages(command: Command[Any]) -> SearchStrategy[list[ServerReply]]:
    known = [Language("en", "English"), Language("fr", "Français"), Language("i-default")]
    chosen = st.lists(st.sampled_from(known), unique=True).map(tuple)
    return chosen.map(lambda languages: [LanguagesReply(command, languages)])


def _scan_listings(command: Command[Any]) -> SearchStrategy[list[ServerReply]]:
    rows = st.lists(st.tuples(message_numbers(), sizes()), max_size=20)
    return rows.map(lambda chosen: [ListReply(command, ScanListings(chosen))])


def _unique_id_listings(command: Command[Any]) -> SearchStrategy[list[ServerReply]]:
    row = st.tuples(message_numbers(), unique_ids())
    rows = st.lists(row, max_size=20, unique_by=lambda chosen: chosen[1])
    return rows.map(lambda chosen: [UidlReply(command, UniqueIdListings(chosen))])


def _one(make: Any, *parts: SearchStrategy[Any]) -> Any:
    def strategy(command: Command[Any]) -> SearchStrategy[list[ServerReply]]:
        return st.tuples(*parts).map(lambda values: [make(command, *values)])

    return strategy


_POSITIVE: dict[ReplyShape, Any] = {
    ReplyShape.STATUS: _ok,
    ReplyShape.DROP_LISTING: _one(StatReply, sizes(), sizes()),
    ReplyShape.SCAN_LISTING: _one(ListOneReply, st.builds(ScanListing, message_numbers(), sizes())),
    ReplyShape.UNIQUE_ID_LISTING: _one(
        UidlOneReply, st.builds(UniqueIdListing, message_numbers(), unique_ids())
    ),
    ReplyShape.LAST_MESSAGE: _one(LastReply, sizes()),
    ReplyShape.SCAN_LISTINGS: _scan_listings,
    ReplyShape.UNIQUE_ID_LISTINGS: _unique_id_listings,
    ReplyShape.CAPABILITIES: _capabilities,
    ReplyShape.LANGUAGES: _languages,
    ReplyShape.MESSAGE: _message,
}


@dataclass(frozen=True)
class Exchange:
    """A command and its answer."""

    command: Command[Any]
    replies: tuple[ServerReply, ...]

    @property
    def server_octets(self) -> bytes:
        """What the server sends."""
        writer = BodyWriter()
        parts: list[bytes] = []
        for reply in self.replies:
            if isinstance(reply, MessageData):
                parts.append(writer.write(reply.data))
            elif isinstance(reply, MessageEnd):
                parts.append(writer.finish())
            else:
                parts.append(reply.to_bytes())
        return b"".join(parts)


@dataclass(frozen=True)
class Conversation:
    """A whole session, from the greeting to the answer to QUIT."""

    greeting: Greeting
    exchanges: tuple[Exchange, ...]

    @property
    def commands(self) -> tuple[Command[Any], ...]:
        """What the client sends, in order."""
        return tuple(exchange.command for exchange in self.exchanges)

    @property
    def replies(self) -> tuple[ServerReply, ...]:
        """What the server sends, in order: the events that a client's engine has to return."""
        answers = (reply for exchange in self.exchanges for reply in exchange.replies)
        return (self.greeting, *answers)

    @property
    def client_octets(self) -> bytes:
        """What the client sends."""
        return b"".join(command.to_bytes() for command in self.commands)

    @property
    def server_octets(self) -> bytes:
        """What the server sends."""
        answers = (exchange.server_octets for exchange in self.exchanges)
        return self.greeting.to_bytes() + b"".join(answers)


@st.composite
def exchanges(draw: DrawFn) -> Exchange:
    """A command that leaves TRANSACTION as it is, and an answer to it."""
    command = draw(commands())
    return Exchange(command, tuple(draw(replies_to(command))))


@st.composite
def conversations(draw: DrawFn, max_exchanges: int = 6) -> Conversation:
    """Sessions that log in, ask for this and that, and quit."""
    user, password = User(draw(st.sampled_from(["user", "user@example.org"]))), Pass("secret")
    login = (Exchange(user, (Ok(user),)), Exchange(password, (Ok(password, "welcome"),)))
    middle = draw(st.lists(exchanges(), max_size=max_exchanges))
    end = Exchange(Quit(), (Ok(Quit(), "bye"),))
    return Conversation(draw(greetings()), (*login, *middle, end))


@st.composite
def chunkings(draw: DrawFn, data: bytes) -> Sequence[bytes]:
    """``data`` cut into chunks of at least one octet."""
    cuts = draw(st.lists(st.integers(0, len(data)), max_size=12))
    edges = [0, *sorted(cuts), len(data)]
    pairs = zip(edges, edges[1:], strict=False)
    return [data[start:end] for start, end in pairs if start < end]


@st.composite
def broken(draw: DrawFn, data: bytes) -> bytes:
    """``data`` with octets changed, left out, repeated or put in: what a bad peer may send."""
    octets = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(octets)))
        end = draw(st.integers(start, min(len(octets), start + 8)))
        instead = draw(
            st.sampled_from(
                [b"", b"\r", b"\n", b".", b"\r\n.\r\n", b"+OK\r\n", b"-ERR", b"\0", b"+ "]
            )
            | st.binary(max_size=6)
        )
        octets[start:end] = instead
    return bytes(octets)
