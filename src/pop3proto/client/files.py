"""Files that appear only when they are complete, and files that accept octets piece by piece."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from errno import EAGAIN
from io import RawIOBase, TextIOBase
from pathlib import Path
from secrets import token_hex
from stat import S_IMODE
from typing import IO, TYPE_CHECKING

from ..errors import LocalProtocolError

if TYPE_CHECKING:
    from .message import SupportsWrite

__all__ = ["check_file", "replacing", "wait_for_disk", "write_all"]


@contextmanager
def replacing(
    path: os.PathLike[str] | os.PathLike[bytes] | str | bytes,
    *,
    durable: bool = False,
    mode: int = 0o666,
) -> Generator[IO[bytes]]:
    """Open a file next to ``path`` that replaces it at the end, or is removed after an error.

    It has the permissions of the file that it replaces. If there was none, it has those of ``mode``
    that the umask leaves, as with ``open()``. ``durable`` waits until its octets are on the disk,
    and not only in memory.
    """
    target = Path(os.fsdecode(path))
    # In the same folder, so that replacing is one step that cannot fail halfway.
    beside = target.parent / f"{target.name}.{token_hex(4)}"
    kept = _permissions(target)

    def private(name: str, flags: int) -> int:
        # Somebody who may not read the old file must never be able to read the new one.
        return os.open(name, flags, mode if kept is None else 0o600)

    with open(beside, "xb", opener=private) as file:
        try:
            yield file
            if durable:
                file.flush()
                wait_for_disk(file.fileno())
            file.close()
            if kept is not None:
                os.chmod(beside, kept)
            os.replace(beside, target)
        except BaseException:
            file.close()
            os.unlink(beside)
            raise


def wait_for_disk(descriptor: int) -> None:
    """Wait until what was written to a file is on the disk. Raises ``OSError``.

    On macOS, ``fsync()`` only waits until the drive has the octets, which may be in its memory.
    """
    if sys.platform == "darwin":
        from fcntl import F_FULLFSYNC, fcntl

        # Some file systems, such as those of a network, do not have it.
        with suppress(OSError):
            fcntl(descriptor, F_FULLFSYNC)
            return
    os.fsync(descriptor)


def _permissions(path: Path) -> int | None:
    """Return the permissions of the file at ``path``, or ``None`` if there is none."""
    try:
        # Without the set-uid bits: the new file may have another owner.
        return S_IMODE(os.stat(path).st_mode) & 0o777
    except FileNotFoundError:
        return None


def check_file(file: object) -> None:
    """Raise ``LocalProtocolError`` unless ``file`` can be written to, and accepts octets."""
    if isinstance(file, TextIOBase) or not hasattr(file, "write"):
        kind = type(file).__name__
        raise LocalProtocolError(f"file is a path or a binary file, not {kind}")


def write_all(file: SupportsWrite, data: bytes) -> None:
    """Write ``data`` to a file that may accept it piece by piece, as unbuffered files do."""
    while True:
        taken = file.write(data)
        if taken is None and isinstance(file, RawIOBase):
            raise BlockingIOError(EAGAIN, "the file accepts nothing without blocking")
        # Not every file-like object says how much it has accepted.
        if type(taken) is not int or taken >= len(data):
            return
        if taken <= 0:
            raise OSError("the file accepts no more octets")
        data = data[taken:]
