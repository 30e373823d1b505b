"""Fetching mail so that none is lost and none is stored twice.

``Planner`` decides, without I/O, what to retrieve, store, remember and delete, and in which order.
``State`` remembers it, ``FileFolder``, ``Maildir`` and ``Mbox`` store messages, and ``Fetching``
does all of it with the blocking client. Parts that a program does not use are not loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import loads_when_asked

if TYPE_CHECKING:
    from .confirming import AsyncNewMessages, NewMessage, NewMessages, Records, fetch_new
    from .delivery import Delivery, Draft
    from .fetching import Fetching
    from .folder import FileFolder
    from .maildir import Maildir
    from .mbox import Mbox, MboxInUseError
    from .planner import Planner
    from .state import Account, AccountInUseError, State, StateError
    from .values import (
        Action,
        Delete,
        Discard,
        Ended,
        Outcome,
        Policy,
        Quit,
        Record,
        Refused,
        Remember,
        Retrieve,
        Retrieved,
        Standing,
        Store,
        Wanted,
        seconds_to_next_poll,
    )

__all__ = [
    "Account",
    "AccountInUseError",
    "Action",
    "AsyncNewMessages",
    "Delete",
    "Delivery",
    "Discard",
    "Draft",
    "Ended",
    "Fetching",
    "FileFolder",
    "Maildir",
    "Mbox",
    "MboxInUseError",
    "NewMessage",
    "NewMessages",
    "Outcome",
    "Planner",
    "Policy",
    "Quit",
    "Record",
    "Records",
    "Refused",
    "Remember",
    "Retrieve",
    "Retrieved",
    "Standing",
    "State",
    "StateError",
    "Store",
    "Wanted",
    "fetch_new",
    "seconds_to_next_poll",
]

_HOMES = {
    "confirming": ("AsyncNewMessages", "NewMessage", "NewMessages", "Records", "fetch_new"),
    "delivery": ("Delivery", "Draft"),
    "fetching": ("Fetching",),
    "folder": ("FileFolder",),
    "maildir": ("Maildir",),
    "mbox": ("Mbox", "MboxInUseError"),
    "planner": ("Planner",),
    "state": ("Account", "AccountInUseError", "State", "StateError"),
    "values": (
        "Action",
        "Delete",
        "Discard",
        "Ended",
        "Outcome",
        "Policy",
        "Quit",
        "Record",
        "Refused",
        "Remember",
        "Retrieve",
        "Retrieved",
        "Standing",
        "Store",
        "Wanted",
        "seconds_to_next_poll",
    ),
}

# Or every name would be there for a type checker.
if not TYPE_CHECKING:  # pragma: no branch
    __getattr__, __dir__ = loads_when_asked(__name__, _HOMES)
