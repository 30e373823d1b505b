"""A session for a command: the server, how to trust it, and how to log in, by the options that all
commands have in common."""

from __future__ import annotations

import argparse
import os
import ssl
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from .._value import replace
from ..errors import LocalProtocolError, TlsError, printable
from ..model.secret import Secret
from ..model.url import PopUrl
from ..sasl import by_name
from ..transports import ClientOptions, LoginResult, Security, Timeouts
from ..transports.blocking import Client, connect
from .codes import UsageError
from .inputs import client_context
from .passwords import gets_password_alone, named_source, password
from .proxies import PROXY_VARIABLE, Proxy

if TYPE_CHECKING:
    import socket

    from ..sasl import RefusedToken
    from .oauth import Keeper

__all__ = [
    "NO_SECRET",
    "TOKEN",
    "Access",
    "Credential",
    "fingerprint_of",
    "proxy_of",
    "trust_anything",
    "wrong_fingerprint",
]

Credential: TypeAlias = "Secret | Callable[[RefusedToken | None], str]"
"""A password, an access token, or a function that returns one."""

TOKEN = ("XOAUTH2", "OAUTHBEARER")
"""The mechanisms that take an access token."""
NO_SECRET = ("ANONYMOUS", "EXTERNAL", "GSSAPI")
"""The mechanisms that take no secret at all."""
# Seconds to connect through a proxy, if nothing else says it.
_LONGEST = 120.0


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
            raise UsageError("--no-tls is for a pop:// URL, and pops:// is TLS", hint="")
        self.clear: bool = arguments.no_tls
        """True if TLS is not wanted."""
        if self.clear and arguments.fingerprint is not None:
            raise UsageError("--fingerprint needs TLS: leave out --no-tls", hint="")
        self.context: ssl.SSLContext | None = None
        """How TLS is made, or ``None`` without TLS."""
        if not self.clear:
            self.context = client_context(arguments.ca, arguments.cert)
        self.proxy: Proxy | None = proxy_of(arguments)
        """The proxy on the way, or ``None``."""
        if arguments.oauth is not None and (source := named_source(arguments)) is not None:
            raise UsageError(f"--oauth and {source} exclude each other", hint="")
        self._keeper = self._oauth() if arguments.oauth is not None else None
        if self.context is not None and arguments.fingerprint is not None and arguments.ca is None:
            trust_anything(self.context)

    @property
    def takes_token(self) -> bool:
        """True if an access token takes the place of the password."""
        return self._keeper is not None or self.url.auth in TOKEN

    @property
    def needs_no_secret(self) -> bool:
        """True if the mechanism takes no secret at all."""
        return self.url.auth in NO_SECRET

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

    @property
    def asks_user(self) -> bool:
        """True if ``secret()`` may ask the user, or has to read something in its turn."""
        if self._keeper is not None:
            return self._keeper.may_ask
        if self.needs_no_secret:
            return False
        return not gets_password_alone(self.arguments)

    @contextmanager
    def session(
        self,
        credential: Credential | None = None,
        *,
        pipelining: bool = True,
    ) -> Generator[Client]:
        """Get the password if it is not given, connect, log in; QUIT at the end of the block.

        Raises what ``connect()`` and ``login()`` raise, and ``LocalProtocolError``.
        """
        if credential is None:
            credential = self.secret()
        with self.connect(replace(self.options, pipelining=pipelining)) as client:
            self.verify(client)
            self.log_in(client, credential)
            yield client

    def secret(self) -> Credential:
        """Return the password, the access token, or what gets one.

        A token that somebody has to agree to is got now, because the server would not wait.
        Raises ``LocalProtocolError`` without one.
        """
        if self._keeper is not None:
            self._keeper(None)
            return self._keeper
        if self.needs_no_secret:
            return Secret("")
        if not self.takes_token:
            return self._given("Password")
        return self._again(self._token())

    def direct_password(self) -> Secret:
        """Return the password for a command that makes its own connections.

        Raises ``LocalProtocolError`` for options that such a command would pass over.
        """
        passed_over = "--proxy" if self.proxy is not None else "--oauth"
        if self.proxy is not None or self._keeper is not None:
            raise LocalProtocolError(f"this command cannot do {passed_over}", hint="")
        if self.url.user is None or self.needs_no_secret:
            return Secret("")
        return self._token() if self.takes_token else self._given("Password")

    def _given(self, what: str) -> Secret:
        return password(self.arguments, self.url.user or "", self.url.host, what)

    def _token(self) -> Secret:
        token = self._given("Access token")
        if token.kind is not str:
            raise LocalProtocolError("the access token is not text in UTF-8", hint="")
        return token

    def _again(self, token: Secret) -> Credential:
        """Return a token; if it is that of a command, a function that can run the command again."""
        if self.arguments.password_command is None:
            return token

        def get(refused: RefusedToken | None) -> str:
            return str((token if refused is None else self._token()).reveal())

        return get

    def _oauth(self) -> Keeper:
        if self.url.auth is not None and self.url.auth not in TOKEN:
            raise UsageError(
                f"--oauth is for {' and '.join(TOKEN)}, not {printable(self.url.auth)}", hint=""
            )
        from .oauth_options import keeper

        # The same way: a proxy is often there to hide where this machine is.
        opener = None if self.proxy is None else self.proxy.connect
        return keeper(self.arguments, self.url.user or "", opener)

    def connect(
        self,
        options: ClientOptions,
        *,
        security: Security | None = None,
        context: ssl.SSLContext | None = None,
    ) -> Client:
        """Return a client that has read the greeting; see ``verify()``."""
        recordings = getattr(self.arguments, "recordings", None)
        if recordings is not None:
            options = replace(options, recorder=recordings.new())
        return connect(
            self.url,
            security=Security.PLAINTEXT if self.clear else security,
            ssl_context=self.context if context is None else context,
            server_hostname=self.arguments.server_name,
            opener=self._opener(options),
            options=options,
        )

    def _opener(self, options: ClientOptions) -> Callable[[str, int], socket.socket] | None:
        proxy, seconds = self.proxy, options.timeouts.connect
        if proxy is None:
            return None
        within = _LONGEST if seconds is None else seconds
        return lambda host, port: proxy.connect(host, port, within)

    def verify(self, client: Client) -> None:
        """Raise ``TlsError`` if the server's certificate is not the one that is wanted.

        To be called before anything is sent that depends on a secret.
        """
        wanted = self.arguments.fingerprint
        if wanted is None:
            return
        found = fingerprint_of(client)
        if found != wanted:
            raise wrong_fingerprint(found, wanted)

    def log_in(
        self, client: Client, secret: Credential, mechanisms: tuple[str, ...] | None = None
    ) -> LoginResult:
        """Log in as the URL says; ``mechanisms`` are for a URL that does not say it."""
        user, auth = self.url.user or "", self.url.auth
        wanted = self.arguments.initial_response
        how = {} if wanted is None else {"initial_response": wanted}
        if self.takes_token or not isinstance(secret, Secret):
            return client.oauth(user, secret, mechanism=auth, **how)
        if auth in NO_SECRET:
            return client.authenticate(by_name(auth, user, host=self.url.host), **how)
        return client.login(user, secret, mechanisms=self.url.mechanisms or mechanisms, **how)


def proxy_of(arguments: argparse.Namespace) -> Proxy | None:
    """Return the proxy that is given, or that of the variable."""
    found: Proxy | None = arguments.proxy
    given = os.environ.get(PROXY_VARIABLE)
    if found is None and given:
        try:
            return Proxy(given)
        except LocalProtocolError as error:
            raise LocalProtocolError(f"{PROXY_VARIABLE}: {error}", hint=error.hint) from None
    return found


def wrong_fingerprint(found: str, wanted: str) -> TlsError:
    """Return the error for a server whose certificate is not the one that is wanted."""
    return TlsError(
        f"the server's certificate has the fingerprint {found}, not {wanted}",
        hint="ask the people who run the server if they have a new certificate",
    )


def trust_anything(context: ssl.SSLContext) -> None:
    """Check nothing: a fingerprint says which certificate it has to be, whoever vouches for it."""
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE


def fingerprint_of(client: Client) -> str:
    """Return the SHA-256 of the server's certificate in hexadecimal; empty if there is none."""
    from hashlib import sha256

    certificate = None if client.tls is None else client.tls.getpeercert(binary_form=True)
    return "" if certificate is None else sha256(certificate).hexdigest()
