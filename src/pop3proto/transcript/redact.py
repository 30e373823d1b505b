"""The one place that knows which octets of a client are secret.

The state of the session decides if a client's line is a secret: within AUTH every line is one. So
both commands and answers are followed. If in doubt, too much is hidden rather than too little.

``LineRedactor`` follows whole lines, for people to read; ``Redactor`` follows octets that are cut
anywhere, for a transcript that can be replayed.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from enum import Enum, auto

from ..engine.parsing import split_status_line
from ..engine.wire import BodyReader, ReceiveBuffer
from ..errors import LimitError
from ..model.commands import KNOWN_VERBS
from ..model.replies import Message
from .recorded import Verbs, is_plain_command, offers_upload, recorded_command

__all__ = ["REDACTED", "LineRedactor", "Redactor"]

REDACTED = b"<redacted>"
"""The replacement for a secret; in base64 where the protocol requires that."""
_REDACTED_BASE64 = b"PHJlZGFjdGVkPg=="
_REDACTED_DIGEST = b"0" * 32
# For people, who do not have to replay it.
_SHORT = b"<secret>"

# Laxer than any server: a mistyped secret is still a secret, and some peers may treat a bare CR as
# the end of a line.
_SECRET_VERB = re.compile(rb"(?:\A[\x00-\x20]*|[\x00-\x1f] *)(PASS|RPOP|APOP|AUTH)", re.IGNORECASE)
# In capitals, or in small letters as some clients write it; a word in mixed case is more likely to
# be base64.
_MECHANISM = re.compile(rb"[A-Z0-9_-]{1,20}|[a-z0-9_-]{1,20}")
_DIGEST = re.compile(rb"[0-9a-f]{32}", re.IGNORECASE)

# Long enough for any challenge that the engines accept. A longer line ends the tracking.
_STATUS_LINE = 256 * 1024
# The lines of a text may have any length: they are cut from octets that are already there.
_NO_LIMIT = 2**63
_ELIDED = bytes(octet if octet in b"\r\n" else ord("x") for octet in range(256))


class Answer(Enum):
    """The kinds of positive answers to a client's line."""

    STATUS = auto()
    LOGIN = auto()
    LISTING = auto()
    MESSAGE = auto()
    UPLOAD = auto()
    AUTH = auto()
    MISTYPED_AUTH = auto()
    MECHANISMS = auto()
    BELATED = auto()


# Names and tuples, because looking up an attribute of an enum, or hashing it, takes as long as all
# the other work for a short command.
_STATUS, _LOGIN, _AUTH = Answer.STATUS, Answer.LOGIN, Answer.AUTH
_OF_AUTH = (Answer.AUTH, Answer.MISTYPED_AUTH, Answer.MECHANISMS)
_BODIES = (Answer.LISTING, Answer.MESSAGE, Answer.MECHANISMS)


class LineRedactor:
    """Removes the secrets from a client's lines, by following the session line by line.

    It has to be given every line that is sent and every status line that answers one, but not the
    lines of texts. With ``replayable=False`` each secret is shown as ``<secret>``; otherwise the
    replacement can be parsed and replayed.
    """

    def __init__(self, *, replayable: bool = False) -> None:
        self._replayable = replayable
        self._hidden_line = _REDACTED_BASE64 if replayable else _SHORT
        # The answers to the lines that have not been answered yet, in order.
        self._pending: deque[Answer] = deque()
        # True if the client's lines belong to AUTH.
        self._exchange = False
        # True if the last answer within AUTH can be either the end of AUTH or a challenge.
        self._doubtful = False
        # True if the server has sent something that answers no command, or has accepted a text
        # where none is possible. Then the end of an AUTH exchange can no longer be recognised, and
        # every line of the client is hidden, except for the plainest commands.
        self._lost = False
        self._logged_in = False
        # True after AUTH was refused, until the client's next command: a client that takes no
        # notice of that goes on with its responses.
        self._refused = False

    def shown(self, line: bytes) -> bytes:
        """Return what may be shown of the client's next ``line``, given without its end."""
        return self.read(line)[0]

    def sent(self, line: bytes) -> None:
        """Take note of a line that the client has sent, given without its end."""
        self.take(self.read(line)[1])

    def answered(self, line: bytes) -> None:
        """Take note of the server's status line, given without its end."""
        answer = self._pending.popleft() if self._pending else None
        if answer is _STATUS or answer is _LOGIN:
            return
        status = split_status_line(line)[0].upper()
        if answer is not None:
            self._answered(answer, status)
        elif self._exchange or status == b"+":
            # It answers something that was not recorded, so the next line may be a secret.
            self._exchange = self._doubtful = True

    def auth_ended(self) -> None:
        """Take note that AUTH is over, which the answer alone does not always show."""
        self._exchange = any(answer in self._pending for answer in _OF_AUTH)

    def read(self, line: bytes) -> tuple[bytes, Answer]:
        """Return what may be shown of the client's next ``line``, and the kind of its answer."""
        verb = _SECRET_VERB.search(line)
        if self._exchange and (verb is not None or not self._ends_exchange(line)):
            # An empty answer and the cancelling asterisk are no secrets (RFC 5034 section 4).
            return (line if line in (b"", b"*") else self._hidden_line), _AUTH
        if verb is None:
            answer = self._answer_to(line)
            if self._refused and answer is _STATUS and _may_be_response(line):
                return (line if line in (b"", b"*") else self._hidden_line), Answer.BELATED
            return line, answer
        name, head, argument = verb[1].upper(), line[: verb.end()], line[verb.end() :]
        if name == b"AUTH":
            answer = _AUTH if argument.strip() else Answer.MECHANISMS
            if argument[:1].isalpha():
                # A server that reads it as AUTH is unlikely, but possible.
                answer = Answer.MISTYPED_AUTH
            return head + self._auth_argument(argument), answer
        if not argument:
            return line, _LOGIN
        if not self._replayable:
            return head + b" " + _SHORT, _LOGIN
        shown = _apop_argument(argument) if name == b"APOP" else b" " + REDACTED
        return head + shown, _LOGIN

    def _auth_argument(self, argument: bytes) -> bytes:
        mechanism, *responses = argument.split() or [b""]
        if not mechanism or (argument.startswith(b" ") and _MECHANISM.fullmatch(mechanism)):
            # RFC 5034 section 4: a single equals sign is an initial response of no octets.
            if not responses or responses == [b"="]:
                return argument
            return b" " + mechanism + b" " + self._hidden_line
        return b" " + (REDACTED if self._replayable else _SHORT)

    def _ends_exchange(self, line: bytes) -> bool:
        """Return True if ``line`` is certainly a command, and AUTH may be over."""
        if not self._doubtful or is_plain_command(line):
            return self._doubtful
        verb, blank, _ = line.partition(b" ")
        known = verb.upper() in KNOWN_VERBS or verb[:1].upper() == b"X"
        return known and bool(blank) and not self._lost

    def _answer_to(self, line: bytes) -> Answer:
        """Return the answer to a command without a secret; the texts do not matter here."""
        return _STATUS

    def take(self, answer: Answer) -> None:
        """Take note that the client has sent the line for which ``read()`` returned ``answer``."""
        self._refused = self._refused and answer is Answer.BELATED
        if answer in _OF_AUTH:
            self._exchange = True
            self._doubtful = self._lost or answer is Answer.MISTYPED_AUTH
        elif self._exchange:
            # The client goes on after a positive answer.
            self._exchange, self._logged_in = self._lost, True
        self._pending.append(answer)

    def _answered(self, answer: Answer, status: bytes) -> None:
        if answer is _LOGIN:
            self._logged_in = self._logged_in or status == b"+OK"
        if answer not in _OF_AUTH or status == b"+":
            return
        if answer is not Answer.MECHANISMS and status == b"+OK":
            # Some servers introduce a challenge with +OK (Fault.OK_CHALLENGE). The client's next
            # line shows what it is.
            self._doubtful = True
        else:
            # Lines that were sent ahead of this answer have answers of their own.
            self.auth_ended()
            self._refused = status != b"+OK"


class Redactor(LineRedactor):
    """Turns the octets of both directions into octets that may be kept.

    Pass it the octets of both directions in order, in chunks of any size. With ``bodies=False``,
    each octet of a message except CR and LF becomes an ``x``. The answers to the extensions named
    in ``multiline`` are dot-terminated texts.
    """

    def __init__(self, *, bodies: bool = True, multiline: Verbs = ()) -> None:
        super().__init__(replayable=True)
        self._bodies = bodies
        self._multiline = multiline
        # The client's incomplete line: the only place where a secret can be.
        self._partial = bytearray()
        self._upload = False
        self._greeted = False
        self._buffer = ReceiveBuffer()
        self._reader = BodyReader(self._buffer)
        self._body: Answer | None = None
        self._newline = b"\r\n"

    def client(self, data: bytes) -> bytes:
        """Return the lines that the client's next octets complete, without their secrets."""
        partial = self._partial
        found, start = len(partial), 0
        partial += data
        shown: list[bytes] = []
        while (found := partial.find(b"\n", found) + 1) > 0:
            shown.append(self._client_line(bytes(partial[start:found])))
            start = found
        del partial[:start]
        return b"".join(shown)

    def client_ended(self) -> bytes:
        """Return what may be shown of a last line without an end."""
        rest = bytes(self._partial)
        self._partial.clear()
        return self._client_line(rest) if rest else b""

    def server(self, data: bytes) -> bytes:
        """Return what may be kept of the server's next octets; the rest is returned later."""
        if self._lost:
            return data if self._bodies else data.translate(_ELIDED)
        self._buffer.feed(data)
        shown = b"".join(self._server_pieces())
        return data if self._bodies else shown

    def server_ended(self) -> bytes:
        """Return what may be shown of a last line without an end that was not returned yet."""
        rest = self._buffer.rest()
        self._buffer.start += len(rest)
        if self._bodies:
            return b""
        return rest.translate(_ELIDED) if self._body is Answer.MESSAGE else rest

    def _client_line(self, line: bytes) -> bytes:
        content = line.removesuffix(b"\n").removesuffix(b"\r")
        end = line[len(content) :]
        if self._upload:
            return self._upload_line(content) + end
        shown, answer = self.read(content)
        self.take(answer)
        return shown + end

    def _upload_line(self, content: bytes) -> bytes:
        if content == b".":
            self._upload = False
            self._pending.append(_STATUS)
            return content
        return content if self._bodies else _elided(content)

    def _answer_to(self, line: bytes) -> Answer:
        if offers_upload(line):
            return Answer.UPLOAD
        command = recorded_command(line, self._multiline)
        if command.answer is Message:
            return Answer.MESSAGE
        return Answer.LISTING if command.multiline else _STATUS

    def _server_pieces(self) -> Iterator[bytes]:
        buffer = self._buffer
        while not self._lost:
            if self._body is not None and self._bodies:
                # Its lines are not needed one by one, so it is skipped at the engine's speed.
                while self._reader.read():
                    pass
                if not self._reader.complete:
                    return
                self._body = None
            try:
                line = self._next_line()
            except LimitError:
                self._lose()
                break
            if line is None:
                return
            elide = self._body is Answer.MESSAGE
            if self._body is None:
                self._status(line)
                elide = self._lost
            elif line == b".":
                self._body, elide = None, False
            yield (_elided(line) if elide else line) + buffer.newline
        yield buffer.rest().translate(_ELIDED)
        buffer.start = len(buffer.data)

    def _next_line(self) -> bytes | None:
        if self._body is None:
            return self._buffer.next_line(_STATUS_LINE, "status_line")
        # Only a line end like the status line's counts in a body: see BodyReader.
        return self._buffer.next_line(_NO_LIMIT, "", self._newline)

    def _status(self, line: bytes) -> None:
        if not line:
            return
        status = split_status_line(line)[0].upper()
        if not self._fits(status):
            self._lose()
        elif not self._greeted:
            self._greeted = True
        else:
            self._answered(self._pending.popleft(), status)

    def _fits(self, status: bytes) -> bool:
        """Return True if a line with this status indicator can be the server's next one."""
        if status == b"+":
            return self._greeted and bool(self._pending) and self._pending[0] in _OF_AUTH
        return bool(status) and (not self._greeted or bool(self._pending))

    def _answered(self, answer: Answer, status: bytes) -> None:
        if status == b"+OK" and answer in _BODIES:
            self._body, self._newline = answer, self._buffer.newline
            if self._bodies:
                self._reader.begin()
        elif status == b"+OK" and answer is Answer.UPLOAD:
            self._begin_upload()
        super()._answered(answer, status)

    def _begin_upload(self) -> None:
        ahead = self._exchange or self._pending or self._partial
        if self._logged_in and not ahead:
            self._upload = True
        else:
            # Before the login, or from a client that has not waited for this answer, the next lines
            # can be commands as well.
            self._lose()

    def _lose(self) -> None:
        self._lost = self._exchange = self._doubtful = True
        self._upload = False


def _may_be_response(line: bytes) -> bool:
    """Return True if ``line`` is a single word and no command that is known."""
    return b" " not in line.strip(b" ") and (line == b"*" or line.upper() not in KNOWN_VERBS)


def _elided(line: bytes) -> bytes:
    # A stuffed dot is not content, but an x in its place would be.
    return (line[1:] if line.startswith(b"..") else line).translate(_ELIDED)


def _apop_argument(argument: bytes) -> bytes:
    name, _, digest = argument.strip().rpartition(b" ")
    if not name or not _DIGEST.fullmatch(digest) or _DIGEST.search(name):
        # This is not what RFC 1939 section 7 describes, so any word of it can be the secret.
        name = REDACTED
    return b" " + name + b" " + _REDACTED_DIGEST
