"""What all commands have in common, and the checks on their arguments."""

from __future__ import annotations

import re
from typing import ClassVar, Generic, TypeVar

from ..errors import LocalProtocolError
from .grammar import MAX_MESSAGE_NUMBER
from .states import ReplyShape, State

__all__ = [
    "AUTHENTICATING",
    "AUTHORIZATION",
    "AUTHORIZATION_OR_TRANSACTION",
    "MAX_LINE",
    "MAX_SECRET_LINE",
    "TRANSACTION",
    "Command",
    "R_co",
    "check",
    "check_message",
    "check_word",
    "line",
    "octets",
    "problem_with",
]

R_co = TypeVar("R_co", covariant=True)

AUTHORIZATION = frozenset({State.AUTHORIZATION})
AUTHENTICATING = frozenset({State.AUTHENTICATING})
TRANSACTION = frozenset({State.TRANSACTION})
AUTHORIZATION_OR_TRANSACTION = AUTHORIZATION | TRANSACTION

# RFC 2449 section 4 asks every server to take 255 octets. Many take more, and long user names
# are real, so a client may go up to what this package's own server takes.
MAX_LINE = 512
# Access tokens are used as passwords, and they have no bound worth the name.
MAX_SECRET_LINE = 8192

_CONTROL_IN_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_IN_OCTETS = re.compile(b"[\x00-\x1f\x7f]")


def octets(text: str | bytes) -> bytes:
    """Return ``text`` as octets: UTF-8 if it is text (RFC 6856), else as it is."""
    return text if isinstance(text, bytes) else text.encode("utf-8")


def problem_with(what: str, text: object, room: int, *, empty: bool = False) -> str | None:
    """Why ``text`` cannot be an argument, without a word of ``text`` itself in the answer."""
    if isinstance(text, str):
        if _CONTROL_IN_TEXT.search(text):
            return f"{what} holds a control character or a lone surrogate"
    elif not isinstance(text, bytes):
        return f"{what} must be str or bytes, not {type(text).__name__}"
    elif _CONTROL_IN_OCTETS.search(text):
        return f"{what} holds a control character"
    if not text and not empty:
        return f"{what} is empty"
    if len(octets(text)) > room:
        return f"{what} is too long for a command line: more than {room} octets"
    return None


def check(what: str, text: object, room: int = MAX_LINE - 32) -> None:
    """Raise ``LocalProtocolError`` unless ``text`` can be an argument of ``room`` octets."""
    problem = problem_with(what, text, room)
    if problem is not None:
        raise LocalProtocolError(problem)


def check_word(what: str, text: str) -> None:
    """Like ``check()``, for an argument without which the command would be another one."""
    check(what, text)
    if not text.strip(" "):
        raise LocalProtocolError(f"{what} is blank")


def check_message(message: object) -> None:
    """Raise ``LocalProtocolError`` unless ``message`` names a message."""
    if type(message) is int:
        if not 1 <= message <= MAX_MESSAGE_NUMBER:
            raise LocalProtocolError(f"a message number is 1 to {MAX_MESSAGE_NUMBER}")
    elif isinstance(message, str):
        check_word("the message argument", message)
    else:
        raise LocalProtocolError(
            f"a message is an int, or a str for odd servers, not {type(message).__name__}"
        )


def line(verb: bytes, argument: int | str | bytes) -> bytes:
    """Return the command line of a verb and its one argument, with the CRLF."""
    if isinstance(argument, int):
        return b"%s %d\r\n" % (verb, argument)
    return b"%s %s\r\n" % (verb, octets(argument))


class Command(Generic[R_co]):
    """A command whose positive answer is an ``R_co``; see the subclasses."""

    __slots__ = ()

    verb: ClassVar[str]
    """The command's keyword."""
    legal_states: ClassVar[frozenset[State]]
    """The states in which it may be sent."""
    next_state: ClassVar[State | None] = None
    """The state that a positive answer leads to; ``None`` where it leads nowhere else."""
    barrier: ClassVar[bool] = False
    """Whether nothing may be sent behind it before it is answered."""
    alone: ClassVar[bool] = False
    """Whether it may not be sent behind anything that is still unanswered."""
    secret: ClassVar[bool] = False
    """Whether its arguments must never be shown."""
    shape: ReplyShape = ReplyShape.STATUS
    """What its positive answer looks like; a class attribute everywhere but in ``Extension``,
    where the caller says it."""

    # What the wire form is where there are no arguments.
    _wire_form: ClassVar[bytes] = b""

    def __init_subclass__(cls) -> None:
        cls._wire_form = getattr(cls, "verb", "").encode("ascii") + b"\r\n"

    def to_bytes(self) -> bytes:
        """The command line with its CRLF."""
        return self._wire_form
