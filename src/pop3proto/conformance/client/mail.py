"""The messages that clients are to fetch, and finding them again in what they have stored."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

__all__ = ["MAIL", "Stored", "message", "stored_in", "token_of"]

_TOKEN = re.compile(rb"^X-Conformance: ([a-z0-9-]+)\r?$", re.MULTILINE)
# What begins a message in an mbox file: at its start, or after an empty line.
_FROM = re.compile(rb"((?:\A|(?<=\n\n))From [^\n]*\n)")
_MOST_OCTETS = 64 * 1024 * 1024


def message(token: str, body: bytes) -> bytes:
    """Return a message that can be found again by ``token``."""
    header = f"From: a@example.org\r\nTo: b@example.org\r\nSubject: {token}\r\n"
    fields = f"Message-ID: <{token}@example.org>\r\nX-Conformance: {token}\r\n\r\n"
    return (header + fields).encode() + body


MAIL = tuple(
    message(token, body)
    for token, body in (
        ("plain", b"Some lines\r\nof text.\r\n"),
        ("dots", b".\r\n..\r\n...\r\n.text\r\n..text\r\ntext.\r\n.\r\n"),
        ("replies", b"+OK\r\n-ERR no\r\n+OK 1 20\r\n.\r\n-ERR\r\n+ \r\n"),
        ("empty", b""),
        ("long-line", b"x" * 100_000 + b"\r\n"),
        ("eight-bit", bytes(range(128, 256)) + b"\r\n"),
        ("from-line", b"\r\nFrom here on\r\n>From there\r\n\r\nFrom the end\r\n"),
        ("large", b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n" * 16_384),
    )
)


def token_of(content: bytes) -> str:
    """Return the token of a message; an empty text if it has none."""
    found = _TOKEN.search(content.partition(b"\r\n\r\n")[0].partition(b"\n\n")[0])
    return "" if found is None else found[1].decode("ascii")


class Stored:
    """What a program has stored, by token."""

    def __init__(self) -> None:
        self.whole: defaultdict[str, int] = defaultdict(int)
        """How many whole copies there are of each message."""
        self.broken: defaultdict[str, int] = defaultdict(int)
        """How many copies that are not what the server has sent."""

    def take(self, content: bytes, sent: dict[str, bytes]) -> None:
        """Note a copy, if it is one of the messages that were sent."""
        token = token_of(content)
        if token in sent:
            same = any(_same(each, sent[token]) for each in (content, _unquoted(content)))
            (self.whole if same else self.broken)[token] += 1


def stored_in(folder: Path, mail: tuple[bytes, ...]) -> Stored:
    """Look through all files below ``folder``: one message each, or an mbox."""
    sent = {token_of(content): content for content in mail}
    stored = Stored()
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.stat().st_size > _MOST_OCTETS:
            continue
        content = path.read_bytes().replace(b"\r\n", b"\n")
        for part in _messages(content) if content.startswith(b"From ") else [content]:
            stored.take(part, sent)
    return stored


def _messages(mbox: bytes) -> list[bytes]:
    """Return the messages of an mbox file."""
    found: list[bytes] = []
    _, *parts = _FROM.split(mbox)
    for line, part in zip(parts[::2], parts[1::2], strict=True):
        if token_of(part) or not found:
            found.append(part)
        else:
            # A line of mail: some programs write it as it is, since they store the length.
            found[-1] += line + part
    return found


def _unquoted(content: bytes) -> bytes:
    return re.sub(rb"^>(>*From )", rb"\1", content, flags=re.MULTILINE)


def _same(copy: bytes, sent: bytes) -> bool:
    """Say if ``copy`` is the message, apart from line ends, and from fields that were added."""
    header, _, body = copy.replace(b"\r\n", b"\n").partition(b"\n\n")
    wanted, _, text = sent.replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = header.split(b"\n")
    return body.strip(b"\n") == text.strip(b"\n") and all(
        line in lines for line in wanted.split(b"\n")
    )
