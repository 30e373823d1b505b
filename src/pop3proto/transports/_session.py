"""A client's session: every flow that takes more than one step, written once for all runtimes.

Nothing here awaits anything but the methods of a ``Stream`` and what is built from them, so that
the blocking adapter can run the same coroutines without an event loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from ..capabilities import Capabilities
from ..client import ClientConnection
from ..commands import (
    Apop,
    Auth,
    AuthCancel,
    AuthResponse,
    Capa,
    Command,
    Dele,
    Lang,
    Languages,
    Last,
    List,
    ListOne,
    Noop,
    Pass,
    Quit,
    Retr,
    Rpop,
    Rset,
    Stat,
    Stls,
    Top,
    Uidl,
    UidlOne,
    User,
    Utf8,
)
from ..deviations import LENIENT, Deviation, Leniency
from ..errors import (
    AuthenticationFailed,
    CommandFailed,
    ConnectionLost,
    DeadlineExceeded,
    GreetingRefused,
    LocalProtocolError,
    Pop3Error,
    TlsUnavailable,
)
from ..limits import DEFAULT_LIMITS, Limits
from ..listings import ScanListing, ScanListings, UniqueIdListing, UniqueIdListings
from ..replies import ErrorReply, Greeting, Language, Message, MessageStart, Ok, StatReply
from ..states import State
from ._batch import Batch
from ._exchange import Exchange
from ._message import MAX_COLLECTED_OCTETS, MessageStream, collect, refused
from ._options import DEFAULT_TIMEOUTS, Security, Timeouts
from ._stream import Stream

if TYPE_CHECKING:
    from ssl import SSLContext

    from ..transcript import Recorder

__all__ = ["AsyncClient", "ClientOptions", "QuitResult"]

R = TypeVar("R")

_LOGINS = (Pass, Apop, Rpop, Auth, AuthResponse, AuthCancel)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """What a client does beyond connecting; every adapter's ``connect()`` takes the same."""

    timeouts: Timeouts = DEFAULT_TIMEOUTS
    """How long each phase may take."""
    limits: Limits = DEFAULT_LIMITS
    """How much is collected from the server."""
    leniency: Leniency = LENIENT
    """Which faults of the server are forgiven."""
    capabilities: bool = True
    """Whether to ask CAPA after connecting and after the login; some servers close upon it."""
    pipelining: bool = True
    """Whether batches send ahead, if the server announces PIPELINING (RFC 2449 section 6.6)."""
    allow_plaintext_auth: bool = False
    """Whether a login may show its password to the network on a connection without TLS."""
    utf8: bool = False
    """Whether to send UTF8 before the login, if the server announces it (RFC 6856)."""
    recorder: Recorder | None = None
    """What is shown all that passes, with secrets taken out."""


@dataclass(frozen=True, slots=True)
class QuitResult:
    """How a session ended."""

    confirmed: bool
    """Whether the server answered ``+OK``: the deletions were made."""
    deletions: int
    """How many messages were marked as deleted when QUIT was sent."""
    text: str = ""
    """What the server wrote."""
    error: Pop3Error | None = None
    """Why it was not confirmed."""


class AsyncClient:
    """A POP3 client over any ``Stream``; the adapters' ``connect()`` make it.

    Every method but ``abort()`` runs one exchange to its end; a second call while one is running
    raises ``BusyError``. A server's ``-ERR`` raises ``CommandFailed`` and the session goes on.
    Everything else that goes wrong (``ConnectionLost``, ``DeadlineExceeded``,
    ``RemoteProtocolError`` or a cancellation) closes the connection for good, and no message is
    deleted: that takes a ``quit()``, which leaving ``async with`` without an error calls.

    Messages are numbered from 1 within a session. Where a method says "any", text is taken
    instead of a number, for servers that know other names.
    """

    def __init__(self, stream: Stream, *, secure: bool, options: ClientOptions) -> None:
        engine = ClientConnection(secure=secure, limits=options.limits, leniency=options.leniency)
        self._options = options
        self._engine = engine
        self._exchange = Exchange(
            stream,
            engine,
            options.timeouts,
            allow_plaintext_auth=options.allow_plaintext_auth,
            recorder=options.recorder,
        )
        self._greeting = Greeting()

    @classmethod
    async def start(
        cls,
        stream: Stream,
        *,
        security: Security = Security.TLS,
        ssl_context: SSLContext | None = None,
        server_hostname: str | None = None,
        options: ClientOptions | None = None,
    ) -> Self:
        """A client over ``stream``, which is open: TLS, the greeting, STLS, and CAPA.

        ``ssl_context`` is ``ssl.create_default_context()`` if none is given; ``server_hostname``
        is the name that the server's certificate has to show. Raises ``TlsError``,
        ``TlsUnavailable``, ``GreetingRefused``, and what ends a connection; the stream is closed
        then.
        """
        options = options or ClientOptions()
        client = cls(stream, secure=security is Security.TLS, options=options)
        try:
            if security is Security.TLS:
                await client._exchange.start_tls(_context(ssl_context), server_hostname)
            with client._exchange:
                await client._read_greeting()
            if security is Security.STLS:
                await client.start_tls(ssl_context, server_hostname)
            if options.capabilities:
                await client._ask_capabilities()
            if options.utf8 and client.capabilities and client.capabilities.utf8:
                await client.utf8()
        except BaseException as error:
            client._exchange.abort(error)
            raise
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """QUIT, or after an error close the connection, so that nothing gets deleted.

        Raises if messages were marked as deleted and the server did not confirm QUIT.
        """
        if error is not None:
            self.abort()
        elif not self.closed:
            try:
                result = await self.quit()
            except BaseException:
                self.abort()
                raise
            if result.error is not None and result.deletions:
                raise result.error

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {'closed' if self.closed else self._engine!r}>"

    @property
    def state(self) -> State:
        """Where the session stands."""
        return State.CLOSED if self.closed else self._engine.state

    @property
    def closed(self) -> bool:
        """Whether the connection is closed, by whichever side."""
        return self._exchange.closed

    @property
    def secure(self) -> bool:
        """Whether the connection is under TLS."""
        return self._engine.secure

    @property
    def greeting(self) -> Greeting:
        """The server's greeting."""
        return self._greeting

    @property
    def capabilities(self) -> Capabilities | None:
        """What the server announced last; ``None`` if it was not asked, or does not know CAPA."""
        return self._engine.capabilities

    @property
    def deviations(self) -> tuple[Deviation, ...]:
        """The server's faults that were forgiven, oldest first; the last thousand are kept."""
        return tuple(self._exchange.deviations)

    @property
    def pending_deletions(self) -> int:
        """How many messages are marked as deleted; ``quit()`` makes it so."""
        return self._engine.pending_deletions

    async def call(self, command: Command[R], *, max_octets: int | None = None) -> R:
        """Run any command and return its typed reply.

        A message is collected in memory, ``max_octets`` at most (1 GiB if not given). Raises
        ``CommandFailed``, ``LocalProtocolError`` for a command that is not legal now,
        ``PlaintextAuthRefused``, ``BusyError``, and what ends a connection.
        """
        if isinstance(command, Stls):
            raise LocalProtocolError("TLS begins with start_tls()", command=command)
        with self._exchange as exchange:
            exchange.check(command)
            await exchange.send(exchange.engine.send(command), command)
            seconds = exchange.timeouts.reply
            if isinstance(command, _LOGINS):
                seconds = exchange.timeouts.login
            event: Any = await exchange.next_event("reply", seconds, command)
            if isinstance(event, MessageStart):
                limit = MAX_COLLECTED_OCTETS if max_octets is None else max_octets
                event = await collect(exchange, event, limit)
        if isinstance(event, ErrorReply):
            raise self._refused(event, command)
        return cast(R, event)

    def _refused(self, reply: ErrorReply, command: Command[Any]) -> CommandFailed:
        error = refused(reply, command)
        if isinstance(command, _LOGINS):
            error = AuthenticationFailed(str(error.args[0]), command=command, reply=reply)
            self._exchange.login_failure = error
        return error

    async def _read_greeting(self) -> None:
        seconds = self._options.timeouts.greeting
        event = await self._exchange.next_event("greeting", seconds, None)
        if isinstance(event, ErrorReply):
            error = refused(event, None)
            raise GreetingRefused(str(error), reply=event)
        self._greeting = cast(Greeting, event)

    async def _ask_capabilities(self) -> None:
        try:
            await self.call(Capa())
        except CommandFailed:
            # An old server: what it can do is not known, which is not the same as nothing.
            return

    async def start_tls(
        self, ssl_context: SSLContext | None = None, server_hostname: str | None = None
    ) -> None:
        """STLS, and the TLS handshake behind it (RFC 2595 section 4).

        It is asked for whether the server announces it or not. Capabilities have to be asked for
        again afterwards. Raises ``TlsUnavailable`` if the server refuses, ``TlsError`` if the
        handshake fails, ``StlsInjectionError``, and what ends a connection: it is closed after
        each of these.
        """
        command = Stls()
        with self._exchange as exchange:
            await exchange.send(exchange.engine.send(command), command)
            event = await exchange.next_event("reply", exchange.timeouts.reply, command)
            if isinstance(event, ErrorReply):
                message = str(refused(event, None))
                raise TlsUnavailable(f"STLS is not available: {message}", command=command)
            # Raises if anything came in the clear behind the answer.
            exchange.engine.next_event()
            await exchange.start_tls(_context(ssl_context), server_hostname)
            exchange.engine.tls_established()

    async def capa(self) -> Capabilities:
        """Ask what the server can do (RFC 2449 section 5)."""
        return (await self.call(Capa())).capabilities

    async def login(self, user: str | bytes, password: str | bytes) -> Ok:
        """Log in with USER and PASS (RFC 1939 section 7), then ask the capabilities again.

        Raises ``AuthenticationFailed`` and, on a connection without TLS, before anything is sent,
        ``PlaintextAuthRefused``.
        """
        try:
            secret = Pass(password)
        finally:
            # A traceback shows the locals of this frame.
            del password
        self._exchange.check(secret)
        await self.call(User(user))
        return await self._logged_in(await self.call(secret))

    async def apop(self, user: str | bytes, password: str | bytes) -> Ok:
        """Log in with APOP (RFC 1939 section 7), then ask the capabilities again.

        The password does not show, but MD5 no longer keeps it safe (CVE-2007-1558). Raises
        ``AuthenticationFailed``, and ``LocalProtocolError`` if the greeting has no timestamp.
        """
        timestamp = self._greeting.timestamp
        if timestamp is None:
            del password
            raise LocalProtocolError("the greeting has no timestamp: APOP is not available")
        try:
            command = Apop.respond(user, timestamp, password)
        finally:
            del password
        return await self._logged_in(await self.call(command))

    async def rpop(self, user: str | bytes, remote_user: str | bytes) -> Ok:
        """Log in with USER and RPOP, where the host is trusted (RFC 1460). Obsolete."""
        await self.call(User(user))
        return await self._logged_in(await self.call(Rpop(remote_user)))

    async def _logged_in(self, reply: Ok) -> Ok:
        self._exchange.login_failure = None
        if self._options.capabilities and self.capabilities is not None:
            await self._ask_capabilities()
        return reply

    async def utf8(self) -> Ok:
        """Let messages and texts be UTF-8; before the login (RFC 6856 section 2)."""
        return await self.call(Utf8())

    async def lang(self, tag: str) -> Ok:
        """Choose the language of the server's texts (RFC 6856 section 3)."""
        return await self.call(Lang(tag))

    async def languages(self) -> tuple[Language, ...]:
        """The languages that the server speaks (RFC 6856 section 3)."""
        return (await self.call(Languages())).languages

    async def stat(self) -> StatReply:
        """How many messages there are, and their octets together (RFC 1939 section 5)."""
        return await self.call(Stat())

    @overload
    async def list(self, message: None = None) -> ScanListings: ...
    @overload
    async def list(self, message: int | str) -> ScanListing: ...
    async def list(self, message: int | str | None = None) -> ScanListings | ScanListing:
        """The size of one message (any), or of all, in octets (RFC 1939 section 5)."""
        if message is None:
            return (await self.call(List())).listings
        return (await self.call(ListOne(message))).listing

    @overload
    async def uidl(self, message: None = None) -> UniqueIdListings: ...
    @overload
    async def uidl(self, message: int | str) -> UniqueIdListing: ...
    async def uidl(self, message: int | str | None = None) -> UniqueIdListings | UniqueIdListing:
        """The unique-id of one message (any), or of all (RFC 1939 section 7)."""
        if message is None:
            return (await self.call(Uidl())).listings
        return (await self.call(UidlOne(message))).listing

    async def retr(self, message: int | str, *, max_octets: int | None = None) -> Message:
        """A whole message (any), collected in memory (RFC 1939 section 5).

        Raises ``LimitExceeded`` beyond ``max_octets``, 1 GiB if not given.
        """
        return await self.call(Retr(message), max_octets=max_octets)

    async def top(
        self, message: int | str, lines: int = 0, *, max_octets: int | None = None
    ) -> Message:
        """A message's header and the first ``lines`` lines of its body (RFC 1939 section 7).

        Some servers cut it short or alter it: no substitute for ``retr()``.
        """
        return await self.call(Top(message, lines), max_octets=max_octets)

    def retr_stream(self, message: int | str, *, max_octets: int | None = None) -> MessageStream:
        """A message (any) as it comes, in bounded memory and without a limit of its own."""
        return self.stream(Retr(message), max_octets=max_octets)

    def top_stream(
        self, message: int | str, lines: int = 0, *, max_octets: int | None = None
    ) -> MessageStream:
        """The same for TOP."""
        return self.stream(Top(message, lines), max_octets=max_octets)

    def stream(self, command: Command[Message], *, max_octets: int | None = None) -> MessageStream:
        """The text that answers ``command``, as it comes."""
        return MessageStream(self._exchange, command, max_octets)

    async def dele(self, message: int | str) -> Ok:
        """Mark a message (any) as deleted; ``quit()`` makes it so (RFC 1939 section 5)."""
        return await self.call(Dele(message))

    async def rset(self) -> Ok:
        """Unmark all messages marked as deleted (RFC 1939 section 5)."""
        return await self.call(Rset())

    async def noop(self) -> Ok:
        """Show the server that the client is alive (RFC 1939 section 5)."""
        return await self.call(Noop())

    async def last(self) -> int:
        """The highest message number accessed, or 0 (RFC 1460). Obsolete."""
        return (await self.call(Last())).number

    def batch(self, commands: Iterable[Command[R]], *, max_octets: int | None = None) -> Batch[R]:
        """Run many commands, each with its own outcome, ahead of their answers if possible.

        Messages are collected one at a time, ``max_octets`` each at most (1 GiB if not given).
        """
        limit = MAX_COLLECTED_OCTETS if max_octets is None else max_octets
        offered = self.capabilities is not None and self.capabilities.pipelining
        return Batch(
            self._exchange,
            commands,
            pipelining=offered and self._options.pipelining,
            max_octets=limit,
        )

    def retr_many(
        self, messages: Iterable[int | str], *, max_octets: int | None = None
    ) -> Batch[Message]:
        """RETR of each of ``messages``."""
        return self.batch(map(Retr, messages), max_octets=max_octets)

    def top_many(
        self, messages: Iterable[int | str], lines: int = 0, *, max_octets: int | None = None
    ) -> Batch[Message]:
        """TOP of each of ``messages``."""
        return self.batch((Top(message, lines) for message in messages), max_octets=max_octets)

    def dele_many(self, messages: Iterable[int | str]) -> Batch[Ok]:
        """DELE of each of ``messages``."""
        return self.batch(map(Dele, messages))

    async def quit(self) -> QuitResult:
        """QUIT: make the deletions, and close the connection in any case (RFC 1939 section 6).

        That the server refuses, or does not answer in time, raises nothing but is told by the
        result: only if it is ``confirmed`` are the messages gone.
        """
        deletions, command = self._engine.pending_deletions, Quit()
        with self._exchange as exchange:
            try:
                await exchange.send(exchange.engine.send(command), command)
                event = await exchange.next_event("quit", exchange.timeouts.quit, command)
            except (ConnectionLost, DeadlineExceeded) as error:
                exchange.abort(error)
                return QuitResult(False, deletions, error=error)
            await exchange.aclose()
        if isinstance(event, ErrorReply):
            return QuitResult(False, deletions, event.text, refused(event, command))
        return QuitResult(True, deletions, cast(Ok, event).text)

    async def aclose(self) -> None:
        """Close the connection without QUIT: nothing is deleted."""
        await self._exchange.aclose()

    def abort(self) -> None:
        """Close the connection at once, without QUIT, whatever is going on."""
        self._exchange.abort()


def _context(given: SSLContext | None) -> SSLContext:
    if given is not None:
        return given
    from ssl import create_default_context

    return create_default_context()
