"""A session, with its logins, for blocking code.

Written by tools/generate_blocking.py from the async client: change that one, and run it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..model.secret import Secret
from ._blocking_turns import Batch, MessageStream
from .client import AsyncClient
from .options import Security
from .stepping import at_once, run
from .turn import MAX_COLLECTED_OCTETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from ssl import SSLContext, SSLObject
    from types import TracebackType
    from typing import Self

    from ..model.capabilities import Capabilities
    from ..model.command import Command
    from ..model.leniency import Deviation
    from ..model.replies import Greeting, Message
    from ..model.states import State
    from ..sasl import Mechanism
    from ..sasl.results import LoginResult, RefusedToken
    from .options import ClientOptions, QuitResult, SecurityName
    from .stream import Stream
    from .turn import Progress

__all__ = ["BlockingSession"]

R = TypeVar("R")


class BlockingSession:
    """A session that can log in."""

    __slots__ = ("_client",)

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

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
        ``GreetingError``, and any error that ends the connection; the stream is closed then. Raises
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Send QUIT, or after an error close the connection, so that nothing is deleted.

        If messages were marked as deleted and the server did not confirm QUIT, raises the reason.
        """
        run(self._client.__aexit__(kind, error, traceback))

    def __repr__(self) -> str:
        return repr(self._client).replace("AsyncClient", "Client", 1)

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
    def pipelining(self) -> bool:
        """True if batches send ahead: the server announces it, and the options allow it."""
        return self._client.pipelining

    @property
    def deviations(self) -> tuple[Deviation, ...]:
        """The server's faults that were tolerated, oldest first; about a thousand are kept."""
        return self._client.deviations

    @property
    def pending_deletions(self) -> int:
        """The number of messages that are marked as deleted, and that ``quit()`` will delete."""
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
        ``PlaintextAuthError``, ``BusyError``, and any error that ends the connection.
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
        handshake fails, ``StlsInjectionError``, and any error that ends the connection: it is
        closed after each of these.
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
        a stream or batch that was left open is skipped first. Called again, it returns the same
        result.
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
        ``mechanisms`` lists it. If a ``-PLUS`` form may have been refused for its channel binding,
        the connection's other bindings are tried, and then SCRAM without one. A mechanism that
        cannot carry the name or the password is skipped.

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
        token: str | Secret | Callable[[RefusedToken | None], str],
        *,
        mechanism: str | None = None,
        initial_response: bool | None = None,
    ) -> LoginResult:
        """Log in with an OAuth access token (RFC 7628), then ask the capabilities again.

        ``token`` is the token, or a function that returns it; with the async adapters the function
        may be async. It is called with ``None``, and once more if the server refuses the first
        token, which may have expired, unless a response code gives another reason. Then it is
        passed a ``RefusedToken``, with that token and the reason.

        ``mechanism`` is ``"OAUTHBEARER"`` or ``"XOAUTH2"``. By default it is OAUTHBEARER if the
        server announces that, and otherwise XOAUTH2, announced or not. With
        ``initial_response=None``, OAUTHBEARER sends the token with AUTH if the line fits into 255
        octets, and XOAUTH2 waits until the server asks, as Office 365 demands. Raises what
        ``login()`` raises; ``OAuthError`` holds the server's explanation in JSON.
        """
        token = at_once(token)
        return run(
            self._client.oauth(user, token, mechanism=mechanism, initial_response=initial_response)
        )

    def authenticate(
        self, mechanism: Mechanism, *, initial_response: bool | None = None
    ) -> LoginResult:
        """Log in with ``mechanism``, announced or not, then ask the capabilities again (RFC 5034).

        ``mechanism`` is one of ``pop3proto.sasl``, or an object of your own with the same members.
        Its initial response is sent with AUTH if the line has at most 255 octets and
        ``initial_response`` allows it; ``None`` allows it except for XOAUTH2.

        An exception from the mechanism cancels the exchange, and the session goes on, except after
        ``ServerVerificationError``. If it is a ``SaslError``, and the server answers the
        cancellation with a response code, that code decides which exception is raised, with the
        ``SaslError`` as its cause. Raises what ``login()`` raises.
        """
        return run(self._client.authenticate(mechanism, initial_response=initial_response))
