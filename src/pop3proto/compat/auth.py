"""AUTH for the drop-in (RFC 5034), with SASL mechanisms as objects or as callables.

The engine reads and writes the exchange; its lines go through the methods of a ``POP3``, as those
of every other command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..engine.client import ClientConnection
from ..errors import (
    LocalProtocolError,
    MechanismError,
    RemoteProtocolError,
    ServerVerificationError,
)
from ..model.commands import Auth, AuthCancel, AuthResponse
from ..model.events import ClientEvent
from ..model.leniency import Deviation
from ..model.limits import DEFAULT_LIMITS
from ..model.replies import Challenge, ErrorReply
from ..model.states import Signal
from ..sasl import Mechanism, by_name, channel_bindings
from .conversation import Conversation
from .errors import BrokenConnectionError, InvalidArgumentError, ServerError, standard_error

if TYPE_CHECKING:
    import ssl

__all__ = ["CHALLENGE_LINE", "Wire", "authenticate", "mechanism_of"]

CHALLENGE_LINE = 2 * DEFAULT_LIMITS.challenge
"""How many octets the line of a challenge may have: base64 takes 4 for 3."""
_MAX_ROUNDS = 20

_Answer = Callable[[bytes], bytes | str | None]


class Wire(NamedTuple):
    """What is used of a ``POP3``."""

    put: Callable[[str], None]
    get: Callable[[], bytes]
    conversation: Conversation


class _Callable:
    """A mechanism made from a function, in the manner of ``imaplib`` and ``smtplib``."""

    # Only the function knows when it has said all; it gets no chance to object to an +OK.
    complete = True

    def __init__(self, name: str, function: _Answer, initial_response: bytes | None) -> None:
        self.name = name
        self._function = function
        self._initial_response = initial_response

    def initial(self) -> bytes | None:
        return self._initial_response

    def respond(self, challenge: bytes) -> bytes:
        answer = self._function(challenge)
        if answer is None:
            raise ServerError("-ERR AUTH was cancelled")
        return answer.encode("utf-8") if isinstance(answer, str) else answer


def _nothing_more(challenge: bytes) -> bytes:
    # What a server wants that has put the reason of its refusal into a challenge (XOAUTH2).
    return b""


def mechanism_of(
    mechanism: str | Mechanism,
    authobject: _Answer | None,
    initial_response: bytes | None,
    user: str | bytes | None,
    password: str | bytes,
    *,
    host: str,
    sock: ssl.SSLSocket | None,
) -> Mechanism:
    """The mechanism that the arguments of ``auth()`` describe.

    Raises ``InvalidArgumentError`` if they describe none, or if one of them would be for nothing.
    """
    problem = ""
    try:
        answers = authobject is not None or initial_response is not None
        if user is None and password:
            problem = "a password needs a user beside it"
        elif not isinstance(mechanism, str):
            if user is not None:
                problem = "a mechanism object brings its own user and password"
            elif answers:
                problem = "a mechanism object brings its own responses"
            else:
                return mechanism
        elif user is None:
            if answers:
                return _Callable(mechanism, authobject or _nothing_more, initial_response)
            problem = (
                f"no SASL mechanism is known by the name {mechanism!r} alone: pass user and "
                "password, an authobject or an initial_response beside it, or a mechanism object"
            )
        elif answers:
            problem = "user and password leave nothing to say to authobject and initial_response"
        else:
            return _named(mechanism, user, password, host=host, sock=sock)
    except (LocalProtocolError, MechanismError) as error:
        problem = str(error)
    finally:
        # A traceback shows the locals of this frame.
        del initial_response, password
    raise InvalidArgumentError(problem)


def _named(
    name: str,
    user: str | bytes,
    password: str | bytes,
    *,
    host: str,
    sock: ssl.SSLSocket | None,
) -> Mechanism:
    plus = name.upper().endswith("-PLUS") and sock is not None
    bindings = channel_bindings(sock) if plus and sock is not None else []
    binding = bindings[0] if bindings else None
    try:
        return by_name(name, user, password, host=host, channel_binding=binding)
    finally:
        del password


def authenticate(wire: Wire, mechanism: Mechanism, *, initial_response_ok: bool) -> bytes:
    """Run the exchange and return the server's positive reply; see ``POP3.auth()``."""
    exchange = _Exchange(wire)
    waiting = mechanism.initial()
    try:
        command = _command(mechanism, waiting)
        if waiting is not None and initial_response_ok and command.fits_line:
            waiting = None
        else:
            # RFC 5034 section 4: what does not fit into 255 octets waits for a challenge.
            command = Auth(mechanism.name, complete=False)
        line, event = exchange.ask(command)
        rounds = 0
        while isinstance(event, Challenge):
            rounds += 1
            response = exchange.answer(mechanism, event, waiting, rounds)
            waiting = None
            line, event = exchange.ask(response)
        if waiting is None and mechanism.complete:
            return line
    finally:
        # A traceback shows the locals of this frame.
        waiting = None
    # Whoever accepts a login without having proved to know the password, or without having asked
    # for it, is not the server.
    problem = f"the server ended {mechanism.name} before it had proved itself"
    wire.conversation.fail(problem)
    raise BrokenConnectionError(f"-ERR {problem}")


def _command(mechanism: Mechanism, initial_response: bytes | None) -> Auth:
    try:
        return Auth(mechanism.name, initial_response, complete=mechanism.complete)
    except LocalProtocolError as error:
        problem = str(error)
    finally:
        del initial_response
    raise InvalidArgumentError(problem)


class _Exchange:
    """AUTH in an engine of its own, which sees the lines of this exchange and no others."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        # Whether there is TLS is for the caller to care about.
        self._engine = ClientConnection(secure=True)
        self._engine.receive_data(b"+OK\r\n")
        self._engine.next_event()

    def ask(self, command: Auth | AuthResponse) -> tuple[bytes, ClientEvent | Signal]:
        """Send ``command``; the status line that answers it, and what that means."""
        self._wire.put(self._engine.send(command)[:-2].decode("ascii"))
        line = self._wire.get()
        try:
            self._engine.receive_data(line + b"\r\n")
            event = self._engine.next_event()
            while isinstance(event, Deviation):
                event = self._engine.next_event()
        except RemoteProtocolError as error:
            self._wire.conversation.failed(error)
        else:
            if isinstance(event, ErrorReply):
                raise ServerError(line)
            return line, event
        raise BrokenConnectionError(line)

    def answer(
        self, mechanism: Mechanism, challenge: Challenge, waiting: bytes | None, rounds: int
    ) -> AuthResponse:
        """The mechanism's answer; if it has none, the exchange is cancelled."""
        try:
            if rounds > _MAX_ROUNDS:
                raise ServerError(f"-ERR AUTH was cancelled after {_MAX_ROUNDS} challenges")
            if waiting is None:
                response = bytes(memoryview(mechanism.respond(challenge.data)))
                return AuthResponse(response, complete=mechanism.complete)
            if challenge.data:
                # Some servers answer AUTH PLAIN as if it had been LOGIN.
                raise ServerError(
                    "-ERR AUTH was cancelled: the server asks for something else than "
                    f"{mechanism.name} says first"
                )
            return AuthResponse(waiting, complete=mechanism.complete)
        except ServerVerificationError as error:
            # There is nothing left to be said to whoever this is.
            self._wire.conversation.failed(error)
            raise
        except Exception:
            self._cancel()
            raise
        except BaseException as error:
            # Interrupted: there is no time to talk to the server.
            self._wire.conversation.failed(error)
            raise
        finally:
            # A traceback shows the locals of this frame.
            waiting, response = None, b""

    def _cancel(self) -> None:
        # RFC 5034 section 4.
        try:
            self._wire.put(self._engine.send(AuthCancel())[:-2].decode("ascii"))
            self._wire.get()
        except (standard_error, OSError):
            return
        self._wire.conversation.fail("the server goes on with a login that was cancelled")
