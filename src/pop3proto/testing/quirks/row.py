"""A quirk in a row: what the server does, which servers do it, and the functions that do it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict, Unpack

from ...model.command import Command
from ...model.replies import ErrorReply, ServerReply
from ...sasl.users import ServerMechanism
from ...server.actions import Action

__all__ = ["Row", "Situation", "Stages"]


class Situation:
    """Facts about a session that quirks need, some of which they set for each other."""

    def __init__(self, connection: int) -> None:
        self.connection = connection
        """A number that is different at each connection."""
        self.logged_in = False
        self.utf8 = False
        """True after UTF8 was granted."""
        self.retrieved: set[int] = set()
        """The numbers of the messages that were retrieved."""
        self.pieces = False
        """True if the octets that have just come began or ended within a line."""
        self.mixing = False
        """True while answers are held back, to be mixed."""
        self.refused = False
        """True after a login that was refused, until the next one succeeds."""
        self.delay: float = 0.0
        """Seconds to wait before the next answer."""


class Stages(TypedDict, total=False):
    """The points at which a quirk can have a function; all lines are without their ends."""

    mechanism: Callable[[ServerMechanism], ServerMechanism]
    """Changes a mechanism of AUTH."""
    tokens: bool
    """True if the mechanisms of access tokens have to be there."""
    arrives: Callable[[bytes, Situation], bytes | None]
    """Changes octets that have come; ``None`` closes the connection."""
    hangs_up: Callable[[Command[Any]], bool]
    """Says which commands end the session."""
    refuses: Callable[[Command[Any], Situation], bool | str]
    """Says which commands are refused, perhaps with a reason."""
    login: Callable[[Command[Any], str | None, Situation], ErrorReply | None]
    """Sees who has logged in, ``None`` if a login failed, and may refuse it."""
    replaces: Callable[[bytes, ServerReply], bytes]
    """Changes the octets of a whole answer."""
    status: Callable[[bytes, ServerReply], bytes]
    """Changes a status line."""
    count: Callable[[int], int]
    """Changes the number of messages in the answer to STAT."""
    listed: Callable[[list[bytes], Situation], list[bytes]]
    """Changes the lines of the answer to LIST or UIDL, before all that follows here."""
    number: Callable[[int], int]
    """Changes a message number in a listing."""
    size: Callable[[bytes], bytes]
    """Changes a size in a listing."""
    unique_id: Callable[[bytes], bytes]
    """Changes a unique-id in a listing; an empty one is left out."""
    row: Callable[[bytes], bytes]
    """Changes a whole line of a listing."""
    capabilities: Callable[[list[bytes], Situation], list[bytes]]
    """Changes the lines of the answer to CAPA."""
    mechanisms: Callable[[list[bytes]], list[bytes]]
    """Changes the lines of the answer to AUTH without an argument."""
    mail: Callable[[list[bytes], Command[Any], Situation], list[bytes]]
    """Changes the lines of a message, in which dots are doubled as they should be."""
    answer: Callable[[list[bytes], ServerReply], list[bytes]]
    """Changes the lines of a whole answer, or, before mail, its status line."""
    newline: bytes
    """Ends every line."""
    after_mail: Callable[[list[bytes], Command[Any]], list[bytes]]
    """Changes the last line of mail and the dot, each with its end."""
    goes_on: Callable[[ServerReply], bool]
    """Says after which challenges the server goes on at once, as if an empty line had answered
    them."""
    closes: Callable[[ServerReply], bool]
    """Says after which replies the server closes."""
    quits: tuple[Action, ...]
    """Takes the place of the answer to QUIT."""
    packet: int
    """The number of octets in each packet."""
    deletes: Callable[[frozenset[int], Situation], frozenset[int]]
    """Changes which messages QUIT removes."""


class Row:
    """The description of a quirk, and its functions.

    ``places`` are words for the parts of the session that only one quirk can change: two quirks
    that have one in common contradict each other.
    """

    def __init__(self, what: str, seen: str, places: str = "", **stages: Unpack[Stages]) -> None:
        self.what = what
        """The behaviour, as it follows the words "the server"."""
        self.seen = seen
        """The servers that do it."""
        self.places: frozenset[str] = frozenset(places.split())
        self.stages = stages
