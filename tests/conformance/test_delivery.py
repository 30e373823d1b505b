"""The ways to deliver mail: what arrives is what was sent."""

from __future__ import annotations

import shlex
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from pop3proto import LocalProtocolError
from pop3proto.conformance import CommandDelivery, MaildirDelivery, SmtpDelivery

MESSAGE = b"Subject: dots\r\n\r\n.\r\n..x\r\nthe end\r\n"
STORED = MESSAGE.replace(b"\r\n", b"\n")


@contextmanager
def receiving(
    *, lmtp: bool, refuses: bytes = b""
) -> Generator[tuple[int, list[bytes]], None, None]:
    """A mail server for one message; the port, and what was said to it."""
    listener = socket.create_server(("127.0.0.1", 0))
    said: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb") as file:

            def answer(text: bytes) -> None:
                file.write(text + b"\r\n")
                file.flush()

            answer(b"220 ready")
            for line in file:
                said.append(line)
                verb = line[:4].upper()
                if verb == refuses:
                    answer(b"550 no")
                elif verb == b"DATA":
                    answer(b"354 go on")
                    while (content := file.readline()) not in (b".\r\n", b""):
                        said.append(content)
                    answer(b"250 done")
                else:
                    answer(b"221 bye" if verb == b"QUIT" else b"250 OK")

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], said
    finally:
        thread.join(10)
        listener.close()


@pytest.mark.parametrize("lmtp", [False, True])
def test_smtp_and_lmtp(lmtp: bool) -> None:
    with receiving(lmtp=lmtp) as (port, said):
        SmtpDelivery("127.0.0.1", port, "user@example.org", lmtp=lmtp).deliver(MESSAGE)
    assert said[0].upper().startswith(b"LHLO" if lmtp else b"EHLO")
    assert b"rcpt to:<user@example.org>\r\n" in [b"rcpt to:" + line[8:] for line in said]
    body = b"".join(said[said.index(b"Subject: dots\r\n") : -1])
    assert body == MESSAGE.replace(b"\r\n.", b"\r\n..")


@pytest.mark.parametrize("refuses", [b"MAIL", b"RCPT"])
def test_a_refusal_is_an_oserror(refuses: bytes) -> None:
    with receiving(lmtp=False, refuses=refuses) as (port, _), pytest.raises(OSError, match="no"):
        SmtpDelivery("127.0.0.1", port, "user@example.org").deliver(MESSAGE)


def test_a_recipient_has_a_domain() -> None:
    with pytest.raises(LocalProtocolError, match="--recipient"):
        SmtpDelivery("127.0.0.1", 25, "user")


def test_a_maildir(tmp_path: Path) -> None:
    for name in ("tmp", "new", "cur"):
        (tmp_path / name).mkdir()
    deliver = MaildirDelivery(tmp_path)
    deliver.deliver(MESSAGE)
    deliver.deliver(MESSAGE)
    assert [path.read_bytes() for path in (tmp_path / "new").iterdir()] == [STORED] * 2
    assert [*(tmp_path / "tmp").iterdir()] == []


def test_a_folder_that_is_no_maildir(tmp_path: Path) -> None:
    with pytest.raises(LocalProtocolError, match="not a Maildir"):
        MaildirDelivery(tmp_path)


def test_a_command(tmp_path: Path) -> None:
    path = tmp_path / "with a blank"
    program = "import sys; open(sys.argv[1], 'xb').write(sys.stdin.buffer.read())"
    CommandDelivery(shlex.join([sys.executable, "-c", program, str(path)])).deliver(MESSAGE)
    assert path.read_bytes() == STORED


def test_a_command_that_fails() -> None:
    failing = shlex.join([sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(OSError, match="ended with 3"):
        CommandDelivery(failing).deliver(MESSAGE)
    with pytest.raises(OSError, match="nonexistent"):
        CommandDelivery("/nonexistent/command").deliver(MESSAGE)


@pytest.mark.parametrize("command", ["", "  ", "'unclosed"])
def test_a_malformed_command(command: str) -> None:
    with pytest.raises(LocalProtocolError, match="the command to deliver with"):
        CommandDelivery(command)
