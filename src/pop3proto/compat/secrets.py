"""What may be shown of the client's lines: in debug output, audit events and errors."""

from __future__ import annotations

import re
from enum import Enum, auto

from ..engine.parsing import split_status_line
from ..model.grammar import decode_base64
from .errors import InvalidArgumentError

__all__ = ["Shown", "encoded"]

_SECRET = "<secret>"  # noqa: S105 - the word that is shown instead of one
# Laxer than any server reads it: what was mistyped is a secret all the same, and so is what
# stands behind a line end that somebody put into an argument. Of AUTH the mechanism is shown.
_SECRET_VERB = re.compile(
    r"(?:\A[\x00-\x20]*|[\x00-\x1f] *)(?:PASS|RPOP|APOP|AUTH(?: [A-Z0-9_-]{1,20}(?= |\Z))?)",
    re.IGNORECASE,
)
_AUTH = re.compile(rb"[\x00-\x20]*AUTH(?![A-Z])", re.IGNORECASE)
_PLAIN_COMMAND = re.compile(
    r"(?:STAT|LIST|UIDL|NOOP|RSET|QUIT|CAPA|(?:RETR|DELE|TOP|LIST|UIDL) [0-9 ]+|USER .*)\Z",
    re.IGNORECASE,
)
# Those that CPython refuses (CVE-2025-15367). Octets from 0x80 on belong to somebody's encoding.
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


class _Sasl(Enum):
    DOUBTFUL = auto()
    CERTAIN = auto()


class Shown:
    """Follows a session, because within AUTH every line of the client's is a secret."""

    def __init__(self) -> None:
        self._sasl: _Sasl | None = None

    def text(self, line: str) -> str:
        """What may be shown of ``line``, a whole line without its end."""
        if self._sasl is not None:
            # An empty answer and the cancelling asterisk are no secrets (RFC 5034 section 4).
            doubtful = self._sasl is _Sasl.DOUBTFUL
            if line in ("", "*") or (doubtful and _PLAIN_COMMAND.match(line)):
                return line
            return _SECRET
        found = _SECRET_VERB.search(line)
        if found is None or found.end() == len(line):
            return line
        return f"{line[: found.end()]} {_SECRET}"

    def octets(self, line: bytes) -> bytes:
        """``text()`` for octets."""
        text = line.decode("latin-1")
        shown = self.text(text)
        return line if shown is text else shown.encode("latin-1")

    def sent(self, line: bytes) -> None:
        """Take note of a line of the client's."""
        if self._sasl is None and _AUTH.match(line):
            self._sasl = _Sasl.CERTAIN

    def answered(self, line: bytes) -> None:
        """Take note of a status line of the server's."""
        if self._sasl is None:
            return
        indicator, text = split_status_line(line)
        if indicator == b"+":
            self._sasl = _Sasl.CERTAIN
        elif indicator.upper() == b"+OK" and text and decode_base64(text) is not None:
            # Some servers introduce a challenge with +OK.
            self._sasl = _Sasl.DOUBTFUL
        else:
            self._sasl = None


def encoded(line: str, encoding: str, *, check: bool = True) -> bytes:
    """``line`` as octets, without control characters if ``check`` is set.

    Raises ``InvalidArgumentError`` for a control character, and ``UnicodeEncodeError``, which does
    not show the text. Neither leaves it in a local variable of a traceback's frames.
    """
    problem: ValueError
    try:
        octets = bytes(line, encoding)
    except UnicodeEncodeError as error:
        unshown = "?" * len(line)
        problem = UnicodeEncodeError(encoding, unshown, error.start, error.end, error.reason)
    else:
        if not (check and _CONTROL.search(octets)):
            return octets
        del octets
        problem = InvalidArgumentError("a command may not hold control characters")
    finally:
        del line
    raise problem
