"""A proxy on the way to the server: SOCKS by python-socks, and HTTP's CONNECT."""

from __future__ import annotations

import socket
from base64 import b64encode
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from time import monotonic
from urllib.parse import SplitResult, unquote, urlsplit

from .._arguments import require_host
from ..errors import ConnectError, LocalProtocolError, printable
from ..model.secret import Secret
from ..transports.blocking import open_socket

__all__ = ["PROXY_VARIABLE", "Proxy"]

PROXY_VARIABLE = "POP3PROTO_PROXY"
_SOCKS = {"socks5": "SOCKS5", "socks5h": "SOCKS5", "socks4a": "SOCKS4"}
_SOCKS_PORT = 1080
_FORM = "expected socks5://, socks4a:// or http://, then [user:password@]host[:port]"
# Octets of an HTTP proxy's answer, at most.
_LONGEST_ANSWER = 64 * 1024


class Proxy:
    """A proxy that a URL describes. It gets names, never addresses: it resolves them itself.

    Raises ``LocalProtocolError`` for another URL, without showing it: it can hold a password; and
    ``ImportError`` without python-socks, if it is needed.
    """

    def __init__(self, url: str) -> None:
        parts = _parts(url)
        self._scheme = parts.scheme
        self._host = parts.hostname or ""
        self._port = parts.port or _SOCKS_PORT
        require_host("the proxy's URL is wrong", self._host)
        self._user = unquote(parts.username or "")
        self._password = Secret(unquote(parts.password or ""))
        if self._scheme in _SOCKS:
            # Now, and not when a connection is needed.
            import_module("python_socks")

    def __str__(self) -> str:
        """Return the URL without the user and the password."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self._scheme}://{host}:{self._port}"

    def __repr__(self) -> str:
        return f"Proxy({str(self)!r})"

    def connect(self, host: str, port: int, seconds: float) -> socket.socket:
        """Return a socket that the proxy has connected to ``host``, within ``seconds``.

        Raises ``ConnectError`` and ``TimeoutError``, which name the proxy.
        """
        if self._scheme in _SOCKS:
            return self._socks(host, port, seconds)
        deadline = monotonic() + seconds
        try:
            sock = open_socket(self._host, self._port, seconds)
        except OSError as error:
            raise self._unreachable(error) from error
        try:
            self._tunnel(sock, host, port, deadline)
        except BaseException:
            sock.close()
            raise
        return sock

    def _socks(self, host: str, port: int, seconds: float) -> socket.socket:
        from python_socks import ProxyError, ProxyType
        from python_socks.sync import Proxy as Socks

        proxy = Socks(
            ProxyType[_SOCKS[self._scheme]],
            self._host,
            self._port,
            username=self._user or None,
            password=str(self._password.reveal()) or None,
            rdns=True,
        )
        try:
            return proxy.connect(host, port, seconds)
        except ProxyError as error:
            reason = printable(str(error))
            raise ConnectError(f"the proxy {self} refused: {reason}", hint="") from error
        except TimeoutError:
            raise
        except OSError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: OSError) -> ConnectError:
        reason = error.strerror or str(error) or type(error).__name__
        return ConnectError(f"the proxy {self} cannot be used: {reason}", hint="check --proxy")

    def _tunnel(self, sock: socket.socket, host: str, port: int, deadline: float) -> None:
        """Ask for a tunnel (RFC 9110 section 9.3.6)."""
        with self._failing():
            sock.sendall(self._request(host, port).octets())
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                left = deadline - monotonic()
                if left <= 0:
                    raise TimeoutError(f"the proxy {self} took too long")
                sock.settimeout(left)
                # One at a time: the server's greeting can follow at once, and is not for us.
                octet = sock.recv(1)
                answer += octet
                if not octet or len(answer) > _LONGEST_ANSWER:
                    raise ConnectError(f"the proxy {self} gave no answer", hint="check --proxy")
        status_line = answer.split(b"\r\n", 1)[0]
        version, _, status = status_line.partition(b" ")
        if not version.startswith(b"HTTP/1.") or not status.startswith(b"2"):
            raise ConnectError(
                f"the proxy {self} says: {printable(status_line)}",
                hint="it asks for a user and a password"
                if status.startswith(b"407")
                else "many proxies allow only port 443",
            )

    @contextmanager
    def _failing(self) -> Generator[None]:
        try:
            yield
        except TimeoutError:
            raise
        except OSError as error:
            raise self._unreachable(error) from error

    def _request(self, host: str, port: int) -> Secret:
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if self._user:
            login = Secret(b"%b:%b" % (self._user.encode(), self._password.octets()))
            lines.append(f"Proxy-Authorization: Basic {b64encode(login.octets()).decode('ascii')}")
        return Secret("\r\n".join([*lines, "", ""]))


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # Its text can show a part of the password.
        parts, port = urlsplit(""), None
    known = parts.scheme in _SOCKS or (parts.scheme == "http" and port is not None)
    if not known or not parts.hostname or parts.path not in ("", "/") or port == 0:
        hint = "an http:// proxy needs a port" if parts.scheme == "http" and not port else ""
        raise LocalProtocolError(f"the proxy's URL is wrong: {_FORM}", hint=hint)
    if parts.query or parts.fragment:
        raise LocalProtocolError(f"the proxy's URL is wrong: {_FORM}", hint="")
    if parts.password and parts.scheme == "socks4a":
        raise LocalProtocolError("SOCKS4 has a user, and no password", hint="")
    return parts
