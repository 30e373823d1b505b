"""Check that each module of the core is covered in full by the tests that bear its name.

For src/pop3proto/FOLDER/NAME.py only tests/FOLDER/test_NAME.py and test_NAME_*.py count, and every
branch of the module has to be taken. A test file belongs to one module: to that with the longest
name that fits. A module without a test file fails, unless it is named below. The modules of the
client, and those that fetch, are covered by all tests of their folder together: nothing but a whole
session drives them.

    python .ci/coverage_by_module.py
    python .ci/coverage_by_module.py engine client

The arguments are folders; without one, all of them are measured, each in a process of its own.
There, what each test file has run is kept apart by coverage's contexts: a context for each file,
and one for what happens when modules are imported, which counts for all of them.
"""

import importlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import coverage
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "pop3proto"
TESTS = ROOT / "tests"
TOGETHER = ("client", "sync")
# These run programs, in which nothing is measured.
ELSEWHERE = {TESTS / "sync" / "test_killed.py"}
TOP = "."
"""Stands for the modules outside of all folders."""
# Those with the most tests come first.
FOLDERS = (*TOGETHER, "sasl", "server", "engine", "model", "mail", "transcript", TOP)
AT_THE_TOP = ("errors", "_arguments", "_value")
IMPORTS = "imports"

# What has no test file of its own, and why.
EXCUSED = {
    "mail/__init__.py": "imports names, which tests/docs compares with the documents",
    "model/__init__.py": "has a docstring only",
    "engine/__init__.py": "has a docstring only",
    "sasl/__init__.py": "imports names, which tests/docs compares with the documents",
    "server/__init__.py": "imports names, which tests/docs compares with the documents",
    "transcript/__init__.py": "imports names, which tests/docs compares with the documents",
    "transcript/engines.py": "is what replaying.py drives, and is tested by test_replaying.py",
}


def name_of(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def owner(test: Path) -> Path | None:
    """Return the module that a test file belongs to."""
    folder = PACKAGE / test.relative_to(TESTS).parent
    named = {f"test_{module.stem}_": module for module in folder.glob("*.py")}
    fitting = [prefix for prefix in named if f"{test.stem}_".startswith(prefix)]
    return named[max(fitting, key=len)] if fitting else None


def owned(folder: str) -> tuple[dict[Path, list[Path]], list[str]]:
    """Return the test files of each module of a folder, and what is wrong with that."""
    if folder in TOGETHER:
        together = sorted({*(TESTS / folder).glob("test_*.py")} - ELSEWHERE)
        return dict.fromkeys(sorted((PACKAGE / folder).glob("*.py")), together), []
    if folder == TOP:
        modules = [PACKAGE / f"{name}.py" for name in AT_THE_TOP]
        test_files = [TESTS / f"test_{name}.py" for name in AT_THE_TOP]
    else:
        modules = sorted((PACKAGE / folder).glob("*.py"))
        test_files = sorted((TESTS / folder).glob("test_*.py"))
    tests: dict[Path, list[Path]] = {module: [] for module in modules}
    faults: list[str] = []
    for test in test_files:
        module = owner(test)
        if module is None:
            faults.append(f"{test.relative_to(ROOT)} belongs to no module")
        else:
            tests[module].append(test)
    for module, own in tests.items():
        excuse = EXCUSED.get(name_of(module))
        if not own and excuse is None:
            faults.append(f"{name_of(module)} has no test file")
        elif own and excuse is not None:
            faults.append(f"{name_of(module)} has a test file, and is excused all the same")
        elif not own:
            print(f"not here: {name_of(module)}: {excuse}", flush=True)
    excused = [PACKAGE / name for name in EXCUSED]
    gone = [path for path in excused if path.parent == PACKAGE / folder and not path.is_file()]
    return tests, faults + [f"{name_of(path)} is excused, and does not exist" for path in gone]


class Contexts:
    """A pytest plugin: what runs for a test file is noted under its name."""

    def __init__(self, measured: coverage.Coverage, modules: Iterable[Path]) -> None:
        self._measured = measured
        self._modules = modules

    def switch(self, path: Path) -> None:
        self._measured.switch_context(path.relative_to(ROOT).as_posix())

    def pytest_sessionstart(self) -> None:
        """Import what pytest has not imported yet, for its plugins."""
        for module in self._modules:
            name = module.relative_to(PACKAGE.parent).with_suffix("")
            importlib.import_module(".".join(name.parts).removesuffix(".__init__"))

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[None]:
        # The file is imported here, and may call what it parametrizes its tests with.
        if isinstance(collector, pytest.Module):
            self.switch(collector.path)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.switch(item.path)
        return (yield)


def run(measured: coverage.Coverage, tests: dict[Path, list[Path]]) -> int:
    """Run the tests, and return pytest's status."""
    files = sorted({str(test) for own in tests.values() for test in own})
    arguments = ["-q", "-p", "no:cacheprovider", "-m", "", *files]
    measured.start()
    measured.switch_context(IMPORTS)
    try:
        return pytest.main(arguments, plugins=[Contexts(measured, tests)])
    finally:
        measured.stop()


def covered(measured: coverage.Coverage, module: Path, own: list[Path]) -> bool:
    """Return if the module's own tests cover it; print what they do not."""
    names = [IMPORTS, *(test.relative_to(ROOT).as_posix() for test in own)]
    contexts = [f"^{re.escape(name)}$" for name in names]
    shown = io.StringIO()
    percent = measured.report(include=[str(module)], contexts=contexts, file=shown)
    if percent == 100:
        print(f"100 % {name_of(module)}", flush=True)
        return True
    print(f"FAILED {name_of(module)}\n{shown.getvalue()}", flush=True)
    return False


def check(folder: str) -> bool:
    """Run the tests of a folder in this process, and return if they cover each of its modules."""
    tests, faults = owned(folder)
    tested = {module: own for module, own in tests.items() if own}
    measured = coverage.Coverage(data_file=None, branch=True, source=[str(PACKAGE)])
    status = run(measured, tested)
    results = [covered(measured, module, own) for module, own in tested.items()]
    print("".join(f"FAILED {fault}\n" for fault in faults), end="", flush=True)
    return status == 0 and bool(results) and all(results) and not faults


def check_apart(folder: str) -> bool:
    """Do so in a process of its own, and print its output in one piece."""
    command = [sys.executable, __file__, folder]
    made = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    print(f"--- {folder}\n{made.stdout}", flush=True)
    return made.returncode == 0


def main(folders: list[str]) -> int:
    os.chdir(ROOT)
    if len(folders) == 1:
        return 0 if check(folders[0]) else 1
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return 0 if all([*pool.map(check_apart, folders or FOLDERS)]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
