"""Change the code of modules in many small ways, and see whether their tests notice each change.

    python tools/mutate.py server/session.py engine
    python tools/mutate.py --most 100 engine

The arguments are modules, or folders of modules, below src/pop3proto. mutmut makes the changes
("mutants") in a copy of the project, and runs the tests of the module's folder. A mutant is noticed
if mypy finds it, if a test fails, or if the tests do not end.

A mutant that nothing notices survives. Each survivor is printed, and then the exit code is 1,
unless tools/survivors.toml gives the reason why no test can notice it, or need not. An entry there
has the function, the reason, and the changes: the lines before, and the lines after. "--write"
prints the survivors in that form. A reason that no survivor needs any more is an error, too.

mutmut changes the bodies of functions, except of those with a decorator such as ``@property``. What
stands outside of functions is not changed. Three kinds of changes are left out here: those of the
words of a message, those of the type that a ``cast()`` names, and upper case in a codec's name.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "pop3proto"
REASONS = Path(__file__).with_name("survivors.toml")
ONE_SESSION = Path(__file__).with_name("one_session.py")
# Texts of several words are for people, unless they are octets. Each text is matched from its first
# quotation mark, so that nothing between two of them is taken for one.
_TEXT = re.compile(r"""(\w*)(?:"[^"]*"|'[^']*')""")
# The type in a cast(), which does nothing.
_CAST = re.compile(r"""cast\((?:"[^"]*"|\w+), """)
# Upper and lower case are the same in the name of a codec.
_CODEC = re.compile(r"""(?<=code\()"[^"]*\"""")
# A mutant that never ends is noticed.
NOTICED = {"killed", "timeout", "caught by type check"}
NOT_CHOSEN = "not checked"
SETTINGS = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = ["src/pop3proto/{module}"]
pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:xdist"]
pytest_add_cli_args_test_selection = {tests}
type_check_command = {mypy}
# A mutant that never ends can also take more and more memory. By default, it does so for minutes.
timeout_multiplier = 5.0
"""


class Survivor(NamedTuple):
    """A change that no test has noticed."""

    module: str
    function: str
    before: str
    after: str


def chosen(arguments: list[str]) -> list[str]:
    """Return the modules that the arguments name; raise ``SystemExit`` if one names none."""
    modules: list[str] = []
    for argument in arguments:
        place = PACKAGE / argument.removeprefix("src/pop3proto/")
        found = sorted(place.rglob("*.py")) if place.is_dir() else [place]
        found = [path for path in found if path.is_file() and path.name != "__init__.py"]
        if not found:
            raise SystemExit(f"{argument}: no such module below {PACKAGE.relative_to(ROOT)}")
        modules += (path.relative_to(PACKAGE).as_posix() for path in found)
    return modules


def tests_of(module: str) -> list[str]:
    """Return where the tests of a module are: the folder named like its own."""
    folder = module.partition("/")[0]
    return [f"tests/{folder}" if "/" in module else f"tests/test_{folder}"]


def survivors(module: str, jobs: int, most: int) -> Iterator[Survivor]:
    """Make the mutants of a module, and yield those that its tests do not notice."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        leave_out = shutil.ignore_patterns("__pycache__", "*.egg-info")
        for name in ("src", "tests"):
            shutil.copytree(ROOT / name, scratch / name, ignore=leave_out)
        settings = (ROOT / "pyproject.toml").read_text("utf-8")
        # Without mypy's configuration, which the copies that mutmut makes do not satisfy.
        mypy = [sys.executable, "-m", "mypy", "--config-file=", "--output=json"]
        # Each mutant of an __init__() declares the attributes again, which is no fault of its own.
        mypy += ["--disable-error-code=no-redef", "--disable-error-code=has-type"]
        # What it has found out of the other modules serves for the next run.
        mypy.append(f"--cache-dir={ROOT / '.mypy_cache' / 'mutants'}")
        settings += SETTINGS.format(
            module=module, tests=tests_of(module), mypy=[*mypy, f"src/pop3proto/{module}"]
        )
        (scratch / "pyproject.toml").write_text(settings, "utf-8")
        run = mutmut(scratch, "run", str(jobs), str(most), module)
        made = scratch / "mutants/src/pop3proto" / f"{module}.meta"
        if made.exists() and not json.loads(made.read_text("utf-8"))["exit_code_by_key"]:
            # mutmut takes it for an error that no test calls what it has changed.
            print(f"{module}: 0 mutants", flush=True)
            return
        if run.returncode:
            raise failure(run)
        results = mutmut(scratch, "results", "--all", "true").stdout
        tried = dict(re.findall(r"^ *(\S+): (.+)$", results, re.M))
        if most and most < len(tried):
            tried = {mutant: status for mutant, status in tried.items() if status != NOT_CHOSEN}
            assert len(tried) == most
        counts = ", ".join(f"{n} {status}" for status, n in Counter(tried.values()).most_common())
        print(f"{module}: {len(tried)} mutants: {counts}", flush=True)
        for mutant, status in tried.items():
            if status not in NOTICED:
                yield survivor(module, mutant, mutmut(scratch, "show", mutant).stdout)


def mutmut(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ONE_SESSION, *arguments],
        cwd=folder,
        # The package in the copy, and no other.
        env={**os.environ, "PYTHONPATH": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


def failure(run: subprocess.CompletedProcess[str]) -> SystemExit:
    """Return the error for a run of mutmut that failed, with what it said."""
    # Without the lines that only show that something goes on.
    told = re.sub(r"^[\u2800-\u28ff].*\n", "", run.stdout, flags=re.M)
    return SystemExit(f"{told[-5000:]}\nmutmut failed")


def survivor(module: str, mutant: str, difference: str) -> Survivor:
    function = mutant.rpartition(".")[2].rpartition("__mutmut_")[0].removeprefix("x")
    before, after = (
        "\n".join(
            line[1:].strip()
            for line in difference.splitlines()
            if line.startswith(sign) and not line.startswith(sign * 3)
        )
        for sign in "-+"
    )
    name = function.removeprefix("ǁ") if "ǁ" in function else function.removeprefix("_")
    return Survivor(module, name.replace("ǁ", "."), before, after)


def matters(each: Survivor) -> bool:
    """Return whether more has changed than words, the type in a cast(), or a codec's spelling."""
    return _what_matters(each.before) != _what_matters(each.after)


def _what_matters(text: str) -> str:
    text = _CAST.sub("cast(", _TEXT.sub(_without_words, text))
    return _CODEC.sub(lambda name: name[0].lower(), text)


def _without_words(text: re.Match[str]) -> str:
    return "" if " " in text[0] and "b" not in text[1].lower() else text[0]


def reasons() -> dict[Survivor, str]:
    """Return the survivors that no test can notice, and why."""
    table = tomllib.loads(REASONS.read_text("utf-8"))
    return {
        Survivor(module, entry["function"], before, after): entry["why"]
        for module, entries in table.items()
        for entry in entries
        for before, after in entry["changes"]
    }


def written(module: str, survivors: Iterable[Survivor]) -> str:
    """Return the survivors as entries of the file with reasons."""
    by_function: dict[str, list[str]] = {}
    for each in survivors:
        change = f"    [{quoted(each.before)}, {quoted(each.after)}],\n"
        by_function.setdefault(each.function, []).append(change)
    return "\n".join(
        f"[[{quoted(module)}]]\nfunction = {quoted(function)}\nwhy = ''\n"
        f"changes = [\n{''.join(changes)}]\n"
        for function, changes in by_function.items()
    )


def quoted(text: str) -> str:
    # TOML's literal strings need no escapes.
    plain = "'" not in text and "\n" not in text
    return f"'{text}'" if plain else f"'''\n{text}'''"


def shown(each: Survivor) -> str:
    before = "".join(f"\n  - {line}" for line in each.before.split("\n"))
    after = "".join(f"\n  + {line}" for line in each.after.split("\n"))
    return f"{each.module}: {each.function}{before}{after}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("modules", nargs="+", help="for example engine, or server/session.py")
    parser.add_argument("--jobs", type=int, default=1, help="how many mutants to try at a time")
    parser.add_argument("--most", type=int, default=0, help="how many mutants of each module")
    parser.add_argument("--write", action="store_true", help="print survivors as TOML")
    asked = parser.parse_args(arguments)
    known = reasons()
    faults = 0
    for module in chosen(asked.modules):
        found = [each for each in survivors(module, asked.jobs, asked.most) if matters(each)]
        new = [each for each in found if each not in known]
        # A sample says nothing about the others.
        idle = [k for k in known if k.module == module and k not in found and not asked.most]
        if asked.write:
            print(written(module, new), flush=True)
        else:
            for each in new:
                print(shown(each), flush=True)
        for each in idle:
            print(f"a reason without a survivor: {shown(each)}", flush=True)
        faults += len(new) + len(idle)
    print(f"{faults} faults" if faults else "Every survivor has a reason.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
