"""Limits on how much memory a peer can make this side use."""

from __future__ import annotations

from .._arguments import require_count
from .._value import field_names, options

_KIB = 1024
_MIB = 1024 * 1024


@options
class Limits:
    """Upper bounds, all positive, on what is collected from a peer, or kept for it.

    A status line, a listing or an upload that is too long raises ``LimitError``, and the connection
    is dead. In the server's role, a command or an answer within AUTH that is too long becomes an
    ``InvalidCommand``, and the session goes on. ``send()`` raises ``LocalProtocolError`` for more
    than ``commands_in_flight``, and changes nothing. The caller has to apply ``challenge``.

    Message bodies have no limit here, because the engine streams them: it collects neither a whole
    body nor a whole line of one.
    """

    status_line: int = 8 * _KIB
    """Octets of a status line with its line end, or of blank lines before it. RFC 1939 section 3
    allows 512 for the line; servers send more."""
    listing_line: int = 8 * _KIB
    """Octets of one line of a collected listing (LIST, UIDL, CAPA, LANG, AUTH)."""
    listing_lines: int = 1_000_000
    """Lines of one collected listing."""
    listing_octets: int = 128 * _MIB
    """Octets of one collected listing."""
    challenge: int = 64 * _KIB
    """Octets of one decoded AUTH challenge. The engine also returns longer ones, in lines of up to
    twice as many octets (or ``status_line``, if that is more), so that its caller can cancel AUTH
    and go on. In the server's role, octets of one decoded answer or initial response."""
    commands_in_flight: int = 100_000
    """Commands sent and not yet answered."""
    command_line: int = 512
    """Octets of a command line with its line end, in the server's role. RFC 2449 section 4 asks
    for 255."""
    auth_line: int = 8 * _KIB
    """Octets of a line with its line end that belongs to an AUTH exchange, in the server's role."""
    upload: int = 64 * _MIB
    """Octets of a message that a client uploads, in the server's role."""

    def __post_init__(self) -> None:
        for name in field_names(self):
            require_count(f"limit {name}", getattr(self, name))
