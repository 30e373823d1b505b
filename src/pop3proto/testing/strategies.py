"""Hypothesis strategies for tests of programs that speak POP3.

They need ``pip install pop3proto[hypothesis]``. Their values are legal, and as awkward as the RFCs
allow. Those of ``broken()`` and ``broken_conversations()`` are illegal, and ``disturbances()``
makes bad networks. A failing example shrinks to one that has no more damage than is needed to fail.

>>> from hypothesis import given
>>> @given(conversations())
... def test_my_client(conversation): ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import inf
from typing import Any, TypeAlias, cast

try:
    from hypothesis import strategies as st
    from hypothesis.strategies import DrawFn, SearchStrategy
except ImportError as _missing:
    message = "these strategies need Hypothesis: pip install pop3proto[hypothesis]"
    raise ImportError(message) from _missing

from ..model.capabilities import Capabilities
from ..model.command import Command
from ..model.commands import (
    Capa,
    Dele,
    Extension,
    Lang,
    Last,
    List,
    Noop,
    Quit,
    Retr,
    Rset,
    Stat,
    Top,
    Uidl,
)
from ..model.grammar import MAX_MESSAGE_NUMBER, MAX_SIZE
from ..model.listings import Listings
from ..model.login_commands import Apop, Auth, AuthCancel, AuthResponse, Pass, User
from ..model.replies import (
    CapaReply,
    Challenge,
    ErrorReply,
    Greeting,
    LangReply,
    Language,
    LastReply,
    ListReply,
    MechanismsReply,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Ok,
    ResponseCode,
    ServerReply,
    StatReply,
    UidlReply,
)
from .chaos import Disturbances
from .conversations import BrokenConversation, Conversation, Damage, Exchange

__all__ = [
    "BrokenConversation",
    "Conversation",
    "Damage",
    "Exchange",
    "bodies",
    "broken",
    "broken_conversations",
    "capabilities",
    "chunkings",
    "commands",
    "conversations",
    "damages",
    "disturbances",
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
    """Make texts of status lines: no control characters, no spaces at the end.

    ``max_size`` counts characters; every text of 100 fits a status line.
    """
    printable = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))
    return st.text(printable, max_size=max_size).map(lambda text: text.rstrip(" "))


def response_codes() -> SearchStrategy[ResponseCode]:
    """Make response codes, those of the RFCs and others (RFC 2449 section 8, RFC 3206)."""
    known = ["IN-USE", "LOGIN-DELAY", "SYS/TEMP", "SYS/PERM", "AUTH", "UTF8"]
    return st.builds(ResponseCode, st.sampled_from([*known, "X-OWN", "X-OWN/A/B"]))


def status_lines() -> SearchStrategy[bytes]:
    """Make status lines as servers write them, each a variant of ``+OK`` or ``-ERR``, with CRLF.

    Some are in lower case, some end with blanks, and some have a response code.
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
    """Make greetings, with and without an APOP timestamp (RFC 1939 section 7)."""
    words = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=9)
    timestamps = st.builds("<{}.{}@{}.example.org>".format, words, words, words)
    plain = texts().filter(lambda text: "<" not in text and ">" not in text)
    return st.builds(Greeting, plain | st.builds("{} {}".format, words, timestamps))


def message_numbers() -> SearchStrategy[int]:
    """Make message numbers, mostly small ones."""
    return st.integers(1, 20) | st.integers(1, MAX_MESSAGE_NUMBER)


def sizes() -> SearchStrategy[int]:
    """Make sizes in octets."""
    return st.integers(0, 100_000) | st.integers(0, MAX_SIZE)


def unique_ids() -> SearchStrategy[bytes]:
    """Make unique-ids of 1 to 70 octets from 0x21 to 0x7E (RFC 1939 section 7)."""
    return st.lists(st.integers(0x21, 0x7E), min_size=1, max_size=70).map(bytes)


def scan_listings(max_size: int = 20) -> SearchStrategy[Listings]:
    """Make answers to LIST: numbers with gaps, in any order (RFC 1939 section 5)."""
    rows = st.lists(st.tuples(message_numbers(), sizes()), max_size=max_size)
    return st.builds(Listings, rows)


def unique_id_listings(max_size: int = 20) -> SearchStrategy[Listings]:
    """Make answers to UIDL, with no unique-id twice (RFC 1939 section 7)."""
    row = st.tuples(message_numbers(), st.none(), unique_ids())
    rows = st.lists(row, max_size=max_size, unique_by=lambda chosen: chosen[2])
    return st.builds(Listings, rows)


def capabilities() -> SearchStrategy[Capabilities]:
    """Make lists of known and unknown capabilities, with no name twice (RFC 2449 section 6)."""
    known = ["TOP", "UIDL", "user", "PIPELINING", "EXPIRE 31 USER", "LOGIN-DELAY 300", "STLS"]
    lines = [*known, "SASL PLAIN LOGIN", "IMPLEMENTATION x 1.0", "UTF8 USER", ".DOT", "X-OWN  a b"]
    return st.lists(st.sampled_from(lines), unique=True).map(lambda some: Capabilities(tuple(some)))


def bodies() -> SearchStrategy[bytes]:
    """Make contents of messages: whole lines that end with CRLF, full of what breaks clients.

    They have dots, lone dots, lines that look like replies, bare CRs, NULs and 8-bit octets, and
    lines of any length from none to thousands of octets. They have no bare LF, because a server's
    engine sends it as CRLF.
    """
    marks = [b".", b"..", b"", b"+OK", b"-ERR no", b"\r", b"\n", b"\n.\n", b".\r", b"\r.", b" ."]
    words = [b"a", b"text. More text.", b"x" * 78, b"." * 300, b"y" * 5000, b"\0", b"\xff\xfe"]
    pieces = st.sampled_from([*marks, *words])
    lines = st.lists(pieces | st.binary(max_size=20), max_size=4).map(b"".join)
    whole = st.lists(lines, max_size=30).map(lambda parts: b"".join(p + b"\r\n" for p in parts))
    return whole.map(lambda text: text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))


def commands() -> SearchStrategy[Command[Any]]:
    """Make commands that are legal in TRANSACTION and leave it as it is."""
    number = message_numbers()
    bare = st.sampled_from([Stat(), List(), Uidl(), Noop(), Rset(), Last(), Capa(), Lang()])
    lines = st.sampled_from(["XTND XLST Subject", "XSENDER 1"])
    return st.one_of(
        bare,
        *(st.builds(command, number) for command in (List, Uidl, Retr, Dele)),
        st.builds(Top, number, st.integers(0, 1000)),
        st.builds(Lang, st.sampled_from(["en", "de", "i-default", "*"])),
        st.builds(Extension.single, lines),
        st.builds(Extension.multi, lines),
    )


def replies(command: Command[Any], auth: Auth | None = None) -> _Answers:
    """Make one whole answer to ``command``: a single reply, or all replies of a text.

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
    return _POSITIVE[command.answer](answered) | refused


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
    if not command.multiline:
        return texts().map(lambda text: [LangReply(command, (), text)])
    known = [Language("en", "English"), Language("fr", "Français"), Language("i-default")]
    some = st.lists(st.sampled_from(known), unique=True).map(tuple)
    return some.map(lambda languages: [LangReply(command, languages)])


def _mechanisms(command: Command[Any]) -> _Answers:
    some = st.lists(st.sampled_from(["PLAIN", "LOGIN", "X-OWN"]), unique=True).map(tuple)
    return some.map(lambda mechanisms: [MechanismsReply(command, mechanisms)])


def _one(make: Callable[[Command[Any], Any], ServerReply], values: SearchStrategy[Any]) -> Any:
    def answers(command: Command[Any]) -> _Answers:
        return values.map(lambda value: [make(command, value)])

    return answers


def _rows(
    make: Callable[[Command[Any], Listings], ServerReply],
    several: SearchStrategy[Listings],
    octets: SearchStrategy[int | None],
    unique_id: SearchStrategy[bytes | None],
) -> Any:
    def answers(command: Command[Any]) -> _Answers:
        if command.multiline:
            return several.map(lambda listings: [make(command, listings)])
        asked = getattr(command, "message", None)
        # The answer to a number is about that message.
        numbers = st.just(asked) if isinstance(asked, int) else message_numbers()
        rows = st.tuples(numbers, octets, unique_id)
        return rows.map(lambda row: [make(command, Listings([row]))])

    return answers


def _drop_listing(command: Command[Any]) -> _Answers:
    return st.builds(StatReply, st.just(command), sizes(), sizes()).map(_alone)


_POSITIVE: dict[type[Any], Callable[[Command[Any]], _Answers]] = {
    Ok: _ok,
    Challenge: _authentication,
    StatReply: _drop_listing,
    ListReply: _rows(ListReply, scan_listings(), sizes(), st.none()),
    UidlReply: _rows(UidlReply, unique_id_listings(), st.none(), unique_ids()),
    LastReply: _one(LastReply, sizes()),
    CapaReply: _one(CapaReply, capabilities()),
    LangReply: _languages,
    MechanismsReply: _mechanisms,
    Message: _message,
}


@st.composite
def exchanges(draw: DrawFn) -> Exchange:
    """Make a command that leaves TRANSACTION as it is, and an answer to it."""
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
    """Make sessions that log in, send various commands, and quit.

    With ``one_round`` all commands can be sent at once after the greeting, so nobody logs in with
    AUTH.
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
    """Cut ``data`` into chunks of at least one octet."""
    cuts = draw(st.lists(st.integers(0, len(data)), max_size=12))
    edges = [0, *sorted(cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges) if start < end]


@st.composite
def damages(draw: DrawFn, data: bytes, *, min_size: int = 0) -> tuple[Damage, ...]:
    """Make up to four places in which ``data`` is damaged, at least ``min_size``.

    They do not depend on each other, so any of them can be left out.
    """
    pieces = st.sampled_from(
        [b"", b"\r", b"\n", b".", b"\r\n", b"\r\n.\r\n", b"+OK\r\n", b"-ERR", b"\0", b"+ "]
    )
    places = st.tuples(st.integers(0, len(data)), st.integers(0, 8))
    chosen = draw(st.lists(places, min_size=min_size, max_size=4))
    some: list[Damage] = []
    for position, removed in chosen:
        twice = data[position : position + removed] * 2
        inserted = draw(pieces | st.binary(max_size=6) | st.just(twice))
        some.append(Damage(position, removed, inserted))
    return tuple(some)


def broken(data: bytes) -> SearchStrategy[bytes]:
    """Change, leave out, repeat or add octets of ``data``, as a bad peer may do."""
    return damages(data, min_size=1).map(lambda some: Damage.done(some, data))


@st.composite
def broken_conversations(draw: DrawFn, max_exchanges: int = 3) -> BrokenConversation:
    """Make sessions of one round, with the octets of one side, both sides or none damaged."""
    whole = draw(conversations(max_exchanges, one_round=True))
    answers = whole.server_octets[len(whole.greeting.to_bytes()) :]
    return BrokenConversation(whole, draw(damages(answers)), draw(damages(whole.client_octets)))


def disturbances() -> SearchStrategy[Disturbances]:
    """Make arguments for ``ChaosStream``: ``ChaosStream(stream, **disturbances)``.

    The simplest example has none at all. Some delays are longer than the usual deadlines, and some
    are infinite.
    """
    lengths = st.integers(1, 16) | st.integers(1, 4096)
    seconds = st.floats(0, 200) | st.just(inf)
    positions = st.integers(0, 2000)
    # Each of them can be left out, so that a failing example shrinks to those that it needs.
    chosen = st.fixed_dictionaries(
        {
            "chunks": st.none() | st.lists(lengths, max_size=20) | lengths,
            "delays": st.none() | st.lists(seconds, max_size=20) | st.floats(0, 1),
            "drop_after": st.none() | positions,
            "reset_after": st.none() | positions,
        },
    ).map(lambda drawn: {name: value for name, value in drawn.items() if value is not None})
    return cast(SearchStrategy[Disturbances], chosen)
