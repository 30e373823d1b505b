"""All ways to log in, which drive a ``sasl.Login`` over the session's stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar, cast

from ..model.command import Command
from ..model.events import ClientEvent
from ..model.login_commands import AuthList
from ..model.secret import Secret
from .session import Session, logs_in
from .turn import Turn

if TYPE_CHECKING:
    from ..sasl import ChannelBinding, Mechanism
    from ..sasl.login import Login
    from ..sasl.results import LoginResult, RefusedToken

    _GetToken: TypeAlias = Callable[[RefusedToken | None], str | Awaitable[str]]

__all__ = ["AuthenticatingSession"]

P = ParamSpec("P")
Next = TypeVar("Next")


class AuthenticatingSession(Session):
    """A session that can log in."""

    __slots__ = ()

    async def login(
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
        bindings: list[ChannelBinding] = []
        if self.tls is not None:
            from ..sasl import channel_bindings

            bindings = channel_bindings(self.tls)
        login = _login()(
            user,
            password,
            mechanisms=mechanisms,
            channel_binding=bindings,
            host=self._host,
            initial_response=initial_response,
            allow_plaintext_auth=self._options.allow_plaintext_auth,
            ask=self._questions,
        )
        return await self._log_in(login, user)

    async def apop(self, user: str | bytes, password: str | bytes | Secret) -> LoginResult:
        """Log in with APOP (RFC 1939 section 7), then ask the capabilities again.

        APOP does not show the password, but MD5 no longer keeps it safe (CVE-2007-1558). If the
        server accepts UTF-8, name and password are prepared with SASLprep (RFC 6856 section 2.2).
        Raises ``AuthenticationError``, and ``LocalProtocolError`` if the greeting has no timestamp.
        """
        password = Secret(password)
        return await self._log_in(_login().apop(user, password), user)

    async def rpop(self, user: str | bytes, remote_user: str | bytes | Secret) -> LoginResult:
        """Log in with USER and RPOP, from a host that the server trusts (RFC 1460). Obsolete."""
        remote_user = Secret(remote_user)
        return await self._log_in(_login().rpop(user, remote_user), user)

    async def oauth(
        self,
        user: str,
        token: str | Secret | _GetToken,
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
        token = token if callable(token) else Secret(token)
        login = _login().oauth(
            user,
            token if isinstance(token, Secret) else None,
            mechanism=mechanism,
            host=self._host,
            initial_response=initial_response,
            allow_plaintext_auth=self._options.allow_plaintext_auth,
            ask=self._questions,
        )
        return await self._log_in(login, user, None if isinstance(token, Secret) else token)

    async def authenticate(
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
        login = _login().authenticate(
            mechanism,
            initial_response=initial_response,
            allow_plaintext_auth=self._options.allow_plaintext_auth,
        )
        return await self._log_in(login)

    @property
    def _questions(self) -> tuple[Command[Any], ...]:
        # CAPA has been sent by now; if the capabilities are not known, it was refused.
        return (AuthList(),) if self._options.capabilities else ()

    async def _log_in(
        self,
        login: Login,
        user: str | bytes | None = None,
        get_token: _GetToken | None = None,
    ) -> LoginResult:
        command = self._step(login, login.feed, None, self._engine)
        while not login.done:
            if command is not None:
                event = await self._ask(command)
                command = self._step(login, login.feed, event, self._engine)
            else:
                # A login that goes on without a command needs a token, which happens only in
                # oauth().
                token = await _resolved(cast("_GetToken", get_token), login.refused_token)
                command = self._step(login, login.token, token)
        self._exchange.login_failure = None
        self._user = user.decode("utf-8", "replace") if isinstance(user, bytes) else user
        if self._options.capabilities and self.capabilities is not None:
            await self._ask_capabilities()
        return login.result

    def _step(self, login: Login, step: Callable[P, Next], *args: P.args, **how: P.kwargs) -> Next:
        try:
            return step(*args, **how)
        except BaseException as error:
            if not login.session_usable:
                self._exchange.abort(error)
            raise
        finally:
            if login.failure is not None:
                # If the server closes the connection next, as some do, this is the reason.
                self._exchange.login_failure = login.failure

    async def _ask(self, command: Command[Any]) -> ClientEvent:
        # Each answer is a turn of its own. In between, the engine accepts only the next one.
        with Turn(self._exchange) as exchange:
            # Servers delay the answer to a wrong password.
            event = await exchange.ask(command, "login" if logs_in(command) else "reply")
            return cast(ClientEvent, event)


def _login() -> type[Login]:
    # Loaded when it is used: a quarter of what the client takes to load.
    from ..sasl.login import Login

    return Login


async def _resolved(get_token: _GetToken, refused: RefusedToken | None) -> Secret:
    token = get_token(refused)
    # This is the only place where the session awaits something other than its stream.
    return Secret(await token if isinstance(token, Awaitable) else token)
