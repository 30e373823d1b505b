"""Write docs/guarantees.md: each guarantee with the tests that hold it, and its figures.

``python docs/make_guarantees.py`` writes the page from docs/guarantees.toml. With ``--check`` it
writes nothing, and exits with 1 if the page is out of date. A guarantee without a test that exists,
or without a figure, is an error.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "guarantees.md"
TABLE = ROOT / "docs" / "guarantees.toml"
HOME = "https://github.com/pop3proto/pop3proto/blob/main/"
HEAD = f"""# Guarantees

This page lists what pop3proto guarantees, the tests that hold it to that, and how much they try.
A number of cases is what `python -m pytest --collect-only -q -m '' FILE...` counts in those tests,
rounded down to two digits; many of the cases try hundreds of inputs. A figure with a date and a
commit was recorded in a run that takes too long for every change. The commands of
those and of the other figures are below the table.

`python docs/make_guarantees.py` writes the page from `docs/guarantees.toml`, and checks that each
test exists. The commands need the environment of [tests/README.md]({HOME}tests/README.md).

"""
COLLECT = ("-m", "pytest", "--collect-only", "-q", "-m", "", "-p", "no:cacheprovider")

Guarantee = dict[str, Any]


def guarantees() -> list[Guarantee]:
    """Return the guarantees of the table."""
    found: list[Guarantee] = tomllib.loads(TABLE.read_text("utf-8"))["guarantee"]
    return found


def path_of(test: str) -> str:
    """Return where a test of the table is, from the root of the project."""
    file = test.partition("::")[0]
    return file if file.startswith((".ci/", "tools/")) else f"tests/{file}"


def faults(of: Iterable[Guarantee]) -> Iterator[str]:
    """Yield what is wrong with the guarantees."""
    for guarantee in of:
        what = guarantee["what"]
        if not guarantee.get("tests"):
            yield f"no test: {what}"
        for test in guarantee.get("tests", ()):
            file, name = ROOT / path_of(test), test.partition("::")[2]
            if not file.is_file():
                yield f"{test} does not exist: {what}"
            elif name and not re.search(rf"\bdef {name}\(", file.read_text("utf-8")):
                yield f"{test} is not in its file: {what}"
        recorded = guarantee.get("recorded", [])
        if not recorded and "counted" not in guarantee:
            yield f"no figure: {what}"
        if guarantee.get("counted", "cases") not in COUNTS:
            yield f"no way to count {guarantee['counted']}: {what}"
        for figure in recorded:
            for word in figure.get("command", "").split():
                # tools/mutate.py takes modules.
                places = (ROOT / word, ROOT / "src/pop3proto" / word)
                if word.endswith(".py") and not any(place.is_file() for place in places):
                    yield f"{word} does not exist: {figure['command']}"
            if missing := {"figure", "command", "date", "commit"} - figure.keys():
                yield f"a figure without {', '.join(sorted(missing))}: {what}"


def collected(paths: list[str]) -> Counter[str]:
    """Return how many cases pytest finds in each file, and in each test."""
    command = [sys.executable, *COLLECT, *paths]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    found: Counter[str] = Counter()
    for line in done.stdout.splitlines():
        file, colons, rest = line.partition("::")
        if colons:
            found[file] += 1
            found[f"{file}::{rest.partition('[')[0].rpartition('::')[2]}"] += 1
    return found


def _tests(guarantee: Guarantee) -> list[str]:
    """Return the arguments of pytest for a guarantee."""
    return [path_of(test) + "".join(test.partition("::")[1:]) for test in guarantee["tests"]]


def _cases(guarantee: Guarantee, found: Counter[str]) -> tuple[str, None]:
    number = sum(found[test] for test in _tests(guarantee))
    return f"{_rounded(number)} case{'s' * (number != 1)}", None


def _rounded(number: int) -> str:
    """Return a number, or about how many there are at least: a new case is no news."""
    if not number:
        raise SystemExit("there is not one case")
    unit = 10 ** max(0, len(str(number)) - 2)
    return f"{number}" if unit == 1 else f"at least {number // unit * unit:,}"


def _covered(_: Guarantee, __: Counter[str]) -> tuple[str, str]:
    folders = ("mail", "model", "engine", "sasl", "server", "transcript", "client", "sync")
    modules = [path for name in folders for path in (ROOT / "src/pop3proto" / name).glob("*.py")]
    return f"{len(modules)} modules, 100 % of the branches", "python .ci/coverage_by_module.py"


def _core(_: Guarantee, __: Counter[str]) -> tuple[str, str]:
    text = (ROOT / "tests/test_architecture.py").read_text("utf-8")
    [most] = re.findall(r"(?m)^MOST_LINES_OF_THE_CORE = (\d+)$", text)
    return f"at most {int(most):,} lines", "python -m pytest tests/test_architecture.py"


def _reasons(_: Guarantee, __: Counter[str]) -> tuple[str, str]:
    table = tomllib.loads((ROOT / "tools/survivors.toml").read_text("utf-8"))
    changes = sum(len(each["changes"]) for several in table.values() for each in several)
    return f"{changes} changes have a reason", "python tools/mutate.py engine sasl client"


def _conformance(_: Guarantee, __: Counter[str]) -> tuple[str, str]:
    from pop3proto.conformance import server_cases

    cases = len(list(server_cases().chosen([], [])))
    return f"{cases} cases of the suite", "python -m pytest tests/conformance/test_embedded.py"


# Each returns the figure, and its command if that is not said above the table.
COUNTS: dict[str, Callable[[Guarantee, Counter[str]], tuple[str, str | None]]] = {
    "cases": _cases,
    "covered modules": _covered,
    "lines of the core": _core,
    "reasons": _reasons,
    "conformance cases": _conformance,
}


def rows(of: Iterable[Guarantee], found: Counter[str]) -> Iterator[str]:
    """Yield the lines of the page's table and of the list of commands after it."""
    commands: list[str] = []
    yield "| | Guarantee | Tests | Figures |"
    yield "|---|---|---|---|"
    for number, guarantee in enumerate(of, 1):
        tests = [
            f"[{test.rpartition('/')[2]}]({HOME}{path_of(test)})" for test in guarantee["tests"]
        ]
        figures: list[str] = []
        if "counted" in guarantee:
            figure, command = COUNTS[guarantee["counted"]](guarantee, found)
            figures.append(figure)
            commands += [f"| {number} | {figure} | `{command}` |"] if command else []
        for one in guarantee.get("recorded", ()):
            figures.append(f"{one['figure']} ({one['date']}, {one['commit']})")
            commands.append(f"| {number} | {one['figure']} | `{one['command']}` |")
        yield f"| {number} | {guarantee['what']} | {', '.join(tests)} | {'; '.join(figures)} |"
    yield from ("", "## The commands of the figures", "", "| | Figure | Command |", "|---|---|---|")
    yield from commands


def main() -> int:
    """Write the page, or check it."""
    table = guarantees()
    if wrong := list(faults(table)):
        print(*wrong, sep="\n", file=sys.stderr)
        return 1
    several = [each for each in table if each.get("counted") == "cases"]
    files = sorted({test.partition("::")[0] for each in several for test in _tests(each)})
    page = HEAD + "\n".join(rows(table, collected(files))) + "\n"
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page, "utf-8")
    elif page != PAGE.read_text("utf-8"):
        print(f"{PAGE.name} is out of date: run python docs/make_guarantees.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
