"""The garbage collector, kept out of a test that is about what is freed without it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector() -> Iterator[None]:
    """Run the block without the collector, then collect what it has left, and nothing older.

    Whatever the block leaves open is then found at once, as a ``ResourceWarning``. The objects of
    all the tests before it are set aside: to look through them takes most of a second each time.
    """
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()
        gc.unfreeze()
