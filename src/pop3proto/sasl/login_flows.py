"""The ways to log in, step by step, without any input or output.

Each way is a generator, which yields a command and is sent the event that answers it. It returns
the result of the login, or raises an exception that says why it failed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from .._value import value
from ..engine.client import ClientConnection
from ..errors import (
    AuthenticationError,
    CommandError,
    CredentialsError,
    LocalProtocolError,
    MechanismError,
    OAuthError,
    RemoteProtocolError,
    SaslError,
    ServerVerificationError,
)
from ..model.command import Command
from ..model.commands import Utf8
from ..model.login_commands import Auth, AuthCancel, AuthList, AuthResponse, Pass, Rpop, User
from ..model.replies import Challenge, ErrorReply, MechanismsReply, Ok
from ..model.secret import Secret
from .advice import TWO_STEPS, joined
from .choice import APOP, USER, Choice, needs_offer
from .plaintext_rule import may_show, refuse_plaintext
from .refusals import login_refused, token_refused, with_stls
from .registry import by_name
from .results import LoginResult, RefusedToken

if TYPE_CHECKING:
    from .mechanism import ChannelBinding, Mechanism

__all__ = ["Flows", "Steps", "TokenSource"]

RPOP = "RPOP"
# RFC 5034 sets no limit. No mechanism needs more than a few rounds.
_MAX_ROUNDS = 20

T = TypeVar("T")
Steps: TypeAlias = Generator[Command[Any] | None, Any, T]
"""A generator of commands, which is sent events. If it yields ``None``, it wants an access token,
and is sent a ``Secret``."""
TokenSource: TypeAlias = Callable[[RefusedToken | None], str]
"""Returns an access token. It is passed the one that was refused, or ``None`` the first time."""


@value
class _Commands:
    """A login without SASL: the commands to send, in order."""

    name: str
    commands: tuple[Command[Any], ...]
    wants_utf8: bool
    """True if a name or a password is not ASCII."""


class Flows:
    """The ways to log in with one engine, and what is learned on the way."""

    __slots__ = (
        "_allow_plaintext_auth",
        "_ask",
        "_host",
        "_initial_response",
        "engine",
        "failure",
        "refused_token",
        "session_usable",
    )

    engine: ClientConnection
    """The engine; it has to be set before each step."""

    def __init__(
        self,
        *,
        host: str | None,
        initial_response: bool | None,
        allow_plaintext_auth: bool,
        ask: Iterable[Command[Any]],
    ) -> None:
        self._host = host
        self._initial_response = initial_response
        self._allow_plaintext_auth = allow_plaintext_auth
        self._ask = tuple(ask)
        self.failure: CommandError | None = None
        """The server's last refusal."""
        self.refused_token: RefusedToken | None = None
        """The access token that was refused, while another one is wanted."""
        self.session_usable: bool = True
        """True if the connection may still be used."""

    # The ways

    def password(
        self,
        user: str | bytes,
        password: Secret,
        names: Sequence[str] | None,
        bindings: Sequence[ChannelBinding],
    ) -> Steps[LoginResult]:
        """Log in with a password, trying one way after the other until one succeeds."""
        questions = self._useful_questions(names, user, password, bindings)
        offered = yield from self._offered(questions)
        try:
            choice = Choice(
                names,
                offered=offered,
                bindings=bindings,
                show_password=may_show(self.engine, allowed=self._allow_plaintext_auth),
            )
        except MechanismError as error:
            capabilities, secure = self.engine.capabilities, self.engine.secure
            error.hint = with_stls(error.hint, capabilities, secure=secure)
            raise
        while True:
            name = choice.next()
            try:
                way = self._way(name, user, password, choice)
            except LocalProtocolError as error:
                # Nothing was sent. Another mechanism may accept this name and this password.
                if choice.go_on(error):
                    continue
                raise
            try:
                return (yield from self._go(way))
            except (AuthenticationError, SaslError) as error:
                refused = getattr(way, "binding_refused", False) is True
                doubted = getattr(way, "binding_doubted", False) is True
                if not choice.go_on(error, binding_refused=refused, binding_doubted=doubted):
                    told = choice.explained(error)
                    if told is error:
                        raise
                    self.failure = told if isinstance(told, CommandError) else self.failure
                    raise told from told.__cause__

    def apop(self, user: str | bytes, password: Secret) -> Steps[LoginResult]:
        """Log in with APOP and nothing else."""
        return (yield from self._go(self._apop(user, password)))

    def rpop(self, user: str | bytes, remote_user: Secret) -> Steps[LoginResult]:
        """Log in with USER and RPOP."""
        commands = User(user), Rpop(remote_user)
        return (yield from self._go(_Commands(RPOP, commands, wants_utf8=False)))

    def oauth(
        self,
        user: str | bytes,
        token: Secret | None,
        source: TokenSource | None,
        mechanism: str | None,
    ) -> Steps[LoginResult]:
        """Log in with an access token, and once more with a fresh one if there is a source.

        Without ``token`` and ``source``, the caller is asked for a token.
        """
        given = token is not None
        if mechanism is None:
            offered = (yield from self._offered(self._ask)) or ()
            mechanism = "OAUTHBEARER" if "OAUTHBEARER" in offered else "XOAUTH2"
        name = mechanism.upper()
        if name not in ("OAUTHBEARER", "XOAUTH2"):
            raise LocalProtocolError(f"{mechanism} takes no access token")
        # Before asking for a token that could not be used.
        refuse_plaintext(Auth(name), self.engine, allowed=self._allow_plaintext_auth)
        if token is None:
            token = yield from self._next_token(source, None)
        try:
            return (yield from self.sasl(by_name(name, user, token, host=self._host)))
        except (OAuthError, CredentialsError) as error:
            if given:
                raise
            refused = token
            token = yield from self._next_token(source, RefusedToken(refused, error))
            if refused == token:
                raise
        return (yield from self.sasl(by_name(name, user, token, host=self._host)))

    def _next_token(
        self, source: TokenSource | None, refused: RefusedToken | None
    ) -> Steps[Secret]:
        self.refused_token = refused
        try:
            return Secret((yield None) if source is None else source(refused))
        finally:
            self.refused_token = None

    def sasl(self, mechanism: Mechanism) -> Steps[LoginResult]:
        """Log in with ``mechanism``, announced or not (RFC 5034)."""
        name = mechanism.name
        waiting = _first_of(mechanism)
        refuse_plaintext(
            Auth(name), self.engine, allowed=self._allow_plaintext_auth, mechanism=mechanism
        )
        command = Auth(name, complete=False)
        if waiting is not None:
            at_once = Auth(name, waiting, complete=mechanism.complete)
            # RFC 5034 section 4: if the line would exceed 255 octets, the message waits for a
            # challenge.
            allowed = self._initial_response
            if allowed is None:
                # Office 365 wants it to wait, and all servers that are known accept that.
                allowed = at_once.mechanism != "XOAUTH2"
            if allowed and at_once.fits_line:
                command, waiting = at_once, None
        reply = yield from self._converse(mechanism, command, waiting)
        bound = getattr(mechanism, "channel_bound", False) is True
        self.failure = None
        return LoginResult(name, bound, reply.text)

    # The offer of the server

    def _useful_questions(
        self,
        names: Sequence[str] | None,
        user: str | bytes,
        password: Secret,
        bindings: Sequence[ChannelBinding],
    ) -> Iterable[Command[Any]]:
        """Return those of the questions whose answers can change what is sent.

        Some servers close the connection at a command that they do not know.
        """
        upper = None if names is None else [name.upper() for name in names]
        if upper is None or needs_offer(upper, bindings):
            return self._ask
        if not {USER, APOP}.isdisjoint(upper) and (_is_odd(user) or _is_odd(password)):
            # CAPA says if the server takes UTF-8 there; AUTH does not.
            return [question for question in self._ask if not isinstance(question, AuthList)]
        return ()

    def _offered(self, questions: Iterable[Command[Any]]) -> Steps[tuple[str, ...] | None]:
        """Return the SASL mechanisms that the server announces in answer to CAPA or a bare AUTH.

        ``None`` if the server was not asked, or did not say. Servers that have no CAPA list their
        mechanisms in answer to AUTH without an argument.
        """
        for question in questions:
            if self.engine.capabilities is not None:
                break
            reply = yield question
            if isinstance(reply, MechanismsReply):
                return reply.mechanisms
        capabilities = self.engine.capabilities
        return None if capabilities is None else capabilities.sasl

    @property
    def _utf8_user(self) -> bool:
        """True if the server says that it accepts UTF-8 in names and passwords (RFC 6856)."""
        capabilities = self.engine.capabilities
        return capabilities is not None and capabilities.utf8_user

    # Commands without SASL

    def _way(
        self, name: str, user: str | bytes, password: Secret, choice: Choice
    ) -> Mechanism | _Commands:
        """Return a way to log in by the mechanism, or the command, called ``name``."""
        if name == APOP:
            return self._apop(user, password)
        if name == USER:
            commands = User(user), Pass(password)
            return _Commands(USER, commands, _is_odd(user) or _is_odd(password))
        return by_name(
            name,
            user,
            password,
            host=self._host,
            channel_binding=choice.binding,
            can_bind=choice.can_bind,
        )

    def _apop(self, user: str | bytes, password: Secret) -> _Commands:
        timestamp = self.engine.timestamp
        if timestamp is None:
            raise LocalProtocolError("the greeting has no timestamp: APOP is not available")
        if self._utf8_user:
            # RFC 6856 section 2.2.
            user = _prepared("the user name", Secret(user)).reveal()
            password = _prepared("the password", password)
        from .apop import apop_command

        command = apop_command(user, timestamp, password)
        return _Commands(APOP, (command,), _is_odd(user))

    def _go(self, way: Mechanism | _Commands) -> Steps[LoginResult]:
        if not isinstance(way, _Commands):
            return (yield from self.sasl(way))
        if way.wants_utf8 and self._utf8_user and not self.engine.utf8:
            # A refusal does no harm: names may be UTF-8 without it (RFC 6856 section 2.2).
            yield Utf8()
        text = ""
        for command in way.commands:
            reply = yield command
            if isinstance(reply, ErrorReply):
                raise self._refused(reply, command)
            text = reply.text
        self.failure = None
        return LoginResult(way.name, False, text)

    # SASL

    def _converse(self, mechanism: Mechanism, command: Auth, waiting: Secret | None) -> Steps[Ok]:
        """Return the answer to AUTH; cancel the exchange if the mechanism raises an exception."""
        event = yield command
        rounds = 0
        while isinstance(event, Challenge):
            rounds += 1
            try:
                response = self._answer(mechanism, event, waiting, rounds)
            except ServerVerificationError:
                # There is nothing left to say to this server.
                self.session_usable = False
                raise
            except Exception as error:
                told = yield from self._cancel(command, error)
                if told is None:
                    raise
                raise told from error
            except BaseException:
                # Interrupted: there is no time to tell the server.
                self.session_usable = False
                raise
            waiting = None
            event = yield response
        if isinstance(event, ErrorReply):
            raise self._refused_mechanism(
                event, command, mechanism, said=waiting is None, asked=rounds > 0
            )
        if waiting is not None or not mechanism.complete:
            # A peer that accepts a login without proving that it knows the password, or without
            # asking for it, is not the server.
            self.session_usable = False
            message = f"the server ended {mechanism.name} before it had proved itself"
            raise ServerVerificationError(message, command=command)
        return cast(Ok, event)

    def _answer(
        self, mechanism: Mechanism, challenge: Challenge, waiting: Secret | None, rounds: int
    ) -> AuthResponse:
        self._check_challenge(challenge, rounds)
        if waiting is None:
            return AuthResponse(mechanism.respond(challenge.data), complete=mechanism.complete)
        if challenge.data:
            # Some servers answer AUTH PLAIN as if it were AUTH LOGIN.
            message = f"the server does not ask for the first message of {mechanism.name}"
            raise SaslError(message, command=challenge.command)
        return AuthResponse(waiting, complete=mechanism.complete)

    def _check_challenge(self, challenge: Challenge, rounds: int) -> None:
        limit, octets = self.engine.limits.challenge, len(challenge.data)
        problem = ""
        if octets > limit:
            problem = f"a challenge has {octets} octets, the limit challenge is {limit}"
        elif rounds > _MAX_ROUNDS:
            problem = f"there were more than {_MAX_ROUNDS} challenges"
        if problem:
            raise SaslError(f"AUTH was cancelled: {problem}", command=challenge.command)

    def _cancel(self, command: Auth, error: Exception) -> Steps[AuthenticationError | None]:
        """End the exchange with ``*`` (RFC 5034 section 4), for ``error``; the session goes on.

        Return the exception to raise instead of ``error``, if the server gives a reason of its own.
        """
        if isinstance(error, AuthenticationError):
            # Some servers close the connection after this.
            self.failure = error
        reply = yield AuthCancel()
        if not isinstance(reply, ErrorReply):
            self.session_usable = False
            message = "the server goes on with a login that was cancelled"
            raise RemoteProtocolError(message, command=command)
        refusal = self._refused(reply, command)
        if not isinstance(error, SaslError | AuthenticationError):
            return None
        told = None
        reason = "".join(map(str, error.args[:1])) or type(error).__name__
        message = f"{reason}; {refusal.args[0]}"
        if reply.code is not None:
            told = self._refusal(reply, command, message)
        elif isinstance(error, AuthenticationError):
            told = type(error)(message, command=command, reply=reply)
        self.failure = told or refusal
        return told

    def _refused(self, reply: ErrorReply, command: Command[Any]) -> AuthenticationError:
        self.failure = error = self._refusal(reply, command)
        return error

    def _refusal(
        self, reply: ErrorReply, command: Command[Any], message: str | None = None
    ) -> AuthenticationError:
        engine = self.engine
        return login_refused(reply, command, engine.capabilities, message, secure=engine.secure)

    def _refused_mechanism(
        self, reply: ErrorReply, command: Auth, mechanism: Mechanism, *, said: bool, asked: bool
    ) -> AuthenticationError:
        """Return the exception for ``-ERR``.

        ``said`` is true if the mechanism's first message was sent, ``asked`` if the server sent a
        challenge.
        """
        from .mechanism import ReportsDetails

        error = self._refused(reply, command)
        if said and isinstance(mechanism, ReportsDetails):
            # A response code takes precedence over the fact that the token was refused.
            details = mechanism.details
            explained = isinstance(error, CredentialsError) and details
            if explained or type(error) is AuthenticationError:
                self.failure = error = token_refused(error, details)
        if reply.code is None and command.initial_response is not None and not asked:
            error.hint = joined(error.hint, TWO_STEPS)
        return error


def _first_of(mechanism: Mechanism) -> Secret | None:
    """Return the mechanism's first message, if it has one."""
    # At once, so that no local variable holds the message.
    first = Secret(cast(bytes, mechanism.initial()))
    if first.kind is type(None):
        return None
    if not issubclass(first.kind, bytes):
        raise LocalProtocolError(f"a mechanism's message is bytes, not {first.kind.__name__}")
    return first


def _is_odd(text: str | bytes | Secret) -> bool:
    """Return whether UTF8 has to come first for ``text``. Octets are left to the caller."""
    text = Secret(text)
    return issubclass(text.kind, str) and not str(text.reveal()).isascii()


def _prepared(what: str, text: Secret) -> Secret:
    """Return text after SASLprep (RFC 4013); octets as they are."""
    if not _is_odd(text):
        return text
    from .saslprep import octets_of

    return Secret(octets_of(what, text, prepare=True).decode("utf-8"))
