"""That each quirk shows, and what the client makes of it."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from pop3proto import (
    CommandError,
    ConnectionLostError,
    DeadlineError,
    Fault,
    Leniency,
    RemoteProtocolError,
)
from pop3proto.errors import LocalProtocolError, Pop3Error
from pop3proto.testing import MemoryStream, Quirk
from pop3proto.transports import ServerProfile
from pop3proto.transports.blocking import Client
from tests.testing.quirky import MESSAGES, Seen, lines_of, sent, start, stream_with, use
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
    Quirk.SOME_DOT_STUFFING: (Fault.UNSTUFFED_DOT, lambda seen: b"\n.x\r" in seen.bodies[0]),
}

# What even Leniency.none() takes, and how it is to be seen.
ACCEPTED: dict[Quirk, Callable[[Seen], bool]] = {
    Quirk.BARE_STATUS: lambda seen: seen.result.text == "",
    Quirk.NO_CAPA: lambda seen: seen.offered is None and seen.capabilities is None,
    Quirk.MECHANISMS_BY_AUTH: lambda seen: seen.offered is None and seen.capabilities is None,
    Quirk.NO_CAPABILITIES: lambda seen: names(seen) == [],
    Quirk.ODD_CAPABILITIES: lambda seen: {"X-UNKNOWN", "LOGIN-DELAY"} <= set(names(seen)),
    Quirk.REVERSED_CAPABILITIES: lambda seen: names(seen) == names(ORDINARY)[::-1],
    Quirk.LOWER_CASE_CAPABILITIES: lambda seen: (
        names(seen) == [name.lower() for name in names(ORDINARY)]
        and seen.capabilities is not None
        and seen.capabilities.pipelining
    ),
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
    Quirk.ROUNDED_SIZES: lambda seen: sizes_of(seen) == [1024, 1024],
    Quirk.TRUNCATED_TOP: lambda seen: seen.top == b"Subject: one\r\n",
    Quirk.SILENT_QUIT: lambda seen: not seen.result.confirmed,
    Quirk.CLOSES_ON_QUIT: lambda seen: not seen.result.confirmed,
    Quirk.CR_IN_MAIL: lambda seen: b"two\r\rthree" in seen.bodies[0],
    Quirk.NUL_IN_MAIL: lambda seen: b"\0" in seen.bodies[0],
    Quirk.LONG_LINE_IN_MAIL: lambda seen: b"x" * 120_000 in seen.bodies[0],
}

# What ends it: the error, and a word of its message that names the cause.
FATAL: dict[Quirk, tuple[type[Pop3Error], str]] = {
    Quirk.NO_FINAL_NEWLINE: (DeadlineError, "body"),
    Quirk.SECOND_REPLY: (RemoteProtocolError, r"answers no command: \+OK once more"),
    Quirk.SECOND_END: (RemoteProtocolError, r"answers no command: \. .*double dots"),
    Quirk.NUL_STATUS: (RemoteProtocolError, "NUL"),
    Quirk.ERROR_GREETING: (CommandError, "too busy"),
    Quirk.IMAP_GREETING: (RemoteProtocolError, "an IMAP server"),
    Quirk.SMTP_GREETING: (RemoteProtocolError, "an SMTP"),
    Quirk.CLOSES_ON_CAPA: (ConnectionLostError, "Capa"),
    Quirk.NUMBERS_FROM_ZERO: (RemoteProtocolError, "not a scan listing: 0 "),
    Quirk.HUGE_NUMBERS: (RemoteProtocolError, "not a scan listing: 2147483648 "),
    Quirk.NO_UIDL: (CommandError, "Uidl"),
    Quirk.REFUSED_MESSAGE: (CommandError, "message=1"),
    Quirk.NOT_A_STATUS: (RemoteProtocolError, r"neither \+OK nor -ERR: done"),
    Quirk.CLOSES_WHEN_IDLE: (ConnectionLostError, "Noop"),
    Quirk.CLOSES_BEFORE_QUIT: (ConnectionLostError, "deleted, and are kept: 1"),
}
# Each of these has a test of its own, below or beside this module.
OTHERS = {
    Quirk.TRAILING_SPACES,
    Quirk.LISTING_TEXT,
    Quirk.SPLIT_PACKETS,
    Quirk.NO_SPLIT_COMMANDS,
    Quirk.PLUS_ERR,
    Quirk.NO_STAT,
    Quirk.HIDDEN_STLS,
    Quirk.SHUFFLED_CAPABILITIES,
    Quirk.NO_EMPTY_LISTINGS,
    Quirk.RETR_DELETES,
    Quirk.RETR_HIDES,
    Quirk.RETR_MARKS,
    Quirk.NEEDS_UTF8,
    Quirk.CLOSES_ON_PIPELINING,
    Quirk.PIPELINED_BACKWARDS,
    Quirk.PIPELINED_MIXED,
}


@pytest.mark.parametrize("quirk", TOLERATED)
def test_tolerated(quirk: Quirk) -> None:
    fault, fired = TOLERATED[quirk]
    seen = use({quirk})
    assert fired(seen)
    # Line ends are kept as the server sends them.
    assert seen.bodies == sent({quirk})
    assert seen.faults == {fault}
    assert use({quirk}, ServerProfile(seen.faults).leniency()).bodies == seen.bodies
    for leniency in (Leniency.none(), Leniency().refusing(fault)):
        with pytest.raises(RemoteProtocolError):
            use({quirk}, leniency)


@pytest.mark.parametrize("quirk", ACCEPTED)
def test_accepted(quirk: Quirk) -> None:
    assert not ACCEPTED[quirk](ORDINARY)
    seen = use({quirk}, Leniency.none())
    assert ACCEPTED[quirk](seen)
    assert seen.bodies == sent({quirk})
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


COMMANDS = (
    b"USER user\r\nPASS secret\r\nSTAT\r\nLIST 1\r\nUIDL 2\r\nLAST\r\nLIST\r\nRETR 2\r\nRETR 9\r\n"
)


def status_lines(quirk: Quirk | None) -> list[bytes]:
    return [line for line in lines_of(quirk, COMMANDS) if line.startswith((b"+OK", b"-ERR"))]


def test_spaces_at_the_end_of_every_status_line() -> None:
    ordinary, spaced = status_lines(None), status_lines(Quirk.TRAILING_SPACES)
    assert len(ordinary) == 11
    # The timestamp in the greeting is another one each time.
    assert spaced[1:] == [line + b"  " for line in ordinary[1:]]
    assert spaced[0].endswith(b">  ")
    with start({Quirk.TRAILING_SPACES}, Leniency.none()) as client:
        client.login("user", "secret", mechanisms=["APOP"])
        assert client.stat() == ORDINARY.stat
        assert (client.list(1), client.uidl(2)) == (ORDINARY.sizes[0], ORDINARY.ids[1])


def test_no_text_where_there_need_not_be_any() -> None:
    ordinary, bare = status_lines(None), status_lines(Quirk.BARE_STATUS)
    # What STAT, LIST and UIDL with a number, and LAST have to say is all there is to them.
    assert bare[3:7] == ordinary[3:7]
    assert {*bare[:3], *bare[7:]} == {b"+OK", b"-ERR"}


@pytest.mark.parametrize("quirk", [Quirk.REVERSED_LISTINGS, Quirk.HIDDEN_MECHANISMS])
def test_what_a_quirk_is_not_about_stays_as_it_is(quirk: Quirk) -> None:
    assert lines_of(quirk, b"LANG\r\n")[1:] == lines_of(None, b"LANG\r\n")[1:]


def test_failures_that_say_plus() -> None:
    assert use({Quirk.PLUS_ERR}, Leniency.none()).bodies == MESSAGES
    with logged_in(Quirk.PLUS_ERR) as client:
        with pytest.raises(RemoteProtocolError, match=r"\+ERR no such message"):
            client.retr(9)
        assert client.closed


def test_capa_that_closes_need_not_be_sent() -> None:
    with start({Quirk.CLOSES_ON_CAPA}, Leniency.none(), capabilities=False) as client:
        client.login("user", "secret", mechanisms=["USER"])
        assert client.stat().count == 2
        assert client.capabilities is None
        assert client.quit().confirmed


def test_another_order_at_each_connection() -> None:
    orders: list[list[str]] = []
    for _ in range(3):
        seen = use({Quirk.SHUFFLED_CAPABILITIES}, Leniency.none())
        assert sorted(names(seen)) == sorted(names(ORDINARY))
        with start({Quirk.SHUFFLED_CAPABILITIES}) as client:
            assert client.capa() == client.capabilities
        orders.append(names(seen))
    assert len({tuple(order) for order in orders}) == 3


def test_unique_ids_that_do_not_exist_are_not_advertised() -> None:
    with logged_in(Quirk.NO_UIDL) as client:
        assert client.capabilities is not None
        assert "UIDL" not in client.capabilities.lines
        with pytest.raises(CommandError):
            client.uidl(1)


def test_refused_stat_leaves_the_session_alive() -> None:
    with logged_in(Quirk.NO_STAT) as client:
        with pytest.raises(CommandError):
            client.stat()
        assert len(client.list()) == 2


def test_one_refused_message_leaves_the_others() -> None:
    with logged_in(Quirk.REFUSED_MESSAGE) as client:
        batch = client.retr_many([1, 2])
        with pytest.raises(CommandError):
            next(batch)
        assert [message.content for message in batch] == [MESSAGES[1]]


def test_an_empty_maildrop_that_is_not_listed() -> None:
    with logged_in(Quirk.NO_EMPTY_LISTINGS, []) as client:
        for ask in (client.list, client.uidl):
            with pytest.raises(CommandError):
                ask()
        assert list(client.messages()) == []
    with logged_in(Quirk.NO_EMPTY_LISTINGS) as client:
        assert len(client.list()) == len(client.uidl()) == 2


@pytest.mark.parametrize(
    "quirks",
    [
        {Quirk.IMAP_GREETING, Quirk.SMTP_GREETING},
        {Quirk.NO_CAPA, Quirk.CLOSES_ON_CAPA},
        {Quirk.HUGE_SIZES, Quirk.SMALL_SIZES},
        {Quirk.LOGIN_AUTH, Quirk.LOGIN_IN_USE},
        {Quirk.NO_UIDL, Quirk.LONG_UNIQUE_IDS},
        {Quirk.MISSING_UNIQUE_IDS, Quirk.DUPLICATE_UNIQUE_IDS},
        {Quirk.SOME_DOT_STUFFING, Quirk.NO_DOT_STUFFING},
    ],
)
def test_contradictions(quirks: set[Quirk]) -> None:
    shown = ", ".join(sorted(quirk.name for quirk in quirks))
    with pytest.raises(LocalProtocolError, match=shown):
        stream_with(quirks)


def test_unique_ids_can_be_wrong_in_several_ways() -> None:
    quirks = {
        Quirk.DUPLICATE_UNIQUE_IDS,
        Quirk.MALFORMED_UNIQUE_IDS,
        Quirk.LONG_UNIQUE_IDS,
        Quirk.NON_ASCII_UNIQUE_IDS,
    }
    seen = use(quirks)
    assert ids_of(seen) == [b"\xe9" + b"long-" * 20 + b"with space same"] * 2
    assert seen.faults == {Fault.DUPLICATE_UNIQUE_ID, Fault.MALFORMED_UNIQUE_ID}


def test_the_profile_of_a_long_session_is_complete() -> None:
    quirks = {Quirk.BARE_LF, Quirk.SPACED_LISTINGS}
    with start(quirks) as client:
        client.login("user", "secret", mechanisms=["USER"])
        for _ in range(1100):
            client.noop()
        assert len(client.deviations) < 1100
        client.list()
        profile = ServerProfile.of(client.deviations)
    assert profile.faults == {Fault.BARE_LF, Fault.LISTING_SPACING}
    # It is what another session needs.
    assert sizes_of(use(quirks, profile.leniency())) == sizes_of(ORDINARY)


def test_without_quirks_it_is_an_ordinary_server() -> None:
    assert ORDINARY.faults == frozenset()
    assert ORDINARY.bodies == MESSAGES
    assert isinstance(stream_with(()), MemoryStream)


def test_every_quirk_is_tested_and_documented() -> None:
    groups = [set(TOLERATED), set(ACCEPTED), set(FATAL), OTHERS, LOGIN_QUIRKS]
    assert set[Quirk]().union(*groups) == set(Quirk)
    assert sum(map(len, groups)) == len(Quirk)
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = {quirk.name: f"| `{quirk.name}` | {quirk.value} | {quirk.seen} | " for quirk in Quirk}
    assert [name for name, row in rows.items() if row not in text] == []
