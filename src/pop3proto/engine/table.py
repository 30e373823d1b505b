"""The answers that fit a command, and the state after each, for both roles."""

from __future__ import annotations

from typing import Any

from ..model import replies
from ..model.command import Command, Effect
from ..model.commands import Extension
from ..model.login_commands import AuthCancel
from ..model.states import ReplyShape, State

_FITTING: dict[ReplyShape, tuple[type, ...]] = {
    ReplyShape.STATUS: (replies.Ok,),
    ReplyShape.DROP_LISTING: (replies.StatReply,),
    ReplyShape.SCAN_LISTING: (replies.ListReply,),
    ReplyShape.UNIQUE_ID_LISTING: (replies.UidlReply,),
    ReplyShape.LAST_MESSAGE: (replies.LastReply,),
    ReplyShape.AUTHENTICATION: (replies.Ok, replies.Challenge),
    ReplyShape.CAPABILITIES: (replies.CapaReply,),
    ReplyShape.LANGUAGE: (replies.LangReply,),
    ReplyShape.MECHANISMS: (replies.MechanismsReply,),
    ReplyShape.MESSAGE: (replies.MessageStart,),
}


def fitting_replies(command: Command[Any]) -> tuple[type, ...]:
    """Return the classes of the positive replies that a server may send to ``command``."""
    if isinstance(command, Extension):
        # A server cannot see from the line which form its client waits for.
        return replies.Ok, replies.MessageStart
    # RFC 5034 section 4: a cancellation is answered with -ERR.
    return () if isinstance(command, AuthCancel) else _FITTING[command.shape]


def state_after(state: State, command: Command[Any], reply: object) -> State:
    """Return the state that follows ``state`` once ``reply`` has answered ``command``."""
    if isinstance(reply, replies.Challenge):
        return State.AUTHENTICATING
    if command.effect is Effect.END:
        # RFC 1939 section 6: QUIT enters UPDATE from TRANSACTION only. Whatever the answer, the
        # server closes the connection.
        return State.UPDATE if state is State.TRANSACTION else State.CLOSED
    if isinstance(reply, replies.ErrorReply):
        # RFC 5034 section 4: an exchange that fails is over.
        return State.AUTHORIZATION if state is State.AUTHENTICATING else state
    return command.next_state or state
