"""Files that appear when they are complete."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

__all__ = ["replacing"]


@contextmanager
def replacing(path: os.PathLike[str] | str, *, durable: bool = False) -> Generator[IO[bytes]]:
    """A file beside ``path`` that takes its place in the end, or is removed after an error.

    ``durable`` waits until its octets are on the disk, and not in memory alone.
    """
    target = Path(path)
    # In the same folder, so that taking its place is one step that cannot fail halfway.
    with NamedTemporaryFile(dir=target.parent, prefix=target.name + ".", delete=False) as file:
        try:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
            file.close()
            os.replace(file.name, target)
        except BaseException:
            file.close()
            os.unlink(file.name)
            raise
