"""The difficult maildrop that every real server serves."""

from __future__ import annotations

import shutil
from pathlib import Path

HEADER = b"From: sender@example.org\r\nSubject: %s\r\n\r\n"
SMALL = 2000


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
    }
    return {name: HEADER % name.encode() + text for name, text in texts.items()}


def messages(small: int = SMALL) -> list[bytes]:
    """The difficult ones, then as many small ones."""
    many = [HEADER % b"small" + b"Number %d.\r\n" % number for number in range(small)]
    return [*difficult().values(), *many]


def fill_maildir(folder: Path, content: list[bytes]) -> None:
    """Make ``folder`` a Maildir of ``content``, in this order, with UNIX line ends."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("tmp", "new", "cur"):
        (folder / name).mkdir(parents=True)
    for number, message in enumerate(content):
        path = folder / "cur" / f"{1_700_000_000 + number}.M{number}P1.localhost:2,"
        path.write_bytes(message.replace(b"\r\n", b"\n"))


def own(folder: Path, uid: int, gid: int) -> None:
    """Give all of ``folder`` to a user."""
    import os

    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, gid)
