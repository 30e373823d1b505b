"""Every way to log in, written once for all runtimes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from inspect import isawaitable
from typing import Any, NoReturn, TypeAlias, cast

from ..errors import (
    AuthenticationError,
    CommandError,
    CredentialsError,
    LocalProtocolError,
    OAuthError,
    PlaintextAuthError,
    Pop3Error,
    RemoteProtocolError,
    SaslError,
    ServerVerificationError,
)
from ..model.commands import (
    Apop,
    Auth,
    AuthCancel,
    AuthList,
    AuthResponse,
    Command,
    Pass,
    Rpop,
    User,
    Utf8,
)
from ..model.events import ClientEvent
from ..model.replies import Challenge, ErrorReply, Ok
from ..sasl import SHOWS_SECRET, ChannelBinding, Mechanism, ReportsDetails
from ..sasl import by_name as mechanism_by_name
from ..sasl import shows_secret as mechanism_shows_secret
from ..sasl.choice import APOP, USER, Choice
from ..sasl.plain import octets_of, raise_first
from .options import LoginResult
from .session import Session

__all__ = ["AuthenticatingSession"]

# RFC 5034 sets no bound. No mechanism takes more than a handful.
_MAX_ROUNDS = 20

_Way: TypeAlias = Mechanism | Apop | tuple[User, Pass]
"""What one attempt to log in takes."""


class AuthenticatingSession(Session):
    """A session that can log in."""

    __slots__ = ()

    async def login(
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
        try:
            choice = await self._choice(mechanisms)
            while True:
                name = choice.next()
                try:
                    way = self._way(name, user, password, choice)
                except LocalProtocolError as error:
                    # Nothing was sent. Another one may take this name and this password.
                    if choice.go_on(error):
                        continue
                    raise
                try:
                    return await self._log_in(way, initial_response=initial_response)
                except (AuthenticationError, SaslError) as error:
                    refused = getattr(way, "binding_refused", False) is True
                    if not choice.go_on(error, binding_refused=refused):
                        choice.explain(error)
                        raise
        finally:
            # A traceback shows the locals of this frame.
            del password

    async def _choice(self, mechanisms: Iterable[str] | None) -> Choice:
        if isinstance(mechanisms, str):
            # Whose letters would be taken for names.
            raise LocalProtocolError("mechanisms are a list of names, not a single str")
        bindings: list[ChannelBinding] = []
        if self.tls is not None:
            from ..sasl import channel_bindings

            bindings = channel_bindings(self.tls)
        return Choice(
            None if mechanisms is None else list(mechanisms),
            offered=await self._offered_mechanisms(),
            bindings=bindings,
            show_password=self.secure or self._options.allow_plaintext_auth,
        )

    async def _offered_mechanisms(self) -> tuple[str, ...] | None:
        """The SASL mechanisms that the server announces, by CAPA or as was usual before it.

        ``None`` if it was not asked, or did not say.
        """
        if self.capabilities is not None:
            return self.capabilities.sasl
        if not self._options.capabilities:
            return None
        try:
            return (await self.call(AuthList())).mechanisms
        except CommandError:
            return None

    def _way(self, name: str, user: str | bytes, password: str | bytes, choice: Choice) -> _Way:
        """What logging in by the mechanism, or the command, called ``name`` takes."""
        try:
            if name == APOP:
                return self._apop(user, password)
            if name == USER:
                return User(user), Pass(password)
            return mechanism_by_name(
                name,
                user,
                password,
                host=self._host,
                channel_binding=choice.binding,
                can_bind=choice.can_bind,
            )
        finally:
            # A traceback shows the locals of this frame.
            del password

    async def _log_in(self, way: _Way, *, initial_response: bool) -> LoginResult:
        if isinstance(way, Apop):
            return await self._send_apop(way)
        if isinstance(way, tuple):
            user, secret = way
            self._exchange.check(secret)
            await self._allow_utf8(user.name, secret.password)
            await self.call(user)
            return await self._logged_in(USER, await self.call(secret))
        return await self.authenticate(way, initial_response=initial_response)

    @property
    def _utf8_user(self) -> bool:
        """Whether the server says that it takes UTF-8 in names and passwords (RFC 6856)."""
        return self.capabilities is not None and self.capabilities.utf8_user

    async def _allow_utf8(self, *arguments: str | bytes) -> None:
        """Send UTF8 if one of the arguments needs it, and the server takes it (RFC 6856)."""
        needed = any(isinstance(text, str) and not text.isascii() for text in arguments)
        if needed and self._utf8_user and not self._engine.utf8:
            try:
                await self.call(Utf8())
            except CommandError:
                # Names may be UTF-8 without it (section 2.2); they are in any case.
                return

    async def apop(self, user: str | bytes, password: str | bytes) -> LoginResult:
        """Log in with APOP (RFC 1939 section 7), then ask the capabilities again.

        The password does not show, but MD5 no longer keeps it safe (CVE-2007-1558). Where the
        server takes UTF-8, name and password are prepared with SASLprep (RFC 6856 section 2.2).
        Raises ``AuthenticationError``, and ``LocalProtocolError`` if the greeting has no
        timestamp.
        """
        try:
            command = self._apop(user, password)
        finally:
            del password
        return await self._send_apop(command)

    def _apop(self, user: str | bytes, password: str | bytes) -> Apop:
        timestamp = self._engine.timestamp
        try:
            if timestamp is None:
                raise LocalProtocolError("the greeting has no timestamp: APOP is not available")
            if self._utf8_user:
                user = _prepared("the user name", user)
                password = _prepared("the password", password)
            return Apop.respond(user, timestamp, password)
        finally:
            del password

    async def _send_apop(self, command: Apop) -> LoginResult:
        await self._allow_utf8(command.name)
        return await self._logged_in(APOP, await self.call(command))

    async def rpop(self, user: str | bytes, remote_user: str | bytes) -> LoginResult:
        """Log in with USER and RPOP, where the host is trusted (RFC 1460). Obsolete."""
        await self.call(User(user))
        return await self._logged_in("RPOP", await self.call(Rpop(remote_user)))

    async def oauth(
        self,
        user: str,
        token: str | Callable[[], str | Awaitable[str]],
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
        get_token = None if isinstance(token, str) else token
        try:
            if not isinstance(token, str) and not callable(token):
                kind = type(token).__name__
                raise LocalProtocolError(f"a token is a str or a function, not {kind}")
            if mechanism is None:
                offered = await self._offered_mechanisms() or ()
                mechanism = "OAUTHBEARER" if "OAUTHBEARER" in offered else "XOAUTH2"
            name = mechanism.upper()
            if name not in ("OAUTHBEARER", "XOAUTH2"):
                raise LocalProtocolError(f"{mechanism} takes no access token")
            # Before a token is asked for that could not be used.
            self._check(shows_secret=True, command=Auth(name))
            if get_token is not None:
                token = await _resolved(get_token)
            try:
                return await self.authenticate(
                    mechanism_by_name(name, user, cast(str, token), host=self._host),
                    initial_response=initial_response,
                )
            except (OAuthError, CredentialsError):
                if get_token is None:
                    raise
                refused, token = token, await _resolved(get_token)
                if refused == token:
                    raise
            return await self.authenticate(
                mechanism_by_name(name, user, token, host=self._host),
                initial_response=initial_response,
            )
        finally:
            token = refused = ""
            get_token = None

    async def authenticate(
        self, mechanism: Mechanism, *, initial_response: bool = True
    ) -> LoginResult:
        """Log in with ``mechanism``, announced or not, then ask the capabilities again (RFC 5034).

        ``mechanism`` is one of ``pop3proto.sasl``, or an object of one's own with the same
        members. Its initial response goes with AUTH if it fits into 255 octets and
        ``initial_response`` allows it. Whatever the mechanism raises cancels the exchange, and
        the session goes on, but for ``ServerVerificationError``. If it is a ``SaslError``, and the
        server answers the cancelling with a response code, that decides what is raised, with the
        ``SaslError`` as its cause. Raises what ``login()`` raises.
        """
        name = mechanism.name
        waiting = mechanism.initial()
        try:
            self._check(shows_secret=mechanism_shows_secret(mechanism), command=Auth(name))
            command = Auth(name, waiting, complete=mechanism.complete)
            if waiting is not None and initial_response and command.fits_line:
                waiting = None
            else:
                command = Auth(name, complete=False)
            reply = await self._converse(mechanism, command, waiting)
        finally:
            waiting = None
        bound = getattr(mechanism, "channel_bound", False) is True
        return await self._logged_in(name, reply, channel_bound=bound)

    def _check(self, *, shows_secret: bool, command: Auth) -> None:
        if shows_secret and not (self.secure or self._options.allow_plaintext_auth):
            hint = PlaintextAuthError.hint
            if command.mechanism not in SHOWS_SECRET:
                hint += "; a mechanism that does not show its secret says shows_secret = False"
            raise PlaintextAuthError(
                "this login shows the secret to the network", command=command, hint=hint
            )

    async def _converse(self, mechanism: Mechanism, command: Auth, waiting: bytes | None) -> Ok:
        """What AUTH comes to; whatever the mechanism raises, after the exchange was cancelled."""
        try:
            event = await self._ask(command)
            rounds = 0
            while isinstance(event, Challenge):
                rounds += 1
                try:
                    response = self._answer(mechanism, event, waiting, rounds)
                except ServerVerificationError as error:
                    # There is nothing left to be said to whoever this is.
                    self._give_up(error)
                except Exception as error:
                    told = await self._cancel(command, error)
                    if told is None:
                        raise
                    raise told from error
                except BaseException as error:
                    # Interrupted: there is no time to talk to the server.
                    self._exchange.abort(error)
                    raise
                waiting = None
                event = await self._ask(response)
            if isinstance(event, ErrorReply):
                raise self._refused_mechanism(event, command, mechanism, said=waiting is None)
            if isinstance(event, Ok) and (waiting is not None or not mechanism.complete):
                # Whoever accepts a login without having proved to know the password, or without
                # having asked for it, is not the server.
                message = f"the server ended {mechanism.name} before it had proved itself"
                self._give_up(ServerVerificationError(message, command=command))
            return cast(Ok, event)
        finally:
            # A traceback shows the locals of this frame.
            waiting = None

    async def _ask(self, command: Command[Any]) -> ClientEvent:
        # Each answer is a turn of its own. In between the engine takes nothing but the next one.
        with self._exchange as exchange:
            await exchange.send(exchange.engine.send(command), command)
            return await exchange.next_event("login", exchange.timeouts.login, command)

    async def _cancel(self, command: Auth, error: Exception) -> AuthenticationError | None:
        """End the exchange with ``*`` (RFC 5034 section 4), for ``error``; the session goes on.

        What to raise in the place of ``error``, if the server has a reason of its own.
        """
        if isinstance(error, AuthenticationError):
            # Some servers close now.
            self._exchange.login_failure = error
        reply = await self._ask(AuthCancel())
        if not isinstance(reply, ErrorReply):
            message = "the server goes on with a login that was cancelled"
            self._give_up(RemoteProtocolError(message, command=command))
        refusal = self._refused(reply, command)
        if not isinstance(error, SaslError | AuthenticationError):
            return None
        told = None
        reason = "".join(map(str, error.args[:1])) or type(error).__name__
        message = f"{reason}; {refusal.args[0]}"
        if reply.code is not None:
            told = self._login_refused(message, command, reply)
        elif isinstance(error, AuthenticationError):
            told = type(error)(message, command=command, reply=reply)
        self._exchange.login_failure = told or refusal
        return told

    def _give_up(self, error: Pop3Error) -> NoReturn:
        self._exchange.abort(error)
        raise error

    def _answer(
        self, mechanism: Mechanism, challenge: Challenge, waiting: bytes | None, rounds: int
    ) -> AuthResponse:
        try:
            self._check_challenge(challenge, rounds)
            if waiting is None:
                return AuthResponse(mechanism.respond(challenge.data), complete=mechanism.complete)
            if challenge.data:
                # Some servers answer AUTH PLAIN as if it had been LOGIN.
                message = f"the server asks for something else than {mechanism.name} says first"
                raise SaslError(message, command=challenge.command)
            return AuthResponse(waiting, complete=mechanism.complete)
        finally:
            # A traceback shows the locals of this frame.
            waiting = None

    def _check_challenge(self, challenge: Challenge, rounds: int) -> None:
        limit, octets = self._options.limits.challenge, len(challenge.data)
        problem = ""
        if octets > limit:
            problem = f"a challenge has {octets} octets, the limit challenge is {limit}"
        elif rounds > _MAX_ROUNDS:
            problem = f"there were more than {_MAX_ROUNDS} challenges"
        if problem:
            raise SaslError(f"AUTH was cancelled: {problem}", command=challenge.command)

    def _refused_mechanism(
        self, reply: ErrorReply, command: Auth, mechanism: Mechanism, *, said: bool
    ) -> CommandError:
        """What ``-ERR`` means; ``said`` tells whether the mechanism's first message was sent."""
        error = self._refused(reply, command)
        if said and isinstance(mechanism, ReportsDetails):
            # What a response code says counts for more than that the token was refused.
            details = mechanism.details
            explained = isinstance(error, CredentialsError) and details
            if explained or type(error) is AuthenticationError:
                message = str(error.args[0])
                error = OAuthError(message, command=command, reply=reply, details=details)
                self._exchange.login_failure = error
        return error

    async def _logged_in(
        self, mechanism: str, reply: Ok, *, channel_bound: bool = False
    ) -> LoginResult:
        self._exchange.login_failure = None
        if self._options.capabilities and self.capabilities is not None:
            await self._ask_capabilities()
        return LoginResult(mechanism, channel_bound, reply.text)


def _prepared(what: str, text: str | bytes) -> str | bytes:
    """``text`` after SASLprep (RFC 4013); octets as they are."""
    if isinstance(text, bytes) or text.isascii():
        return text
    problems: list[str] = []
    octets = octets_of(what, text, problems, prepare=True)
    try:
        raise_first(problems)
        return octets.decode("utf-8")
    finally:
        # A traceback shows the locals of this frame.
        del text, octets


async def _resolved(get_token: Callable[[], str | Awaitable[str]]) -> str:
    token = get_token()
    # The one place where the session awaits something that is not its stream.
    return await token if isawaitable(token) else token
