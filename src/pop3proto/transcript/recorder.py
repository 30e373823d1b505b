"""Sessions written down: recorded without their secrets, saved as text, replayed.

A ``Recorder`` is told what passes in both directions. Its ``Transcript`` can be saved, read,
edited, sent with a bug report, loaded, and put through an engine of either role with
``replay()``. Nothing here reads or writes but to the file that it is handed.

The text form has one line of the session on each line::

    pop3proto transcript 1
    # a comment
    S: +OK ready\\r\\n
    C: USER user\\r\\n
    S: +OK\\r\\n
    C: PASS <redacted>\\r\\n
    S: +OK 2 messages\\r\\n
    C: QUIT\\r\\n
    S: +OK\\r\\n
    -- end of stream from server

Line ends are written out, and every octet but printable ASCII is escaped: ``\\r``, ``\\n``,
``\\t``, ``\\\\`` and ``\\x`` with two hexadecimal digits. Lines that begin with ``#``, and empty
lines, say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal, TextIO, overload

from ..errors import TranscriptError, printable
from ..model.events import ClientEvent, ServerEvent
from ..model.leniency import LENIENT, Leniency
from ..model.limits import Limits
from .recorded import EndOfStream, Entry, Line, RecordedLine, Role, TlsEstablished, verbs
from .redact import REDACTED, Redactor
from .replaying import REPLAY_LIMITS, ClientReplay, Replay, ServerReplay

__all__ = [
    "REDACTED",
    "REPLAY_LIMITS",
    "EndOfStream",
    "Entry",
    "Line",
    "RecordedLine",
    "Recorder",
    "Replay",
    "Role",
    "TlsEstablished",
    "Transcript",
    "replay",
]

_TITLE = "pop3proto transcript"
_VERSION = 1
_PREFIXES: dict[Role, str] = {"client": "C: ", "server": "S: "}
_SIDES: dict[str, Role] = {prefix: who for who, prefix in _PREFIXES.items()}
_MARKS: dict[Entry, str] = {
    TlsEstablished(): "-- TLS established",
    EndOfStream("client"): "-- end of stream from client",
    EndOfStream("server"): "-- end of stream from server",
}
_MARKED = {mark: entry for entry, mark in _MARKS.items()}

_WRITTEN = {
    octet: chr(octet) if 0x20 <= octet < 0x7F else f"\\x{octet:02x}" for octet in range(256)
}
_WRITTEN.update({9: "\\t", 10: "\\n", 13: "\\r", 92: "\\\\"})
_READ = {"\\t": "\t", "\\n": "\n", "\\r": "\r", "\\\\": "\\"}
_ESCAPED = re.compile(r"(?:[ -\[\]-~]|\\[tnr\\]|\\x[0-9a-fA-F]{2})+")
_ESCAPE = re.compile(r"\\(?:x..|.)")
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")


class Transcript(Sequence[Entry]):
    """What passed in a session, in order: ``Line``, ``TlsEstablished`` and ``EndOfStream``.

    Immutable. How the octets were cut into chunks is forgotten: each ``Line`` is one line, or
    the part of it behind which something else happened.
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries = tuple(_by_line(entries))

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | Sequence[Entry]:
        return self._entries[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Transcript):
            return NotImplemented
        return self._entries == other._entries

    def __hash__(self) -> int:
        return hash(self._entries)

    def __repr__(self) -> str:
        return f"<Transcript: {len(self)} entries>"

    def sent_by(self, who: Role) -> bytes:
        """All that ``who`` sent, joined."""
        return b"".join(e.data for e in self if isinstance(e, Line) and e.who == who)

    def dumps(self) -> str:
        """The text form, in ASCII, with a line feed behind each line."""
        return "".join(self._text())

    def save(self, file: TextIO) -> None:
        """Write the text form to ``file``, which is open for text."""
        file.writelines(self._text())

    def _text(self) -> Iterator[str]:
        yield f"{_TITLE} {_VERSION}\n"
        for entry in self:
            if isinstance(entry, Line):
                yield f"{_PREFIXES[entry.who]}{_written(entry.data)}\n"
            else:
                yield f"{_MARKS[entry]}\n"

    @classmethod
    def loads(cls, text: str) -> Transcript:
        """The transcript with the text form ``text``.

        Raises ``TranscriptError``, with the number of the line, if it is none.
        """
        return cls.load(text.split("\n"))

    @classmethod
    def load(cls, file: Iterable[str]) -> Transcript:
        """The transcript with the lines of ``file``, which is open for text, as UTF-8.

        Raises ``TranscriptError``, with the number of the line, if it is none.
        """
        return cls(_parsed(file))


def _by_line(entries: Iterable[Entry]) -> Iterator[Entry]:
    def side(entry: Entry) -> Role | None:
        return entry.who if isinstance(entry, Line) else None

    some = (entry for entry in entries if not isinstance(entry, Line) or entry.data)
    for _, run in groupby(some, key=side):
        first, *others = run
        if isinstance(first, Line):
            rest = (entry.data for entry in others if isinstance(entry, Line))
            for line in _LINE.findall(b"".join((first.data, *rest))):
                yield Line(first.who, line)
        else:
            yield first
            yield from others


def _written(data: bytes) -> str:
    text = data.decode("latin-1").translate(_WRITTEN)
    # Editors drop blanks at the end of a line.
    return text[:-1] + "\\x20" if text.endswith(" ") else text


def _parsed(lines: Iterable[str]) -> Iterator[Entry]:
    number = 0
    try:
        for number, line in enumerate(lines, 1):
            content = line.rstrip("\r\n")
            if number == 1:
                _check_title(content)
            elif content and not content.startswith("#"):
                yield _entry(content, number)
    except UnicodeDecodeError:
        raise TranscriptError(f"not UTF-8 behind line {number}") from None
    if not number:
        raise TranscriptError(f"line 1: a transcript begins with {_TITLE!r} and its version")


def _check_title(line: str) -> None:
    title, _, version = line.rpartition(" ")
    if title != _TITLE:
        raise TranscriptError(f"line 1: a transcript begins with {_TITLE!r} and its version")
    if version != str(_VERSION):
        raise TranscriptError(
            f"line 1: version {printable(version, 20)} of the format is unknown",
            hint="a later release of pop3proto may read it",
        )


def _entry(line: str, number: int) -> Entry:
    mark = _MARKED.get(line)
    if mark is not None:
        return mark
    who = _SIDES.get(line[:3])
    if who is None:
        # What it says is not shown: it can be anything, a secret among others.
        raise TranscriptError(
            f"line {number}: neither octets (C:, S:), nor a known mark (--), nor a comment"
        )
    text = line[3:]
    if not _ESCAPED.fullmatch(text):
        raise TranscriptError(f"line {number}: malformed escape, or no printable ASCII")
    return Line(who, _ESCAPE.sub(_unescaped, text).encode("latin-1"))


def _unescaped(match: re.Match[str]) -> str:
    escape = match[0]
    return chr(int(escape[2:], 16)) if escape[1] == "x" else _READ[escape]


class Recorder:
    """Writes down a session from one of its ends, without the secrets.

    ``role`` is the end whose ``sent()`` and ``received()`` it is told. What is replaced, before
    anything is stored: the arguments of PASS and RPOP, the digest of APOP, the initial response
    of AUTH, and every line of the client's within AUTH; lines that cannot be told from those as
    well. What stands in their place can be parsed. User names outside AUTH are kept, and so is
    whatever the server says, should it repeat a secret, too.

    With ``bodies=False`` messages are not kept: each octet of theirs but CR and LF becomes an
    ``x``. What a client says behind ``XTND XMIT`` is a message as well, but only after a login,
    and if the client has waited for the answer; otherwise it is hidden like a secret.

    ``multiline`` names the extensions, such as ``XTND XLST``, that are answered by a
    dot-terminated text; the wire does not show it, and what follows such an answer unannounced
    makes the recorder hide more than it has to.
    """

    def __init__(
        self, role: Role = "client", *, bodies: bool = True, multiline: Collection[str] = ()
    ) -> None:
        self.role: Role = role
        self._peer: Role = "server" if role == "client" else "client"
        self._redactor = Redactor(bodies=bodies, multiline=verbs(multiline))
        self._entries: list[Entry] = []
        self._ended: set[Role] = set()

    def __repr__(self) -> str:
        return f"<Recorder: {self.role}, {len(self._entries)} entries>"

    @property
    def transcript(self) -> Transcript:
        """What was recorded so far. A line that is not complete yet is missing."""
        return Transcript(self._entries)

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        """Record octets that this side sent, cut anywhere."""
        if data:
            self._octets(self.role, bytes(data))

    def received(self, data: bytes | bytearray | memoryview) -> None:
        """Record octets that this side received, cut anywhere; none is the end of the stream."""
        if data:
            self._octets(self._peer, bytes(data))
        else:
            self._end(self._peer)

    def tls_established(self) -> None:
        """Record that TLS was established: after STLS, or first of all for implicit TLS.

        The octets of TLS itself are not for a recorder.
        """
        self._entries.append(TlsEstablished())

    def closed(self) -> None:
        """Record that this side closed the stream."""
        self._end(self.role)

    def _octets(self, who: Role, data: bytes) -> None:
        redactor = self._redactor
        self._store(who, redactor.client(data) if who == "client" else redactor.server(data))

    def _store(self, who: Role, data: bytes) -> None:
        if data:
            self._entries.append(Line(who, data))

    def _end(self, who: Role) -> None:
        if who in self._ended:
            return
        self._ended.add(who)
        redactor = self._redactor
        rest = redactor.client_ended() if who == "client" else redactor.server_ended()
        self._store(who, rest)
        self._entries.append(EndOfStream(who))


@overload
def replay(
    transcript: Transcript,
    role: Literal["client"],
    *,
    chunk_size: int | None = None,
    multiline: Collection[str] = (),
    limits: Limits = REPLAY_LIMITS,
    leniency: Leniency = LENIENT,
) -> Replay[ClientEvent]: ...
@overload
def replay(
    transcript: Transcript,
    role: Literal["server"],
    *,
    chunk_size: int | None = None,
    multiline: Collection[str] = (),
    limits: Limits = REPLAY_LIMITS,
    leniency: Leniency = LENIENT,
) -> Replay[ServerEvent]: ...
def replay(
    transcript: Transcript,
    role: Role,
    *,
    chunk_size: int | None = None,
    multiline: Collection[str] = (),
    limits: Limits = REPLAY_LIMITS,
    leniency: Leniency = LENIENT,
) -> Replay[ClientEvent] | Replay[ServerEvent]:
    """Put a session through the engine of ``role`` again: an iterator of its events.

    The engine is fed with what its peer had sent, ``chunk_size`` octets at a time, or all that
    came without an answer in between at once; the events are the same at every size, because the
    ``MessageData`` events of a text are joined into one. Only the ``Ok`` to STLS is missing if
    octets in the clear came in one chunk with it: then ``StlsInjectionError`` takes its place.
    ``limits`` and ``leniency`` are the engine's. ``multiline`` names the extensions that are
    answered by a dot-terminated text.

    Iterating raises what the engine raises (``RemoteProtocolError``, ``StlsInjectionError``,
    ``LimitError``, ``ConnectionLostError``) and ``TranscriptError``, with the number of the entry,
    where the conversation does not fit: an answer to nothing, a command that may not be sent
    behind another one. A command that was sent in a state in which it is not legal, as in probing
    a server, is replayed. Raises ``ValueError`` for a ``chunk_size`` below 1.
    """
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"chunk_size is a number of octets from 1, not {chunk_size!r}")
    if role == "client":
        return ClientReplay(transcript, chunk_size, multiline, limits, leniency)
    return ServerReplay(transcript, chunk_size, multiline, limits, leniency)
