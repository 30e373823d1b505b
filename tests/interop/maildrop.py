"""The difficult maildrop that every real server serves."""

from __future__ import annotations

import mailbox
import os
from pathlib import Path

HEADER = b"From: sender@example.org\r\nSubject: %s\r\n\r\n"
SMALL = 2000
_UNENDED = "no final newline"
_BARE_LF = b"Subject: bare LF\r\n"


def difficult() -> dict[str, bytes]:
    """Messages that were trouble for somebody, with the line ends of the wire."""
    texts = {
        "plain": b"Hello.\r\n",
        "dots": b".\r\n..\r\n...\r\n.x\r\n..x\r\n. \r\n.\t.\r\n",
        "dots at the end": b"text\r\n.\r\n",
        "eight bits": bytes(range(128, 256)) + b"\r\n" + "gr\u00fc\u00dfe\r\n".encode(),
        "long line": b"x" * 120_000 + b"\r\nend\r\n",
        "empty body": b"",
        "blank lines": b"\r\n\r\n\r\n",
        "bare CR": b"one\rtwo\r\rthree\r.\r\n\rfour\r\n",
        "NUL": b"one\0two\0\r\n\0\r\n",
        "blanks": b"trailing \t\r\n \r\n",
        _UNENDED: b"the end",
    }
    # What has no line end where it is stored gets one on the wire.
    return {
        name: HEADER % name.encode() + text + b"\r\n" * (name == _UNENDED)
        for name, text in texts.items()
    }


def messages(small: int = SMALL, *, bare_lf: bool = False) -> list[bytes]:
    """The difficult ones, then as many small ones, each with a Message-ID of its own.

    Some servers make unique-ids of certain lines of the header, and of nothing else. With
    ``bare_lf`` there is a message more: it is stored with the line ends of the wire, but for one.
    A server that stores those of UNIX cannot have it: to it each LF is a line end, and each CR
    before one a part of the line.
    """
    more = [HEADER % b"bare LF" + b"one\r\ntwo\r\nthree\r\n"] * bare_lf
    many = [HEADER % b"small" + b"Number %d.\r\n" % number for number in range(small)]
    return [
        b"Message-ID: <%d@example.org>\r\n" % number + content
        for number, content in enumerate([*difficult().values(), *more, *many])
    ]


def fill_maildir(folder: Path, content: list[bytes]) -> None:
    """Make ``folder`` a Maildir of ``content``, in this order, with UNIX line ends.

    What is there of it already stays; what a server has noted about it goes.
    """
    for name in ("tmp", "new", "cur"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.is_file():
            path.unlink()
    there = {path.name.partition(":")[0] for path in (folder / "cur").iterdir()}
    for number, message in enumerate(content):
        name = f"{1_700_000_000 + number}.M{number}P1.localhost"
        if name not in there:
            (folder / "cur" / f"{name}:2,").write_bytes(_stored(message))


def _stored(message: bytes) -> bytes:
    if _BARE_LF in message:
        return message.replace(b"two\r\n", b"two\n")
    stored = message.replace(b"\r\n", b"\n")
    return stored.removesuffix(b"\n") if _UNENDED.encode() in message else stored


def fill_folder(folder: Path, content: list[bytes]) -> None:
    """Make ``folder`` a folder of files, one for each message, in this order."""
    folder.mkdir()
    for number, message in enumerate(content):
        (folder / f"{number:05}.eml").write_bytes(message)


def fill_mbox(path: Path, content: list[bytes]) -> None:
    """Make ``path`` an mbox of ``content``, with UNIX line ends."""
    box = mailbox.mbox(path)
    for message in content:
        box.add(message.replace(b"\r\n", b"\n"))
    box.flush()
    box.close()


def own(folder: Path, uid: int, gid: int) -> None:
    """Give all of ``folder`` to a user."""
    for path in (folder, *folder.rglob("*")):
        if path.stat().st_uid != uid:
            os.chown(path, uid, gid)
