"""The client for blocking code.

Written by tools/generate_blocking.py from the async client: change that one, and run it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar, overload

from ..errors import CommandError
from ..model.capabilities import Capabilities
from ..model.commands import Command
from ..model.leniency import Deviation
from ..model.listings import Listing, Listings
from ..model.replies import Greeting, LangReply, Language, Message, Ok, StatReply
from ..model.secret import Secret
from ..model.states import State
from ..sasl import Mechanism
from .batch import AsyncBatch
from .client import AsyncClient
from .message import AsyncMessageStream, SupportsWrite
from .options import ClientOptions, LoginResult, QuitResult, Security, SecurityName
from .stepping import at_once, run
from .stream import Stream
from .turn import MAX_COLLECTED_OCTETS, Progress

if TYPE_CHECKING:
    from ssl import SSLContext, SSLObject

__all__ = ["Batch", "Client", "MessageStream"]

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Client:
    """A POP3 client over blocking sockets; ``connect()`` makes it.

    Every method does what the method of the same name of ``AsyncClient`` does, and raises what
    that one raises.
    """

    __slots__ = ("_client",)

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def __enter__(self) -> Self:
        return self

    def __repr__(self) -> str:
        return repr(self._client).replace("AsyncClient", "Client", 1)

    @classmethod
    def start(
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
        ``GreetingError``, and whatever ends a connection; the stream is closed then. Raises
        ``LocalProtocolError`` for a wrong argument.
        """
        return cls(
            run(
                AsyncClient.start(
                    stream,
                    security=security,
                    ssl_context=ssl_context,
                    server_hostname=server_hostname,
                    options=options,
                )
            )
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Send QUIT, or after an error close the connection, so that nothing is deleted.

        Raises if messages were marked as deleted and the server did not confirm QUIT.
        """
        run(self._client.__aexit__(kind, error, traceback))

    @property
    def state(self) -> State:
        """The state of the session."""
        return self._client.state

    @property
    def closed(self) -> bool:
        """True if the connection is closed, by either side."""
        return self._client.closed

    @property
    def secure(self) -> bool:
        """True if the connection is under TLS."""
        return self._client.secure

    @property
    def tls(self) -> SSLObject | None:
        """The TLS state: protocol version, cipher, certificates; ``None`` without TLS."""
        return self._client.tls

    @property
    def greeting(self) -> Greeting:
        """The server's greeting."""
        return self._client.greeting

    @property
    def capabilities(self) -> Capabilities | None:
        """The last answer to CAPA; ``None`` if it was not sent, or the server does not know it."""
        return self._client.capabilities

    @property
    def deviations(self) -> tuple[Deviation, ...]:
        """The server's faults that were tolerated, oldest first; about a thousand are kept."""
        return self._client.deviations

    @property
    def pending_deletions(self) -> int:
        """How many messages are marked as deleted, which ``quit()`` will delete."""
        return self._client.pending_deletions

    def call(
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
        ``PlaintextAuthError``, ``BusyError``, and whatever ends a connection.
        """
        return run(self._client.call(command, max_octets=max_octets, progress=progress))

    def start_tls(
        self, ssl_context: SSLContext | None = None, server_hostname: str | None = None
    ) -> None:
        """Send STLS, perform the handshake, and ask for the capabilities again (RFC 2595).

        STLS is sent even if the server does not announce it. The capabilities that the server
        announced before are forgotten, and CAPA is sent again unless ``ClientOptions.capabilities``
        is false. The certificate has to be valid for ``server_hostname``, or for the name given to
        ``connect()``. Raises ``TlsUnavailableError`` if the server refuses, ``TlsError`` if the
        handshake fails, ``StlsInjectionError``, and whatever ends a connection: it is closed after
        each of these.
        """
        run(self._client.start_tls(ssl_context, server_hostname))

    def stream(
        self,
        command: Command[Message],
        *,
        max_octets: int | None = None,
        progress: Progress | None = None,
    ) -> MessageStream:
        """Return the text that answers ``command``, as it arrives.

        Raises ``LocalProtocolError`` for a command that is not answered by a text.
        """
        return MessageStream(self._client.stream(command, max_octets=max_octets, progress=progress))

    def batch(
        self,
        commands: Iterable[Command[R]],
        *,
        max_octets: int = MAX_COLLECTED_OCTETS,
        progress: Progress | None = None,
    ) -> Batch[R]:
        """Run many commands, each with its own result, sent ahead of the answers if possible.

        Messages are collected one at a time, each of at most ``max_octets``; ``progress`` is called
        as each of them arrives, with its octets so far and its octets expected.
        """
        return Batch(self._client.batch(commands, max_octets=max_octets, progress=progress))

    def quit(self) -> QuitResult:
        """Send QUIT, which makes the deletions, and close the connection in any case.

        If the server refuses, or does not answer in time, no exception is raised, but the result
        says so: the messages are gone only if it is ``confirmed`` (RFC 1939 section 6). The rest of
        a stream or batch that was left open is skipped first.
        """
        return run(self._client.quit())

    def close(self) -> None:
        """Close the connection without QUIT: nothing is deleted."""
        run(self._client.aclose())

    def abort(self) -> None:
        """Close the connection at once, without QUIT, whatever is going on."""
        self._client.abort()

    def login(
        self,
        user: str | bytes,
        password: str | bytes | Secret,
        *,
        mechanisms: Iterable[str] | None = None,
        initial_response: bool = True,
    ) -> LoginResult:
        """Log in in the best way that the server offers, then ask the capabilities again.

        The order is SCRAM, tied to the TLS connection if the server can do that, then CRAM-MD5,
        then PLAIN or LOGIN, then USER and PASS. Those that show the password to the network are
        used under TLS only. ``mechanisms`` names the ones to use instead, in order of preference:
        SASL mechanisms, also DIGEST-MD5 and NTLM, ``"USER"`` for USER and PASS (RFC 1939 section
        7), and ``"APOP"``. A single name is used even if the server does not announce it. With
        ``initial_response=False``, AUTH waits until the server asks for the first response, as some
        servers require.

        After a refusal without a response code the next one is tried, but a weaker one only if
        ``mechanisms`` lists it. A ``-PLUS`` form that is refused for its channel binding is tried
        with the connection's next one. A mechanism that cannot carry the name or the password is
        skipped.

        Raises ``AuthenticationError``, or a subclass if the server says why. Raises
        ``MechanismError``, and on a connection without TLS ``PlaintextAuthError``, before anything
        is sent that depends on the password. Also raises ``SaslError``;
        ``ServerVerificationError``; ``LocalProtocolError`` for a name or password that cannot be
        sent.
        """
        password = Secret(password)
        return run(
            self._client.login(
                user, password, mechanisms=mechanisms, initial_response=initial_response
            )
        )

    def apop(self, user: str | bytes, password: str | bytes | Secret) -> LoginResult:
        """Log in with APOP (RFC 1939 section 7), then ask the capabilities again.

        APOP does not show the password, but MD5 no longer keeps it safe (CVE-2007-1558). If the
        server accepts UTF-8, name and password are prepared with SASLprep (RFC 6856 section 2.2).
        Raises ``AuthenticationError``, and ``LocalProtocolError`` if the greeting has no timestamp.
        """
        password = Secret(password)
        return run(self._client.apop(user, password))

    def rpop(self, user: str | bytes, remote_user: str | bytes | Secret) -> LoginResult:
        """Log in with USER and RPOP, from a host that the server trusts (RFC 1460). Obsolete."""
        remote_user = Secret(remote_user)
        return run(self._client.rpop(user, remote_user))

    def oauth(
        self,
        user: str,
        token: str | Secret | Callable[[], str],
        *,
        mechanism: str | None = None,
        initial_response: bool = True,
    ) -> LoginResult:
        """Log in with an OAuth access token (RFC 7628), then ask the capabilities again.

        ``token`` is the token, or a function that returns it; with the async adapters the function
        may be async. It is called once more if the server refuses the first token, which may have
        expired, unless a response code gives another reason. ``mechanism`` is ``"OAUTHBEARER"`` or
        ``"XOAUTH2"``. By default it is OAUTHBEARER if the server announces that, and otherwise
        XOAUTH2, announced or not. Office 365 needs ``initial_response=False``. Raises what
        ``login()`` raises; ``OAuthError`` holds the server's explanation in JSON.
        """
        token = at_once(token)
        return run(
            self._client.oauth(user, token, mechanism=mechanism, initial_response=initial_response)
        )

    def authenticate(self, mechanism: Mechanism, *, initial_response: bool = True) -> LoginResult:
        """Log in with ``mechanism``, announced or not, then ask the capabilities again (RFC 5034).

        ``mechanism`` is one of ``pop3proto.sasl``, or an object of your own with the same members.
        Its initial response is sent with AUTH if the line has at most 255 octets and
        ``initial_response`` allows it. An exception from the mechanism cancels the exchange, and
        the session goes on, except after ``ServerVerificationError``. If it is a ``SaslError``, and
        the server answers the cancellation with a response code, that code decides which exception
        is raised, with the ``SaslError`` as its cause. Raises what ``login()`` raises.
        """
        return run(self._client.authenticate(mechanism, initial_response=initial_response))

    def capa(self) -> Capabilities:
        """Ask for the server's capabilities (RFC 2449 section 5)."""
        return run(self._client.capa())

    def utf8(self) -> Ok:
        """Allow UTF-8 in messages and texts; call it before the login (RFC 6856 section 2)."""
        return run(self._client.utf8())

    def lang(self, tag: str) -> LangReply:
        """Choose the language of the server's texts (RFC 6856 section 3)."""
        return run(self._client.lang(tag))

    def languages(self) -> tuple[Language, ...]:
        """Return the languages that the server speaks (RFC 6856 section 3)."""
        return run(self._client.languages())

    def stat(self) -> StatReply:
        """Return the number of messages and their total octets (RFC 1939 section 5)."""
        return run(self._client.stat())

    @overload
    def list(self, message: None = None) -> Listings: ...
    @overload
    def list(self, message: int | str) -> Listing: ...
    def list(self, message: int | str | None = None) -> Listings | Listing:
        """Return number and size in octets of a message (any), or of each (RFC 1939 section 5)."""
        if message is None:
            return run(self._client.list())
        return run(self._client.list(message))

    @overload
    def uidl(self, message: None = None) -> Listings: ...
    @overload
    def uidl(self, message: int | str) -> Listing: ...
    def uidl(self, message: int | str | None = None) -> Listings | Listing:
        """Return number and unique-id of a message (any), or of each (RFC 1939 section 7)."""
        if message is None:
            return run(self._client.uidl())
        return run(self._client.uidl(message))

    def numbers(self) -> Sequence[int]:
        """Return the numbers of all messages: STAT and LIST. After ``dele()`` there can be gaps.

        After this, ``progress`` and batches know the sizes.
        """
        return run(self._client.numbers())

    def messages(self) -> Listings:
        """Return number, size and unique-id of every message: STAT, LIST and UIDL joined.

        On a server without UIDL every unique-id is ``None``. Raises ``CommandError`` if UIDL is
        refused although it is announced, or is refused with a response code: a temporary failure
        does not mean that the server has no UIDL.
        """
        return run(self._client.messages())

    def retr(
        self,
        message: int | str,
        *,
        max_octets: int = MAX_COLLECTED_OCTETS,
        progress: Progress | None = None,
    ) -> Message:
        """Return a whole message (any), collected in memory (RFC 1939 section 5).

        Raises ``LimitError`` beyond ``max_octets``.
        """
        return run(self._client.retr(message, max_octets=max_octets, progress=progress))

    def top(
        self,
        message: int | str,
        lines: int = 0,
        *,
        max_octets: int = MAX_COLLECTED_OCTETS,
        progress: Progress | None = None,
    ) -> Message:
        """Return a message's header and the first ``lines`` lines of its body (RFC 1939 section 7).

        Some servers send less of it, or alter it: do not use it in place of ``retr()``.
        """
        return run(self._client.top(message, lines, max_octets=max_octets, progress=progress))

    def retr_stream(
        self, message: int | str, *, max_octets: int | None = None, progress: Progress | None = None
    ) -> MessageStream:
        """Return a message (any) as it arrives, in bounded memory, and of any length by default."""
        return MessageStream(
            self._client.retr_stream(message, max_octets=max_octets, progress=progress)
        )

    def top_stream(
        self,
        message: int | str,
        lines: int = 0,
        *,
        max_octets: int | None = None,
        progress: Progress | None = None,
    ) -> MessageStream:
        """Return the answer to TOP as it arrives; see ``top()`` and ``retr_stream()``."""
        return MessageStream(
            self._client.top_stream(message, lines, max_octets=max_octets, progress=progress)
        )

    def save(
        self,
        message: int | str,
        file: SupportsWrite | PathLike[str] | PathLike[bytes] | str | bytes,
        *,
        max_octets: int | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Write a message (any) to a file object or to a path; return how many octets it has.

        It is never in memory as a whole. A path gets the file only when it is complete: until then
        the octets are in a file beside it, and an older file at the path stays. Also raises
        ``OSError``.
        """
        return run(self._client.save(message, file, max_octets=max_octets, progress=progress))

    def dele(self, message: int | str) -> Ok:
        """Mark a message (any) as deleted; ``quit()`` deletes it (RFC 1939 section 5)."""
        return run(self._client.dele(message))

    def rset(self) -> Ok:
        """Unmark all messages marked as deleted (RFC 1939 section 5)."""
        return run(self._client.rset())

    def noop(self) -> Ok:
        """Show the server that the client is still there (RFC 1939 section 5)."""
        return run(self._client.noop())

    def last(self) -> int:
        """Return the highest message number accessed, or 0 (RFC 1460). Obsolete."""
        return run(self._client.last())

    def retr_many(
        self,
        messages: Iterable[int | str],
        *,
        max_octets: int = MAX_COLLECTED_OCTETS,
        progress: Progress | None = None,
    ) -> Batch[Message]:
        """Get each of ``messages`` whole; ``progress`` is called as each arrives.

        Raises ``LocalProtocolError`` for a single message.
        """
        return Batch(self._client.retr_many(messages, max_octets=max_octets, progress=progress))

    def top_many(
        self,
        messages: Iterable[int | str],
        lines: int = 0,
        *,
        max_octets: int = MAX_COLLECTED_OCTETS,
        progress: Progress | None = None,
    ) -> Batch[Message]:
        """Get the top of each of ``messages``; ``progress`` is called as each arrives."""
        return Batch(
            self._client.top_many(messages, lines, max_octets=max_octets, progress=progress)
        )

    def dele_many(self, messages: Iterable[int | str]) -> Batch[Ok]:
        """Mark each of ``messages`` as deleted."""
        return Batch(self._client.dele_many(messages))


class MessageStream:
    """``AsyncMessageStream`` for blocking code: ``for chunk in client.retr_stream(1): ...``."""

    __slots__ = ("_stream",)

    def __init__(self, stream: AsyncMessageStream) -> None:
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        """Return the next octets; raise what ``AsyncMessageStream.__anext__`` raises."""
        try:
            return run(self._stream.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    @property
    def command(self) -> Command[Message]:
        """The command that asks for the text."""
        return self._stream.command

    @property
    def text(self) -> str:
        """The text of the server's status line."""
        return self._stream.text

    @property
    def octets(self) -> int:
        """The number of octets that were returned so far."""
        return self._stream.octets

    @property
    def expected(self) -> int | None:
        """The size that the server announced, in octets, or ``None``. A hint."""
        return self._stream.expected

    @property
    def complete(self) -> bool:
        """True after the end has arrived."""
        return self._stream.complete

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        run(self._stream.__aexit__(kind, error, traceback))

    def read(self) -> Message:
        """Return the remaining octets, collected in memory.

        The limit is 1 GiB if the stream was opened without ``max_octets``. Raises what iterating
        raises.
        """
        return run(self._stream.read())

    def save(self, file: SupportsWrite) -> int:
        """Write the remaining octets to a file object, as they arrive.

        Returns how many octets were written. Raises what iterating raises, and what ``file``
        raises.
        """
        return run(self._stream.save(file))

    def skip(self) -> None:
        """Discard the rest, so that the client can go on.

        The rest is not counted or reported to ``progress``. Raises what iterating raises, except
        for ``LimitError``.
        """
        run(self._stream.skip())


class Batch(Generic[R_co]):
    """``AsyncBatch`` for blocking code: ``for message in client.retr_many(...): ...``."""

    __slots__ = ("_at_hand", "_batch")

    def __init__(self, batch: AsyncBatch[R_co]) -> None:
        self._batch = batch
        self._at_hand = batch._item_at_hand  # pyright: ignore[reportPrivateUsage]

    def __enter__(self) -> Self:
        return self

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> R_co:
        """Return the next result; raise what ``AsyncBatch.__anext__`` raises."""
        # Nearly every result of small messages is at hand, and needs no coroutine.
        item = self._at_hand()
        if item is None:
            try:
                item = run(self._batch._next_item())  # pyright: ignore[reportPrivateUsage]
            except StopAsyncIteration:
                raise StopIteration from None
        if isinstance(item, CommandError):
            raise item
        return item

    def outcomes(self) -> Iterator[R_co | CommandError]:
        """Iterate over the results, with a ``CommandError`` for each command that was refused.

        ``isinstance(outcome, CommandError)`` tells them apart. Raises what the batch raises, except
        for those.
        """
        while True:
            while (item := self._at_hand()) is not None:
                yield item
            try:
                item = run(self._batch._next_item())  # pyright: ignore[reportPrivateUsage]
            except StopAsyncIteration:
                return
            yield item

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        run(self._batch.__aexit__(kind, error, traceback))

    def close(self) -> None:
        """Send nothing more and skip the outstanding answers, so that the client can go on.

        They are not kept, counted or reported to ``progress``. Raises whatever ends a connection,
        and ``BusyError`` while another task waits for a result.
        """
        run(self._batch.aclose())
