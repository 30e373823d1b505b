"""Hooks that can watch a running session, or interfere with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ..model.command import Command
from ..model.events import InvalidCommand
from ..model.replies import ErrorReply, ServerReply
from ..sasl.users import ServerMechanism
from .actions import Action, Close, Send

if TYPE_CHECKING:
    from .session import ServerSession

__all__ = ["Hooks", "overridden"]


class Hooks:
    """The methods that a ``ServerSession`` calls at the points where a server can differ.

    Override the ones that you need; those of this class change nothing. Each one gets the session,
    and may call its public methods.
    """

    def offered(
        self, session: ServerSession, mechanisms: Iterable[ServerMechanism]
    ) -> Iterable[ServerMechanism]:
        """Return the mechanisms of AUTH to offer in place of ``mechanisms``, the best first."""
        return mechanisms

    def arrived(self, session: ServerSession, data: bytes) -> bytes | None:
        """Return the octets to use in place of ``data``, which arrived; ``None`` closes."""
        return data

    def received(
        self, session: ServerSession, event: Command[Any] | InvalidCommand
    ) -> ErrorReply | Close | None:
        """Look at what the client has sent, before it is answered.

        Return ``None`` to have it answered as usual, an ``ErrorReply`` to refuse it, or ``Close``
        to close the connection.
        """
        return None

    def login(
        self, session: ServerSession, command: Command[Any], user: str | None
    ) -> ErrorReply | None:
        """Look at the result of a login: the user who logged in, or ``None`` if it failed.

        Return ``None`` to go on as usual, or an ``ErrorReply`` to refuse ``user`` in spite of it.
        """
        return None

    def sending(self, session: ServerSession, reply: ServerReply, data: bytes) -> Iterable[Action]:
        """Return the actions that send ``reply``, whose wire form is ``data``.

        A ``Close`` among them ends the session. A body is several replies: ``MessageStart``,
        ``MessageData`` for each piece, ``MessageEnd``.
        """
        return (Send(data),)

    def waiting(self, session: ServerSession) -> Iterable[Action]:
        """Return actions to add when everything received is answered, or the session ends."""
        return ()

    def deleting(self, session: ServerSession, numbers: frozenset[int]) -> frozenset[int]:
        """Return the numbers of the messages that QUIT removes in place of ``numbers``."""
        return numbers


def overridden(hooks: Hooks, name: str) -> Callable[..., Any] | None:
    """Return the method of ``hooks`` with this name, or ``None`` if it is that of ``Hooks``."""
    method: Callable[..., Any] = getattr(hooks, name)
    return None if getattr(method, "__func__", None) is getattr(Hooks, name) else method
