"""``pop3proto check``: a report of what a server says, can do, and does wrong."""

from __future__ import annotations

import argparse
import ssl
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from .._value import replace
from .._version import __version__
from ..errors import CommandError, DeadlineError, Pop3Error, TlsError
from ..model.capabilities import Capabilities
from ..model.commands import Capa, Noop
from ..model.limits import Limits
from ..model.login_commands import AuthList
from ..model.states import State
from ..sasl import channel_bindings
from ..sasl.choice import Choice
from ..transports import Security
from ..transports.blocking import Client
from .access import NO_SECRET, TOKEN, Access, Credential, fingerprint_of
from .certificates import certificate, context_to_look
from .check_text import lines
from .codes import code_for
from .output import problem

if TYPE_CHECKING:
    from .output import Output

__all__ = ["run"]

# Seconds for everything after the greeting: each phase has a deadline of its own, and a server that
# sends an octet now and then could still make them long.
_LONGEST = 300.0
# There are a few dozen capabilities, and somebody is to read them.
_LIMITS = Limits(listing_lines=500, listing_octets=64 * 1024)
# Days before the end of a certificate from which on somebody should do something.
_SOON = 21


def run(output: Output, arguments: argparse.Namespace) -> int:
    """Print the report; return 0 if the server can be used as asked.

    Raises ``LocalProtocolError`` for a URL, a password or a file that cannot be used.
    """
    if "://" not in arguments.url:
        arguments.url = f"pops://{arguments.url}"
    access = Access(arguments, without_login=True)
    secret = None if access.url.user is None else access.secret()
    check = Check(access, secret)
    # The same object, so that a report is there when a signal ends the check.
    output.report = output.reports() | check.report
    check.report = output.report
    output.kept = "the check is not complete"
    check.run()
    for line in lines(check.report, only_problems=output.brief):
        output.result(line)
    return 0 if check.report["ok"] else code_for(check.report["problems"])


class Check:
    """One check of a server, which fills in its ``report``."""

    def __init__(self, access: Access, secret: Credential | None) -> None:
        self._access = access
        self._secret = secret
        self._step = "connection"
        self._trusted = True
        url = access.url
        security = Security.TLS if url.implicit_tls else Security.STLS
        if access.clear:
            security = Security.PLAINTEXT
        self.report: dict[str, Any] = {
            "url": str(url),
            "host": url.host,
            "port": url.effective_port,
            "security": security.value,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "version": __version__,
            "ok": False,
            "greeting": None,
            "tls": None,
            "certificate": None,
            "capabilities": {"before_tls": None, "after_tls": None, "after_login": None},
            "mechanisms": {"offered": None, "chosen": None, "problem": None},
            "login": None,
            "round_trip_seconds": None,
            "deviations": [],
            "problems": [],
            "advice": [],
        }
        """The report, in the form that ``--json`` prints."""

    def run(self) -> None:
        """Do all that can be done. No server can make it raise an exception."""
        try:
            self._session(self._access.context)
        except (Pop3Error, OSError) as error:
            self._problem(error)
            refused = error.__cause__
            if isinstance(refused, ssl.SSLCertVerificationError):
                self._look(refused)
        self._advise()
        self.report["ok"] = not self.report["problems"]

    def _look(self, refused: ssl.SSLCertVerificationError) -> None:
        """See what there is to see of a server whose certificate was refused, without a login."""
        self._trusted = False
        try:
            self._session(context_to_look())
        except (Pop3Error, OSError) as error:
            self._problem(error)
        if self.report["certificate"] is not None:
            self.report["certificate"]["problem"] = refused.verify_message

    def _session(self, context: ssl.SSLContext | None) -> None:
        access, report = self._access, self.report
        self._step = "connection"
        client = access.connect(
            # CAPA is sent by this program itself, to see it before and after each change.
            replace(access.options, capabilities=False, utf8=False, limits=_LIMITS),
            security=None if access.url.implicit_tls else Security.PLAINTEXT,
            context=context,
        )
        with self._watched(client):
            greeting = client.greeting
            report["greeting"] = {"text": greeting.text, "apop": greeting.timestamp is not None}
            if not client.secure:
                report["capabilities"]["before_tls"] = self._capabilities(client)
                if context is not None:
                    self._step = "tls"
                    client.start_tls(context)
            if client.tls is not None:
                self._tls(client, client.tls)
                report["capabilities"]["after_tls"] = self._capabilities(client)
            self._mechanisms(client)
            self._log_in(client)
            self._round_trip(client)
            self._step = "quit"
            error = client.quit().error
            if error is not None:
                raise error

    @contextmanager
    def _watched(self, client: Client) -> Generator[None]:
        """Close the connection at the end of the block, or when it takes too long."""
        from threading import Event, Timer

        late = Event()

        def end() -> None:
            late.set()
            client.abort()

        watch = Timer(_LONGEST, end)
        watch.daemon = True
        watch.start()
        try:
            yield
        except (Pop3Error, OSError) as error:
            if late.is_set():
                raise DeadlineError(f"all of it took longer than {_LONGEST:g} s") from error
            raise
        finally:
            watch.cancel()
            client.abort()
            self._deviations(client)

    def _capabilities(self, client: Client) -> list[str] | None:
        """Return the lines of the server's capabilities; ``None`` if it does not know CAPA."""
        if self._access.arguments.no_capa:
            return None
        self._step = "capabilities"
        try:
            return [*client.capa().lines]
        except CommandError:
            return None

    def _tls(self, client: Client, tls: ssl.SSLObject) -> None:
        cipher = tls.cipher()
        self.report["tls"] = {
            "version": tls.version(),
            "cipher": None if cipher is None else cipher[0],
            "bits": None if cipher is None else cipher[2],
        }
        found = self.report["certificate"] = {
            "verified": False,
            "problem": None,
            "sha256": fingerprint_of(client),
            **certificate(tls),
        }
        self._step = "tls"
        try:
            self._access.verify(client)
        except TlsError as error:
            self._trusted = False
            self._problem(error)
            found["problem"] = "it does not have the fingerprint that was given"
        found["verified"] = self._trusted

    def _mechanisms(self, client: Client) -> None:
        self._step = "capabilities"
        report, url = self.report["mechanisms"], self._access.url
        offered = None if client.capabilities is None else client.capabilities.sasl
        if offered is None and not self._access.arguments.no_capa:
            # As servers did before CAPA; the login of the client asks the same.
            with suppress(CommandError):
                offered = client.call(AuthList()).mechanisms
        report["offered"] = None if offered is None else [*offered]
        if url.auth in (*TOKEN, *NO_SECRET):
            report["chosen"] = url.auth
            return
        if self._access.takes_token:
            # As the client chooses.
            report["chosen"] = "OAUTHBEARER" if "OAUTHBEARER" in (offered or ()) else "XOAUTH2"
            return
        allowed: bool = self._access.arguments.allow_plaintext_auth
        try:
            report["chosen"] = Choice(
                url.mechanisms,
                offered=offered,
                bindings=[] if client.tls is None else channel_bindings(client.tls),
                show_password=client.secure or allowed,
            ).next()
        except Pop3Error as error:
            report["problem"] = str(error)

    def _log_in(self, client: Client) -> None:
        """Log in if the URL names a user and the server is the right one."""
        if self._secret is None or not self._trusted:
            return
        self._step = "login"
        chosen = self.report["mechanisms"]["chosen"]
        # Without capabilities, the client has to be told what the answer to AUTH was.
        named = (chosen,) if client.capabilities is None and chosen is not None else None
        result = self._access.log_in(client, self._secret, named)
        self.report["login"] = {
            "user": self._access.url.user,
            "mechanism": result.mechanism,
            "channel_bound": result.channel_bound,
        }
        self.report["capabilities"]["after_login"] = self._capabilities(client)

    def _round_trip(self, client: Client) -> None:
        """Measure how long the server takes to answer a command that costs it nothing."""
        self._step = "round trip"
        logged_in = client.state is State.TRANSACTION
        if not logged_in and client.capabilities is None:
            return
        began = time.perf_counter()
        # A refusal is an answer, too.
        with suppress(CommandError):
            client.call(Noop() if logged_in else Capa())
        self.report["round_trip_seconds"] = round(time.perf_counter() - began, 6)

    def _deviations(self, client: Client) -> None:
        seen: dict[str, dict[str, Any]] = {}
        for deviation in client.deviations:
            first = {"fault": deviation.fault.name, "count": 0, "first": str(deviation)}
            seen.setdefault(deviation.fault.name, first)["count"] += deviation.count
        self.report["deviations"] = [*seen.values()]

    def _problem(self, error: Pop3Error | OSError) -> None:
        where = "tls" if isinstance(error, TlsError) else self._step
        self.report["problems"].append(problem(error, where))

    def _advise(self) -> None:
        """Say what a user should do."""
        report, advice = self.report, self.report["advice"]
        advice += dict.fromkeys(p["hint"] for p in report["problems"] if p["hint"])
        found = report["certificate"]
        days = None if found is None else found["days_left"]
        if days is not None and 0 <= days < _SOON:
            advice.append(f"the certificate ends in {days} days: the server needs a new one")
        if report["greeting"] is not None and report["tls"] is None:
            advice.append("the connection is not encrypted: anybody on the way can read the mail")
        if report["mechanisms"]["problem"]:
            advice.append(
                f"no login with a password is possible: {report['mechanisms']['problem']}"
            )
        known = report["capabilities"]["after_login"] or report["capabilities"]["after_tls"]
        if known is not None and "UIDL" not in Capabilities.of(*known):
            advice.append("the server does not announce UIDL: programs may fetch messages again")
        if report["deviations"]:
            advice.append("tell the people who run the server which rules of POP3 it breaks")
