"""What a caller says about a connection: how it is secured, and how long each phase may take."""

from __future__ import annotations

from enum import Enum, unique
from typing import TYPE_CHECKING

from ..errors import LocalProtocolError, Pop3Error, printable
from ..model.leniency import LENIENT, Leniency
from ..model.limits import DEFAULT_LIMITS, Limits
from ..model.value import field_names, value
from ..sasl.login import LoginResult

if TYPE_CHECKING:
    from ..transcript.recorder import Recorder

__all__ = [
    "DEFAULT_OPTIONS",
    "DEFAULT_TIMEOUTS",
    "ClientOptions",
    "LoginResult",
    "QuitResult",
    "Security",
    "Timeouts",
]

_POP3_PORT = 110
_POP3S_PORT = 995


@unique
class Security(Enum):
    """How a connection is secured. None of them ever falls back to a weaker one."""

    TLS = "tls"
    """TLS from the first octet, port 995 (RFC 8314 section 3)."""
    STLS = "stls"
    """Begin in the clear, port 110, and demand STLS before anything else (RFC 2595 section 4)."""
    PLAINTEXT = "plaintext"
    """No TLS. Logins that show the password have to be allowed one by one."""

    @classmethod
    def of(cls, wanted: object) -> Security:
        """``wanted``, which may be the value of one, such as ``"stls"``.

        Raises ``LocalProtocolError`` for anything else: a mode that is not understood must not
        come to no TLS.
        """
        try:
            return cls(wanted.lower() if isinstance(wanted, str) else wanted)
        except ValueError:
            names = ", ".join(str(security) for security in cls)
            raise LocalProtocolError(
                f"security is one of {names}, not {printable(repr(wanted))}"
            ) from None

    @property
    def default_port(self) -> int:
        """The port registered for it."""
        return _POP3S_PORT if self is Security.TLS else _POP3_PORT


@value(kw_only=True)
class Timeouts:
    """How many seconds each phase may take; ``None`` waits for ever.

    A phase that takes longer ends in ``DeadlineError``, which names it by the name that it has
    here, and the connection is given up.
    """

    connect: float | None = 30.0
    """Until the connection stands, over all addresses of the host."""
    tls: float | None = 30.0
    """Until the TLS handshake is done."""
    greeting: float | None = 60.0
    """Until the greeting is complete."""
    reply: float | None = 60.0
    """Until the status line of an answer is complete."""
    login: float | None = 120.0
    """The same for an answer to a login: servers let wrong passwords, and what comes after them,
    wait for many seconds."""
    body: float | None = 60.0
    """Within a body, until 1,024 octets more, or its end, have come. Under TLS nothing shows before
    a record is complete, which holds 16 KiB at most."""
    quit: float | None = 10.0
    """Until QUIT is answered."""

    def __post_init__(self) -> None:
        for name in field_names(self):
            seconds = getattr(self, name)
            if seconds is not None and not seconds > 0:
                raise ValueError(f"timeout {name} must be positive or None, not {seconds!r}")


DEFAULT_TIMEOUTS = Timeouts()
"""The timeouts that a client has if it is given no others."""


@value(kw_only=True)
class ClientOptions:
    """What a client does beyond connecting; every adapter's ``connect()`` takes the same."""

    timeouts: Timeouts = DEFAULT_TIMEOUTS
    """How long each phase may take."""
    limits: Limits = DEFAULT_LIMITS
    """How much is collected from the server."""
    leniency: Leniency = LENIENT
    """Which faults of the server are forgiven."""
    capabilities: bool = True
    """Whether to ask CAPA after connecting and after the login; some servers close upon it."""
    pipelining: bool = True
    """Whether batches send ahead, if the server announces PIPELINING (RFC 2449 section 6.6)."""
    allow_plaintext_auth: bool = False
    """Whether a login may show its password to the network on a connection without TLS."""
    utf8: bool = False
    """Whether to send UTF8 before the login, if the server announces it (RFC 6856)."""
    recorder: Recorder | None = None
    """What is shown all that passes, with secrets taken out."""


DEFAULT_OPTIONS = ClientOptions()


@value
class QuitResult:
    """How a session ended."""

    confirmed: bool
    """Whether the server answered ``+OK``: the deletions were made."""
    deletions: int
    """How many messages were marked as deleted when QUIT was sent."""
    text: str = ""
    """What the server wrote."""
    error: Pop3Error | None = None
    """Why it was not confirmed."""
