"""Cases about STLS, and about logins without TLS."""

from __future__ import annotations

import ssl
import warnings

from ...transports import Security
from ..case import CaseFailedError, NotOfferedError, NotTestedError, Severity, demand
from ..wire import Wire, printable_line
from .facts import capabilities
from .run import CASES, ServerRun, refuses


def clear(run: ServerRun) -> Wire:
    """Return a connection in the clear on which STLS is to be tested."""
    if run.target.security is not Security.STLS:
        raise NotTestedError("it is about STLS: see a URL that begins with pop://")
    return run.greeted()


@CASES.case("S801", "RFC 2595 section 4", "STLS is answered with +OK, and TLS can begin.")
def _(run: ServerRun) -> None:
    wire = clear(run)
    answer = wire.ask(b"STLS")
    if not answer.ok and "STLS" not in (run.facts.clear or {}):
        raise NotOfferedError(f"STLS is answered with {answer}")
    demand(answer.ok, f"STLS is announced, and answered with {answer}")
    run.start_tls(wire)
    demand(wire.ask(b"QUIT").ok, "QUIT under TLS is refused")


@CASES.case("S802", "RFC 2595 section 4", "A server with STLS has CAPA, and announces STLS.")
def _(run: ServerRun) -> None:
    found = capabilities(clear(run))
    demand(found is not None, "STLS works, and CAPA is not known")
    demand("STLS" in (found or {}), "STLS works, and is not announced")


@CASES.case(
    "S803",
    "RFC 2595 section 4",
    "Under TLS, STLS is no longer announced.",
    severity=Severity.WARNING,
)
def _(run: ServerRun) -> None:
    found = capabilities(secured(run))
    if found is None:
        raise NotOfferedError("CAPA is not known")
    demand("STLS" not in found, "STLS is announced under TLS")


def secured(run: ServerRun) -> Wire:
    """Return a connection under TLS, however it began."""
    if run.target.security is Security.PLAINTEXT:
        raise NotTestedError("it is about TLS, which is not wanted")
    return run.secured()


# A server MAY refuse it; what else it could do is not said.
@CASES.case("S804", "RFC 2595 section 4", "Under TLS, STLS is refused.", severity=Severity.WARNING)
def _(run: ServerRun) -> None:
    refuses(run, lambda: secured(run), b"STLS")


@CASES.case("S805", "RFC 2595 section 4", "STLS takes no argument.")
def _(run: ServerRun) -> None:
    refuses(run, lambda: clear(run), b"STLS now")


@CASES.case(
    "S806",
    "RFC 2595 section 4",
    "TLS begins right after the answer to STLS: what was sent ahead in the clear is no command.",
)
def _(run: ServerRun) -> None:
    wire = clear(run)
    wire.send(b"STLS", b"XINJECTED", b"QUIT")
    if not wire.status().ok:
        raise NotTestedError("the server refuses STLS with something after it")
    try:
        if wire.unasked(0.5):
            raise CaseFailedError(
                f"the answer in the clear is {printable_line(bytes(wire.buffer))}"
            )
        run.start_tls(wire)
        answered = wire.unasked(1.0)
        after = wire.ask(b"XPOP3PROTO") if not answered else None
    except CaseFailedError as error:
        if "in the clear" in str(error):
            raise
        # The octets in the clear are no TLS, so that the server ends the connection.
        return
    demand(not answered, f"under TLS, the answer to it is {printable_line(answered)}")
    demand(
        after is not None and not wire.closes(0.2), "the QUIT in the clear has ended the session"
    )


@CASES.case(
    "S807",
    "RFC 1939 section 7",
    "PASS under TLS does not belong to a USER before STLS.",
)
def _(run: ServerRun) -> None:
    user, password = run.credentials()
    wire = clear(run)
    answer = wire.ask(b"USER " + user)
    if not answer.ok:
        raise NotTestedError(f"USER without TLS is answered with {answer}")
    if not wire.ask(b"STLS").ok:
        raise NotTestedError("the server refuses STLS after USER")
    run.start_tls(wire)
    answer = wire.ask(b"PASS " + password, timeout=run.patience)
    demand(not answer.ok, f"PASS without USER under TLS is answered with {answer}")
    run.bye(wire)


@CASES.case(
    "S808",
    "RFC 8314 section 4.1",
    "Without TLS, the server takes no password.",
    severity=Severity.WARNING,
)
def _(run: ServerRun) -> None:
    wire = clear(run)
    answer = wire.ask(b"USER user")
    demand(not answer.ok, f"USER without TLS is answered with {answer}")
    answer = wire.ask(b"AUTH PLAIN")
    demand(not answer.content.startswith(b"+"), f"AUTH PLAIN without TLS gets {answer}")


@CASES.case(
    "S809",
    "RFC 8314 section 4.1, as RFC 8997 changes it",
    "TLS 1.1 and what is older are refused.",
    severity=Severity.WARNING,
)
def _(run: ServerRun) -> None:
    context = old_context()
    try:
        handshake(run, context, "with TLS 1.1")
    except CaseFailedError as error:
        if "no protocols available" in str(error).lower().replace("_", " "):
            raise NotTestedError("this OpenSSL has no TLS 1.1") from error
        return
    raise CaseFailedError("the server has accepted TLS 1.1")


def handshake(run: ServerRun, context: ssl.SSLContext, title: str) -> Wire:
    """Return a connection on which TLS was made with ``context``."""
    security = run.target.security
    if security is Security.PLAINTEXT:
        raise NotTestedError("it is about TLS, which is not wanted")
    wire = run.in_the_clear(title)
    if security is Security.STLS:
        wire.status(run.patience)
        if not wire.ask(b"STLS").ok:
            raise NotTestedError("the server refuses STLS")
    wire.start_tls(context, run.target.server_hostname or run.target.host)
    return wire


def unverified() -> ssl.SSLContext:
    """Return a context that takes any certificate; nothing is said over it but QUIT."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def old_context() -> ssl.SSLContext:
    """Return a context for TLS 1.0 and 1.1; raise ``NotTestedError`` if OpenSSL has neither."""
    context = unverified()
    try:
        with warnings.catch_warnings():
            # Of course they are deprecated: that is why they are tried.
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    except (ssl.SSLError, ValueError) as error:
        raise NotTestedError("this OpenSSL has no TLS 1.1") from error
    return context
