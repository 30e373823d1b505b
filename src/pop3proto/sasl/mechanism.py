"""The client's side of a SASL mechanism: a small object without any input or output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from .._value import value
from ..errors import LocalProtocolError

__all__ = ["ChannelBinding", "Mechanism", "ReportsDetails", "ShowsSecret", "require_mechanism"]


class Mechanism(Protocol):
    """The client's side of a SASL mechanism (RFC 4422), used for one login.

    ``Login`` calls ``initial()`` once, then ``respond()`` for each challenge of the server, and
    looks at ``complete`` when the server says ``+OK``. None of the octets are in base64. An
    exception from a method cancels the exchange with ``*`` (RFC 5034 section 4) and reaches the
    caller; the library's own mechanisms raise ``SaslError`` for a challenge that makes no sense,
    ``CredentialsError`` for one that says that the credentials are wrong, and
    ``ServerVerificationError`` for a server that fails to prove itself.

    An object of your own needs these four members and nothing else under TLS. Without TLS it is
    refused, unless it has a fifth one, ``shows_secret = False`` (see ``ShowsSecret``), or the
    name of one of the library's own mechanisms that do not show their secret.
    """

    @property
    def name(self) -> str:
        """The registered name, such as ``SCRAM-SHA-256``."""
        ...

    @property
    def complete(self) -> bool:
        """True if the server may accept the login now.

        A mechanism that verifies the server returns ``False`` until it has done so.
        """
        ...

    def initial(self) -> bytes | None:
        """Return the client's first message, or ``None`` if the server has to begin."""
        ...

    def respond(self, challenge: bytes) -> bytes:
        """Return the answer to a challenge of the server."""
        ...


def require_mechanism(mechanism: object) -> None:
    """Raise ``LocalProtocolError`` unless ``mechanism`` has the members of a ``Mechanism``."""
    # A class has them, too. The object itself is not shown, because it may be a password.
    wrong = f"the class {mechanism.__name__}" if isinstance(mechanism, type) else ""
    if not wrong and not isinstance(getattr(mechanism, "name", None), str):
        wrong = type(mechanism).__name__
    if wrong:
        raise LocalProtocolError(
            f"mechanism is an object such as sasl.Plain(user, password), not {wrong}"
        )


@runtime_checkable
class ShowsSecret(Protocol):
    """A mechanism that says if it shows its secret; for other mechanisms, the name decides.

    A mechanism with an unknown name is assumed to show its secret.
    """

    @property
    def shows_secret(self) -> bool:
        """True if anybody who reads the octets can log in with them, so that TLS is needed."""
        ...


@runtime_checkable
class ReportsDetails(Protocol):
    """A mechanism whose server explains a refusal in a challenge, like those of OAuth."""

    @property
    def details(self) -> Mapping[str, object]:
        """The server's explanation, decoded from JSON; empty if it gave none."""
        ...


@value
class ChannelBinding:
    """The octets that tie a login to the TLS connection that it goes through (RFC 5056).

    Raises ``LocalProtocolError`` for a type that is not a name, and for data without octets.
    """

    type: str
    """The registered name: ``tls-exporter``, ``tls-server-end-point`` or ``tls-unique``."""
    data: bytes
    """The octets of that type (RFC 9266, RFC 5929), at least one."""

    def __post_init__(self) -> None:
        _check(self.type, self.data)


def _check(kind: object, data: object) -> None:
    # RFC 5802 section 7: cb-name.
    name = kind.replace(".", "").replace("-", "") if isinstance(kind, str) else ""
    if not isinstance(kind, str) or not kind or not (f"{name}0".isalnum() and name.isascii()):
        raise LocalProtocolError(
            "the type of a channel binding consists of ASCII letters, digits, dots and hyphens"
        )
    if not isinstance(data, bytes) or not data:
        raise LocalProtocolError("the data of a channel binding is bytes, and not empty")
