"""A session for a command: the server, how to trust it, and how to log in, by the options that all
commands have in common."""

from __future__ import annotations

import argparse
import ssl
from collections.abc import Generator
from contextlib import contextmanager

from ..errors import LocalProtocolError, TlsError, printable
from ..model.secret import Secret
from ..model.url import PopUrl
from ..model.value import replace
from ..sasl import by_name
from ..transports import ClientOptions, LoginResult, Security, Timeouts
from ..transports.blocking import Client, connect
from .inputs import PASSWORD_VARIABLE, client_context
from .inputs import secret as given_secret

__all__ = ["NO_SECRET", "TOKEN", "Access", "fingerprint_of"]

TOKEN = ("XOAUTH2", "OAUTHBEARER")
"""The mechanisms that take an access token."""
NO_SECRET = ("ANONYMOUS", "EXTERNAL", "GSSAPI")
"""The mechanisms that take no secret at all."""


class Access:
    """The way to a maildrop that the arguments of a command describe.

    Raises ``LocalProtocolError`` for a URL or a file that cannot be used: before anybody is asked
    for a password. The URL has to name a user, unless a session without a login will do.
    """

    def __init__(self, arguments: argparse.Namespace, *, without_login: bool = False) -> None:
        self.arguments = arguments
        self.url: PopUrl = PopUrl.parse(arguments.url)
        """The URL that was given."""
        if self.url.user is None and not without_login:
            raise LocalProtocolError("the URL names no user: pop://user@host")
        if arguments.no_tls and self.url.implicit_tls:
            raise LocalProtocolError("--no-tls is for a pop:// URL, and pops:// is TLS", hint="")
        self.clear: bool = arguments.no_tls
        """True if TLS is not wanted."""
        if self.clear and arguments.fingerprint is not None:
            raise LocalProtocolError("--fingerprint needs TLS: leave out --no-tls", hint="")
        self.context: ssl.SSLContext | None = None
        """How TLS is made, or ``None`` without TLS."""
        if not self.clear:
            self.context = client_context(arguments.ca, arguments.cert)
        if self.context is not None and arguments.fingerprint is not None:
            # The fingerprint says which certificate it has to be, whoever vouches for it.
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE

    @property
    def options(self) -> ClientOptions:
        """The options of the connection."""
        seconds = self.arguments.timeout
        return ClientOptions(
            allow_plaintext_auth=self.arguments.allow_plaintext_auth,
            capabilities=not self.arguments.no_capa,
            timeouts=Timeouts() if seconds is None else Timeouts.of(seconds),
            # Without it, some servers send a text of their own in place of a message (RFC 6856).
            utf8=True,
        )

    @contextmanager
    def session(self, *, pipelining: bool = True) -> Generator[Client]:
        """Ask for the password if it is not given, connect, log in; QUIT at the end of the block.

        Raises what ``connect()`` and ``login()`` raise, and ``LocalProtocolError``.
        """
        secret = self.secret()
        with self.connect(replace(self.options, pipelining=pipelining)) as client:
            self.verify(client)
            self.log_in(client, secret)
            yield client

    def secret(self) -> Secret:
        """Return the password or the access token; raise ``LocalProtocolError`` without one."""
        is_token = self.url.auth in TOKEN
        if self.url.auth in NO_SECRET:
            return Secret("")
        what, file = "Access token" if is_token else "Password", self.arguments.password_file
        secret = given_secret(file, what, f"{self.url.user} at {self.url.host}")
        if is_token and secret.kind is not str:
            where = PASSWORD_VARIABLE if file is None else f"--password-file {printable(str(file))}"
            raise LocalProtocolError(f"{where}: the access token is not text in UTF-8", hint="")
        return secret

    def connect(
        self,
        options: ClientOptions,
        *,
        security: Security | None = None,
        context: ssl.SSLContext | None = None,
    ) -> Client:
        """Return a client that has read the greeting; see ``verify()``."""
        return connect(
            self.url,
            security=Security.PLAINTEXT if self.clear else security,
            ssl_context=self.context if context is None else context,
            server_hostname=self.arguments.server_name,
            options=options,
        )

    def verify(self, client: Client) -> None:
        """Raise ``TlsError`` if the server's certificate is not the one that is wanted.

        To be called before anything is sent that depends on a secret.
        """
        wanted = self.arguments.fingerprint
        if wanted is None:
            return
        found = fingerprint_of(client)
        if found != wanted:
            raise TlsError(
                f"the server's certificate has the fingerprint {found}, not {wanted}",
                hint="ask the people who run the server if they have a new certificate",
            )

    def log_in(
        self, client: Client, secret: Secret, mechanisms: tuple[str, ...] | None = None
    ) -> LoginResult:
        """Log in as the URL says; ``mechanisms`` are for a URL that does not say it."""
        user, auth = self.url.user or "", self.url.auth
        wanted = self.arguments.initial_response
        how = {} if wanted is None else {"initial_response": wanted}
        if auth in TOKEN:
            return client.oauth(user, secret, mechanism=auth, **how)
        if auth in NO_SECRET:
            return client.authenticate(by_name(auth, user, host=self.url.host), **how)
        return client.login(user, secret, mechanisms=self.url.mechanisms or mechanisms, **how)


def fingerprint_of(client: Client) -> str:
    """Return the SHA-256 of the server's certificate in hexadecimal; empty if there is none."""
    from hashlib import sha256

    certificate = None if client.tls is None else client.tls.getpeercert(binary_form=True)
    return "" if certificate is None else sha256(certificate).hexdigest()
