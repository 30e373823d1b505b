"""A folder of files: names, what is there already, and whose folder it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pop3proto.errors import LocalProtocolError
from pop3proto.sync import FileFolder, Record
from pop3proto.sync import folder as module
from pop3proto.sync.folder import claim, file_name
from tests.sync.faults import counted

CONTENT = b"Subject: one\r\n\r\n"
RECORD = Record(1, len(CONTENT), sha256(CONTENT).digest(), b"abc", 16, 0.0, 0.0)
DIGEST = RECORD.digest.hex()
LONG = b"A" * 60
OWNER = ".pop3proto-maildrop"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "mail"
    # Nothing but messages is left.
    assert not [*(tmp_path / "mail").rglob("*tag*")]


def store(folder: Path, record: Record = RECORD) -> list[str]:
    """Store one message; return the names of all files."""
    delivery = FileFolder(folder, "tag")
    delivery.begin(set())
    draft = delivery.draft()
    draft.write(CONTENT)
    draft.finish()
    delivery.written(draft)
    delivery.settle()
    delivery.store([record._replace(draft=draft.name)])
    delivery.close()
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (RECORD, "uid-abc.eml"),
        (RECORD._replace(unique_id=b"\xff/.."), "uid-%ff%2f%2e%2e.eml"),
        (RECORD._replace(unique_id=None), f"sha256-{DIGEST}.eml"),
        (RECORD._replace(header=True), "uid-abc.header.eml"),
        (RECORD._replace(unique_id=LONG), f"uid-~{sha256(LONG).hexdigest()}.eml"),
    ],
)
def test_names(folder: Path, record: Record, name: str) -> None:
    assert store(folder, record) == [name]
    # The same message again is the same file.
    assert store(folder, record) == [name]


def test_ids_and_their_digests() -> None:
    assert file_name(LONG) != file_name(sha256(LONG).hexdigest().encode())


def test_other_files_stay_as_they_are(folder: Path) -> None:
    folder.mkdir()
    taken = ["uid-abc.eml", f"uid-abc.{DIGEST[:16]}.eml", f"uid-abc.{DIGEST}.eml"]
    for number, name in enumerate(taken):
        (folder / name).write_bytes(CONTENT[: number * 3])
    names = store(folder)
    assert set(names) - set(taken) == {f"uid-abc.{DIGEST}-2.eml"}
    assert (folder / taken[1]).read_bytes() == CONTENT[:3]


def test_a_name_of_the_first_version(folder: Path) -> None:
    folder.mkdir()
    old = f"uid-{sha256(LONG).hexdigest()}.eml"
    (folder / old).write_bytes(CONTENT)
    assert store(folder, RECORD._replace(unique_id=LONG)) == [old]
    (folder / old).write_bytes(CONTENT[::-1])
    assert len(store(folder, RECORD._replace(unique_id=LONG))) == 2


def test_a_file_system_without_links(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: Any) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", link)
    assert store(folder) == ["uid-abc.eml"]
    assert store(folder) == ["uid-abc.eml"]


def test_a_system_whose_folders_cannot_be_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system: Any = type(os)("os")
    vars(system).update(vars(os))
    system.name = "nt"
    monkeypatch.setattr("pop3proto.sync.delivery.os", system)
    assert store(folder) == ["uid-abc.eml"]


def test_what_the_first_version_left(folder: Path) -> None:
    folder.mkdir()
    (folder / OWNER).write_text("user@pop.example.org\n", encoding="utf-8")
    (folder / "uid-abc.eml.0123abcd").touch()
    claim(folder, "user@pop.example.org")
    # From now on, a file of such a name is a copy that the user has made.
    (folder / "uid-abc.eml.20260101").touch()
    claim(folder, "user@pop.example.org")
    assert store(folder) == [OWNER, "uid-abc.eml", "uid-abc.eml.20260101"]


def test_a_file_that_somebody_else_wrote_is_on_the_disk_before_it_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    (folder / "uid-abc.eml").write_bytes(CONTENT)
    with counted(monkeypatch) as steps:
        assert store(folder) == ["uid-abc.eml"]
    assert ("fsync", "uid-abc.eml") in [(name, Path(str(what)).name) for name, what in steps.made]


def test_a_file_that_cannot_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    path = folder / "uid-abc.eml"
    path.write_bytes(CONTENT)
    real = os.open

    def refuse(name: Any, *how: Any, **more: Any) -> int:
        if name == str(path):
            raise PermissionError(name)
        return real(name, *how, **more)

    monkeypatch.setattr(os, "open", refuse)
    assert store(folder) == [f"uid-abc.{DIGEST[:16]}.eml", "uid-abc.eml"]


def test_a_folder_has_a_name_of_its_own(tmp_path: Path) -> None:
    names = {claim(tmp_path / str(n), "user@example.org") for n in range(3)}
    assert len(names) == 3
    assert claim(tmp_path / "0", "user@example.org") in names
    with pytest.raises(LocalProtocolError, match=r"holds the messages of user@example\.org"):
        claim(tmp_path / "0", "other@example.org")


def test_a_folder_of_the_first_version(tmp_path: Path) -> None:
    (tmp_path / OWNER).write_text("user@example.org\n")
    name = claim(tmp_path, "user@example.org")
    assert claim(tmp_path, "user@example.org") == name
    assert [path.name for path in tmp_path.iterdir()] == [OWNER]


@pytest.mark.parametrize("octets", [b"", b"\n", b"\xff"])
def test_an_owner_that_cannot_be_read(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / OWNER).write_bytes(octets)
    with pytest.raises(LocalProtocolError, match=OWNER):
        claim(tmp_path, "user@example.org")
    assert (tmp_path / OWNER).read_bytes() == octets


@pytest.mark.skipif(os.name != "posix", reason="needs pipes with names")
def test_an_owner_that_is_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / OWNER)
    with pytest.raises(LocalProtocolError, match="is empty"):
        claim(tmp_path, "user@pop.example.org")


@pytest.mark.parametrize("owner", ["user@example.org", "other@example.org"])
def test_somebody_else_claims_it_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: str
) -> None:
    create = module._create

    def late(path: str, content: bytes) -> bytes:
        (tmp_path / OWNER).write_text(f"{owner}\nname\n")
        return create(path, content)

    monkeypatch.setattr(module, "_create", late)
    if owner == "user@example.org":
        assert claim(tmp_path, "user@example.org") == "name"
    else:
        with pytest.raises(LocalProtocolError, match=r"other@example\.org"):
            claim(tmp_path, "user@example.org")
    assert [path.name for path in tmp_path.iterdir()] == [OWNER]
