"""AUTH for the drop-in (RFC 5034), with SASL mechanisms as objects or as callables.

``sasl.Login`` decides what comes next; its lines go through the methods of a ``POP3``, like those
of every other command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ..engine.client import ClientConnection
from ..errors import (
    AuthenticationError,
    LocalProtocolError,
    MechanismError,
    Pop3Error,
    RemoteProtocolError,
    SaslError,
    ServerVerificationError,
)
from ..model.command import Command
from ..model.events import ClientEvent
from ..model.leniency import Deviation
from ..model.limits import Limits
from ..model.secret import Secret
from ..model.states import Signal
from ..sasl import ChannelBinding, Login, Mechanism, by_name, channel_bindings
from ..sasl.choice import Choice
from ..sasl.mechanism import require_mechanism
from .conversation import Conversation
from .errors import BrokenConnectionError, InvalidArgumentError, ServerError, standard_error

if TYPE_CHECKING:
    import ssl

__all__ = ["CHALLENGE_LINE", "Wire", "authenticate", "mechanism_of"]

Ways: TypeAlias = dict[ChannelBinding | None, Mechanism]
"""Mechanisms to try, by their channel bindings, the best first; or one without a binding."""

CHALLENGE_LINE = 2 * Limits().challenge
"""How many octets the line of a challenge may have: base64 takes 4 for 3."""

_Answer = Callable[[bytes], bytes | str | None]


class Wire(NamedTuple):
    """The part of ``POP3`` that this module uses."""

    put: Callable[[str], None]
    get: Callable[[], bytes]
    conversation: Conversation


class _Callable:
    """A mechanism made from a function, in the manner of ``imaplib`` and ``smtplib``."""

    # Only the function knows when the login is complete, so every +OK is accepted.
    complete = True

    def __init__(self, name: str, function: _Answer, initial_response: Secret | None) -> None:
        self.name = name
        self._function = function
        self._initial_response = initial_response

    def initial(self) -> bytes | None:
        return None if self._initial_response is None else self._initial_response.octets()

    def respond(self, challenge: bytes) -> bytes:
        answer = self._function(challenge)
        if answer is None:
            raise ServerError("-ERR AUTH was cancelled")
        return answer.encode("utf-8") if isinstance(answer, str) else answer


def _nothing_more(challenge: bytes) -> bytes:
    # A server that puts the reason for its refusal into a challenge (XOAUTH2) expects this answer.
    return b""


def mechanism_of(
    mechanism: str | Mechanism,
    authobject: _Answer | None,
    initial_response: bytes | Secret | None,
    user: str | bytes | None,
    password: str | bytes | Secret,
    *,
    host: str,
    sock: ssl.SSLSocket | None,
) -> Ways:
    """Return the mechanism that the arguments of ``auth()`` describe, once for each binding.

    Raises ``InvalidArgumentError`` if they describe none, or if one of them would have no use.
    """
    problem = ""
    try:
        password = Secret(password)
        first = None if initial_response is None else Secret(initial_response)
        initial_response = first
        if first is not None:
            first.reveal()  # which raises an error if it is neither text nor octets
        answers = authobject is not None or first is not None
        if authobject is not None and not callable(authobject):
            problem = f"authobject is a function, not {type(authobject).__name__}"
        elif user is None and password:
            problem = "a password needs a user"
        elif not isinstance(mechanism, str):
            if user is not None:
                problem = "a mechanism object brings its own user and password"
            elif answers:
                problem = "a mechanism object brings its own responses"
            else:
                require_mechanism(mechanism)
                return {None: mechanism}
        elif user is None:
            if answers:
                return {None: _Callable(mechanism, authobject or _nothing_more, first)}
            problem = (
                f"the name {mechanism!r} alone is not enough for a SASL mechanism: add user and "
                "password, an authobject or an initial_response, or pass a mechanism object"
            )
        elif answers:
            problem = "with user and password, authobject and initial_response have no use"
        else:
            plus = mechanism.upper().endswith("-PLUS") and sock is not None
            bindings: list[ChannelBinding | None] = []
            bindings += channel_bindings(sock) if plus and sock is not None else [None]
            return {
                binding: by_name(mechanism, user, password, host=host, channel_binding=binding)
                for binding in bindings or [None]
            }
    except (LocalProtocolError, MechanismError) as error:
        problem = str(error)
    raise InvalidArgumentError(problem)


def authenticate(wire: Wire, ways: Ways, *, initial_response_ok: bool | None) -> bytes:
    """Log in, and return the server's positive reply; see ``POP3.auth()``."""
    if None in ways:
        return _authenticate(wire, ways[None], initial_response_ok, None)
    # As in a login of the native client: it depends on the refusal if another binding can help.
    [name] = {mechanism.name for mechanism in ways.values()}
    bindings = [binding for binding in ways if binding is not None]
    choice = Choice([name], offered=None, bindings=bindings, show_password=True)
    while True:
        choice.next()
        try:
            return _authenticate(wire, ways[choice.binding], initial_response_ok, choice)
        except _AnotherBindingError:
            continue


class _AnotherBindingError(Exception):
    """A login was refused, perhaps for its channel binding, and there is another one."""


def _authenticate(
    wire: Wire, mechanism: Mechanism, initial_response_ok: bool | None, choice: Choice | None
) -> bytes:
    """Log in with one mechanism; raise ``_AnotherBindingError`` if ``choice`` has another."""
    heard = _Heard(mechanism)
    # The caller decides if TLS is needed.
    login = Login.authenticate(
        heard, initial_response=initial_response_ok, allow_plaintext_auth=True
    )
    exchange = _Exchange(wire)
    try:
        command = login.feed(None, exchange.engine)
        while command is not None:
            command = login.feed(exchange.ask(command), exchange.engine)
    except BaseException as error:
        if not login.session_usable:
            wire.conversation.failed(error)
        elif choice is not None and isinstance(error, AuthenticationError | SaslError):
            refused, doubted = _about_the_binding(mechanism)
            if choice.go_on(error, binding_refused=refused, binding_doubted=doubted):
                raise _AnotherBindingError from error
        told = _translated(error, exchange)
        if heard.error is not None and isinstance(error, Exception):
            # Raise the mechanism's own error, even if cancelling the exchange has failed too.
            told = heard.error
        if isinstance(told, ServerError) and any(_about_the_binding(mechanism)):
            told.hint = (
                "the password may be right: if the server knows no such channel binding, the "
                "mechanism without -PLUS needs none"
            )
        if told is error:
            raise
        raise told from told.__cause__
    return exchange.line


def _about_the_binding(mechanism: Mechanism) -> tuple[bool, bool]:
    """Return if the refusal of a ``-PLUS`` form is, or may be, due to its channel binding."""
    refused, doubted = (
        getattr(mechanism, name, False) is True for name in ("binding_refused", "binding_doubted")
    )
    return refused, doubted


def _translated(error: BaseException, exchange: _Exchange) -> BaseException:
    """Return the exception that the drop-in raises in place of one of ``Login``."""
    message = f"-ERR {error.args[0]}" if isinstance(error, Pop3Error) else ""
    match error:
        case ServerVerificationError():
            return BrokenConnectionError(message)
        case LocalProtocolError() if not isinstance(error, standard_error):
            return InvalidArgumentError(str(error))
        case SaslError() | AuthenticationError(__cause__=SaslError()):
            return ServerError(message)
        case AuthenticationError():
            return exchange.refusal or ServerError(exchange.line)
        case _:
            return error


class _Heard:
    """A mechanism, and the exception that it raised; its answers may be any octets."""

    def __init__(self, mechanism: Mechanism) -> None:
        self._mechanism = mechanism
        self.error: BaseException | None = None
        self.name = mechanism.name

    @property
    def complete(self) -> bool:
        return self._mechanism.complete

    def initial(self) -> bytes | None:
        try:
            return self._mechanism.initial()
        except BaseException as error:
            self.error = error
            raise

    def respond(self, challenge: bytes) -> bytes:
        try:
            return bytes(memoryview(self._mechanism.respond(challenge)))
        except BaseException as error:
            self.error = error
            raise


class _Exchange:
    """An AUTH exchange in an engine of its own, which sees no other lines."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.engine = ClientConnection(secure=True)
        self.engine.receive_data(b"+OK\r\n")
        self.engine.next_event()
        self.line = b""
        """The last status line."""
        self.refusal: Exception | None = None
        """The exception for that status line, if it was a refusal."""

    def ask(self, command: Command[Any]) -> ClientEvent:
        """Send ``command``, and return what the status line that answers it means."""
        self._wire.put(self.engine.send(command)[:-2].decode("ascii"))
        self.refusal = None
        try:
            self.line = self._wire.get()
        except standard_error as error:
            said: object = error.args[0] if error.args else None
            if not isinstance(said, bytes) or said[:4].upper() != b"-ERR":
                raise
            self.line, self.refusal = said, error
        try:
            self.engine.receive_data(self.line + b"\r\n")
            event = self.engine.next_event()
            while isinstance(event, Deviation):
                event = self.engine.next_event()
        except RemoteProtocolError as error:
            self._wire.conversation.failed(error)
        else:
            if not isinstance(event, Signal):
                return event
        raise BrokenConnectionError(self.line)
