"""Options of a server, and the capability list that follows from them."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.capabilities import Capabilities
from ..model.value import value

__all__ = ["ServerOptions"]


@value(kw_only=True)
class ServerOptions:
    """The options of a server, the same for every client."""

    allow_plaintext_auth: bool = False
    """If logins that show the password are offered and taken without TLS (RFC 8314)."""
    apop: bool = True
    """If APOP is offered, where the passwords themselves are known."""
    utf8: bool = True
    """If UTF8 is offered (RFC 6856). Messages are sent as they are stored in any case."""
    failed_login_delay: float = 2.0
    """Seconds before a wrong password is answered."""
    latency: float = 0.0
    """Seconds before anything that a client sends is answered. As with a distant server, commands
    that come together wait together."""
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

    def capabilities(
        self, *, stls: bool, user: bool, mechanisms: Sequence[str], logged_in: bool
    ) -> Capabilities:
        """Return the capability list (RFC 2449 section 5).

        It depends on whether STLS can be used, whether a password may be shown, which mechanisms
        AUTH has, and whether somebody has logged in.
        """
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
            # RFC 2449 section 5: all that holds before the login is announced after it as well,
            # and section 6.9: this may be kept for those who have logged in.
            (f"IMPLEMENTATION {self.implementation}", logged_in),
        )
        return Capabilities(tuple(line for line, holds in offered if holds))
