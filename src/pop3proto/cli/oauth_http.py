"""Requests to a server that gives access tokens: POST over TLS, and nothing else."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from socket import SHUT_RDWR, socket
from threading import Event, Timer
from typing import NamedTuple
from urllib.parse import urlsplit

from .._arguments import require_host
from ..errors import ConnectError, DeadlineError, LocalProtocolError, Pop3Error, TlsError, printable
from ..model.secret import Secret
from ..transports.blocking import open_socket, show_socket

__all__ = ["Answer", "Opener", "TokenError", "TokenServer", "checked_url"]

Opener = Callable[[str, int, float], socket]
"""Connects to a host and a port within so many seconds: the way through a proxy."""

# Seconds for all of a request: somebody waits for it, and it is a small one.
_PATIENCE = 30.0
# Octets of an answer, at most. Tokens have some thousands.
_LONGEST_ANSWER = 128 * 1024
# RFC 8252 section 8.3: what never leaves this machine needs no TLS.
_HERE = ("localhost", "127.0.0.1", "::1")


class TokenError(Pop3Error):
    """A server gave no access token. ``transient`` is true if it may give one later."""


class Answer(NamedTuple):
    """What a server has answered to a request."""

    status: int
    body: Secret


def checked_url(url: str, option: str) -> str:
    """Return ``url`` if a secret may be sent there: over TLS, or to this machine itself.

    Raises ``LocalProtocolError``, which names the option.
    """
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, usable = urlsplit(""), False
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _HERE)
    # A user and a password in it would be shown.
    if not (usable and safe and url.isascii() and url.isprintable() and parts.username is None):
        raise LocalProtocolError(f"{option}: expected an https:// URL", hint="")
    require_host(option, parts.hostname or "")
    return url


class TokenServer:
    """A server at a URL that ``checked_url()`` has returned, perhaps behind a proxy."""

    def __init__(self, url: str, opener: Opener | None = None) -> None:
        parts = urlsplit(url)
        self._tls = parts.scheme == "https"
        self.host: str = parts.hostname or ""
        """The name of the host."""
        self._port = parts.port or (443 if self._tls else 80)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._opener = opener

    def post(self, form: Secret, seconds: float = _PATIENCE) -> Answer:
        """Send ``form``, of the type application/x-www-form-urlencoded, and return the answer.

        No redirection is followed, because the form holds secrets. Raises ``ConnectError``,
        ``DeadlineError`` and ``TlsError``, which name the host, and ``TokenError``.
        """
        late = Event()
        try:
            with closing(self._connect(seconds)) as sock:

                def end() -> None:
                    late.set()
                    # That of the plain socket: it is in use by another thread.
                    socket.shutdown(sock, SHUT_RDWR)

                # Each read has its own time, so that a server that sends an octet now and then
                # could make it long.
                watch = Timer(seconds, end)
                watch.daemon = True
                watch.start()
                try:
                    answer = self._exchange(sock, form)
                finally:
                    watch.cancel()
                if late.is_set():
                    # What has come until then can look like a whole answer.
                    raise TimeoutError
                return answer
        except Pop3Error:
            # That of the way through a proxy, and of an answer without an end.
            raise
        except (OSError, HTTPException) as error:
            if late.is_set() or isinstance(error, TimeoutError):
                what = f"{self.host} did not answer within {seconds:g} s"
                raise DeadlineError(what, hint="try again later") from error
            if isinstance(error, ssl.SSLError):
                reason = error.reason or str(error)
                raise TlsError(f"{self.host}: {reason}", hint="") from error
            if isinstance(error, HTTPException):
                # Its text can be that of the server.
                kind = type(error).__name__
                raise TokenError(f"{self.host} does not speak HTTP: {kind}") from error
            reason = error.strerror or str(error) or type(error).__name__
            raise ConnectError(
                f"{self.host} cannot be reached: {printable(reason)}",
                hint="access tokens come from there: check the URL and the network",
            ) from error

    def _connect(self, seconds: float) -> socket:
        if self._opener is None:
            sock = open_socket(self.host, self._port, seconds)
        else:
            sock = self._opener(self.host, self._port, seconds)
        if not self._tls:
            return sock
        sock.settimeout(seconds)
        try:
            # The handshake comes afterwards, so that another thread can end it.
            context = ssl.create_default_context()
            tls = context.wrap_socket(
                sock, server_hostname=self.host, do_handshake_on_connect=False
            )
        except BaseException:
            sock.close()
            raise
        try:
            show_socket(tls)
            tls.do_handshake()
        except BaseException:
            tls.close()
            raise
        return tls

    def _exchange(self, sock: socket, form: Secret) -> Answer:
        connection = HTTPConnection(self.host, self._port)
        connection.sock = sock
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            "Connection": "close",
        }
        connection.request("POST", self._path, form.octets(), headers)
        with connection.getresponse() as response:
            body = Secret(response.read(_LONGEST_ANSWER + 1))
            if len(body.octets()) > _LONGEST_ANSWER:
                raise TokenError(f"{self.host} sent more than {_LONGEST_ANSWER} octets")
            return Answer(response.status, body)
