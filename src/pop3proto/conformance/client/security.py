"""Cases about TLS: who the server is, and what is said in the clear."""

from __future__ import annotations

import datetime
import ssl

from ...transports import Security
from ..case import CaseFailedError, demand
from .hooks import Injects, RefusesStls
from .judge import survived
from .mail import MAIL
from .run import CASES, ClientRun, Round

_LOGINS = ("USER", "PASS", "APOP", "AUTH")
_PATIENCE = 10.0


def _trusted_nothing(result: Round) -> None:
    survived(result)
    for verb in _LOGINS:
        demand(not result.sent(verb), f"{verb} was sent")
    demand(result.code != 0, "exit code 0, although nothing was fetched")


def _context(run: ClientRun, **how: object) -> ssl.SSLContext:
    """Return the context of a server with a certificate that is wrong in one thing."""
    import trustme

    authority = run.authority if how.pop("known", True) else trustme.CA()
    names = [str(name) for name in (how.pop("name", "localhost"),)]
    issued = (authority or trustme.CA()).issue_cert(
        *names,
        common_name=names[0],
        **how,  # type: ignore[arg-type]
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with issued.private_key_and_cert_chain_pem.tempfile() as path:
        context.load_cert_chain(path)
    return context


@CASES.case("C301", "RFC 8314 section 5.3", "A certificate for another host is refused.")
def _(run: ClientRun) -> None:
    run.need_tls()
    _trusted_nothing(run.fetch(tls_context=_context(run, name="pop.example.org")))


@CASES.case("C302", "RFC 8314 section 5.3", "A certificate of an unknown authority is refused.")
def _(run: ClientRun) -> None:
    run.need_tls()
    _trusted_nothing(run.fetch(tls_context=_context(run, known=False)))


@CASES.case("C303", "RFC 8314 section 5.3", "A certificate that has expired is refused.")
def _(run: ClientRun) -> None:
    run.need_tls()
    then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=2)
    before = then - datetime.timedelta(days=30)
    _trusted_nothing(run.fetch(tls_context=_context(run, not_before=before, not_after=then)))


@CASES.case("C304", "RFC 8314 section 3", "If STLS is not announced, no password is shown.")
def _(run: ClientRun) -> None:
    run.need_stls()
    _trusted_nothing(run.fetch(offer_tls=False))


@CASES.case("C305", "RFC 8314 section 3", "If STLS is refused, no password is shown.")
def _(run: ClientRun) -> None:
    run.need_stls()
    _trusted_nothing(run.fetch(hooks=RefusesStls))


@CASES.case(
    "C306",
    "RFC 2595 section 4",
    "Answers that came in the clear, after the one to STLS, are not taken for others.",
)
def _(run: ClientRun) -> None:
    run.need_stls()
    made: list[Injects] = []

    def hooks() -> Injects:
        made.append(Injects())
        return made[-1]

    run.fetch(hooks=hooks, timeout=min(run.target.timeout, _PATIENCE))
    if any(each.believed for each in made):
        raise CaseFailedError("it took a line that came in the clear for an answer under TLS")
    demand(made, "it did not connect")


@CASES.case("C307", "RFC 8314 section 3.3", "TLS from the start is not tried in the clear.")
def _(run: ClientRun) -> None:
    run.need_tls()
    if run.target.security is Security.TLS:
        result = run.fetch(MAIL[:1], clear=True, timeout=_PATIENCE)
        demand(not any(result.sent(verb) for verb in _LOGINS), "it logged in on a port without TLS")
