"""Adapters that drive the engine over real connections: one thin module for each runtime.

They share everything but the native stream; see ``Stream`` for the four methods that an own
transport has to bring.
"""

from ._options import DEFAULT_TIMEOUTS, Security, Timeouts
from ._stream import Stream

__all__ = ["DEFAULT_TIMEOUTS", "Security", "Stream", "Timeouts"]
