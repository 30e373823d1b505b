"""Adapters that run the client over real connections: one thin module for each runtime.

They share everything except the native stream; see ``Stream`` for the four methods that a transport
of your own needs.
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
        # Without TLS, OpenSSL is not loaded: that takes as long as everything else. Type checkers
        # do not see this function, because with it they would accept any name.
        if name == "TlsPipe":
            from ..client.tls import TlsPipe

            return TlsPipe
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), "TlsPipe"})
