"""The points at which somebody can look on, or interfere, while a session runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model.commands import Command
from ..model.events import InvalidCommand

if TYPE_CHECKING:
    from .session import ServerSession

__all__ = ["Hooks"]


class Hooks:
    """What a ``ServerSession`` calls while it runs; override what you need, the rest does nothing.

    Each method gets the session, so that one object can serve many sessions.
    """

    def received(self, session: ServerSession, event: Command[Any] | InvalidCommand) -> None:
        """Look at what the client has sent, before it is answered."""
