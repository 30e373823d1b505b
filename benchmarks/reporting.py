"""What a benchmark hands back: tables to read, data to keep, and what failed."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.measuring import Goal, number


@dataclass(slots=True)
class Report:
    """One sub-command's result."""

    name: str
    title: str
    judge_goals: bool = True
    """Whether goals count: a time that was measured in a hurry says nothing."""
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    failures: list[str] = field(default_factory=list[str])
    """What must hold on every machine, and does not."""
    missed: list[str] = field(default_factory=list[str])
    """Goals that were not reached this time."""
    parts: list[str] = field(default_factory=list[str])

    def add(self, part: str) -> None:
        """One more table or paragraph."""
        self.parts.append(part)

    def verdict(self, goal: Goal, value: float, what: str) -> str:
        """Whether the goal is met, as a cell of a table."""
        if not self.judge_goals:
            return "-"
        if goal.met_by(value):
            return "yes"
        self.missed.append(f"{what}: {number(value)}{goal.unit} where {goal} is the goal")
        return "NO"

    def markdown(self) -> str:
        """All of it, to be read."""
        lists = [("Goals not met", self.missed), ("Failures", self.failures)]
        ends = [
            f"{what}:\n" + "".join(f"\n- {line}" for line in found)
            for what, found in lists
            if found
        ]
        return "\n\n".join([f"## {self.title}", *self.parts, *ends])

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "machine": machine(),
            "parts": self.parts,
            "data": self.data,
            "missed": self.missed,
            "failures": self.failures,
        }


def machine() -> dict[str, str]:
    """What the figures were measured on, and when."""
    return {
        "Date": datetime.now(UTC).date().isoformat(),
        "Processors": f"{os.cpu_count()}, {_processor()}",
        "System": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def say(text: str) -> None:
    """Progress, beside the result."""
    print(text, file=sys.stderr)
