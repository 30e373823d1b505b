"""What a server can do wrong on purpose, and what cannot be had together."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, unique

__all__ = ["Quirk", "consistent"]


@unique
class Quirk(Enum):
    """One way to misbehave; the value says what the server does."""

    @classmethod
    def named(cls, name: str) -> Quirk:
        """The quirk that is called ``name``: ``NO_CAPA``, or ``no-capa`` as on a command line.

        Raises ``ValueError``, which lists the names, if there is none.
        """
        names = {quirk.name.lower().replace("_", "-"): quirk for quirk in cls}
        found = names.get(name) or cls.__members__.get(name)
        if found is None:
            raise ValueError(f"no quirk is called {name!r}; a quirk is one of {', '.join(names)}")
        return found

    BARE_LF = "ends every line with LF alone, as small UNIX servers do"
    NO_FINAL_NEWLINE = "puts the final dot right behind the last line of a body"
    NO_DOT_STUFFING = "sends lines of mail that begin with a dot as they are"
    SOME_DOT_STUFFING = "doubles the dot of every second line of mail that begins with one"
    BLANK_LINES = "puts a blank line before each answer"
    SECOND_REPLY = "answers DELE twice"
    SECOND_END = "ends the answer to TOP twice"
    SPLIT_PACKETS = "sends each octet by itself"
    NO_SPLIT_COMMANDS = "closes when a command comes in pieces"
    CR_IN_MAIL = "has a line with bare CRs at the end of each message"
    NUL_IN_MAIL = "has a line with NULs at the end of each message"
    LONG_LINE_IN_MAIL = "has a line of 120,000 octets at the end of each message"
    BARE_STATUS = "sends status lines without any text"
    TRAILING_SPACES = "has spaces at the end of its status lines"
    NUL_STATUS = "has a NUL in its answer to NOOP"
    LOWER_CASE_STATUS = "writes the status indicator in lower case"
    PLUS_ERR = "writes +ERR where -ERR belongs"
    ERROR_GREETING = "greets with -ERR and closes"
    IMAP_GREETING = "speaks IMAP on this port"
    SMTP_GREETING = "speaks SMTP on this port"
    NO_STAT = "refuses STAT, as if the last login was too recent"
    WRONG_COUNT = "counts one message more in STAT than LIST has"
    NO_CAPA = "knows neither CAPA nor an AUTH that lists the mechanisms"
    CLOSES_ON_CAPA = "closes on CAPA"
    MECHANISMS_BY_AUTH = "knows no CAPA, but lists its mechanisms for a bare AUTH"
    NO_CAPABILITIES = "answers CAPA with an empty list"
    REPEATED_CAPABILITIES = "lists each capability twice"
    BLANK_CAPABILITY = "has a blank line among its capabilities"
    NON_ASCII_CAPABILITY = "has a capability of other octets than ASCII"
    ODD_CAPABILITIES = "adds EXPIRE and LOGIN-DELAY for each user, and an unknown capability"
    REVERSED_CAPABILITIES = "lists its capabilities in another order"
    SHUFFLED_CAPABILITIES = "lists its capabilities in another order at each connection"
    LOWER_CASE_CAPABILITIES = "writes its capabilities in lower case"
    HIDDEN_UNTIL_LOGIN = "says nothing of TOP, UIDL and PIPELINING before the login"
    HIDDEN_CAPABILITIES = "never says anything of TOP, UIDL and PIPELINING"
    HIDDEN_STLS = "knows STLS, but does not advertise it"
    HIDDEN_MECHANISMS = "knows mechanisms of AUTH, but does not advertise them"
    FORGOTTEN_CAPABILITIES = "says nothing of USER, SASL and UTF8 behind the login"
    MISSPELT_CAPABILITY = "advertises PIPELINE and EXPIRENEVER, glued or misspelt"
    CLOSES_ON_FAILED_LOGIN = "closes behind a refused AUTH, APOP or PASS"
    SLOW_REFUSALS = "takes five seconds to refuse a password"
    SLOW_LOGINS = "takes eight seconds for a login that follows a refused one"
    OK_CHALLENGES = "writes +OK before its challenges"
    PROSE_CHALLENGES = "writes prose where an empty challenge belongs"
    ONLY_PROSE_CHALLENGES = "writes prose in place of every challenge"
    BARE_CHALLENGES = "sends an empty challenge as + without its space"
    LOGIN_PROMPTS = "answers AUTH PLAIN with what LOGIN asks first"
    BARE_AUTH_SUCCESS = "ends AUTH with a bare +OK"
    NO_INITIAL_RESPONSE = "refuses AUTH with an initial response"
    TWO_STEP_XOAUTH2 = "refuses XOAUTH2 with an access token on its line"
    SHORT_TOKENS = "refuses access tokens of more than 4,096 octets"
    NO_TOKENS = "refuses every access token, and says why in JSON"
    SUPERFLUOUS_CHALLENGE = "wants an empty response when a login with AUTH is complete"
    NO_LAST_RESPONSE = "does not wait for the empty response that ends SCRAM and DIGEST-MD5"
    LOCKED_IN_PROSE = "refuses a login since the maildrop is locked, in prose only"
    LOGIN_IN_USE = "refuses a login with the code IN-USE"
    LOGIN_DELAY = "refuses a login with the code LOGIN-DELAY"
    LOGIN_SYS_TEMP = "refuses a login with the code SYS/TEMP"
    LOGIN_SYS_PERM = "refuses a login with the code SYS/PERM"
    LOGIN_AUTH = "refuses every login with the code AUTH"
    MALFORMED_TIMESTAMP = "greets with angle brackets that hold no msg-id"
    SECOND_TIMESTAMP = "greets with a stale timestamp before the one that counts"
    SPACED_LISTINGS = "sets the fields of listings apart by several spaces"
    INDENTED_LISTINGS = "has spaces at the beginning of what it lists"
    NUMBERS_FROM_ZERO = "numbers the messages of its listings from 0"
    HUGE_NUMBERS = "numbers the messages of its listings from 2,147,483,648"
    LISTING_TEXT = "has text behind the sizes of a listing"
    SKIPPED_NUMBERS = "leaves message 1 out of its listings"
    NO_EMPTY_LISTINGS = "refuses LIST and UIDL if there is no message"
    MISSING_UNIQUE_IDS = "lists messages without their unique-ids"
    DUPLICATE_UNIQUE_IDS = "gives every message the same unique-id"
    MALFORMED_UNIQUE_IDS = "has spaces in its unique-ids"
    LONG_UNIQUE_IDS = "has unique-ids of more than 70 octets"
    NON_ASCII_UNIQUE_IDS = "has unique-ids of other octets than ASCII"
    REVERSED_LISTINGS = "lists the last message first"
    NEGATIVE_SIZES = "lists sizes of -1"
    HUGE_SIZES = "lists sizes of 25 digits"
    WORDY_SIZES = "lists sizes that are no numbers"
    SMALL_SIZES = "lists half of the octets that it sends"
    ROUNDED_SIZES = "lists sizes that are rounded up to 1,024 octets"
    NO_UIDL = "does not know UIDL"
    REFUSED_MESSAGE = "refuses RETR of message 1 and of no other"
    TRUNCATED_TOP = "sends one line of a message for TOP"
    RETR_DELETES = "deletes what was retrieved, as soon as the client quits"
    RETR_HIDES = "leaves what was retrieved out of its listings"
    RETR_MARKS = "adds a field to the header of a message that was retrieved before"
    NEEDS_UTF8 = "replaces a message with 8-bit header fields unless UTF8 was sent"
    CLOSES_ON_PIPELINING = "advertises PIPELINING and closes when it is used"
    PIPELINED_BACKWARDS = "answers commands that come together from the last to the first"
    PIPELINED_MIXED = "mixes the lines of answers to commands that come together"
    CLOSES_WHEN_IDLE = "has lost patience when the first NOOP comes"
    CLOSES_BEFORE_QUIT = "closes behind the answer to DELE"
    SILENT_QUIT = "never answers QUIT"
    CLOSES_ON_QUIT = "closes on QUIT without an answer"
    NOT_A_STATUS = "answers NOOP with a line that begins with neither + nor -"


_CONTRADICTIONS: tuple[frozenset[Quirk], ...] = tuple(
    frozenset(Quirk[name] for name in names.split())
    for names in (
        "ERROR_GREETING IMAP_GREETING SMTP_GREETING MALFORMED_TIMESTAMP SECOND_TIMESTAMP",
        "BARE_STATUS MALFORMED_TIMESTAMP",
        "BARE_STATUS SECOND_TIMESTAMP",
        "BARE_STATUS TRAILING_SPACES",
        "NO_DOT_STUFFING SOME_DOT_STUFFING",
        "NO_CAPA CLOSES_ON_CAPA MECHANISMS_BY_AUTH NO_CAPABILITIES",
        "HIDDEN_UNTIL_LOGIN HIDDEN_CAPABILITIES",
        "REVERSED_CAPABILITIES SHUFFLED_CAPABILITIES",
        "OK_CHALLENGES BARE_CHALLENGES",
        "PROSE_CHALLENGES BARE_CHALLENGES ONLY_PROSE_CHALLENGES",
        "LOCKED_IN_PROSE LOGIN_IN_USE LOGIN_DELAY LOGIN_SYS_TEMP LOGIN_SYS_PERM LOGIN_AUTH",
        "MISSING_UNIQUE_IDS NO_UIDL DUPLICATE_UNIQUE_IDS",
        "MISSING_UNIQUE_IDS NO_UIDL MALFORMED_UNIQUE_IDS",
        "MISSING_UNIQUE_IDS NO_UIDL LONG_UNIQUE_IDS",
        "MISSING_UNIQUE_IDS NO_UIDL NON_ASCII_UNIQUE_IDS",
        "NEGATIVE_SIZES HUGE_SIZES WORDY_SIZES SMALL_SIZES ROUNDED_SIZES",
        "SKIPPED_NUMBERS NUMBERS_FROM_ZERO HUGE_NUMBERS",
        "NO_STAT WRONG_COUNT",
        "NOT_A_STATUS NUL_STATUS CLOSES_WHEN_IDLE",
        "CLOSES_ON_PIPELINING PIPELINED_BACKWARDS PIPELINED_MIXED",
        "CLOSES_BEFORE_QUIT SECOND_REPLY",
        "SILENT_QUIT CLOSES_ON_QUIT",
    )
)


def consistent(quirks: Iterable[Quirk | str]) -> frozenset[Quirk]:
    """The quirks, or those that are called like this, as a set.

    Raises ``ValueError`` if two of them contradict each other, or a name is none, and
    ``TypeError`` for a single name, whose letters would be taken for names.
    """
    if isinstance(quirks, str):
        raise TypeError(f"quirks are a set or a list: [{quirks!r}]")
    chosen = frozenset(each if isinstance(each, Quirk) else Quirk.named(each) for each in quirks)
    for rivals in _CONTRADICTIONS:
        if len(found := chosen & rivals) > 1:
            names = ", ".join(sorted(quirk.name for quirk in found))
            raise ValueError(f"these quirks contradict each other: {names}")
    return chosen
