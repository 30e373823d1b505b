"""Sessions written down: recorded without their secrets, saved as text, replayed."""

from .recorder import (
    REDACTED,
    REPLAY_LIMITS,
    EndOfStream,
    Entry,
    Line,
    RecordedLine,
    Recorder,
    Replay,
    Role,
    TlsEstablished,
    Transcript,
    replay,
)

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
    "replay",
]
