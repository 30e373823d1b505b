"""What a run hands back: one JSON, and its tables to read."""

from __future__ import annotations

import os
import platform
import shlex
import ssl
import subprocess
import sysconfig
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import instructions
from benchmarks.goals import Goal
from benchmarks.measuring import ROOT, Figure, Outcome

# Whether a goal is met, as a cell of a table.
VERDICTS = {True: "yes", False: "**no**", None: "-"}
NOT_ASKED = "not by configure"
UNKNOWN = "unknown"
_COLUMNS = {
    "wall": "wall, µs a {}",
    "cpu": "CPU, µs a {}",
    "instructions": "instructions a {}",
    "waits": "waits for the disk, a {}",
    "growth": "growth, MiB",
    "held": "octets a {}",
}


def as_json(outcomes: Iterable[Outcome], goals: Iterable[Goal], quick: bool) -> dict[str, Any]:
    """The whole result of a run; what was measured in a hurry is not judged."""
    kept = {outcome.contest.name: outcome for outcome in outcomes}
    return {
        "about": {**machine(), "Commit": commit(), "Instructions": _counted()},
        "quick": quick,
        "contests": {name: _contest(outcome) for name, outcome in kept.items()},
        "goals": [
            _judged(goal, kept[goal.contest], quick) for goal in goals if goal.contest in kept
        ],
        "failures": [f"{n}: {line}" for n, outcome in kept.items() for line in outcome.failures],
    }


def _counted() -> str:
    counter = instructions.counter()
    return f"counted by {counter}" if counter else "not counted: neither perf stat nor valgrind"


def _contest(outcome: Outcome) -> dict[str, Any]:
    contest = outcome.contest
    shares = {entry.who: entry.count(outcome.count) for entry in contest.entries}
    present = [entry.who for entry in contest.entries if entry.who in outcome.figures]
    return {
        "title": contest.title,
        "unit": contest.unit,
        "count": outcome.count,
        "references": [who for who in contest.references if who in present],
        "notes": [*([contest.note] if contest.note else []), *outcome.notes],
        "entries": {
            who: {
                "count": shares[who],
                "figures": {n: list(f.rounds) for n, f in outcome.figures[who].items()},
            }
            for who in present
        },
    }


def _judged(goal: Goal, outcome: Outcome, quick: bool) -> dict[str, Any]:
    found = goal.value(outcome.figures)
    met = None if found is None or quick else goal.met(found.median)
    return {
        "contest": goal.contest,
        "who": goal.who,
        "against": goal.against,
        "text": goal.text,
        "terms": [number(term.median) for term in goal.terms(outcome.figures)],
        "page": goal.page,
        "goal": goal.wanted,
        "measured": "not measured" if found is None else spread(found, goal.unit),
        "median": None if found is None else f"{number(found.median)}{goal.unit}",
        "met": met,
    }


def tables(result: Mapping[str, Any]) -> str:
    """All of a result, to be read."""
    blocks = [table(contest) for contest in result["contests"].values()]
    if result["goals"]:
        blocks.append(f"## Every goal\n\n{goals_table(result)}")
    if result["failures"]:
        blocks.append("Failures:\n\n" + "\n".join(f"- {line}" for line in result["failures"]))
    return "\n\n".join(blocks)


def goals_table(result: Mapping[str, Any]) -> str:
    """Every goal with what was measured: the median, the least and the most."""
    rows = [
        [f"{g['text']} ({g['who']})", g["goal"], g["measured"], VERDICTS[g["met"]]]
        for g in result["goals"]
    ]
    return markdown(["goal", "limit", "measured", "met"], rows)


def table(contest: Mapping[str, Any]) -> str:
    """One contest: its figures, and by CPU how many times as fast each is as those it names."""
    entries: dict[str, dict[str, Any]] = contest["entries"]
    figures = {
        who: {name: Figure(tuple(rounds)) for name, rounds in entry["figures"].items()}
        for who, entry in entries.items()
    }
    columns: list[tuple[str, Callable[[str], str]]] = [
        ("who", lambda who: _who(who, entries[who]["count"], contest["count"]))
    ]
    for name, heading in _COLUMNS.items():
        if any(name in found for found in figures.values()):
            columns.append((heading.format(contest["unit"]), _cell(figures, name)))
    for reference in contest["references"]:
        for name, about in (("cpu", "by CPU"), ("wall", "by wall time")):
            if name in figures[reference]:
                heading = f"times {reference}, {about}"
                columns.append((heading, _times(figures, reference, name)))
    rows = [[cell(who) for _, cell in columns] for who in entries]
    shown = markdown([heading for heading, _ in columns], rows)
    return "\n\n".join([f"## {contest['title']}", shown, *contest["notes"]])


def _who(who: str, count: int, of: int) -> str:
    return who if count == of else f"{who} ({count:,} of them)"


def _cell(figures: Mapping[str, Mapping[str, Figure]], name: str) -> Callable[[str], str]:
    def cell(who: str) -> str:
        figure = figures[who].get(name)
        return "" if figure is None else number(figure.median)

    return cell


def _times(
    figures: Mapping[str, Mapping[str, Figure]], reference: str, name: str
) -> Callable[[str], str]:
    def cell(who: str) -> str:
        if name not in figures[who] or who == reference:
            return ""
        return spread(figures[reference][name] / figures[who][name], "x")

    return cell


def number(value: float) -> str:
    """Three digits that count, and never an exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(figure: Figure, unit: str = "") -> str:
    """The median and, where there is more than one round, the extremes."""
    middle = f"{number(figure.median)}{unit}"
    if len(figure.rounds) == 1:
        return middle
    return f"{middle} ({number(min(figure.rounds))} to {number(max(figure.rounds))})"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, with its columns in line so that it can be read as it is."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    ruler = ["-" * width for width in widths]
    return "\n".join(
        "| " + " | ".join(map(str.ljust, cells, widths)) + " |" for cells in (header, ruler, *rows)
    )


def machine() -> dict[str, str]:
    """What kind of machine the figures are of, and when they were measured."""
    return {
        "Date": datetime.now(UTC).date().isoformat(),
        "Processors": f"{os.cpu_count()}, {_processor()}",
        "System": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "OpenSSL": ssl.OPENSSL_VERSION,
        **build(sysconfig.get_config_var("CONFIG_ARGS")),
    }


def commit() -> str:
    """The commit that was measured; with what was changed since it, if anything was."""
    if not (ROOT / ".git").exists():
        return UNKNOWN
    try:
        head = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--", "src")
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN
    return f"{head}, with changes" if changed else head


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def build(arguments: str | None) -> dict[str, str]:
    """How the interpreter was built, from the arguments of its ``configure``, if it has them.

    Both optimisations make Python code faster, and the C of others not. Distributions have ways
    of their own to ask for them, which do not show.
    """
    if arguments is None:
        pgo = lto = UNKNOWN
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
