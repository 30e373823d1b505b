"""What is known of a message, what is wanted, and the steps between them: immutable values."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, TypeAlias

from .._arguments import require
from .._value import options, value
from ..errors import LocalProtocolError
from ..model.capabilities import Capabilities
from ..model.listings import Listing

__all__ = [
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
]

DAY = 24 * 60 * 60
# Each group of messages costs a few writes to the disk and a round trip. The first ones are small,
# so that a connection that keeps breaking gets somewhere.
FIRST_GROUP, LARGEST_GROUP = 4, 1024
# Some servers round sizes up to this many octets.
_ROUNDED = 1024
# A server may count a last line end that it adds, or the terminator, or not.
_LAST_LINE_END = 2
_TERMINATOR = 5


class Standing(Enum):
    """What a record says about the messages on the server."""

    STORING = "storing"
    """Its message has arrived and lies in a draft, which is about to be stored, or has been."""
    KNOWN = "known"
    """Its message is stored, and its unique-id identifies it."""
    DOUBTED = "doubted"
    """Its message is stored, but only the content tells which message on the server it is: the
    server gave it no unique-id of its own, no longer lists it, or was asked to delete it."""
    DELETED = "deleted"
    """Its message is stored, and the server has confirmed the deletion."""


class Record(NamedTuple):
    """The durable record of one message that was stored."""

    key: int
    """The number of the record within its account."""
    octets: int
    """The size of the message as it came, in octets."""
    digest: bytes
    """The SHA-256 of the message as it came."""
    unique_id: bytes | None
    """The unique-id under which the server listed it; ``None`` if it had none of its own."""
    listed: int | None
    """The size that the server listed, in octets, or ``None``."""
    stored: float
    """When it was stored, in seconds since the epoch."""
    seen: float
    """When it was last seen on the server, for a record that is doubted or deleted."""
    standing: Standing = Standing.KNOWN
    fits: bool = True
    """True if line ends and rounding explain how ``listed`` and ``octets`` differ."""
    header: bool = False
    """True if only the header was retrieved, with TOP."""
    draft: str = ""
    """The name of the draft, as long as the message is not known to be stored."""


@options
class Policy:
    """Which messages are retrieved, and which of the stored ones are deleted from the server.

    By default all messages are retrieved and left on the server. If both ``delete_after`` and
    ``keep_newest`` are given, a message is deleted only if both allow it. Raises
    ``LocalProtocolError`` for a negative number.
    """

    delete_after: float | None = None
    """Delete a message this many days after it was stored; 0 means in the same session."""
    keep_newest: int | None = None
    """Delete all stored messages except this many of the newest on the server."""
    max_octets: int | None = None
    """Do not retrieve messages that the server lists as larger than this."""
    headers_only: bool = False
    """Retrieve only headers, with TOP; such messages are never deleted."""
    skip: Callable[[Listing], bool] | None = None
    """A function that returns true for a message that is not to be retrieved."""
    compare_sizes: bool = True
    """If true, a message is not deleted if its size differs from what the server listed by more
    than line ends and rounding explain. Some servers list sizes that are only estimates."""

    def __post_init__(self) -> None:
        for name in ("delete_after", "keep_newest", "max_octets"):
            number = getattr(self, name)
            if number is None:
                continue
            require(name, number, (int, float) if name == "delete_after" else int, "a number")
            # Written like this to refuse NaN, too.
            if not number >= 0:
                raise LocalProtocolError(f"{name} is 0 or more, not {number!r}")

    def deletes(self, stored: float, newer: int, now: float) -> bool:
        """Return ``True`` if a message is to be deleted.

        ``stored`` is the time when it was stored, in seconds, and ``newer`` how many messages on
        the server are newer.
        """
        if self.headers_only or (self.delete_after is None and self.keep_newest is None):
            return False
        if self.keep_newest is not None and newer < self.keep_newest:
            return False
        # The clock may have been set back since.
        return not self.delete_after or now - stored >= self.delete_after * DAY

    def retrieves(self, listing: Listing) -> bool:
        """Return ``True`` if a message that is not stored yet is to be retrieved."""
        if self.max_octets is not None and (listing.octets or 0) > self.max_octets:
            return False
        return self.skip is None or not self.skip(listing)


class Wanted(NamedTuple):
    """A message that is to be retrieved."""

    number: int
    octets: int | None
    """The size that the server lists, in octets, or ``None``."""
    header: bool = False
    """True if only the header is wanted: ``TOP`` with 0 lines."""


@value
class Retrieve:
    """Retrieve these messages, each into a draft, and report each as it is complete.

    Do it so that nothing is outstanding before and after, and read one more status line (that of
    NOOP) after the last of them. If that fails, do not report those whose end is in doubt; see
    ``Planner.give_up()``. If there is no room for all of them, leave some of them out, but not the
    first one: each of them is asked for once more, alone.
    """

    messages: tuple[Wanted, ...]


@value
class Remember:
    """Write these records and remove others, in one durable step.

    A record replaces the one with the same key.
    """

    records: tuple[Record, ...]
    forgotten: tuple[int, ...] = ()
    """The keys of the records to remove."""


@value
class Store:
    """Store these messages durably under their names: the drafts become messages.

    If a draft is no longer there, and the message neither, pass the record's key to
    ``Planner.leave_out()``.
    """

    records: tuple[Record, ...]


@value
class Discard:
    """Remove these drafts: their messages are stored already."""

    drafts: tuple[str, ...]


@value
class Delete:
    """Send DELE for these messages, and report those that the server refuses."""

    numbers: tuple[int, ...]


@value
class Quit:
    """Send QUIT, and report if it was confirmed."""


Action: TypeAlias = Retrieve | Remember | Store | Discard | Delete | Quit
"""What is to be done next."""


class Retrieved(NamedTuple):
    """A message has arrived completely, and its draft is on the disk."""

    number: int
    octets: int
    """Its size as it came."""
    lines: int
    """How many line ends it has."""
    digest: bytes
    """The SHA-256 of the message as it came."""
    draft: str = ""
    """The name of its draft; empty if the caller stores messages without drafts."""


class Refused(NamedTuple):
    """The server has refused to send a message, or to delete it."""

    number: int


class Ended(NamedTuple):
    """The session has ended."""

    confirmed: bool
    """True if the server has confirmed QUIT."""


Outcome: TypeAlias = Retrieved | Refused | Ended
"""What came of an action."""


def size_fits(listed: int | None, octets: int, lines: int) -> bool:
    """Return ``True`` if line ends and rounding explain the difference of two sizes.

    ``listed`` is the size that the server lists. Some servers count a line end as one octet, or
    count it twice, and some round up.
    """
    if not octets:
        # Nothing came: no rounding and no line end explains that.
        return listed == 0
    if listed is None:
        return True
    least, most = octets - lines - _LAST_LINE_END, octets + lines + _TERMINATOR
    if least <= listed <= most:
        return True
    return listed % _ROUNDED == 0 and listed - _ROUNDED < most <= listed + _ROUNDED


def seconds_to_next_poll(capabilities: Capabilities | None, every: float) -> float:
    """Return in how many seconds to look for mail again, if you want to do it ``every`` seconds.

    It is later if the server announces a LOGIN-DELAY (RFC 2449 section 6.5), and earlier if the
    server announces that it removes messages sooner (EXPIRE, RFC 2449 section 6.7).
    """
    require("every", every, (int, float), "a number of seconds")
    if capabilities is None:
        return every
    require("capabilities", capabilities, Capabilities, "a Capabilities")
    expire, delay = capabilities.expire, capabilities.login_delay
    if expire is not None and expire.days:
        # Twice in that time, so that one session may fail.
        every = min(every, expire.days * DAY / 2)
    return every if delay is None else max(every, float(delay.seconds))
