"""Ways to put a message into the maildrop that is tested."""

from __future__ import annotations

import os
import shlex
import smtplib
import subprocess
from pathlib import Path
from typing import Protocol

from .._arguments import require, require_count, require_host
from ..errors import LocalProtocolError

__all__ = ["CommandDelivery", "Deliver", "MaildirDelivery", "SmtpDelivery"]

_SECONDS = 60.0
SENDER = "sender@example.org"


class Deliver(Protocol):
    """A way to deliver a message."""

    exact: bool
    """True if any octets can be delivered, even a last line without an end."""

    def deliver(self, message: bytes) -> None:
        """Deliver ``message``, whose lines end with CRLF.

        Raises ``OSError`` if that fails.
        """
        ...


class SmtpDelivery:
    """Delivery by SMTP or LMTP, without TLS and without a login: for a server that is tested."""

    exact = False

    def __init__(self, host: str, port: int, recipient: str, *, lmtp: bool = False) -> None:
        require("host", host, str, "a str")
        require_host("the host to deliver to", host)
        require_count("port", port)
        require("recipient", recipient, str, "a str")
        require("lmtp", lmtp, bool, "True or False")
        if "@" not in recipient:
            raise LocalProtocolError("a recipient has a domain: --recipient user@example.org")
        self._host, self._port, self._recipient = host, port, recipient
        self._kind = smtplib.LMTP if lmtp else smtplib.SMTP

    def deliver(self, message: bytes) -> None:
        """Deliver ``message``; raise ``OSError`` if the server does not take it."""
        with self._kind(self._host, self._port, timeout=_SECONDS) as client:
            client.sendmail(SENDER, [self._recipient], message)


class MaildirDelivery:
    """Delivery into a Maildir; its owner will own the messages."""

    exact = True

    def __init__(self, folder: Path) -> None:
        require("folder", folder, Path, "a Path")
        if not (folder / "new").is_dir() or not (folder / "tmp").is_dir():
            raise LocalProtocolError(f"not a Maildir, which has the folders new and tmp: {folder}")
        self._folder = folder
        self._count = 0

    def deliver(self, message: bytes) -> None:
        """Deliver ``message`` with UNIX line ends."""
        from time import time

        self._count += 1
        name = f"{int(time())}.P{os.getpid()}Q{self._count}.conformance"
        path, owner = self._folder / "tmp" / name, (self._folder / "new").stat()
        path.write_bytes(message.replace(b"\r\n", b"\n"))
        if hasattr(os, "chown") and path.stat().st_uid != owner.st_uid:
            os.chown(path, owner.st_uid, owner.st_gid)
        path.rename(self._folder / "new" / name)


class CommandDelivery:
    """Delivery by a command, which reads a message with UNIX line ends."""

    exact = True

    def __init__(self, command: str) -> None:
        require("command", command, str, "a str")
        try:
            self._command = shlex.split(command)
        except ValueError as error:
            raise LocalProtocolError(f"the command to deliver with: {error}", hint="") from error
        if not self._command:
            raise LocalProtocolError("the command to deliver with is empty", hint="")

    def deliver(self, message: bytes) -> None:
        """Run the command; raise ``OSError`` if it fails."""
        try:
            done = subprocess.run(  # noqa: S603 - the user's own command
                self._command,
                input=message.replace(b"\r\n", b"\n"),
                stdout=subprocess.DEVNULL,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"the command to deliver with took {_SECONDS:g} s") from None
        if done.returncode:
            raise OSError(f"the command to deliver with ended with {done.returncode}")
