"""Connecting, written once for all runtimes, each of which has a ``Dialer``."""

from __future__ import annotations

import os
import socket
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .._arguments import require, require_address
from .._value import replace, value
from ..client.client import AsyncClient
from ..client.options import ClientOptions, Security, SecurityName, Timeouts
from ..client.stream import Stream
from ..errors import ConnectError, DeadlineError, LocalProtocolError, Pop3Error, printable
from .sockets import UnixPath, closed_on_error, unix_socket

if TYPE_CHECKING:
    from ssl import SSLContext

    from ..model.url import PopUrl

__all__ = [
    "Connecting",
    "Dialer",
    "Target",
    "connecting",
    "target",
    "unix_hostname",
]

T = TypeVar("T")

_MAX_PORT = 65535
_UNIX_HINT = "check the path, who may use it, and that a server listens there"
# The characters that IDNA 2003 replaces and IDNA 2008 keeps (UTS 46 section 7), so that a name with
# one of them stands for two names. They can belong to two owners, so a guess could lead to the
# wrong one.
_AMBIGUOUS = frozenset("\xdf\u1e9e\u03c2\u200c\u200d")


@value
class Target:
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
    security: Security | SecurityName | None,
    server_hostname: str | None = None,
) -> Target:
    """Return the target that a host or a POP URL names.

    Raises ``LocalProtocolError`` for arguments that contradict each other, and for something that
    is not a host, which the message does not show. Raises ``ConnectError`` for a name that has no
    form in A-labels.
    """
    if port is not None:
        require("port", port, int, "an int")
    if server_hostname is not None:
        require("server_hostname", server_hostname, str, "a str")
    security = None if security is None else Security.of(security)
    if not isinstance(host, str) or host.lower().startswith(("pop://", "pops://")):
        # Here, because few programs connect to a URL.
        from ..model.url import PopUrl

        host = PopUrl.parse(host) if isinstance(host, str) else host
        if isinstance(host, PopUrl):  # pyright: ignore[reportUnnecessaryIsInstance]
            if port is not None and host.port is not None:
                raise LocalProtocolError("the port is given twice, in the URL and as an argument")
            security = _security_of(host, security)
            port = host.port if port is None else port
            host = host.host
    security = security or Security.TLS
    port = security.default_port if port is None else port
    if not 1 <= port <= _MAX_PORT:
        raise LocalProtocolError(f"a port is 1 to {_MAX_PORT}")
    name = _ascii(host)
    return Target(name, port, security, _without_root(_ascii(server_hostname or name)))


def _security_of(url: PopUrl, security: Security | None) -> Security:
    """Return the mode that the scheme demands, without overruling the caller."""
    if security is None:
        return Security.TLS if url.implicit_tls else Security.STLS
    if url.implicit_tls is not (security is Security.TLS):
        raise LocalProtocolError(
            f"security={security.name} contradicts a {url.scheme}:// URL",
            hint="pops:// is for TLS, pop:// for STLS or PLAINTEXT",
        )
    return security


def _ascii(host: str) -> str:
    _check(host)
    if host.isascii():
        return host
    if _AMBIGUOUS.intersection(host):
        raise ConnectError(
            f"the host name {printable(host)} means one name in IDNA 2003 and another in IDNA 2008",
            hint="write the name in A-labels (xn--...)",
        )
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ConnectError(
            f"{printable(host)} is not a host name: {printable(str(error))}"
        ) from error


def _check(host: object) -> None:
    """Raise ``LocalProtocolError`` if ``host`` is neither a name nor an address."""
    if not isinstance(host, str):
        raise LocalProtocolError(f"a host is a str or a PopUrl, not {type(host).__name__}")
    if not host:
        # An empty name means this machine to some resolvers.
        raise LocalProtocolError("the host is empty")
    hint = "a host is a name or an address; a URL begins with pop:// or pops://"
    if not host.isascii():
        from unicodedata import normalize

        # Fullwidth forms become the marks of a URL when the name is prepared for DNS.
        host = normalize("NFKC", host)
    # Characters that no host name contains, but URLs of other schemes do. The password in such a
    # URL would be shown in messages and sent to the resolver.
    if any(c in "/@" or c <= " " or "\x7f" <= c <= "\x9f" or c.isspace() for c in host):
        raise LocalProtocolError("the host is neither a name nor an address", hint=hint)
    if ":" in host:
        from ipaddress import AddressValueError, IPv6Address

        try:
            IPv6Address(host)
        except AddressValueError:
            # The text of this error would show the host.
            address = False
        else:
            address = True
        if not address:
            raise LocalProtocolError(
                "a host with a colon is an IPv6 address; a port is an argument of its own",
                hint=hint,
            )


def _without_root(name: str) -> str:
    # Certificates and SNI have no dot at the end (RFC 6066 section 3).
    return name.removesuffix(".")


def unix_hostname(security: Security, server_hostname: str | None) -> str | None:
    """Return the name to verify at a UNIX socket, which has no name of its own, in ASCII."""
    if server_hostname:
        return _without_root(_ascii(server_hostname))
    if security is not Security.PLAINTEXT:
        raise LocalProtocolError("TLS over a UNIX socket needs server_hostname")
    return None


@contextmanager
def connecting(where: str, seconds: float | None, hint: str | None = None) -> Generator[None]:
    """Turn errors of the block into ``ConnectError``, with the ``hint``, or ``DeadlineError``."""
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
        why = f"no connection to {printable(where)}: {printable(str(error))}"
        raise ConnectError(why, hint=hint) from error


class Connecting(Coroutine[Any, Any, AsyncClient]):
    """A client that is about to connect: ``await`` it, or enter it with ``async with``.

    It is a coroutine too, because functions such as ``asyncio.create_task()`` need one.
    """

    __slots__ = ("_client", "_connect", "_coroutine", "_to", "_unix")

    def __init__(
        self,
        to: object,
        connect: Callable[[], Coroutine[Any, Any, AsyncClient]],
        *,
        unix: bool = False,
    ) -> None:
        self._to = to
        self._unix = unix
        self._connect = connect
        # Made when it is needed, because a coroutine that is dropped warns with a name that no
        # caller knows.
        self._coroutine: Coroutine[Any, Any, AsyncClient] | None = None
        self._client: AsyncClient

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {_shown(self._to, unix=self._unix)}>"

    def __del__(self) -> None:
        if self._coroutine is None:
            from warnings import warn

            how = "write 'await connect(...)' or 'async with connect(...)'"
            warn(f"{self!r} was never awaited: {how}", RuntimeWarning, 2, self)

    def _begun(self) -> Coroutine[Any, Any, AsyncClient]:
        if self._coroutine is None:
            self._coroutine = self._connect()
        return self._coroutine

    def __await__(self) -> Generator[Any, Any, AsyncClient]:
        return self._begun().__await__()

    def send(self, value: Any) -> Any:
        """Go on, as a coroutine does."""
        return self._begun().send(value)

    def throw(self, *error: Any) -> Any:
        """Raise an exception where the coroutine waits."""
        return self._begun().throw(*error)

    def close(self) -> None:
        """End the coroutine."""
        self._begun().close()

    async def __aenter__(self) -> AsyncClient:
        self._client = await self._begun()
        return self._client

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._client.__aexit__(kind, error, traceback)


def _shown(to: Any, *, unix: bool) -> str:
    """Return a host, or the path of a UNIX socket, to show before anything is checked."""
    try:
        return printable(os.fsdecode(to)) if unix else target(to, None, None).host
    except (Pop3Error, TypeError):
        # It can be a URL with a password.
        return "a wrong address"


class Dialer:
    """Connects by the means of one runtime. The blocking one never suspends."""

    @abstractmethod
    async def within(self, seconds: float | None, opening: Callable[[], Awaitable[T]]) -> T:
        """Return the result of ``opening()``; raise ``TimeoutError`` after ``seconds``."""

    @abstractmethod
    async def tcp(self, host: str, port: int, source: tuple[str, int] | None) -> socket.socket:
        """Return a socket that is connected to a host, from the address ``source``."""

    @abstractmethod
    async def wrap(self, sock: socket.socket) -> Stream:
        """Return a stream on a connected socket, which it owns from now on."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""

    def connect(
        self,
        host: str | PopUrl,
        port: int | None = None,
        *,
        security: Security | SecurityName | None = None,
        timeout: float | Timeouts | None = None,
        ssl_context: SSLContext | None = None,
        server_hostname: str | None = None,
        source_address: tuple[str, int] | None = None,
        opener: Callable[[str, int], socket.socket | Stream | Awaitable[socket.socket | Stream]]
        | None = None,
        options: ClientOptions | None = None,
    ) -> Connecting:
        """Connect to the POP3 server at ``host``, as ``pop3proto.connect()`` does.

        That function describes the arguments and exceptions, with these differences:

        - ``async with connect(...) as client:`` ends with QUIT; ``await connect(...)`` does not.
        - ``opener`` may be an async function.
        - Attempts at several addresses of a host overlap (RFC 8305). With trio they do not if
          ``source_address`` has a port.
        """

        async def connected() -> AsyncClient:
            chosen = _options(options, timeout)
            _check_context(ssl_context)
            if source_address is not None:
                require_address("source_address", source_address)
            if opener is not None and not callable(opener):
                raise LocalProtocolError(f"opener is a function, not {type(opener).__name__}")
            to = target(host, port, security, server_hostname)

            async def opening() -> socket.socket | Stream:
                if opener is None:
                    return await self.tcp(to.host, to.port, source_address)
                opened: Any = opener(to.host, to.port)
                if hasattr(opened, "__await__"):
                    opened = await opened
                return cast("socket.socket | Stream", opened)

            return await AsyncClient.start(
                await _stream(self, opening, str(to), chosen),
                security=to.security,
                ssl_context=ssl_context,
                server_hostname=to.server_hostname,
                options=chosen,
            )

        return Connecting(host, connected)

    def connect_unix(
        self,
        path: UnixPath,
        *,
        security: Security | SecurityName = Security.PLAINTEXT,
        timeout: float | Timeouts | None = None,
        ssl_context: SSLContext | None = None,
        server_hostname: str | None = None,
        options: ClientOptions | None = None,
    ) -> Connecting:
        """Connect to the POP3 server that listens at ``path``; like ``connect()``.

        There is no TLS unless ``security`` demands it; then ``server_hostname`` is needed, because
        a certificate cannot name a path.

        Raises what ``connect()`` raises, and ``ConnectError`` if there are no UNIX sockets.
        """

        async def connected() -> AsyncClient:
            chosen = _options(options, timeout)
            _check_context(ssl_context)
            require("path", path, (str, bytes, os.PathLike), "a path")
            mode = Security.of(security)
            hostname = unix_hostname(mode, server_hostname)

            async def opening() -> socket.socket:
                return await unix_socket(path, self.sleep)

            return await AsyncClient.start(
                await _stream(self, opening, os.fsdecode(path), chosen, _UNIX_HINT),
                security=mode,
                ssl_context=ssl_context,
                server_hostname=hostname,
                options=chosen,
            )

        return Connecting(path, connected, unix=True)


def _options(options: ClientOptions | None, timeout: float | Timeouts | None) -> ClientOptions:
    if options is None:
        options = ClientOptions()
    require("options", options, ClientOptions, "a ClientOptions")
    return options if timeout is None else replace(options, timeouts=Timeouts.of(timeout))


def _check_context(given: object) -> None:
    if given is not None:
        from ssl import SSLContext

        require("ssl_context", given, SSLContext, "an ssl.SSLContext")


async def _stream(
    dialer: Dialer,
    opening: Callable[[], Awaitable[socket.socket | Stream]],
    where: str,
    options: ClientOptions,
    hint: str | None = None,
) -> Stream:
    async def opened() -> Stream:
        connected: Any = await opening()
        # Sockets of PySocks and gevent are not all subclasses of the standard library's.
        if not hasattr(connected, "recv"):
            if not hasattr(connected, "receive"):
                kind = type(connected).__name__
                raise LocalProtocolError(f"opener returns a socket or a Stream, not {kind}")
            return cast(Stream, connected)
        sock = cast(socket.socket, connected)
        with closed_on_error(sock):
            if hasattr(sock, "do_handshake"):
                raise LocalProtocolError("opener returns a socket without TLS, or a Stream")
            return await dialer.wrap(sock)

    seconds = options.timeouts.connect
    with connecting(where, seconds, hint):
        return await dialer.within(seconds, opened)
