"""Transcripts of sessions: recorded without secrets, saved as text, replayed."""

from .recorded import EndOfStream, Entry, Line, RecordedLine, Role, TlsEstablished
from .recorder import Recorder, Transcript
from .redact import REDACTED
from .replay import REPLAY_LIMITS, Replay, replay

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
