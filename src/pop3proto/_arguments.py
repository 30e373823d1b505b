"""Checks of arguments: an error names the argument.

A value of a wrong type could otherwise pass for another one: ``"no"`` counts as true, so that a
password would be taken in the clear. Only the type of a wrong value is shown, because the value may
be a password in the wrong place; numbers are shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, TypeVar, cast

from .errors import LocalProtocolError

__all__ = [
    "as_bytes",
    "listed",
    "require",
    "require_address",
    "require_count",
    "require_host",
    "require_items",
    "require_path",
    "require_seconds",
]

T = TypeVar("T")

# Nothing else of the module math would be needed.
_INFINITE = float("inf")
# The seconds that a wait may take, 23 days: poll() takes milliseconds as a C int.
_LONGEST = 2_000_000
# A longer number is not shown: Python refuses to write one of more than 4,300 digits.
_SHOWN = 10**20


def require(
    name: str, given: object, kind: type[Any] | tuple[type[Any], ...], description: str
) -> None:
    """Raise ``LocalProtocolError``, which names the argument, if ``given`` is not a ``kind``."""
    # A bool is an int, but never an intended number.
    if not isinstance(given, kind) or (kind is not bool and isinstance(given, bool)):
        raise LocalProtocolError(f"{name} is {description}, not {type(given).__name__}")


def require_host(name: str, host: str) -> None:
    """Raise ``LocalProtocolError``, which names the argument, if no resolver can look up ``host``.

    The functions of ``socket`` would raise ``UnicodeError`` for it, which is not an ``OSError``.
    """
    try:
        host.encode("idna")
    except UnicodeError:
        # Not shown: a mistyped URL can have a password where the host should be.
        raise LocalProtocolError(f"{name}: this is not the name of a host") from None


def require_address(name: str, given: object) -> None:
    """Raise ``LocalProtocolError`` unless ``given`` is a tuple of an address and a port."""
    require(name, given, tuple, "a tuple of an address and a port")
    pair = cast("tuple[object, ...]", given)
    if len(pair) != 2:
        raise LocalProtocolError(f"{name} is an address and a port, not {len(pair)} items")
    require(f"the address of {name}", pair[0], str, "a str")
    require(f"the port of {name}", pair[1], int, "an int")


def as_bytes(name: str, data: object) -> bytes:
    """Return ``data`` as ``bytes``; raise ``LocalProtocolError`` if it holds no octets."""
    # One line: the octets can be a password, and a traceback shows the variables of each line.
    return data if isinstance(data, bytes) else _copied(name, data)


def _copied(name: str, data: object) -> bytes:
    try:
        # bytes(5) would make five zeros.
        return bytes(memoryview(cast(Any, data)))
    except TypeError:
        kind = type(data).__name__
    raise LocalProtocolError(f"{name} is bytes, a bytearray or a memoryview, not {kind}")


def listed(what: str, given: object, kind: type[T] | tuple[type[Any], ...]) -> list[T]:
    """Return ``given`` as a list; raise ``LocalProtocolError`` unless each item is a ``kind``.

    ``what`` says what it should be, as in "messages are a list of bytes".
    """
    require_items(f"{what}, not a single", given)
    found: list[T] = []
    for each in cast("Iterable[object]", given):
        if not isinstance(each, kind):
            raise LocalProtocolError(f"{what}, and {type(each).__name__} is not one")
        found.append(cast(T, each))
    return found


def require_items(what: str, given: object) -> None:
    """Raise ``LocalProtocolError``, ``what`` and the type, if ``given`` is a text or no iterable.

    ``what`` says what it should be, as in "chunks are a list of bytes, not".
    """
    # The letters of a text would be taken for its items.
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise LocalProtocolError(f"{what} {type(given).__name__}")


def require_count(name: str, given: Any, least: int = 1) -> None:
    """Raise ``LocalProtocolError`` if ``given`` is not an int, or is below ``least``."""
    require(name, given, int, "an int")
    if given < least:
        raise LocalProtocolError(f"{name} is at least {least}, not {_number(given)}")


def require_seconds(name: str, given: Any, *, zero: bool, most: float = _LONGEST) -> None:
    """Raise ``LocalProtocolError`` if ``given`` is not a finite number of seconds up to ``most``.

    With ``zero``, it may be 0. More than the default of ``most`` is for time that nothing waits
    for, because not every operating system can wait so long.
    """
    require(name, given, (int, float), "a number of seconds")
    # NaN is not between any two numbers.
    if not 0 <= given < _INFINITE or (given == 0 and not zero):
        least = "0 or more" if zero else "more than 0"
        raise LocalProtocolError(
            f"{name} is a finite number of seconds, {least}, not {_number(given)}"
        )
    if given > most:
        raise LocalProtocolError(f"{name} is at most {most} seconds, not {_number(given)}")


def _number(given: Any) -> str:
    return f"{given}" if isinstance(given, float) or abs(given) < _SHOWN else "a larger number"


def require_path(name: str, given: Any) -> None:
    """Raise ``LocalProtocolError`` if ``given`` cannot be the path of a file.

    The functions of ``os`` would raise ``ValueError`` for some texts, which is not an ``OSError``.
    """
    require(name, given, (str, os.PathLike), "a path")
    try:
        possible = b"\0" not in os.fsencode(given)
    except UnicodeEncodeError:
        possible = False
    if not possible:
        raise LocalProtocolError(f"{name}: no file can have this path")
