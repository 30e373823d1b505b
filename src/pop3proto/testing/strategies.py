"""Hypothesis strategies for whoever tests a program that speaks POP3.

They take ``pip install pop3proto[hypothesis]``. What they make is legal, and as awkward as the
RFCs allow; ``broken()`` and ``broken_conversations()`` make what is not.

>>> from hypothesis import given
>>> @given(conversations())
... def test_my_client(conversation): ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

try:
    from hypothesis import strategies as st
    from hypothesis.strategies import DrawFn, SearchStrategy
except ImportError as error:
    message = "these strategies need Hypothesis: pip install pop3proto[hypothesis]"
    raise ImportError(message) from error

from .._wire import BodyWriter
from ..capabilities import Capabilities
from ..commands import (
    Apop,
    Auth,
    AuthCancel,
    AuthResponse,
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
    Challenge,
    ErrorReply,
    Greeting,
    Language,
    LanguagesReply,
    LastReply,
    ListOneReply,
    ListReply,
    MechanismsReply,
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
    "BrokenConversation",
    "Conversation",
    "Exchange",
    "bodies",
    "broken",
    "broken_conversations",
    "capabilities",
    "chunkings",
    "commands",
    "conversations",
    "exchanges",
    "greetings",
    "message_numbers",
    "replies",
    "response_codes",
    "scan_listings",
    "sizes",
    "status_lines",
    "texts",
    "unique_id_listings",
    "unique_ids",
]

_Answers: TypeAlias = SearchStrategy[list[ServerReply]]


def texts(max_size: int = 60) -> SearchStrategy[str]:
    """What can stand behind a status indicator: no control characters, no blanks at the end.

    ``max_size`` counts characters; of 100 every one fits a status line.
    """
    printable = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))
    return st.text(printable, max_size=max_size).map(lambda text: text.rstrip(" "))


def response_codes() -> SearchStrategy[ResponseCode]:
    """Response codes, those of the RFCs and others (RFC 2449 section 8, RFC 3206)."""
    known = ["IN-USE", "LOGIN-DELAY", "SYS/TEMP", "SYS/PERM", "AUTH", "UTF8"]
    return st.builds(ResponseCode, st.sampled_from([*known, "X-OWN", "X-OWN/A/B"]))


def status_lines() -> SearchStrategy[bytes]:
    """Status lines as servers write them, each ``+OK`` or ``-ERR`` in spirit, with their CRLF.

    Some are in lower case, some end with blanks; a response code can be there or not.
    """

    def line(indicator: str, code: ResponseCode | None, text: str, blanks: str) -> bytes:
        marked = text if code is None else f"[{code}] {text}"
        return f"{indicator} {marked}{blanks}".encode() + b"\r\n"

    indicators = st.sampled_from(["+OK", "-ERR", "+ok", "-Err"])
    lines = st.builds(
        line, indicators, st.none() | response_codes(), texts(), st.sampled_from(["", " ", "   "])
    )
    return lines | indicators.map(lambda indicator: indicator.encode() + b"\r\n")


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
    return st.lists(st.integers(0x21, 0x7E), min_size=1, max_size=70).map(bytes)


def scan_listings(max_size: int = 20) -> SearchStrategy[ScanListings]:
    """Answers to LIST: numbers with gaps, in any order (RFC 1939 section 5)."""
    rows = st.lists(st.tuples(message_numbers(), sizes()), max_size=max_size)
    return st.builds(ScanListings, rows)


def unique_id_listings(max_size: int = 20) -> SearchStrategy[UniqueIdListings]:
    """Answers to UIDL, with no unique-id twice (RFC 1939 section 7)."""
    row = st.tuples(message_numbers(), unique_ids())
    rows = st.lists(row, max_size=max_size, unique_by=lambda chosen: chosen[1])
    return st.builds(UniqueIdListings, rows)


def capabilities() -> SearchStrategy[Capabilities]:
    """Capability lists with no name twice, known and unknown ones (RFC 2449 section 6)."""
    known = ["TOP", "UIDL", "user", "PIPELINING", "EXPIRE 31 USER", "LOGIN-DELAY 300", "STLS"]
    lines = [*known, "SASL PLAIN LOGIN", "IMPLEMENTATION x 1.0", "UTF8 USER", ".DOT", "X-OWN  a b"]
    return st.lists(st.sampled_from(lines), unique=True).map(lambda some: Capabilities(tuple(some)))


def bodies() -> SearchStrategy[bytes]:
    """Contents of messages: whole lines that end with CRLF, full of what breaks clients.

    Dots, lone dots, lines that look like replies, bare CR, NUL and 8-bit octets; lines of no
    octet and of thousands. No bare LF, because a server's engine sends it as CRLF.
    """
    marks = [b".", b"..", b"", b"+OK", b"-ERR no", b"\r", b"\n", b"\n.\n", b".\r", b"\r.", b" ."]
    words = [b"a", b"text. More text.", b"x" * 78, b"." * 300, b"y" * 5000, b"\0", b"\xff\xfe"]
    pieces = st.sampled_from([*marks, *words])
    lines = st.lists(pieces | st.binary(max_size=20), max_size=4).map(b"".join)
    whole = st.lists(lines, max_size=30).map(lambda parts: b"".join(p + b"\r\n" for p in parts))
    return whole.map(lambda text: text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))


def commands() -> SearchStrategy[Command[Any]]:
    """Commands that are legal in TRANSACTION and leave it as it is."""
    number = message_numbers()
    bare = st.sampled_from([Stat(), List(), Uidl(), Noop(), Rset(), Last(), Capa(), Languages()])
    lines = st.sampled_from(["XTND XLST Subject", "XSENDER 1"])
    return st.one_of(
        bare,
        *(st.builds(command, number) for command in (ListOne, UidlOne, Retr, Dele)),
        st.builds(Top, number, st.integers(0, 1000)),
        st.builds(Lang, st.sampled_from(["en", "de", "i-default", "*"])),
        st.builds(Extension.single, lines),
        st.builds(Extension.multi, lines),
    )


def replies(command: Command[Any], auth: Auth | None = None) -> _Answers:
    """One whole answer to ``command``: a single reply, or all those that make up a text.

    It can be ``-ERR`` as well. Answers to an ``AuthResponse`` or an ``AuthCancel`` carry ``auth``,
    the command that opened the exchange.
    """
    answered = auth or command
    codeless = texts().filter(lambda text: not text.startswith("["))
    refusals = st.builds(ErrorReply, st.just(answered), codeless, st.none() | response_codes())
    refused = refusals.map(_alone)
    if isinstance(command, AuthCancel):
        # RFC 5034 section 4: the server answers a cancellation with -ERR.
        return refused
    return _POSITIVE[command.shape](answered) | refused


def _alone(reply: ServerReply) -> list[ServerReply]:
    return [reply]


def _ok(command: Command[Any]) -> _Answers:
    return texts().map(lambda text: [Ok(command, text)])


def _authentication(command: Command[Any]) -> _Answers:
    challenges = st.binary(max_size=80).map(lambda data: _alone(Challenge(command, data)))
    return _ok(command) | challenges


def _message(command: Command[Any]) -> _Answers:
    def answer(text: str, body: bytes) -> list[ServerReply]:
        data = [MessageData(body)] if body else []
        return [MessageStart(command, text), *data, MessageEnd(command, len(body))]

    return st.builds(answer, texts(), bodies())


def _languages(command: Command[Any]) -> _Answers:
    known = [Language("en", "English"), Language("fr", "Français"), Language("i-default")]
    some = st.lists(st.sampled_from(known), unique=True).map(tuple)
    return some.map(lambda languages: [LanguagesReply(command, languages)])


def _mechanisms(command: Command[Any]) -> _Answers:
    some = st.lists(st.sampled_from(["PLAIN", "LOGIN", "X-OWN"]), unique=True).map(tuple)
    return some.map(lambda mechanisms: [MechanismsReply(command, mechanisms)])


def _one(make: Callable[[Command[Any], Any], ServerReply], values: SearchStrategy[Any]) -> Any:
    def answers(command: Command[Any]) -> _Answers:
        return values.map(lambda value: [make(command, value)])

    return answers


def _drop_listing(command: Command[Any]) -> _Answers:
    return st.builds(StatReply, st.just(command), sizes(), sizes()).map(_alone)


_POSITIVE: dict[ReplyShape, Callable[[Command[Any]], _Answers]] = {
    ReplyShape.STATUS: _ok,
    ReplyShape.AUTHENTICATION: _authentication,
    ReplyShape.DROP_LISTING: _drop_listing,
    ReplyShape.SCAN_LISTING: _one(ListOneReply, st.builds(ScanListing, message_numbers(), sizes())),
    ReplyShape.UNIQUE_ID_LISTING: _one(
        UidlOneReply, st.builds(UniqueIdListing, message_numbers(), unique_ids())
    ),
    ReplyShape.LAST_MESSAGE: _one(LastReply, sizes()),
    ReplyShape.SCAN_LISTINGS: _one(ListReply, scan_listings()),
    ReplyShape.UNIQUE_ID_LISTINGS: _one(UidlReply, unique_id_listings()),
    ReplyShape.CAPABILITIES: _one(CapaReply, capabilities()),
    ReplyShape.LANGUAGES: _languages,
    ReplyShape.MECHANISMS: _mechanisms,
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
    def rounds(self) -> tuple[tuple[Exchange, ...], ...]:
        """The exchanges whose commands can be sent together: each round ends with a barrier."""
        rounds: list[tuple[Exchange, ...]] = [()]
        for exchange in self.exchanges:
            rounds[-1] += (exchange,)
            if exchange.command.barrier:
                rounds.append(())
        return tuple(filter(None, rounds))

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


@dataclass(frozen=True)
class BrokenConversation:
    """A session in which either side's octets have been tampered with.

    A client can send all of its commands behind the greeting, before it reads another octet.
    """

    conversation: Conversation
    """What it was before."""
    server_octets: bytes
    """What the server sends now; the greeting, which comes first, is whole."""
    client_octets: bytes
    """What the client sends now."""


@st.composite
def exchanges(draw: DrawFn) -> Exchange:
    """A command that leaves TRANSACTION as it is, and an answer to it."""
    command = draw(commands())
    return Exchange(command, tuple(draw(replies(command))))


def _sent_ahead_logins() -> SearchStrategy[tuple[Exchange, ...]]:
    def with_password(user: User, password: Pass, text: str) -> tuple[Exchange, ...]:
        return Exchange(user, (Ok(user),)), Exchange(password, (Ok(password, text),))

    def with_digest(apop: Apop, text: str) -> tuple[Exchange, ...]:
        return (Exchange(apop, (Ok(apop, text),)),)

    names = st.sampled_from(["user", "user@example.org", "two words"])
    passwords = st.sampled_from(["secret", "", " with blanks "])
    by_password = st.builds(with_password, names.map(User), passwords.map(Pass), texts())
    digests = st.builds(Apop, names, st.just("c4c9334bac560ecc979e58001b3e22fb"))
    return by_password | st.builds(with_digest, digests, texts())


@st.composite
def _auth_logins(draw: DrawFn) -> tuple[Exchange, ...]:
    octets = st.binary(max_size=40)
    opening = Auth(draw(st.sampled_from(["PLAIN", "X-OWN"])), draw(st.none() | octets))
    asked: list[Command[Any]] = [opening, *draw(st.lists(octets.map(AuthResponse), max_size=3))]
    *earlier, last = asked
    challenged = [Exchange(step, (Challenge(opening, draw(octets)),)) for step in earlier]
    return (*challenged, Exchange(last, (Ok(opening, draw(texts())),)))


@st.composite
def conversations(draw: DrawFn, max_exchanges: int = 6, *, one_round: bool = False) -> Conversation:
    """Sessions that log in, ask for this and that, and quit.

    With ``one_round`` every command can be sent at once behind the greeting, so that nobody logs
    in with AUTH.
    """
    before = draw(replies(Capa()))
    first = (Exchange(Capa(), tuple(before)),) if draw(st.booleans()) else ()
    logins = _sent_ahead_logins()
    login = draw(logins if one_round else logins | _auth_logins())
    middle = draw(st.lists(exchanges(), max_size=max_exchanges))
    end = Exchange(Quit(), tuple(draw(replies(Quit()))))
    return Conversation(draw(greetings()), (*first, *login, *middle, end))


@st.composite
def chunkings(draw: DrawFn, data: bytes) -> Sequence[bytes]:
    """``data`` cut into chunks of at least one octet."""
    cuts = draw(st.lists(st.integers(0, len(data)), max_size=12))
    edges = [0, *sorted(cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges) if start < end]


@st.composite
def broken(draw: DrawFn, data: bytes) -> bytes:
    """``data`` with octets changed, left out, repeated or put in: what a bad peer may send."""
    octets = bytearray(data)
    pieces = st.sampled_from(
        [b"", b"\r", b"\n", b".", b"\r\n", b"\r\n.\r\n", b"+OK\r\n", b"-ERR", b"\0", b"+ "]
    )
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(octets)))
        end = draw(st.integers(start, min(len(octets), start + 8)))
        octets[start:end] = draw(pieces | st.binary(max_size=6) | st.just(octets[start:end] * 2))
    return bytes(octets)


@st.composite
def broken_conversations(draw: DrawFn, max_exchanges: int = 3) -> BrokenConversation:
    """Sessions of one round with the octets of either side ``broken()``."""
    whole = draw(conversations(max_exchanges, one_round=True))
    greeting = whole.greeting.to_bytes()
    answers = draw(broken(whole.server_octets[len(greeting) :]))
    return BrokenConversation(whole, greeting + answers, draw(broken(whole.client_octets)))
