"""Cases about AUTH (RFC 5034)."""

from __future__ import annotations

import re
from base64 import b64encode

from ...transports import Security
from ..case import CaseFailedError, NotOfferedError, NotTestedError, Severity, demand
from ..wire import Status, Wire
from .facts import capabilities
from .framing import answered_once
from .run import CASES, ServerRun

_CHALLENGE = re.compile(rb"\+ (?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def plain(run: ServerRun) -> None:
    """Raise ``NotOfferedError`` unless AUTH PLAIN is announced before the login."""
    mechanisms = [each.upper() for each in run.need("SASL", before_login=True)]
    if "PLAIN" not in mechanisms:
        raise NotOfferedError("the mechanism PLAIN is not announced")


def challenged(run: ServerRun) -> Wire:
    """Return a connection that has an AUTH PLAIN waiting for its response."""
    plain(run)
    wire = run.secured()
    answer = wire.ask(b"AUTH PLAIN")
    demand(answer.content.startswith(b"+ ") or answer.content == b"+", f"the answer is {answer}")
    return wire


def still_usable(run: ServerRun, wire: Wire) -> None:
    """Demand that the login can be tried again on the same connection."""
    try:
        answer = run.log_in(wire)
    except CaseFailedError:
        demand(wire.ended, "a login after that has no answer")
        return
    run.demand_login(answer, "a login after that is")
    run.bye(wire)


def over(answer: Status) -> None:
    """Demand that an AUTH has ended with -ERR."""
    demand(answer.content.startswith(b"-"), f"the answer is {answer}")


def ended_by(run: ServerRun, response: bytes) -> None:
    """Demand that a response ends AUTH, and that a login is possible after it."""
    run.credentials()
    wire = challenged(run)
    over(wire.ask(response, timeout=run.patience))
    still_usable(run, wire)


@CASES.case("S851", "RFC 5034 section 4", "AUTH with an unknown mechanism is refused.")
def _(run: ServerRun) -> None:
    wire = run.secured()
    over(wire.ask(b"AUTH XPOP3PROTO"))
    # Some servers answer, and then wait before they read on.
    again = wire.ask(b"XPOP3PROTO", timeout=run.patience)
    demand(not again.ok, "the next command is answered with +OK")


@CASES.case("S852", "RFC 5034 section 4", "A challenge is a plus, a space, and base64 or nothing.")
def _(run: ServerRun) -> None:
    plain(run)
    wire = run.secured()
    answer = wire.ask(b"AUTH PLAIN")
    demand(_CHALLENGE.fullmatch(answer.content), f"AUTH PLAIN is answered with {answer}")


@CASES.case("S853", "RFC 5034 section 4", "An asterisk cancels AUTH, which ends with -ERR.")
def _(run: ServerRun) -> None:
    ended_by(run, b"*")


@CASES.case("S854", "RFC 5034 section 4", "A response that is not base64 ends AUTH with -ERR.")
def _(run: ServerRun) -> None:
    ended_by(run, b"!no base64!")


@CASES.case("S855", "RFC 5034 section 4", "AUTH PLAIN with an initial response logs in.")
def _(run: ServerRun) -> None:
    plain(run)
    response = response_of(run)
    run.bye(run.logged_in("a session before, so that nobody else has the maildrop"))
    wire = run.secured()
    answer = wire.ask(b"AUTH PLAIN " + response, timeout=run.patience)
    run.demand_login(answer, "it is")
    run.bye(wire)


@CASES.case(
    "S856", "RFC 5034 section 4", "AUTH PLAIN with the response on a line of its own logs in."
)
def _(run: ServerRun) -> None:
    plain(run)
    response = response_of(run)
    run.bye(run.logged_in("a session before, so that nobody else has the maildrop"))
    wire = challenged(run)
    answer = wire.ask(response, timeout=run.patience)
    run.demand_login(answer, "it is")
    run.bye(wire)


@CASES.case(
    "S857",
    "RFC 5034 section 4",
    "An initial response of '=' is an empty one, which PLAIN refuses at once.",
)
def _(run: ServerRun) -> None:
    plain(run)
    over(run.secured().ask(b"AUTH PLAIN =", timeout=run.patience))


@CASES.case("S858", "RFC 5034 section 4", "An initial response that is not base64 is refused.")
def _(run: ServerRun) -> None:
    plain(run)
    over(run.secured().ask(b"AUTH PLAIN !!!!", timeout=run.patience))


@CASES.case("S859", "RFC 4616 section 2", "AUTH PLAIN with a wrong password is refused.")
def _(run: ServerRun) -> None:
    plain(run)
    user, _ = run.credentials()
    wrong = b64encode(b"\0" + user + b"\0not-the-password")
    over(run.secured().ask(b"AUTH PLAIN " + wrong, timeout=run.patience))


@CASES.case(
    "S860", "RFC 5034 section 5", "The name of a mechanism is understood in upper and lower case."
)
def _(run: ServerRun) -> None:
    plain(run)
    answer = run.secured().ask(b"AUTH plain")
    demand(answer.content.startswith(b"+"), f"'AUTH plain' is answered with {answer}")


@CASES.case(
    "S872",
    "RFC 5034 section 4",
    "A response with '=' before its end, or that is cut short, is not base64, and is refused.",
)
def _(run: ServerRun) -> None:
    right = response_of(run)
    # A decoder that overlooks the signs reads the right response.
    for response in (b"=AAA", right[:4] + b"====" + right[4:], b"AAAAA"):
        over(challenged(run).ask(response, timeout=run.patience))


@CASES.case(
    "S873",
    "RFC 5034 section 4",
    "A response may have 1,024 octets, which three names of 255 octets take with PLAIN.",
)
def _(run: ServerRun) -> None:
    run.credentials()
    wire = challenged(run)
    # RFC 4616 section 2: each of the three has up to 255 octets.
    long = b"x" * 255
    over(wire.ask(b64encode(b"\0".join([long, long, long])), timeout=run.patience))
    answered_once(run, wire)


@CASES.case("S874", "RFC 5034 section 4", "After a refused AUTH, a login can be tried again.")
def _(run: ServerRun) -> None:
    plain(run)
    user, _ = run.credentials()
    wire = run.secured()
    wrong = b64encode(b"\0" + user + b"\0not-the-password")
    over(wire.ask(b"AUTH PLAIN " + wrong, timeout=run.patience))
    still_usable(run, wire)


@CASES.case(
    "S875",
    "RFC 5034 section 4",
    "Before STLS, no mechanism is announced that shows the password.",
    severity=Severity.WARNING,
)
def _(run: ServerRun) -> None:
    if run.target.security is not Security.STLS:
        raise NotTestedError("it is about STLS: see a URL that begins with pop://")
    if run.facts.clear is None:
        raise NotOfferedError("CAPA is not known")
    found = capabilities(run.greeted()) or {}
    shown = sorted({"PLAIN", "LOGIN"} & {each.upper() for each in found.get("SASL", [])})
    demand(not shown, f"in the clear, these are announced: {', '.join(shown)}")


@CASES.case("S876", "RFC 5034 section 4", "AUTH PLAIN without a response gets an empty challenge.")
def _(run: ServerRun) -> None:
    plain(run)
    answer = run.secured().ask(b"AUTH PLAIN")
    demand(answer.content == b"+ ", f"the answer is {answer}")


def response_of(run: ServerRun) -> bytes:
    """Return the right response to AUTH PLAIN."""
    user, password = run.credentials()
    return b64encode(b"\0" + user + b"\0" + password)
