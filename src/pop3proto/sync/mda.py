"""Delivery to a command: an MDA (RFC 5598), such as procmail, maildrop or dovecot-lda."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Sequence
from errno import ENOENT
from typing import IO

from .._arguments import listed, require
from ..errors import LocalProtocolError, printable
from .delivery import DeliveryError
from .handover import Handover
from .values import Record

__all__ = ["Mda"]

# From sysexits.h, which agents for delivery use: EX_OSERR, EX_CANTCREAT, EX_IOERR, EX_TEMPFAIL.
_TRANSIENT = (71, 73, 74, 75)
# A shell adds this to the number of the signal that has ended a command.
_SIGNALLED = 128
# It survives if this process is killed, and writes down that the command has taken the message.
_WITNESS = """"$@" >&2 && printf '%s\\n' "$0" """
_SHELL = "/bin/sh"
_PAUSE = 0.1
# How much of what a command says is shown, in octets.
_SHOWN = 300


class Mda(Handover):
    """A command that takes a message on its standard input, and says by exit code 0 that it has.

    ``arguments`` are its name and its arguments; no shell sees them. Its input is a file with the
    whole message, so it cannot take a part for all of it. Other exit codes are failures: 71, 73,
    74 and 75 (of sysexits.h), a signal, and more than ``timeout`` seconds, after which it is
    stopped, count as ``transient``. Drafts are in the folder ``spool``. If this process is killed,
    the command goes on; the next run waits for it, and knows if it has taken the message. Only if
    the power fails while it runs does it get the message again.

    Raises ``LocalProtocolError`` for a wrong argument, and on systems without ``/bin/sh``.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        spool: os.PathLike[str] | str,
        tag: str,
        *,
        timeout: float = 300.0,
        line_feeds: bool = True,
    ) -> None:
        super().__init__(spool, tag, timeout)
        self._arguments = listed("arguments are a list of str", arguments, str)
        if not self._arguments or not self._arguments[0] or "\0" in "".join(self._arguments):
            raise LocalProtocolError("arguments begin with a command, and have no NUL")
        require("line_feeds", line_feeds, bool, "True or False")
        self.line_feeds = line_feeds
        if not os.path.exists(_SHELL):
            raise LocalProtocolError(f"delivery to a command needs {_SHELL}")
        self._said: IO[bytes] | None = None

    def begin(self, kept: Collection[str]) -> None:
        """Remove what earlier runs have left. Raises ``OSError`` if there is no such command."""
        from shutil import which
        from tempfile import TemporaryFile

        name = self._arguments[0]
        if which(name) is None:
            raise FileNotFoundError(ENOENT, "there is no such command", name)
        super().begin(kept)
        # A file, because a pipe would break if this process is killed, and the command with it.
        self._said = TemporaryFile(dir=self._drafts)  # noqa: SIM115 - until close()

    def close(self) -> None:
        """Close all files."""
        super().close()
        if self._said is not None:
            self._said.close()
            self._said = None

    def _wait_for(self, drafts: Sequence[str]) -> None:
        from fcntl import LOCK_EX, LOCK_NB, flock

        deadline = time.monotonic() + self._timeout
        for path in drafts:
            try:
                draft = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                continue
            try:
                while True:
                    try:
                        flock(draft, LOCK_EX | LOCK_NB)
                    except BlockingIOError:
                        if time.monotonic() > deadline:
                            raise DeliveryError(
                                f"{printable(self._arguments[0])}, started by an earlier run, still"
                                " takes a message",
                                transient=True,
                            ) from None
                        time.sleep(_PAUSE)
                    else:
                        break
            finally:
                os.close(draft)

    def _hand_over(self, record: Record, draft: int, journal: int) -> DeliveryError | None:
        from fcntl import LOCK_SH, flock

        assert self._said is not None  # noqa: S101 - begin() comes first
        self._said.seek(0)
        self._said.truncate()
        # The command and its witness inherit this lock, and only their end ends it.
        flock(draft, LOCK_SH)
        code = self._run(record.draft, draft, journal, self._said)
        if code is None:
            return self._failed(f"was stopped after {self._timeout:g} seconds", transient=True)
        if code > _SIGNALLED or code < 0:
            signal = code - _SIGNALLED if code > 0 else -code
            return self._failed(f"was ended by signal {signal}", transient=True)
        if code:
            return self._failed(f"has ended with code {code}", transient=code in _TRANSIENT)
        return None

    def _run(self, name: str, draft: int, journal: int, said: IO[bytes]) -> int | None:
        """Run the command; return its exit code, or ``None`` if it had to be stopped."""
        from signal import SIGKILL
        from subprocess import Popen
        from threading import Timer

        stopped = False

        def stop() -> None:
            nonlocal stopped
            stopped = True
            os.killpg(process.pid, SIGKILL)

        # In a session of its own, so that a Ctrl+C does not reach it: it would leave a part of the
        # message in somebody's mailbox.
        process = Popen(  # noqa: S603 - to run it is what the caller wants
            [_SHELL, "-c", _WITNESS, name, *self._arguments],
            stdin=draft,
            stdout=journal,
            stderr=said,
            start_new_session=True,
        )
        timer = Timer(self._timeout, stop)
        timer.daemon = True
        timer.start()
        try:
            code = process.wait()
        except BaseException:
            # It goes on, and the next run asks its witness.
            process.returncode = 0
            raise
        finally:
            timer.cancel()
        return None if stopped else code

    def _failed(self, how: str, *, transient: bool) -> DeliveryError:
        assert self._said is not None  # noqa: S101 - begin() comes first
        said = b" ".join(os.pread(self._said.fileno(), _SHOWN, 0).split())
        told = f": {printable(said)}" if said else ""
        return DeliveryError(
            f"{printable(self._arguments[0])} {how}{told}",
            transient=transient,
            hint="the message stays on the server, and the next run tries again",
        )
