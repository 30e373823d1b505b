"""Adapters that drive the engine over real connections: one thin module for each runtime.

They share everything but the native stream; see ``Stream`` for the four methods that an own
transport has to bring.
"""

from ..client.batch import Batch, Outcome
from ..client.message import MessageStream, Progress, SupportsWrite
from ..client.options import (
    DEFAULT_TIMEOUTS,
    ClientOptions,
    LoginResult,
    QuitResult,
    Security,
    Timeouts,
)
from ..client.stream import Stream

__all__ = [
    "DEFAULT_TIMEOUTS",
    "Batch",
    "ClientOptions",
    "LoginResult",
    "MessageStream",
    "Outcome",
    "Progress",
    "QuitResult",
    "Security",
    "Stream",
    "SupportsWrite",
    "Timeouts",
]
