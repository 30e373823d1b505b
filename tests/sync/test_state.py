"""The state file."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from pop3proto.sync import AccountInUseError, Record, Remember, Standing, State, StateError

RECORD = Record(1, 5, b"\x00" * 32, b"\xff\x00id", None, 1.5, 2.5, Standing.STORING, draft="d")
ANOTHER = Record(2, 2**40, b"\x01" * 32, None, 7, 0.0, 0.0, Standing.DELETED, False, True)


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "state"
    with State(file) as state, state.account("a") as account:
        assert account.records() == []
        account.remember(Remember((ANOTHER, RECORD)))
        tag = account.tag
    with State(str(file)) as state:
        with state.account("a") as account:
            assert account.records() == [RECORD, ANOTHER]
            assert [type(each) for each in account.records()[1]] == [type(e) for e in ANOTHER]
            assert account.tag == tag
            changed = RECORD._replace(standing=Standing.KNOWN, draft="")
            account.remember(Remember((changed,), (2,)))
            assert account.records() == [changed]
        with state.account("b") as other:
            assert other.records() == []
            assert other.tag != tag
    if os.name == "posix":
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700


def test_a_step_happens_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    with State(tmp_path / "state") as state, state.account("a") as account:
        account.remember(Remember((RECORD,)))
        broken = ANOTHER._replace(octets=None)  # type: ignore[arg-type]
        with pytest.raises(StateError, match="NOT NULL"):
            account.remember(Remember((broken,), (1,)))
        assert account.records() == [RECORD]


def test_one_account_is_for_one_at_a_time(tmp_path: Path) -> None:
    with State(tmp_path / "state") as one, State(tmp_path / "state") as two:
        with one.account("a"), two.account("b"):
            with pytest.raises(AccountInUseError, match="fetching a") as caught, two.account("a"):
                raise AssertionError
            assert caught.value.transient
        with two.account("a"):
            pass


KILLED = """
import os, sys
from pop3proto.sync import State
state = State(sys.argv[1])
with state.account("a"):
    os._exit(3)
"""


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    file = tmp_path / "state"
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(file)],
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 3
    with State(file) as state, state.account("a"):
        pass


def test_many_at_once_make_one_file(tmp_path: Path) -> None:
    begun = threading.Barrier(4)
    errors: list[BaseException] = []

    def work(name: str) -> None:
        try:
            begun.wait()
            with State(tmp_path / "state") as state, state.account(name) as account:
                for key in range(2):
                    account.remember(Remember((RECORD._replace(key=key),)))
        except BaseException as error:  # noqa: BLE001 - raised in the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(f"user {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with State(tmp_path / "state") as state:
        for n in range(4):
            with state.account(f"user {n}") as account:
                assert len(account.records()) == 2


@pytest.mark.parametrize(
    "octets", [b"\xff\xfe\x00", b"no database, but a text of some length" * 20]
)
def test_a_file_that_is_no_database(tmp_path: Path, octets: bytes) -> None:
    file = tmp_path / "sta\x1bte"
    file.write_bytes(octets)
    with pytest.raises(StateError, match=r"sta\\x1bte cannot be used"):
        State(file)
    assert file.read_bytes() == octets


def test_the_database_of_another_program(tmp_path: Path) -> None:
    file = tmp_path / "state"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE accounts (x)")
    database.close()
    before = file.read_bytes()
    with pytest.raises(StateError, match="another program"):
        State(file)
    assert file.read_bytes() == before


def test_a_newer_version(tmp_path: Path) -> None:
    file = tmp_path / "state"
    State(file).close()
    database = sqlite3.connect(file)
    database.execute("PRAGMA user_version = 1000")
    database.close()
    with pytest.raises(StateError, match="newer version"):
        State(file)


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        State(tmp_path / "file" / "state")
    (tmp_path / "state").mkdir()
    with pytest.raises(OSError, match="state"):
        State(tmp_path / "state")


def test_a_damaged_record(tmp_path: Path) -> None:
    with State(tmp_path / "state") as state, state.account("user") as account:
        account.remember(Remember((Record(1, 2, b"", None, None, 0.0, 0.0),)))
        state._database.execute("UPDATE records SET standing = 'other'")
        with pytest.raises(StateError, match="state cannot be used"):
            account.records()


def test_an_error_that_is_not_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What the module sqlite3 does if the damage is in the name of a table.
    monkeypatch.setattr(State, "_migrate", lambda state: b"\xff".decode())
    with pytest.raises(StateError, match="state cannot be used"):
        State(tmp_path / "state")


def test_names_that_are_not_unicode(tmp_path: Path) -> None:
    """They come from the names of files."""
    tags = set()
    with State(tmp_path / "state") as state:
        for name in ("mail\udcff", "mail\udcfe", "mail\xff", "mail\udcff"):
            with state.account(name) as account:
                tags.add(account.tag)
    assert len(tags) == 3


@pytest.mark.skipif(os.name != "posix", reason="the locks are those of POSIX")
def test_opening_the_file_again_ends_no_lock_on_it(tmp_path: Path) -> None:
    path = tmp_path / "state"
    code = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
    with State(path) as state:
        state._database.execute("BEGIN IMMEDIATE")
        with suppress(StateError), pytest.MonkeyPatch.context() as patch:
            patch.setattr("pop3proto.sync.state._PATIENCE", 0.0)
            State(path)
        other = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, check=False
        )
        assert b"database is locked" in other.stderr


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    file = tmp_path / "state"
    with State(file) as state, state.account("a") as account:
        state._database.execute("PRAGMA max_page_count = 5")
        long = RECORD._replace(draft="x" * 100_000)
        with pytest.raises(StateError, match="full"):
            account.remember(Remember((long,)))
        account.remember(Remember((RECORD,)))
        assert account.records() == [RECORD]


def test_commits_reach_the_disk(tmp_path: Path) -> None:
    with State(tmp_path / "state") as state:
        # EXTRA: also the removal of the journal, without which a transaction could be undone.
        assert state._database.execute("PRAGMA synchronous").fetchone() == (3,)


def test_a_lock_that_cannot_be_used(tmp_path: Path) -> None:
    with State(tmp_path / "state") as state:
        with state.account("a"):
            pass
        (tmp_path / "state-locks" / "1").write_bytes(b"no database, but a text" * 50)
        with pytest.raises(StateError, match="not a database"), state.account("a"):
            raise AssertionError


def test_a_file_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with State("state") as state, state.account("a"):
        assert (tmp_path / "state").exists()
