"""Whether figures are older than the code: by what the code does, not by when it was written."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.freshness import HOT_PATH, SkippedError, code, stale
from benchmarks.measuring import ROOT

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
HOT = "src/pop3proto/engine/wire.py"
GENERATED = "src/pop3proto/client/_blocking_more.py"
SOURCE = "def read(data: bytes) -> int:\n    return len(data)\n"


class Repository:
    """A repository with a hot path of one file, and a page of figures of its first commit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.page = folder / "performance.md"
        self.git("init", "-q")
        self.write(HOT, SOURCE)
        self.measured = self.commit()
        self.page.write_text(f"At commit\n`{self.measured}`.\n", "utf-8")

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=A User", "-c", "user.email=user@example.org")
        command = ["git", "-C", str(self.folder), *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text, "utf-8")

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "a change")
        return self.git("rev-parse", "HEAD")

    def stale(self) -> list[str]:
        return stale(self.page, self.folder)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@needs_git
@pytest.mark.parametrize(
    "source",
    [
        SOURCE,
        f'"""What it is."""\n\n# Why.\n{SOURCE}',
        'def read(data: "bytes | bytearray"):\n    """Return how many."""\n\n    return len( data)',
    ],
)
@pytest.mark.parametrize("committed", [True, False])
def test_what_does_not_run_makes_no_figure_old(
    repository: Repository, source: str, committed: bool
) -> None:
    repository.write(HOT, source)
    repository.write("src/pop3proto/errors.py", "x = 1\n")
    if committed:
        repository.commit()
    assert repository.stale() == []


@needs_git
@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("source", [SOURCE.replace("len(data)", "len(data) + 0"), ""])
def test_other_code_makes_the_figures_old(
    repository: Repository, source: str, committed: bool
) -> None:
    repository.write(HOT, source)
    if committed:
        repository.commit()
    line = f"{HOT} has changed since commit {repository.measured}, which the figures are of"
    assert repository.stale() == [line]


@needs_git
def test_code_that_was_changed_back_is_the_same(repository: Repository) -> None:
    repository.write(HOT, "other = 1\n")
    repository.commit()
    repository.write(HOT, SOURCE)
    repository.commit()
    assert repository.stale() == []


@needs_git
def test_a_new_file_of_the_hot_path_and_one_that_is_gone(repository: Repository) -> None:
    repository.write(GENERATED, SOURCE)
    (repository.folder / HOT).unlink()
    assert [line.partition(" ")[0] for line in repository.stale()] == [GENERATED, HOT]


@needs_git
def test_a_commit_that_is_not_there(repository: Repository) -> None:
    repository.page.write_text(f"At commit `{'0' * 40}`.\n", "utf-8")
    (line,) = repository.stale()
    assert "is not in this repository" in line


@needs_git
def test_a_shallow_clone_is_skipped(repository: Repository, tmp_path: Path) -> None:
    repository.write(HOT, "other = 1\n")
    repository.commit()
    shallow = tmp_path / "shallow"
    url = f"file://{repository.folder}"
    subprocess.run(["git", "clone", "-q", "--depth", "1", url, str(shallow)], check=True)
    with pytest.raises(SkippedError, match="too shallow"):
        stale(repository.page, shallow)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("No figure.", "does not name the commit"),
        (f"commit `{'0' * 40}, with changes`", "of code that was not committed"),
    ],
)
def test_a_page_without_a_commit_of_its_own(text: str, complaint: str, tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(text, "utf-8")
    (line,) = stale(page, tmp_path)
    assert complaint in line


def test_without_git_it_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"commit `{'0' * 40}`", "utf-8")
    command = ["check", "--page", str(page), "--repository", str(tmp_path)]
    assert main(command) == 0
    assert "skipped: this is no clone of the repository" in capsys.readouterr().out
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert main(command) == 0


@needs_git
def test_from_the_command_line(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["check", "--page", str(repository.page), "--repository", str(repository.folder)]
    assert main(command) == 0
    repository.write(HOT, "other = 1\n")
    assert main(command) == 1
    assert "Measure again" in capsys.readouterr().err


def test_every_pattern_of_the_hot_path_has_files() -> None:
    for pattern in HOT_PATH:
        assert list((ROOT / "src" / "pop3proto").glob(pattern)), pattern


def test_a_constant_that_is_used_is_code() -> None:
    assert code('x = "text"') != code('x = "other text"')
    assert code('"text"') == code('"other text"') == code("")
    assert code("async def f() -> int: ...") == code("async def f(): ...")
