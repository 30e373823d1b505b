"""How a server behaves towards every client, and what it announces of that."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.capabilities import Capabilities
from ..model.value import value

__all__ = ["ServerOptions"]


@value(kw_only=True)
class ServerOptions:
    """How a server behaves towards every client."""

    allow_plaintext_auth: bool = False
    """Whether logins that show the password are offered and taken without TLS (RFC 8314)."""
    apop: bool = True
    """Whether APOP is offered, if the passwords themselves are known."""
    utf8: bool = True
    """Whether UTF8 is offered (RFC 6856). Messages are sent as they are stored in any case."""
    failed_login_delay: float = 2.0
    """Seconds that a wrong password has to wait for its answer."""
    latency: float = 0.0
    """Seconds that whatever a client sends has to wait before it is answered: as on a distant
    server, commands that come together wait together."""
    max_failed_logins: int = 3
    """How many of them end the session."""
    max_bad_commands: int = 20
    """How many lines that are no command, or not a possible one, end the session."""
    max_auth_rounds: int = 20
    """How many challenges there may be in one AUTH."""
    host_name: str = "localhost"
    """How the server calls itself in the greeting."""
    implementation: str = "pop3proto"
    """How it calls itself in the capability list, behind the login (RFC 2449 section 6.9)."""

    def capabilities(
        self, *, stls: bool, user: bool, mechanisms: Sequence[str], logged_in: bool
    ) -> Capabilities:
        """What is announced: whether STLS can be asked for, whether a password may be shown,
        the mechanisms of AUTH, and whether the maildrop is open (RFC 2449 section 5)."""
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
            # RFC 2449 section 5: all that holds before the login is announced behind it as well,
            # and section 6.9: this may be kept for those who have logged in.
            (f"IMPLEMENTATION {self.implementation}", logged_in),
        )
        return Capabilities(tuple(line for line, holds in offered if holds))
