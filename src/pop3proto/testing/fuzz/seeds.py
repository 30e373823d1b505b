"""Seeds of the fuzzers: sessions with all kinds of answers and faults, and transcripts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

from ..._value import replace
from ...model.command import Command
from ...model.commands import (
    Capa,
    Dele,
    Extension,
    Lang,
    Last,
    List,
    Noop,
    Quit,
    Retr,
    Stat,
    Stls,
    Top,
    Uidl,
    Upload,
    Utf8,
)
from ...model.login_commands import Apop, Auth, AuthCancel, AuthList, AuthResponse, Pass, User
from ...model.states import State
from ...transcript.recorded import Line, Role, TlsEstablished, auth_line, recorded_command
from ...transcript.recorder import Transcript
from .inputs import LENIENCIES, LIMITS, ClientInput, ServerInput
from .talking import FURTHER, REFUSE, Step

# Answers to commands that were sent ahead of them.
BODY = (
    b"+OK 120 octets\r\nSubject: x\r\n\r\n..\r\n...\r\n..leading\r\na\rb\nc\n.\n\r\n\0\xff\r\n.\r\n"
)

ANSWERS: dict[str, tuple[list[Command[Any]], bytes]] = {
    "ok": ([Noop()], b"+OK fine\r\n"),
    "bare ok": ([Noop()], b"+OK\r\n"),
    "error": ([Dele(1)], b"-ERR [IN-USE] no\r\n"),
    "other case and blanks": ([Noop(), Dele(1)], b"+ok \r\n-Err  no \r\n"),
    "stat": ([Stat()], b"+OK 2 320 and more\r\n"),
    "stat without size": ([Stat()], b"+OK 2 -1\r\n"),
    "list one": ([List(2)], b"+OK 2 200\r\n"),
    "list": ([List()], b"+OK\r\n1 120\r\n 2  200\r\n3 x\r\n.\r\n"),
    "empty list": ([List()], b"+OK\r\n.\r\n"),
    "uidl one": ([Uidl(2)], b"+OK 2 QhdPYR:00WBw1Ph7x7\r\n"),
    "uidl": ([Uidl()], b"+OK\r\n1 a\r\n2 \r\n3 a\r\n4 a b\r\n.\r\n"),
    "last": ([Last()], b"+OK 7\r\n"),
    "capa": ([Capa()], b"+OK\r\nTOP\r\nSASL A\r\n\r\nSASL B\r\n\xff\r\n..X\r\n.\r\n"),
    "languages": ([Lang()], b"+OK\r\nen English\r\nfr\r\n.\r\n"),
    "message": ([Retr(1)], BODY),
    "empty message": ([Top(1, 0)], b"+OK\r\n.\r\n"),
    "message that begins with dots": ([Retr(1)], b"+OK\r\n..\r\n.\r\n"),
    "message with unstuffed dots": ([Retr(1)], b"+OK\r\n.x\r\n..y\r\n.\r.\r\n.\r\n"),
    "message with bare LF": ([Retr(1)], b"+OK\n..a\nb\r\n..\n.\n"),
    "message ended by LF dot CRLF": ([Retr(1)], b"+OK\na\n.\r\n"),
    "extension": ([Extension.multi("XTND XLST")], b"+OK\r\n1 x\r\n.\r\n"),
    "many": ([Noop(), Retr(1), Stat(), Quit()], b"+OK\r\n" + BODY + b"+OK 1 1\r\n+OK bye\r\n"),
    "blank lines": ([Noop(), Noop()], b"\r\n+OK\r\n\n\r\n+OK\r\n"),
    "too much": ([Noop()], b"+OK\r\n+OK\r\n"),
    "garbage": ([Noop()], b"HELO\r\n"),
    "a NUL": ([Noop()], b"+OK \0\r\n"),
    "no number": ([Stat()], b"+OK two\r\n"),
    "cut in a line": ([Noop()], b"+OK fi"),
    "cut in a message": ([Retr(1)], b"+OK\r\ntext\r\n."),
    "not stuffed": ([Retr(1)], b"+OK\r\na\r\n.\r\nb\r\n.\r\n"),
}
AUTHORIZATION: dict[str, tuple[Command[Any], bytes]] = {
    "challenge": (Auth("CRAM-MD5"), b"+ PDE+\r\n"),
    "empty challenge": (Auth("PLAIN"), b"+\r\n"),
    "challenge of prose": (Auth("PLAIN"), b"+ go on\r\n"),
    "challenge by ok": (Auth("NTLM", complete=False), b"+OK PDE+\r\n"),
    "logged in": (Auth("PLAIN", b"\0user\0secret"), b"+OK in\r\n"),
    "apop": (Apop("user", "0" * 32), b"-ERR [AUTH] no\r\n"),
    "mechanisms": (AuthList(), b"+OK\r\nPLAIN\r\nLOGIN\r\n.\r\n"),
}
REQUESTS = {
    "login": b"CAPA\r\nUSER user\r\nPASS se cret\r\nSTAT\r\nQUIT\r\n",
    "auth": b"AUTH PLAIN\r\nAHVzZXIAc2VjcmV0\r\nLIST\r\nRETR 1\r\nTOP 1 5\r\n",
    "auth with initial response": b"auth plain AHVzZXIAc2VjcmV0\r\nuidl 3\r\nNOOP\r\n",
    "cancelled": b"AUTH PLAIN\r\n*\r\nAUTH PLAIN\r\nnot base64\r\nAUTH\r\n",
    "apop": b"APOP user c4c9334bac560ecc979e58001b3e22fb\r\nDELE 1\r\nRSET\r\nLAST\r\nUIDL\r\n",
    "bare LF": b"USER user\nPASS secret\r\nSTAT\n",
    "no commands": b"\r\nRETR\r\nSTAT 1\r\nTOP 1\r\nUSER\r\nX\0Y\r\nUSER j\xf6rg\r\nXTND XLST\r\n",
    "too long": b"USER " + b"x" * 600 + b"\r\nNOOP\r\n",
    "far too long": b"X" * 9000 + b"\r\nCAPA\r\n" + b"AUTH " + b"Y" * 9000 + b"\r\nCAPA\r\n",
    "cut": b"USER user\r\nPA",
    "rest": b"UTF8\r\nLANG\r\nLANG en\r\nSTLS\r\nRPOP user\r\nSTAT\r\nXSENDER 1\r\n",
}
_LOGIN: list[Step] = [b"+OK <1.2@example.org>\r\n", User("user"), Pass("secret"), b"+OK\r\n+OK\r\n"]
_TLS = TlsEstablished()

# Sessions of a client, from the greeting on.
SESSIONS: list[list[Step]] = [
    [b"-ERR busy\r\n"],
    [b"* OK IMAP\r\n"],
    [
        b"\r\n+OK <1.2@example.org>\n",
        Capa(),
        b"+OK\r\nSTLS\r\n.\r\n",
        Stls(),
        b"+OK\r\n",
        _TLS,
        Capa(),
    ],
    [b"+OK\r\n", Stls(), b"+OK\r\n+OK injected\r\n", _TLS],
    [
        b"+OK\r\n",
        Stls(),
        b"-ERR\r\n",
        Utf8(),
        b"+OK\r\n",
        Stls(),
        Pass("secret"),
        b"-ERR [AUTH]\r\n",
    ],
    [b"+OK\r\n", Auth("PLAIN"), b"+ \r\n", AuthResponse(b"x"), b"+OK\r\n", Noop(), b"+OK\r\n"],
    [b"+OK\r\n", Auth("PLAIN"), b"+ PDE+\r\n", AuthCancel(), b"-ERR\r\n", Quit(), b"+OK\r\n"],
    [*_LOGIN, Extension.single("XTND XMIT"), b"+OK\r\n", Upload(b"text\n"), b"+OK\r\n"],
    [*_LOGIN, Noop(), b"+OK\r\n+OK unasked\r\n", Noop(), b"+OK\r\n"],
    [*_LOGIN, Retr(1), b"+OK\r\na\r\n.\r\nb\r\n.\r\n", Noop(), b"+OK\r\n"],
    [*_LOGIN, Retr(1), Retr(2), Noop(), Quit(), b"+OK\r\n..a\r\n.\r\n-ERR\r\n+OK\r\n+OK\r\n"],
    [*_LOGIN, List(), b"+OK\r\n" + b"%d 1\r\n" * 9 % (*range(1, 10),) + b".\r\n", Quit()],
    [*_LOGIN, Capa(), b"+OK\r\nX-NAME " + b"x" * 40 + b"\r\n.\r\n", Noop(), b"+OK " + b"x" * 60],
    [b"+OK\r\n", Auth("CRAM-MD5"), b"+ " + b"PDE+" * 12 + b"\r\n", AuthCancel(), b"-ERR\r\n"],
    [*_LOGIN, Noop(), b"+OK " + b"x" * 60 + b"\r\n"],
    [*_LOGIN, Uidl(), b"+OK\r\n1 a\r\n2 \r\nx\r\n4 " + b"d" * 70 + b"\r\n.\r\n"],
]
# Sessions as a server hears them, with the answers that it is made to give.
HEARD: list[tuple[list[int], list[Step]]] = [
    ([FURTHER], [b"STLS\r\n", _TLS, b"USER user\r\nPASS secret\r\nSTLS\r\n"]),
    ([FURTHER], [b"STLS\r\nCAPA\r\n", _TLS]),
    ([REFUSE], [b"STLS\r\nCAPA\r\n", _TLS]),
    ([0, FURTHER], [b"PASS secret\r\nXTND XMIT\r\n..a\r\nb\r\n.\r\nNOOP\r\n"]),
    ([0, FURTHER], [b"PASS secret\nXTND XMIT\n..a\nb\n.\nNOOP\n"]),
    ([0, FURTHER], [b"PASS secret\r\nXTND XMIT\r\n" + b"x" * 100 + b"\r\n.\r\n"]),
    (
        [FURTHER] * 3,
        [b"AUTH X eA==\r\neA==\r\nQUFBQUFB\r\n*\r\nAUTH X\r\n" + b"QUFB" * 15 + b"\r\n"],
    ),
    ([FURTHER, 0], [b"AUTH X\r\nQUFBQUFBQUFBQUFBQUFB\r\nCAPA\r\nAUTH X QUFBQUFBQUFB\r\nCAPA\r\n"]),
    ([REFUSE, 0], [b"PASS wrong\r\nPASS secret\r\nSTAT\r\nRETR 1\r\nQUIT\r\nNOOP\r\n"]),
]
_SIZES = (1, 7, 64)
# A run of octets in a transcript is cut down to its beginning and its end.
_BEGINNING, _END = 1500, 500
# How many answers of a server an input holds.
_CHOICES = 12


def seeds(role: Role) -> list[bytes]:
    """Return the seeds of a role that come with the package, always the same ones."""
    return [given.to_bytes() for given in _inputs() if isinstance(given, _KINDS[role])]


_KINDS: dict[Role, type[Any]] = {"client": ClientInput, "server": ServerInput}


def _inputs() -> Iterator[ClientInput | ServerInput]:
    whole = [ClientInput(state=State.GREETING, steps=steps) for steps in SESSIONS]
    heard = [ServerInput(choices=choices, steps=steps) for choices, steps in HEARD]
    answers = [ClientInput(steps=[*commands, wire]) for commands, wire in ANSWERS.values()]
    answers += [
        ClientInput(state=State.AUTHORIZATION, steps=[command, wire])
        for command, wire in AUTHORIZATION.values()
    ]
    requests = [ServerInput(steps=[wire]) for wire in REQUESTS.values()]
    sizes, limits, leniencies = cycle(_SIZES), cycle(LIMITS[1:]), cycle(LENIENCIES[1:])
    several: list[ClientInput | ServerInput] = [*whole, *heard]
    for given in [*several, *answers, *requests]:
        plain = replace(given, size=next(sizes))
        yield plain
        yield replace(plain, leniency=next(leniencies))
        for tight in LIMITS[1:] if given in several else [next(limits)]:
            yield replace(plain, pulls=1, limits=tight)


def seed_of(transcript: Transcript, role: Role) -> bytes:
    """Return a recorded session as an input of the engine of ``role``.

    Long texts are shortened: what matters is how an answer begins and ends.
    """
    steps: list[Step] = []
    choices: list[int] = []
    said = b""
    for entry in transcript:
        if isinstance(entry, TlsEstablished):
            # The answer to STLS came just before, unless the session began under TLS.
            if steps:
                steps.append(entry)
                choices[-1:] = [FURTHER]
            continue
        if not isinstance(entry, Line):
            continue
        if role == "client" and entry.who == "client":
            line = entry.data.rstrip(b"\r\n")
            # A challenge came before, so this is its answer.
            in_auth = said.rstrip() == b"+" or said.startswith(b"+ ")
            steps.append(auth_line(line) if in_auth else recorded_command(line, ()))
        elif entry.who != role:
            match steps[-1:]:
                case [bytes(before)]:
                    steps[-1] = before + entry.data
                case _:
                    steps.append(entry.data)
        elif _is_status(entry.data):
            choices.append(_choice(entry.data))
        said = entry.data if entry.who == "server" else b""
    shortened = [_shortened(step) if isinstance(step, bytes) else step for step in steps]
    if role == "client":
        return ClientInput(size=7, state=State.GREETING, steps=shortened).to_bytes()
    # The first status line is the greeting.
    answers = choices[1 : 1 + _CHOICES]
    return ServerInput(size=7, choices=answers, steps=shortened).to_bytes()


def _is_status(line: bytes) -> bool:
    return line.startswith((b"+", b"-ERR"))


def _choice(line: bytes) -> int:
    if line.startswith(b"-"):
        return REFUSE
    return 0 if line.startswith(b"+OK") else FURTHER


def _shortened(octets: bytes) -> bytes:
    if len(octets) <= _BEGINNING + _END:
        return octets
    return octets[:_BEGINNING] + octets[-_END:]
