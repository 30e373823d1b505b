"""The client for blocking code.

``Client`` runs the coroutines of ``AsyncClient`` over a stream whose methods never suspend, so
that both are one implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import isawaitable, iscoroutine
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, cast, overload

from ..errors import LocalProtocolError
from ..model.capabilities import Capabilities
from ..model.commands import Command
from ..model.leniency import Deviation
from ..model.listings import (
    Listing,
    Listings,
)
from ..model.replies import Greeting, LangReply, Language, Message, Ok, StatReply
from ..model.states import State
from ..sasl import Mechanism
from .client import AsyncClient
from .message import MAX_COLLECTED_OCTETS, Progress, SupportsWrite
from .options import ClientOptions, LoginResult, QuitResult, Security
from .stepping import Batch, MessageStream, run
from .stream import Stream

if TYPE_CHECKING:
    from ssl import SSLContext, SSLObject

__all__ = ["Batch", "Client", "MessageStream", "run"]

T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Client:
    """A POP3 client over blocking sockets; ``connect()`` makes it.

    Every method does what the method of the same name of ``AsyncClient`` does, and raises what
    that one raises.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    @classmethod
    def start(
        cls,
        stream: Stream,
        *,
        security: Security = Security.TLS,
        ssl_context: SSLContext | None = None,
        server_hostname: str | None = None,
        options: ClientOptions | None = None,
    ) -> Self:
        """A client over ``stream``, whose coroutines must never suspend."""
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """QUIT, or after an error close the connection, so that nothing gets deleted.

        Raises if messages were marked as deleted and the server did not confirm QUIT.
        """
        run(self._client.__aexit__(kind, error, traceback))

    def __repr__(self) -> str:
        return repr(self._client).replace("AsyncClient", "Client", 1)

    @property
    def state(self) -> State:
        """Where the session stands."""
        return self._client.state

    @property
    def closed(self) -> bool:
        """Whether the connection is closed, by whichever side."""
        return self._client.closed

    @property
    def secure(self) -> bool:
        """Whether the connection is under TLS."""
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
        """What the server announced last; ``None`` if it was not asked, or does not know CAPA."""
        return self._client.capabilities

    @property
    def deviations(self) -> tuple[Deviation, ...]:
        """The server's faults that were forgiven, oldest first; a thousand are kept."""
        return self._client.deviations

    @property
    def pending_deletions(self) -> int:
        """How many messages are marked as deleted; ``quit()`` makes it so."""
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
        comes, with the octets so far and the octets expected (a hint, or ``None``). Raises
        ``CommandError``, ``LocalProtocolError`` for a command that is not legal now,
        ``PlaintextAuthError``, ``BusyError``, and what ends a connection.
        """
        return run(self._client.call(command, max_octets=max_octets, progress=progress))

    def start_tls(
        self,
        ssl_context: SSLContext | None = None,
        server_hostname: str | None = None,
    ) -> None:
        """STLS, and the TLS handshake behind it (RFC 2595 section 4); then ask the capabilities.

        It is asked for whether the server announces it or not. What the server has announced
        before it is forgotten; it is asked again, unless ``ClientOptions.capabilities`` forbids
        that. The certificate has to show ``server_hostname``, or the name that was connected to.
        Raises ``TlsUnavailableError`` if the server refuses, ``TlsError`` if the handshake fails,
        ``StlsInjectionError``, and what ends a connection: it is closed after each of these.
        """
        run(self._client.start_tls(ssl_context, server_hostname))

    def login(
        self,
        user: str | bytes,
        password: str | bytes,
        *,
        mechanisms: Iterable[str] | None = None,
        initial_response: bool = True,
    ) -> LoginResult:
        """Log in in the best way that the server offers, then ask the capabilities again.

        That is SCRAM, tied to the TLS connection where the server can do that, then CRAM-MD5,
        then PLAIN or LOGIN, then USER and PASS. Those that show the password to the network are
        taken under TLS only. ``mechanisms`` names what may be used instead, in order of
        preference: SASL mechanisms, DIGEST-MD5 and NTLM too, ``"USER"`` for USER and PASS
        (RFC 1939 section 7), ``"APOP"``. A single name is used whether the server announces it
        or not. With ``initial_response=False`` AUTH waits for the server to ask, as some servers
        want it.

        After a refusal without a response code the next one is tried, but a weaker one only if
        ``mechanisms`` lists it. A ``-PLUS`` form that is refused for its channel binding is tried
        with the connection's next one. What a mechanism cannot carry is left to the next one too.

        Raises ``AuthenticationError``, its subclass where the server says why;
        ``MechanismError``, and, on a connection without TLS, ``PlaintextAuthError``,
        before anything is sent that depends on the password; ``SaslError``;
        ``ServerVerificationError``; ``LocalProtocolError`` for a name or password that cannot be
        sent.
        """
        login = self._client.login(
            user, password, mechanisms=mechanisms, initial_response=initial_response
        )
        # A traceback shows the locals of this frame.
        del password
        return run(login)

    def apop(self, user: str | bytes, password: str | bytes) -> LoginResult:
        """Log in with APOP (RFC 1939 section 7), then ask the capabilities again.

        The password does not show, but MD5 no longer keeps it safe (CVE-2007-1558). Where the
        server takes UTF-8, name and password are prepared with SASLprep (RFC 6856 section 2.2).
        Raises ``AuthenticationError``, and ``LocalProtocolError`` if the greeting has no
        timestamp.
        """
        login = self._client.apop(user, password)
        # A traceback shows the locals of this frame.
        del password
        return run(login)

    def rpop(self, user: str | bytes, remote_user: str | bytes) -> LoginResult:
        """Log in with USER and RPOP, where the host is trusted (RFC 1460). Obsolete."""
        return run(self._client.rpop(user, remote_user))

    def oauth(
        self,
        user: str,
        token: str | Callable[[], str],
        *,
        mechanism: str | None = None,
        initial_response: bool = True,
    ) -> LoginResult:
        """Log in with an OAuth access token (RFC 7628), then ask the capabilities again.

        ``token`` is the token, or a function that returns it, which on the async adapters may be
        async: it is called once more if the server refuses the first one, as an expired one,
        unless a response code gives another reason.
        ``mechanism`` is ``"OAUTHBEARER"`` or ``"XOAUTH2"``; without it OAUTHBEARER where the
        server announces that, else XOAUTH2, announced or not. Office 365 wants
        ``initial_response=False``. Raises what ``login()`` raises; ``OAuthError`` holds what the
        server said in JSON.
        """
        login = self._client.oauth(
            user,
            _at_once(token) if callable(token) else token,
            mechanism=mechanism,
            initial_response=initial_response,
        )
        # A traceback shows the locals of this frame.
        del token
        return run(login)

    def authenticate(self, mechanism: Mechanism, *, initial_response: bool = True) -> LoginResult:
        """Log in with ``mechanism``, announced or not, then ask the capabilities again (RFC 5034).

        ``mechanism`` is one of ``pop3proto.sasl``, or an object of one's own with the same
        members. Its initial response goes with AUTH if it fits into 255 octets and
        ``initial_response`` allows it. Whatever the mechanism raises cancels the exchange, and
        the session goes on, but for ``ServerVerificationError``. If it is a ``SaslError``, and the
        server answers the cancelling with a response code, that decides what is raised, with the
        ``SaslError`` as its cause. Raises what ``login()`` raises.
        """
        return run(self._client.authenticate(mechanism, initial_response=initial_response))

    def stream(
        self,
        command: Command[Message],
        *,
        max_octets: int | None = None,
        progress: Progress | None = None,
    ) -> MessageStream:
        """The text that answers ``command``, as it comes.

        Raises ``LocalProtocolError`` for a command that no text answers.
        """
        return MessageStream(self._client.stream(command, max_octets=max_octets, progress=progress))

    def batch(
        self,
        commands: Iterable[Command[R]],
        *,
        max_octets: int = MAX_COLLECTED_OCTETS,
        progress: Progress | None = None,
    ) -> Batch[R]:
        """Run many commands, each with its own outcome, ahead of their answers if possible.

        Messages are collected one at a time, ``max_octets`` each at most; ``progress`` is called
        as each of them comes, with its octets so far and its octets expected.
        """
        return Batch(self._client.batch(commands, max_octets=max_octets, progress=progress))

    def quit(self) -> QuitResult:
        """QUIT: make the deletions, and close the connection in any case (RFC 1939 section 6).

        That the server refuses, or does not answer in time, raises nothing but is told by the
        result: only if it is ``confirmed`` are the messages gone. What is left of a stream or
        batch that nobody has closed is skipped first.
        """
        return run(self._client.quit())

    def close(self) -> None:
        """Close the connection without QUIT: nothing is deleted."""
        run(self._client.aclose())

    def abort(self) -> None:
        """Close the connection at once, without QUIT, whatever is going on."""
        self._client.abort()

    def capa(self) -> Capabilities:
        """Ask what the server can do (RFC 2449 section 5)."""
        return run(self._client.capa())

    def utf8(self) -> Ok:
        """Let messages and texts be UTF-8; before the login (RFC 6856 section 2)."""
        return run(self._client.utf8())

    def lang(self, tag: str) -> LangReply:
        """Choose the language of the server's texts (RFC 6856 section 3)."""
        return run(self._client.lang(tag))

    def languages(self) -> tuple[Language, ...]:
        """The languages that the server speaks (RFC 6856 section 3)."""
        return run(self._client.languages())

    def stat(self) -> StatReply:
        """How many messages there are, and their octets together (RFC 1939 section 5)."""
        return run(self._client.stat())

    @overload
    def list(self, message: None = None) -> Listings: ...
    @overload
    def list(self, message: int | str) -> Listing: ...
    def list(self, message: int | str | None = None) -> Listings | Listing:
        """The size of one message (any), or of all, in octets (RFC 1939 section 5)."""
        if message is None:
            return run(self._client.list())
        return run(self._client.list(message))

    @overload
    def uidl(self, message: None = None) -> Listings: ...
    @overload
    def uidl(self, message: int | str) -> Listing: ...
    def uidl(self, message: int | str | None = None) -> Listings | Listing:
        """The unique-id of one message (any), or of all (RFC 1939 section 7)."""
        if message is None:
            return run(self._client.uidl())
        return run(self._client.uidl(message))

    def messages(self) -> Listings:
        """Number, size and unique-id of every message: STAT, LIST and UIDL joined.

        On a server without UIDL every unique-id is ``None``. Raises ``CommandError`` if UIDL is
        announced and refused all the same, or refused with a response code: what failed for now
        is not what the server cannot do.
        """
        return run(self._client.messages())

    def retr(
        self,
        message: int | str,
        *,
        max_octets: int = MAX_COLLECTED_OCTETS,
        progress: Progress | None = None,
    ) -> Message:
        """A whole message (any), collected in memory (RFC 1939 section 5).

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
        """A message's header and the first ``lines`` lines of its body (RFC 1939 section 7).

        Some servers cut it short or alter it: no substitute for ``retr()``.
        """
        return run(self._client.top(message, lines, max_octets=max_octets, progress=progress))

    def retr_stream(
        self,
        message: int | str,
        *,
        max_octets: int | None = None,
        progress: Progress | None = None,
    ) -> MessageStream:
        """A message (any) as it comes, in bounded memory and without a limit of its own."""
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
        """The same for TOP."""
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
        """Write a message (any) to a file object or to a path; return its octets.

        It is never in memory as a whole. A path gets the file only when it is complete: until
        then it is written beside it, and what was there stays. Raises ``OSError`` too.
        """
        return run(self._client.save(message, file, max_octets=max_octets, progress=progress))

    def dele(self, message: int | str) -> Ok:
        """Mark a message (any) as deleted; ``quit()`` makes it so (RFC 1939 section 5)."""
        return run(self._client.dele(message))

    def rset(self) -> Ok:
        """Unmark all messages marked as deleted (RFC 1939 section 5)."""
        return run(self._client.rset())

    def noop(self) -> Ok:
        """Show the server that the client is alive (RFC 1939 section 5)."""
        return run(self._client.noop())

    def last(self) -> int:
        """The highest message number accessed, or 0 (RFC 1460). Obsolete."""
        return run(self._client.last())

    def retr_many(
        self,
        messages: Iterable[int | str],
        *,
        max_octets: int = MAX_COLLECTED_OCTETS,
        progress: Progress | None = None,
    ) -> Batch[Message]:
        """RETR of each of ``messages``; ``progress`` is told of each as it comes."""
        return Batch(self._client.retr_many(messages, max_octets=max_octets, progress=progress))

    def top_many(
        self,
        messages: Iterable[int | str],
        lines: int = 0,
        *,
        max_octets: int = MAX_COLLECTED_OCTETS,
        progress: Progress | None = None,
    ) -> Batch[Message]:
        """TOP of each of ``messages``; ``progress`` is told of each as it comes."""
        return Batch(
            self._client.top_many(messages, lines, max_octets=max_octets, progress=progress)
        )

    def dele_many(self, messages: Iterable[int | str]) -> Batch[Ok]:
        """DELE of each of ``messages``."""
        return Batch(self._client.dele_many(messages))


def _at_once(get_token: Callable[[], object]) -> Callable[[], str]:
    """``get_token``, which must not be async: nothing here could run it."""

    def token() -> str:
        found = get_token()
        if iscoroutine(found):
            # Never to be awaited, and not to be complained of for that.
            found.close()
        if isawaitable(found):
            raise LocalProtocolError("the blocking client cannot wait for an async function")
        return cast(str, found)

    return token
