"""The states of a POP3 session, and the signals that an engine returns instead of an event."""

from __future__ import annotations

from enum import Enum, unique
from typing import TYPE_CHECKING


@unique
class State(Enum):
    """The state of a session (RFC 1939 section 3, and later RFCs)."""

    GREETING = "greeting"
    """The connection is open; the server's greeting has not been read (or sent) yet."""
    AUTHORIZATION = "authorization"
    """The client has to log in (RFC 1939 section 4)."""
    AUTHENTICATING = "authenticating"
    """The server has sent an AUTH challenge, and waits for the answer (RFC 5034 section 4)."""
    TLS_NEGOTIATION = "tls negotiation"
    """STLS was accepted; the next octets belong to TLS (RFC 2595 section 4)."""
    TRANSACTION = "transaction"
    """The maildrop is open (RFC 1939 section 5)."""
    UPDATE = "update"
    """QUIT was answered in TRANSACTION; the server closes next (RFC 1939 section 6)."""
    CLOSED = "closed"
    """The session has ended in an orderly way."""
    DEAD = "dead"
    """The peer broke the protocol, or the stream was cut; the connection is unusable."""

    # Each command needs a hash of its state, and that of ``object`` is written in C.
    if not TYPE_CHECKING:  # pragma: no branch
        __hash__ = object.__hash__


@unique
class Signal(Enum):
    """A signal that ``next_event()`` returns if there is no event."""

    NEED_DATA = "need data"
    """Hand in more octets with ``receive_data()``, then ask again."""
    PAUSED = "paused"
    """The caller has to act first: finish the TLS handshake and call ``tls_established()``, or,
    in the server's role, answer the command that was returned last."""
