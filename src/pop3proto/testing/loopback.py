"""A POP3 server on the loopback interface: real sockets, real TLS, a thread for each connection."""

from __future__ import annotations

import selectors
import socket
import ssl
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import partial
from threading import Condition, Event
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from .._arguments import require_count, require_host, require_seconds
from ..client.options import SecurityName
from ..errors import LocalProtocolError
from ..model.leniency import Leniency
from ..model.limits import Limits
from ..model.secret import Secret
from ..model.url import PopUrl
from ..server import ServerOptions, ServerSession
from ..server.actions import Close, NeedData, Send
from ..server.arguments import require_word
from ..transports import ClientOptions, Security
from .certificates import HOST, client_context, tls_for
from .channel import Channel
from .endpoint import Endpoint
from .sessions import Mail, Mechanisms, Sessions, Users

if TYPE_CHECKING:
    import trustme

    from ..transports.blocking import Client
    from .quirks.names import Quirk

__all__ = ["LoopbackServer", "Serving", "serve"]

_MAX_CONNECTIONS = 256
_LAST_PORT = 65535


class _DisconnectedError(Exception):
    """The connection has failed, and not the code that answers."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(reason)
        self.reason = reason


class SessionSource(Protocol):
    """Makes the sessions of a running server; see ``Sessions``."""

    @property
    def commands(self) -> list[str]: ...
    @property
    def only_user(self) -> str | None: ...
    def new(self) -> ServerSession: ...
    def under_tls(self, session: ServerSession, tls: ssl.SSLObject) -> None: ...
    def messages(self, user: str) -> list[bytes]: ...


class LoopbackServer:
    """A running server; ``serve()`` makes it."""

    def __init__(
        self,
        source: SessionSource,
        *,
        security: Security,
        tls_context: ssl.SSLContext | None,
        certificate_authority: trustme.CA | None,
        idle_timeout: float,
        max_connections: int = _MAX_CONNECTIONS,
        host: str = HOST,
        port: int = 0,
    ) -> None:
        self.host = host
        """The address that it listens on."""
        self.security: Security = Security.of(security)
        """The security of its connections: the argument for ``connect()``."""
        self.tls_context = tls_context
        """The TLS context of the server; ``None`` without TLS."""
        self.certificate_authority = certificate_authority
        """The issuer of the server's certificate, if it was made here."""
        self.sessions: list[ServerSession] = []
        """The sessions so far, in the order of their connections."""
        self.disconnects: list[OSError] = []
        """The errors that ended connections: resets, timeouts, broken TLS."""
        self.errors: list[BaseException] = []
        """Errors in the code that answers. ``serve()`` raises them when its block ends."""
        self._source = source
        self._idle_timeout = idle_timeout
        self._closing = Event()
        self._idle = Condition()
        self._connections: set[socket.socket] = set()
        # One thread for the listening socket, one for each connection.
        self._threads = ThreadPoolExecutor(1 + max_connections, "pop3-server")
        require_host("host", host)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=128)
        self.port: int = self._listener.getsockname()[1]
        """The port that it listens on."""
        self._waker, self._wakened = socket.socketpair()
        self._accepting = self._threads.submit(self._accept_all)

    def __repr__(self) -> str:
        state = "closed" if self._closing.is_set() else f"security={self.security.value!r}"
        return f"<LoopbackServer: {self.url}, {state}>"

    @property
    def url(self) -> str:
        """The POP URL of the server (RFC 2384), with the user's name if there is only one user.

        Its scheme is ``pops`` for implicit TLS, and otherwise ``pop``.
        """
        scheme: Literal["pop", "pops"] = "pops" if self.security is Security.TLS else "pop"
        return str(PopUrl(self.host, self.port, self._source.only_user, scheme=scheme))

    @property
    def commands(self) -> list[str]:
        """The commands that clients have sent so far, as text without secrets and line ends.

        Passwords, proofs of passwords, and everything that is sent within AUTH appear as
        ``<secret>``.
        """
        return [*self._source.commands]

    def messages(self, user: str) -> list[bytes]:
        """Return the messages that ``user`` has now.

        Raises ``LocalProtocolError`` if there is no such user. Unless the maildrops are in memory,
        also raises what opening a maildrop raises, for example ``MaildropLockedError``.
        """
        return self._source.messages(user)

    def connect(self, **settings: Any) -> Client:
        """Connect a blocking client, which trusts the server, and return it.

        ``settings`` are arguments of ``pop3proto.connect()``. If the server has no TLS, the client
        may send passwords, unless ``options`` are given. Raises what ``connect()`` raises, and
        ``LocalProtocolError`` if the server's certificate was not made here and no ``ssl_context``
        says what to trust.
        """
        from ..transports.blocking import connect

        if self.security is Security.PLAINTEXT:
            settings = {"options": ClientOptions(allow_plaintext_auth=True), **settings}
        elif "ssl_context" not in settings:
            settings["ssl_context"] = self.client_context()
        return connect(self.host, self.port, security=self.security, **settings)

    def client_context(self) -> ssl.SSLContext:
        """Return a new context for a client that trusts this server's certificate, and no other.

        Raises ``LocalProtocolError`` if the server has no certificate that was made here.
        """
        return client_context(self.certificate_authority)

    def wait_until_idle(self, timeout: float = 10.0) -> None:
        """Wait until each connection is closed and each maildrop released.

        Raises ``TimeoutError`` if that takes longer than ``timeout`` seconds.
        """
        with self._idle:
            if not self._idle.wait_for(lambda: not self._connections, timeout):
                raise TimeoutError(f"{len(self._connections)} connections are still open")

    def close(self) -> None:
        """Close the listening socket and all connections, and wait for their threads."""
        self._closing.set()
        self._waker.close()
        failure = self._accepting.exception()
        if failure is not None:
            self.errors.append(failure)
        with self._idle:
            for connection in self._connections:
                # Wakes up the thread that reads from the connection, which the client may have
                # closed before.
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._threads.shutdown()

    def _accept_all(self) -> None:
        with selectors.DefaultSelector() as selector, self._listener, self._wakened:
            # Otherwise accept() would wait for the next client if this one has left again.
            self._listener.setblocking(False)
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wakened, selectors.EVENT_READ)
            while not self._closing.is_set():
                selector.select()
                with suppress(BlockingIOError, ConnectionError):
                    self._begin(self._listener.accept()[0])

    def _begin(self, connection: socket.socket) -> None:
        with self._idle:
            self._connections.add(connection)
        talk = self._threads.submit(self._talk, connection)
        talk.add_done_callback(partial(self._ended, connection))

    def _ended(self, connection: socket.socket, talk: Future[None]) -> None:
        error = talk.exception()
        with self._idle:
            if isinstance(error, _DisconnectedError):
                self.disconnects.append(error.reason)
            elif error is not None:
                self.errors.append(error)
            self._connections.discard(connection)
            self._idle.notify_all()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = self._source.new()
            self.sessions.append(session)
            endpoint = Endpoint(
                session,
                security=self.security,
                context=self.tls_context,
                secured=self._source.under_tls,
            )
            with closing(session):
                self._drive(endpoint, Channel(connection, self._idle_timeout))

    def _drive(self, endpoint: Endpoint[ServerSession], channel: Channel) -> None:
        """Carry out the session's actions until it is over."""
        while not isinstance(action := endpoint.next_action(), Close):
            data = None
            try:
                if isinstance(action, Send):
                    channel.send(action.data)
                elif isinstance(action, NeedData):
                    data = channel.receive()
                else:
                    self._closing.wait(action.seconds)
            except OSError as error:
                raise _DisconnectedError(error) from error
            if data is not None:
                endpoint.receive_data(data)
        channel.close()
        if endpoint.error is not None:
            raise _DisconnectedError(endpoint.error)


class Serving:
    """The result of ``serve()``, for ``with`` and for ``async with``."""

    def __init__(self, running: AbstractContextManager[LoopbackServer]) -> None:
        self._running = running

    def __enter__(self) -> LoopbackServer:
        return self._running.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._running.__exit__(kind, error, traceback)

    async def __aenter__(self) -> LoopbackServer:
        # The threads take a few milliseconds to start and to end, so they may hold up the loop.
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)


def serve(
    maildrops: Mail,
    *,
    password: str | Secret | None = None,
    users: Users | None = None,
    security: Security | SecurityName = Security.STLS,
    options: ServerOptions = ServerOptions(),
    mechanisms: Mechanisms = None,
    tls_context: ssl.SSLContext | None = None,
    idle_timeout: float = 600.0,
    limits: Limits = Limits(),
    leniency: Leniency = Leniency(),
    host: str = HOST,
    port: int = 0,
    quirks: Iterable[Quirk | str] = (),
) -> Serving:
    """Run a server on a free port of 127.0.0.1 for as long as the ``with`` block lasts.

    ``async with`` does the same with any event loop, because the server runs in threads of its own.

    >>> with serve({"user": [b"Subject: one\\r\\n\\r\\nText.\\r\\n"]}, password="secret") as server:
    ...     with server.connect() as client:
    ...         _ = client.login("user", "secret")
    ...         _ = client.dele(1)
    ...     server.messages("user")
    []

    ``maildrops`` are the messages of each user, or a provider of maildrops, such as
    ``MaildirMaildrops``. ``password`` is the password of all users. Instead, ``users`` can say who
    may log in: it is a mapping from users to passwords, or an ``Authenticator``. ``security`` is a
    ``Security``, or its value as text. ``mechanisms`` says how clients may log in. It can be a
    function of the TLS connection (``None`` in the clear), for mechanisms that depend on it, such
    as those with channel binding or client certificates. ``Security.TLS`` and ``STLS`` use
    ``tls_context``, or a new certificate, which needs ``pip install pop3proto[testing]``;
    ``client_context()`` trusts that certificate. With ``PLAINTEXT``, passwords are accepted only if
    ``options`` allow it. ``idle_timeout`` is the time in seconds that a client may take for a
    command, for a handshake, or for reading 64 KiB (RFC 1939 section 3 demands at least 600); then
    it is disconnected, and nothing is deleted. 256 clients are served at once; further ones have to
    wait. ``host`` and ``port`` say where to listen; the server is meant for tests, not for public
    networks. ``quirks`` are the things that it does wrong on purpose, as members of ``Quirk`` or as
    their names.

    When the block ends, every connection is closed. An error in the code that answered, for example
    in a maildrop, is then raised, or noted in the exception that ended the block.

    Raises ``LocalProtocolError`` for a wrong argument: if it is not clear who may log in, if
    ``quirks`` contradict each other, or if there is a ``tls_context`` and no TLS, for example.
    Raises ``ImportError`` if a certificate is needed and trustme is not installed. An address that
    cannot be listened on raises ``OSError`` when the block begins.
    """
    password = None if password is None else Secret(password)
    require_seconds("idle_timeout", idle_timeout, zero=False)
    require_word("host", host, forbidden=" ")
    require_count("port", port, least=0)
    if port > _LAST_PORT:
        raise LocalProtocolError(f"port is at most {_LAST_PORT}, not {port}")
    chosen = Security.of(security)
    source = Sessions(
        maildrops,
        password=password,
        users=users,
        security=chosen,
        options=options,
        mechanisms=mechanisms,
        limits=limits,
        leniency=leniency,
        quirks=quirks,
    )
    authority, context = tls_for(chosen, tls_context, host)

    def make() -> LoopbackServer:
        return LoopbackServer(
            source,
            security=chosen,
            tls_context=context,
            certificate_authority=authority,
            idle_timeout=idle_timeout,
            host=host,
            port=port,
        )

    return Serving(_running(make))


@contextmanager
def _running(make: Callable[[], LoopbackServer]) -> Generator[LoopbackServer, None, None]:
    server = make()
    try:
        yield server
    except BaseException as error:
        server.close()
        for fault in server.errors:
            error.add_note(f"The server failed too: {fault!r}")
        raise
    server.close()
    if len(server.errors) == 1:
        raise server.errors[0]
    if server.errors:
        raise BaseExceptionGroup("the server failed", server.errors)
