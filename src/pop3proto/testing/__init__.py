"""Servers to test clients against: on loopback, in memory, by a script, over bad networks.

Parts that a test does not use are not loaded: a server in memory loads neither sockets nor TLS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import loads_when_asked

if TYPE_CHECKING:
    from .chaos import ChaosStream, Disturbances
    from .clock import VirtualClock
    from .endpoint import AnsweringSession
    from .loopback import LoopbackServer, serve
    from .memory import MemoryStream, memory_stream
    from .quirks.hooks import Quirks
    from .quirks.names import Quirk
    from .script import (
        Script,
        ScriptedSession,
        ScriptedStream,
        ScriptError,
        Turn,
        scripted,
        serve_script,
    )

__all__ = [
    "AnsweringSession",
    "ChaosStream",
    "Disturbances",
    "LoopbackServer",
    "MemoryStream",
    "Quirk",
    "Quirks",
    "Script",
    "ScriptError",
    "ScriptedSession",
    "ScriptedStream",
    "Turn",
    "VirtualClock",
    "memory_stream",
    "scripted",
    "serve",
    "serve_script",
]

_HOMES = {
    "chaos": ("ChaosStream", "Disturbances"),
    "clock": ("VirtualClock",),
    "endpoint": ("AnsweringSession",),
    "memory": ("MemoryStream", "memory_stream"),
    "script": (
        "Script",
        "ScriptError",
        "ScriptedSession",
        "ScriptedStream",
        "Turn",
        "scripted",
        "serve_script",
    ),
    "loopback": ("LoopbackServer", "serve"),
    "quirks.names": ("Quirk",),
    "quirks.hooks": ("Quirks",),
}

if not TYPE_CHECKING:  # or every name would be there for a type checker
    __getattr__, __dir__ = loads_when_asked(__name__, _HOMES)
