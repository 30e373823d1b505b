"""``pop3proto fetch`` with servers, folders and ends of runs that have cost people mail."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from pop3proto import PopUrl
from pop3proto.cli.fetch import maildrop_name
from pop3proto.cli.inputs import PASSWORD_VARIABLE
from pop3proto.cli.main import main
from pop3proto.errors import LocalProtocolError
from pop3proto.server import MemoryMaildrops, ServerOptions
from pop3proto.sync import AccountInUseError, Fetching, State
from pop3proto.sync.folder import claim, file_name
from pop3proto.testing import LoopbackServer, Quirk, Turn, serve, serve_script
from pop3proto.transcript import EndOfStream, Entry

FIRST = b"Subject: first\r\n\r\nOne.\r\n"
OTHER = b"Subject: other\r\n\r\nTwo.\r\n"
OWNER = ".pop3proto-maildrop"
PLAIN = ["--no-tls", "--allow-plaintext-auth"]


class Mailbox:
    """A server with one maildrop, and a folder that its messages go to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.maildrops = MemoryMaildrops({"user": []})
        self.port = 0

    @contextmanager
    def served(self, *quirks: Quirk) -> Iterator[LoopbackServer]:
        options = ServerOptions(allow_plaintext_auth=True)
        with serve(
            self.maildrops,
            password="secret",
            security="plaintext",
            options=options,
            quirks=quirks,
            port=self.port,
        ) as server:
            # A maildrop is a host and a port.
            self.port = server.port
            yield server

    def fetch(self, *arguments: str, quirks: Iterable[Quirk] = ()) -> int:
        with self.served(*quirks) as server:
            return main(["fetch", server.url, str(self.folder), *PLAIN, *arguments])

    def add(self, content: bytes, unique_id: bytes | None = None) -> None:
        self.maildrops.add("user", content, unique_id=unique_id)

    def empty(self) -> None:
        self.maildrops = MemoryMaildrops({"user": []})

    @property
    def left(self) -> list[bytes]:
        return self.maildrops.contents("user")

    @property
    def files(self) -> Counter[bytes]:
        return stored(self.folder)


def stored(folder: Path) -> Counter[bytes]:
    paths = [path for path in folder.iterdir() if path.name != OWNER and path.is_file()]
    return Counter(path.read_bytes() for path in paths)


@pytest.fixture
def mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    return Mailbox(tmp_path / "mail")


# Unique-ids that are used again.


def test_an_id_that_is_used_again_after_a_deletion(
    mailbox: Mailbox, capsys: pytest.CaptureFixture[str]
) -> None:
    mailbox.add(FIRST, b"1")
    assert mailbox.fetch("--delete") == 0
    mailbox.add(OTHER, b"1")
    assert mailbox.fetch("--delete") == 0
    assert mailbox.files == Counter([FIRST, OTHER])
    assert mailbox.left == []
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "1 fetched, 0 were already there",
        "1 deleted",
    ]


def test_an_id_that_is_used_again_after_the_maildrop_was_empty(mailbox: Mailbox) -> None:
    mailbox.add(FIRST, b"1")
    assert mailbox.fetch() == 0
    mailbox.empty()
    assert mailbox.fetch() == 0
    mailbox.add(OTHER, b"1")
    assert mailbox.fetch() == 0
    assert mailbox.files == Counter([FIRST, OTHER])


def test_an_id_that_is_used_again_between_two_runs(mailbox: Mailbox) -> None:
    mailbox.add(FIRST, b"abc")
    assert mailbox.fetch() == 0
    mailbox.empty()
    mailbox.add(FIRST + b"and more\r\n", b"abc")
    assert mailbox.fetch("--delete") == 0
    assert mailbox.files == Counter([FIRST, FIRST + b"and more\r\n"])
    assert mailbox.left == []


def test_an_id_that_is_used_again_after_a_quit_without_an_answer(mailbox: Mailbox) -> None:
    mailbox.add(FIRST, b"abc")
    assert mailbox.fetch("--delete", quirks=[Quirk.CLOSES_ON_QUIT]) == 75
    # The server has deleted the message, and another one, of the same size, gets its name.
    mailbox.empty()
    mailbox.add(FIRST.replace(b"One", b"Two"), b"abc")
    assert mailbox.fetch("--delete") == 0
    assert mailbox.files == Counter([FIRST, FIRST.replace(b"One", b"Two")])


def test_a_message_that_is_there_again_after_a_confirmed_deletion(mailbox: Mailbox) -> None:
    mailbox.add(FIRST, b"abc")
    assert mailbox.fetch("--delete") == 0
    mailbox.add(FIRST, b"abc")
    assert mailbox.fetch("--delete") == 0
    assert mailbox.files == Counter([FIRST])


# What came over a connection that broke.


def test_answers_that_are_mixed(mailbox: Mailbox) -> None:
    contents = [b"Subject: %d\r\n\r\n%s" % (n, b"line %d\r\n" % n * n) for n in range(1, 6)]
    for content in contents:
        mailbox.add(content)
    # A mixed answer may have no end.
    mixed = mailbox.fetch("--delete", "--timeout", "0.5", quirks=[Quirk.PIPELINED_MIXED])
    assert mixed == 75
    assert mailbox.left == contents
    assert mailbox.files == Counter()
    assert mailbox.fetch("--delete", "--no-pipelining", quirks=[Quirk.PIPELINED_MIXED]) == 0
    assert mailbox.left == []
    assert mailbox.files == Counter(contents)


GREETING: list[Turn | Entry] = [
    (b"CAPA", b"+OK\r\nUSER\r\nUIDL\r\n.\r\n"),
    (b"USER user", b"+OK\r\n"),
    (b"PASS <redacted>", b"+OK\r\n"),
]
NOOP = (b"NOOP", b"+OK\r\n")


def told(
    script: list[Turn | Entry], folder: Path, *arguments: str, capabilities: bytes = b""
) -> int:
    capa = (b"CAPA", b"+OK\r\n" + capabilities + b".\r\n")
    with serve_script([*GREETING, capa, *script]) as server:
        return main(
            ["fetch", f"pop://user@127.0.0.1:{server.port}", str(folder), *PLAIN, *arguments]
        )


def listed(*octets: int, ids: bytes = b"abcdef") -> list[Turn | Entry]:
    rows = b"".join(b"%d %d\r\n" % row for row in enumerate(octets, 1))
    unique_ids = b"".join(
        b"%d %c\r\n" % row for row in zip(range(1, len(octets) + 1), ids, strict=False)
    )
    return [
        (b"STAT", b"+OK %d %d\r\n" % (len(octets), sum(octets))),
        (b"LIST", b"+OK\r\n" + rows + b".\r\n"),
        (b"UIDL", b"+OK\r\n" + unique_ids + b".\r\n"),
    ]


def test_a_message_whose_end_is_in_doubt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    # A line of one dot in message 2: the rest of it comes in place of a status line.
    script = [
        *listed(5, 20, 7),
        (b"RETR 1", b"+OK\r\none\r\n.\r\n"),
        (b"RETR 2", b"+OK\r\nhalf\r\n.\r\nof it\r\n.\r\n"),
    ]
    assert told([*script, EndOfStream("server")], tmp_path / "mail", "--delete") == 1
    # The status line of message 2 has shown that message 1 is whole.
    assert stored(tmp_path / "mail") == Counter([b"one\r\n"])


def test_a_message_whose_end_is_in_doubt_among_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    script = [
        *listed(5, 5, 20, 7),
        # The first one is a group of its own.
        (b"RETR 1", b"+OK\r\none\r\n.\r\n"),
        NOOP,
        (b"RETR 2", b""),
        (b"RETR 3", b""),
        (b"NOOP", b"+OK\r\ntwo\r\n.\r\n+OK\r\nhalf\r\n.\r\nof it\r\n.\r\n"),
        EndOfStream("client"),
    ]
    folder = tmp_path / "mail"
    assert told(script, folder, "--delete", capabilities=b"PIPELINING\r\n") == 1
    assert stored(folder) == Counter([b"one\r\n"])


def test_the_last_message_whose_end_is_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    for octets in (20, 2_000_000):
        script = [
            *listed(octets),
            (b"RETR 1", b"+OK\r\nhalf\r\n.\r\n"),
            (b"NOOP", b"of it\r\n.\r\n"),
            EndOfStream("server"),
        ]
        assert told(script, tmp_path / str(octets), "--delete") == 1
        assert stored(tmp_path / str(octets)) == Counter()


# Sizes.


@pytest.mark.parametrize("listed_octets", [5000, 500, 1024])
def test_a_message_of_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    listed_octets: int,
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    script = [
        *listed(listed_octets, 5),
        (b"RETR 1", b"+OK\r\n.\r\n"),
        (b"RETR 2", b"+OK\r\ntwo\r\n.\r\n"),
        NOOP,
        (b"DELE 2", b"+OK\r\n"),
        (b"QUIT", b"+OK\r\n"),
    ]
    assert told(script, tmp_path / "mail", "--delete") == 1
    assert capsys.readouterr().out.splitlines() == [
        f"message 1: not deleted, because the server lists {listed_octets} octets, and 0 came",
        "2 fetched, 0 were already there",
        "1 deleted",
    ]


@pytest.mark.parametrize(
    ("quirk", "code"),
    [
        (Quirk.ROUNDED_SIZES, 0),
        (Quirk.WORDY_SIZES, 0),
        (Quirk.NEGATIVE_SIZES, 0),
        (Quirk.SMALL_SIZES, 1),
    ],
)
def test_sizes_that_servers_list(mailbox: Mailbox, quirk: Quirk, code: int) -> None:
    contents = [b"Subject: %d\r\n\r\n%s\r\n" % (n, b"x" * 300) for n in range(3)]
    for content in contents:
        mailbox.add(content)
    assert mailbox.fetch("--delete", quirks=[quirk]) == code
    assert mailbox.files == Counter(contents)
    assert mailbox.left == (contents if code else [])
    if code:
        assert mailbox.fetch("--delete", "--ignore-sizes", quirks=[quirk]) == 0
        assert mailbox.left == []
        assert mailbox.files == Counter(contents)


def test_utf8_where_it_is_offered(mailbox: Mailbox) -> None:
    content = "Subject: Grüße\r\n\r\nText.\r\n".encode()
    mailbox.add(content)
    assert mailbox.fetch("--delete", quirks=[Quirk.NEEDS_UTF8]) == 0
    assert mailbox.files == Counter([content])


# Names, folders and records.


@pytest.mark.parametrize("content", [b"", OTHER, FIRST.replace(b"One", b"Two"), None])
def test_a_file_that_is_not_the_message(mailbox: Mailbox, content: bytes | None) -> None:
    mailbox.add(FIRST, b"abc")
    mailbox.folder.mkdir()
    path = mailbox.folder / "uid-abc.eml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    assert mailbox.fetch("--delete") == 0
    assert mailbox.files == Counter([FIRST, *([] if content is None else [content])])
    assert mailbox.left == []


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
def test_a_link_in_place_of_the_file(mailbox: Mailbox, tmp_path: Path) -> None:
    mailbox.add(FIRST, b"abc")
    mailbox.folder.mkdir()
    (tmp_path / "elsewhere").write_bytes(FIRST)
    (mailbox.folder / "uid-abc.eml").symlink_to(tmp_path / "elsewhere")
    assert mailbox.fetch() == 0
    assert len([path for path in mailbox.folder.glob("*.eml") if not path.is_symlink()]) == 1


def test_different_ids_never_share_a_name(mailbox: Mailbox) -> None:
    ids = [b"A" * 60, hashlib.sha256(b"A" * 60).hexdigest().encode()]
    assert file_name(ids[0]) != file_name(ids[1])
    mailbox.add(FIRST, ids[0])
    mailbox.add(OTHER, ids[1])
    assert mailbox.fetch("--delete") == 0
    assert mailbox.files == Counter([FIRST, OTHER])


def test_a_folder_of_the_first_version_is_taken_over(
    mailbox: Mailbox, capsys: pytest.CaptureFixture[str]
) -> None:
    long = b"A" * 60
    names = ["uid-abc.eml", f"uid-{hashlib.sha256(long).hexdigest()}.eml"]
    mailbox.add(FIRST, b"abc")
    mailbox.add(OTHER, long)
    with mailbox.served():
        pass
    mailbox.folder.mkdir()
    (mailbox.folder / OWNER).write_text(f"user@127.0.0.1:{mailbox.port}\n")
    for name, content in zip(names, [FIRST, OTHER], strict=True):
        (mailbox.folder / name).write_bytes(content)
    assert mailbox.fetch("--delete") == 0
    assert mailbox.files == Counter([FIRST, OTHER])
    assert mailbox.left == []


def test_a_folder_can_be_renamed_and_a_new_one_gets_everything(
    mailbox: Mailbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mailbox.add(FIRST)
    assert mailbox.fetch() == 0
    mailbox.folder.rename(tmp_path / "renamed")
    assert mailbox.fetch() == 0
    mailbox.folder = tmp_path / "renamed"
    assert mailbox.fetch() == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 fetched, 0 were already there",
        "1 fetched, 0 were already there",
        "0 fetched, 1 were already there",
    ]


def test_a_state_file_of_ones_own(mailbox: Mailbox, tmp_path: Path, state_folder: Path) -> None:
    mailbox.add(FIRST)
    assert mailbox.fetch("--state", str(tmp_path / "mine")) == 0
    assert (tmp_path / "mine").exists()
    assert [*state_folder.iterdir()] == []
    # Without it, files with the same octets count.
    assert mailbox.fetch() == 0
    assert [path.name for path in state_folder.rglob("*.sqlite3")] == ["fetched.sqlite3"]
    assert mailbox.files == Counter([FIRST])


def test_a_user_without_a_home(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.delenv("LOCALAPPDATA")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert mailbox.fetch() == 1
    assert "--state FILE" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has another folder")
def test_where_it_is_remembered_by_default(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert mailbox.fetch() == 0
    assert (tmp_path / ".local" / "state" / "pop3proto" / "fetched.sqlite3").exists()


@pytest.mark.parametrize(
    ("octets", "what"), [(b"\xff\xfe\x00", "is not text"), (b"", "is empty"), (b"\n", "is empty")]
)
def test_an_owner_that_cannot_be_read(
    mailbox: Mailbox, capsys: pytest.CaptureFixture[str], octets: bytes, what: str
) -> None:
    mailbox.folder.mkdir()
    (mailbox.folder / OWNER).write_bytes(octets)
    assert mailbox.fetch() == 1
    error = " ".join(capsys.readouterr().err.split())
    assert OWNER in error
    assert what in error


def claimed(folder: Path, host: str, begun: threading.Barrier) -> bool:
    begun.wait()
    try:
        claim(folder, maildrop_name(PopUrl(host, user="user")))
    except LocalProtocolError:
        return False
    return True


def test_two_maildrops_claim_one_folder_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        for attempt in range(20):
            folder, begun = tmp_path / str(attempt), threading.Barrier(2)
            hosts = [f"{n}.example.org" for n in range(2)]
            results = [*pool.map(claimed, [folder] * 2, hosts, [begun] * 2)]
            assert sorted(results) == [False, True]
            assert [path.name for path in folder.iterdir()] == [OWNER]


def test_one_run_at_a_time_for_a_maildrop(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, state_folder: Path
) -> None:
    mailbox.add(FIRST)
    whole = Fetching.run

    def run(fetching: Fetching) -> None:
        (file,) = state_folder.rglob("*.sqlite3")
        with State(file) as state:
            ((name,),) = state._database.execute("SELECT name FROM accounts").fetchall()
            with pytest.raises(AccountInUseError), state.account(name):
                raise AssertionError
        whole(fetching)

    monkeypatch.setattr(Fetching, "run", run)
    assert mailbox.fetch() == 0
    assert mailbox.files == Counter([FIRST])


# LIST and UIDL that disagree.


@pytest.mark.parametrize("missing", ["LIST", "UIDL"])
def test_mail_that_arrives_between_list_and_uidl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    sizes = b"".join(b"%d 5\r\n" % n for n in range(1, 2 if missing == "LIST" else 4))
    ids = b"".join(b"%d id%d\r\n" % (n, n) for n in range(1, 2 if missing == "UIDL" else 4))
    texts = {1: b"one\r\n", 2: b"two\r\n", 3: b"thr\r\n"}
    asked: list[Turn | Entry] = [(b"RETR %d" % n, b"+OK\r\n" + texts[n] + b".\r\n") for n in texts]
    if missing == "LIST":
        # Of unknown size: each by itself.
        asked = [asked[0], NOOP, asked[1], NOOP, asked[2], NOOP]
    else:
        asked = [*asked, NOOP]
    script: list[Turn | Entry] = [
        (b"STAT", b"+OK 1 5\r\n"),
        (b"LIST", b"+OK\r\n" + sizes + b".\r\n"),
        (b"UIDL", b"+OK\r\n" + ids + b".\r\n"),
        *asked,
        (b"QUIT", b"+OK\r\n"),
    ]
    folder = tmp_path / "mail"
    first = _scripted(script, folder, 1)
    assert stored(folder) == Counter(texts.values())
    again: list[Turn | Entry] = [
        (b"STAT", b"+OK 3 15\r\n"),
        (b"LIST", b"+OK\r\n1 5\r\n2 5\r\n3 5\r\n.\r\n"),
        (b"UIDL", b"+OK\r\n1 id1\r\n2 id2\r\n3 id3\r\n.\r\n"),
        *([] if missing == "LIST" else [(b"RETR 2", b"+OK\r\ntwo\r\n.\r\n")]),
        *([] if missing == "LIST" else [(b"RETR 3", b"+OK\r\nthr\r\n.\r\n"), NOOP]),
        (b"QUIT", b"+OK\r\n"),
    ]
    _scripted(again, folder, first)
    assert stored(folder) == Counter(texts.values())


def _scripted(script: list[Turn | Entry], folder: Path, port: int) -> int:
    """Run one session; servers of scripts have another port each time, so the folder is told."""
    capa = (b"CAPA", b"+OK\r\n.\r\n")
    with serve_script([*GREETING, capa, *script]) as server:
        owner = folder / OWNER
        if owner.exists():
            owner.write_text(owner.read_text().replace(f":{port}", f":{server.port}"))
            _rename_accounts(port, server.port)
        url = f"pop://user@127.0.0.1:{server.port}"
        assert main(["fetch", url, str(folder), *PLAIN]) == 0
        return server.port


def _rename_accounts(old: int, new: int) -> None:
    (state,) = Path(os.environ["XDG_STATE_HOME"]).rglob("*.sqlite3")
    with sqlite3.connect(state) as database:
        database.execute("UPDATE accounts SET name = replace(name, ?, ?)", (f":{old}", f":{new}"))
    database.close()


# Runs that were killed.


def test_what_a_killed_run_left_is_removed(mailbox: Mailbox) -> None:
    mailbox.add(FIRST)
    assert mailbox.fetch() == 0
    # As the first version wrote it. Since then nothing has such names, except for what users make.
    owner = mailbox.folder / OWNER
    owner.write_bytes(owner.read_bytes().splitlines(keepends=True)[0])
    (mailbox.folder / "uid-abc.eml.1a2b3c4d").write_bytes(b"half")
    (mailbox.folder / "sha256-0a.eml.1a2b3c4d").write_bytes(b"half")
    (mailbox.folder / "uid-abc.eml.backup").write_bytes(b"somebody's")
    assert mailbox.fetch() == 0
    assert mailbox.files == Counter([FIRST, b"somebody's"])


HALF = b"+OK\r\n" + b"half of a message\r\n" * 1000


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL", "SIGINT"])
def test_a_run_that_is_killed_within_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    folder = tmp_path / "mail"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    waiting: list[Turn | Entry] = [
        (b"CAPA", b"+OK\r\n.\r\n"),
        *listed(2_000_000),
        (b"RETR 1", HALF),
        EndOfStream("client"),
    ]
    with serve_script([*GREETING, *waiting]) as server:
        url = f"pop://user@127.0.0.1:{server.port}"
        command = [sys.executable, "-m", "pop3proto", "fetch", url, str(folder), *PLAIN]
        process = subprocess.Popen(command, env=environment)
        drafts = folder / ".pop3proto-drafts"
        # A large message goes into its draft as it comes.
        while not any(p.stat().st_size for p in drafts.glob("*")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(getattr(signal, how))
        process.wait()
    left = [*drafts.glob("*")]
    if how != "SIGKILL":
        assert not drafts.exists()
    script: list[Turn | Entry] = [
        (b"CAPA", b"+OK\r\n.\r\n"),
        *listed(5),
        (b"RETR 1", b"+OK\r\none\r\n.\r\n"),
        NOOP,
        (b"QUIT", b"+OK\r\n"),
    ]
    with serve_script([*GREETING, *script]) as server:
        _rename_accounts_and_owner(folder, server.port)
        url = f"pop://user@127.0.0.1:{server.port}"
        assert main(["fetch", url, str(folder), *PLAIN]) == 0
    assert stored(folder) == Counter([b"one\r\n"])
    assert not drafts.exists(), left


def _rename_accounts_and_owner(folder: Path, port: int) -> None:
    owner = folder / OWNER
    old = int(re.findall(r":(\d+)\n", owner.read_text())[0])
    owner.write_text(owner.read_text().replace(f":{old}", f":{port}"))
    _rename_accounts(old, port)


# What is new.


@pytest.mark.parametrize("format", ["files", "maildir", "mbox"])
def test_each_format(
    mailbox: Mailbox, format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mailbox.add(FIRST)
    mailbox.add(OTHER)
    arguments = ["--format", format]
    assert mailbox.fetch(*arguments) == 0
    assert mailbox.fetch("--delete", *arguments) == 0
    assert capsys.readouterr().out.splitlines() == [
        "2 fetched, 0 were already there",
        "0 fetched, 2 were already there",
        "2 deleted",
    ]
    where = {"files": mailbox.folder, "maildir": mailbox.folder / "new", "mbox": tmp_path}[format]
    octets = b"".join(path.read_bytes() for path in where.iterdir() if path.is_file())
    assert octets.count(b"Subject: ") == 2


Runs = list[tuple[list[str], int]]


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (["--delete-after", "0"], 0),
        (["--delete-after", "1.5"], 3),
        (["--keep-newest", "2"], 2),
        (["--keep-newest", "0"], 0),
        (["--delete", "--keep-newest", "1"], 1),
        (["--delete", "--max-octets", "25"], 1),
        (["--headers-only"], 3),
    ],
)
def test_policies(mailbox: Mailbox, arguments: list[str], left: int) -> None:
    for content in (FIRST, OTHER, FIRST + b"A long one.\r\n"):
        mailbox.add(content)
    assert mailbox.fetch(*arguments) == 0
    assert len(mailbox.left) == left
    if arguments == ["--headers-only"]:
        assert mailbox.files == Counter(
            [b"Subject: first\r\n\r\n", b"Subject: other\r\n\r\n", b"Subject: first\r\n\r\n"]
        )
        assert {path.name[-11:] for path in mailbox.folder.glob("*.eml")} == {".header.eml"}
        # The messages themselves can be fetched later.
        assert mailbox.fetch() == 0
        assert len(mailbox.files) == 5


@pytest.mark.parametrize(
    "arguments",
    [
        ["--delete-after", "-1"],
        ["--delete-after", "soon"],
        ["--delete", "--delete-after", "1"],
        ["--keep-newest", "-1"],
        ["--max-octets", "1k"],
        ["--format", "mh"],
    ],
)
def test_wrong_arguments(mailbox: Mailbox, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        mailbox.fetch(*arguments)
    assert caught.value.code == 2


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
@pytest.mark.parametrize("kind", ["files", "maildir", "mbox"])
def test_a_folder_whose_name_is_not_unicode(mailbox: Mailbox, kind: str) -> None:
    mailbox.add(FIRST)
    mailbox.folder = mailbox.folder.with_name("mail\udcff")
    assert mailbox.fetch("--delete", "--format", kind) == 0
    assert mailbox.left == []


def test_a_disk_that_is_full(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(30):
        mailbox.add(b"Subject: %d\r\n\r\n" % n)
    written = 0
    write: Callable[[int, bytes], int] = os.write

    def filling(descriptor: int, data: bytes) -> int:
        nonlocal written
        if data.startswith(b"Subject"):
            written += 1
        if written > 10:
            raise OSError(28, "No space left on device")
        return write(descriptor, data)

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", filling)
        assert mailbox.fetch("--delete") == 1
    out, err = capsys.readouterr()
    # The first groups are kept, of one, two and four messages, and nothing is deleted.
    assert out == "7 fetched, 0 were already there\n"
    assert "No space left" in err
    # Whoever reads cron's mail has to know which disk it is.
    assert str(mailbox.folder) in err
    assert len(mailbox.left) == 30
    assert mailbox.fetch("--delete") == 0
    assert mailbox.files == Counter(b"Subject: %d\r\n\r\n" % n for n in range(30))
