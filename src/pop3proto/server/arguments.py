"""Checks of the arguments of servers and maildrops: an error names the argument.

A value of a wrong type could otherwise pass for another one: ``"no"`` counts as true, so that a
password would be taken in the clear. Only the type of a wrong value is shown, because it may be a
password in the wrong place.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from math import inf
from typing import Any, TypeVar

__all__ = [
    "each_of",
    "require",
    "require_count",
    "require_maildrops",
    "require_mechanisms",
    "require_seconds",
    "require_users",
    "require_word",
]

T = TypeVar("T")

# A greeting and a line of a capability list have 512 octets at most (RFC 2449 section 4), and hold
# other things, too.
_MAX_WORD = 255


def require(
    name: str, given: object, kind: type[Any] | tuple[type[Any], ...], description: str
) -> None:
    """Raise ``TypeError`` if ``given`` is not a ``kind``. A bool is no number."""
    if not isinstance(given, kind) or (kind is not bool and isinstance(given, bool)):
        raise TypeError(f"{name} is {description}, not {type(given).__name__}")


def each_of(what: str, given: Iterable[T]) -> tuple[T, ...]:
    """Return the items of ``given``; raise ``TypeError`` if it is a text, or has no items.

    ``what`` says what it should be, as in "messages are a list of bytes".
    """
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"{what}, not {type(given).__name__}")
    return tuple(given)


def require_count(name: str, given: Any, least: int = 1) -> None:
    """Raise ``TypeError`` if ``given`` is not an int, ``ValueError`` if it is below ``least``."""
    require(name, given, int, "an int")
    if given < least:
        raise ValueError(f"{name} is at least {least}, not {given}")


def require_seconds(name: str, given: Any, *, zero: bool) -> None:
    """Raise ``TypeError`` if ``given`` is no number, ``ValueError`` if it is no length of time.

    With ``zero``, it may be 0.
    """
    require(name, given, (int, float), "a number of seconds")
    if not 0 <= given < inf or (given == 0 and not zero):
        least = "0 or more" if zero else "more than 0"
        raise ValueError(f"{name} is a finite number of seconds, {least}, not {given}")


def require_word(name: str, given: Any, forbidden: str = "") -> None:
    """Raise unless ``given`` is 1 to 255 printable ASCII characters, none of them ``forbidden``.

    Raises ``TypeError`` if it is not a str, and ``ValueError`` for everything else.
    """
    require(name, given, str, "a str")
    right = given.isascii() and given.isprintable() and 1 <= len(given) <= _MAX_WORD
    if not right or not given.strip() or any(character in given for character in forbidden):
        unless = f", without any of {forbidden!r}" if forbidden else ""
        raise ValueError(
            f"{name} has 1 to {_MAX_WORD} printable ASCII characters{unless}; not {given[:80]!r}"
        )


def require_maildrops(given: object) -> None:
    """Raise ``TypeError`` if ``given`` cannot open maildrops."""
    # A path has open(), too.
    if isinstance(given, os.PathLike) or not callable(getattr(given, "open", None)):
        kind = type(given).__name__
        raise TypeError(f"maildrops is a provider, such as MemoryMaildrops, not {kind}")


def require_users(given: object) -> None:
    """Raise ``TypeError`` if ``given`` cannot say who may log in."""
    if not isinstance(given, Mapping) and not callable(getattr(given, "check", None)):
        kind = type(given).__name__
        raise TypeError(f"users maps users to passwords, or has check(), unlike {kind}")


def require_mechanisms(given: Iterable[T]) -> tuple[T, ...]:
    """Return the mechanisms; raise ``TypeError`` if one of them is no ``ServerMechanism``."""
    mechanisms = each_of("mechanisms is a list of mechanisms", given)
    for each in mechanisms:
        named = isinstance(getattr(each, "name", None), str)
        begins = callable(getattr(each, "begin", None))
        # The class of a mechanism has both, too.
        if not (named and begins) or isinstance(each, type):
            kind = type(each).__name__
            raise TypeError(
                f"mechanisms is a list of mechanisms, such as ServerPlain, not of {kind}"
            )
    return mechanisms
