"""What a case for a server is given: connections in every state, and mail that is known."""

from __future__ import annotations

import re
import socket
from base64 import b64encode
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from ...errors import printable
from ...transcript import REDACTED
from ...transports import Security
from ..case import Case, CaseFailedError, Cases, NotOfferedError, NotTestedError, demand
from ..report import Conversation
from ..wire import Status, Wire, printable_line
from .mail import Mail

if TYPE_CHECKING:
    from collections.abc import Callable

    from .facts import Facts
    from .target import ServerTarget

__all__ = ["CASES", "ServerRun", "answer_to", "refuses"]

# Seconds in which a server has to notice that a session is gone, and to release the maildrop.
_RELEASE = 15.0
_PAUSE = 0.25
# Seconds that a case may take, if each answer comes in time.
_LONGEST = 120.0
_LONGEST_SLOW = 900.0
_STAT = re.compile(rb"(\d+) (\d+)(?: |\Z)")


class ServerRun:
    """The means of one case: each connection is new, and is closed after it."""

    def __init__(self, target: ServerTarget, facts: Facts, mail: Mail) -> None:
        self.target = target
        """The server."""
        self.facts = facts
        """What is known of it."""
        self.mail = mail
        """The mail that was delivered for the run."""
        self._wires: list[Wire] = []
        self._longest = _LONGEST

    def refusal(self, case: Case[Any]) -> str:
        """Return why ``case`` may not be run, or an empty text."""
        if case.destructive and not self.target.destructive:
            return "it can delete mail: see --destructive"
        if case.slow and not self.target.slow:
            return "it takes minutes: see --slow"
        if case.slow:
            self._longest = _LONGEST_SLOW
        return ""

    def conversations(self) -> tuple[Conversation, ...]:
        """Return what was said on each connection."""
        secrets = self._secrets()
        return tuple(wire.conversation(secrets) for wire in self._wires)

    def without_secrets(self, text: str) -> str:
        """Return ``text`` without the password, in whichever form a server repeats it."""
        hidden = REDACTED.decode("ascii")
        for secret in self._secrets():
            # As it is, and as it is escaped where a line is shown.
            for form in (secret.decode("utf-8", "backslashreplace"), printable(secret, 10_000)):
                text = text.replace(form, hidden)
        return text

    def close(self) -> None:
        """Close all connections."""
        for wire in self._wires:
            wire.forget()

    def _secrets(self) -> tuple[bytes, ...]:
        target = self.target
        if target.secret is None or not target.secret.octets():
            return ()
        secret = target.secret.octets()
        user = (target.user or "").encode()
        plain = b"\0" + user + b"\0" + secret
        return (secret, b64encode(secret), b64encode(plain), b64encode(user + b"\0" + secret))

    # Connections

    def connect(self, title: str = "connection") -> Wire:
        """Return a connection on which nothing was read; with implicit TLS, it is under TLS.

        Raises ``NotTestedError`` if there is none.
        """
        wire = self.in_the_clear(title)
        if self.target.security is Security.TLS:
            self.start_tls(wire)
        return wire

    def in_the_clear(self, title: str) -> Wire:
        """Return a connection without TLS, even where TLS comes first."""
        target = self.target
        try:
            sock = socket.create_connection((target.host, target.port), target.timeout)
        except OSError as error:
            raise NotTestedError(f"no connection to the server: {error}") from error
        return self.adopt(sock, title)

    def adopt(self, sock: socket.socket, title: str) -> Wire:
        """Return a connection over a socket of the case's own, which is closed after it."""
        target = self.target
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Mail that was there before is nobody's business.
        bodies = target.destructive or target.deliver is not None
        wire = Wire(sock, title, timeout=target.timeout, longest=self._longest, bodies=bodies)
        self._wires.append(wire)
        return wire

    def start_tls(self, wire: Wire) -> None:
        """Make TLS on ``wire``, and check the certificate."""
        target = self.target
        if target.ssl_context is None:
            raise NotTestedError("TLS is not wanted")
        wire.start_tls(target.ssl_context, target.server_hostname or target.host)
        if target.fingerprint is None or wire.tls is None:
            return
        from hashlib import sha256

        certificate = wire.tls.getpeercert(binary_form=True) or b""
        if sha256(certificate).hexdigest() != target.fingerprint:
            raise NotTestedError("the server's certificate does not have the fingerprint")

    def greeted(self, title: str = "before the login, as it begins") -> Wire:
        """Return a connection whose greeting was read."""
        wire = self.connect(title)
        greeting = wire.status(self.patience)
        if not greeting.ok:
            raise CaseFailedError(f"the server does not let anybody in: {greeting}")
        return wire

    def secured(self, title: str = "before the login") -> Wire:
        """Return a connection that is ready for a login: under TLS, if that is wanted."""
        wire = self.greeted(title)
        if self.target.security is Security.STLS:
            answer = wire.ask(b"STLS")
            if not answer.ok:
                raise NotTestedError(f"the server refuses STLS: {answer}")
            self.start_tls(wire)
        return wire

    def logged_in(self, title: str = "after the login") -> Wire:
        """Return a connection on which the account is logged in.

        Waits for a while if the server refuses that, because the session before may not be over in
        its eyes.
        """
        until = monotonic() + _RELEASE
        while True:
            wire = self.secured(title)
            answer = self.log_in(wire)
            if answer.ok:
                return wire
            if monotonic() > until or not self.facts.login:
                raise NotTestedError(f"the login is refused: {answer}")
            wire.close()
            self.drop(wire)
            sleep(_PAUSE)

    def drop(self, wire: Wire) -> None:
        """Leave a connection, which is closed, out of what is reported."""
        self._wires.remove(wire)

    @property
    def patience(self) -> float:
        """Seconds for a greeting, or for the answer to a login: servers delay some of them."""
        return 3 * self.target.timeout

    def credentials(self) -> tuple[bytes, bytes]:
        """Return user and password; raise ``NotTestedError`` without them."""
        target = self.target
        if target.user is None or target.secret is None:
            raise NotTestedError("it needs an account: the URL names no user")
        return target.user.encode(), target.secret.octets()

    def log_in(self, wire: Wire, password: bytes | None = None) -> Status:
        """Log in, perhaps with a wrong ``password``, and return the answer."""
        user, secret = self.credentials()
        secret = secret if password is None else password
        if self.facts.login == "PLAIN":
            plain = b64encode(b"\0" + user + b"\0" + secret)
            return wire.ask(b"AUTH PLAIN " + plain, timeout=self.patience)
        answer = wire.ask(b"USER " + user, timeout=self.patience)
        return wire.ask(b"PASS " + secret, timeout=self.patience) if answer.ok else answer

    def demand_login(self, answer: Status, what: str) -> None:
        """Raise ``CaseFailedError`` unless a login with the right password has succeeded.

        If another session is in the way, or it is too early, nothing can be said.
        """
        if not answer.ok and answer.code in (b"IN-USE", b"LOGIN-DELAY"):
            raise NotTestedError(f"{what} answered with {answer}")
        demand(answer.ok, f"{what} answered with {answer}")

    # What is needed

    def need(self, capability: str, *, before_login: bool = False) -> list[str]:
        """Return the arguments of a capability; raise ``NotOfferedError`` if it is not announced.

        For a server without CAPA, nothing is announced.
        """
        found = self.facts.before if before_login else self.facts.after or self.facts.before
        if found is None:
            raise NotOfferedError(f"there is no CAPA that could announce {capability}")
        if capability not in found:
            raise NotOfferedError(f"{capability} is not announced")
        return found[capability]

    def offered(self, wire: Wire, capability: str, *command: bytes) -> Status:
        """Return the answer to an optional command, which is refused only where it is not offered.

        Raises ``NotOfferedError`` if it is refused and not announced.
        """
        answer = wire.ask(*command)
        announced = capability in (self.facts.after or self.facts.before or {})
        if not answer.ok and not announced:
            raise NotOfferedError(f"{capability} is not announced, and {answer} is the answer")
        if not answer.ok:
            raise CaseFailedError(f"{capability} is announced, and the answer is {answer}")
        return answer

    def count(self, wire: Wire, least: int = 0) -> int:
        """Return the number of messages; raise ``NotTestedError`` if there are not ``least``."""
        return self.stat(wire, least)[0]

    def stat(self, wire: Wire, least: int = 0) -> tuple[int, int]:
        """Return the number of messages and their octets, as ``count()`` does."""
        answer = wire.ask(b"STAT")
        found = _STAT.match(answer.text)
        if not answer.ok or found is None:
            raise CaseFailedError(f"STAT is answered with {answer}")
        if int(found[1]) < least:
            raise NotTestedError(f"it needs {least} messages, and the maildrop has {int(found[1])}")
        return int(found[1]), int(found[2])

    def filled(self, title: str = "after the login", least: int = 1) -> Wire:
        """Return a connection after the login to a maildrop with at least so many messages.

        If there are not, they are delivered, if that is possible.
        """
        wire = self.logged_in(title)
        missing = least - self.count(wire)
        if missing > 0 and self.target.deliver is not None:
            self.bye(wire)
            self.mail.fill(self, missing)
            wire = self.logged_in(title)
        self.count(wire, least)
        return wire

    def readable(self) -> None:
        """Raise ``NotTestedError`` if reading a message may delete it (RFC 2449 section 6.7)."""
        kept = (self.facts.after or {}).get("EXPIRE", [])
        if kept[:1] == ["0"] and not self.target.destructive:
            raise NotTestedError("EXPIRE 0 deletes what was read: see --destructive")

    def bye(self, wire: Wire) -> None:
        """End a session in which nothing was marked, so that the maildrop is released."""
        wire.send(b"QUIT")
        wire.closes()
        wire.close()


CASES: Cases[ServerRun] = Cases()
"""All cases for servers."""


def refuses(run: ServerRun, opened: Callable[[], Wire], *commands: bytes) -> None:
    """Raise ``CaseFailedError`` unless each command is refused.

    A server may close after it has refused something; then the next command has a new connection.
    """
    wire, fresh = opened(), True
    for command in commands:
        try:
            answer = answer_to(wire, command)
        except CaseFailedError:
            if fresh or not wire.ended:
                raise
            wire = opened()
            answer = answer_to(wire, command)
        fresh = False
        demand(
            answer.content.startswith(b"-"),
            f"{printable_line(command)} is answered with {answer}",
        )
    run.bye(wire)


def answer_to(wire: Wire, command: bytes) -> Status:
    """Return the answer to ``command``; if there is none, the error names the command."""
    try:
        return wire.ask(command)
    except CaseFailedError as error:
        raise CaseFailedError(f"{printable_line(command)}: {error}") from error
