"""What a transcript is made of, and the lines of a recorded client as commands."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from typing import Any, Literal, TypeAlias

from ..engine.requests import parse_command
from ..errors import LocalProtocolError, printable
from ..model.command import AUTHORIZATION_OR_TRANSACTION
from ..model.commands import Auth, AuthCancel, AuthResponse, Command, Extension
from ..model.grammar import decode_base64
from ..model.states import ReplyShape
from ..model.value import field, value

__all__ = [
    "EndOfStream",
    "Entry",
    "Line",
    "RecordedLine",
    "Role",
    "TlsEstablished",
    "Verbs",
    "auth_line",
    "expects_more",
    "is_plain_command",
    "offers_upload",
    "recorded_command",
    "verbs",
]

Role: TypeAlias = Literal["client", "server"]
"""One of the two ends of a session."""

Verbs: TypeAlias = tuple[tuple[bytes, ...], ...]
"""Names of commands, each of one word or more, in upper case."""


@value
class Line:
    """Octets that ``who`` sent; in a ``Transcript``, one line with its end, or a part of one."""

    who: Role
    data: bytes


@value
class TlsEstablished:
    """From here on the octets went through TLS; as the first entry, from the start."""


@value
class EndOfStream:
    """``who`` sends nothing more."""

    who: Role


Entry: TypeAlias = Line | TlsEstablished | EndOfStream
"""One entry of a transcript."""

# What is a command for certain, even where an AUTH exchange may still be going on: none of these
# words is the base64 of a text, and base64 has no blanks.
_PLAIN_COMMAND = re.compile(
    rb"(?:STAT|LIST|UIDL|CAPA|NOOP|RSET|LAST|QUIT|(?:LIST|UIDL|RETR|DELE) \d+|TOP \d+ \d+)",
    re.IGNORECASE,
)
_UPLOADS: Verbs = ((b"XTND", b"XMIT"),)
# What a server that makes sense of a line that is none answers, if it does not refuse it.
_SHAPES = {
    b"CAPA": ReplyShape.CAPABILITIES,
    b"RETR": ReplyShape.MESSAGE,
    b"TOP": ReplyShape.MESSAGE,
}


@value
class RecordedLine(Command[Any]):
    """A line that a recorded client sent and that is no command, such as ``STAT extra``.

    It stands in the events of a replay where the server's answer to such a line is reported.
    """

    verb = ""
    legal_states = AUTHORIZATION_OR_TRANSACTION
    secret = True
    line: bytes
    """The line without its end."""
    shape: ReplyShape = field(default=ReplyShape.STATUS, compare=False)
    """What the positive answer to a correct command of that name looks like."""

    def __repr__(self) -> str:
        # Somebody's mistyped line can hold a secret; a replay shows what it began with.
        return f"RecordedLine({printable(self.line.split(b' ', 1)[0][:20])!r}...)"

    def to_bytes(self) -> bytes:
        """The line with a CRLF."""
        return self.line + b"\r\n"


def verbs(names: Collection[str]) -> Verbs:
    """``names`` of commands, such as ``XTND XLST``, in a form that lines are compared with."""
    several = [names] if isinstance(names, str) else names
    return tuple(tuple(name.upper().encode("utf-8").split()) for name in several)


def _begins(line: bytes, names: Verbs) -> bool:
    words = tuple(line.upper().split())
    return any(words[: len(name)] == name for name in names)


def recorded_command(line: bytes, multiline: Verbs) -> Command[Any]:
    """The command that ``line``, given without its end, spells, or a ``RecordedLine``.

    An extension whose name is in ``multiline`` is answered by a dot-terminated text.
    """
    try:
        command = parse_command(line)
    except LocalProtocolError:
        return _odd_command(line)
    if isinstance(command, Extension) and _begins(line, multiline):
        return Extension.multi(command.line)
    return command


def _odd_command(line: bytes) -> Command[Any]:
    verb, *words = line.split() or [b""]
    if verb.upper() == b"AUTH" and len(words) > 1:
        # As in auth_line(): an initial response that is no base64.
        with suppress(LocalProtocolError):
            return Auth(words[0].decode("latin-1"), b" ".join(words[1:]))
    return RecordedLine(line, _SHAPES.get(verb.upper(), ReplyShape.STATUS))


def auth_line(line: bytes) -> AuthCancel | AuthResponse:
    """A client's line within AUTH; what is no base64 is taken for the answer itself.

    Who redacts by hand may well have written something else there.
    """
    if line == b"*":
        return AuthCancel()
    data = decode_base64(line)
    return AuthResponse(line if data is None else data)


def offers_upload(line: bytes) -> bool:
    """Whether a positive answer to ``line`` lets the client send a dot-terminated text."""
    return _begins(line, _UPLOADS)


def is_plain_command(line: bytes) -> bool:
    """Whether ``line`` is a command and no line of an AUTH exchange, beyond doubt."""
    return _PLAIN_COMMAND.fullmatch(line) is not None


def expects_more(following: bytes | None) -> bool:
    """Whether the client's next line shows that it took the last answer for a challenge."""
    if following is None or is_plain_command(following):
        return False
    return following == b"*" or decode_base64(following) is not None
