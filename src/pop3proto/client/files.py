"""Files that appear when they are complete."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from stat import S_IMODE
from typing import IO

__all__ = ["replacing"]


@contextmanager
def replacing(
    path: os.PathLike[str] | os.PathLike[bytes] | str | bytes,
    *,
    durable: bool = False,
    mode: int = 0o666,
) -> Generator[IO[bytes]]:
    """A file beside ``path`` that takes its place in the end, or is removed after an error.

    It has the permissions of the file that it replaces, or else, as with ``open()``, those of
    ``mode`` that the umask leaves. ``durable`` waits until its octets are on the disk, and not in
    memory alone.
    """
    target = Path(os.fsdecode(path))
    # In the same folder, so that taking its place is one step that cannot fail halfway.
    beside = target.parent / f"{target.name}.{token_hex(4)}"
    kept = _permissions(target)

    def private(name: str, flags: int) -> int:
        # Whom the old one is hidden from must not see the new one before it is complete either.
        return os.open(name, flags, mode if kept is None else 0o600)

    with open(beside, "xb", opener=private) as file:
        try:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
            file.close()
            if kept is not None:
                os.chmod(beside, kept)
            os.replace(beside, target)
        except BaseException:
            file.close()
            os.unlink(beside)
            raise


def _permissions(path: Path) -> int | None:
    """Who may do what with the file at ``path``, or ``None`` if there is none."""
    try:
        # Not the set-uid bits: its owner may be another one from now on.
        return S_IMODE(os.stat(path).st_mode) & 0o777
    except FileNotFoundError:
        return None
