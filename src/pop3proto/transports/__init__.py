"""Adapters that run the client over real connections: one thin module for each runtime.

They share everything except the native stream; see ``Stream`` for the four methods that a transport
of your own needs.
"""

from typing import TYPE_CHECKING

from .._lazy import loads_when_asked

if TYPE_CHECKING:
    from ..client._blocking_turns import Batch, MessageStream
    from ..client.batch import AsyncBatch
    from ..client.message import AsyncMessageStream, SupportsWrite
    from ..client.options import (
        ClientOptions,
        QuitResult,
        Security,
        Timeouts,
    )
    from ..client.profile import ServerProfile
    from ..client.results import LoginResult
    from ..client.stream import Stream
    from ..client.tls import TlsPipe
    from ..client.turn import Progress

__all__ = [
    "AsyncBatch",
    "AsyncMessageStream",
    "Batch",
    "ClientOptions",
    "LoginResult",
    "MessageStream",
    "Progress",
    "QuitResult",
    "Security",
    "ServerProfile",
    "Stream",
    "SupportsWrite",
    "Timeouts",
    "TlsPipe",
]

# Without TLS, OpenSSL is not loaded: that takes as long as everything else. Few programs keep
# profiles, and those on an event loop do not load what the blocking client needs.
_HOMES = {
    "_blocking_turns": ("Batch", "MessageStream"),
    "batch": ("AsyncBatch",),
    "message": ("AsyncMessageStream", "SupportsWrite"),
    "options": ("ClientOptions", "QuitResult", "Security", "Timeouts"),
    "profile": ("ServerProfile",),
    "results": ("LoginResult",),
    "stream": ("Stream",),
    "tls": ("TlsPipe",),
    "turn": ("Progress",),
}

if not TYPE_CHECKING:  # or every name would be there for a type checker
    __getattr__, __dir__ = loads_when_asked(__name__, _HOMES, folder="pop3proto.client")
