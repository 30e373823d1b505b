"""Running coroutines that never suspend, for the generated blocking client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import LocalProtocolError
from ..model.secret import Secret

if TYPE_CHECKING:
    from ..sasl.login_flows import TokenSource
    from ..sasl.results import RefusedToken

__all__ = ["at_once", "run"]

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the value of a coroutine over a stream that never suspends.

    Raises ``LocalProtocolError`` if it does suspend: nothing here could wake it again.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    coroutine.close()
    raise LocalProtocolError(
        "the blocking client cannot wait for a stream, or an opener, that needs an event loop"
    )


def at_once(token: str | Secret | TokenSource) -> Secret | TokenSource:
    """Return an access token as a secret, or a function that returns one.

    An async function cannot run here: calling it raises ``LocalProtocolError``.
    """
    # A wrong type is refused later, when no frame holds the token.
    token = token if callable(token) else Secret(token)
    if isinstance(token, Secret):
        return token
    get_token: Callable[[RefusedToken | None], object] = token

    def checked(refused: RefusedToken | None) -> Any:
        found = get_token(refused)
        if isinstance(found, Coroutine):
            # Closed, because otherwise Python would warn that it was never awaited.
            found.close()
        if isinstance(found, Awaitable):
            raise LocalProtocolError("the blocking client cannot wait for an async function")
        return found

    return checked
