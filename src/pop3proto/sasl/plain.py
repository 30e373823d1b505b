"""The mechanisms in which the client just says who it is: PLAIN, LOGIN, ANONYMOUS, EXTERNAL."""

from __future__ import annotations

import stringprep

from ..errors import LocalProtocolError, SaslError
from .saslprep import saslprep
from .users import as_text

__all__ = [
    "Anonymous",
    "External",
    "LoginMechanism",
    "Plain",
    "octets_of",
    "raise_first",
    "trace_problem",
]

# RFC 4505 section 2.
_MAX_TRACE = 255
# Section 3: fewer than SASLprep prohibits, and nothing is mapped.
_PROHIBITED = (
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def octets_of(
    what: str,
    text: object,
    problems: list[str],
    *,
    prepare: bool = False,
    empty: bool = False,
) -> bytes:
    """The octets of ``text``; why there are none, or wrong ones, is added to ``problems``.

    No exception leaves this function: a traceback would show the secret that it was called with.
    """
    octets = b""
    try:
        if isinstance(text, str):
            octets = (saslprep(text) if prepare else text).encode("utf-8")
        elif isinstance(text, bytes):
            octets = text
        else:
            problems.append(f"{what} must be str or bytes, not {type(text).__name__}")
    except LocalProtocolError as error:
        problems.append(f"{what}: {error}")
    except UnicodeEncodeError:
        problems.append(f"{what} holds a lone surrogate")
    if b"\0" in octets:
        problems.append(f"{what} holds a NUL")
    elif not octets and not empty:
        problems.append(f"{what} is empty")
    return octets


def raise_first(problems: list[str]) -> None:
    """Raise ``LocalProtocolError`` if there are problems."""
    if problems:
        raise LocalProtocolError(problems[0])


class _OneMessage:
    """A mechanism whose client sends one message and is done."""

    __slots__ = ("_message", "_sent")

    name: str
    shows_secret = False

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._sent = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<secret>)"

    @property
    def complete(self) -> bool:
        """Whether the message was taken."""
        return self._sent

    def initial(self) -> bytes:
        """The message."""
        self._sent = True
        return self._message

    def respond(self, challenge: bytes) -> bytes:
        """Raises ``SaslError``: the mechanism knows no challenges."""
        raise SaslError(f"the server sent a challenge, and {self.name} has none")


class Plain(_OneMessage):
    """PLAIN (RFC 4616): the password in the clear, so it belongs on TLS.

    ``user`` and ``password`` are prepared with SASLprep (RFC 4013) if they are ``str``; octets
    are sent as they are. ``authorization_id`` is whom to act as, if not ``user``. Raises
    ``LocalProtocolError`` for a NUL, an empty name or password, and text that SASLprep forbids.
    """

    __slots__ = ()

    name = "PLAIN"
    shows_secret = True

    def __init__(
        self, user: str | bytes, password: str | bytes, *, authorization_id: str | bytes = ""
    ) -> None:
        problems: list[str] = []
        parts = (
            octets_of("the authorization identity", authorization_id, problems, empty=True),
            octets_of("the user name", user, problems, prepare=True),
            octets_of("the password", password, problems, prepare=True),
        )
        super().__init__(b"\0".join(parts))
        # A traceback shows the locals of this frame: the secret must not be one of them.
        del password, parts
        raise_first(problems)


class External(_OneMessage):
    """EXTERNAL (RFC 4422 appendix A): the server knows the client already, as by a certificate.

    ``authorization_id`` is whom to act as; empty means whoever the server takes the client for.
    Raises ``LocalProtocolError`` if it holds a NUL.
    """

    __slots__ = ()

    name = "EXTERNAL"

    def __init__(self, authorization_id: str | bytes = "") -> None:
        problems: list[str] = []
        message = octets_of("the authorization identity", authorization_id, problems, empty=True)
        super().__init__(message)
        raise_first(problems)

    def __repr__(self) -> str:
        return f"External({self._message!r})"


class Anonymous(_OneMessage):
    """ANONYMOUS (RFC 4505): a guest, who may leave a trace.

    ``trace`` is an email address, or at most 255 characters without ``@``. Raises
    ``LocalProtocolError`` for anything else, and for control characters and what else the
    ``trace`` profile of section 3 prohibits.
    """

    __slots__ = ()

    name = "ANONYMOUS"

    def __init__(self, trace: str | bytes = "") -> None:
        problem = trace_problem(trace)
        if problem is not None:
            raise LocalProtocolError(problem)
        super().__init__(trace.encode("utf-8") if isinstance(trace, str) else trace)

    def __repr__(self) -> str:
        return f"Anonymous({self._message!r})"


def trace_problem(trace: object) -> str | None:
    """Why ``trace`` is not what RFC 4505 sections 2 and 3 allow, or ``None``."""
    if not isinstance(trace, str | bytes):
        return f"the trace must be str or bytes, not {type(trace).__name__}"
    trace = as_text(trace)
    local_part, at, domain = trace.rpartition("@")
    if at and not (local_part and domain):
        return "the trace is neither an email address nor free of @"
    if not at and len(trace) > _MAX_TRACE:
        return f"the trace is longer than {_MAX_TRACE} characters"
    if _prohibited(trace):
        return "the trace holds a character that RFC 4505 prohibits"
    return None


def _prohibited(trace: str) -> bool:
    if trace.isascii():
        return not trace.isprintable()
    if any(table(character) for character in trace for table in _PROHIBITED):
        return True
    # RFC 3454 section 6: text from right to left holds nothing else, and is it at both ends.
    rightward = [stringprep.in_table_d1(character) for character in trace]
    leftward = any(map(stringprep.in_table_d2, trace))
    return any(rightward) and (leftward or not (rightward[0] and rightward[-1]))


class LoginMechanism:
    """LOGIN: name and password in the clear on two prompts, never standardized; see PLAIN.

    The prompts are not interpreted: the first one gets ``user``, the second one ``password``.
    Raises ``LocalProtocolError`` for a NUL and an empty user name.
    """

    __slots__ = ("_answers",)

    name = "LOGIN"
    shows_secret = True

    def __init__(self, user: str | bytes, password: str | bytes) -> None:
        problems: list[str] = []
        self._answers = [
            octets_of("the password", password, problems, empty=True),
            octets_of("the user name", user, problems),
        ]
        del password
        raise_first(problems)

    def __repr__(self) -> str:
        return "LoginMechanism(<secret>)"

    @property
    def complete(self) -> bool:
        """Whether both answers were taken."""
        return not self._answers

    def initial(self) -> None:
        """Nothing: the server has to prompt."""

    def respond(self, challenge: bytes) -> bytes:
        """The user name, then the password; raises ``SaslError`` when asked for more."""
        if not self._answers:
            raise SaslError("the server prompts for more than a name and a password")
        return self._answers.pop()
