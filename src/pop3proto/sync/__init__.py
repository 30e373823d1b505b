"""Fetching mail so that none is lost and none is stored twice.

``Planner`` decides, without I/O, what to retrieve, store, remember and delete, and in which order.
``State`` remembers it, ``FileFolder``, ``Maildir``, ``Mbox``, ``Mda`` and ``Lmtp`` store
messages or hand them over, and ``Fetching`` does all of it with the blocking client. ``fetch_many``
does it for many accounts. Parts that a program does not use are not loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import loads_when_asked

if TYPE_CHECKING:
    from .confirming import AsyncNewMessages, NewMessage, NewMessages, Records, fetch_new
    from .delivery import Delivery, DeliveryError, Draft
    from .fetching import Fetching
    from .folder import FileFolder
    from .lmtp import Lmtp
    from .maildir import Maildir
    from .many import AsyncResults, fetch_many, fetch_many_async
    from .mbox import Mbox, MboxInUseError
    from .mda import Mda
    from .planner import Planner
    from .schedule import AccountResult
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
    "AccountResult",
    "Action",
    "AsyncNewMessages",
    "AsyncResults",
    "Delete",
    "Delivery",
    "DeliveryError",
    "Discard",
    "Draft",
    "Ended",
    "Fetching",
    "FileFolder",
    "Lmtp",
    "Maildir",
    "Mbox",
    "MboxInUseError",
    "Mda",
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
    "fetch_many",
    "fetch_many_async",
    "fetch_new",
    "seconds_to_next_poll",
]

_HOMES = {
    "mda": ("Mda",),
    "confirming": ("AsyncNewMessages", "NewMessage", "NewMessages", "Records", "fetch_new"),
    "delivery": ("Delivery", "DeliveryError", "Draft"),
    "fetching": ("Fetching",),
    "folder": ("FileFolder",),
    "lmtp": ("Lmtp",),
    "maildir": ("Maildir",),
    "many": ("AsyncResults", "fetch_many", "fetch_many_async"),
    "mbox": ("Mbox", "MboxInUseError"),
    "planner": ("Planner",),
    "schedule": ("AccountResult",),
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
