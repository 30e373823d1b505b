"""Which mechanisms a server offers, where that can depend on the client's TLS connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

from ..server import ServerMechanism, ServerSession

if TYPE_CHECKING:
    import ssl

__all__ = ["Mechanisms", "Offer"]

Mechanisms: TypeAlias = (
    "Iterable[ServerMechanism] | Callable[[ssl.SSLObject | None], Iterable[ServerMechanism]] | None"
)
"""Those of all connections, or a function from a TLS connection to its; ``None``: PLAIN alone."""


class Offer:
    """``mechanisms``, as a session is told of them."""

    def __init__(self, mechanisms: Mechanisms) -> None:
        # An iterator would be used up by the first session.
        self._mechanisms = (
            mechanisms if mechanisms is None or callable(mechanisms) else tuple(mechanisms)
        )

    def in_the_clear(self) -> Iterable[ServerMechanism] | None:
        """What a new session offers."""
        return self._mechanisms(None) if callable(self._mechanisms) else self._mechanisms

    def under_tls(self, session: ServerSession, tls: ssl.SSLObject) -> None:
        """Have ``session`` offer what belongs to its TLS connection."""
        if callable(self._mechanisms):
            session.offer(self._mechanisms(tls))
