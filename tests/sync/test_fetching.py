"""Sessions that fetch to the disk: what is kept when they end early."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pop3proto.errors import (
    CommandError,
    ConnectionLostError,
    LocalProtocolError,
    Pop3Error,
    RemoteProtocolError,
)
from pop3proto.sync import Fetching, FileFolder, Policy, Record, Standing, State
from pop3proto.testing import Turn, scripted
from pop3proto.transcript import EndOfStream, Entry
from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.blocking import Client
from tests.sync.test_delivery import stored, without_waiting

LOGIN: list[Turn | Entry] = [(b"USER user", b"+OK\r\n"), (b"PASS <redacted>", b"+OK\r\n")]
NOOP = (b"NOOP", b"+OK\r\n")
QUIT = (b"QUIT", b"+OK\r\n")
DELETE = Policy(delete_after=0)
Progress = Callable[[int, int | None], object]


def listed(*octets: int) -> list[Turn | Entry]:
    sizes = b"".join(b"%d %d\r\n" % row for row in enumerate(octets, 1))
    ids = b"".join(b"%d id%d\r\n" % (n, n) for n in range(1, len(octets) + 1))
    return [
        (b"STAT", b"+OK %d %d\r\n" % (len(octets), sum(octets))),
        (b"LIST", b"+OK\r\n" + sizes + b".\r\n"),
        (b"UIDL", b"+OK\r\n" + ids + b".\r\n"),
    ]


class Session:
    """Sessions of one account, each with a script."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: list[Record] = []
        self.fetching: Fetching

    def run(
        self,
        script: list[Turn | Entry],
        policy: Policy = Policy(),
        *,
        capabilities: bytes = b"UIDL\r\n",
        progress: Progress | None = None,
    ) -> Fetching:
        capa = (b"CAPA", b"+OK\r\n" + capabilities + b".\r\n")
        stream = scripted([capa, *LOGIN, capa, *script])
        options = ClientOptions(allow_plaintext_auth=True)
        with (
            State(self.folder / "state") as state,
            without_waiting(state).account("user") as account,
            Client.start(stream, security=Security.PLAINTEXT, options=options) as client,
        ):
            client.login("user", "secret")
            delivery = FileFolder(self.folder / "mail", account.tag)
            self.fetching = Fetching(client, delivery, account, policy, now=0.0, progress=progress)
            try:
                self.fetching.run()
            finally:
                self.records = account.records()
        return self.fetching

    @property
    def stored(self) -> Counter[bytes]:
        return stored("files", self.folder / "mail")

    @property
    def drafts(self) -> list[Path]:
        return [*self.folder.rglob("*drafts/*")]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path)


def test_small_and_large_messages(session: Session) -> None:
    large = b"0123456789abcd\r\n" * 70_000
    seen: list[tuple[int, int | None]] = []
    script = [
        *listed(len(large), 5),
        (b"RETR 2", b"+OK\r\ntwo\r\n.\r\n"),
        NOOP,
        (b"RETR 1", b"+OK\r\n" + large + b".\r\n"),
        NOOP,
        (b"DELE 1", b"+OK\r\n"),
        (b"DELE 2", b"-ERR no\r\n"),
        QUIT,
    ]
    fetching = session.run(script, DELETE, progress=lambda *done: seen.append(done))
    assert (fetching.new, fetching.there, fetching.deletions) == (2, 0, 1)
    assert [*fetching.refused] == [2]
    assert session.stored == Counter([large, b"two\r\n"])
    # The octets so far, and all that are expected.
    total = len(large) + 5
    assert seen[0] == (5, total)
    assert seen[-1] == (total, total)
    assert seen == sorted(set(seen))
    assert [r.standing for r in session.records] == [Standing.KNOWN, Standing.DELETED]


def test_messages_that_are_refused(session: Session) -> None:
    script = [
        *listed(2_000_000, 5, 5),
        (b"RETR 2", b"-ERR no\r\n"),
        (b"RETR 3", b"+OK\r\ntwo\r\n.\r\n"),
        # A refusal is a status line, too.
        (b"NOOP", b"-ERR not now\r\n"),
        (b"RETR 1", b"-ERR no\r\n"),
        NOOP,
        QUIT,
    ]
    fetching = session.run(script)
    assert [*fetching.refused] == [2, 1]
    assert session.stored == Counter([b"two\r\n"])
    assert session.drafts == []


def test_headers(session: Session) -> None:
    script = [
        *listed(2_000_000),
        (b"TOP 1 0", b"+OK\r\nSubject: one\r\n\r\n.\r\n"),
        NOOP,
        QUIT,
    ]
    session.run(script, Policy(headers_only=True, delete_after=0))
    assert session.stored == Counter([b"Subject: one\r\n\r\n"])
    again = [*listed(2_000_000), QUIT]
    assert session.run(again, Policy(headers_only=True)).there == 1


def test_nothing_was_done_before_the_first_answer(session: Session) -> None:
    with pytest.raises(Pop3Error):
        session.run([(b"STAT", b"-ERR no\r\n"), EndOfStream("client")])
    assert (session.fetching.new, session.fetching.there) == (0, 0)
    assert session.fetching.misfits == session.fetching.refused == {}


NO_UIDL: list[Turn | Entry] = [
    (b"STAT", b"+OK 1 5\r\n"),
    (b"LIST", b"+OK\r\n1 5\r\n.\r\n"),
]


@pytest.mark.parametrize(
    ("capabilities", "answer"),
    [(b"UIDL\r\n", b"-ERR no\r\n"), (b"RESP-CODES\r\n", b"-ERR [SYS/TEMP] no\r\n")],
)
def test_unique_ids_that_are_refused_for_now(
    session: Session, capabilities: bytes, answer: bytes
) -> None:
    script = [*NO_UIDL, (b"UIDL", answer), EndOfStream("client")]
    with pytest.raises(CommandError, match="no"):
        session.run(script, capabilities=capabilities)


def test_a_server_without_unique_ids(session: Session) -> None:
    script = [
        *NO_UIDL,
        (b"UIDL", b"-ERR unknown\r\n"),
        (b"RETR 1", b"+OK\r\none\r\n.\r\n"),
        NOOP,
    ]
    assert session.run([*script, QUIT], capabilities=b"").new == 1
    fetching = session.run([*script, (b"DELE 1", b"+OK\r\n"), QUIT], DELETE, capabilities=b"")
    assert (fetching.new, fetching.there, fetching.deletions) == (0, 1, 1)
    assert session.records == []
    assert session.stored == Counter([b"one\r\n"])


def test_an_empty_maildrop(session: Session) -> None:
    assert session.run([(b"STAT", b"+OK 0 0\r\n"), QUIT], DELETE).confirmed


TEXTS = {1: b"one\r\n", 2: b"two\r\n", 3: b"thr\r\n"}
# The line of one dot in the middle makes nonsense of what comes after it.
BROKEN = b"+OK\r\ntw\r\n.\r\no\r\n.\r\n"


def test_one_after_the_other_shows_what_is_whole(session: Session) -> None:
    script = [
        *listed(5, 5, 5),
        (b"RETR 1", b"+OK\r\none\r\n.\r\n"),
        (b"RETR 2", BROKEN),
        EndOfStream("client"),
    ]
    with pytest.raises(RemoteProtocolError):
        session.run(script, DELETE)
    assert session.stored == Counter([b"one\r\n"])
    assert session.drafts == []
    assert session.fetching.new == 1


@pytest.mark.parametrize("broken", [1, 2, 3])
def test_what_was_sent_ahead_shows_nothing(session: Session, broken: int) -> None:
    answers = {n: BROKEN if n == broken else b"+OK\r\n" + TEXTS[n] + b".\r\n" for n in TEXTS}
    script = [*listed(5, 5, 5), (b"RETR 1", b"")]
    if broken == 1:
        script.append((b"NOOP", answers[1]))
    else:
        # The first one is a group of its own.
        script += [(b"NOOP", answers[1] + b"+OK\r\n"), (b"RETR 2", b""), (b"RETR 3", b"")]
        script.append((b"NOOP", answers[2] + answers[3]))
    with pytest.raises(RemoteProtocolError):
        session.run(
            [*script, EndOfStream("client")], DELETE, capabilities=b"UIDL\r\nPIPELINING\r\n"
        )
    assert session.stored == Counter([] if broken == 1 else [TEXTS[1]])
    assert session.drafts == []
    assert len(session.records) == (0 if broken == 1 else 1)


def test_a_server_that_hangs_up_after_three_messages_in_each_session(tmp_path: Path) -> None:
    """It announces PIPELINING, so nothing of a group is kept if it does not end; yet all come."""
    texts = {n: b"%d..\r\n" % n for n in range(1, 12)}
    session = Session(tmp_path)
    left: list[int] = []
    for _ in range(5):
        there = session.stored
        new = [n for n in texts if texts[n] not in there]
        left.append(len(new))
        script = [*listed(*[5] * len(texts))]
        for number, group in enumerate((new[:1], new[1:3], new[3:7])):
            for n in group:
                answer = b"+OK\r\n" + texts[n] + b".\r\n"
                script.append((b"RETR %d" % n, answer if number < 2 else b""))
            if group:
                script.append(NOOP if number < 2 else EndOfStream("server"))
        if len(new) <= 3:
            session.run([*script, QUIT], capabilities=b"UIDL\r\nPIPELINING\r\n")
            break
        with pytest.raises(ConnectionLostError):
            session.run(script, capabilities=b"UIDL\r\nPIPELINING\r\n")
    assert left == [11, 8, 5, 2]
    assert session.stored == Counter(texts.values())


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    ("sizes", "kept"),
    [((5, 5, 5, 5), 3), ((5, 5, 6, 5), 2), ((5, 9, 5, 5), 1)],
    ids=["exact", "one is not", "the second is not"],
)
def test_a_connection_that_is_lost(
    session: Session, sizes: tuple[int, ...], kept: int, pipelining: bool
) -> None:
    """What came whole before that is stored, if its size shows that it is whole."""
    texts = {n: b"%d..\r\n" % n for n in range(1, 5)}
    answers = [b"+OK\r\n" + texts[n] + b".\r\n" for n in texts]
    retrieve = [b"RETR %d" % n for n in texts]
    script: list[Turn | Entry] = [*listed(*sizes)]
    if pipelining:
        # Three in a group; the third one ends, and the fourth has begun.
        script += [(retrieve[0], answers[0]), NOOP, (retrieve[1], b""), (retrieve[2], b"")]
        script.append((NOOP[0], answers[1] + answers[2]))
    else:
        script += [(retrieve[n], answers[n]) for n in range(3)]
        script.append((retrieve[3], b"+OK\r\n4"))
        # One after the other, the next status line shows it without a size.
        kept = max(kept, 2)
    with pytest.raises(ConnectionLostError):
        session.run(
            [*script, EndOfStream("server")],
            capabilities=b"UIDL\r\n" + b"PIPELINING\r\n" * pipelining,
        )
    assert session.stored == Counter(texts[n] for n in range(1, kept + 1))
    assert session.drafts == []
    assert len(session.records) == kept


def test_a_refusal_before_a_connection_is_lost(session: Session) -> None:
    script = [*listed(5, 5, 5), (b"RETR 1", b"+OK\r\n1..\r\n.\r\n"), NOOP, (b"RETR 2", b"")]
    script += [(b"RETR 3", b""), (b"NOOP", b"-ERR no\r\n+OK\r\n3..\r\n.\r\n")]
    with pytest.raises(ConnectionLostError):
        session.run([*script, EndOfStream("server")], capabilities=b"UIDL\r\nPIPELINING\r\n")
    assert session.stored == Counter([b"1..\r\n", b"3..\r\n"])
    assert [*session.fetching.refused] == [2]


def test_the_first_message_is_broken(session: Session) -> None:
    script = [*listed(5, 5, 5), (b"RETR 1", BROKEN), EndOfStream("client")]
    with pytest.raises(RemoteProtocolError):
        session.run(script, DELETE)
    assert session.stored == Counter()
    assert session.drafts == []


def test_a_disk_that_is_full_in_the_middle_of_a_message(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    write: Any = os.write

    def filling(descriptor: int, data: bytes) -> int:
        if b"two" in data:
            raise OSError(28, "No space left on device")
        written: int = write(descriptor, data)
        return written

    monkeypatch.setattr(os, "write", filling)
    script = [
        *listed(5, 5),
        (b"RETR 1", b"+OK\r\none\r\n.\r\n"),
        (b"RETR 2", b"+OK\r\ntwo\r\n.\r\n"),
        EndOfStream("client"),
    ]
    with pytest.raises(OSError, match="No space"):
        session.run(script, DELETE)
    assert session.stored == Counter()
    assert session.drafts == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"client": 5}, "client is a blocking client, not int"),
        ({"delivery": 5}, "delivery is a Delivery, such as a FileFolder, not int"),
        ({"account": 5}, "account is an Account, not int"),
        ({"policy": 5}, "policy is a Policy, not int"),
        ({"now": "5"}, "now is a time in seconds, not str"),
        ({"progress": 5}, "progress is a function, not int"),
    ],
)
def test_an_argument_of_another_type(tmp_path: Path, wrong: dict[str, Any], told: str) -> None:
    options = ClientOptions(capabilities=False)
    with (
        State(tmp_path / "state") as state,
        state.account("user") as account,
        Client.start(scripted([QUIT]), security=Security.PLAINTEXT, options=options) as client,
    ):
        right: dict[str, Any] = {
            "client": client,
            "delivery": FileFolder(tmp_path / "mail", account.tag),
            "account": account,
            "now": 0.0,
        }
        Fetching(**right)
        with pytest.raises(LocalProtocolError, match=f"^{told}$"):
            Fetching(**right | wrong)
