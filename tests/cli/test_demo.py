"""``pop3proto demo``, and that it says so where something is not as it should be."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pop3proto.cli import demo as _demo
from pop3proto.cli.demo import demonstrate, difficult_messages
from pop3proto.cli.main import main
from pop3proto.server import Maildrop, MemoryMaildrops, StoredMessage

SMALL = {name: body for name, body in difficult_messages().items() if len(body) < 1_000_000}


class _Output:
    """A console, and what was printed on it."""

    def __init__(self) -> None:
        self._file = io.StringIO()
        self.console = Console(file=self._file, width=200)

    def __str__(self) -> str:
        return self._file.getvalue()


@pytest.fixture
def output() -> _Output:
    return _Output()


def test_all_of_it(tmp_path: Path, output: _Output) -> None:
    messages = difficult_messages()
    assert len(messages["20 MiB attachment"]) == pytest.approx(20 * 1024 * 1024, rel=0.001)
    folder = tmp_path / "new" / "folder"
    assert demonstrate(output.console, folder) == 0
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == [f"{n:03}.eml" for n in range(1, len(messages) + 1)]
    assert [file.read_bytes() for file in files] == list(messages.values())
    for told in (
        "Connected with STLS (TLSv1.3) and logged in.",
        "PIPELINING",
        *messages,
        f"All {len(files)} files are, octet for octet, what the server holds.",
        "Deleting message 1, and quitting ... the server has confirmed it.",
        "finds 8 of 9 messages: all but the one that was deleted.",
        f"The messages are in {folder}.",
    ):
        assert told in str(output)
    assert "NOT" not in str(output)


def test_without_a_folder_it_makes_one(
    tmp_path: Path,
    output: _Output,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_demo, "difficult_messages", lambda: SMALL)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert demonstrate(output.console, None) == 0
    [folder] = tmp_path.iterdir()
    assert f"The messages are in {folder}." in str(output)
    assert len(list(folder.iterdir())) == len(SMALL)


class _Changed(MemoryMaildrops):
    """Maildrops whose sessions see something else than is there."""

    def open(self, user: str) -> Maildrop:
        return self.changed(super().open(user))

    def changed(self, maildrop: Maildrop) -> Maildrop:
        raise NotImplementedError


class _Wrapped:
    def __init__(self, maildrop: Maildrop) -> None:
        self._maildrop = maildrop

    @property
    def messages(self) -> Sequence[StoredMessage]:
        return self._maildrop.messages

    def open(self, number: int) -> Iterator[bytes]:
        return self._maildrop.open(number)

    def commit(self, deleted: Collection[int]) -> None:
        self._maildrop.commit(deleted)

    def close(self) -> None:
        self._maildrop.close()


class _OneOctet(_Changed):
    """One octet of the second message is another one."""

    def changed(self, maildrop: Maildrop) -> Maildrop:
        class Tampered(_Wrapped):
            def open(self, number: int) -> Iterator[bytes]:
                for chunk in super().open(number):
                    yield chunk.replace(b"8", b"7", 1) if number == 2 else chunk

        return Tampered(maildrop)


class _Another(_Changed):
    """Another message than the first is deleted, and as many are left."""

    def changed(self, maildrop: Maildrop) -> Maildrop:
        class Mistaken(_Wrapped):
            def commit(self, deleted: Collection[int]) -> None:
                super().commit([number + 1 for number in deleted])

        return Mistaken(maildrop)


class _Nothing(_Changed):
    """Nothing is deleted, and that is confirmed."""

    def changed(self, maildrop: Maildrop) -> Maildrop:
        class Idle(_Wrapped):
            def commit(self, deleted: Collection[int]) -> None:
                pass

        return Idle(maildrop)


class _Undeletable(MemoryMaildrops):
    """The first message cannot be deleted."""

    def __init__(self, messages: Any) -> None:
        super().__init__(messages)
        self.undeletable.add(b"message-1")


@pytest.mark.parametrize(
    ("maildrops", "told"),
    [
        (_OneOctet, ["NOT as the server holds them: 002.eml."]),
        (_Another, ["finds 7 of 8 messages: NOT those that should be left."]),
        (_Nothing, ["finds 8 of 8 messages: NOT those that should be left."]),
        (_Undeletable, ["quitting ... NOT confirmed.", "finds 8 of 8 messages: NOT those"]),
    ],
)
def test_what_is_not_as_it_should_be(
    maildrops: type[MemoryMaildrops],
    told: list[str],
    tmp_path: Path,
    output: _Output,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_demo, "difficult_messages", lambda: SMALL)
    monkeypatch.setattr(_demo, "MemoryMaildrops", maildrops)
    assert demonstrate(output.console, tmp_path) == 1
    assert all(words in str(output) for words in told)
    assert str(output).count("NOT") == len(told)


@pytest.mark.parametrize("name", ["001.eml", "008.eml"])
def test_it_overwrites_nothing(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_demo, "difficult_messages", lambda: SMALL)
    (tmp_path / name).write_bytes(b"mine")
    assert main(["demo", "--folder", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("FileExistsError: ")
    assert name in printed.err
    assert printed.out == ""
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"mine")]


def test_a_folder_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "folder"):
        assert main(["demo", "--folder", str(folder)]) == 1
        printed = capsys.readouterr()
        assert printed.err.startswith(("FileExistsError: ", "NotADirectoryError: "))
        assert "Traceback" not in printed.err
