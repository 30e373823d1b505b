"""AUTH for the drop-in (RFC 5034), with SASL mechanisms as objects or as callables."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from .._base64 import decode_base64
from .._login_commands import Auth
from .._parsing import split_status_line
from ..errors import LocalProtocolError, MechanismUnavailable, ServerNotVerified
from ..limits import DEFAULT_LIMITS
from ..sasl import Mechanism, by_name, channel_bindings
from ._conversation import Conversation
from ._errors import BrokenConnection, InvalidArgument, ServerError, standard_error

if TYPE_CHECKING:
    import ssl

__all__ = ["CHALLENGE_LINE", "Wire", "authenticate", "mechanism_of", "named_mechanism"]

CHALLENGE_LINE = 2 * DEFAULT_LIMITS.challenge
"""How many octets the line of a challenge may have: base64 takes 4 for 3."""
_MAX_ROUNDS = 20


class Wire(NamedTuple):
    """What is used of a ``POP3``."""

    put: Callable[[str], None]
    get: Callable[[], bytes]
    conversation: Conversation


class _Callable:
    """A mechanism made from a function, in the manner of ``imaplib`` and ``smtplib``."""

    # Only the function knows when it has said all; it gets no chance to object to an +OK.
    complete = True

    def __init__(
        self,
        name: str,
        function: Callable[[bytes], bytes | str | None],
        initial_response: bytes | None,
    ) -> None:
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
    authobject: Callable[[bytes], bytes | str | None] | None,
    initial_response: bytes | None,
) -> Mechanism:
    """The mechanism that the arguments of ``auth()`` describe; raises ``InvalidArgument``."""
    try:
        if isinstance(mechanism, str):
            if authobject is None and initial_response is None:
                raise InvalidArgument(
                    f"no SASL mechanism is known by the name {mechanism!r} alone: pass user and "
                    "password, an authobject or an initial_response beside it, or a mechanism "
                    "object"
                )
            return _Callable(mechanism, authobject or _nothing_more, initial_response)
        if authobject is not None or initial_response is not None:
            raise InvalidArgument("a mechanism object brings its own responses")
        return mechanism
    finally:
        del initial_response


def named_mechanism(
    mechanism: str | Mechanism,
    user: str | bytes,
    password: str | bytes,
    *,
    host: str,
    sock: ssl.SSLSocket | None,
) -> Mechanism:
    """The library's own mechanism of that name; raises ``InvalidArgument``."""
    try:
        if not isinstance(mechanism, str):
            raise InvalidArgument("a mechanism object brings its own user and password")
        plus = mechanism.upper().endswith("-PLUS") and sock is not None
        bindings = channel_bindings(sock) if plus and sock is not None else []
        return by_name(
            mechanism,
            user,
            password,
            host=host,
            channel_binding=bindings[0] if bindings else None,
        )
    except (LocalProtocolError, MechanismUnavailable) as error:
        problem = str(error)
    finally:
        # A traceback shows the locals of this frame.
        del password
    raise InvalidArgument(problem)


def authenticate(wire: Wire, mechanism: Mechanism, *, initial_response_ok: bool) -> bytes:
    """Run the exchange and return the server's positive reply; see ``POP3.auth()``."""
    waiting = mechanism.initial()
    try:
        command = _command(mechanism.name, waiting)
        if initial_response_ok and command.fits_line:
            waiting = None
        else:
            # RFC 5034 section 4: what does not fit into 255 octets waits for a challenge.
            command = Auth(mechanism.name)
        wire.put(command.to_bytes()[:-2].decode("ascii"))
        for _ in range(_MAX_ROUNDS):
            reply = wire.get()
            challenge = _challenge(reply, mechanism)
            if challenge is None:
                return _accepted(wire, mechanism, reply)
            if waiting is None:
                waiting = _response(wire, mechanism, challenge)
            wire.put(b64encode(waiting).decode("ascii"))
            waiting = None
    finally:
        # A traceback shows the locals of this frame.
        waiting = None
    _cancel(wire)
    raise ServerError(f"-ERR AUTH was cancelled after {_MAX_ROUNDS} challenges")


def _command(name: str, initial_response: bytes | None) -> Auth:
    try:
        return Auth(name, initial_response)
    except LocalProtocolError as error:
        problem = str(error)
    finally:
        del initial_response
    raise InvalidArgument(problem)


def _challenge(reply: bytes, mechanism: Mechanism) -> bytes | None:
    """The challenge in a reply that is not ``-ERR``; ``None`` if it accepts the login."""
    indicator, text = split_status_line(reply)
    if indicator != b"+" and (mechanism.complete or not text or decode_base64(text) is None):
        return None
    # Prose in place of base64 comes from servers that mean to say: go on. And some servers
    # introduce a challenge with +OK.
    return decode_base64(text) or b""


def _response(wire: Wire, mechanism: Mechanism, challenge: bytes) -> bytes:
    """The mechanism's answer; if it has none, the exchange is cancelled (RFC 5034 section 4)."""
    try:
        return bytes(memoryview(mechanism.respond(challenge)))
    except ServerNotVerified as error:
        # There is nothing left to be said to whoever this is.
        wire.conversation.failed(error)
        raise
    except Exception:
        _cancel(wire)
        raise
    except BaseException as error:
        # Interrupted: there is no time to talk to the server.
        wire.conversation.failed(error)
        raise


def _cancel(wire: Wire) -> None:
    try:
        wire.put("*")
        wire.get()
    except (standard_error, OSError):
        return
    wire.conversation.fail("the server goes on with a login that was cancelled")


def _accepted(wire: Wire, mechanism: Mechanism, reply: bytes) -> bytes:
    if mechanism.complete:
        return reply
    # Whoever accepts a login without having proved to know the password is not the server.
    problem = f"the server ended {mechanism.name} before it had proved itself"
    wire.conversation.fail(problem)
    raise BrokenConnection(f"-ERR {problem}")
