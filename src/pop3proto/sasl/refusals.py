"""The exceptions for refused logins, by response code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import (
    AuthenticationError,
    CredentialsError,
    LoginDelayError,
    MaildropInUseError,
    OAuthError,
    PermanentServerError,
    TemporaryServerError,
    printable,
)
from ..model.capabilities import Capabilities
from ..model.command import Command
from ..model.replies import ErrorReply, ResponseCode
from .advice import STLS, joined

__all__ = ["login_refused", "refusal_message", "token_refused", "with_stls"]

# Characters of one of the server's details in a message.
_MAX_DETAIL = 100
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
    *,
    secure: bool,
) -> AuthenticationError:
    """Return the exception for a login that the server refused at ``command``.

    The response code, if there is one, decides its class. The server's ``capabilities`` may
    announce how many seconds have to pass between two logins, and, on a connection that is not
    ``secure``, STLS.
    """
    message = refusal_message(reply) if message is None else message
    code = reply.code
    if code is not None and code.within(ResponseCode.LOGIN_DELAY):
        announced = capabilities.login_delay if capabilities else None
        seconds = announced.seconds if announced else None
        return LoginDelayError(message, command=command, reply=reply, seconds=seconds)
    for known, cls in _REFUSALS.items():
        if code is not None and code.within(known):
            error = cls(message, command=command, reply=reply)
            break
    else:
        error = AuthenticationError(message, command=command, reply=reply)
    if type(error) in (AuthenticationError, CredentialsError):
        error.hint = with_stls(error.hint, capabilities, secure=secure)
    return error


def token_refused(refusal: AuthenticationError, details: Mapping[str, object]) -> OAuthError:
    """Return the exception for an access token that was refused, with the server's ``details``.

    Its message shows those that RFC 7628 section 3.2.2 names.
    """
    told = [
        f"{name}: {printable(str(content), _MAX_DETAIL)}"
        for name in ("status", "scope", "schemes")
        if isinstance(content := details.get(name), str | int) and content != ""
    ]
    message = str(refusal.args[0])
    hint = refusal.hint.replace(type(refusal).hint, OAuthError.hint)
    return OAuthError(
        f"{message} ({', '.join(told)})" if told else message,
        command=refusal.command,
        reply=refusal.reply,
        details=details,
        hint=f"{hint}, with the scope that the server names" if details.get("scope") else hint,
    )


def with_stls(hint: str, capabilities: Capabilities | None, *, secure: bool) -> str:
    """Return ``hint``, and that TLS may be the way out if the server announces STLS."""
    if secure or capabilities is None or not capabilities.stls:
        return hint
    return joined(hint, STLS)
