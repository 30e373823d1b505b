"""What a session has done, as far as all ways to fetch tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .values import Record

if TYPE_CHECKING:
    from ..errors import CommandError
    from .conversation import Conversation

__all__ = ["Results"]


class Results:
    """Properties that are read during a session, and after it."""

    def __init__(self, session: Conversation) -> None:
        self._session = session

    @property
    def refused(self) -> dict[int, CommandError]:
        """The messages that the server refused to send or to delete, by number."""
        return self._session.refused

    @property
    def misfits(self) -> dict[int, Record]:
        """The messages that were not deleted because of their size, by number."""
        return {} if self._session.planner is None else self._session.planner.misfits

    @property
    def deletions(self) -> int:
        """How many messages were marked as deleted."""
        return self._session.deletions

    @property
    def confirmed(self) -> bool:
        """True if the server has confirmed QUIT, so that the deletions are made."""
        return self._session.confirmed
