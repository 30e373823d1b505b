"""The client's side of GSSAPI (RFC 4752) and NTLM, through the library pyspnego."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from ..errors import LocalProtocolError, SaslError, printable
from ..model.secret import Secret
from .saslprep import octets_of
from .users import as_text

if TYPE_CHECKING:
    from spnego import ContextProxy

__all__ = ["Gssapi", "Ntlm"]

T = TypeVar("T")

# Errors that pyspnego's parsers raise for malformed tokens, besides its own.
_MALFORMED = (ValueError, LookupError, TypeError, ArithmeticError, AttributeError)
# RFC 4752 section 3.3: the bit for "no security layer".
_NO_LAYER = 1


def _library_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """Return ``others`` and the exceptions of pyspnego and of the libraries that it uses."""
    from struct import error as malformed

    from spnego.exceptions import SpnegoError

    errors: list[type[Exception]] = [*others, SpnegoError, malformed]
    for module, name in (("krb5", "Krb5Error"), ("gssapi.exceptions", "GSSError")):
        # They are not installed if only NTLM is used.
        with suppress(ImportError):
            errors.append(getattr(import_module(module), name))
    return tuple(errors)


def _context(
    protocol: str, user: str | None, password: Secret | None, host: str, service: str
) -> ContextProxy:
    """Return a context of pyspnego; raise ``LocalProtocolError`` if there cannot be one."""
    problem = ""
    try:
        import spnego

        try:
            return spnego.client(
                username=user,
                password=None if password is None else as_text(password.reveal()),
                hostname=host,
                service=service,
                protocol=protocol,
            )
        except _library_errors(ImportError, ValueError) as error:
            problem = f"{protocol} is not possible here: {_first_line(error)}"
    except ImportError:
        problem = "GSSAPI and NTLM need pyspnego: pip install 'pop3proto[spnego]'"
    raise LocalProtocolError(problem)


def _first_line(error: Exception) -> str:
    return printable(str(error).partition("\n")[0])


def _asked(call: Callable[[], T], name: str) -> T:
    """Return what ``call`` returns; raise ``SaslError`` for the errors of pyspnego."""
    try:
        return call()
    except _library_errors(*_MALFORMED) as error:
        problem = f"{name} failed: {_first_line(error)}"
    raise SaslError(problem)


class Gssapi:
    """GSSAPI (RFC 4752), which is Kerberos: no password goes over the wire.

    ``host`` is the server's name as Kerberos knows it. Without ``user`` and ``password`` the
    caller's tickets are used. ``authorization_id`` names the user whose maildrop is opened, if that
    is another one. No security layer is asked for, because that is what TLS is for.

    Raises ``LocalProtocolError`` if pyspnego or its Kerberos libraries are missing, or there is no
    ticket. The first message may make the operating system talk to the key distribution center.
    """

    name = "GSSAPI"
    shows_secret = False
    """True if anybody who reads the octets can log in with them."""

    def __init__(
        self,
        host: str,
        *,
        user: str | None = None,
        password: str | Secret | None = None,
        service: str = "pop",
        authorization_id: str | bytes = "",
    ) -> None:
        secret = None if password is None else Secret(password)
        password = secret
        what = "the authorization identity"
        self._authorization = octets_of(what, authorization_id, empty=True)
        if user is not None:
            octets_of("the user name", user)
        if secret is not None:
            octets_of("the password", secret, empty=True)
        self._context = _context("kerberos", user, secret, host, service)
        self.complete: bool = False
        """True if the security layer has been agreed on."""

    def __repr__(self) -> str:
        return "Gssapi(<secret>)"

    def initial(self) -> bytes | None:
        """Return the first token."""
        return _asked(self._context.step, self.name)

    def respond(self, challenge: bytes) -> bytes:
        """Return the next token, then the answer to the server's offer of security layers."""
        if self.complete:
            raise SaslError("GSSAPI is complete, but the server sent another challenge")
        if not self._context.complete:
            token = _asked(lambda: self._context.step(challenge), self.name)
            # RFC 4752 section 3.1: an empty answer where there is no token left to send.
            return token or b""
        offer = _asked(lambda: self._context.unwrap(challenge).data, self.name)
        if len(offer) != 4 or not offer[0] & _NO_LAYER:
            raise SaslError("the server demands a GSSAPI security layer")
        # Without a layer, the size of its buffers is 0 (RFC 4752 section 3.1).
        answer = bytes([_NO_LAYER, 0, 0, 0]) + self._authorization
        wrapped = _asked(lambda: self._context.wrap(answer, encrypt=False).data, self.name)
        self.complete = True
        return wrapped


class Ntlm:
    """NTLM, as Microsoft's servers implement it.

    It is no substitute for TLS: somebody who reads its answers can guess the password from them.

    Raises ``LocalProtocolError`` if pyspnego is missing.
    """

    name = "NTLM"
    shows_secret = False
    """True if anybody who reads the octets can log in with them."""

    def __init__(
        self, user: str | bytes, password: str | bytes | Secret, *, host: str = ""
    ) -> None:
        password = Secret(password)
        name = octets_of("the user name", user)
        secret = Secret(octets_of("the password", password, empty=True))
        # pyspnego takes only text.
        self._context = _context("ntlm", as_text(name), secret, host or "unspecified", "pop")

    def __repr__(self) -> str:
        return "Ntlm(<secret>)"

    @property
    def complete(self) -> bool:
        """True if the answer to the challenge has been given."""
        return self._context.complete

    def initial(self) -> bytes | None:
        """Return the negotiation message."""
        return _asked(self._context.step, self.name)

    def respond(self, challenge: bytes) -> bytes:
        """Return the answer to the server's challenge."""
        if self.complete:
            raise SaslError("NTLM is complete, but the server sent another challenge")
        return _asked(lambda: self._context.step(challenge), self.name) or b""
