"""Messages that are written to files: who may read them, and files that take little at a time."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pop3proto.client.files import replacing, wait_for_disk, write_all
from pop3proto.transports import Security
from tests.runtimes import SMALL, Flow, runtime, serving

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")


@pytest.fixture(params=[0o022, 0o027, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    mask: int = request.param
    before = os.umask(mask)
    try:
        yield mask
    finally:
        os.umask(before)


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def write(path: Any, content: bytes = b"new", **how: Any) -> None:
    with replacing(path, **how) as file:
        file.write(content)


@posix
def test_a_new_file_has_what_the_umask_leaves(umask: int, tmp_path: Path) -> None:
    write(tmp_path / "new")
    assert permissions(tmp_path / "new") == 0o666 & ~umask
    write(tmp_path / "private", mode=0o600)
    assert permissions(tmp_path / "private") == 0o600


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o666])
def test_a_file_keeps_its_permissions(umask: int, mode: int, tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_bytes(b"old")
    path.chmod(mode)
    write(path, mode=0o644)
    assert permissions(path) == mode
    assert path.read_bytes() == b"new"


@posix
def test_a_file_does_not_keep_the_set_uid_bit(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_bytes(b"old")
    path.chmod(0o4640)
    write(path)
    assert permissions(path) == 0o640


@posix
@pytest.mark.parametrize("there", [True, False])
def test_a_drive_has_a_memory_of_its_own(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def control(descriptor: int, what: int) -> None:
        waited.append((descriptor, what))
        if not there:
            raise OSError(errno.ENOTSUP, "a network has no such thing")

    waited: list[object] = []
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", control)
    monkeypatch.setattr(os, "fsync", lambda descriptor: waited.append("fsync"))
    with (tmp_path / "file").open("wb") as file:
        wait_for_disk(file.fileno())
        full = (file.fileno(), 51)
    assert waited == ([full] if there else [full, "fsync"])


@posix
def test_nobody_else_reads_a_file_before_its_time(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_bytes(b"old")
    path.chmod(0o600)
    with replacing(path):
        (beside,) = set(tmp_path.iterdir()) - {path}
        assert permissions(beside) == 0o600


@pytest.mark.parametrize("kind", [Path, str, os.fsencode])
@pytest.mark.parametrize("durable", [False, True])
def test_every_kind_of_path(kind: Callable[[Path], Any], durable: bool, tmp_path: Path) -> None:
    write(kind(tmp_path / "a b\u00fc"), durable=durable)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [
        ("a b\u00fc", b"new")
    ]


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_on_the_disk_before_it_replaces_another(
    durable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waited_for(descriptor: int) -> None:
        seen.append((os.fstat(descriptor).st_size, path.read_bytes()))

    seen: list[tuple[int, bytes]] = []
    monkeypatch.setattr("pop3proto.client.files.wait_for_disk", waited_for)
    path = tmp_path / "old"
    path.write_bytes(b"old")
    write(path, b"newer", durable=durable)
    # With everything that was written, also what a buffer has held.
    assert seen == ([(5, b"old")] if durable else [])
    assert path.read_bytes() == b"newer"


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:  # noqa: PT012
        file.write(b"half")
        raise ZeroDivisionError
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("old", b"old")]


def test_a_file_of_somebody_else_next_to_it_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pop3proto.client.files.token_hex", lambda octets: "chance")
    other = tmp_path / "new.chance"
    other.write_bytes(b"other")
    with pytest.raises(FileExistsError):
        write(tmp_path / "new")
    assert [(path, path.read_bytes()) for path in tmp_path.iterdir()] == [(other, b"other")]


@pytest.mark.parametrize("place", ["nowhere/new", "."])
def test_a_place_for_no_file(place: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"."):
        write(tmp_path / place)
    assert list(tmp_path.iterdir()) == []


class Raw(io.RawIOBase):
    """A file without a buffer, which takes three octets at a time."""

    def __init__(self, *answers: int | None) -> None:
        self.content = b""
        self._answers = list(answers)

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int | None:
        taken = self._answers.pop(0) if self._answers else min(3, len(data))
        self.content += bytes(data)[: taken or 0]
        return taken


@runtime
def test_a_file_that_takes_a_part(on: Callable[[Flow], Any], tmp_path: Path) -> None:
    async def flow(connect: Any) -> None:
        client = await connect(server.host, server.port, **how)
        await client.login("user", "secret")
        assert await client.save(4, file) == len(SMALL[3])
        assert await client.save(4, unbuffered) == len(SMALL[3])
        await client.quit()

    file = Raw()
    with (
        serving(Security.PLAINTEXT) as (server, _, how),
        open(tmp_path / "4.eml", "wb", buffering=0) as unbuffered,
    ):
        on(flow)
    assert file.content == SMALL[3]
    assert (tmp_path / "4.eml").read_bytes() == SMALL[3]


@pytest.mark.parametrize(
    ("answers", "error"), [((2, 0), "no more octets"), ((2, None), "without blocking")]
)
def test_a_file_that_takes_no_more(answers: tuple[int | None, ...], error: str) -> None:
    file = Raw(*answers)
    with pytest.raises(OSError, match=error):
        write_all(file, b"hello")
    assert file.content == b"he"


def test_a_file_that_takes_an_octet_at_a_time() -> None:
    file = Raw(*[1] * 5)
    write_all(file, b"hello")
    assert file.content == b"hello"


def test_a_file_that_would_block_says_so_by_a_number() -> None:
    with pytest.raises(BlockingIOError) as caught:
        write_all(Raw(None), b"hello")
    assert caught.value.errno == errno.EAGAIN


@pytest.mark.parametrize("answer", [None, True, 5, 100, "written"])
def test_a_file_that_takes_everything(answer: object) -> None:
    written: list[bytes] = []

    class Anything:
        def write(self, data: bytes) -> object:
            written.append(data)
            return answer

    write_all(Anything(), b"hello")
    assert written == [b"hello"]
