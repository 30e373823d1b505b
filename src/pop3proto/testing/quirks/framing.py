"""Quirks of lines, packets and texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...model.command import Command
from ...model.commands import Dele, Top
from ...model.replies import Greeting, Ok
from .row import Row, Situation


def _single_dots(step: int) -> Callable[[list[bytes], Command[Any], Situation], list[bytes]]:
    """Return a function that removes the second dot of each ``step``-th line that has one."""

    def change(lines: list[bytes], command: Command[Any], situation: Situation) -> list[bytes]:
        dotted = [number for number, line in enumerate(lines) if line.startswith(b".")]
        single = set(dotted[::step])
        return [line[1:] if number in single else line for number, line in enumerate(lines)]

    return change


def _with_last_line(
    line: bytes,
) -> Callable[[list[bytes], Command[Any], Situation], list[bytes]]:
    return lambda lines, command, _: lines if isinstance(command, Top) else [*lines, line]


CR_IN_MAIL = Row(
    "has a line with bare CRs at the end of each message",
    "many",
    mail=_with_last_line(b"one\rtwo\r\rthree"),
)
NUL_IN_MAIL = Row(
    "has a line with NULs at the end of each message",
    "many",
    mail=_with_last_line(b"one\0two\0\0"),
)
LONG_LINE_IN_MAIL = Row(
    "has a line of 120,000 octets at the end of each message",
    "all webmail providers",
    mail=_with_last_line(b"x" * 120_000),
)
BARE_LF = Row("ends every line with LF alone", "small UNIX servers", newline=b"\n")
NO_FINAL_NEWLINE = Row(
    "puts the final dot right after the last line of a body",
    "Exchange 2000",
    after_mail=lambda lines, _: [lines[0].rstrip(b"\r\n"), *lines[1:]],
)
NO_DOT_STUFFING = Row(
    "sends lines of mail that begin with a dot without doubling it",
    "GreenMail, hMailServer, Mailpit",
    "dots",
    mail=_single_dots(1),
)
SOME_DOT_STUFFING = Row(
    "doubles the dot of every second line of mail that begins with one",
    "GreenMail, hMailServer, Mailpit, netius",
    "dots",
    mail=_single_dots(2),
)
BLANK_LINES = Row(
    "puts a blank line before each answer",
    "Office 365, before its answers to DELE",
    answer=lambda lines, reply: lines if isinstance(reply, Greeting) else [b"", *lines],
)
SECOND_REPLY = Row(
    "answers DELE twice",
    "servers that answer twice",
    "after-dele",
    answer=lambda lines, reply: (
        [*lines, b"+OK once more"]
        if isinstance(reply, Ok) and isinstance(reply.command, Dele)
        else lines
    ),
)
SECOND_END = Row(
    "ends the answer to TOP twice",
    "FTGate",
    after_mail=lambda lines, command: [*lines, *lines[-1:] * isinstance(command, Top)],
)
SPLIT_PACKETS = Row("sends each octet by itself", "every slow network", packet=1)
NO_SPLIT_COMMANDS = Row(
    "closes when a command comes in pieces",
    "some old servers",
    arrives=lambda data, situation: None if situation.pieces else data,
)
