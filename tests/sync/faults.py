"""Steps of a program that can be the last one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

# Every call that changes something on the disk, or makes sure that something is there.
CALLS = ["open", "write", "fsync", "link", "rename", "replace", "unlink", "ftruncate", "rmdir"]


class PowerCutError(BaseException):
    """Nothing gets to the disk after it."""


class Steps:
    """Counts the calls, and lets the power fail before one of them."""

    def __init__(self) -> None:
        self.made: list[tuple[str, Any]] = []
        self.last: int | None = None
        """The number of calls that are made before the power fails."""
        self.files: dict[int, str] = {}

    def step(self, name: str, what: object) -> None:
        if self.last is not None and len(self.made) >= self.last:
            raise PowerCutError(name)
        self.made.append((name, what))


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    """Count the calls of ``os`` within the block."""
    steps = Steps()

    def wrapped(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def calling(first: Any, *others: Any, **named: Any) -> Any:
            steps.step(name, steps.files.get(first, first) if isinstance(first, int) else first)
            # Waiting for the disk would take most of the time of a test.
            if name == "fsync":
                return None
            result = call(first, *others, **named)
            if name == "open":
                steps.files[result] = str(first)
            return result

        return calling

    with monkeypatch.context() as patched:
        for name in CALLS:
            patched.setattr(os, name, wrapped(name, getattr(os, name)))
        yield steps
