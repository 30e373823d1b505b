"""The quirks by their names; each is described in the module for its kind."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from itertools import combinations

from ..._arguments import listed
from ...errors import LocalProtocolError
from . import capabilities, framing, listings, logins, messages, status
from .row import Row

__all__ = ["Quirk", "consistent"]


class Quirk(Enum):
    """One way to misbehave; the value says what the server does.

    If several of them change the same line, they do so in the order of this list.
    """

    row: Row
    """The description of the quirk, and its functions."""
    _value_: str

    def __new__(cls, row: Row) -> Quirk:
        """Make the member that ``row`` describes."""
        member = object.__new__(cls)
        member._value_ = row.what
        member.row = row
        return member

    @property
    def seen(self) -> str:
        """The servers with which it was seen."""
        return self.row.seen

    @classmethod
    def named(cls, name: str) -> Quirk:
        """Return the quirk called ``name``: ``NO_CAPA``, or ``no-capa`` as on a command line.

        Raises ``LocalProtocolError``, which lists the names, if there is none.
        """
        names = {quirk.name.lower().replace("_", "-"): quirk for quirk in cls}
        found = names.get(name) or cls.__members__.get(name)
        if found is None:
            raise LocalProtocolError(
                f"no quirk is called {name!r}; a quirk is one of {', '.join(names)}"
            )
        return found

    CR_IN_MAIL = framing.CR_IN_MAIL
    NUL_IN_MAIL = framing.NUL_IN_MAIL
    LONG_LINE_IN_MAIL = framing.LONG_LINE_IN_MAIL
    BARE_LF = framing.BARE_LF
    NO_FINAL_NEWLINE = framing.NO_FINAL_NEWLINE
    NO_DOT_STUFFING = framing.NO_DOT_STUFFING
    SOME_DOT_STUFFING = framing.SOME_DOT_STUFFING
    BLANK_LINES = framing.BLANK_LINES
    SECOND_REPLY = framing.SECOND_REPLY
    SECOND_END = framing.SECOND_END
    SPLIT_PACKETS = framing.SPLIT_PACKETS
    NO_SPLIT_COMMANDS = framing.NO_SPLIT_COMMANDS

    ERROR_GREETING = status.ERROR_GREETING
    IMAP_GREETING = status.IMAP_GREETING
    SMTP_GREETING = status.SMTP_GREETING
    MALFORMED_TIMESTAMP = status.MALFORMED_TIMESTAMP
    SECOND_TIMESTAMP = status.SECOND_TIMESTAMP
    PLUS_ERR = status.PLUS_ERR
    BARE_AUTH_SUCCESS = status.BARE_AUTH_SUCCESS
    BARE_STATUS = status.BARE_STATUS
    TRAILING_SPACES = status.TRAILING_SPACES
    LOWER_CASE_STATUS = status.LOWER_CASE_STATUS
    NUL_STATUS = status.NUL_STATUS
    NOT_A_STATUS = status.NOT_A_STATUS
    CLOSES_WHEN_IDLE = status.CLOSES_WHEN_IDLE
    NO_STAT = status.NO_STAT

    NO_CAPA = capabilities.NO_CAPA
    MECHANISMS_BY_AUTH = capabilities.MECHANISMS_BY_AUTH
    CLOSES_ON_CAPA = capabilities.CLOSES_ON_CAPA
    HIDDEN_UNTIL_LOGIN = capabilities.HIDDEN_UNTIL_LOGIN
    HIDDEN_CAPABILITIES = capabilities.HIDDEN_CAPABILITIES
    HIDDEN_STLS = capabilities.HIDDEN_STLS
    HIDDEN_MECHANISMS = capabilities.HIDDEN_MECHANISMS
    FORGOTTEN_CAPABILITIES = capabilities.FORGOTTEN_CAPABILITIES
    MISSPELT_CAPABILITY = capabilities.MISSPELT_CAPABILITY
    REPEATED_CAPABILITIES = capabilities.REPEATED_CAPABILITIES
    ODD_CAPABILITIES = capabilities.ODD_CAPABILITIES
    BLANK_CAPABILITY = capabilities.BLANK_CAPABILITY
    NON_ASCII_CAPABILITY = capabilities.NON_ASCII_CAPABILITY
    LOWER_CASE_CAPABILITIES = capabilities.LOWER_CASE_CAPABILITIES
    REVERSED_CAPABILITIES = capabilities.REVERSED_CAPABILITIES
    SHUFFLED_CAPABILITIES = capabilities.SHUFFLED_CAPABILITIES
    NO_CAPABILITIES = capabilities.NO_CAPABILITIES

    PROSE_CHALLENGES = logins.PROSE_CHALLENGES
    ONLY_PROSE_CHALLENGES = logins.ONLY_PROSE_CHALLENGES
    BARE_CHALLENGES = logins.BARE_CHALLENGES
    OK_CHALLENGES = logins.OK_CHALLENGES
    LOGIN_PROMPTS = logins.LOGIN_PROMPTS
    SUPERFLUOUS_CHALLENGE = logins.SUPERFLUOUS_CHALLENGE
    NO_LAST_RESPONSE = logins.NO_LAST_RESPONSE
    NO_INITIAL_RESPONSE = logins.NO_INITIAL_RESPONSE
    TWO_STEP_XOAUTH2 = logins.TWO_STEP_XOAUTH2
    SHORT_TOKENS = logins.SHORT_TOKENS
    NO_TOKENS = logins.NO_TOKENS
    LOCKED_IN_PROSE = logins.LOCKED_IN_PROSE
    LOGIN_IN_USE = logins.LOGIN_IN_USE
    LOGIN_DELAY = logins.LOGIN_DELAY
    LOGIN_SYS_TEMP = logins.LOGIN_SYS_TEMP
    LOGIN_SYS_PERM = logins.LOGIN_SYS_PERM
    LOGIN_AUTH = logins.LOGIN_AUTH
    SLOW_REFUSALS = logins.SLOW_REFUSALS
    SLOW_LOGINS = logins.SLOW_LOGINS
    CLOSES_ON_FAILED_LOGIN = logins.CLOSES_ON_FAILED_LOGIN

    WRONG_COUNT = listings.WRONG_COUNT
    SKIPPED_NUMBERS = listings.SKIPPED_NUMBERS
    REVERSED_LISTINGS = listings.REVERSED_LISTINGS
    NUMBERS_FROM_ZERO = listings.NUMBERS_FROM_ZERO
    HUGE_NUMBERS = listings.HUGE_NUMBERS
    NEGATIVE_SIZES = listings.NEGATIVE_SIZES
    HUGE_SIZES = listings.HUGE_SIZES
    WORDY_SIZES = listings.WORDY_SIZES
    SMALL_SIZES = listings.SMALL_SIZES
    ROUNDED_SIZES = listings.ROUNDED_SIZES
    LISTING_TEXT = listings.LISTING_TEXT
    NO_UIDL = listings.NO_UIDL
    MISSING_UNIQUE_IDS = listings.MISSING_UNIQUE_IDS
    DUPLICATE_UNIQUE_IDS = listings.DUPLICATE_UNIQUE_IDS
    MALFORMED_UNIQUE_IDS = listings.MALFORMED_UNIQUE_IDS
    LONG_UNIQUE_IDS = listings.LONG_UNIQUE_IDS
    NON_ASCII_UNIQUE_IDS = listings.NON_ASCII_UNIQUE_IDS
    SPACED_LISTINGS = listings.SPACED_LISTINGS
    INDENTED_LISTINGS = listings.INDENTED_LISTINGS
    NO_EMPTY_LISTINGS = listings.NO_EMPTY_LISTINGS

    NEEDS_UTF8 = messages.NEEDS_UTF8
    RETR_MARKS = messages.RETR_MARKS
    TRUNCATED_TOP = messages.TRUNCATED_TOP
    RETR_DELETES = messages.RETR_DELETES
    RETR_HIDES = messages.RETR_HIDES
    REFUSED_MESSAGE = messages.REFUSED_MESSAGE
    CLOSES_ON_PIPELINING = messages.CLOSES_ON_PIPELINING
    PIPELINED_BACKWARDS = messages.PIPELINED_BACKWARDS
    PIPELINED_MIXED = messages.PIPELINED_MIXED
    CLOSES_BEFORE_QUIT = messages.CLOSES_BEFORE_QUIT
    SILENT_QUIT = messages.SILENT_QUIT
    CLOSES_ON_QUIT = messages.CLOSES_ON_QUIT


def consistent(quirks: Iterable[Quirk | str]) -> frozenset[Quirk]:
    """Return quirks, which can be given by name, as a set.

    Raises ``LocalProtocolError`` if two of them contradict each other, if a name is unknown, and
    for a single name, whose letters would be taken for names.
    """
    given: list[Quirk | str] = listed("quirks are a set or a list", quirks, (Quirk, str))
    chosen = frozenset(each if isinstance(each, Quirk) else Quirk.named(each) for each in given)
    ordered = sorted(chosen, key=lambda quirk: quirk.name)
    rivals = {
        quirk.name
        for pair in combinations(ordered, 2)
        if pair[0].row.places & pair[1].row.places
        for quirk in pair
    }
    if rivals:
        raise LocalProtocolError(f"these quirks contradict each other: {', '.join(sorted(rivals))}")
    return chosen
