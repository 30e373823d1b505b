"""A fuzzer for the engines of both roles, on transcripts of your own: see ``fuzz()``.

``python -m pop3proto.testing.fuzz`` runs it.
"""

from __future__ import annotations

from .loop import Finding, FuzzResult, check_input, fuzz
from .targets import DifferenceError

__all__ = ["DifferenceError", "Finding", "FuzzResult", "check_input", "fuzz"]
