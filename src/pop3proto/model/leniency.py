"""Faults of a peer that can be tolerated, the setting for that, and the event that reports one."""

from __future__ import annotations

from enum import Enum, unique
from typing import TYPE_CHECKING, Any

from .._arguments import listed
from .._value import value
from ..errors import printable

if TYPE_CHECKING:
    from .command import Command


@unique
class Fault(Enum):
    """A way in which real peers break the RFCs without leaving any doubt about what they mean."""

    BARE_LF = "line ended by LF alone"
    """In a status line, or in a command. Only the body after such a status line may use LF, too."""
    BLANK_LINE = "blank line between replies"
    STATUS_INDICATOR_CASE = "status indicator not in upper case"
    UNSTUFFED_DOT = "line of a body begins with a single dot"
    """The line is kept unchanged (RFC 1939 section 3 demands that the dot is doubled)."""
    MALFORMED_TIMESTAMP = "timestamp in the greeting is not a msg-id"
    """The greeting shows angle brackets, but no RFC 822 msg-id in them; APOP is unavailable."""
    UNUSABLE_SIZE = "size is not a number"
    """A size is negative, too long, or not a number; it is reported as ``None``."""
    LISTING_SPACING = "listing fields separated by more than one space"
    MISSING_UNIQUE_ID = "unique-id listing without a unique-id"
    DUPLICATE_UNIQUE_ID = "same unique-id twice in one listing"
    MALFORMED_UNIQUE_ID = "unique-id with octets that RFC 1939 forbids, or too long"
    REPEATED_CAPABILITY = "capability listed more than once"
    MALFORMED_CAPABILITY = "capability line blank or not ASCII"
    OK_CHALLENGE = "AUTH challenge introduced by +OK"
    UNDECODABLE_CHALLENGE = "AUTH challenge is not base64"
    EIGHT_BIT_COMMAND = "8-bit octets in a command without UTF8"
    """In the server's role: RFC 6856 section 2 demands UTF8 first."""


@value
class Leniency:
    """The faults that are tolerated, by default all; the others raise ``RemoteProtocolError``.

    ``Leniency.none()`` tolerates none, ``Leniency().refusing(Fault.BARE_LF)`` all but one.
    """

    tolerated: frozenset[Fault] = frozenset(Fault)

    def __post_init__(self) -> None:
        tolerated = frozenset(listed("tolerated are members of Fault", self.tolerated, Fault))
        object.__setattr__(self, "tolerated", tolerated)

    @classmethod
    def none(cls) -> Leniency:
        """Return the leniency that tolerates no fault."""
        return cls(frozenset())

    def __contains__(self, fault: object) -> bool:
        return fault in self.tolerated

    def refusing(self, *faults: Fault) -> Leniency:
        """Return the same leniency without ``faults``."""
        return Leniency(self.tolerated - set(listed("faults are members of Fault", faults, Fault)))

    def tolerating(self, *faults: Fault) -> Leniency:
        """Return the same leniency with ``faults`` as well."""
        return Leniency(self.tolerated.union(faults))


@value
class Deviation:
    """An event: the peer committed a fault that was tolerated.

    It comes before the event of the reply (or of the piece of a body) in which it was seen.
    """

    fault: Fault
    command: Command[Any] | None = None
    """The command whose answer shows the fault; ``None`` for a greeting or in the server's role."""
    sample: bytes = b""
    """The first offending line, cut after 200 octets; empty if it is a line of mail or may hold a
    secret."""
    count: int = 1
    """How often the fault was seen in this reply, or in this piece of a body."""

    def __str__(self) -> str:
        where = f" at {self.command!r}" if self.command is not None else ""
        what = f": {printable(self.sample)}" if self.sample else ""
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{self.fault.value}{where}{what}{times}"
