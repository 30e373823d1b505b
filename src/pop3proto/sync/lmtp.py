"""Delivery by LMTP (RFC 2033), to a server such as Dovecot or Cyrus."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from .._arguments import listed, require, require_address, require_host
from ..errors import LocalProtocolError
from .delivery import DeliveryError, sync_folder, write_whole
from .handover import Handover
from .values import Record

if TYPE_CHECKING:
    from .lmtp_session import LmtpSession, Reply

__all__ = ["Lmtp"]

# No lone surrogates, which stand for octets of a command line that are not UTF-8.
_ADDRESS = re.compile(r"[^\s<>\x00-\x1f\x7f\ud800-\udfff]+")
_CREATE: int = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)


def _has_unix_sockets() -> bool:
    import socket

    return hasattr(socket, "AF_UNIX")


class Lmtp(Handover):
    """A server that takes messages, and answers for each recipient that it has stored them.

    ``address`` is host and port, or the path of a UNIX socket. ``recipient`` is an address, or a
    list of them. The messages come from ``sender``, by default from nobody (``<>``), so that nobody
    gets a bounce. An answer of 400 to 499 is a failure that counts as ``transient``. Drafts are in
    the folder ``spool``. A message may take ``timeout`` seconds, from the connection to the last
    answer.

    A message counts as delivered when the server has said for every recipient that it is stored. If
    it refuses one of them before the message comes, none gets it. If only some of them have got it,
    they are remembered in ``spool``, and the next attempt leaves them out. If the connection or
    this process ends after the server has taken a message, and before its answer is noted, the
    message is handed over once more (RFC 1047).

    Raises ``LocalProtocolError`` for a wrong argument.
    """

    def __init__(
        self,
        address: tuple[str, int] | str,
        recipient: str | Sequence[str],
        spool: os.PathLike[str] | str,
        tag: str,
        *,
        sender: str = "",
        timeout: float = 300.0,
    ) -> None:
        super().__init__(spool, tag, timeout)
        require("address", address, (tuple, str), "a host and a port, or the path of a socket")
        require("sender", sender, str, "a str")
        given = [recipient] if isinstance(recipient, str) else recipient
        # Each of them once: a server can store a message twice.
        self._recipients = [*dict.fromkeys(listed("recipient is a str, or a list", given, str))]
        _check_addresses("recipient", self._recipients or [""])
        _check_addresses("sender", [sender] if sender else [])
        if isinstance(address, tuple):
            require_address("address", address)
            require_host("address", address[0])
        elif not _has_unix_sockets():
            raise LocalProtocolError("address is a path, and this system has no UNIX sockets")
        self._address, self._sender = address, sender
        self._session: LmtpSession | None = None
        # Of messages that not all recipients have got: how often which one has got which content.
        self._partly_name = f"partly-{tag}"
        self._lasting = frozenset({self._partly_name})
        self._partly: Counter[str] = Counter()

    def begin(self, kept: Collection[str]) -> None:
        """Remove what earlier runs have left, except for what the messages ``kept`` need."""
        from .lmtp_session import LmtpSession

        super().begin(kept)
        self._session = LmtpSession(self._address, self._timeout)
        path = self._path(self._partly_name)
        with suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
            self._partly = Counter(file.read().splitlines())

    def _hand_over(self, record: Record, draft: int, journal: int) -> DeliveryError | None:
        # Of two messages with the same content, it does not matter which one they have got.
        have = {each: f"{record.digest.hex()} {each}" for each in self._recipients}
        left = [each for each in self._recipients if not self._partly[have[each]]]
        # If all of them have got it, an earlier run has ended just before the note.
        if left and (refused := self._delivered(draft, have, left)):
            return self._refusal(refused)
        if len(self._recipients) > 1:
            # Before the note: or they would never get another message with this content.
            self._partly.subtract(have.values())
            self._remember(Counter())
        self._note(record, journal)
        return None

    def _delivered(self, draft: int, have: dict[str, str], left: list[str]) -> list[Reply]:
        """Hand a message over to the recipients that are ``left``; return the refusals."""
        assert self._session is not None  # noqa: S101 - begin() comes first
        try:
            with self._session.delivery():
                size = os.fstat(draft).st_size
                if refused := self._session.envelope(size, self._sender, left):
                    return refused
                for recipient, reply in self._session.content(draft, left):
                    if not reply.taken:
                        refused.append(reply)
                    elif len(self._recipients) > 1:
                        self._remember(Counter([have[recipient]]))
                return refused
        except OSError as error:
            raise self._failed(f"cannot be used: {error}", transient=True) from error

    def _remember(self, new: Counter[str]) -> None:
        """Add what recipients have got; it is on the disk when this returns."""
        self._partly = +(self._partly + new)
        path = self._path(self._partly_name)
        descriptor = os.open(f"{path}-new", _CREATE, 0o600)
        try:
            text = "".join(f"{each}\n" for each in self._partly.elements())
            write_whole(descriptor, text.encode("utf-8"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(f"{path}-new", path)
        sync_folder(self._drafts)

    def _path(self, name: str) -> str:
        return os.path.join(self._drafts, name)

    def _refusal(self, replies: Sequence[Reply]) -> DeliveryError:
        told = "; ".join(dict.fromkeys(map(str, replies)))
        return self._failed(
            f"has refused the message: {told}",
            transient=all(reply.transient for reply in replies),
        )

    def _failed(self, how: str, *, transient: bool) -> DeliveryError:
        return DeliveryError(
            f"the LMTP server {how}",
            transient=transient,
            hint="the message stays on the server, and the next run tries again",
        )

    def _rest(self) -> None:
        assert self._session is not None  # noqa: S101 - begin() comes first
        self._session.end()


def _check_addresses(name: str, given: Sequence[str]) -> None:
    if not all(map(_ADDRESS.fullmatch, given)):
        raise LocalProtocolError(f"{name} is an address such as user@example.org")
