"""Where ``fetch`` delivers messages to."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import LocalProtocolError, printable
from .codes import UsageError

if TYPE_CHECKING:
    from ..sync import Delivery

__all__ = ["FORMATS", "Place"]

FORMATS = ("files", "maildir", "mbox", "command", "lmtp")
_HOST_AND_PORT = re.compile(r"\[?([^/\[\]]+?)\]?:([0-9]{1,5})")


class Place(NamedTuple):
    """A place for messages, as the command line names it."""

    format: str
    """One of ``FORMATS``: what ``where`` is."""
    where: str
    recipient: Sequence[str] | None = None
    """The mailboxes at an LMTP server."""
    sender: str = ""
    timeout: float = 300.0
    """How long a command, or an LMTP server, may take for a message, in seconds."""
    line_feeds: bool = True
    """True if a command gets lines that end with LF."""

    def check(self) -> None:
        """Find what is wrong before anybody is asked for a password.

        Raises ``LocalProtocolError`` or ``OSError``.
        """
        if (self.recipient is None) == (self.format == "lmtp"):
            raise UsageError("--format lmtp needs --recipient, and nothing else has one")
        if not self.where:
            # A Maildir would be made where the command runs.
            raise LocalProtocolError("the place for the messages is an empty text")
        for option, given, format in (
            ("--sender", bool(self.sender), "lmtp"),
            ("--crlf", not self.line_feeds, "command"),
        ):
            if given and self.format != format:
                raise UsageError(f"{option} is for --format {format} alone")
        if self.format in ("command", "lmtp"):
            # Nothing is opened yet.
            self.delivery("", "")
            return
        if self.format == "mbox":
            if os.path.isdir(self.where):
                raise LocalProtocolError(
                    f"{printable(self.where)} is a folder, and an mbox is a file"
                )
        elif os.path.exists(self.where) and not os.path.isdir(self.where):
            hint = "for an mbox, add --format mbox" if os.path.isfile(self.where) else ""
            raise LocalProtocolError(f"{printable(self.where)} is not a folder", hint=hint)

    def name(self, maildrop: str) -> str:
        """Return a name for the place: what was stored in one place is not there in another one.

        A folder is tied to ``maildrop``.
        """
        match self.format:
            case "files":
                from ..sync.folder import claim

                # It stays the same when the folder is renamed.
                return claim(self.where, maildrop)
            case "lmtp":
                # The server can move, and the mailboxes stay the same.
                return f"lmtp:{' '.join(sorted({*(self.recipient or ())}))}"
            case "command":
                return f"command:{shlex.join(self._arguments())}"
            case _:
                return f"{self.format}:{os.path.realpath(self.where)}"

    def delivery(self, tag: str, spool: str) -> Delivery:
        """Return what delivers there; ``spool`` is the folder for drafts that have no other."""
        from ..sync import FileFolder, Lmtp, Maildir, Mbox, Mda

        match self.format:
            case "files":
                return FileFolder(Path(self.where), tag)
            case "maildir":
                return Maildir(Path(self.where), tag)
            case "mbox":
                return Mbox(Path(self.where), tag)
            case "lmtp":
                return Lmtp(
                    self._address(),
                    self.recipient or (),
                    spool,
                    tag,
                    sender=self.sender,
                    timeout=self.timeout,
                )
            case _:
                return Mda(
                    self._arguments(),
                    spool,
                    tag,
                    timeout=self.timeout,
                    line_feeds=self.line_feeds,
                )

    def _arguments(self) -> list[str]:
        try:
            return shlex.split(self.where)
        except ValueError as error:
            raise LocalProtocolError(f"the command cannot be read: {error}") from error

    def _address(self) -> tuple[str, int] | str:
        match = _HOST_AND_PORT.fullmatch(self.where)
        # A path of a socket has a slash.
        return (match[1], int(match[2])) if match else self.where
