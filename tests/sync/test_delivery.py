"""The places for messages: what is in them, wherever a run stops."""

from __future__ import annotations

import mailbox
import os
import re
import sys
import time
from collections import Counter
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.sync import (
    Account,
    Delivery,
    Fetching,
    FileFolder,
    Maildir,
    Mbox,
    MboxInUseError,
    Policy,
    Record,
    Standing,
    State,
)
from pop3proto.testing import memory_stream
from pop3proto.transports import ClientOptions, Security
from pop3proto.transports.blocking import Client
from tests.sync.faults import PowerCutError, counted

CONTENTS = [
    b"Subject: one\r\n\r\nFrom here to there.\r\n>From here\r\n",
    b"Subject: two\r\n\r\nFrom: nobody\r\n.\r\n",
    b"Subject: three\r\n\r\nNo line end, and \r alone",
    b"\r\n",
    b"Subject: five\r\n\r\n" + b"x" * 70 + b"\r\n",
    b"Subject: six\r\n\r\n" + b"y" * 80 + b"\r\n",
]
PLACES: dict[str, type[FileFolder | Maildir | Mbox]] = {
    "files": FileFolder,
    "maildir": Maildir,
    "mbox": Mbox,
}


def wire(content: bytes) -> bytes:
    return content if content.endswith(b"\r\n") else content + b"\r\n"


def stored(kind: str, place: Path) -> Counter[bytes]:
    """The messages that another program finds there, as they came."""
    if kind == "files":
        return Counter(path.read_bytes() for path in place.glob("*.eml"))
    if kind == "maildir":
        paths = [*place.glob("new/*"), *place.glob("cur/*")]
        return Counter(path.read_bytes().replace(b"\n", b"\r\n") for path in paths)
    box = mailbox.mbox(place, create=False)
    found: Counter[bytes] = Counter()
    for key in box.keys():  # noqa: SIM118 - no dict: without keys() it yields messages
        text = re.sub(rb"(?m)^>(>*From )", rb"\1", box.get_bytes(key))
        found[text.replace(b"\n", b"\r\n")] += 1
    box.close()
    return found


EXPECTED = Counter(map(wire, CONTENTS))


def without_waiting(state: State) -> State:
    """A state file that is not brought to the disk; its tests are elsewhere."""
    state._database.execute("PRAGMA synchronous = OFF")
    return state


class Place:
    """A maildrop, and a place that its messages are fetched to."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self.folder.mkdir(parents=True)
        self.place = folder / "mail"
        self.maildrops = MemoryMaildrops({"user": CONTENTS})

    def run(self, policy: Policy = Policy(delete_after=0)) -> Fetching:
        stream = memory_stream(
            self.maildrops, password="secret", options=ServerOptions(allow_plaintext_auth=True)
        )
        options = ClientOptions(allow_plaintext_auth=True)
        with (
            State(self.folder / "state") as state,
            without_waiting(state).account("user") as account,
            Client.start(stream, security=Security.PLAINTEXT, options=options) as client,
        ):
            client.login("user", "secret")
            delivery = PLACES[self.kind](self.place, account.tag)
            fetching = Fetching(client, delivery, account, policy, now=1000.0)
            fetching.run()
            return fetching

    @property
    def stored(self) -> Counter[bytes]:
        return stored(self.kind, self.place)

    def leftovers(self) -> list[Path]:
        hidden = [p for p in self.folder.rglob("*drafts*/*") if not p.name.startswith("length")]
        return [*hidden, *self.folder.glob("mail/tmp/*"), *self.folder.glob("mail.lock")]


@pytest.fixture(params=PLACES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_what_is_stored(kind: str, tmp_path: Path) -> None:
    place = Place(kind, tmp_path / "a")
    fetching = place.run()
    assert (fetching.new, fetching.there, fetching.deletions) == (6, 0, 6)
    assert fetching.confirmed
    assert place.stored == EXPECTED
    assert place.maildrops.contents("user") == []
    assert place.leftovers() == []
    if os.name == "posix":
        files = [p for p in place.folder.rglob("*") if p.is_file() and "-locks" not in str(p)]
        assert {p.stat().st_mode & 0o777 for p in files} == {0o600}


def test_a_power_cut_before_every_step(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the last step was, the next run makes it good."""
    monkeypatch.setattr("pop3proto.sync.mbox._PAUSE", 0.0)
    with counted(monkeypatch) as steps:
        Place(kind, tmp_path / "all").run()
        total = len(steps.made)
    assert total > 30
    for last in range(total):
        place = Place(kind, tmp_path / str(last))
        with counted(monkeypatch) as steps:
            steps.last = last
            with suppress(PowerCutError):
                place.run()
        # Nothing is lost at this moment...
        there = Counter(map(wire, place.maildrops.contents("user")))
        if there:
            assert there == EXPECTED, last
        else:
            assert place.stored == EXPECTED, last
        # ... and afterwards everything is there once.
        if (lock := place.folder / "mail.lock").exists():
            os.utime(lock, (0, 0))
        place.run()
        assert place.stored == EXPECTED, last
        assert place.maildrops.contents("user") == [], last
        assert place.leftovers() == [], last


def test_messages_that_were_moved_away(kind: str, tmp_path: Path) -> None:
    """The records are apart from the messages."""
    place = Place(kind, tmp_path / "a")
    place.run(Policy())
    if kind == "mbox":
        place.place.unlink()
    else:
        for path in [*place.folder.rglob("mail/*.eml"), *place.folder.rglob("mail/new/*")]:
            path.unlink()
    fetching = place.run(Policy())
    assert (fetching.new, fetching.there) == (0, 6)
    place.maildrops.add("user", b"one more\r\n")
    assert place.run(Policy()).new == 1
    assert place.stored.total() == 1


def test_what_is_on_the_disk_before_the_first_dele(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every message, then its name, then the record of it."""
    place = Place(kind, tmp_path / "a")
    with counted(monkeypatch) as steps:
        delivered = PLACES[kind](place.place, "tag")
        delivered.begin(set())
        draft = delivered.draft()
        draft.write(b"text\r\n")
        draft.finish()
        delivered.written(draft)
        delivered.settle()
        record = Record(1, 6, sha256(b"text\r\n").digest(), b"a", 6, 0.0, 0.0, draft=draft.name)
        delivered.store([record])
        delivered.close()
    calls = [(name, Path(str(what)).name) for name, what in steps.made]
    name = draft.name.partition(":")[0]
    moved = calls.index(("link" if kind == "files" else "rename", name)) if kind != "mbox" else 0
    folder = {"files": "mail", "maildir": "new", "mbox": "mail"}[kind]
    assert ("fsync", name) in calls
    if kind != "mbox":
        assert calls.index(("write", name)) < calls.index(("fsync", name)) < moved
        assert ("fsync", folder) in calls[moved:]
    else:
        appended = calls.index(("write", "mail"))
        assert calls.index(("fsync", name)) < appended
        assert ("fsync", "mail") in calls[appended:]
        assert ("fsync", "a") in calls[appended:]


def test_line_ends_that_are_cut_in_two(kind: str, tmp_path: Path) -> None:
    delivery = PLACES[kind](tmp_path / "mail", "tag")
    delivery.begin(set())
    draft = delivery.draft()
    for piece in (b"a\r", b"\nb\r", b"\r", b"\nc\r\n", b"", b"d\r"):
        draft.write(piece)
    draft.finish()
    delivery.written(draft)
    delivery.settle()
    delivery.close()
    (path,) = (p for p in tmp_path.rglob("*tag*"))
    octets = b"a\r\nb\r\r\nc\r\nd\r"
    assert path.read_bytes() == (octets if kind == "files" else octets.replace(b"\r\n", b"\n"))


def test_many_messages_at_once(kind: str, tmp_path: Path) -> None:
    delivery = PLACES[kind](tmp_path / "mail", "tag")
    delivery.begin(set())
    records = []
    for number in range(400):
        draft = delivery.draft()
        draft.write(b"%d\r\n" % number)
        draft.finish()
        delivery.written(draft)
        digest = sha256(b"%d\r\n" % number).digest()
        records.append(Record(number, 3, digest, None, None, 0.0, 0.0, draft=draft.name))
    delivery.settle()
    delivery.store(records)
    # Once more, as after a power cut: nothing happens.
    delivery.store(records)
    delivery.close()
    delivery.close()
    assert stored(kind, tmp_path / "mail").total() == 400


def test_drafts_that_nobody_finished(kind: str, tmp_path: Path) -> None:
    delivery = PLACES[kind](tmp_path / "mail", "tag")
    delivery.begin(set())
    names = []
    for _ in range(3):
        draft = delivery.draft()
        delivery.written(draft)
        delivery.settle()
        names.append(draft.name)
    delivery.drop(delivery.draft())
    delivery.written(delivery.draft())
    delivery.close()
    other = PLACES[kind](tmp_path / "mail", "other")
    other.begin(set())
    other.written(other.draft())
    other.close()
    # Each account removes its own.
    delivery.begin({names[1]})
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert names[1].partition(":")[0] in left
    assert len(left) == 2


class StoppedError(Exception):
    """The process ends when the messages are about to be stored, or just have been."""


@pytest.mark.parametrize("stored_first", [False, True])
def test_drafts_that_have_gone_before_the_next_run(
    kind: str, stored_first: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is not mounted, or something has cleaned up: what was a draft is fetched again."""
    place = Place(kind, tmp_path / "a")
    real = PLACES[kind].store

    def stops(delivery: Any, records: Any) -> None:
        if stored_first:
            real(delivery, records)
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(PLACES[kind], "store", stops)
        with pytest.raises(StoppedError):
            place.run()
    if not stored_first:
        for path in place.leftovers():
            path.unlink()
    elif kind == "maildir":
        # Somebody has read it, which does not make it another message.
        first = next((place.place / "new").iterdir())
        first.rename(place.place / "cur" / f"{first.name}:2,S")
    fetching = place.run()
    # It was in the first group, which has one message.
    assert fetching.there == (1 if stored_first else 0)
    assert place.stored == EXPECTED
    assert place.maildrops.contents("user") == []


def test_drafts_that_go_while_it_runs(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(kind, tmp_path / "a")
    real = PLACES[kind].store

    def cleaned(delivery: Any, records: Any) -> list[Record]:
        for path in place.leftovers():
            path.unlink()
        return real(delivery, records)

    with monkeypatch.context() as patch:
        patch.setattr(PLACES[kind], "store", cleaned)
        with pytest.raises(FileNotFoundError, match="draft"):
            place.run()
    assert len(place.maildrops.contents("user")) == 6
    place.run()
    assert place.stored == EXPECTED


def test_a_folder_that_has_gone(kind: str, tmp_path: Path) -> None:
    if kind == "mbox":
        pytest.skip("a file that has gone is made again")
    delivery = PLACES[kind](tmp_path / "mail", "tag")
    with pytest.raises(FileNotFoundError):
        delivery.store([Record(1, 1, b"", b"a", 1, 0.0, 0.0, Standing.STORING, draft="x")])


@pytest.mark.skipif(os.name != "posix", reason="needs links")
@pytest.mark.parametrize("what", ["link", "file"])
def test_a_link_in_place_of_the_drafts(kind: str, what: str, tmp_path: Path) -> None:
    """It would lead messages to where somebody else can read them."""
    place = Place(kind, tmp_path / "a")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    drafts = {"files": "mail/.pop3proto-drafts", "maildir": "mail/tmp"}
    path = place.folder / drafts.get(kind, ".mail.pop3proto-drafts")
    path.parent.mkdir(exist_ok=True)
    if what == "link":
        path.symlink_to(elsewhere)
    else:
        path.touch()
    with pytest.raises(NotADirectoryError, match=re.escape(path.name)):
        place.run()
    assert not [*elsewhere.iterdir()]
    assert len(place.maildrops.contents("user")) == 6


@pytest.mark.parametrize("above", [False, True])
def test_a_file_in_place_of_a_folder(kind: str, above: bool, tmp_path: Path) -> None:
    place = Place(kind, tmp_path / "a")
    if above:
        place.place.touch()
        place.place /= "mail"
    elif kind == "mbox":
        pytest.skip("it is a file")
    else:
        place.place.touch()
    with pytest.raises(NotADirectoryError, match="mail"):
        place.run()


class TestMbox:
    @pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
    def test_a_file_without_a_blank_line_at_its_end(self, end: bytes, tmp_path: Path) -> None:
        place = Place("mbox", tmp_path / "a")
        old = b"From a@example.org Thu Jan  1 00:00:00 1970\nSubject: old\n\ntext"
        place.place.write_bytes(old + end)
        place.run()
        assert place.place.read_bytes().startswith(old + b"\n\nFrom MAILER-DAEMON ")
        assert place.stored.total() == 7

    @pytest.mark.skipif(os.name != "posix", reason="needs a file that keeps nothing")
    def test_a_file_that_keeps_nothing(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "mail")
        with pytest.raises(OSError, match="mail"):
            self.deliver(Mbox(tmp_path / "mail", "tag"))

    @pytest.mark.skipif(os.name != "posix", reason="needs links")
    def test_a_link_is_locked_where_it_leads(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("mail")
        self.deliver(Mbox(tmp_path / "link", "tag"))
        assert (tmp_path / ".mail.pop3proto-drafts").is_dir()
        assert not (tmp_path / ".link.pop3proto-drafts").exists()

    def test_a_note_of_the_length_that_is_damaged(self, tmp_path: Path) -> None:
        mbox = Mbox(tmp_path / "mail", "tag")
        mbox.begin(set())
        (tmp_path / ".mail.pop3proto-drafts" / "length-tag").write_bytes(b"\xff")
        assert mbox.store([self.RECORD._replace(draft="x:0-1")])

    def test_nothing_to_store(self, tmp_path: Path) -> None:
        mbox = Mbox(tmp_path / "mail", "tag")
        mbox.begin(set())
        assert mbox.store([]) == []
        assert not (tmp_path / "mail").exists()

    RECORD = Record(1, 6, sha256(b"text\r\n").digest(), b"a", 6, 0.0, 0.0, draft="")

    def deliver(self, mbox: Mbox) -> None:
        mbox.begin(set())
        draft = mbox.draft()
        draft.write(b"text\r\n")
        draft.finish()
        mbox.written(draft)
        mbox.settle()
        mbox.store([self.RECORD._replace(draft=draft.name)])

    def test_a_lock_that_is_held(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "mail.lock").touch()
        monkeypatch.setattr("pop3proto.sync.mbox._PATIENCE", 0.0)
        monkeypatch.setattr("pop3proto.sync.mbox._PAUSE", 0.0)
        with pytest.raises(MboxInUseError, match=r"mail\.lock") as caught:
            self.deliver(Mbox(tmp_path / "mail", "tag"))
        assert caught.value.transient
        assert (tmp_path / "mail.lock").exists()

    def test_a_lock_that_was_left(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "mail.lock").touch()
        os.utime(tmp_path / "mail.lock", (0, 0))
        monkeypatch.setattr("pop3proto.sync.mbox._PAUSE", 0.0)
        self.deliver(Mbox(tmp_path / "mail", "tag"))
        assert not (tmp_path / "mail.lock").exists()
        assert (tmp_path / "mail").read_bytes() == (
            b"From MAILER-DAEMON Thu Jan  1 00:00:00 1970\ntext\n\n"
        )

    @pytest.mark.skipif(os.name != "posix", reason="needs fcntl")
    def test_a_lock_of_the_system(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import fcntl

        tries = 0

        def lockf(descriptor: int, how: int) -> None:
            nonlocal tries
            tries += 1
            raise BlockingIOError

        monkeypatch.setattr(fcntl, "lockf", lockf)
        monkeypatch.setattr("pop3proto.sync.mbox._PAUSE", 0.0)
        times = iter([0.0, 0.0, 0.0, 1000.0])
        monkeypatch.setattr(time, "monotonic", lambda: next(times, 1000.0))
        with pytest.raises(MboxInUseError, match="is locked"):
            self.deliver(Mbox(tmp_path / "mail", "tag"))
        assert tries > 1

    def test_a_system_without_such_locks(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "fcntl", None)
        self.deliver(Mbox(tmp_path / "mail", "tag"))
        assert stored("mbox", tmp_path / "mail").total() == 1

    def test_another_program_adds_a_message_after_a_power_cut(self, tmp_path: Path) -> None:
        mbox = Mbox(tmp_path / "mail", "tag")
        mbox.begin(set())
        draft = mbox.draft()
        draft.write(b"text\r\n")
        draft.finish()
        mbox.written(draft)
        mbox.settle()
        record = self.RECORD._replace(draft=draft.name)
        mbox._remember(0, record)
        (tmp_path / "mail").write_bytes(b"From MAILER-DAEMON Thu JaFrom other\n\nx\n\n")
        mbox.store([record])
        # It cannot be told what belongs to whom, so the message is added.
        assert (
            (tmp_path / "mail")
            .read_bytes()
            .endswith(b"x\n\n" + b"From MAILER-DAEMON Thu Jan  1 00:00:00 1970\ntext\n\n")
        )

    def test_what_was_added_is_on_the_disk_before_drafts_are_removed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mbox = Mbox(tmp_path / "mail", "tag")
        mbox.begin(set())
        draft = mbox.draft()
        draft.write(b"text\r\n")
        draft.finish()
        mbox.written(draft)
        mbox.settle()
        record = self.RECORD._replace(draft=draft.name)
        mbox._remember(0, record)
        # A run that was killed has added everything, perhaps only to the memory of the system.
        (tmp_path / "mail").write_bytes(b"From MAILER-DAEMON Thu Jan  1 00:00:00 1970\ntext\n\n")
        with counted(monkeypatch) as steps:
            mbox.store([record])
        calls = [(name, Path(str(what)).name) for name, what in steps.made]
        file = draft.name.partition(":")[0]
        assert calls.index(("fsync", "mail")) < calls.index(("unlink", file))
        assert ("write", "mail") not in calls

    def test_the_length_that_another_group_left(self, tmp_path: Path) -> None:
        mbox = Mbox(tmp_path / "mail", "tag")
        self.deliver(mbox)
        mbox._remember(0, self.RECORD._replace(draft="before"))
        self.deliver(mbox)
        assert stored("mbox", tmp_path / "mail").total() == 2


def test_a_delivery_of_ones_own_has_to_store(tmp_path: Path) -> None:
    with pytest.raises(NotImplementedError):
        Delivery(str(tmp_path), "tag").store([])


def test_an_account_has_a_tag(tmp_path: Path) -> None:
    with State(tmp_path / "state") as state, state.account("a") as account:
        assert isinstance(account, Account)
        assert account.tag.isalnum()
