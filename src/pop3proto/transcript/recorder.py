"""Recording sessions without their secrets, and their form as text.

A ``Recorder`` is given the octets of both directions. Its ``Transcript`` can be saved, read,
edited, sent with a bug report, loaded, and put through an engine of either role with ``replay()``.
The only file that is read or written here is the one that is passed in.

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

Line ends are written out, and every octet that is not printable ASCII is escaped: ``\\r``, ``\\n``,
``\\t``, ``\\\\`` and ``\\x`` with two hexadecimal digits. Empty lines, and lines that begin with
``#``, are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TextIO, overload

from .._arguments import as_bytes, listed, require
from ..errors import LocalProtocolError, TranscriptError, printable
from .recorded import EndOfStream, Entry, Line, Role, TlsEstablished, verbs
from .redact import Redactor

__all__ = ["Recorder", "Transcript", "TranscriptWriter", "check_role"]

_TITLE = "pop3proto transcript"
_VERSION = 1
_HEAD = f"{_TITLE} {_VERSION}\n"
_PREFIXES: dict[Role, str] = {"client": "C: ", "server": "S: "}
_SIDES: dict[str, Role] = {prefix: who for who, prefix in _PREFIXES.items()}
_MARKS: dict[Entry, str] = {
    TlsEstablished(): "-- TLS established",
    EndOfStream("client"): "-- end of stream from client",
    EndOfStream("server"): "-- end of stream from server",
}
_MARKED = {mark: entry for entry, mark in _MARKS.items()}

# Octets of a line without an end that are held back. Longer ones are written in pieces.
_HELD = 64 * 1024

_WRITTEN = {
    octet: chr(octet) if 0x20 <= octet < 0x7F else f"\\x{octet:02x}" for octet in range(256)
}
_WRITTEN.update({9: "\\t", 10: "\\n", 13: "\\r", 92: "\\\\"})
_READ = {"\\t": "\t", "\\n": "\n", "\\r": "\r", "\\\\": "\\"}
_ESCAPED = re.compile(r"(?:[ -\[\]-~]|\\[tnr\\]|\\x[0-9a-fA-F]{2})+")
_ESCAPE = re.compile(r"\\(?:x..|.)")
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")


class Transcript(Sequence[Entry]):
    """A recorded session, in order: ``Line``, ``TlsEstablished`` and ``EndOfStream``.

    Immutable. It does not record how the octets were cut into chunks: each ``Line`` is one line, or
    part of one if something else happened in the middle of it.
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        marks = (Line, TlsEstablished, EndOfStream)
        self._entries = tuple(_by_line(listed("entries are lines and marks", entries, marks)))

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
        """Return all octets that ``who`` sent, joined.

        Raises ``LocalProtocolError`` for an unknown side.
        """
        check_role("who", who)
        return b"".join(e.data for e in self if isinstance(e, Line) and e.who == who)

    def dumps(self) -> str:
        """Return the text form, in ASCII, with a line feed after each line."""
        return "".join(self._text())

    def save(self, file: TextIO) -> None:
        """Write the text form to ``file``, which is open for text."""
        if not hasattr(file, "writelines"):
            raise LocalProtocolError(f"file is open for text, unlike {type(file).__name__}")
        file.writelines(self._text())

    def _text(self) -> Iterator[str]:
        yield _HEAD
        yield from map(_as_text, self)

    @classmethod
    def loads(cls, text: str) -> Transcript:
        """Return the transcript with the text form ``text``.

        Raises ``TranscriptError``, with the number of the line, if ``text`` is malformed.
        """
        require("text", text, str, "a str")
        return cls.load(text.split("\n"))

    @classmethod
    def load(cls, file: Iterable[str]) -> Transcript:
        """Return the transcript in ``file``, which is open for text, as UTF-8.

        Raises ``TranscriptError``, with the number of the line, if it is malformed.
        """
        require("file", file, Iterable, "open for text")
        return cls(_parsed(file))


def check_role(name: str, role: object) -> None:
    """Raise ``LocalProtocolError``, which says ``name``, unless ``role`` is one of the two ends."""
    # Not a dictionary: what is of another type may have no hash.
    if role not in tuple(_PREFIXES):
        raise LocalProtocolError(f"{name} is 'client' or 'server', not {role!r}")


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


class TranscriptWriter:
    """Writes the text form of a transcript to ``file`` while the session goes on.

    Its ``write()`` is for the ``sink`` of a ``Recorder``. What was written when the process ends is
    a transcript. Raises ``LocalProtocolError`` unless ``file`` is open for text.
    """

    def __init__(self, file: TextIO) -> None:
        if not hasattr(file, "write"):
            raise LocalProtocolError(f"file is open for text, unlike {type(file).__name__}")
        self._file = file
        # The beginning of a line, until its end comes, and whose it is.
        self._partial: Line | None = None
        file.write(_HEAD)

    def write(self, entry: Entry) -> None:
        """Write ``entry``, but the last line of it only when it is complete."""
        partial, self._partial = self._partial, None
        entries = list(_by_line([entry] if partial is None else [partial, entry]))
        last = entries[-1] if entries else None
        if isinstance(last, Line) and not last.data.endswith(b"\n") and len(last.data) < _HELD:
            self._partial = last
            entries.pop()
        self._file.writelines(map(_as_text, entries))

    def close(self) -> None:
        """Write what is left of a line. The file stays open."""
        if self._partial is not None:
            self._file.write(_as_text(self._partial))
            self._partial = None


def _as_text(entry: Entry) -> str:
    if isinstance(entry, Line):
        return f"{_PREFIXES[entry.who]}{_written(entry.data)}\n"
    return f"{_MARKS[entry]}\n"


def _written(data: bytes) -> str:
    text = data.decode("latin-1").translate(_WRITTEN)
    # Editors drop blanks at the end of a line.
    return text[:-1] + "\\x20" if text.endswith(" ") else text


def _parsed(lines: Iterable[str]) -> Iterator[Entry]:
    number = 0
    try:
        for number, line in enumerate(lines, 1):
            require("each line of file", line, str, "a str")
            content = line.rstrip("\r\n")
            if number == 1:
                _check_title(content)
            elif content and not content.startswith("#"):
                yield _entry(content, number)
    except UnicodeDecodeError:
        raise TranscriptError(f"not UTF-8 after line {number}") from None
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
        # The line is not shown, because it can be anything, even a secret.
        raise TranscriptError(
            f"line {number}: neither octets (C:, S:), nor a known mark (--), nor a comment"
        )
    text = line[3:]
    if not _ESCAPED.fullmatch(text):
        raise TranscriptError(f"line {number}: malformed escape, or not printable ASCII")
    return Line(who, _ESCAPE.sub(_unescaped, text).encode("latin-1"))


def _unescaped(match: re.Match[str]) -> str:
    escape = match[0]
    return chr(int(escape[2:], 16)) if escape[1] == "x" else _READ[escape]


class Recorder:
    """Records a session from one of its ends, without the secrets.

    ``role`` is the end whose octets are passed to ``sent()``. These secrets are replaced before
    anything is stored: the arguments of PASS and RPOP, the digest of APOP, the initial response of
    AUTH, every line of the client within AUTH, and every line that may contain one of these. After
    a refused AUTH, every unknown single word is hidden until the next command. The replacements can
    be parsed. User names outside AUTH are kept. Everything that the server sends is kept too, even
    if it repeats a secret.

    With ``bodies=False`` messages are not kept: each of their octets except CR and LF becomes an
    ``x``. The text that a client sends after ``XTND XMIT`` is a message too, but only after a
    login, and if the client has waited for the answer; otherwise it is hidden like a secret.

    ``multiline`` names the extensions, such as ``XTND XLST``, that are answered by a dot-terminated
    text, because the octets alone do not show which ones are. If an extension that is not named
    here gets such an answer, the recorder hides more than necessary.

    With ``sink``, entries are not kept: each is passed to this function, and a long session takes
    no memory. A ``Line`` is then any piece of what was sent. See ``TranscriptWriter``.

    Raises ``LocalProtocolError`` for a wrong argument: a mistyped one would keep secrets or
    messages.
    """

    def __init__(
        self,
        role: Role = "client",
        *,
        bodies: bool = True,
        multiline: Collection[str] = (),
        sink: Callable[[Entry], object] | None = None,
    ) -> None:
        check_role("role", role)
        require("bodies", bodies, bool, "True or False")
        if sink is not None and not callable(sink):
            raise LocalProtocolError(f"sink is a function, not {type(sink).__name__}")
        self.role: Role = role
        self._peer: Role = "server" if role == "client" else "client"
        self._redactor = Redactor(bodies=bodies, multiline=verbs(multiline))
        self._entries: list[Entry] = []
        self._keep = self._entries.append if sink is None else sink
        self._ended: set[Role] = set()

    def __repr__(self) -> str:
        return f"<Recorder: {self.role}, {len(self._entries)} entries>"

    @property
    def transcript(self) -> Transcript:
        """The session so far, without a line that is not complete yet; empty with a ``sink``."""
        return Transcript(self._entries)

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        """Record sent octets, in chunks of any size."""
        if octets := as_bytes("data", data):
            self._octets(self.role, octets)

    def received(self, data: bytes | bytearray | memoryview) -> None:
        """Record received octets, in chunks of any size; ``b""`` is the end of the stream."""
        if octets := as_bytes("data", data):
            self._octets(self._peer, octets)
        else:
            self._end(self._peer)

    def tls_established(self) -> None:
        """Record that TLS was established: after STLS, or at the start for implicit TLS.

        The octets of TLS itself are not recorded.
        """
        self._keep(TlsEstablished())

    def closed(self) -> None:
        """Record that this side closed the stream."""
        self._end(self.role)

    def _octets(self, who: Role, data: bytes) -> None:
        redactor = self._redactor
        self._store(who, redactor.client(data) if who == "client" else redactor.server(data))

    def _store(self, who: Role, data: bytes) -> None:
        if data:
            self._keep(Line(who, data))

    def _end(self, who: Role) -> None:
        if who in self._ended:
            return
        self._ended.add(who)
        redactor = self._redactor
        rest = redactor.client_ended() if who == "client" else redactor.server_ended()
        self._store(who, rest)
        self._keep(EndOfStream(who))
