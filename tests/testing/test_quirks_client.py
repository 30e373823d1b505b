"""That each quirk of ``QuirkyServer`` shows, and what the client makes of it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import pytest

from pop3proto import (
    LENIENT,
    STRICT,
    CommandFailed,
    ConnectionLost,
    DeadConnectionError,
    DeadlineExceeded,
    Fault,
    ListOne,
    Noop,
    RemoteProtocolError,
    Retr,
)
from pop3proto.deviations import ServerProfile
from pop3proto.errors import Pop3Error
from pop3proto.maildrop import MemoryMaildrops
from pop3proto.testing import MemoryStream, Quirk, QuirkyServer
from pop3proto.transports.blocking import Client, Outcome
from tests.testing.quirky import (
    MESSAGES,
    OPTIONS,
    SERVER,
    Seen,
    lines_of,
    start,
    stream_with,
    use,
)
from tests.testing.test_quirks_logins import LOGIN_QUIRKS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "quirks.md"
T = TypeVar("T")
EXTENSIONS = {"TOP", "UIDL", "PIPELINING"}


def ids_of(seen: Seen) -> list[bytes | None]:
    return [row.unique_id for row in seen.ids]


def sizes_of(seen: Seen) -> list[int | None]:
    return [row.octets for row in seen.sizes]


def names(seen: Seen, *, before: bool = False) -> list[str]:
    """The words that the server's capabilities begin with."""
    found = seen.offered if before else seen.capabilities
    assert found is not None
    return [line.split(" ")[0] for line in found.lines]


ORDINARY = use(())

# What is tolerated: the fault, and what else is to be seen of it.
TOLERATED: dict[Quirk, tuple[Fault, Callable[[Seen], bool]]] = {
    Quirk.BARE_LF: (Fault.BARE_LF, lambda seen: b"\r" not in b"".join(seen.bodies)),
    Quirk.BLANK_LINES: (Fault.BLANK_LINE, lambda seen: len(seen.client.deviations) > 9),
    Quirk.LOWER_CASE_STATUS: (
        Fault.STATUS_INDICATOR_CASE,
        lambda seen: seen.client.deviations[0].sample.startswith(b"+ok localhost"),
    ),
    Quirk.REPEATED_CAPABILITIES: (
        Fault.REPEATED_CAPABILITY,
        lambda seen: seen.client.deviations[0].count == len(names(ORDINARY, before=True)),
    ),
    Quirk.BLANK_CAPABILITY: (Fault.MALFORMED_CAPABILITY, lambda seen: names(seen)[-1] == ""),
    Quirk.NON_ASCII_CAPABILITY: (
        Fault.MALFORMED_CAPABILITY,
        lambda seen: names(seen)[-1].startswith("X-"),
    ),
    Quirk.MALFORMED_TIMESTAMP: (
        Fault.MALFORMED_TIMESTAMP,
        lambda seen: seen.client.greeting.timestamp is None,
    ),
    Quirk.SPACED_LISTINGS: (
        Fault.LISTING_SPACING,
        lambda seen: sizes_of(seen) == sizes_of(ORDINARY),
    ),
    Quirk.INDENTED_LISTINGS: (
        Fault.LISTING_SPACING,
        lambda seen: sizes_of(seen) == sizes_of(ORDINARY),
    ),
    Quirk.MISSING_UNIQUE_IDS: (Fault.MISSING_UNIQUE_ID, lambda seen: ids_of(seen) == [None, None]),
    Quirk.DUPLICATE_UNIQUE_IDS: (
        Fault.DUPLICATE_UNIQUE_ID,
        lambda seen: ids_of(seen) == [b"same", b"same"],
    ),
    Quirk.MALFORMED_UNIQUE_IDS: (
        Fault.MALFORMED_UNIQUE_ID,
        lambda seen: ids_of(seen) == [b"with space " + (i or b"") for i in ids_of(ORDINARY)],
    ),
    Quirk.LONG_UNIQUE_IDS: (
        Fault.MALFORMED_UNIQUE_ID,
        lambda seen: ids_of(seen) == [b"long-" * 20 + (i or b"") for i in ids_of(ORDINARY)],
    ),
    Quirk.NON_ASCII_UNIQUE_IDS: (
        Fault.MALFORMED_UNIQUE_ID,
        lambda seen: ids_of(seen) == [b"\xe9" + (i or b"") for i in ids_of(ORDINARY)],
    ),
    Quirk.NEGATIVE_SIZES: (Fault.UNUSABLE_SIZE, lambda seen: sizes_of(seen) == [None, None]),
    Quirk.HUGE_SIZES: (Fault.UNUSABLE_SIZE, lambda seen: sizes_of(seen) == [None, None]),
    Quirk.WORDY_SIZES: (Fault.UNUSABLE_SIZE, lambda seen: sizes_of(seen) == [None, None]),
    # ".x" was sent with one dot, and is kept like that.
    Quirk.NO_DOT_STUFFING: (Fault.UNSTUFFED_DOT, lambda seen: b"\n.x\r" in seen.bodies[0]),
}

# What even STRICT takes, and how it is to be seen.
ACCEPTED: dict[Quirk, Callable[[Seen], bool]] = {
    Quirk.BARE_STATUS: lambda seen: seen.result.text == "",
    Quirk.NO_CAPA: lambda seen: seen.offered is None and seen.capabilities is None,
    Quirk.MECHANISMS_BY_AUTH: lambda seen: seen.offered is None and seen.capabilities is None,
    Quirk.NO_CAPABILITIES: lambda seen: names(seen) == [],
    Quirk.ODD_CAPABILITIES: lambda seen: {"X-UNKNOWN", "LOGIN-DELAY"} <= set(names(seen)),
    Quirk.REVERSED_CAPABILITIES: lambda seen: names(seen) == names(ORDINARY)[::-1],
    Quirk.HIDDEN_UNTIL_LOGIN: lambda seen: (
        not EXTENSIONS & set(names(seen, before=True)) and set(names(seen)) >= EXTENSIONS
    ),
    Quirk.HIDDEN_CAPABILITIES: lambda seen: not EXTENSIONS & set(names(seen)),
    Quirk.FORGOTTEN_CAPABILITIES: lambda seen: (
        set(names(seen, before=True)) - set(names(seen)) == {"USER", "SASL", "UTF8"}
    ),
    Quirk.MISSPELT_CAPABILITY: lambda seen: (
        {"PIPELINE", "EXPIRENEVER"} <= set(names(seen)) and "PIPELINING" not in names(seen)
    ),
    Quirk.WRONG_COUNT: lambda seen: seen.stat is not None and seen.stat.count == 3,
    Quirk.SKIPPED_NUMBERS: lambda seen: [row.number for row in seen.sizes] == [2],
    Quirk.REVERSED_LISTINGS: lambda seen: (
        [row.number for row in seen.sizes] == [row.number for row in seen.ids] == [2, 1]
    ),
    Quirk.SMALL_SIZES: lambda seen: sizes_of(seen) == [len(m) // 2 for m in MESSAGES],
    Quirk.TRUNCATED_TOP: lambda seen: seen.top == b"Subject: one\r\n",
    Quirk.SILENT_QUIT: lambda seen: not seen.result.confirmed,
    Quirk.CLOSES_ON_QUIT: lambda seen: not seen.result.confirmed,
}

# What ends it: the error, and a word of its message that names the cause.
FATAL: dict[Quirk, tuple[type[Pop3Error], str]] = {
    Quirk.NO_FINAL_NEWLINE: (DeadlineExceeded, "body"),
    Quirk.SECOND_REPLY: (RemoteProtocolError, r"answers nothing: \+OK once more"),
    Quirk.SECOND_END: (RemoteProtocolError, r"answers nothing: \. .*double dots"),
    Quirk.NUL_STATUS: (RemoteProtocolError, "NUL"),
    Quirk.ERROR_GREETING: (CommandFailed, "too busy"),
    Quirk.IMAP_GREETING: (RemoteProtocolError, "an IMAP server"),
    Quirk.SMTP_GREETING: (RemoteProtocolError, "an SMTP"),
    Quirk.CLOSES_ON_CAPA: (ConnectionLost, "Capa"),
    Quirk.NUMBERS_FROM_ZERO: (RemoteProtocolError, "no scan listing: 0 "),
    Quirk.NO_UIDL: (CommandFailed, "Uidl"),
    Quirk.REFUSED_MESSAGE: (CommandFailed, "message=1"),
    Quirk.NOT_A_STATUS: (RemoteProtocolError, r"neither \+OK nor -ERR: done"),
    Quirk.CLOSES_WHEN_IDLE: (ConnectionLost, "Noop"),
    Quirk.CLOSES_BEFORE_QUIT: (ConnectionLost, "1 messages marked as deleted were kept"),
}
# Each of these has a test of its own below.
OTHERS = {
    Quirk.TRAILING_SPACES,
    Quirk.LISTING_TEXT,
    Quirk.SPLIT_PACKETS,
    Quirk.PLUS_ERR,
    Quirk.NO_STAT,
    Quirk.HIDDEN_STLS,
    Quirk.NO_EMPTY_LISTINGS,
    Quirk.RETR_DELETES,
    Quirk.NEEDS_UTF8,
    Quirk.CLOSES_ON_PIPELINING,
    Quirk.PIPELINED_BACKWARDS,
}


@pytest.mark.parametrize("quirk", TOLERATED)
def test_tolerated(quirk: Quirk) -> None:
    fault, fired = TOLERATED[quirk]
    seen = use({quirk})
    assert fired(seen)
    # Line ends are kept as the server sends them.
    newline = b"\n" if quirk is Quirk.BARE_LF else b"\r\n"
    assert seen.bodies == [message.replace(b"\r\n", newline) for message in MESSAGES]
    assert seen.faults == {fault}
    assert use({quirk}, ServerProfile(seen.faults).leniency()).bodies == seen.bodies
    for leniency in (STRICT, LENIENT.refusing(fault)):
        with pytest.raises(RemoteProtocolError):
            use({quirk}, leniency)


@pytest.mark.parametrize("quirk", ACCEPTED)
def test_accepted(quirk: Quirk) -> None:
    assert not ACCEPTED[quirk](ORDINARY)
    seen = use({quirk}, STRICT)
    assert ACCEPTED[quirk](seen)
    assert seen.bodies == MESSAGES
    assert seen.client.deviations == ()
    assert seen.result.confirmed is (quirk not in (Quirk.SILENT_QUIT, Quirk.CLOSES_ON_QUIT))


@pytest.mark.parametrize("quirk", FATAL)
def test_fatal(quirk: Quirk) -> None:
    error, words = FATAL[quirk]
    with pytest.raises(error, match=words):
        use({quirk})


def logged_in(quirk: Quirk, messages: list[bytes] = MESSAGES) -> Client:
    client = start({quirk}, messages=messages)
    client.login("user", "secret", mechanisms=["USER"])
    return client


@pytest.mark.parametrize(
    ("quirk", "line"),
    [
        (Quirk.LISTING_TEXT, b"+OK 1 %d octets" % len(MESSAGES[0])),
        (Quirk.SPACED_LISTINGS, b"+OK 1   %d" % len(MESSAGES[0])),
        (Quirk.INDENTED_LISTINGS, b"+OK   1 %d" % len(MESSAGES[0])),
        (Quirk.TRAILING_SPACES, b"+OK goodbye  "),
        (Quirk.BARE_STATUS, b"+OK"),
    ],
)
def test_what_the_client_need_not_notice(quirk: Quirk, line: bytes) -> None:
    commands = b"USER user\r\nPASS secret\r\nLIST 1\r\n"
    assert line in lines_of(quirk, commands)
    assert line not in lines_of(None, commands)
    seen = use({quirk})
    assert (seen.bodies, sizes_of(seen)) == (MESSAGES, sizes_of(ORDINARY))
    assert not seen.faults - {Fault.LISTING_SPACING}


def test_each_octet_comes_by_itself() -> None:
    session = QuirkyServer(
        MemoryMaildrops({"user": MESSAGES}), {}, quirks={Quirk.SPLIT_PACKETS}, options=SERVER
    )
    action = session.next_action()
    assert getattr(action, "data", b"") == b"+"
    assert use({Quirk.SPLIT_PACKETS}, STRICT).bodies == MESSAGES


def test_failures_that_say_plus() -> None:
    assert use({Quirk.PLUS_ERR}, STRICT).bodies == MESSAGES
    with logged_in(Quirk.PLUS_ERR) as client:
        with pytest.raises(RemoteProtocolError, match=r"\+ERR no such message"):
            client.retr(9)
        assert client.closed


def test_refused_stat_leaves_the_session_alive() -> None:
    with logged_in(Quirk.NO_STAT) as client:
        with pytest.raises(CommandFailed):
            client.stat()
        assert len(client.list()) == 2


def test_one_refused_message_leaves_the_others() -> None:
    with logged_in(Quirk.REFUSED_MESSAGE) as client:
        first, second = client.retr_many([1, 2])
        with pytest.raises(CommandFailed):
            first.unwrap()
        assert second.unwrap().content == MESSAGES[1]


def test_an_empty_maildrop_that_is_not_listed() -> None:
    with logged_in(Quirk.NO_EMPTY_LISTINGS, []) as client:
        for ask in (client.list, client.uidl):
            with pytest.raises(CommandFailed):
                ask()
        assert list(client.messages()) == []
    with logged_in(Quirk.NO_EMPTY_LISTINGS) as client:
        assert len(client.list()) == len(client.uidl()) == 2


def test_a_lone_dot_that_is_not_doubled_is_never_a_wrong_reply() -> None:
    mail = b"Subject: one\r\n\r\nText.\r\n.\r\n+OK 7 700\r\n"
    with logged_in(Quirk.NO_DOT_STUFFING, [mail]) as client:
        # The dot ends the message, there is no telling it from the end.
        assert client.retr(1).content == b"Subject: one\r\n\r\nText.\r\n"
        with pytest.raises(RemoteProtocolError, match="double dots"):
            client.stat()
        assert client.closed
        with pytest.raises(DeadConnectionError):
            client.stat()


def test_what_is_retrieved_is_deleted() -> None:
    for quirks, left in (((), 2), ((Quirk.RETR_DELETES,), 1)):
        stream = stream_with(quirks)
        with Client.start(stream, security=stream.security, options=OPTIONS) as client:
            client.login("user", "secret", mechanisms=["USER"])
            client.retr(1)
            assert client.quit().confirmed
        assert len(MESSAGES) - len(stream.session.deleted) == left


@pytest.mark.parametrize("utf8", [False, True])
def test_8_bit_header_fields(utf8: bool) -> None:
    mail = b"Subject: p\xc3\xb6st\r\n\r\nText.\r\n"
    with start({Quirk.NEEDS_UTF8}, messages=[mail, MESSAGES[0]], utf8=utf8) as client:
        client.login("user", "secret", mechanisms=["USER"])
        assert (client.retr(1).content == mail) is utf8
        assert (b"cannot be shown" in client.retr(1).content) is not utf8
        assert client.retr(2).content == MESSAGES[0]


def unwrapped(batch: Iterable[Outcome[T]]) -> list[T]:
    return [outcome.unwrap() for outcome in batch]


def test_pipelining_that_closes() -> None:
    with logged_in(Quirk.CLOSES_ON_PIPELINING) as client, pytest.raises(ConnectionLost):
        unwrapped(client.retr_many([1, 2]))
    with start({Quirk.CLOSES_ON_PIPELINING}, pipelining=False) as client:
        client.login("user", "secret", mechanisms=["USER"])
        assert [message.content for message in unwrapped(client.retr_many([1, 2]))] == MESSAGES


def test_pipelining_out_of_step() -> None:
    with logged_in(Quirk.PIPELINED_BACKWARDS) as client:
        # The answer to RETR begins like one to NOOP; it is what follows that gives it away.
        with pytest.raises(RemoteProtocolError, match="Subject: two"):
            unwrapped(client.batch([Noop(), Retr(2)]))
        assert client.closed
    with start({Quirk.PIPELINED_BACKWARDS}, pipelining=False) as client:
        client.login("user", "secret", mechanisms=["USER"])
        rows = unwrapped(client.batch([ListOne(1), ListOne(2)]))
        assert [row.listing.number for row in rows] == [1, 2]


@pytest.mark.parametrize(
    "quirks",
    [
        {Quirk.IMAP_GREETING, Quirk.SMTP_GREETING},
        {Quirk.NO_CAPA, Quirk.CLOSES_ON_CAPA},
        {Quirk.HUGE_SIZES, Quirk.SMALL_SIZES},
        {Quirk.LOGIN_AUTH, Quirk.LOGIN_IN_USE},
    ],
)
def test_contradictions(quirks: set[Quirk]) -> None:
    shown = ", ".join(sorted(quirk.name for quirk in quirks))
    with pytest.raises(ValueError, match=shown):
        stream_with(quirks)


def test_without_quirks_it_is_an_ordinary_server() -> None:
    assert ORDINARY.faults == frozenset()
    assert ORDINARY.bodies == MESSAGES
    assert isinstance(stream_with(()), MemoryStream)


def test_every_quirk_is_tested_and_documented() -> None:
    groups = [set(TOLERATED), set(ACCEPTED), set(FATAL), OTHERS, LOGIN_QUIRKS]
    assert set[Quirk]().union(*groups) == set(Quirk)
    assert sum(map(len, groups)) == len(Quirk)
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [quirk.name for quirk in Quirk if f"| `{quirk.name}` |" not in text] == []
