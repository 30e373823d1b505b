"""Where to connect to, and what failing to is called, on every runtime."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias
from unicodedata import normalize

from ..client.options import Security
from ..errors import ConnectError, DeadlineError, LocalProtocolError, Pop3Error, printable
from ..model.url import PopUrl

__all__ = [
    "Target",
    "UnixPath",
    "connecting",
    "target",
    "unix_connected",
    "unix_hostname",
    "unix_name",
]

UnixPath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
"""Where a UNIX socket is."""

_MAX_PORT = 65535
# What no host holds, and a URL of another scheme does: its password would be shown in messages,
# and sent to the resolver.
_NO_HOST = re.compile(r"[/@\s\x00-\x1f\x7f-\x9f]")
# Seconds between the attempts at a UNIX socket whose queue is full.
_RETRY = 0.01
# What IDNA 2003 maps to other names, and IDNA 2008 does not (UTS 46 section 7). Two registrants
# can hold the two names, so that a guess could lead to the wrong one.
_AMBIGUOUS = frozenset("\xdf\u1e9e\u03c2\u200c\u200d")


class Target(NamedTuple):
    """Where to connect to."""

    host: str
    """The host in ASCII: A-labels, or an address."""
    port: int
    security: Security
    server_hostname: str
    """The name for SNI and for the certificate, in ASCII and without the root's dot."""

    def __str__(self) -> str:
        return f"{self.host} port {self.port}"


def target(
    host: str | PopUrl,
    port: int | None,
    security: Security | None,
    server_hostname: str | None = None,
) -> Target:
    """What ``connect()`` was told, from a host or a POP URL.

    Raises ``LocalProtocolError`` for what contradicts itself, and for what is no host at all, of
    which the message shows nothing; ``ConnectError`` for a name that cannot be written in
    A-labels.
    """
    security = None if security is None else Security.of(security)
    if isinstance(host, str) and host.lower().startswith(("pop://", "pops://")):
        host = PopUrl.parse(host)
    if isinstance(host, PopUrl):
        if port is not None and host.port is not None:
            raise LocalProtocolError("the port is given twice, in the URL and besides it")
        security = _security_of(host, security)
        port = host.port if port is None else port
        host = host.host
    security = security or Security.TLS
    port = security.default_port if port is None else port
    if not 1 <= port <= _MAX_PORT:
        raise LocalProtocolError(f"a port is 1 to {_MAX_PORT}")
    if not host:
        # Some resolvers take it for this machine.
        raise LocalProtocolError("the host is empty")
    name = _ascii(host)
    return Target(name, port, security, _without_root(_ascii(server_hostname or name)))


def _security_of(url: PopUrl, security: Security | None) -> Security:
    """What the scheme demands; neither it nor the caller is ever overruled."""
    if security is None:
        return Security.TLS if url.implicit_tls else Security.STLS
    if url.implicit_tls is not (security is Security.TLS):
        raise LocalProtocolError(
            f"a {url.scheme} URL cannot be connected to with security={security.name}",
            hint="pops:// is for TLS, pop:// for STLS or PLAINTEXT",
        )
    return security


def _ascii(host: str) -> str:
    _check(host)
    if host.isascii():
        return host
    if _AMBIGUOUS.intersection(host):
        raise ConnectError(
            f"the host name {printable(host)} means two names, an old and a new one",
            hint="write the name in A-labels (xn--...)",
        )
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ConnectError(f"{printable(host)} is no host name: {printable(str(error))}") from error


def _check(host: object) -> None:
    """Raise ``LocalProtocolError`` for what is neither a name nor an address."""
    if not isinstance(host, str):
        raise LocalProtocolError(f"a host is a str or a PopUrl, not {type(host).__name__}")
    hint = "a host is a name or an address; a URL begins with pop:// or pops://"
    # Fullwidth forms become the marks of a URL when the name is prepared for DNS.
    if _NO_HOST.search(normalize("NFKC", host)):
        raise LocalProtocolError("the host is neither a name nor an address", hint=hint)
    if ":" in host:
        from ipaddress import AddressValueError, IPv6Address

        try:
            IPv6Address(host)
        except AddressValueError:
            # Its text would show the host.
            address = False
        else:
            address = True
        if not address:
            raise LocalProtocolError(
                "a host with a colon is an IPv6 address; a port is given beside it", hint=hint
            )


def _without_root(name: str) -> str:
    # Certificates and SNI have no dot at the end (RFC 6066 section 3).
    return name.removesuffix(".")


def unix_hostname(security: Security, server_hostname: str | None) -> str | None:
    """The name to verify behind a UNIX socket, which has none of its own, in ASCII."""
    if server_hostname:
        return _without_root(_ascii(server_hostname))
    if Security.of(security) is not Security.PLAINTEXT:
        raise LocalProtocolError("TLS over a UNIX socket needs server_hostname to verify")
    return None


def unix_name(path: UnixPath) -> str:
    """``path`` for a message."""
    return os.fsdecode(path)


async def unix_connected(
    path: UnixPath, sleep: Callable[[float], Awaitable[None]]
) -> socket.socket:
    """A non-blocking socket that is connected to ``path``.

    Raises ``OSError``, and ``ConnectError`` where there are no UNIX sockets.
    """
    family = getattr(socket, "AF_UNIX", None)
    if family is None:
        raise ConnectError("this platform has no UNIX sockets", hint="connect over TCP")
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        while True:
            try:
                sock.connect(os.fspath(path))
            except BlockingIOError:
                # Linux says so when the queue is full. Nothing is under way then: waiting until
                # the socket can be written would take it for connected.
                await sleep(_RETRY)
            else:
                return sock
    except BaseException:
        sock.close()
        raise


@contextmanager
def connecting(where: str, seconds: float | None) -> Generator[None]:
    """Turn what goes wrong inside into ``ConnectError``, or ``DeadlineError``."""
    try:
        yield
    except Pop3Error:
        raise
    except (OSError, EOFError, UnicodeError) as error:
        # The kernel's own ETIMEDOUT is a TimeoutError too, but not a deadline of ours.
        if isinstance(error, TimeoutError) and error.errno is None and seconds is not None:
            raise DeadlineError(
                f"no connection to {printable(where)} within {seconds:g} s",
                phase="connect",
                seconds=seconds,
            ) from error
        message = f"no connection to {printable(where)}: {printable(str(error))}"
        raise ConnectError(message) from error
