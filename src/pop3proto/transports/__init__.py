"""Adapters that drive the engine over real connections: one thin module for each runtime.

They share everything but the native stream; see ``Stream`` for the four methods that a transport
of your own has to have.
"""

from typing import TYPE_CHECKING

from ..client._blocking import Batch, MessageStream
from ..client.batch import AsyncBatch
from ..client.message import AsyncMessageStream, SupportsWrite
from ..client.options import (
    ClientOptions,
    LoginResult,
    QuitResult,
    Security,
    Timeouts,
)
from ..client.profile import ServerProfile
from ..client.stream import Stream
from ..client.turn import Progress

if TYPE_CHECKING:
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

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        # Without TLS, OpenSSL is not loaded: it takes as long as all of the rest. Type checkers do
        # not see this function, or they would believe that there is every other name, too.
        if name == "TlsPipe":
            from ..client.tls import TlsPipe

            return TlsPipe
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
