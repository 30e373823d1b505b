"""Options of a server, and the capability list that follows from them."""

from __future__ import annotations

from collections.abc import Sequence

from .._arguments import listed, require, require_count, require_seconds
from .._value import options
from ..model.capabilities import Capabilities
from ..model.leniency import Leniency
from ..model.limits import Limits
from .arguments import require_word

__all__ = ["ServerOptions", "check_settings"]


@options
class ServerOptions:
    """The options of a server, the same for every client.

    Raises ``LocalProtocolError``, which names the option, for a value of another type, or out of
    range.
    """

    allow_plaintext_auth: bool = False
    """True if logins that show the password are offered and accepted without TLS (RFC 8314)."""
    apop: bool = True
    """True if APOP is offered, provided that the server knows the passwords themselves."""
    utf8: bool = True
    """True if UTF8 is offered (RFC 6856). Messages are always sent as they are stored."""
    failed_login_delay: float = 2.0
    """Seconds before a wrong password is answered."""
    latency: float = 0.0
    """Seconds before anything that a client sends is answered. Commands that arrive together wait
    only once, as with a distant server."""
    max_failed_logins: int = 3
    """The number of wrong passwords that ends the session."""
    max_bad_commands: int = 20
    """The number of invalid or impossible commands that ends the session."""
    max_auth_rounds: int = 20
    """The highest number of challenges in one AUTH."""
    host_name: str = "localhost"
    """The name of the server in the greeting."""
    implementation: str = "pop3proto"
    """The name of the program in the capability list, after the login (RFC 2449 section 6.9)."""

    def __post_init__(self) -> None:
        for name in ("allow_plaintext_auth", "apop", "utf8"):
            # Text such as "no" would count as true.
            require(name, getattr(self, name), bool, "True or False")
        for name in ("failed_login_delay", "latency"):
            require_seconds(name, getattr(self, name), zero=True)
        for name in ("max_failed_logins", "max_bad_commands", "max_auth_rounds"):
            require_count(name, getattr(self, name))
        # Angle brackets would make the greeting offer APOP, where it is not offered.
        require_word("host_name", self.host_name, forbidden=" <>@")
        require_word("implementation", self.implementation)

    def capabilities(
        self, *, stls: bool, user: bool, mechanisms: Sequence[str], logged_in: bool
    ) -> Capabilities:
        """Return the capability list (RFC 2449 section 5).

        ``stls`` says that STLS can be used, and ``user`` that USER and PASS can, which show the
        password. ``mechanisms`` are those of AUTH. ``logged_in`` says that somebody has logged in.
        """
        listed("mechanisms are a list of names", mechanisms, str)
        offered = (
            ("TOP", True),
            ("UIDL", True),
            ("RESP-CODES", True),
            ("AUTH-RESP-CODE", True),
            ("PIPELINING", True),
            ("STLS", stls),
            ("USER", user),
            (" ".join(("SASL", *mechanisms)), bool(mechanisms)),
            ("UTF8 USER", self.utf8),
            ("LANG", True),
            ("EXPIRE NEVER", True),
            # RFC 2449 section 5: what is announced before the login is announced after it as well;
            # and section 6.9: a server may show its implementation only after the login.
            (f"IMPLEMENTATION {self.implementation}", logged_in),
        )
        return Capabilities(tuple(line for line, holds in offered if holds))


def check_settings(options: object, limits: object, leniency: object) -> None:
    """Raise ``LocalProtocolError`` if one of these arguments of a session has another type."""
    require("options", options, ServerOptions, "a ServerOptions")
    require("limits", limits, Limits, "a Limits")
    require("leniency", leniency, Leniency, "a Leniency")
