"""The class of all commands: its attributes are the state table of both engines."""

from __future__ import annotations

from enum import Enum
from typing import Any, ClassVar, Generic, TypeVar, get_args

from .grammar import encode
from .replies import CapaReply, MechanismsReply, Message, Ok
from .states import State

R_co = TypeVar("R_co", covariant=True)

AUTHORIZATION = frozenset({State.AUTHORIZATION})
AUTHENTICATING = frozenset({State.AUTHENTICATING})
TRANSACTION = frozenset({State.TRANSACTION})
AUTHORIZATION_OR_TRANSACTION = AUTHORIZATION | TRANSACTION
_MULTILINE = frozenset({CapaReply, MechanismsReply, Message})


class Effect(Enum):
    """A change that an answer makes, besides the state that a positive answer leads to."""

    CAPABILITIES = "the capabilities are known"
    MARK = "a message is marked as deleted"
    UNMARK = "no message is marked as deleted"
    UTF8 = "UTF-8 is allowed"
    END = "the session is over, whatever the answer"


class Command(Generic[R_co]):
    """A command whose positive answer is an ``R_co``; see the subclasses.

    Its fields are the arguments of the command line, in their order. The keywords of a class are
    its row of the state table: they set the attributes below.
    """

    __slots__ = ()

    verb: ClassVar[str]
    """The command's keyword: the name of the class in upper case, unless the class sets another."""
    legal_states: ClassVar[frozenset[State]] = TRANSACTION
    """The states in which it may be sent."""
    next_state: ClassVar[State | None] = None
    """The state that a positive answer leads to; ``None`` if it does not change the state."""
    effect: ClassVar[Effect | None] = None
    """Another change that an answer makes."""
    barrier: ClassVar[bool] = False
    """True if nothing may be sent after it until it is answered."""
    alone: ClassVar[bool] = False
    """True if it may not be sent while another command is unanswered."""
    secret: ClassVar[bool] = False
    """True if its arguments must never be shown."""
    answer: type[Any] = Ok
    """The class of its positive answer: the type parameter of the class. For AUTH this is
    ``Challenge``, and ``Ok`` can come instead."""

    # Worked out once for each class: what the engines need for each answer, and the forms of nearly
    # all command lines.
    moves: ClassVar[bool] = False
    _line: ClassVar[bytes] = b""
    _line_with_number: ClassVar[bytes] = b""
    __fields__: ClassVar[tuple[Any, ...]] = ()

    def __init_subclass__(cls, **row: Any) -> None:
        own = vars(cls)
        # The engines learn the same from Command[StatReply] as type checkers do.
        for base in own.get("__orig_bases__", ()) if "answer" not in own else ():
            for each in get_args(base):
                if type(each) is type:
                    cls.answer = each
        for column, content in row.items():
            setattr(cls, column, content)
        if not (hasattr(cls, "verb") or cls.__name__.startswith("_")):
            cls.verb = cls.__name__.upper()
        cls.moves = cls.next_state is not None or cls.effect is not None
        verb = getattr(cls, "verb", "").encode("ascii")
        cls._line, cls._line_with_number = verb + b"\r\n", verb + b" %d\r\n"

    @property
    def multiline(self) -> bool:
        """True if a dot-terminated text follows a positive status line (RFC 1939 section 3)."""
        return self.answer in _MULTILINE

    def to_bytes(self) -> bytes:
        """Return the command line with its CRLF."""
        if not self.__fields__:
            return self._line
        arguments = (getattr(self, field.name) for field in self.__fields__)
        # Not in a local variable, which a traceback would show: one of them can be a password.
        words = (encode(argument) for argument in arguments if argument is not None)
        return b" ".join((self._line[:-2], *words)) + b"\r\n"
