"""``Login``: a client's whole login, without any input or output."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .._arguments import listed, require
from ..engine.client import ClientConnection
from ..errors import CommandError, GreetingError, LocalProtocolError
from ..model.command import Command
from ..model.commands import Capa
from ..model.events import ClientEvent
from ..model.leniency import Deviation
from ..model.login_commands import AuthCancel, AuthList, AuthResponse
from ..model.replies import ErrorReply, Greeting
from ..model.secret import Secret
from .login_flows import Flows, Steps
from .refusals import refusal_message
from .results import LoginResult, RefusedToken

if TYPE_CHECKING:
    from .mechanism import ChannelBinding, Mechanism

__all__ = ["Login"]

T = TypeVar("T")

_QUESTIONS: tuple[Command[Any], ...] = (Capa(), AuthList())


class Login:
    """A login, which takes events and returns commands until it is ``done``.

    Pass it each event of the connection, send each command that it returns, and send nothing else
    in between::

        login = Login("user", "secret")
        while not login.done:
            if (command := login.feed(next_event(engine, sock), engine)) is not None:
                sock.sendall(engine.send(command))

    ``Login()`` itself takes a name and a password, and uses the best way that the server offers:
    SCRAM, tied to the TLS connection if there is a ``channel_binding`` (one, or several, the best
    first; see ``channel_bindings()``), then CRAM-MD5, then PLAIN or LOGIN, then USER and PASS.
    Those that show the password to the network are used only under TLS, unless
    ``allow_plaintext_auth`` is set. ``mechanisms`` names what may be used instead, in order of
    preference: SASL mechanisms, DIGEST-MD5 and NTLM too, ``"USER"`` for USER and PASS (RFC 1939
    section 7), ``"APOP"``. A single name is used whether the server announces it or not. After a
    refusal without a response code the next one is tried, but a weaker one only if ``mechanisms``
    lists it. The other ways to log in are the class methods.

    ``host`` is the server's name, which some mechanisms include in their proof. With
    ``initial_response=False``, AUTH waits for the server to ask, as some servers demand. If the
    engine does not know the server's capabilities, the commands in ``ask`` are sent until one of
    them succeeds, to find out which mechanisms there are; ``ask=()`` sends none.

    ``Login()`` and the class methods raise ``LocalProtocolError`` for arguments of the wrong type.
    """

    _result: LoginResult | None
    __slots__ = ("_awaited", "_begun", "_flows", "_over", "_result", "_steps", "_wants_token")

    def __init__(
        self,
        user: str | bytes,
        secret: str | bytes | Secret,
        *,
        mechanisms: Iterable[str] | None = None,
        channel_binding: ChannelBinding | Iterable[ChannelBinding] | None = None,
        host: str | None = None,
        initial_response: bool = True,
        allow_plaintext_auth: bool = False,
        ask: Iterable[Command[Any]] = _QUESTIONS,
    ) -> None:
        secret = Secret(secret)
        self._over, self._result = True, None
        names = None
        if mechanisms is not None:
            names = listed("mechanisms are a list of names", mechanisms, str)
        flows = _flows(host, initial_response, allow_plaintext_auth, ask)
        self._begin(flows, flows.password(user, secret, names, _bindings(channel_binding)))

    @classmethod
    def oauth(
        cls,
        user: str | bytes,
        token: str | Secret | Callable[[RefusedToken | None], str] | None = None,
        *,
        mechanism: str | None = None,
        host: str | None = None,
        initial_response: bool | None = None,
        allow_plaintext_auth: bool = False,
        ask: Iterable[Command[Any]] = _QUESTIONS,
    ) -> Self:
        """Return a login with an OAuth access token (RFC 7628).

        ``token`` is the token, or a function that returns one. The function is called with
        ``None``, and once more if the server refuses the first token, for example because it has
        expired, unless a response code gives another reason. Then it is passed a ``RefusedToken``.
        Without ``token``, ``wants_token`` becomes true when the login needs one; get a token then,
        and pass it to the method ``token()``.

        ``mechanism`` is ``"OAUTHBEARER"`` or ``"XOAUTH2"``. The default is OAUTHBEARER if the
        server announces it, or else XOAUTH2, announced or not. With ``initial_response=None``,
        OAUTHBEARER sends the token with AUTH if the line fits into 255 octets, and XOAUTH2 waits
        until the server asks, as Office 365 demands.
        """
        token = token if token is None or callable(token) else Secret(token)
        source = None
        if callable(token):
            source, token = token, None
        elif token is not None and not issubclass(token.kind, str):
            raise LocalProtocolError(f"a token is a str or a function, not {token.kind.__name__}")
        _check_name(mechanism)
        flows = _flows(host, initial_response, allow_plaintext_auth, ask)
        return cls._of(flows, flows.oauth(user, token, source, mechanism))

    @classmethod
    def authenticate(
        cls,
        mechanism: Mechanism,
        *,
        initial_response: bool | None = None,
        allow_plaintext_auth: bool = False,
    ) -> Self:
        """Return a login with ``mechanism``, announced or not (RFC 5034).

        ``mechanism`` is one of ``pop3proto.sasl``, or an object of your own with the same members.
        Its initial response is sent with AUTH if the line fits into 255 octets and
        ``initial_response`` allows it; ``None`` allows it except for XOAUTH2. An exception from the
        mechanism cancels the exchange; after that, ``feed()`` raises it.
        """
        from .mechanism import require_mechanism

        require_mechanism(mechanism)
        flows = _flows(None, initial_response, allow_plaintext_auth, ())
        return cls._of(flows, flows.sasl(mechanism))

    @classmethod
    def apop(cls, user: str | bytes, password: str | bytes | Secret) -> Self:
        """Return a login with APOP (RFC 1939 section 7).

        The password is not shown, but MD5 no longer keeps it safe (CVE-2007-1558). If the server
        accepts UTF-8, name and password are prepared with SASLprep (RFC 6856 section 2.2).
        """
        password = Secret(password)
        flows = _flows(None, True, False, ())
        return cls._of(flows, flows.apop(user, password))

    @classmethod
    def rpop(cls, user: str | bytes, remote_user: str | bytes | Secret) -> Self:
        """Return a login with USER and RPOP, from a trusted host (RFC 1460). Obsolete."""
        remote_user = Secret(remote_user)
        flows = _flows(None, True, False, ())
        return cls._of(flows, flows.rpop(user, remote_user))

    @classmethod
    def _of(cls, flows: Flows, steps: Steps[LoginResult]) -> Self:
        login = cls.__new__(cls)
        login._begin(flows, steps)
        return login

    def _begin(self, flows: Flows, steps: Steps[LoginResult]) -> None:
        self._flows = flows
        self._steps = steps
        self._begun = self._over = self._wants_token = False
        self._awaited: Command[Any] | None = None
        self._result = None

    def __repr__(self) -> str:
        state = "under way" if not self._over else "failed" if self._result is None else "done"
        return f"<{type(self).__name__}: {state}>"

    @property
    def done(self) -> bool:
        """True if the login is over: it has succeeded, or an exception was raised."""
        return self._over

    @property
    def result(self) -> LoginResult:
        """How the login was done; raises ``LocalProtocolError`` if it has not succeeded."""
        if self._result is None:
            raise LocalProtocolError("there is no result: the login has not succeeded")
        return self._result

    @property
    def failure(self) -> CommandError | None:
        """The server's last refusal; ``None`` if there was none, or the login has succeeded.

        If the server closes the connection after a refusal, as some do, this is the reason.
        """
        return self._flows.failure

    @property
    def session_usable(self) -> bool:
        """True if the connection may still be used after an exception; if not, close it."""
        return self._flows.session_usable

    @property
    def wants_token(self) -> bool:
        """True if an access token has to be passed to ``token()`` next."""
        return self._wants_token

    @property
    def refused_token(self) -> RefusedToken | None:
        """The access token that the server has refused, if ``wants_token`` is true for that."""
        return self._flows.refused_token

    def feed(self, event: ClientEvent | None, engine: ClientConnection) -> Command[Any] | None:
        """Take an event of ``engine``, and return the command to send, if there is one.

        The first event is the greeting, or ``None`` if the greeting has been read already; each
        later event is the answer to the last command. A ``Deviation`` is ignored.

        Raises ``GreetingError`` for a greeting that is a refusal; ``AuthenticationError``, or its
        subclass where the server says why; ``MechanismError``, and, on a connection without TLS,
        ``PlaintextAuthError``, before anything is sent that depends on the secret; ``SaslError``;
        ``ServerVerificationError`` and ``RemoteProtocolError``, after which the connection has to
        be closed; ``LocalProtocolError`` for a name or a secret that cannot be sent, and for an
        event that answers something else; and any exception of a mechanism of your own.
        """
        require("engine", engine, ClientConnection, "a ClientConnection")
        if isinstance(event, Deviation):
            return None
        self._check_turn(event)
        self._flows.engine = engine
        if self._begun:
            return self._step(event)
        self._begun = True
        if isinstance(event, ErrorReply):
            self._over = True
            self._flows.session_usable = False
            raise GreetingError(refusal_message(event), reply=event)
        return self._step(None)

    def token(self, token: str | bytes | Secret) -> Command[Any] | None:
        """Take the access token that is wanted, and return the command to send, if there is one.

        Raises what ``feed()`` raises, and ``LocalProtocolError`` if no token is wanted.
        """
        token = Secret(token)
        if not self._wants_token:
            raise LocalProtocolError("this login does not ask for an access token now")
        self._wants_token = False
        return self._step(token)

    def _check_turn(self, event: ClientEvent | None) -> None:
        """Raise ``LocalProtocolError`` unless ``event`` is the one that is awaited."""
        if self._over:
            raise LocalProtocolError("this login is over")
        if self._wants_token:
            raise LocalProtocolError("this login needs an access token first")
        if not self._begun and (event is None or isinstance(event, Greeting)):
            return
        # All answers within AUTH carry the command that opened it, and a refusal instead of a
        # greeting carries none. The answer to another command must not count as a login.
        if event is None or getattr(event, "command", self) != self._awaited:
            expected = f"the answer to {self._awaited!r}" if self._awaited else "the greeting"
            raise LocalProtocolError(f"this login waits for {expected}")

    def _step(self, event: ClientEvent | Secret | None) -> Command[Any] | None:
        try:
            command = self._steps.send(event)
        except StopIteration as end:
            self._over = True
            self._result = end.value
            return None
        except BaseException:
            self._over = True
            raise
        if command is None:
            self._wants_token = True
        elif not isinstance(command, AuthResponse | AuthCancel):
            self._awaited = command
        return command


def _flows(
    host: object, initial_response: bool | None, allow_plaintext_auth: bool, ask: object
) -> Flows:
    if host is not None and not isinstance(host, str):
        raise LocalProtocolError(f"host is a str, not {_kind(host)}")
    return Flows(
        host=host,
        initial_response=initial_response,
        allow_plaintext_auth=allow_plaintext_auth,
        ask=listed("ask is a list of commands", ask, Command),
    )


def _bindings(given: ChannelBinding | Iterable[ChannelBinding] | None) -> list[ChannelBinding]:
    if given is None or given == []:
        return []
    # Here, because a login without TLS has nothing to bind to.
    from .mechanism import ChannelBinding

    several = [given] if isinstance(given, ChannelBinding) else given
    return listed("channel_binding is one or several", several, ChannelBinding)


def _check_name(mechanism: object) -> None:
    """Raise ``LocalProtocolError`` unless ``mechanism`` is a name, or ``None``."""
    if mechanism is not None and not isinstance(mechanism, str):
        raise LocalProtocolError(f"a mechanism is named by a str, not {_kind(mechanism)}")


def _kind(of: object) -> str:
    return type(of).__name__
