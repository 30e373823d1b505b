"""Check that each module of the core is covered in full by the tests that bear its name.

For src/pop3proto/FOLDER/NAME.py only tests/FOLDER/test_NAME.py and test_NAME_*.py count, and every
branch of the module has to be taken. A test file belongs to one module: to that with the longest
name that fits. A module without a test file fails, unless it is named below. The modules of the
client, and those that fetch, are covered by all tests of their folder together: nothing but a whole
session drives them.

All the tests run once, in one process. What each file of them has run is kept apart by coverage's
contexts: a context for each test file, and one for what happens when modules are imported, which
counts for all of them.
"""

import importlib
import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "pop3proto"
TESTS = ROOT / "tests"
FOLDERS = ("mail", "model", "engine", "sasl", "server", "transcript")
MODULES = sorted(
    [
        PACKAGE / "errors.py",
        PACKAGE / "_arguments.py",
        PACKAGE / "_value.py",
        *(path for folder in FOLDERS for path in (PACKAGE / folder).glob("*.py")),
    ]
)
TEST_FILES = sorted(
    [
        TESTS / "test_errors.py",
        TESTS / "test__arguments.py",
        TESTS / "test__value.py",
        *(t for folder in FOLDERS for t in (TESTS / folder).glob("test_*.py")),
    ]
)
TOGETHER = ("client", "sync")
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
    "model/stuffing.py": "is tested with its counterpart, in tests/engine/test_wire.py",
}


def name_of(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def owner(test: Path) -> Path | None:
    """Return the module that a test file belongs to."""
    folder = PACKAGE / test.relative_to(TESTS).parent
    named = {f"test_{module.stem}_": module for module in folder.glob("*.py")}
    fitting = [prefix for prefix in named if f"{test.stem}_".startswith(prefix)]
    return named[max(fitting, key=len)] if fitting else None


def owned() -> tuple[dict[Path, list[Path]], list[str]]:
    """Return the test files of each module, and what is wrong with that."""
    tests: dict[Path, list[Path]] = {module: [] for module in MODULES}
    faults: list[str] = []
    for test in TEST_FILES:
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
    for folder in TOGETHER:
        together = sorted((TESTS / folder).glob("test_*.py"))
        tests |= dict.fromkeys(sorted((PACKAGE / folder).glob("*.py")), together)
    gone = [name for name in EXCUSED if not (PACKAGE / name).is_file()]
    return tests, faults + [f"{name} is excused, and does not exist" for name in gone]


class Contexts:
    """A pytest plugin: what runs for a test file is noted under its name."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self._measured = measured

    def switch(self, path: Path) -> None:
        self._measured.switch_context(path.relative_to(ROOT).as_posix())

    def pytest_sessionstart(self) -> None:
        """Import what pytest has not imported yet, for its plugins."""
        for module in MODULES:
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


def run(measured: coverage.Coverage, tests: list[Path]) -> int:
    """Run the tests, and return pytest's status."""
    arguments = ["-q", "-p", "no:cacheprovider", "-m", "", *map(str, tests)]
    measured.start()
    measured.switch_context(IMPORTS)
    try:
        return pytest.main(arguments, plugins=[Contexts(measured)])
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


def main() -> int:
    os.chdir(ROOT)
    tests, faults = owned()
    tested = {module: own for module, own in tests.items() if own}
    measured = coverage.Coverage(data_file=None, branch=True, source=[str(PACKAGE)])
    status = run(measured, sorted({test for own in tested.values() for test in own}))
    results = [covered(measured, module, own) for module, own in tested.items()]
    print("".join(f"FAILED {fault}\n" for fault in faults), end="", flush=True)
    return 0 if status == 0 and results and all(results) and not faults else 1


if __name__ == "__main__":
    sys.exit(main())
