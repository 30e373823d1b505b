"""The options of a connection: how it is secured, and how long each phase may take."""

from __future__ import annotations

from enum import Enum, unique
from typing import TYPE_CHECKING, Literal, TypeAlias

from .._arguments import require, require_seconds
from .._value import field_names, options, value
from ..errors import LocalProtocolError, Pop3Error, printable
from ..model.leniency import Leniency
from ..model.limits import Limits

if TYPE_CHECKING:
    from ..transcript.recorder import Recorder

__all__ = [
    "ClientOptions",
    "QuitResult",
    "Security",
    "SecurityName",
    "Timeouts",
    "require",
]

_POP3_PORT = 110
_POP3S_PORT = 995


@unique
class Security(Enum):
    """How a connection is secured. No mode ever falls back to a weaker one."""

    TLS = "tls"
    """TLS from the first octet, port 995 (RFC 8314 section 3)."""
    STLS = "stls"
    """In the clear on port 110 until STLS, which has to come first (RFC 2595 section 4)."""
    PLAINTEXT = "plaintext"
    """No TLS. Logins that show the password need ``allow_plaintext_auth``."""

    @classmethod
    def of(cls, wanted: object) -> Security:
        """Return ``wanted``, or the member of that name: ``"tls"``, ``"stls"`` or ``"plaintext"``.

        Case does not matter. Raises ``LocalProtocolError`` for anything else, because a misspelt
        mode must not turn TLS off.
        """
        try:
            return cls(wanted.lower() if isinstance(wanted, str) else wanted)
        except ValueError:
            names = ", ".join(repr(security.value) for security in cls)
            raise LocalProtocolError(
                f"security is one of {names}, not {printable(repr(wanted))}"
            ) from None

    @property
    def default_port(self) -> int:
        """The port that is registered for this mode."""
        return _POP3S_PORT if self is Security.TLS else _POP3_PORT


SecurityName: TypeAlias = Literal["tls", "stls", "plaintext"]
"""The names of the members of ``Security``, as text."""


@options
class Timeouts:
    """How many seconds each phase may take; ``None`` means no limit.

    A phase that takes longer raises ``DeadlineError`` with the name of the phase, and the
    connection is closed. Raises ``LocalProtocolError`` for a number that is not above 0, or that is
    above 2,000,000, which is 23 days.
    """

    connect: float | None = 30.0
    """Until the connection is made; all addresses of the host together."""
    tls: float | None = 30.0
    """Until the TLS handshake is done."""
    greeting: float | None = 60.0
    """Until the greeting is complete."""
    reply: float | None = 60.0
    """Until the status line of an answer is complete."""
    login: float | None = 120.0
    """The same for an answer to a login: servers delay the answer to a wrong password."""
    body: float | None = 60.0
    """Within a body, until another 1,024 octets, or its end, have arrived. Under TLS, octets count
    only when their record, of at most 16 KiB, is complete."""
    quit: float | None = 10.0
    """Until QUIT is answered."""

    def __post_init__(self) -> None:
        for name in field_names(self):
            seconds = getattr(self, name)
            if seconds is None:
                continue
            require(f"timeout {name}", seconds, (int, float), "a number of seconds, or None")
            require_seconds(f"timeout {name}", seconds, zero=False)

    @classmethod
    def of(cls, timeout: float | Timeouts) -> Timeouts:
        """Return ``timeout``; if it is a number, this many seconds for every phase.

        Raises ``LocalProtocolError`` for anything else.
        """
        if isinstance(timeout, Timeouts):
            return timeout
        require("timeout", timeout, (int, float), "a number of seconds, or a Timeouts")
        return cls(**dict.fromkeys(field_names(cls), timeout))


@options
class ClientOptions:
    """Options of a client; every adapter's ``connect()`` takes the same.

    Raises ``LocalProtocolError``, which names the argument, for a value of another type.
    """

    timeouts: Timeouts = Timeouts()
    """How long each phase may take."""
    limits: Limits = Limits()
    """How much is collected from the server."""
    leniency: Leniency = Leniency()
    """Which faults of the server are tolerated."""
    capabilities: bool = True
    """If true, CAPA is sent after connecting and after the login; some servers close on it."""
    pipelining: bool = True
    """If true, batches send ahead if the server announces PIPELINING (RFC 2449 section 6.6)."""
    allow_plaintext_auth: bool = False
    """If true, a login may show its password to the network on a connection without TLS."""
    utf8: bool = False
    """If true, UTF8 is sent before the login if the server announces it (RFC 6856)."""
    recorder: Recorder | None = None
    """A recorder of everything that passes; it removes secrets."""

    def __post_init__(self) -> None:
        require("timeouts", self.timeouts, Timeouts, "a Timeouts")
        require("limits", self.limits, Limits, "a Limits")
        require("leniency", self.leniency, Leniency, "a Leniency")
        for name in ("capabilities", "pipelining", "allow_plaintext_auth", "utf8"):
            # Text such as "no" would count as true.
            require(name, getattr(self, name), bool, "True or False")


@value
class QuitResult:
    """How a session ended."""

    confirmed: bool
    """True if the server answered ``+OK``: the deletions were made."""
    deletions: int
    """The number of messages that were marked as deleted when QUIT was sent."""
    text: str = ""
    """The text of the server's answer."""
    error: Pop3Error | None = None
    """The reason, if QUIT was not confirmed."""
