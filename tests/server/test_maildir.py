import errno
import os
import stat
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from pop3proto.errors import MaildropError, MaildropLockedError
from pop3proto.server.maildir import (
    LOCK_NAME,
    FolderLock,
    MaildirFiles,
    delivery_order,
    folder_name,
    unique_id,
)


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ("user", "user"),
        ("user.b+c@example.org", "user.b+c@example.org"),
        ("User", "%55ser"),
        ("usér", "us%c3%a9r"),
        ("..", "%2e%2e"),
        (".", "%2e"),
        (".hidden", "%2ehidden"),
        ("windows.", "windows%2e"),
        ("../../etc", "%2e./../etc".replace("/", "%2f")),
        ("/etc/passwd", "%2fetc%2fpasswd"),
        ("a\\b:c", "a%5cb%3ac"),
        ("nul\0nul", "nul%00nul"),
        ("%55ser", "%2555ser"),
        ("~root", "%7eroot"),
        ("con", "%63on"),
        ("lpt1.txt", "%6cpt1.txt"),
        ("context", "context"),
        ("NUL", "%4e%55%4c"),
    ],
)
def test_a_user_name_is_one_path_component(user: str, name: str) -> None:
    assert folder_name(user) == name
    assert (Path("/root") / folder_name(user)).parent == Path("/root")


def test_no_two_users_share_a_folder() -> None:
    users = [
        "user",
        "User",
        "USER",
        "%55ser",
        "al/ice",
        "al%2fice",
        "user.",
        ".user",
        "é",
        "É",
    ]
    assert len({folder_name(user).casefold() for user in users}) == len(users)


@pytest.mark.parametrize("user", ["", "a" * 256, "Z" * 86, "\ud800", "z\udcff"])
def test_users_who_cannot_have_a_folder(user: str) -> None:
    with pytest.raises(MaildropError):
        folder_name(user)


@pytest.mark.parametrize("user", ["a" * 255, "Z" * 85])
def test_the_longest_names(user: str) -> None:
    assert len(folder_name(user)) == 255


@pytest.mark.parametrize("name", ["1700000000.M1P2.host,S=123", "!", "a" * 70])
def test_a_unique_name_is_the_unique_id(name: str) -> None:
    assert unique_id(name) == name.encode("ascii")


@pytest.mark.parametrize(
    "name", ["", "a" * 71, "with blank", "usér", "\udcff", "tab\t", "~tilde", "\x7f"]
)
def test_other_names_are_hashed(name: str) -> None:
    hashed = unique_id(name)
    assert len(hashed) == 65
    assert all(0x21 <= octet <= 0x7E for octet in hashed)
    assert hashed == unique_id(name)
    assert hashed != unique_id(name + "x")
    # What looks like a hash is hashed as well, so that no name can pose as another.
    assert unique_id(hashed.decode("ascii")) != hashed


def test_the_order_of_delivery() -> None:
    names = ["9.a.host", "10.b.host", "1.a", "10.a.host", "odd", "²³.host", "1" * 30 + ".host"]
    assert sorted(names, key=delivery_order) == [
        "1" * 30 + ".host",
        "odd",
        "²³.host",
        "1.a",
        "9.a.host",
        "10.a.host",
        "10.b.host",
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for subfolder in ("tmp", "new", "cur"):
        (tmp_path / subfolder).mkdir()
    return tmp_path


def read(files: MaildirFiles, name: str, chunk: int = 100) -> list[bytes]:
    return list(files.read(name, chunk))


@pytest.mark.skipif(os.name != "posix", reason="needs the file system of a UNIX")
def test_messages_are_regular_files_in_new_and_cur(folder: Path) -> None:
    (folder / "new" / "1.a").write_bytes(b"new")
    (folder / "cur" / "2.b:2,S").write_bytes(b"cur")
    (folder / "tmp" / "3.c").write_bytes(b"tmp")
    (folder / "new" / ".hidden").write_bytes(b"hidden")
    (folder / "new" / "folder").mkdir()
    (folder / "secret").write_bytes(b"secret")
    (folder / "new" / "link").symlink_to(folder / "secret")
    (folder / "new" / "dangling").symlink_to(folder / "nothing")
    os.mkfifo(folder / "new" / "fifo")
    files = MaildirFiles(folder)
    assert sorted(files) == ["1.a", "2.b"]
    assert "1.a" in files
    assert "link" not in files
    assert read(files, "2.b") == [b"cur"]


def test_reading_goes_by_chunks_and_keeps_every_octet(folder: Path) -> None:
    (folder / "new" / "1.a").write_bytes(b"a\r\nb\x1ac")
    assert read(MaildirFiles(folder), "1.a", 4) == [b"a\r\nb", b"\x1ac"]


def test_a_message_is_found_where_a_mail_program_put_it(folder: Path) -> None:
    (folder / "new" / "1.a").write_bytes(b"text")
    (folder / "cur" / "2.b:2,").write_bytes(b"more")
    files = MaildirFiles(folder)
    (folder / "new" / "1.a").rename(folder / "cur" / "1.a:2,S")
    (folder / "cur" / "2.b:2,").rename(folder / "cur" / "2.b:2,FS")
    assert read(files, "1.a") == [b"text"]
    (folder / "cur" / "1.a:2,S").rename(folder / "cur" / "1.a:2,RS")
    files.remove("1.a")
    files.remove("2.b")
    assert list((folder / "cur").iterdir()) == []


def test_a_message_that_is_gone(folder: Path) -> None:
    (folder / "new" / "1.a").write_bytes(b"text")
    files = MaildirFiles(folder)
    (folder / "new" / "1.a").unlink()
    gone = (errno.ENOENT, "a message is not in its Maildir any more", "1.a")
    for act in (lambda: read(files, "1.a"), lambda: files.remove("1.a")):
        with pytest.raises(FileNotFoundError) as caught:
            act()
        assert (caught.value.errno, caught.value.strerror, caught.value.filename) == gone
    assert "1.a" not in files


def test_a_message_that_was_removed_is_gone(folder: Path) -> None:
    (folder / "new" / "1.a").write_bytes(b"text")
    files = MaildirFiles(folder)
    files.remove("1.a")
    assert list(files) == []
    with pytest.raises(FileNotFoundError):
        files.remove("1.a")


def test_a_message_that_is_never_where_it_is_looked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "new" / "1.a").write_bytes(b"text")
    files = MaildirFiles(folder)
    tries = []

    def unlink(path: Path) -> None:
        tries.append(path)
        raise FileNotFoundError(path)

    monkeypatch.setattr(os, "unlink", unlink)
    with pytest.raises(OSError, match="renamed faster than it can be opened") as caught:
        files.remove("1.a")
    assert (caught.value.errno, caught.value.filename) == (errno.EBUSY, "1.a")
    assert len(tries) == 16
    assert "1.a" in files


class Looks:
    """What ``os.scandir()`` shows: look by look, it misses messages, as it may (POSIX).

    ``missed`` says which, one string of unique names for each look; the last counts for the rest.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.missed = [""]
        self.count = 0
        self._scandir = os.scandir
        monkeypatch.setattr(os, "scandir", self)

    def __call__(self, folder: Path) -> "Looks":
        # A look begins with new.
        self.count += folder.name == "new"
        with self._scandir(folder) as entries:
            self._entries = list(entries)
        return self

    def __enter__(self) -> Iterator[os.DirEntry[str]]:
        missed = self.missed[min(self.count, len(self.missed)) - 1].split()
        return (entry for entry in self._entries if entry.name.partition(":")[0] not in missed)

    def __exit__(self, *error: object) -> None:
        pass

    def miss(self, *missed: str) -> None:
        self.missed, self.count = [*missed], 0


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


@pytest.mark.parametrize(
    ("missed", "count"),
    [
        ([""], 2),
        (["1.a", ""], 3),
        (["1.a 2.b", ""], 3),
        (["", "1.a", ""], 4),
        (["1.a", "2.b", ""], 4),
        # It never rests.
        (["1.a", "2.b"] * 9, 17),
        (["", "1.a"] * 9, 17),
    ],
)
def test_a_message_that_a_look_misses_is_found_by_another(
    folder: Path, looks: Looks, missed: list[str], count: int
) -> None:
    for name in ("1.a", "2.b"):
        (folder / "new" / name).write_bytes(b"text")
    looks.miss(*missed)
    files = MaildirFiles(folder)
    assert sorted(files) == ["1.a", "2.b"]
    assert looks.count == count
    looks.miss("")
    assert read(files, "1.a") == read(files, "2.b") == [b"text"]


@pytest.mark.parametrize("missed", [["1.a", ""], ["1.a 2.b", "1.a", ""], ["1.a", "2.b", ""]])
def test_a_message_that_was_renamed_and_missed_is_not_gone(
    folder: Path, looks: Looks, missed: list[str]
) -> None:
    for name in ("1.a", "2.b"):
        (folder / "cur" / f"{name}:2,").write_bytes(b"text")
    files = MaildirFiles(folder)
    (folder / "cur" / "1.a:2,").rename(folder / "cur" / "1.a:2,S")
    looks.miss(*missed)
    assert read(files, "1.a") == [b"text"]
    (folder / "cur" / "1.a:2,S").rename(folder / "cur" / "1.a:2,RS")
    looks.miss(*missed)
    files.remove("1.a")
    assert os.listdir(folder / "cur") == ["2.b:2,"]


def test_what_cannot_be_proved_gone_is_not_gone(folder: Path, looks: Looks) -> None:
    for name in ("1.a", "2.b", "3.c"):
        (folder / "cur" / f"{name}:2,").write_bytes(b"text")
    files = MaildirFiles(folder)
    (folder / "cur" / "1.a:2,").rename(folder / "cur" / "1.a:2,S")
    looks.miss(*["1.a 2.b", "1.a"] * 9)
    with pytest.raises(OSError, match="renamed faster than it can be opened") as caught:
        files.remove("1.a")
    assert caught.value.errno == errno.EBUSY
    assert (folder / "cur" / "1.a:2,S").exists()


def test_two_looks_tell_of_all_that_are_gone(folder: Path, looks: Looks) -> None:
    names = [f"{number}.a" for number in range(100)]
    for name in names:
        (folder / "new" / name).write_bytes(b"text")
    files = MaildirFiles(folder)
    for name in names[:-1]:
        (folder / "new" / name).unlink()
    looks.miss("")
    for name in names[:-1]:
        with pytest.raises(FileNotFoundError):
            files.remove(name)
    assert looks.count == 2
    files.remove(names[-1])
    assert looks.count == 2


@pytest.mark.skipif(os.name != "posix", reason="needs the file system of a UNIX")
@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_what_has_taken_the_place_of_a_message_is_not_read(folder: Path, kind: str) -> None:
    path = folder / "new" / "1.a"
    path.write_bytes(b"text")
    files = MaildirFiles(folder)
    path.unlink()
    if kind == "link":
        (folder / "secret").write_bytes(b"secret")
        path.symlink_to(folder / "secret")
    else:
        os.mkfifo(path)
    with pytest.raises(OSError) as caught:  # noqa: PT011
        read(files, "1.a")
    refused = caught.value.errno, caught.value.strerror, caught.value.filename
    if kind == "link":
        assert refused == (errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    else:
        assert refused == (errno.EINVAL, "a message is not a regular file", "1.a")


@pytest.mark.skipif(os.name != "posix", reason="needs the file system of a UNIX")
def test_the_file_is_closed_with_its_reader(folder: Path) -> None:
    (folder / "new" / "1.a").write_bytes(b"text")
    before = len(os.listdir("/dev/fd"))
    reader = MaildirFiles(folder).read("1.a", 1)
    assert isinstance(reader, Generator)
    assert next(reader) == b"t"
    assert len(os.listdir("/dev/fd")) == before + 1
    reader.close()
    assert len(os.listdir("/dev/fd")) == before


@pytest.fixture(params=["linux", "win32"])
def platform(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With and without flock()."""
    monkeypatch.setattr(sys, "platform", request.param)
    return str(request.param)


@pytest.mark.usefixtures("platform")
def test_a_lock_keeps_others_out_until_it_is_released(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    with pytest.raises(MaildropLockedError):
        FolderLock(tmp_path)
    lock.release()
    next_one = FolderLock(tmp_path)
    # A late second release is none of the next one's business.
    lock.release()
    with pytest.raises(MaildropLockedError):
        FolderLock(tmp_path)
    next_one.release()


def test_a_lock_that_is_a_file_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    lock = FolderLock(tmp_path)
    assert (tmp_path / LOCK_NAME).exists()
    (tmp_path / LOCK_NAME).unlink()
    lock.release()
    FolderLock(tmp_path).release()
    assert not (tmp_path / LOCK_NAME).exists()


def test_only_the_owner_can_touch_a_lock(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    assert stat.S_IMODE((tmp_path / LOCK_NAME).stat().st_mode) == 0o600
    lock.release()


def test_no_lock_without_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FolderLock(tmp_path / "missing")


@pytest.mark.skipif(os.name != "posix", reason="needs the file system of a UNIX")
def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    before = len(os.listdir("/dev/fd"))
    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", flock)
        with pytest.raises(OSError, match="no locks available"):
            FolderLock(tmp_path)
    assert len(os.listdir("/dev/fd")) == before
    FolderLock(tmp_path).release()


HOLDER = """
import sys
from pathlib import Path
from pop3proto.server.maildir import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_lock_holds_between_processes_and_ends_with_its_own(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(MaildropLockedError):
            FolderLock(tmp_path)
        holder.kill()
        holder.wait()
        FolderLock(tmp_path).release()
