"""What is known of a server before the first case."""

from __future__ import annotations

from time import monotonic, sleep

from ..._value import value
from ...errors import printable
from ...transports import Security
from ..case import CaseFailedError, NotTestedError
from ..wire import Status, Wire
from .mail import Mail
from .run import ServerRun
from .target import ServerTarget

__all__ = ["Announced", "Facts", "capabilities", "look"]

# Seconds to wait for a session that is not over yet.
_RELEASE, _PAUSE = 15.0, 0.5

Announced = dict[str, list[str]]
"""Capabilities in upper case, with their arguments."""


@value
class Facts:
    """The capabilities of a server, and how to log in."""

    greeting: str = ""
    """The greeting, escaped."""
    clear: Announced | None = None
    """The capabilities before TLS; ``None`` if the server has no CAPA."""
    before: Announced | None = None
    """The capabilities before a login, under TLS if there is TLS."""
    after: Announced | None = None
    """The capabilities after a login."""
    login: str = ""
    """``USER`` or ``PLAIN``: the login that works; empty if there is none."""
    tls: str = ""
    """The version of TLS."""
    count: int = 0
    """The number of messages."""


def capabilities(wire: Wire) -> Announced | None:
    """Return the capabilities that the server announces now; ``None`` if it has no CAPA."""
    if not wire.ask(b"CAPA").ok:
        return None
    found: Announced = {}
    for line in wire.text():
        words = line.decode("ascii", "backslashreplace").split()
        if words:
            found.setdefault(words[0].upper(), []).extend(words[1:])
    return found


def look(target: ServerTarget) -> Facts:
    """Connect to the server and look at it.

    Raises ``ConnectionError`` if that is not possible: no case could be run.
    """
    run = ServerRun(target, Facts(login="USER"), Mail(None))
    try:
        wire = run.connect()
        greeting = wire.status(run.patience)
        if not greeting.ok:
            raise ConnectionRefusedError(f"the server does not let anybody in: {greeting}")
        clear = None if target.security is Security.TLS else capabilities(wire)
        wire.forget()
        wire = run.secured()
        before = capabilities(wire)
        version = "" if wire.tls is None else wire.tls.version() or ""
        wire.forget()
        facts = Facts(printable(greeting.content), clear, before, None, "", version)
        return facts if target.user is None else _logged_in(target, facts)
    except (CaseFailedError, NotTestedError) as error:
        raise ConnectionError(f"the server cannot be tested: {error}") from error
    finally:
        run.close()


def _logged_in(target: ServerTarget, facts: Facts) -> Facts:
    refusal = ""
    for login in ("USER", "PLAIN"):
        run = ServerRun(target, Facts(login=login), Mail(None))
        try:
            wire, answer = _login(run)
            if answer.ok:
                after, count = capabilities(wire), run.count(wire)
                run.bye(wire)
                return Facts(
                    facts.greeting, facts.clear, facts.before, after, login, facts.tls, count
                )
            refusal = refusal or str(answer)
        finally:
            run.close()
    raise ConnectionError(f"the server cannot be tested: the login is refused: {refusal}")


def _login(run: ServerRun) -> tuple[Wire, Status]:
    """Log in; wait if another session, perhaps of a run before, still has the maildrop."""
    until = monotonic() + _RELEASE
    while True:
        wire = run.secured()
        answer = run.log_in(wire)
        if answer.code != b"IN-USE" or monotonic() > until:
            return wire, answer
        wire.close()
        sleep(_PAUSE)
