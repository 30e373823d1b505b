"""All exceptions of pop3proto, with one base class.

Each of them says what failed (the class and the message), at which command (``command``), if the
session can go on (``session_usable``), if trying again later can help (``transient``), and what the
caller can do (``hint``). No message, repr or attribute holds a secret, and text that came from the
peer is escaped before it is put into a message.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .model.command import Command
    from .model.leniency import Fault
    from .model.replies import ErrorReply, ResponseCode


def printable(text: str | bytes, limit: int = 200) -> str:
    """Return ``text`` for a terminal: control characters escaped, cut after ``limit`` characters.

    Octets are read as UTF-8. Octets that are not UTF-8, control characters, and characters that
    change the direction of writing become backslash escapes.
    """
    if isinstance(text, bytes):
        # Each character that is shown comes from at least one octet.
        text = text[: 4 * limit + 4].decode("utf-8", "backslashreplace")
    if len(text) > limit:
        text = text[:limit] + "..."
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class Pop3Error(Exception):
    """The base of every exception that pop3proto raises."""

    session_usable: ClassVar[bool] = True
    """True if the same connection can be used for the next command."""
    transient: bool = False
    """True if trying the same again later can help, if necessary over a new connection."""
    hint: str = ""
    """What the caller can do, in a sentence; empty if the message says everything."""

    def __init__(
        self, message: str = "", *, command: Command[Any] | None = None, **details: Any
    ) -> None:
        """Take the ``hint``, and the other attributes of the class, as keyword arguments."""
        super().__init__(message)
        self.command = command
        """The command at which the error happened, or ``None`` if there was none."""
        for name, content in details.items():
            if not hasattr(type(self), name):
                kind = type(self).__name__
                raise TypeError(f"{kind}() got an unexpected keyword argument {name!r}")
            if content is not None:
                setattr(self, name, content)

    def __str__(self) -> str:
        message = str(self.args[0]) if self.args else ""
        return f"{message} (at {self.command!r})" if self.command is not None else message


class ProtocolError(Pop3Error):
    """One of the two sides broke the protocol."""


class LocalProtocolError(ProtocolError):
    """This side asked for something that the protocol forbids; nothing was sent or changed."""

    hint = "nothing was sent; the call itself has to be corrected"


class DeadConnectionError(LocalProtocolError):
    """The connection is dead because of an earlier error, which is the ``__cause__``."""

    session_usable = False
    hint = "open a new connection, and see which messages are still there: only QUIT deletes"


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol in a way that is not tolerated; the connection is dead."""

    session_usable = False
    hint = "open a new connection, and see which messages are still there: only QUIT deletes"
    fault: Fault | None = None
    """The fault, if another ``Leniency`` would have tolerated it."""


class LimitError(RemoteProtocolError):
    """The peer exceeded one of the ``Limits``; the connection is dead."""

    hint = "raise the limit that is named, if you trust the peer"
    limit: str = ""
    """The name of the limit, as ``Limits`` spells it."""
    value: int = 0
    """The value of the limit."""


class StlsInjectionError(RemoteProtocolError):
    """Octets came in the clear after STLS; they are never parsed (RFC 2595)."""

    hint = "do not retry on this network; use security=TLS, which is usual on port 995"


class ConnectionLostError(Pop3Error, ConnectionError):
    """The stream ended, or failed, before the session was over; the connection is dead."""

    session_usable = False
    transient = True
    hint = "connect again, and see which messages are still there: only QUIT deletes"
    octets_received: int = 0
    """How many octets of the unfinished message body had been returned by then."""
    pending_deletions: int = 0
    """How many messages were marked as deleted, without a positive answer to QUIT. If QUIT was not
    sent, they are still there."""


class ConnectError(Pop3Error, ConnectionError):
    """No connection to the server could be made."""

    session_usable = False
    transient = True
    hint = "check host, port and network"


class TlsError(Pop3Error, ConnectionError):
    """TLS failed: the handshake, the server's certificate, or the connection after that."""

    session_usable = False
    hint = "check the host name, the server's certificate and the SSLContext"


class TlsUnavailableError(TlsError):
    """STLS was required, and the server does not offer it, or refused it (RFC 8314)."""

    hint = "use security=TLS, usual on port 995; an attacker may have taken STLS out of the offer"


class DeadlineError(Pop3Error, TimeoutError):
    """A phase took longer than its deadline; the connection is dead."""

    session_usable = False
    transient = True
    hint = "connect again, or allow more time for the phase that is named"
    phase: str = ""
    """The phase, as ``Timeouts`` names it: ``connect``, ``tls``, ``greeting``, ..."""
    seconds: float = 0.0
    """How long the phase was allowed to take, in seconds."""


class BusyError(Pop3Error):
    """A second call was made while another one of the same client was still running."""

    transient = True
    hint = "finish or close the running call first"


class PlaintextAuthError(LocalProtocolError):
    """A login without TLS would have shown the password to the network (RFC 8314)."""

    hint = "use security=TLS or STLS; allow_plaintext_auth=True sends the password in the clear"


# The response codes (RFC 2449 section 8.1, RFC 3206 section 4) of problems that pass.
_PASSING = frozenset({"IN-USE", "LOGIN-DELAY", "SYS/TEMP"})


class CommandError(Pop3Error):
    """The server answered ``-ERR``; the session goes on unless the server closes it."""

    reply: ErrorReply | None = None
    """The answer itself."""

    def __init__(
        self, message: str = "", *, command: Command[Any] | None = None, **details: Any
    ) -> None:
        super().__init__(message, command=command, **details)
        if self.code is not None and self.code.name in _PASSING:
            self.transient = True

    @property
    def code(self) -> ResponseCode | None:
        """The response code of the answer (RFC 2449 section 8), if it had one."""
        return self.reply.code if self.reply is not None else None

    @property
    def text(self) -> str:
        """The server's text after ``-ERR``, unescaped, without the response code."""
        return self.reply.text if self.reply is not None else ""


class GreetingError(CommandError):
    """The server sent ``-ERR`` instead of a greeting: it accepts no session now."""

    session_usable = False
    transient = True
    hint = "try again later"


class LoginError(Pop3Error):
    """A login failed, for any reason."""


class AuthenticationError(CommandError, LoginError):
    """The server refused a login; a subclass if the server says why (RFC 3206)."""

    hint = "check the user name and the password or token; the server's text may say more"


class CredentialsError(AuthenticationError):
    """The user name or the secret is wrong, or the login is not allowed: ``[AUTH]``."""

    hint = "check the user name and the password or token; trying the same again will not help"


class MaildropInUseError(AuthenticationError):
    """The credentials may be right, but the maildrop is locked: ``[IN-USE]``."""

    transient = True
    hint = "try again when the other session has ended"


class LoginDelayError(AuthenticationError):
    """The last login was too recent: ``[LOGIN-DELAY]`` (RFC 2449 section 8.1.1)."""

    transient = True
    hint = "try again later"
    seconds: int | None = None
    """The delay that the server announces in its capabilities, or ``None``."""


class TemporaryServerError(AuthenticationError):
    """The server has a problem that will pass: ``[SYS/TEMP]`` (RFC 3206 section 4)."""

    transient = True
    hint = "try again later"


class PermanentServerError(AuthenticationError):
    """The server has a problem that somebody has to fix: ``[SYS/PERM]`` (RFC 3206 section 4)."""

    hint = "tell the people who run the server"


class OAuthError(AuthenticationError):
    """The server refused an access token (RFC 7628 section 3.2.2)."""

    hint = "get a new access token"
    details: Mapping[str, object] = MappingProxyType({})
    """The server's explanation in JSON: ``status``, and perhaps ``scope`` and ``schemes``."""


class MechanismError(LoginError):
    """The server offers none of the mechanisms that may be used; no secret was sent."""

    hint = "see what the server offers in its capabilities, or name the mechanisms to use"


class SaslError(LoginError):
    """The server's SASL challenges made no sense, and the login was cancelled (RFC 5034)."""

    hint = "try another mechanism, if you trust the server"


class ServerVerificationError(LoginError):
    """The server did not prove that it knows the password, and may be an impostor."""

    session_usable = False
    hint = "do not retry on this network; the server may be an impostor"


class MaildropError(Pop3Error):
    """A maildrop could not be opened, read or updated (the server's role)."""


class MaildropLockedError(MaildropError):
    """Another session holds the maildrop (RFC 1939 section 4, RFC 2449 section 8.1.2)."""

    transient = True
    hint = "try again when the other session has ended"


class TranscriptError(Pop3Error, ValueError):
    """A transcript is malformed, or does not match its conversation."""
