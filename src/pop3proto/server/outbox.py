"""The actions that a session asks for, with the parts of a short message in one piece."""

from __future__ import annotations

from collections import deque

from .actions import Action, Send
from .maildrop import CHUNK

__all__ = ["TOGETHER", "Outbox"]

TOGETHER = 16 * 1024
"""How many octets of an answer are put together. More would only take memory while they wait for a
client that does not read."""


class Outbox:
    """What a session has to do next, in this order."""

    def __init__(self) -> None:
        self.actions: deque[Action] = deque()
        """The actions that are due."""
        # The beginning of an answer, after these actions. Not a list of its parts, because a
        # maildrop may return them an octet at a time.
        self._begun = bytearray()

    def answer(self, octets: bytes, *, more: bool) -> None:
        """Send the next octets of an answer; ``more`` says that it goes on after them."""
        begun = self._begun
        if begun or (more and len(octets) < TOGETHER):
            begun += octets
            if more and len(begun) < TOGETHER:
                return
            octets = bytes(begun)
            begun.clear()
        if 0 < len(octets) <= CHUNK:
            self.actions.append(Send(octets))
        else:
            self._cut(octets)

    def act(self, action: Action) -> None:
        """Do ``action`` after everything that came before."""
        if self._begun:
            self.answer(b"", more=False)
        if isinstance(action, Send) and not 0 < len(action.data) <= CHUNK:
            self._cut(action.data)
        else:
            self.actions.append(action)

    def _cut(self, data: bytes) -> None:
        self.actions.extend(Send(data[i : i + CHUNK]) for i in range(0, len(data), CHUNK))

    def clear(self) -> None:
        """Forget everything."""
        self.actions.clear()
        self._begun.clear()
