"""Sessions that are written down, to a file or for a person to follow, without their secrets."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from ..errors import printable
from ..transcript import Entry, Line, Recorder, TlsEstablished, TranscriptWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..transcript import Role

__all__ = ["RecordingFile", "Recordings", "Several", "Talk"]

_NAMES: dict[Role, str] = {"client": "C", "server": "S"}
# Octets of a line that are shown to a person.
_LONGEST = 1000


class RecordingFile:
    """A new file with one session, which only its owner can read.

    Raises ``OSError`` if there is such a file: nothing is overwritten.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        # Text in ASCII. Each line is written at once, and is there even if the process is killed.
        self._file = open(os.open(path, flags, 0o600), "w", encoding="ascii", buffering=1)  # noqa: SIM115
        self._writer = TranscriptWriter(self._file)
        self.path = path
        """Where it is."""

    def write(self, entry: Entry) -> None:
        """Write an entry; nothing after ``close()``."""
        if not self._file.closed:
            try:
                self._writer.write(entry)
            except OSError as error:
                # Or the error of a full disk would name another file, or none.
                raise OSError(error.errno, error.strerror, str(self.path)) from error

    def close(self) -> None:
        """Write the rest, and close the file."""
        if not self._file.closed:
            self._writer.close()
            self._file.close()


class Recordings:
    """The sessions of one command: each goes to a file of its own, if that is wanted.

    The file for the first one is made at once, so that a mistake shows before a password is asked
    for. The next ones have a number in their names. With ``follow``, each line of the sessions is
    passed to it as text, but of messages only how long they are.
    """

    def __init__(
        self, path: Path | None, *, bodies: bool, follow: Callable[[str], object] | None
    ) -> None:
        self._path, self._bodies, self._follow = path, bodies, follow
        self._files = [] if path is None else [RecordingFile(path)]
        self._sessions = 0
        self._lock = Lock()

    def new(self) -> Recorder | None:
        """Return a recorder for the next session; ``None`` if nothing is wanted."""
        recorders: list[Recorder] = []
        # Many accounts are fetched in threads.
        with self._lock:
            self._sessions += 1
            if self._path is not None:
                if self._sessions > 1:
                    name = f"{self._path.stem}-{self._sessions}{self._path.suffix}"
                    self._files.append(RecordingFile(self._path.with_name(name)))
                recorders.append(Recorder(bodies=self._bodies, sink=self._files[-1].write))
        if self._follow is not None:
            recorders.append(Recorder(bodies=False, sink=Talk(self._follow).take))
        if len(recorders) > 1:
            return Several(recorders)
        return recorders[0] if recorders else None

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


class Talk:
    """Lines for a person, made of the entries of a recorder without ``bodies``."""

    def __init__(self, follow: Callable[[str], object]) -> None:
        self._follow = follow
        self._partial = {"client": b"", "server": b""}
        self._elided = 0

    def take(self, entry: Entry) -> None:
        """Pass on what ``entry`` completes."""
        if isinstance(entry, Line):
            *lines, rest = (self._partial[entry.who] + entry.data).split(b"\n")
            self._partial[entry.who] = rest[-2 * _LONGEST :]
            for line in lines:
                self._line(entry.who, line.removesuffix(b"\r"))
        elif isinstance(entry, TlsEstablished):
            self._follow("-- TLS established")
        else:
            self._tell_elided()
            self._follow(f"-- end of stream from {entry.who}")

    def _line(self, who: Role, line: bytes) -> None:
        if who == "server" and not line.strip(b"x"):
            # A line of a message. No status line is made of "x" alone, nor is one empty.
            self._elided += len(line) + 2
            return
        self._tell_elided()
        self._follow(f"{_NAMES[who]}: {printable(line, _LONGEST)}")

    def _tell_elided(self) -> None:
        if self._elided:
            self._follow(f"S: ({self._elided} octets of a message)")
            self._elided = 0


class Several(Recorder):
    """Several recorders of the same session."""

    def __init__(self, recorders: Iterable[Recorder]) -> None:
        super().__init__()
        self._recorders = tuple(recorders)

    def sent(self, data: bytes | bytearray | memoryview) -> None:
        """Record sent octets."""
        for recorder in self._recorders:
            recorder.sent(data)

    def received(self, data: bytes | bytearray | memoryview) -> None:
        """Record received octets."""
        for recorder in self._recorders:
            recorder.received(data)

    def tls_established(self) -> None:
        """Record that TLS was established."""
        for recorder in self._recorders:
            recorder.tls_established()

    def closed(self) -> None:
        """Record that this side closed the stream."""
        for recorder in self._recorders:
            recorder.closed()
