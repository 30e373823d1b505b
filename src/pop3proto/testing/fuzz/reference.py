"""A second parser of both roles, written from the RFCs: slow, line by line, with all octets there.

It shares no code with the engines but the values that they return, so a fault in the framing, the
dot-stuffing, the rows or the command grammar of one of them shows as a difference.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from ...errors import (
    ConnectionLostError,
    RemoteProtocolError,
    StlsInjectionError,
)
from ...model import commands as c
from ...model.capabilities import Capabilities
from ...model.command import Command
from ...model.events import ConnectionClosed
from ...model.leniency import Deviation, Fault, Leniency
from ...model.listings import Listings
from ...model.replies import (
    CapaReply,
    Challenge,
    ErrorReply,
    Greeting,
    LangReply,
    Language,
    LastReply,
    ListReply,
    MechanismsReply,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Ok,
    StatReply,
    UidlReply,
    split_response_code,
)
from ...model.states import State
from .reference_commands import base64_in, message_number, number_in

__all__ = ["Octets", "client_events"]

_STATUS = re.compile(rb"(\+OK|-ERR)(?![0-9A-Za-z])[ \t]?(.*)", re.IGNORECASE | re.DOTALL)
_UNIQUE_ID = re.compile(rb"[!-~]{1,70}")


class Octets:
    """All the octets that one end sent, taken line by line."""

    def __init__(self, octets: bytes) -> None:
        self.rest: bytes = octets
        self.newline: bytes = b"\r\n"

    def line(self, *, strict: bool = False) -> bytes | None:
        """Return the next line without its end, or ``None``; if ``strict``, only CRLF ends it."""
        line, found, rest = self.rest.partition(b"\r\n" if strict else b"\n")
        if not found:
            return None
        self.rest = rest
        self.newline = b"\r\n" if strict or line.endswith(b"\r") else b"\n"
        return line if strict else line.removesuffix(b"\r")

    def text(self) -> tuple[list[bytes], int, bool]:
        """Return the lines of a dot-terminated text, how many had a single dot, and if it ended.

        Its lines end as the status line did. If it did not end, the octets that begin a further
        line stay.
        """
        lines: list[bytes] = []
        unstuffed = 0
        # After LF, a terminator may have a CR as well.
        terminators = (b".", b".\r") if self.newline == b"\n" else (b".",)
        while self.newline in self.rest:
            line, _, self.rest = self.rest.partition(self.newline)
            if line in terminators:
                return lines, unstuffed, True
            if line.startswith(b".."):
                line = line[1:]
            elif line.startswith(b"."):
                unstuffed += 1
            lines.append(line)
        return lines, unstuffed, False


def client_events(
    commands: Sequence[Command[Any]], octets: bytes, state: State, leniency: Leniency
) -> list[Any]:
    """Return what a client sees that has sent ``commands`` before ``octets`` and the end came.

    The last one can be a tuple of the class of the error that ended the session.
    """
    reader = _Answers(commands, octets, state, leniency)
    try:
        while reader.answer():
            pass
    except (RemoteProtocolError, ConnectionLostError) as error:
        reader.events.append((type(error),))
    return reader.events


class _Answers:
    """A server's answers to commands that were sent before."""

    def __init__(
        self, commands: Sequence[Command[Any]], octets: bytes, state: State, leniency: Leniency
    ) -> None:
        self.events: list[Any] = []
        self._commands = deque(commands)
        self._octets, self._state, self._leniency = Octets(octets), state, leniency

    def answer(self) -> bool:
        """Read one line, and the text after it; return False at an end that is in order."""
        command = self._commands[0] if self._commands else None
        if self._state is State.TLS_NEGOTIATION:
            raise StlsInjectionError("") if self._octets.rest else ConnectionLostError("")
        line = self._octets.line()
        if line is None:
            if self._octets.rest or self._state is not State.CLOSED:
                raise ConnectionLostError("")
            self.events.append(ConnectionClosed())
            return False
        if not line:
            self._forgive(Fault.BLANK_LINE, b"")
            return True
        indicator, text = _status(line)
        if command is None and self._state is not State.GREETING:
            raise ConnectionLostError("") if indicator == b"-ERR" else RemoteProtocolError("")
        if self._octets.newline == b"\n":
            self._forgive(Fault.BARE_LF, line)
        if b"\0" in line:
            raise RemoteProtocolError("")
        if not line.startswith(indicator):
            self._forgive(Fault.STATUS_INDICATOR_CASE, line)
        if command is None:
            self._greet(indicator, text, line)
        else:
            self._reply(command, indicator, text)
            self._commands.popleft()
        return True

    def _forgive(self, fault: Fault, line: bytes, count: int = 1) -> None:
        if fault not in self._leniency:
            raise RemoteProtocolError("")
        command = self._commands[0] if self._commands else None
        self.events.append(Deviation(fault, command, line[:200], count))

    def _forgive_all(self, faults: list[tuple[Fault, bytes]]) -> None:
        """Report each kind of fault once, with its first line, in the order of the first ones."""
        for fault in dict.fromkeys(fault for fault, _ in faults):
            lines = [line for other, line in faults if other is fault]
            self._forgive(fault, lines[0], len(lines))

    def _greet(self, indicator: bytes, text: bytes, line: bytes) -> None:
        if indicator not in (b"+OK", b"-ERR"):
            raise RemoteProtocolError("")
        self._state = State.CLOSED
        if indicator == b"-ERR":
            self.events.append(_refusal(None, text))
            return
        greeting = Greeting(_decoded(text))
        if greeting.timestamp is None and b"<" in text and b">" in text:
            self._forgive(Fault.MALFORMED_TIMESTAMP, line)
        self.events.append(greeting)
        self._state = State.AUTHORIZATION

    def _reply(self, command: Command[Any], indicator: bytes, text: bytes) -> None:
        if isinstance(command, c.Quit) and indicator in (b"+OK", b"-ERR"):
            self._state = State.CLOSED
        if indicator == b"-ERR":
            self.events.append(_refusal(command, text))
        elif indicator == b"+" and command.answer is Challenge:
            self._challenge(command, text)
        elif indicator != b"+OK":
            raise RemoteProtocolError("")
        elif command.answer is Challenge:
            if not getattr(command, "complete", True) and text and base64_in(text) is not None:
                self._forgive(Fault.OK_CHALLENGE, text)
                self._challenge(command, text)
            else:
                self.events.append(Ok(command, _decoded(text)))
        elif command.answer is Message:
            self._message(command, text)
        elif command.multiline:
            self._listing(command, text)
        elif command.answer is Ok:
            self.events.append(Ok(command, _decoded(text)))
            if isinstance(command, c.Stls):
                self._state = State.TLS_NEGOTIATION
        else:
            faults: list[tuple[Fault, bytes]] = []
            reply = _single(command, text, faults)
            self._forgive_all(faults)
            self.events.append(reply)

    def _challenge(self, command: Command[Any], text: bytes) -> None:
        data = base64_in(text)
        if data is None:
            self._forgive(Fault.UNDECODABLE_CHALLENGE, text)
            self.events.append(Challenge(command, text=_decoded(text)))
        else:
            self.events.append(Challenge(command, data))

    def _message(self, command: Command[Any], text: bytes) -> None:
        self.events.append(MessageStart(command, _decoded(text)))
        lines, unstuffed, ended = self._octets.text()
        content = b"".join(line + self._octets.newline for line in lines)
        if not ended:
            rest = self._octets.rest
            content += rest[1:] if rest.startswith(b"..") else rest
        if content:
            self.events.append(MessageData(content))
        if not ended:
            raise ConnectionLostError("")
        if unstuffed:
            self._forgive(Fault.UNSTUFFED_DOT, b"", unstuffed)
        self.events.append(MessageEnd(command, len(content)))

    def _listing(self, command: Command[Any], text: bytes) -> None:
        rows, unstuffed, ended = self._octets.text()
        if not ended and self._octets.rest in (b"", b".", b".\r"):
            # The end of the last row may have been the beginning of the terminator.
            rows = rows[:-1]
        faults: list[tuple[Fault, bytes]] = []
        if self._octets.newline == b"\n":
            rows = [row.removesuffix(b"\r") for row in rows]
        reply = _ROWS[command.answer](command, rows, _decoded(text), faults)
        if not ended:
            raise ConnectionLostError("")
        if unstuffed:
            self._forgive(Fault.UNSTUFFED_DOT, b"", unstuffed)
        self._forgive_all(faults)
        self.events.append(reply)


def _status(line: bytes) -> tuple[bytes, bytes]:
    """Return the indicator in upper case, empty if there is none, and the text after it."""
    if line == b"+" or line.startswith(b"+ "):
        return b"+", line[2:]
    found = _STATUS.fullmatch(line)
    return (found[1].upper(), found[2].rstrip(b" \t")) if found else (b"", line)


def _decoded(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def _refusal(command: Command[Any] | None, text: bytes) -> ErrorReply:
    code, rest = split_response_code(_decoded(text))
    return ErrorReply(command, rest, code)


def _needed(number: int | None) -> int:
    if number is None:
        raise RemoteProtocolError("")
    return number


Found = list[tuple[Fault, bytes]]


def _scan_row(row: bytes, faults: Found) -> tuple[int, int | None]:
    first, second, *_ = [*row.split(), b"", b""]
    number = _needed(message_number(first))
    # One blank stands between the words, none before them, and whatever comes third is ignored.
    if not re.fullmatch(rb"\S+(?: \S+(?: \S.*)?)?", row, re.DOTALL):
        faults.append((Fault.LISTING_SPACING, row))
    size = number_in(second)
    if size is None:
        faults.append((Fault.UNUSABLE_SIZE, row))
    return number, size


def _unique_id_row(row: bytes, faults: Found) -> tuple[int, bytes | None]:
    word, _, rest = row.lstrip(b" \t").partition(b" ")
    number, unique_id = _needed(message_number(word)), rest.lstrip(b" ")
    if not unique_id:
        faults.append((Fault.MISSING_UNIQUE_ID, row))
        return number, None
    if row.startswith((b" ", b"\t")) or rest.startswith(b" "):
        faults.append((Fault.LISTING_SPACING, row))
    if not _UNIQUE_ID.fullmatch(unique_id):
        faults.append((Fault.MALFORMED_UNIQUE_ID, row))
    return number, unique_id


def _single(command: Command[Any], text: bytes, faults: Found) -> Any:
    """Return the answer to a command that has one line."""
    if command.answer is LangReply:
        return LangReply(command, (), _decoded(text))
    first, second, *_ = [*text.split(), b"", b""]
    if command.answer is LastReply:
        return LastReply(command, _needed(number_in(first)))
    if command.answer is StatReply:
        count, size = _needed(number_in(first)), number_in(second)
        if size is None:
            faults.append((Fault.UNUSABLE_SIZE, text))
        return StatReply(command, count, size)
    row: tuple[int, int | None, bytes | None]
    if command.answer is ListReply:
        row = (*_scan_row(text, faults), None)
    else:
        number, unique_id = _unique_id_row(text, faults)
        row = (number, None, unique_id)
    asked = getattr(command, "message", None)
    if isinstance(asked, int) and row[0] != asked:
        raise RemoteProtocolError("")
    return command.answer(command, Listings([row]))


def _scan_listing(command: Command[Any], rows: list[bytes], text: str, faults: Found) -> Any:
    return ListReply(command, Listings([(*_scan_row(row, faults), None) for row in rows]), text)


def _unique_ids(command: Command[Any], rows: list[bytes], text: str, faults: Found) -> Any:
    pairs = [_unique_id_row(row, faults) for row in rows]
    seen: list[bytes] = []
    for number, unique_id in pairs:
        if unique_id is not None:
            if unique_id in seen:
                faults.append((Fault.DUPLICATE_UNIQUE_ID, b"%d %s" % (number, unique_id)))
            seen.append(unique_id)
    return UidlReply(command, Listings([(number, None, uid) for number, uid in pairs]), text)


def _capabilities(command: Command[Any], rows: list[bytes], text: str, faults: Found) -> Any:
    names: list[bytes] = []
    for row in rows:
        name = (row.upper().split() or [b""])[0]
        if not name or max(row) > 0x7F:
            faults.append((Fault.MALFORMED_CAPABILITY, row))
        if name in names:
            faults.append((Fault.REPEATED_CAPABILITY, row))
        names.append(name)
    return CapaReply(command, Capabilities(tuple(map(_decoded, rows))), text)


def _languages(command: Command[Any], rows: list[bytes], text: str, _: Found) -> Any:
    pairs = (row.partition(b" ") for row in rows)
    languages = [Language(_decoded(tag), _decoded(name.strip())) for tag, _, name in pairs]
    return LangReply(command, tuple(languages), text)


def _mechanisms(command: Command[Any], rows: list[bytes], text: str, _: Found) -> Any:
    return MechanismsReply(command, tuple(map(_decoded, rows)), text)


_ROWS: dict[type[Any], Callable[[Command[Any], list[bytes], str, Found], Any]] = {
    ListReply: _scan_listing,
    UidlReply: _unique_ids,
    CapaReply: _capabilities,
    LangReply: _languages,
    MechanismsReply: _mechanisms,
}
