"""Engines fed with octets at any chunking, from the fuzz kit, which has them for its users."""

from __future__ import annotations

from pop3proto.testing.fuzz.talking import (
    FURTHER,
    REFUSE,
    Cut,
    Step,
    by,
    client,
    drained,
    fed,
    greeted_server,
    joined,
    lines,
    octets,
    positive,
    splits,
    talked,
    whole,
    without_chance,
)

__all__ = [
    "FURTHER",
    "REFUSE",
    "Cut",
    "Step",
    "by",
    "client",
    "drained",
    "fed",
    "greeted_server",
    "joined",
    "lines",
    "octets",
    "positive",
    "splits",
    "talked",
    "whole",
    "without_chance",
]
