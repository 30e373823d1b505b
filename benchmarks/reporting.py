"""What a benchmark hands back: tables to read, data to keep, goals, and what failed."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.measuring import Figure, Goal, markdown, number

# Whether a goal is met, as a cell of a table.
VERDICTS = {True: "yes", False: "NO", None: "-"}
NOT_ASKED = "not by configure"


@dataclass(slots=True)
class Report:
    """One sub-command's result."""

    name: str
    title: str
    judge_goals: bool = True
    """Whether goals count: a time that was measured in a hurry says nothing."""
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    goals: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Each with ``what`` is wanted, the ``goal``, what was ``measured``, and whether it is
    ``met``, which is ``None`` where it was not judged."""
    failures: list[str] = field(default_factory=list[str])
    """What must hold on every machine, and does not."""
    missed: list[str] = field(default_factory=list[str])
    """Goals that were not reached this time."""
    parts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Paragraphs, each a ``text``; and tables, each of a ``title``, a ``header`` and ``rows``."""

    def add(self, text: str) -> None:
        """One more paragraph, unless it is there."""
        if {"text": text} not in self.parts:
            self.parts.append({"text": text})

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
        """One more table."""
        kept = [list(row) for row in rows]
        self.parts.append({"title": title, "header": list(header), "rows": kept})

    def verdict(self, goal: Goal, figure: Figure, what: str, beside: str = "") -> str:
        """Whether the median reaches the goal, as a cell of a table.

        ``beside`` is told with what was measured.
        """
        met = goal.met_by(figure.median) if self.judge_goals else None
        if met is False:
            value = f"{number(figure.median)}{goal.unit}"
            self.missed.append(f"{what}: {value} where {goal} is the goal")
        measured = figure.spread(goal.unit) + (beside and f"; {beside}")
        return self._keep(what, str(goal), measured, met, **figure.as_json())

    def require(self, met: bool, what: str, goal: str, measured: str) -> str:
        """The same for what is no matter of speed: it counts in a hurry too, and is a failure."""
        if not met:
            self.failures.append(f"{what}: {measured} where {goal} is required")
        return self._keep(what, goal, measured, met)

    def not_measured(self, goal: Goal, what: str) -> None:
        """A goal for what did not take part, or beside what did not."""
        self._keep(what, str(goal), "not measured", None)

    def _keep(self, what: str, goal: str, measured: str, met: bool | None, **more: Any) -> str:
        self.goals.append({"what": what, "goal": goal, "measured": measured, "met": met, **more})
        return VERDICTS[met]

    def markdown(self) -> str:
        """All of it, to be read."""
        return rendered(self.as_json())

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "machine": machine(),
            "parts": self.parts,
            "data": self.data,
            "goals": self.goals,
            "missed": self.missed,
            "failures": self.failures,
        }


def rendered(result: Mapping[str, Any]) -> str:
    """A report's JSON, to be read."""
    blocks = [f"## {result['title']}"]
    for part in result["parts"]:
        if "text" in part:
            blocks.append(part["text"])
            continue
        blocks += [f"### {part['title']}"] if part["title"] else []
        blocks.append(markdown(part["header"], part["rows"]))
    for what, name in (("Goals not met", "missed"), ("Failures", "failures")):
        if result[name]:
            blocks.append(f"{what}:\n" + "".join(f"\n- {line}" for line in result[name]))
    return "\n\n".join(blocks)


def machine() -> dict[str, str]:
    """What the figures were measured on, and when."""
    return {
        "Date": datetime.now(UTC).date().isoformat(),
        "Processors": f"{os.cpu_count()}, {_processor()}",
        "System": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        **build(sysconfig.get_config_var("CONFIG_ARGS")),
    }


def build(arguments: str | None) -> dict[str, str]:
    """How the interpreter was built, from the arguments of its ``configure``, if it has them.

    Both optimisations make Python code faster, and the C of others not. Distributions have ways
    of their own to ask for them, which do not show.
    """
    if arguments is None:
        pgo = lto = "unknown"
    else:
        given = shlex.split(arguments)
        pgo = "yes" if "--enable-optimizations" in given else NOT_ASKED
        chosen = [one for one in given if one.startswith(("--with-lto", "--without-lto"))]
        wanted = bool(chosen) and chosen[-1] not in {"--without-lto", "--with-lto=no"}
        lto = "yes" if wanted else NOT_ASKED
    return {
        "Compiler of Python": platform.python_compiler(),
        "Profile-guided optimisation": pgo,
        "Link-time optimisation": lto,
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
