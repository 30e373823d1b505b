"""Transcripts of sessions: recorded without secrets, saved as text, replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import loads_when_asked

if TYPE_CHECKING:
    from .recorded import EndOfStream, Entry, Line, RecordedLine, Role, TlsEstablished
    from .recorder import Recorder, Transcript, TranscriptWriter
    from .redact import REDACTED
    from .replaying import REPLAY_LIMITS, Replay, replay

__all__ = [
    "REDACTED",
    "REPLAY_LIMITS",
    "EndOfStream",
    "Entry",
    "Line",
    "RecordedLine",
    "Recorder",
    "Replay",
    "Role",
    "TlsEstablished",
    "Transcript",
    "TranscriptWriter",
    "replay",
]

_HOMES = {
    "recorded": ("EndOfStream", "Entry", "Line", "RecordedLine", "Role", "TlsEstablished"),
    "recorder": ("Recorder", "Transcript", "TranscriptWriter"),
    "redact": ("REDACTED",),
    # Not called like its function, which it would hide.
    "replaying": ("REPLAY_LIMITS", "Replay", "replay"),
}

if not TYPE_CHECKING:  # or every name would be there for a type checker
    __getattr__, __dir__ = loads_when_asked(__name__, _HOMES)
