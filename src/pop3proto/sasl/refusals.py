"""The exceptions for refused logins, by response code."""

from __future__ import annotations

from typing import Any

from ..errors import (
    AuthenticationError,
    CredentialsError,
    LoginDelayError,
    MaildropInUseError,
    PermanentServerError,
    TemporaryServerError,
    printable,
)
from ..model.capabilities import Capabilities
from ..model.command import Command
from ..model.replies import ErrorReply, ResponseCode

__all__ = ["login_refused", "refusal_message"]

# RFC 3206, RFC 2449 section 8.1.
_REFUSALS = {
    ResponseCode.AUTH: CredentialsError,
    ResponseCode.IN_USE: MaildropInUseError,
    ResponseCode.SYS_TEMP: TemporaryServerError,
    ResponseCode.SYS_PERM: PermanentServerError,
}


def refusal_message(reply: ErrorReply) -> str:
    """Return a readable message about an ``-ERR``: its response code and its text, escaped."""
    code = f"[{reply.code}] " if reply.code else ""
    said = f"{code}{printable(reply.text)}".strip() or "no reason was given"
    return f"the server refused: {said}"


def login_refused(
    reply: ErrorReply,
    command: Command[Any],
    capabilities: Capabilities | None,
    message: str | None = None,
) -> AuthenticationError:
    """Return the exception for a login that the server refused at ``command``.

    The response code, if there is one, decides its class. The server's ``capabilities`` may
    announce how many seconds have to pass between two logins.
    """
    message = refusal_message(reply) if message is None else message
    code = reply.code
    if code is not None and code.within(ResponseCode.LOGIN_DELAY):
        announced = capabilities.login_delay if capabilities else None
        seconds = announced.seconds if announced else None
        return LoginDelayError(message, command=command, reply=reply, seconds=seconds)
    for known, cls in _REFUSALS.items():
        if code is not None and code.within(known):
            return cls(message, command=command, reply=reply)
    return AuthenticationError(message, command=command, reply=reply)
