"""Writes the seed corpus: ``python -m tests.fuzz.make_corpus``.

A seed is named by what it holds, so that a run that changes nothing writes nothing new. Seeds that
are none any more are removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import cycle
from pathlib import Path

from pop3proto import (
    Auth,
    AuthCancel,
    AuthResponse,
    Capa,
    Extension,
    List,
    Noop,
    Pass,
    Quit,
    Retr,
    State,
    Stls,
    Uidl,
    Upload,
    User,
    Utf8,
)
from pop3proto.transcript import TlsEstablished
from tests.fuzz.targets import LENIENCIES, LIMITS, ClientInput, ServerInput
from tests.mail.samples import MAIL
from tests.property.engines import FURTHER, REFUSE, Step
from tests.property.test_chunking import ANSWERS, AUTHORIZATION, REQUESTS

CORPUS = Path(__file__).parent / "corpus"
_SIZES = (1, 7, 64)
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
# Sessions as a server hears them, and what it is made to answer.
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


def seeds() -> Iterator[tuple[str, bytes]]:
    """All seeds, each with the target that it is for."""
    whole = [ClientInput(state=State.GREETING, steps=steps) for steps in SESSIONS]
    heard = [ServerInput(choices=choices, steps=steps) for choices, steps in HEARD]
    answers = [ClientInput(steps=[*commands, wire]) for commands, wire in ANSWERS.values()]
    answers += [
        ClientInput(state=State.AUTHORIZATION, steps=[command, wire])
        for command, wire in AUTHORIZATION.values()
    ]
    requests = [ServerInput(steps=[wire]) for wire in REQUESTS.values()]
    sizes, limits, leniencies = cycle(_SIZES), cycle(LIMITS[1:]), cycle(LENIENCIES[1:])
    inputs: list[ClientInput | ServerInput] = [*whole, *heard, *answers, *requests]
    for given in inputs:
        role = "client" if isinstance(given, ClientInput) else "server"
        plain = replace(given, size=next(sizes))
        yield role, plain.to_bytes()
        yield role, replace(plain, leniency=next(leniencies)).to_bytes()
        for tight in LIMITS[1:] if given in whole or given in heard else [next(limits)]:
            yield role, replace(plain, pulls=1, limits=tight).to_bytes()
    for octets in MAIL:
        yield "mail", octets


def file_name(data: bytes) -> str:
    """What a seed is called."""
    return sha256(data).hexdigest()[:16]


def main() -> None:
    """Write all seeds."""
    written = {CORPUS / role / file_name(data): data for role, data in seeds()}
    for path, data in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for path in CORPUS.glob("*/*"):
        if path not in written:
            path.unlink()


if __name__ == "__main__":
    main()
