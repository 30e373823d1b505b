"""GSSAPI (RFC 4752) and NTLM, the client's side, through the library pyspnego."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from ..errors import LocalProtocolError, SaslError, printable
from .plain import octets_of, raise_first

if TYPE_CHECKING:
    from spnego import ContextProxy

__all__ = ["Gssapi", "Ntlm"]

T = TypeVar("T")

# What pyspnego's parsers let out for tokens that are none, besides its own errors.
_MALFORMED = (ValueError, LookupError, TypeError, ArithmeticError, AttributeError, struct.error)
# RFC 4752 section 3.3: the bit for "no security layer".
_NO_LAYER = 1


def _library_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """``others``, what pyspnego raises, and what it lets through of the libraries below it."""
    from spnego.exceptions import SpnegoError

    errors: list[type[Exception]] = [*others, SpnegoError]
    for module, name in (("krb5", "Krb5Error"), ("gssapi.exceptions", "GSSError")):
        # They are not installed where only NTLM is asked for.
        with suppress(ImportError):
            errors.append(getattr(import_module(module), name))
    return tuple(errors)


def _context(
    protocol: str, user: str | None, password: str | None, host: str, service: str
) -> ContextProxy:
    """A context of pyspnego's; what is wrong with it is a ``LocalProtocolError``."""
    problem = ""
    try:
        import spnego

        try:
            return spnego.client(
                username=user, password=password, hostname=host, service=service, protocol=protocol
            )
        except _library_errors(ImportError, ValueError) as error:
            problem = f"{protocol} is not possible here: {_first_line(error)}"
    except ImportError:
        problem = "GSSAPI and NTLM need pyspnego: pip install 'pop3proto[spnego]'"
    finally:
        # A traceback shows the locals of this frame.
        del password
    raise LocalProtocolError(problem)


def _first_line(error: Exception) -> str:
    return printable(str(error).partition("\n")[0])


def _asked(call: Callable[[], T], name: str) -> T:
    """What ``call`` to pyspnego returns; its errors are ``SaslError``."""
    try:
        return call()
    except _library_errors(*_MALFORMED) as error:
        problem = f"{name} failed: {_first_line(error)}"
    raise SaslError(problem)


class Gssapi:
    """GSSAPI (RFC 4752), which is Kerberos: no password goes over the wire.

    ``host`` is the server's name as Kerberos knows it. Without ``user`` and ``password`` the
    tickets of the caller are used. ``authorization_id`` is whose maildrop is opened, if it is not
    that of the user. No security layer is asked for: that is TLS's part.

    Raises ``LocalProtocolError`` if pyspnego or its Kerberos libraries are missing, or there is no
    ticket. The first message may make the operating system talk to the key distribution center.
    """

    name = "GSSAPI"
    shows_secret = False
    """Whether who reads the octets can log in with them."""

    def __init__(
        self,
        host: str,
        *,
        user: str | None = None,
        password: str | None = None,
        service: str = "pop",
        authorization_id: str | bytes = "",
    ) -> None:
        problems: list[str] = []
        try:
            self._authorization = octets_of(
                "the authorization identity", authorization_id, problems, empty=True
            )
            raise_first(problems)
            self._context = _context("kerberos", user, password, host, service)
        finally:
            # A traceback shows the locals of this frame.
            del password
        self.complete = False
        """Whether the security layer has been agreed upon."""

    def __repr__(self) -> str:
        return "Gssapi(<secret>)"

    def initial(self) -> bytes | None:
        """The first token."""
        return _asked(self._context.step, self.name)

    def respond(self, challenge: bytes) -> bytes:
        """The next token, then the answer to the server's offer of security layers."""
        if self.complete:
            raise SaslError("GSSAPI has ended, and the server goes on")
        if not self._context.complete:
            token = _asked(lambda: self._context.step(challenge), self.name)
            # RFC 4752 section 3.1: an empty answer where there is no token left to send.
            return token or b""
        offer = _asked(lambda: self._context.unwrap(challenge).data, self.name)
        if len(offer) != 4 or not offer[0] & _NO_LAYER:
            raise SaslError("the server demands a security layer of GSSAPI's own")
        # No layer, and so no size of its buffers (RFC 4752 section 3.1).
        answer = bytes([_NO_LAYER, 0, 0, 0]) + self._authorization
        wrapped = _asked(lambda: self._context.wrap(answer, encrypt=False).data, self.name)
        self.complete = True
        return wrapped


class Ntlm:
    """NTLM, as Microsoft's servers have it. No substitute for TLS: its hashes can be searched.

    Raises ``LocalProtocolError`` if pyspnego is missing.
    """

    name = "NTLM"
    shows_secret = False
    """Whether who reads the octets can log in with them."""

    def __init__(self, user: str | bytes, password: str | bytes, *, host: str = "") -> None:
        problems: list[str] = []
        name = octets_of("the user name", user, problems)
        secret = octets_of("the password", password, problems, empty=True)
        # A traceback shows the locals of this frame.
        del password
        try:
            raise_first(problems)
            self._context = _context(
                "ntlm", _text(name), _text(secret), host or "unspecified", "pop"
            )
        finally:
            del secret

    def __repr__(self) -> str:
        return "Ntlm(<secret>)"

    @property
    def complete(self) -> bool:
        """Whether the answer to the challenge has been given."""
        return self._context.complete

    def initial(self) -> bytes | None:
        """The negotiation message."""
        return _asked(self._context.step, self.name)

    def respond(self, challenge: bytes) -> bytes:
        """The answer to the server's challenge."""
        if self.complete:
            raise SaslError("NTLM has ended, and the server goes on")
        return _asked(lambda: self._context.step(challenge), self.name) or b""


def _text(octets: bytes) -> str:
    # These mechanisms know text only.
    return octets.decode("utf-8", "surrogateescape")
