"""Checks of arguments: an error names the argument, and shows only the type of its value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar, cast

from ..errors import LocalProtocolError

__all__ = ["listed", "require"]

T = TypeVar("T")


def require(name: str, given: object, kind: type | tuple[type, ...], description: str) -> None:
    """Raise ``LocalProtocolError``, which names the argument, if ``given`` is not a ``kind``.

    The message shows only the type of ``given``, because it may be a password in the wrong place.
    """
    # A bool is an int, but never an intended number.
    if not isinstance(given, kind) or (kind is not bool and isinstance(given, bool)):
        raise LocalProtocolError(f"{name} is {description}, not {type(given).__name__}")


def listed(what: str, given: object, kind: type[T]) -> list[T]:
    """Return ``given`` as a list; raise ``LocalProtocolError``, which says only types, unless all
    of it are of the ``kind``."""
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        # The letters of a text would be taken for names.
        raise LocalProtocolError(f"{what}, not a single {type(given).__name__}")
    found: list[T] = []
    for each in cast("Iterable[object]", given):
        if not isinstance(each, kind):
            raise LocalProtocolError(f"{what}, and {type(each).__name__} is not one")
        found.append(each)
    return found
