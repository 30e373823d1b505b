"""A file system that is brought to the disk as a whole, where that is as safe as file by file."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pop3proto.sync import Delivery, FileFolder, Maildir, Mbox, file_system
from pop3proto.sync.delivery import _SLICE
from pop3proto.sync.file_system import FileSystem, reports_errors
from tests.sync.faults import counted

pytestmark = pytest.mark.skipif(os.name != "posix", reason="folders cannot be opened there")


class Libc:
    """A C library whose ``syncfs()`` does nothing."""

    def __init__(self) -> None:
        self.synced: list[int] = []
        self.error = 0

    def syncfs(self, descriptor: int) -> int:
        self.synced.append(descriptor)
        ctypes.set_errno(self.error)
        return -1 if self.error else 0


@pytest.fixture
def libc(monkeypatch: pytest.MonkeyPatch) -> Libc:
    """A system that can sync a file system as a whole."""
    library = Libc()
    monkeypatch.setattr(file_system, "reports_errors", lambda _: True)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: library)
    return library


def mounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, release: str = "6.1.0-13-amd64"
) -> str:
    """A folder on a file system of some kind, and a system of some release."""
    device = tmp_path.stat().st_dev
    path = tmp_path / "mountinfo"
    path.write_text(
        "22 27 0:9999 / /proc rw,relatime - proc proc rw\n"
        f"27 1 {os.major(device)}:{os.minor(device)} / / rw shared:1 - {kind} /dev/vda rw\n"
    )
    monkeypatch.setattr(file_system, "_MOUNTS", str(path))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(release=release))
    return str(tmp_path)


@pytest.mark.parametrize(
    ("kind", "release", "safe"),
    [
        ("ext4", "6.1.0-13-amd64", True),
        ("xfs", "5.17", True),
        ("ext4", "5.16.20", False),
        ("ext4", "4.4.0", False),
        ("ext4", "unknown", False),
        ("overlay", "6.1.0", False),
        ("fuse.sshfs", "6.1.0", False),
    ],
)
def test_where_it_is_as_safe_as_file_by_file(
    kind: str, release: str, safe: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reports_errors(mounts(tmp_path, monkeypatch, kind, release)) is safe


def test_what_is_not_known_is_not_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = mounts(tmp_path, monkeypatch, "ext4")
    (tmp_path / "mountinfo").write_text("22 27 0:9999 / /proc rw,relatime - proc proc rw\n")
    assert not reports_errors(folder)
    (tmp_path / "mountinfo").unlink()
    assert not reports_errors(folder)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not reports_errors(folder)


def test_errors_are_raised(libc: Libc, tmp_path: Path) -> None:
    whole = FileSystem(str(tmp_path))
    assert whole.can_sync()
    whole.sync()
    libc.error = errno.EIO
    with pytest.raises(OSError, match=os.strerror(errno.EIO)) as caught:
        whole.sync()
    assert caught.value.errno == errno.EIO
    whole.close()
    whole.close()
    assert len(libc.synced) == 2


def test_a_file_system_that_cannot_be_synced_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_system, "reports_errors", lambda _: False)
    whole = FileSystem(str(tmp_path))
    assert not whole.can_sync()
    with pytest.raises(OSError, match="cannot be brought to the disk"):
        whole.sync()
    whole.close()


def _missing(*_: object, **__: object) -> object:
    raise OSError("no such library")


@pytest.mark.parametrize("library", [_missing, lambda *_, **__: SimpleNamespace()])
def test_a_c_library_without_the_call(
    library: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_system, "reports_errors", lambda _: True)
    monkeypatch.setattr(ctypes, "CDLL", library)
    whole = FileSystem(str(tmp_path))
    assert not whole.can_sync()
    whole.close()


def test_the_real_one(tmp_path: Path) -> None:
    whole = FileSystem(str(tmp_path))
    if whole.can_sync():
        (tmp_path / "a").write_bytes(b"x")
        whole.sync()
    whole.close()


def draft(delivery: Delivery) -> str:
    each = delivery.draft()
    each.write(b"text\r\n")
    each.finish()
    delivery.written(each)
    return each.name


def steps_of(delivery: Delivery, count: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done to bring so many drafts to the disk."""
    with counted(monkeypatch) as steps:
        for _ in range(count):
            draft(delivery)
        delivery.settle()
    return [name for name, _ in steps.made]


@pytest.mark.parametrize("place", [FileFolder, Maildir])
def test_many_drafts_are_synced_with_one_call(
    place: Callable[..., Delivery], libc: Libc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = place(tmp_path / "mail", "tag")
    delivery.begin(set())
    for count in (_SLICE, 2 * _SLICE + 1):
        libc.synced.clear()
        calls = steps_of(delivery, count, monkeypatch)
        assert calls == ["open", "write"] * count
        assert len(libc.synced) == 1
    # After that, a few are synced one by one again.
    libc.synced.clear()
    assert steps_of(delivery, 2, monkeypatch).count("fsync") == 3
    assert libc.synced == []
    delivery.close()


def test_few_drafts_and_an_mbox_are_synced_one_by_one(
    libc: Libc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, files in ((Maildir, _SLICE - 1), (Mbox, 1)):
        delivery = place(tmp_path / place.__name__, "tag")
        delivery.begin(set())
        # And the folder.
        assert steps_of(delivery, _SLICE - 1, monkeypatch).count("fsync") == files + 1
        delivery.close()
    assert libc.synced == []


def test_no_draft_is_stored_after_an_error_of_the_disk(libc: Libc, tmp_path: Path) -> None:
    delivery = Maildir(tmp_path / "mail", "tag")
    delivery.begin(set())
    for _ in range(_SLICE):
        draft(delivery)
    libc.error = errno.EIO
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        delivery.settle()
    delivery.close()
    # The next run removes what nobody knows to be whole.
    delivery.begin(set())
    assert os.listdir(tmp_path / "mail" / "tmp") == []
    delivery.close()


def test_drafts_that_are_not_settled_are_forgotten_when_it_is_closed(
    libc: Libc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = Maildir(tmp_path / "mail", "tag")
    delivery.begin(set())
    delivery.begin(set())
    for _ in range(_SLICE):
        draft(delivery)
    delivery.close()
    assert steps_of(delivery, 1, monkeypatch) == ["open", "write", "fsync", "open", "fsync"]
    assert libc.synced == []


def test_without_it_threads_sync_each_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_system, "reports_errors", lambda _: False)
    delivery = Maildir(tmp_path / "mail", "tag")
    delivery.begin(set())
    assert steps_of(delivery, 2 * _SLICE, monkeypatch).count("fsync") == 2 * _SLICE + 1
    delivery.close()
