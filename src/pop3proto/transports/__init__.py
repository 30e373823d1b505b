"""Adapters that run the client over real connections: one thin module for each runtime.

They share everything except the native stream; see ``Stream`` for the four methods that a transport
of your own needs.
"""

from typing import TYPE_CHECKING

from .._lazy import loads_when_asked
from ..client._blocking_turns import Batch, MessageStream
from ..client.batch import AsyncBatch
from ..client.message import AsyncMessageStream, SupportsWrite
from ..client.options import (
    ClientOptions,
    LoginResult,
    QuitResult,
    Security,
    Timeouts,
)
from ..client.stream import Stream
from ..client.turn import Progress

if TYPE_CHECKING:
    from ..client.profile import ServerProfile
    from ..client.tls import TlsPipe

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
# profiles.
_HOMES = {"profile": ("ServerProfile",), "tls": ("TlsPipe",)}

if not TYPE_CHECKING:  # or every name would be there for a type checker
    __getattr__, __dir__ = loads_when_asked(__name__, _HOMES, folder="pop3proto.client")
