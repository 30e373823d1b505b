"""A client's session: every flow that takes more than one step, written once for all runtimes.

This module only awaits the methods of a ``Stream``, and coroutines built from them, so that the
blocking adapter can run the same coroutines without an event loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from .._arguments import require, require_items
from ..engine.client import ClientConnection
from ..errors import (
    CommandError,
    ConnectionLostError,
    DeadlineError,
    GreetingError,
    LocalProtocolError,
    Pop3Error,
    TlsUnavailableError,
    printable,
)
from ..model.capabilities import Capabilities
from ..model.command import Command
from ..model.commands import Capa, Quit, Retr, Stls, Utf8
from ..model.leniency import Deviation
from ..model.listings import Listings
from ..model.login_commands import AuthCancel, User
from ..model.replies import ErrorReply, Greeting, Message, MessageStart, Ok
from ..model.states import State
from .advice import about_capabilities, about_deletions, about_greeting, about_stls
from .batch import AsyncBatch
from .exchange import CALL, Exchange, check_command
from .options import ClientOptions, QuitResult, Security, SecurityName
from .stream import Stream
from .turn import (
    MAX_COLLECTED_OCTETS,
    Progress,
    Turn,
    check_collecting,
    check_whole,
    collect,
    refused,
)

if TYPE_CHECKING:
    from ssl import SSLContext, SSLObject

    from .message import AsyncMessageStream


__all__ = ["Session", "logs_in"]

R = TypeVar("R")


class Session:
    """The life of a connection: greeting, TLS, login, any command, QUIT."""

    __slots__ = ("_engine", "_exchange", "_greeting", "_host", "_listings", "_options", "_user")

    def __init__(
        self, stream: Stream, *, secure: bool, options: ClientOptions, host: str | None = None
    ) -> None:
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
        # The server's name, which some mechanisms include in their proof.
        self._host = host
        # The user who has logged in.
        self._user: str | None = None
        # The sizes of the last LIST, for progress.
        self._listings: Listings | None = None

    @classmethod
    async def start(
        cls,
        stream: Stream,
        *,
        security: Security | SecurityName = Security.TLS,
        ssl_context: SSLContext | None = None,
        server_hostname: str | None = None,
        options: ClientOptions | None = None,
    ) -> Self:
        """Return a client over an open ``stream``, after TLS, the greeting, STLS, and CAPA.

        ``ssl_context`` is ``ssl.create_default_context()`` if none is given; ``server_hostname`` is
        the name that the server's certificate has to be valid for. Without it TLS needs a context
        that does not check the name. Raises ``TlsError``, ``TlsUnavailableError``,
        ``GreetingError``, and any error that ends the connection; the stream is closed then. Raises
        ``LocalProtocolError`` for a wrong argument.
        """
        options = ClientOptions() if options is None else options
        require("options", options, ClientOptions, "a ClientOptions")
        security = Security.of(security)
        if not (hasattr(stream, "send") and hasattr(stream, "receive")):
            raise LocalProtocolError(f"stream is a Stream, not {type(stream).__name__}")
        secure = security is Security.TLS
        client = cls(stream, secure=secure, options=options, host=server_hostname)
        try:
            if secure:
                await client._exchange.start_tls(_context(ssl_context), server_hostname)
            with Turn(client._exchange):
                await client._read_greeting(security)
            if security is Security.STLS:
                await client.start_tls(ssl_context, server_hostname)
            elif options.capabilities:
                await client._ask_capabilities()
            if options.utf8 and client.capabilities and client.capabilities.utf8:
                await client.call(Utf8())
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
        """Send QUIT, or after an error close the connection, so that nothing is deleted.

        If messages were marked as deleted and the server did not confirm QUIT, raises the reason.
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
        at = "" if self._host is None else f"{printable(self._host)}, "
        user = "" if self._user is None else f"{printable(self._user)!r}, "
        tls = ", TLS" if self.secure else ""
        return f"<{type(self).__name__}: {at}{user}{self.state.value}{tls}>"

    @property
    def state(self) -> State:
        """The state of the session."""
        return State.CLOSED if self.closed else self._engine.state

    @property
    def closed(self) -> bool:
        """True if the connection is closed, by either side."""
        return self._exchange.closed

    @property
    def secure(self) -> bool:
        """True if the connection is under TLS."""
        return self._engine.secure

    @property
    def tls(self) -> SSLObject | None:
        """The TLS state: protocol version, cipher, certificates; ``None`` without TLS."""
        return self._exchange.tls.ssl_object if self._exchange.tls is not None else None

    @property
    def greeting(self) -> Greeting:
        """The server's greeting."""
        return self._greeting

    @property
    def capabilities(self) -> Capabilities | None:
        """The last answer to CAPA; ``None`` if it was not sent, or the server does not know it."""
        return self._engine.capabilities

    @property
    def pipelining(self) -> bool:
        """True if batches send ahead: the server announces it, and the options allow it."""
        offered = self.capabilities is not None and self.capabilities.pipelining
        return offered and self._options.pipelining

    @property
    def deviations(self) -> tuple[Deviation, ...]:
        """The server's faults that were tolerated, oldest first; about a thousand are kept."""
        return tuple(self._exchange.deviations)

    @property
    def pending_deletions(self) -> int:
        """The number of messages that are marked as deleted, and that ``quit()`` will delete."""
        return self._engine.pending_deletions

    async def call(
        self,
        command: Command[R],
        *,
        max_octets: int = MAX_COLLECTED_OCTETS,
        progress: Progress | None = None,
    ) -> R:
        """Run any command and return its typed reply.

        A message is collected in memory, ``max_octets`` at most; ``progress`` is called as it
        arrives, with the octets so far and the octets expected (a hint, or ``None``). Raises
        ``CommandError``, ``LocalProtocolError`` for a command that is not legal now,
        ``PlaintextAuthError``, ``BusyError``, and any error that ends the connection.
        """
        if max_octets != MAX_COLLECTED_OCTETS or progress is not None:
            check_collecting(max_octets, progress)
        exchange = self._exchange
        # ``with Turn(exchange)``, written out because a context manager would take a tenth of the
        # instructions of a NOOP. Nobody but this call ends its turn, because there is no rest that
        # could be skipped.
        if exchange.closed or exchange.turn is not None:
            raise exchange.refusal()
        exchange.turn = CALL
        try:
            exchange.check(command)
            # logs_in(), written out for the same reason.
            slow = command.secret or type(command) is AuthCancel
            event = await exchange.ask(command, "login" if slow else "reply", whole=True)
            if isinstance(event, Message):
                check_whole(event, max_octets, progress, self._expected)
            elif isinstance(event, MessageStart):
                expected = self._expected(command)
                event = await collect(
                    exchange, event, max_octets, expected=expected, progress=progress
                )
        except BaseException as error:
            exchange.release(error)
            raise
        exchange.turn = None
        if isinstance(event, ErrorReply):
            raise self._refused(event, command)
        reply: Any = event
        # Not cast(), which is a call.
        typed: R = reply
        return typed

    def _refused(self, reply: ErrorReply, command: Command[Any]) -> CommandError:
        error = refused(reply, command)
        if isinstance(command, User) or logs_in(command):
            from ..sasl.refusals import login_refused

            error = login_refused(reply, command, self.capabilities, secure=self._engine.secure)
            self._exchange.login_failure = error
        return error

    def _expected(self, command: Command[Any]) -> int | None:
        """Return the octets of the message that ``command`` asks for, according to LIST."""
        number = command.message if isinstance(command, Retr) else None
        if self._listings is None or not isinstance(number, int):
            return None
        listing = self._listings.get(number)
        return None if listing is None else listing.octets

    async def _read_greeting(self, security: Security) -> None:
        try:
            event = await self._exchange.next_event("greeting", None)
        except Pop3Error as broken:
            about_greeting(broken, security)
            raise
        if isinstance(event, ErrorReply):
            error = refused(event, None)
            raise GreetingError(str(error), reply=event)
        self._greeting = cast(Greeting, event)

    async def _ask_capabilities(self) -> None:
        try:
            await self.call(Capa())
        except CommandError:
            # An old server: its capabilities are unknown, which is not the same as none.
            return
        except Pop3Error as error:
            if self._engine.in_flight:
                # Otherwise CAPA was not sent, and is not the reason.
                about_capabilities(error)
            raise

    async def start_tls(
        self, ssl_context: SSLContext | None = None, server_hostname: str | None = None
    ) -> None:
        """Send STLS, perform the handshake, and ask for the capabilities again (RFC 2595).

        STLS is sent even if the server does not announce it. The capabilities that the server
        announced before are forgotten, and CAPA is sent again unless ``ClientOptions.capabilities``
        is false. The certificate has to be valid for ``server_hostname``, or for the name given to
        ``connect()``. Raises ``TlsUnavailableError`` if the server refuses, ``TlsError`` if the
        handshake fails, ``StlsInjectionError``, and any error that ends the connection: it is
        closed after each of these.
        """
        command, hostname = Stls(), server_hostname or self._host
        with Turn(self._exchange) as exchange:
            try:
                event = await exchange.ask(command)
            except Pop3Error as error:
                if self._engine.in_flight:
                    about_stls(error)
                raise
            if isinstance(event, ErrorReply):
                message = str(refused(event, None))
                raise TlsUnavailableError(f"STLS is not available: {message}", command=command)
            # This raises an exception if anything came in the clear after the answer.
            exchange.engine.next_event()
            await exchange.start_tls(_context(ssl_context), hostname)
            exchange.engine.tls_established()
        if self._options.capabilities:
            await self._ask_capabilities()

    def stream(
        self,
        command: Command[Message],
        *,
        max_octets: int | None = None,
        progress: Progress | None = None,
    ) -> AsyncMessageStream:
        """Return the text that answers ``command``, as it arrives.

        Raises ``LocalProtocolError`` for a command that is not answered by a text.
        """
        check_command(command)
        if command.answer is not Message:
            raise LocalProtocolError("this command is not answered by a text", command=command)
        # Here, because most programs get whole messages.
        from .message import AsyncMessageStream

        return AsyncMessageStream(
            self._exchange,
            command,
            expected=self._expected(command),
            max_octets=max_octets,
            progress=progress,
        )

    def batch(
        self,
        commands: Iterable[Command[R]],
        *,
        max_octets: int = MAX_COLLECTED_OCTETS,
        progress: Progress | None = None,
    ) -> AsyncBatch[R]:
        """Run many commands, each with its own result, sent ahead of the answers if possible.

        Messages are collected one at a time, each of at most ``max_octets``; ``progress`` is called
        as each of them arrives, with its octets so far and its octets expected.
        """
        require_items("commands are a list of commands, not", commands)
        return AsyncBatch(
            self._exchange,
            commands,
            pipelining=self.pipelining,
            max_octets=max_octets,
            expected=self._expected,
            progress=progress,
        )

    async def quit(self) -> QuitResult:
        """Send QUIT, which makes the deletions, and close the connection in any case.

        If the server refuses, or does not answer in time, no exception is raised, but the result
        says so: the messages are gone only if it is ``confirmed`` (RFC 1939 section 6). The rest of
        a stream or batch that was left open is skipped first. Called again, it returns the same
        result.
        """
        if self._exchange.quit_result is None:
            self._exchange.quit_result = await self._quit()
        return self._exchange.quit_result

    async def _quit(self) -> QuitResult:
        turn = self._exchange.turn
        if isinstance(turn, Turn) and turn.skip is not None and not self.closed:
            try:
                await turn.skip()
            except (ConnectionLostError, DeadlineError) as error:
                return QuitResult(False, self._engine.pending_deletions, error=error)
        deletions, command = self._engine.pending_deletions, Quit()
        with Turn(self._exchange) as exchange:
            try:
                event = await exchange.ask(command, "quit")
            except (ConnectionLostError, DeadlineError) as error:
                exchange.abort(error)
                return QuitResult(False, deletions, error=error)
            await exchange.aclose()
        if isinstance(event, ErrorReply):
            refusal = refused(event, command)
            about_deletions(refusal, self._engine.fate_of_deletions)
            return QuitResult(False, deletions, event.text, refusal)
        return QuitResult(True, deletions, cast(Ok, event).text)

    async def aclose(self) -> None:
        """Close the connection without QUIT: nothing is deleted."""
        await self._exchange.aclose()

    def abort(self) -> None:
        """Close the connection at once, without QUIT, whatever is going on."""
        self._exchange.abort()


def logs_in(command: Command[Any]) -> bool:
    """Return True for a command with a secret, and for the one that cancels a login."""
    return command.secret or isinstance(command, AuthCancel)


def _context(given: SSLContext | None) -> SSLContext:
    if given is not None:
        return given
    from ssl import create_default_context

    return create_default_context()
