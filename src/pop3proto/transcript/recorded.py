"""The entries of a transcript, and the lines of a recorded client as commands."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from typing import Any, Literal, TypeAlias

from .._arguments import listed
from .._value import field, value
from ..engine.requests import parse_command
from ..errors import LocalProtocolError, printable
from ..model.command import AUTHORIZATION_OR_TRANSACTION, Command
from ..model.commands import Extension
from ..model.grammar import decode_base64
from ..model.login_commands import Auth, AuthCancel, AuthResponse
from ..model.replies import CapaReply, Message, Ok

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
    """From here on the octets went through TLS; if it is the first entry, from the start."""


@value
class EndOfStream:
    """``who`` sends nothing more."""

    who: Role


Entry: TypeAlias = Line | TlsEstablished | EndOfStream
"""One entry of a transcript."""

# Lines that are certainly commands, even if an AUTH exchange may still be going on: none of these
# words is base64 of a text, and base64 has no blanks.
_PLAIN_COMMAND = re.compile(
    rb"(?:STAT|LIST|UIDL|CAPA|NOOP|RSET|LAST|QUIT|(?:LIST|UIDL|RETR|DELE) \d+|TOP \d+ \d+)",
    re.IGNORECASE,
)
_UPLOADS: Verbs = ((b"XTND", b"XMIT"),)
# The answer of a server that accepts a malformed command with this name.
_ANSWERS: dict[bytes, type[Any]] = {b"CAPA": CapaReply, b"RETR": Message, b"TOP": Message}


@value
class RecordedLine(Command[Any], verb="", legal_states=AUTHORIZATION_OR_TRANSACTION, secret=True):
    """A line that a recorded client sent and that is not a command, such as ``STAT extra``.

    In a replay, the server's answer to such a line has it as its command.
    """

    line: bytes
    """The line without its end."""
    answer: type[Any] = field(default=Ok, compare=False)
    """The class of the positive answer to a correct command of that name."""

    def __repr__(self) -> str:
        # A mistyped line can hold a secret, so only its beginning is shown.
        return f"RecordedLine({printable(self.line.split(b' ', 1)[0][:20])!r}...)"

    def to_bytes(self) -> bytes:
        """Return the line with a CRLF."""
        return self.line + b"\r\n"


def verbs(names: Collection[str]) -> Verbs:
    """Return ``names`` of commands, such as ``XTND XLST``, in a form to compare lines with."""
    several = listed(
        "multiline is a list of str", [names] if isinstance(names, str) else names, str
    )
    return tuple(tuple(name.upper().encode("utf-8", "surrogatepass").split()) for name in several)


def _begins(line: bytes, names: Verbs) -> bool:
    words = tuple(line.upper().split())
    return any(words[: len(name)] == name for name in names)


def recorded_command(line: bytes, multiline: Verbs) -> Command[Any]:
    """Return ``line``, given without its end, as a command, or as a ``RecordedLine``.

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
        # As in auth_line(): an initial response that is not base64.
        with suppress(LocalProtocolError):
            return Auth(words[0].decode("latin-1"), b" ".join(words[1:]))
    return RecordedLine(line, _ANSWERS.get(verb.upper(), Ok))


def auth_line(line: bytes) -> AuthCancel | AuthResponse:
    """Return a client's line within AUTH; if it is not base64, it is used as it stands.

    A person who redacts a transcript by hand may write something that is not base64.
    """
    if line == b"*":
        return AuthCancel()
    data = decode_base64(line)
    return AuthResponse(line if data is None else data)


def offers_upload(line: bytes) -> bool:
    """Return True if ``line``, once accepted, lets the client send a dot-terminated text."""
    return _begins(line, _UPLOADS)


def is_plain_command(line: bytes) -> bool:
    """Return True if ``line`` is certainly a command, and not a line of an AUTH exchange."""
    return _PLAIN_COMMAND.fullmatch(line) is not None


def expects_more(following: bytes | None) -> bool:
    """Return True if the client's next line shows that it saw a challenge in the last answer."""
    if following is None or is_plain_command(following):
        return False
    return following == b"*" or decode_base64(following) is not None
