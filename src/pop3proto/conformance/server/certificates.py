"""Cases about certificates, and about TLS itself: its versions, its beginning and its end."""

from __future__ import annotations

import socket
import ssl

from ...errors import printable
from ...transports import Security
from ..case import CaseFailedError, NotTestedError, Severity, demand
from ..wire import printable_line
from .run import CASES, ServerRun
from .tls import handshake, secured, unverified

# X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED.
_DATES = (9, 10)
# X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH.
_NAMES = (62, 64)
_PORTS = {Security.STLS: 110, Security.TLS: 995}
# Seconds in which a server that does not wait for the handshake has greeted.
_GREETED = 1.0


def verdict(run: ServerRun, context: ssl.SSLContext) -> ssl.SSLCertVerificationError | None:
    """Return what is wrong with the server's certificate in the eyes of ``context``."""
    try:
        handshake(run, context, "with the certificate checked")
    except CaseFailedError as error:
        if isinstance(error.__cause__, ssl.SSLCertVerificationError):
            return error.__cause__
        raise
    return None


def leaf_alone(run: ServerRun) -> ssl.SSLContext:
    """Return a context that trusts the server's certificate, whoever has issued it."""
    wire = handshake(run, unverified(), "to see the certificate")
    found = None if wire.tls is None else wire.tls.getpeercert(binary_form=True)
    if found is None:
        raise CaseFailedError("the server has no certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(found))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def told(error: ssl.SSLCertVerificationError | None) -> str:
    """Return the reason of an error for a report."""
    return "" if error is None else printable(error.verify_message)


def without(run: ServerRun, context: ssl.SSLContext, codes: tuple[int, ...]) -> None:
    """Demand that the certificate is not refused with one of ``codes``."""
    error = verdict(run, context)
    if error is not None:
        demand(error.verify_code not in codes, told(error))
        raise NotTestedError(f"something else is wrong with the certificate: {told(error)}")


@CASES.case(
    "S810", "RFC 8314 section 4.1, as RFC 8997 changes it", "TLS 1.2 or a later version is spoken."
)
def _(run: ServerRun) -> None:
    context = unverified()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    handshake(run, context, "with TLS 1.2 and later")


@CASES.case(
    "S811",
    "RFC 2595 section 2.4, as RFC 7817 changes it",
    "The certificate has the server's name as a subjectAltName.",
)
def _(run: ServerRun) -> None:
    context = leaf_alone(run)
    # RFC 7817 section 3: a common name is the older way, which clients may no longer know.
    context.hostname_checks_common_name = False
    without(run, context, _NAMES)


@CASES.case("S812", "RFC 5280 section 6.1.3", "The certificate is valid today.")
def _(run: ServerRun) -> None:
    context = leaf_alone(run)
    context.check_hostname = False
    without(run, context, _DATES)


@CASES.case(
    "S813",
    "RFC 5246 section 7.4.2",
    "The server sends the certificates between its own and one that is trusted.",
)
def _(run: ServerRun) -> None:
    target = run.target
    if target.fingerprint is not None or target.ssl_context is None:
        # Who is to be trusted was not said: as far as others know, the authorities of the system.
        context = ssl.create_default_context()
    elif target.ssl_context.verify_mode is ssl.CERT_NONE:
        raise NotTestedError("it was not said whom to trust")
    else:
        context = target.ssl_context
    error = verdict(run, context)
    known = error is None or error.verify_code in (*_DATES, *_NAMES)
    severity = None if target.fingerprint is None else Severity.WARNING
    demand(known, told(error), severity)


@CASES.case(
    "S814", "RFC 8314 section 3.1", "With implicit TLS, nothing is sent before the handshake."
)
def _(run: ServerRun) -> None:
    if run.target.security is not Security.TLS:
        raise NotTestedError("it is about implicit TLS: see a URL that begins with pops://")
    sent = run.in_the_clear("without a handshake").unasked(_GREETED)
    demand(not sent, f"this comes in the clear: {printable_line(sent)}")


@CASES.case(
    "S815",
    "RFC 8314 section 3.4",
    "After QUIT, the server ends TLS with an alert before it closes.",
    severity=Severity.WARNING,
)
def _(run: ServerRun) -> None:
    wire = secured(run)
    demand(wire.ask(b"QUIT").ok, "QUIT is refused")
    demand(wire.closes(), "the connection stays open after QUIT")
    demand(not wire.ragged, "the connection ends without a close_notify")


@CASES.case(
    "S816",
    "RFC 8314 section 3.1",
    "A server with STLS on port 110 has implicit TLS on port 995.",
    severity=Severity.WARNING,
)
def _(run: ServerRun) -> None:
    target = run.target
    if target.security is not Security.STLS or target.port != _PORTS[Security.STLS]:
        raise NotTestedError("it is about a server with STLS on port 110")
    try:
        other = socket.create_connection((target.host, _PORTS[Security.TLS]), target.timeout)
    except OSError as error:
        raise CaseFailedError(f"port 995: {printable(str(error))}") from error
    wire = run.adopt(other, "on port 995")
    run.start_tls(wire)
    answer = wire.status(run.patience)
    demand(answer.ok, f"the greeting on port 995 is {answer}")
