"""Running coroutines that never suspend, for the generated blocking client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from ..errors import LocalProtocolError
from ..model.secret import Secret

__all__ = ["at_once", "run"]

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the value of a coroutine over a stream that never suspends."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    raise AssertionError("a blocking stream suspended")


def at_once(token: str | Secret | Callable[[], str]) -> Secret | Callable[[], str]:
    """Return an access token as a secret; wrap a function that returns one, so that it cannot be
    async.

    Raises ``LocalProtocolError`` for a function that is async: nothing here could run it.
    """
    if not callable(token):
        return Secret(token) if isinstance(token, str) else token
    get_token: Callable[[], object] = token

    def checked() -> Any:
        found = get_token()
        if isinstance(found, Coroutine):
            # It is never awaited, and need not warn about that.
            found.close()
        if isinstance(found, Awaitable):
            raise LocalProtocolError("the blocking client cannot wait for an async function")
        return found

    return checked
