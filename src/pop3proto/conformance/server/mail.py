"""Mail that is delivered for a run, and found again in the maildrop."""

from __future__ import annotations

from secrets import token_hex
from time import monotonic, sleep
from typing import TYPE_CHECKING

from ..case import NotTestedError

if TYPE_CHECKING:
    from ..delivery import Deliver
    from ..wire import Wire
    from .run import ServerRun

__all__ = ["BODIES", "UNENDED", "Mail"]

BODIES = {
    "plain": b"one\r\ntwo\r\n\r\nthree\r\n",
    "dots": b".\r\n..\r\n...\r\n.x\r\n..x\r\n. \r\ntext\r\n.\r\nthe end\r\n",
    "last-dot": b"text\r\n.\r\n",
}
"""The bodies by their names."""
UNENDED = "unended"
"""The name of a message whose last line has no end, if that can be delivered."""
_UNENDED_BODY = b"the end"
# Seconds in which what was delivered has to be in the maildrop.
_ARRIVAL = 30.0
_PAUSE = 0.5
# The newest messages among which it is looked for.
_SEARCHED = 200


class Mail:
    """The mail of a run; it is delivered when a case first asks for it."""

    def __init__(self, deliver: Deliver | None) -> None:
        self._deliver = deliver
        self._token = token_hex(4)
        self._delivered = False
        self._more = 0
        # Why there will be no mail: nobody waits for it twice.
        self._lost = ""

    def open(self, run: ServerRun, name: str) -> tuple[Wire, int]:
        """Return a connection after the login, and the number of the message ``name``.

        Raises ``NotTestedError`` if it cannot be delivered, or does not arrive.
        """
        deliver = self._deliver
        if deliver is None:
            raise NotTestedError("it needs mail that is known: see the options for delivering")
        if name == UNENDED and not deliver.exact:
            raise NotTestedError("SMTP cannot deliver a message whose last line has no end")
        if not self._delivered:
            self._send(run, [*BODIES, *([UNENDED] if deliver.exact else [])])
            self._delivered = True
        wire = run.logged_in(f"with the message {name!r}")
        return wire, self._find(run, wire, name)

    def fill(self, run: ServerRun, missing: int) -> None:
        """Deliver so many messages, whatever they are; return when they are there."""
        self._send(run, [f"more-{self._more + each}" for each in range(missing)])
        self._more += missing

    def _send(self, run: ServerRun, names: list[str]) -> None:
        if self._deliver is None:
            raise NotTestedError("there is no way to deliver mail")
        if self._lost:
            raise NotTestedError(self._lost)
        before = self._count(run)
        try:
            for name in names:
                self._deliver.deliver(self._message(name))
            self._wait(run, before + len(names))
        except OSError as error:
            self._lost = f"mail could not be delivered: {error}"
            raise NotTestedError(self._lost) from error

    def _wait(self, run: ServerRun, wanted: int) -> None:
        until = monotonic() + _ARRIVAL
        while self._count(run) < wanted:
            if monotonic() > until:
                raise TimeoutError(f"it has not arrived within {_ARRIVAL:g} s")
            sleep(_PAUSE)

    @staticmethod
    def _count(run: ServerRun) -> int:
        wire = run.logged_in("waiting for mail")
        count = run.count(wire)
        run.bye(wire)
        run.drop(wire)
        return count

    def _message(self, name: str) -> bytes:
        body = BODIES.get(name, b"one more\r\n") if name != UNENDED else _UNENDED_BODY
        head = (
            "From: sender@example.org\r\nTo: user@example.org\r\n"
            "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
            f"Message-ID: <{self._token}.{name}@example.org>\r\n"
            f"Subject: pop3proto conformance {name}\r\n\r\n"
        )
        return head.encode("ascii") + body

    def _find(self, run: ServerRun, wire: Wire, name: str) -> int:
        wanted = f"{self._token}.{name}@".encode("ascii")
        count = run.count(wire)
        for number in range(count, max(0, count - _SEARCHED), -1):
            answer = wire.ask(b"TOP %d 0" % number)
            if not answer.ok:
                answer = wire.ask(b"RETR %d" % number)
            if answer.ok and any(wanted in line for line in wire.text()):
                return number
        raise NotTestedError(f"the message {name!r} was delivered, and is not in the maildrop")
