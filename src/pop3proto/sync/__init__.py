"""Fetching mail so that none is lost and none is stored twice.

``Planner`` decides, without I/O, what to retrieve, store, remember and delete, and in which order.
"""

from .planner import Planner
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
    "Action",
    "Delete",
    "Discard",
    "Ended",
    "Outcome",
    "Planner",
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
]
